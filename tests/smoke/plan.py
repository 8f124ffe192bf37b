#!/usr/bin/env python3
"""Checks that `crescendo plan` counts the updates of the paper's schedules, without data or output files."""

import unittest

import support

CIFAR = {
    "--model": "wrn-16-4", "--data": "cifar10", "--train-images": "50000", "--epochs": "200", "--ghost-batch": "128",
    "--optimizer": "momentum", "--milestones": "60,120,160", "--factor": "5", "--weight-decay": "5e-4",
}
IMAGENET = {
    "--model": "wrn-16-4", "--train-images": "1281167", "--epochs": "90", "--ghost-batch": "64",
    "--optimizer": "momentum", "--milestones": "30,60,80", "--factor": "10", "--learning-rate": "3",
}


def settings(base, batch, rate, momentum, exchange="batch", max_batch=5120, **more):
    changes = {"--batch": batch, "--learning-rate": rate, "--momentum": momentum, "--exchange": exchange,
               "--max-batch": max_batch, **{f"--{name.replace('_', '-')}": value for name, value in more.items()}}
    return [str(word) for pair in {**base, **changes}.items() for word in pair]


# name, flags, updates across an epoch's edge, updates with the remainder dropped (section 5.2)
SCHEDULES = [
    ("original", settings(CIFAR, 128, 0.1, 0.9, "none"), 78125, 78000),
    ("increasing batch", settings(CIFAR, 128, 0.1, 0.9), 29141, 29040),
    ("increased initial learning rate", settings(CIFAR, 640, 0.5, 0.9), 6406, 6300),
    ("increased momentum", settings(CIFAR, 3200, 0.5, 0.98), 2305, 2160),
]


class Plan(support.SmokeTest):
    def plan(self, *words):
        return self.succeed_json("plan", *words)

    def test_schedules_of_section_5_2(self):
        for name, words, straddled, dropped in SCHEDULES:
            with self.subTest(name):
                plan = self.plan(*words)
                self.assertEqual(plan["updates"], straddled)
                self.assertEqual(sum(segment["updates"] for segment in plan["segments"]), straddled)
                self.assertEqual(self.plan(*words, "--epoch-edge", "drop")["updates"], dropped)
                self.assertEqual(sum(segment["epochs"] for segment in plan["segments"]), 200)

    def test_segments_of_the_increasing_batch(self):
        segments = self.plan(*SCHEDULES[1][1])["segments"]
        self.assertEqual([segment["first_epoch"] for segment in segments], [0, 60, 120, 160])
        self.assertEqual([segment["batch"] for segment in segments], [128, 640, 3200, 5120])
        for segment, rate in zip(segments, [0.1, 0.1, 0.1, 0.032]):
            self.assertAlmostEqual(segment["learning_rate"], rate, places=12)
            self.assertEqual(segment["momentum"], 0.9)
            noise = rate / (1 - 0.9) * (50000 / segment["batch"] - 1)
            self.assertAlmostEqual(segment["noise_scale"], noise, delta=1e-9 * noise)

    def test_all_four_begin_at_nearly_the_same_noise_scale(self):
        for name, words, _, _ in SCHEDULES:
            with self.subTest(name):
                first = self.plan(*words)["segments"][0]
                leading = first["learning_rate"] / (1 - first["momentum"]) * 50000 / first["batch"]
                self.assertAlmostEqual(leading, 390.625, places=6)

    def test_imagenet_schedules_of_section_5_3(self):
        for momentum, batch, updates, dropped in [(0.9, 8192, 5865, None), (0.95, 16384, 3519, 3480),
                                                  (0.975, 32768, 2346, None)]:
            with self.subTest(batch=batch):
                words = settings(IMAGENET, batch, 3.0, momentum, max_batch=65536)
                self.assertEqual(self.plan(*words)["updates"], updates)
                if dropped is not None:
                    self.assertEqual(self.plan(*words, "--epoch-edge", "drop")["updates"], dropped)

    def test_resnet_50_of_section_5_4(self):
        words = settings(IMAGENET, 8192, 3.2, 0.9, max_batch=16384, ghost_batch=32)
        segments = self.plan(*words)["segments"]
        self.assertEqual(segments[0]["updates"], 4692)
        self.assertEqual(sum(segment["updates"] for segment in segments[1:]), 4692)
        for segment, rate in zip(segments, [3.2, 0.64, 0.064, 0.0064]):
            self.assertAlmostEqual(segment["learning_rate"], rate, places=12)

    def test_table_for_people(self):
        text = self.succeed("plan", *SCHEDULES[1][1], "--workers", "8", "--seconds-per-ghost", "0.05")
        self.assertIn("29141", text.replace(",", ""))
        self.assertIn("5120", text)

    def test_workers_join_as_the_batch_grows(self):
        plan = self.plan(*SCHEDULES[1][1], "--workers", "16", "--seconds-per-ghost", "0.4")
        self.assertEqual([segment["workers"] for segment in plan["segments"]], [1, 5, 13, 14])
        self.assertEqual([segment["efficiency"] for segment in plan["segments"][:2]], [1, 1])
        workers = plan["workers"]
        self.assertLess(workers["growing"]["time"], workers["one"]["time"])
        self.assertLess(workers["growing"]["worker_time"], workers["throughout"]["worker_time"])
        self.assertEqual(workers["time_unit"], "second")

    def test_one_row_and_one_job_for_a_decaying_learning_rate(self):
        script = self.folder / "chain.sh"
        for name in ["cifar10-momentum", "imagenet-inception", "imagenet-resnet-50"]:
            recipe = f"{name}-decaying-lr"
            with self.subTest(recipe):
                self.assertGreater(len(self.plan("--recipe", recipe)["segments"]), 3)
                text = self.succeed("plan", "--recipe", recipe, "--workers", 16, "--sbatch", script)
                self.assertRegex(text, r"\A *epochs  .*\n *0 to \d+  .*\n\n")
                jobs = [line for line in script.read_text().splitlines() if line.startswith("stage ")]
                self.assertRegex("\n".join(jobs), r"\Astage \d+ all ''\Z")

    def test_a_script_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        for path, saying in [(self.folder / "none" / "chain.sh", "chain.sh: cannot write: no such"),
                             (self.folder / "file" / "chain.sh", "chain.sh: cannot write: not a dir"),
                             (self.folder, "is a folder"), (f"{self.folder}/", "is a folder")]:
            with self.subTest(path):
                self.refuse("plan", *SCHEDULES[1][1], "--workers", 16, "--sbatch", path, saying=saying)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["file"])

    def test_bad_numbers_of_workers(self):
        for words, line in [(["--workers", "2", "--seconds-per-ghost", "-1"], "seconds-per-ghost: found -1"),
                            (["--workers", "2", "--latency", "1"], "seconds-per-ghost: is needed"),
                            (["--sbatch", "x"], "sbatch: needs --workers"), (["--workers", "-1"], "workers: found -1")]:
            with self.subTest(words):
                result = support.run("plan", *SCHEDULES[1][1], *words)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, rf"\Acrescendo: {line}.*\n\Z")

    def test_warns_of_a_batch_above_a_tenth_of_the_images(self):
        result = support.run("plan", *support.flags({"--batch": "256"}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex((result.stdout + result.stderr).lower(), "n/10|tenth|10 ?%")

    def test_writes_nothing(self):
        self.succeed("plan", *support.flags({"--run-dir": str(self.folder / "run")}))
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    support.main()
