#!/usr/bin/env python3
"""bench/same_bits.py finds a program equal to itself, and different from one that starts from other weights.

Usage: test_same_bits.py PATH_OF_CRESCENDO
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench/same_bits.py"
PROGRAM = "build/crescendo"  # set by main()


class SameBits(unittest.TestCase):
    def compare(self, new, *words):
        return subprocess.run([sys.executable, SCRIPT, PROGRAM, new, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=300)

    def compare_with(self, script, *words):
        """Compares the program with a shell script that calls it with other arguments."""
        with tempfile.TemporaryDirectory() as folder:
            wrapper = pathlib.Path(folder) / "crescendo"
            wrapper.write_text(f"#!/bin/bash\n{script.replace('PROGRAM', PROGRAM)}\n")
            wrapper.chmod(0o755)
            return self.compare(wrapper, *words)

    def test_the_same_program(self):
        done = self.compare(PROGRAM, "--only", "optimizer-", "micro-batch-16")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 5)
        self.assertRegex(done.stdout, r"equal +optimizer-adam: [0-9a-f]{32}, last loss [0-9.]+\n")

    def test_another_seed(self):
        done = self.compare_with('exec PROGRAM "${@/#7/8}"', "--only", "wrn-10-1")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "DIFFERENT +wrn-10-1: digest, losses, evaluate, predict, safetensors, onnx\n")

    def test_another_command(self):
        # The same weights, but another prediction: what is printed is compared, too.
        done = self.compare_with('[[ $1 == predict ]] && set -- "${@/#10/9}"; exec PROGRAM "$@"', "--only", "wrn-10-1")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "DIFFERENT +wrn-10-1: predict\n")

    def test_a_program_that_fails(self):
        done = self.compare("/bin/false", "--only", "optimizer-sgd")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "FAILED +optimizer-sgd: /bin/false train ")

    def test_bad_input(self):
        for words, saying in ((["/nonexistent"], "/nonexistent"), ([PROGRAM, "--only", "vgg"], "--only vgg"), ([], "NEW")):
            done = subprocess.run([sys.executable, SCRIPT, PROGRAM, *words], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(saying, done.stderr)
            self.assertEqual((len(done.stderr.splitlines()), done.stdout), (1, ""))


def main():
    global PROGRAM
    if len(sys.argv) != 2:
        sys.exit("usage: test_same_bits.py PATH_OF_CRESCENDO")
    PROGRAM = str(pathlib.Path(sys.argv.pop()).resolve())
    unittest.main()


if __name__ == "__main__":
    main()
