#!/usr/bin/env python3
"""The MPI communicator between processes: its operations, and the watch over workers that others wait for."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

WORKER = ""
LIMIT = 300  # seconds that nothing takes


def start(workers, *words):
    """Starts mpi_worker with these words."""
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    words = ["mpirun", "-q", "-n", str(workers), "--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,vader",
             "--mca", "mpi_yield_when_idle", "1", WORKER, *map(str, words)]
    return subprocess.Popen(words, env={**os.environ, **root}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def has_state(process_id, states):
    """Returns true if a process is there and in one of these states, letters as in /proc."""
    try:
        stat = pathlib.Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in states


class CommunicatorTest(unittest.TestCase):
    def wait_for(self, condition):
        limit = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), limit, "waited in vain")
            time.sleep(0.01)

    def finish(self, process, code, line=None):
        """The workers end with this exit code, they say this line at most once, and nobody is left."""
        self.addCleanup(process.terminate)  # mpirun then ends its workers
        output, errors = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, code, errors)
        said = [words for words in errors.splitlines() if words.startswith("crescendo:")]
        if line is None:
            self.assertEqual(said, [])
        else:
            self.assertRegex("\n".join(said), rf"\A{line}\Z")
        self.wait_for(lambda: not any(has_state(worker, "RSDTt") for worker in output.split()))
        return errors


class OperationsTest(CommunicatorTest):
    def test_operations(self):
        for workers in 1, 2, 3, 16:
            with self.subTest(workers):
                self.assertEqual(self.finish(start(workers, "operations"), 0), "")


class WatchTest(CommunicatorTest):
    def test_a_worker_that_comes_late_is_waited_for(self):
        self.assertEqual(self.finish(start(3, "late"), 0), "")

    def test_the_limit_starts_again_after_each_operation(self):
        self.assertEqual(self.finish(start(2, "often"), 0), "")

    def test_a_run_that_was_stopped_as_a_whole_goes_on(self):
        process = start(2, "pause")
        workers = [int(process.stdout.readline()) for _ in range(2)]
        self.wait_for(lambda: all(has_state(worker, "T") for worker in workers))
        time.sleep(7)  # longer than the limits of progress and of silence
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        self.assertEqual(self.finish(process, 0), "")

    def test_a_worker_that_hangs_says_so_and_ends_all(self):
        errors = self.finish(start(3, "hang"), 75, r"crescendo: rank 1 on \S+ hangs: no progress for \d+ s in a test; "
                                                   r"--resume continues the run\. Its stack:")
        self.assertIn("sleep", errors, "the stack")

    def test_a_worker_that_is_stopped_is_lost(self):
        for rank in 0, 1:
            with self.subTest(rank):
                self.finish(start(2, "stop", rank), 75,  # perhaps before a heartbeat that says "a test"
                            rf"crescendo: rank {rank} on \S+ has been silent for \d+ s, last heard of in "
                            r"(its start|a test); --resume continues the run")

    def test_a_worker_that_is_killed_ends_all(self):
        self.finish(start(3, "kill"), 137)

    def test_a_worker_that_aborts_ends_all(self):
        self.finish(start(3, "abort"), 7)

    def test_a_worker_that_aborts_with_0_ends_all(self):
        self.finish(start(3, "abort_with_0"), 0)

    def test_a_worker_that_exits_ends_all(self):
        self.finish(start(3, "exit"), 9)


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        print("mpirun is missing, so nothing is tested")
        sys.exit(77)
    WORKER = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
