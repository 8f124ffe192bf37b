#!/usr/bin/env python3
"""Fills the disk: training goes on, says so, tries again, and loses nothing once there is room."""

import resource
import signal

import support
from support import checkpoints, has_checkpoint, flags, start, wait_for

SMALL = 16 * 1024  # bytes per file: metrics fit, a checkpoint does not
ROOM = resource.RLIM_INFINITY


def ignore_file_size_signal():
    """Makes a file over the limit an error, as on a full disk, instead of a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def limit_file_size(process, bytes_):
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (bytes_, ROOM))


class DiskFull(support.SmokeTest):
    def test_training_goes_on_and_saves_later(self):
        words = ["train", *flags({"--epochs": "8", "--milestones": "2,4"})]
        self.succeed(*words, "--run-dir", self.folder / "whole")

        run_dir = self.folder / "run"
        process = start(*words, "--run-dir", run_dir, preexec_fn=ignore_file_size_signal)
        self.addCleanup(process.kill)
        wait_for(lambda: has_checkpoint(run_dir), process)
        limit_file_size(process, SMALL)
        complaint = self.read_until(process, "checkpoint")
        during = {name for name in checkpoints(run_dir) if name.endswith(".safetensors")}
        self.assertTrue(during, "the older checkpoints must stay")
        self.digest(run_dir)
        limit_file_size(process, ROOM)
        _, rest = process.communicate(timeout=300)

        self.assertEqual(process.returncode, 0, complaint + rest)
        self.assertRegex(complaint.lower(), "too large|no space|full|fail|could not|cannot")
        self.assertEqual(self.digest(run_dir), self.digest(self.folder / "whole"))

    def read_until(self, process, word):
        """Returns the lines of stderr up to one with `word`."""
        lines = ""
        for line in process.stderr:
            lines += line
            if word in line.lower() and "could" in line.lower() or "again" in line.lower():
                return lines
        self.fail(f"ended without a word of the failed save: {lines}")

    def test_no_room_at_the_end(self):
        # Nothing can be saved at all: the user is told, and the exit code says so too.
        run_dir = self.folder / "run"

        def small_files():
            ignore_file_size_signal()
            resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, ROOM))

        result = support.run("train", *flags(), "--run-dir", run_dir, preexec_fn=small_files)
        self.assertNotEqual(result.returncode, 0, result.stderr)
        self.assertGreater(result.returncode, 0, result.stderr)
        self.assertFalse(has_checkpoint(run_dir))
        self.assertRegex(result.stderr.lower(), "checkpoint|cannot|could not")


if __name__ == "__main__":
    support.main()
