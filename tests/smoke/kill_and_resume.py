#!/usr/bin/env python3
"""Kills and stops runs: resuming must end in the same bits as a run left alone.

`--kills N` sets the number of kills in the first test (10).
"""

import random
import shutil
import signal
import sys
import time

import cifar_files
import support
from support import checkpoints, has_checkpoint, flags, main_thread_seconds, start, wait_for

KILLS = 10


class KillAndResume(support.SmokeTestOfOneRun):
    def words(self, name):
        return ["train", *flags(), "--run-dir", self.folder / name, "--resume"]

    def assert_same_end(self, name):
        self.succeed(*self.words(name))
        self.assertEqual(self.digest(self.folder / name), self.digest(self.whole))
        self.assertEqual(checkpoints(self.folder / name), checkpoints(self.whole), "what killed writers left is gone")

    def test_killed_at_random_times(self):
        moments = random.Random(1)
        for kill in range(KILLS):
            process = start(*self.words("killed"))
            time.sleep(moments.uniform(0, self.duration))
            process.kill()
            _, errors = process.communicate()
            self.assertIn(process.returncode, (0, -signal.SIGKILL), f"kill {kill}: {errors}")
            if has_checkpoint(self.folder / "killed"):
                self.digest(self.folder / "killed")  # at every moment one checkpoint verifies
        self.assert_same_end("killed")

    def test_killed_at_every_save(self):
        # Each start is killed at the first, second or third change of the checkpoints: when a file is created, when it
        # gets its name, when an old one is deleted.
        run_dir = self.folder / "saves"
        for attempt in range(100):
            process = start(*self.words("saves"))
            before, changes = checkpoints(run_dir), 0
            while process.poll() is None and changes <= attempt % 3:
                now = checkpoints(run_dir)
                changes += now != before
                before = now
            process.kill()
            _, errors = process.communicate()
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, -signal.SIGKILL, errors)
            if has_checkpoint(run_dir):
                self.digest(run_dir)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(attempt, 5)
        self.assert_same_end("saves")

    def test_asked_to_stop_at_random_times(self):
        moments = random.Random(2)
        for number, code in [(signal.SIGTERM, 143), (signal.SIGINT, 130)] * 3:
            process = start(*self.words("stopped"))
            time.sleep(moments.uniform(0.2, self.duration))
            process.send_signal(number)
            _, errors = process.communicate(timeout=120)
            # Before the program has installed its handlers, signals have their default effect.
            self.assertIn(process.returncode, (code, 0, -number), errors)
        self.assert_same_end("stopped")

    def test_stopped_after_every_update(self):
        # --max-updates counts the updates of the whole run.
        expected = self.digest(self.whole)
        for updates in range(100):
            self.succeed(*self.words("steps"), "--max-updates", updates)
            if self.digest(self.folder / "steps") == expected:
                break
        self.assertEqual(updates, 14)
        self.assert_same_end("steps")

    def test_resumed_without_its_options(self):
        run_dir = self.folder / "alone"
        self.succeed("train", *flags(), "--run-dir", run_dir, "--max-updates", 5, "--quiet")
        self.assertNotIn("max-updates", (run_dir / "config.toml").read_text())
        self.assertIn("finished after 14 updates", self.succeed("train", "--run-dir", run_dir, "--resume"))
        self.assert_same_end("alone")
        self.refuse("train", "--run-dir", run_dir, "--resume", "--seed", 8, saying="--seed")

    def test_a_run_finds_its_data_from_every_folder(self):
        cifar_files.make(self.folder / "data")
        changes = {"--data": "cifar10", "--data-dir": "data", "--train-images": "512"}
        self.succeed("train", *flags(changes), "--run-dir", "run", "--max-updates", 2, cwd=self.folder)
        self.succeed("evaluate", self.folder / "run")
        self.succeed("train", "--run-dir", self.folder / "run", "--resume", "--max-updates", 3)

    def test_resuming_a_finished_run_does_nothing(self):
        run_dir = self.folder / "finished"
        shutil.copytree(self.whole, run_dir)
        before = {path: path.stat().st_mtime_ns for path in (run_dir / "checkpoints").iterdir()}
        self.succeed(*self.words("finished"))
        after = {path: path.stat().st_mtime_ns for path in (run_dir / "checkpoints").iterdir()}
        self.assertEqual(after, before)


class Signals(support.SmokeTest):
    def long_run(self, changes=None):
        """Returns a long run, new or resumed, in its first update."""
        run_dir = self.folder / "run"
        metrics = run_dir / "metrics.jsonl"

        def lines():
            return metrics.read_text().count("\n") if metrics.exists() else 0

        before = lines()
        process = start("train", *flags(support.LONG, changes or {}), "--run-dir", run_dir, "--resume")
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_for(lambda: lines() > before, process)
        # That line is printed just before the first update, and nothing in between takes long.
        begin = main_thread_seconds(process)
        wait_for(lambda: main_thread_seconds(process) > begin + 0.1, process)
        return process, run_dir

    def test_signals_save_and_exit_with_128_and_their_number(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
            with self.subTest(number.name):
                process, run_dir = self.long_run({"--checkpoint-every": "1000000"})
                before = checkpoints(run_dir)
                process.send_signal(number)
                process.communicate(timeout=120)
                self.assertEqual(process.returncode, 128 + number)
                self.assertNotEqual(checkpoints(run_dir), before)
                self.digest(run_dir)
                ends = [line for line in (run_dir / "metrics.jsonl").read_text().splitlines() if '"end"' in line]
                self.assertIn(f'"stopped by {number.name}"', ends[-1])

    def test_signals_that_come_twice_and_together_do_not_lose_the_state(self):
        huge = {"--train-images": "1024", "--batch": "1024", "--max-batch": "1024", "--micro-batch": "32"}
        process, run_dir = self.long_run(huge)
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            time.sleep(0.01)  # a signal that waits for its handler would be merged with the next
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 129)
        self.assertRegex(errors, r"crescendo: SIGHUP: the run saves its state and stops after update 1, \d+ % of which is "
                                 r"done\n")
        self.digest(run_dir)

    def test_nohup_is_obeyed(self):
        process = start("train", *flags(support.LONG), "--run-dir", self.folder / "run",
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.addCleanup(process.kill)
        wait_for(lambda: has_checkpoint(self.folder / "run"), process)
        process.send_signal(signal.SIGHUP)
        before = checkpoints(self.folder / "run")
        wait_for(lambda: checkpoints(self.folder / "run") != before, process)
        process.terminate()
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 143)

    def test_second_signal_ends_at_once(self):
        # One update of this run takes many seconds: it cannot be over between the two signals.
        huge = {"--train-images": "16384", "--batch": "16384", "--max-batch": "16384", "--micro-batch": "32"}
        process, run_dir = self.long_run(huge)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (143, -signal.SIGTERM))
        self.assertEqual(checkpoints(run_dir), set())

    def test_second_trainer_is_refused(self):
        process, run_dir = self.long_run()
        for resume in [], ["--resume"]:
            self.refuse("train", *flags(support.LONG), "--run-dir", run_dir, *resume, saying=str(run_dir))
        self.assertIsNone(process.poll())
        process.terminate()
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 143)
        self.digest(run_dir)


if __name__ == "__main__":
    if "--kills" in sys.argv:
        at = sys.argv.index("--kills")
        KILLS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    support.main()
