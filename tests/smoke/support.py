"""Shared by the smoke tests: runs the program as a user would, in a folder of its own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = "build/crescendo"  # set by main()

# A run of a few seconds: three batch sizes in three epochs.
TINY = {
    "--model": "wrn-10-1",
    "--data": "shapes",
    "--train-images": "512",
    "--epochs": "3",
    "--batch": "64",
    "--ghost-batch": "32",
    "--learning-rate": "0.1",
    "--milestones": "1,2",
    "--factor": "2",
    "--exchange": "batch",
    "--max-batch": "256",
    "--eval-every": "0",
    "--checkpoint-every": "1",
    "--threads": "2",
    "--seed": "7",
}
LONG = {"--epochs": "1000", "--milestones": "400,800"}  # longer than any test waits


def flags(*changes):
    """Returns the flags of a tiny run with `changes`, dictionaries from flag to value; None removes a flag."""
    merged = dict(TINY)
    for change in changes:
        merged.update(change)
    return [word for flag, value in merged.items() if value is not None for word in (flag, value)]


def run(*words, **options):
    """Runs `crescendo words...` to its end; text output, no input."""
    return subprocess.run([PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False, timeout=600, **options)


def start(*words, **options):
    """Starts `crescendo words...`; its stderr is kept for reading."""
    return subprocess.Popen([PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, errors="replace", **options)


def checkpoints(run_dir):
    """Returns the file names in the run's folder of checkpoints, unfinished files included."""
    folder = pathlib.Path(run_dir) / "checkpoints"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def wait_for(condition, process, seconds=120):
    """Waits until condition() holds. Fails if the process ends or the time is over before that."""
    limit = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended early with {process.returncode}: {process.stderr.read()}")
        if time.monotonic() > limit:
            process.kill()
            raise AssertionError(f"waited {seconds} s in vain: {process.stderr.read()}")
        time.sleep(0.001)


def main_thread_seconds(process):
    """Returns the processor time of the process's first thread."""
    stat = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def has_checkpoint(run_dir):
    return any(name.endswith(".safetensors") and not name.startswith(".") for name in checkpoints(run_dir))


def temporary_folder(add_cleanup):
    folder = tempfile.TemporaryDirectory(prefix="crescendo-smoke-", ignore_cleanup_errors=True)
    add_cleanup(folder.cleanup)
    return pathlib.Path(folder.name)


class SmokeTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = temporary_folder(self.addCleanup)

    def succeed(self, *words, **options):
        """Runs the program, which must exit with 0, and returns its standard output."""
        result = run(*words, **options)
        self.assertEqual(result.returncode, 0, f"{words}\n{result.stdout}\n{result.stderr}")
        return result.stdout

    def succeed_json(self, *words):
        return json.loads(self.succeed(*words, "--json"))

    def digest(self, run_dir):
        """Returns the line that `inspect --digest` prints."""
        line = self.succeed("inspect", run_dir, "--digest")
        self.assertRegex(line, r"^[^\n]*[0-9a-f]{32}[^\n]*\n$")
        return line

    def refuse(self, *words, saying="", **options):
        """Runs the program, which must exit with 2 and one line on stderr that contains `saying`."""
        result = run(*words, **options)
        about = f"{' '.join(map(str, words))}\nstdout: {result.stdout}\nstderr: {result.stderr}"
        self.assertEqual(result.returncode, 2, about)
        self.assertRegex(result.stderr, r"^[^\n]+\n$", about)
        self.assertIn(saying.lower(), result.stderr.lower(), about)
        self.assertLess(len(result.stderr), 400, about)
        self.assertEqual(result.stdout, "", about)


class SmokeTestOfOneRun(SmokeTest):
    """Tests that share one finished run, `whole`, which took `duration` seconds. They must not change it."""

    RUN = {}  # changes to the flags of a tiny run

    @classmethod
    def setUpClass(cls):
        cls.whole = temporary_folder(cls.addClassCleanup) / "whole"
        begin = time.monotonic()
        result = run("train", *flags(cls.RUN), "--run-dir", cls.whole)
        cls.duration = time.monotonic() - begin
        if result.returncode != 0:
            raise AssertionError(f"the run that the tests share failed: {result.stderr}")


def main():
    """Runs the calling script's tests: SCRIPT PROGRAM [unittest arguments]."""
    global PROGRAM
    if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_file():
        sys.exit(f"usage: {sys.argv[0]} PATH_OF_CRESCENDO [TestCase.test_name...]")
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as on a terminal, even if nohup has started the tests
    unittest.main()
