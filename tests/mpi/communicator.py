#!/usr/bin/env python3
"""The MPI communicator between processes: its operations, and what happens to workers that others wait for."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

WORKER = ""


def mpirun(workers, mode):
    """Runs workers in a mode, to their end."""
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    words = ["mpirun", "-q", "-n", str(workers), "--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,vader",
             "--mca", "mpi_yield_when_idle", "1", WORKER, mode]
    return subprocess.run(words, env={**os.environ, **root}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=300)


class CommunicatorTest(unittest.TestCase):
    def test_operations(self):
        for workers in 1, 2, 3, 16:
            with self.subTest(workers):
                result = mpirun(workers, "operations")
                self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_worker_that_comes_late_is_waited_for(self):
        result = mpirun(3, "late")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_worker_that_hangs_says_so_and_ends_all(self):
        result = mpirun(3, "hang")
        self.assertEqual(result.returncode, 75, result.stderr)
        self.assertRegex(result.stderr, r"(?m)^crescendo: rank 1 on \S+ hangs: no progress for \d s in a test; ")
        self.assertIn("sleep", result.stderr, "the stack")

    def test_a_worker_that_aborts_ends_all(self):
        self.assertEqual(mpirun(3, "abort").returncode, 7)

    def test_a_worker_that_exits_ends_all(self):
        self.assertEqual(mpirun(3, "exit").returncode, 9)


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        sys.exit(77)
    WORKER = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
