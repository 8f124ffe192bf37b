#!/usr/bin/env python3
"""Runs on several workers as a user starts them: equal bits for any number, and one clear line when one is lost."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import cifar_files
import picture_files
import support
from support import flags, has_checkpoint, wait_for

ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
LIMIT = 300  # seconds that nothing takes


def story(run_dir):
    """Returns what a run's metrics say, without times and workers."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    fields = "event", "samples", "updates", "batch", "loss", "accuracy", "correct", "measured_noise_scale"
    return [[line.get(field) for field in fields] for line in lines if line["event"] in ("train", "evaluate")]


def launched(*words, **options):
    """Starts `crescendo launch words...`."""
    return subprocess.Popen([support.PROGRAM, "launch", *map(str, words)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **options)


def workers_of(run_dir):
    """Returns the process ids of the workers of a run, by rank."""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            environment = pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(run_dir).encode() in words and words[1:2] == [b"train"]:
            ranks = [value for value in environment if value.startswith(b"OMPI_COMM_WORLD_RANK=")]
            found[int(ranks[0].split(b"=")[1])] = int(entry)
    return found


class WorkersTest(support.SmokeTestOfOneRun):
    RUN = {"--noise-scale": "on", "--threads": None}

    def words(self, name, *changes):
        return ["train", *flags(self.RUN, *changes), "--run-dir", self.folder / name]

    def launch(self, workers, *words, code=0):
        """Runs the workers to their end, and returns what they print to standard output and error."""
        process = launched("-n", workers, "--", *words)
        output, errors = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, code, output + errors)
        return output, errors

    def mpirun(self, *programs):
        """Runs workers whose commands differ: pairs of a number and words."""
        words = ["mpirun", "-q", "--oversubscribe", "--bind-to", "none"]
        for number, command in programs:
            words += ["-n", number, support.PROGRAM, *command, ":"]
        return subprocess.run([str(word) for word in words[:-1]], env={**os.environ, **ROOT}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", check=False, timeout=LIMIT)

    def begin(self, name, workers, *words):
        """Starts a run that would go on for long, and returns its process when it has saved a checkpoint."""
        process = launched("-n", workers, *words, "--", *self.words(name, support.LONG))
        self.addCleanup(process.kill)
        wait_for(lambda: has_checkpoint(self.folder / name), process)
        return process

    def assert_ended(self, name, process, code, line):
        """The run ends soon, with this exit code, this line, and nobody left."""
        _, errors = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, code, errors)
        self.assertRegex(errors, rf"(?m)^{line}$")
        self.assertEqual(workers_of(self.folder / name), {})

    def test_any_number_of_workers_ends_in_the_same_bits(self):
        for workers in 1, 2, 3, 16:
            with self.subTest(workers):
                self.launch(workers, *self.words(str(workers)))
                self.assertEqual(self.digest(self.folder / str(workers)), self.digest(self.whole))
                self.assertEqual(story(self.folder / str(workers)), story(self.whole))

    def test_folders_of_pictures(self):
        if "OpenCV" not in support.run("--version").stdout:
            self.skipTest("built without OpenCV")
        pictures = {"--data": "image-folder", "--data-dir": str(picture_files.make(self.folder / "set")),
                    "--image-size": "16", "--train-images": None, "--batch": "16", "--ghost-batch": "8",
                    "--max-batch": "32", "--epochs": "4", "--augment": "inception"}
        self.succeed(*self.words("alone", pictures))
        self.launch(3, *self.words("three", pictures))
        self.assertEqual(self.digest(self.folder / "three"), self.digest(self.folder / "alone"))
        self.assertEqual(story(self.folder / "three"), story(self.folder / "alone"))

    def test_evaluation_in_shares(self):
        alone = self.succeed_json("evaluate", self.whole)
        output, _ = self.launch(3, "evaluate", self.whole, "--json")
        self.assertEqual(json.loads(output), alone)

    def test_another_number_of_workers_goes_on(self):
        for workers, updates in (3, 2), (1, 5), (2, None):
            stop = {} if updates is None else {"--max-updates": str(updates)}
            self.launch(workers, *self.words("changed", stop), "--resume")
        self.assertEqual(self.digest(self.folder / "changed"), self.digest(self.whole))
        self.assertEqual(story(self.folder / "changed"), story(self.whole))

    def test_workers_join_as_the_batch_grows(self):
        process = launched("-n", 5, "--grow", "--", *self.words("grown"))
        _, errors = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 0, errors)
        stages = [line for line in errors.splitlines() if line.startswith("crescendo: launch: ")]
        self.assertEqual([line.split()[2] for line in stages], ["2", "4"])  # of 2, 4 and 8 ghost batches
        self.assertEqual(self.digest(self.folder / "grown"), self.digest(self.whole))
        self.assertEqual(story(self.folder / "grown"), story(self.whole))

    def test_a_signal_saves_and_stops(self):
        process = self.begin("stopped", 3)
        process.terminate()
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 143)
        self.digest(self.folder / "stopped")
        self.assertEqual(workers_of(self.folder / "stopped"), {})

    def test_a_killed_worker_ends_all(self):
        process = self.begin("killed", 3)
        os.kill(workers_of(self.folder / "killed")[2], signal.SIGKILL)
        self.assert_ended("killed", process, 137,
                          r"crescendo: rank 2 on \S+ was ended by signal 9 \(Killed\); --resume continues the run")
        self.digest(self.folder / "killed")

    def test_a_run_starts_again_when_a_worker_was_killed(self):
        process = self.begin("again", 2, "--restarts", 1)
        os.kill(workers_of(self.folder / "again")[0], signal.SIGKILL)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "starting again (1 of 1)" in line:
                break
        wait_for(lambda: len(workers_of(self.folder / "again")) == 2, process)
        before = support.checkpoints(self.folder / "again")
        wait_for(lambda: support.checkpoints(self.folder / "again") != before, process)
        process.terminate()
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 143, lines)

    def test_a_stopped_worker_is_lost(self):
        for rank in 0, 1:
            with self.subTest(rank):
                name = f"silent {rank}"
                process = self.begin(name, 2)
                os.kill(workers_of(self.folder / name)[rank], signal.SIGSTOP)
                self.assert_ended(name, process, 75, rf"crescendo: rank {rank} on \S+ has been silent for 1\d s, last "
                                                     r"heard of in \w.*; --resume continues the run")

    def test_workers_that_disagree_are_named(self):
        good = self.folder / "good"
        cifar_files.make(good)
        spoiled = bytearray((good / "data_batch_3.bin").read_bytes())
        spoiled[5] ^= 1
        other = cifar_files.spoil(self.folder / "other", good, "data_batch_3.bin", spoiled)
        data = {"--data": "cifar10", "--train-images": None}
        for changes, line in [
                ([{**data, "--data-dir": str(good)}, {**data, "--data-dir": str(other)}],
                 r"rank 2 on \S+: training data [0-9a-f]{32}, rank 0 on \S+: training data [0-9a-f]{32}"),
                ([{}, {"--max-updates": "3"}], r"rank 2 on \S+: --max-updates 3, rank 0 on \S+: --max-updates all"),
                ([{"--seed": "7"}, {"--seed": "8"}], r"rank 2 on \S+: --seed 8, rank 0 on \S+: --seed 7")]:
            with self.subTest(line):
                most, one = (self.words("disagree", change) for change in changes)
                result = self.mpirun((2, most), (1, one))
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr, rf"\A(crescendo: warning: .*\n)*crescendo: {line}\n\Z")
                self.assertFalse((self.folder / "disagree").exists())

    def test_data_missing_on_one_worker(self):
        good = self.folder / "good"
        cifar_files.make(good)
        words = [self.words("missing", {"--data": "cifar10", "--train-images": None, "--data-dir": str(folder)})
                 for folder in (good, self.folder / "none")]
        result = self.mpirun((1, words[0]), (1, words[1]))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertRegex(result.stderr, r"\Acrescendo: rank 1 on \S+: .*none.*\n\Z")

    def test_bad_input_is_said_once(self):
        (self.folder / "file").write_text("")
        for words, line in [
                (self.words("file"), r"rank 0 on \S+: run folder \S+file: is a file, expected a folder"),
                (self.words("x", {"--batch": "33"}), r"batch: found 33, .*"),
                (self.words("x", {"--workers": "3"}), "workers: found --workers 3, but 2 processes were started"),
                (self.words("x", {"--gradient-sum": "float"}), "workers: found 2, expected 1 with --gradient-sum "
                                                               "float, whose sums depend on their order")]:
            with self.subTest(line):
                _, errors = self.launch(2, *words, code=2)
                self.assertRegex(errors, rf"\Acrescendo: {line}\n\Z")

    def test_a_second_launch_on_one_folder_is_refused(self):
        process = self.begin("used", 2)
        _, errors = self.launch(2, *self.words("used", support.LONG), "--resume", code=2)
        self.assertRegex(errors, r"\Acrescendo: rank 0 on \S+: run folder \S+used: is in use by process \d+ on \S+\n\Z")
        process.terminate()
        process.communicate(timeout=LIMIT)
        self.digest(self.folder / "used")

    def test_workers_that_cannot_find_each_other_are_told(self):
        for variables, words in [({"SLURM_STEP_NUM_TASKS": "4"}, "use srun --mpi=pmix"),
                                 ({"RANK": "0", "WORLD_SIZE": "2"}, "torchrun started 2 processes")]:
            result = support.run(*self.words("strangers"), env={**os.environ, **variables})
            self.assertEqual(result.returncode, 2)
            self.assertIn(words, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_diverged_run_is_explained_once(self):
        _, errors = self.launch(3, *self.words("diverged", {"--learning-rate": "1e20"}), code=3)
        self.assertRegex(errors, r"\A(crescendo: warning: .*\n)*crescendo: .* samples \d+ to \d+ .*\n\Z")


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        sys.exit(77)
    support.main()
