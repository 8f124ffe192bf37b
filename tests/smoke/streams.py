#!/usr/bin/env python3
"""Closes, fills and breaks the program's streams: a run goes on, and a command whose output is lost says so."""

import json
import os
import resource
import signal
import subprocess

import support
from support import flags

SHORT = {"--epochs": "1", "--milestones": "none", "--exchange": "none"}


def close(*descriptors):
    """Returns a function that closes descriptors in a new process."""
    return lambda: [os.close(descriptor) for descriptor in descriptors]


class Streams(support.SmokeTestOfOneRun):
    RUN = SHORT

    def train(self, name, **options):
        """Trains, which must end well in the same bits, and returns the finished process."""
        run_dir = self.folder / name
        words = [support.PROGRAM, "train", *flags(SHORT), "--run-dir", run_dir]
        done = subprocess.run([str(word) for word in words], check=False, timeout=120, **options)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.digest(run_dir), self.digest(self.whole))
        for line in (run_dir / "metrics.jsonl").read_text().splitlines():
            json.loads(line)
        return done

    def lose_output(self, *words, saying, **options):
        """The command ends with 1 and one line on standard error."""
        done = subprocess.run([support.PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=120, **options)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, rf"\Acrescendo: standard output cannot be written{saying}\n\Z")

    def test_training_goes_on_without_streams(self):
        self.train("closed", preexec_fn=close(0, 1, 2))

    def test_training_goes_on_when_the_disk_of_its_log_is_full(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.train("full", stdout=full, stderr=full)

    def test_training_goes_on_when_its_reader_has_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        self.train("pipe", stdout=writer, stderr=writer)

    def test_a_file_that_may_not_grow_is_a_full_disk(self):
        words = ["train", *flags(SHORT), "--run-dir", self.folder / "limit"]
        done = support.run(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("File too large; training goes on", done.stderr)
        self.assertEqual(self.succeed(*words, "--resume").count("finished after"), 1)
        self.assertEqual(self.digest(self.folder / "limit"), self.digest(self.whole))

    def test_lost_output_is_an_error(self):
        for words in (["evaluate", self.whole, "--json"], ["plan", *flags(SHORT)], ["--help"], ["--version"],
                      ["train", "--recipe", "list"], ["inspect", self.whole]):
            with self.subTest(words), open("/dev/full", "w", encoding="utf-8") as full:
                self.lose_output(*words, saying="(: No space left on device)?", stdout=full)
        self.lose_output("plan", *flags(SHORT), saying=": Bad file descriptor", preexec_fn=close(1))
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        for words in ["plan", *flags(SHORT)], ["train", "--help"]:
            done = subprocess.run([support.PROGRAM, *words], stdout=writer, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))

    def test_an_error_that_nobody_can_read_keeps_its_exit_code(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([support.PROGRAM, "evaluate", self.folder / "none"], stderr=full, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    support.main()
