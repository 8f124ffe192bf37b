#!/usr/bin/env python3
"""Runs each command on one short training run, in text and in JSON."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading

import picture_files
import support
from support import flags


class Commands(support.SmokeTestOfOneRun):
    RUN = {"--checkpoint-every": None}

    def test_help_and_version(self):
        self.assertIn("train", self.succeed("--help"))
        for command in "train", "plan", "evaluate", "predict", "report", "inspect", "export", "import", "demo", "data":
            with self.subTest(command):
                self.assertIn(f"crescendo {command}", self.succeed(command, "--help"))
        self.assertRegex(self.succeed("--version"), r"\d+\.\d+\.\d+")

    def test_run_folder(self):
        names = {path.name for path in self.whole.iterdir()}
        self.assertLessEqual({"config.toml", "manifest.json", "metrics.jsonl", "checkpoints"}, names)
        json.loads((self.whole / "manifest.json").read_text())
        lines = [json.loads(line) for line in (self.whole / "metrics.jsonl").read_text().splitlines()]
        self.assertTrue(lines)

    def test_a_run_too_short_for_a_report(self):
        short = self.folder / "short"
        self.succeed("train", *flags({"--train-images": "2000", "--batch": "32"}), "--max-updates", 1, "--run-dir", short)
        self.assertFalse((short / "report.html").exists())

    def test_evaluate(self):
        result = self.succeed_json("evaluate", self.whole)
        self.assertGreater(result["accuracy"], 0)
        self.assertLess(result["accuracy"], 1)
        self.assertTrue(math.isfinite(result["loss"]))
        checkpoint = max((self.whole / "checkpoints").glob("*.safetensors"))
        self.assertEqual(self.succeed_json("evaluate", checkpoint)["accuracy"], result["accuracy"])
        self.assertIn("accuracy", self.succeed("evaluate", self.whole).lower())

    def test_inspect(self):
        self.assertEqual(self.succeed_json("inspect", "--model", "wrn-16-4")["parameters"], 2748890)
        self.assertIn("group0.block0.conv1", self.succeed("inspect", self.whole))
        of_run = self.succeed_json("inspect", self.whole)["parameters"]
        self.assertEqual(of_run, self.succeed_json("inspect", "--model", "wrn-10-1")["parameters"])

    def test_predict(self):
        picture = self.folder / "picture.png"
        picture.write_bytes(picture_files.png(57, 57, (200, 30, 30)))
        self.assertIn("picture.png", self.succeed("predict", self.whole, picture))
        self.succeed_json("predict", self.whole, picture)
        self.refuse("predict", self.whole, self.folder / "none.png", saying="none.png")
        (self.folder / "text.png").write_text("no picture\n")
        self.refuse("predict", self.whole, self.folder / "text.png", saying="text.png")

    def test_report(self):
        page = self.folder / "report.html"
        self.succeed("report", self.whole, "-o", page)
        text = page.read_text()
        self.assertIn("<!doctype html>", text[:200].lower())
        self.assertIsNone(re.search(r"<(script|link|img)[^>]*(src|href)\s*=\s*[\"']?(https?:)?//", text))

    def test_train_from_a_file_with_flags_on_top(self):
        config = self.folder / "config.toml"
        config.write_text('model = "wrn-10-1"\nbatch = 128\nghost-batch = 32\nepochs = 2\nseed = 3\n')
        plan = self.succeed_json("plan", "--config", config, "--train-images", 12800, "--batch", 64)
        self.assertEqual(plan["segments"][0]["batch"], 64)
        self.assertEqual(plan["updates"], 400)

    def test_config_of_a_run_makes_the_same_run(self):
        # "The folder is the run": its config.toml, given to another folder, ends in the same bits.
        copy = self.folder / "copy"
        self.succeed("train", "--config", self.whole / "config.toml", "--run-dir", copy)
        self.assertEqual(self.digest(copy), self.digest(self.whole))

    def test_run_folder_can_be_moved(self):
        before = self.digest(self.whole)
        copy = self.folder / "copy"
        shutil.copytree(self.whole, copy)
        moved = self.folder / "elsewhere"
        shutil.move(copy, moved)
        self.assertEqual(self.digest(moved), before)
        self.succeed("evaluate", moved)

    def test_quiet(self):
        result = support.run("train", *flags({"--threads": "1"}), "--quiet", "--run-dir", self.folder / "quiet")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertRegex(result.stderr, r"\Acrescendo: warning: batch 256 is more than a tenth of .*\n\Z")

    def test_more_threads_than_cores(self):
        threads = str(os.cpu_count() + 1)
        result = support.run("train", *flags({"--threads": threads}), "--quiet", "--run-dir", self.folder / "threads")
        self.assertEqual(result.returncode, 0)
        self.assertIn(f"--threads {threads} is more than the ", result.stderr)

    def test_other_programs(self):
        # Four busy programs a core, and a run that goes on until it has noticed them.
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * os.cpu_count())]
        process = support.start("train", *flags(support.LONG), "--quiet", "--run-dir", self.folder / "busy")
        limit = threading.Timer(120, process.kill)
        limit.start()
        try:
            lines = iter(process.stderr.readline, "")
            self.assertTrue(any(re.search(r"other programs keep [\d.]+ of the \d+ cores busy", line) for line in lines))
        finally:
            limit.cancel()
            for program in (process, *busy):
                program.kill()
                program.wait()
            process.stderr.close()

    def test_pipe_gets_plain_lines(self):
        result = support.run("train", *flags(), "--run-dir", self.folder / "plain")
        self.assertNotIn("\x1b", result.stdout + result.stderr)
        self.assertNotIn("\r", result.stdout + result.stderr)

    def test_output_that_nobody_reads(self):
        # crescendo ... | head -1 must not end in a crash.
        command = f"set -o pipefail; '{support.PROGRAM}' train --help | head -1"
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        self.assertIn(result.returncode, (0, 141))
        self.assertEqual(result.stderr, "")

    def test_every_recipe_can_be_planned(self):
        names = re.findall(r"^(\S+)", self.succeed("train", "--recipe", "list"), re.MULTILINE)
        self.assertEqual(len(names), 24)
        for name in names:
            with self.subTest(name):
                self.assertGreater(self.succeed_json("plan", "--recipe", name)["updates"], 2000)


if __name__ == "__main__":
    support.main()
