#!/usr/bin/env python3
"""Flags override --config, and --config overrides --recipe, in any order; a mistake is one line that names it."""

import unittest

import support


class Options(support.SmokeTest):
    def first_segment(self, *words):
        return self.succeed_json("plan", *words)["segments"][0]

    def config(self, text):
        path = self.folder / "options.toml"
        path.write_text(text)
        return path

    def test_precedence(self):
        config = self.config("batch = 256\nlearning-rate = 0.3\n")
        segment = self.first_segment("--batch", 512, "--config", config, "--recipe", "cifar10-nesterov-decaying-lr")
        self.assertEqual((segment["batch"], segment["learning_rate"], segment["momentum"]), (512, 0.3, 0.9))
        self.assertEqual(segment["epochs"], 60)

    def test_the_last_of_a_repeated_flag_wins(self):
        self.assertEqual(self.first_segment("--batch", 512, "--batch", 256)["batch"], 256)

    def test_recipes_are_listed(self):
        names = {line.split()[0] for line in self.succeed("train", "--recipe", "list").splitlines()}
        self.assertIn("cifar10-max5120-increased-momentum", names)
        self.assertEqual(len(names), 24)
        self.refuse("plan", "--recipe", "nothing", saying="nothing")

    def test_a_run_s_own_configuration_gives_the_same_run(self):
        run = self.folder / "run"
        words = support.flags({"--schedule": "cosine", "--milestones": None, "--optimizer": "adam"})
        self.succeed("train", *words, "--run-dir", run, "--max-updates", "0", "--quiet")
        self.assertEqual(self.succeed("plan", "--config", run / "config.toml"), self.succeed("plan", *words))

    def test_mistakes(self):
        for text, saying in [("batches = 3", "batches"), ("batch = [1, 2]", "batch"), ("batch", "batch"),
                             ("\n\nexchange = \"no\"", "options.toml:3: exchange"), ("[a]", "table")]:
            with self.subTest(text):
                self.refuse("plan", "--config", self.config(text), saying=saying)
        self.refuse("plan", "--config", self.folder / "none.toml", saying="none.toml")
        self.refuse("plan", "--config", self.folder, saying="not a file")
        self.refuse("plan", "--exchange", "maybe", saying="none|hybrid|batch")
        self.refuse("plan", "--workers", "3", "--latency", "1", saying="seconds-per-ghost")
        self.refuse("plan", "--batches", "3", saying="--batches")


if __name__ == "__main__":
    support.main()
