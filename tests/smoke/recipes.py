#!/usr/bin/env python3
"""Trains the paper's ImageNet recipes with their own batches on a few small pictures: to the end, and resumed."""

import json
import os
import subprocess

import picture_files
import support

IMAGES = 48  # of training

# recipe, first batch, last batch, ghost batch
RECIPES = [
    ("inception-decaying-lr", 8192, 8192, 32),
    ("inception-increasing-batch", 8192, 81920, 32),
    ("inception-momentum-0.9", 8192, 65536, 64),
    ("inception-momentum-0.95", 16384, 65536, 64),
    ("inception-momentum-0.975", 32768, 65536, 64),
    ("resnet-50-decaying-lr", 8192, 8192, 32),
    ("resnet-50-large-batch", 16384, 16384, 32),
    ("resnet-50-increasing-batch", 8192, 16384, 32),
]

# Replaces what makes a recipe long. The small network has no options of the large ones.
SMALL = {"--model": "wrn-10-1", "--norm-scale": "on", "--auxiliary-weight": "none", "--zero-gamma": "off",
         "--image-size": "8", "--eval-every": "0", "--checkpoint-every": "1", "--threads": "2"}


def peak_memory(*words):
    """Runs the program to its end and returns the exit code and the peak resident memory in bytes."""
    process = subprocess.Popen([support.PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * 1024


class Recipes(support.SmokeTest):
    @classmethod
    def setUpClass(cls):
        cls.set = picture_files.make(support.temporary_folder(cls.addClassCleanup) / "set", train=IMAGES // 3)

    def words(self, recipe, first, last):
        """Returns the flags of two updates, one of the first and one of the last batch, with a milestone between."""
        epochs = (first + last) / IMAGES
        schedule = {"--milestones": repr(first / IMAGES), "--epochs": repr(epochs)}
        if "resnet-50" in recipe:
            schedule["--warmup-epochs"] = repr(first / IMAGES / 2)
        return ["--recipe", f"imagenet-{recipe}", *support.flags({name: None for name in support.TINY}, SMALL, schedule),
                "--data-dir", self.set]

    def check(self, folder, recipe, first, last, ghost):
        words = self.words(recipe, first, last)
        whole, parts = folder / "whole", folder / "parts"
        code, peak = peak_memory("train", *words, "--run-dir", whole)
        self.assertEqual(code, 0)
        metrics = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
        updates = [line for line in metrics if line["event"] == "train"]
        self.assertEqual([line["samples"] for line in updates], [first, first + last])
        self.assertEqual([line["batch"] for line in updates], [first, last])

        # One value for each pixel and channel of the first layer at the smallest batch.
        bound = 8192 * 8 * 8 * 16 * 4
        code, least = peak_memory("train", *words, "--batch", ghost, "--max-batch", ghost, "--max-updates", 2,
                                  "--run-dir", folder / "least")
        self.assertEqual(code, 0)
        self.assertLess(peak - least, bound)

        self.succeed("train", *words, "--run-dir", parts, "--max-updates", 1)
        self.succeed("train", *words, "--run-dir", parts, "--resume")
        self.assertEqual(self.digest(parts), self.digest(whole))

    def test_all(self):
        for recipe in RECIPES:
            with self.subTest(recipe[0]):
                self.check(self.folder / recipe[0], *recipe)

    def test_networks_of_the_recipes(self):
        """Makes one update of the recipe's own network, with its auxiliary head, on one ghost batch of two images."""
        for recipe, classifier in (("imagenet-inception-momentum-0.9", "classif.weight"),
                                   ("imagenet-resnet-50-increasing-batch", "fc.weight")):
            with self.subTest(recipe):
                run_dir = self.folder / recipe
                self.succeed("train", "--recipe", recipe, "--data-dir", self.set, "--batch", 2, "--ghost-batch", 2,
                             "--max-updates", 1, "--eval-every", 0, "--run-dir", run_dir)
                (checkpoint,) = (run_dir / "checkpoints").iterdir()
                self.assertIn(classifier.encode(), checkpoint.read_bytes()[:1 << 20])
                self.succeed("evaluate", run_dir)


if __name__ == "__main__":
    support.main()
