#!/usr/bin/env python3
"""Tests bench/gpu_suite.sh without a GPU: bad input, its stages on the CPU with stand-ins, its summary.

Usage: test_gpu_suite.py BUILD_FOLDER
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import gpu_summary
from gpu import run, speed, stage, training, workers

BUILD = pathlib.Path("build")  # set by main()
TINY_TRAINING = ["--model", "wrn-10-1", "--data", "shapes", "--train-images", "256", "--epochs", "8", "--batch", "64",
                 "--ghost-batch", "32", "--milestones", "none", "--eval-every", "0", "--threads", "2"]
# Prints two variants and an error with --all, otherwise one variant.
PEER = """
import json, sys
variants = [("nchw", "eager", 0.5), ("nhwc", "default", 0.25)] if "--all" in sys.argv else [("nhwc", "eager", 0.4)]
for layout, how, seconds in variants:
    print(json.dumps({"batch": 128, "dtype": sys.argv[sys.argv.index("--dtype") + 1], "layout": layout, "compile": how,
                      "seconds_per_step": seconds, "peak_mb": 10}))
print(json.dumps({"variant": [True, "max-autotune"], "error": "none"}))
"""


class Suite(unittest.TestCase):
    def expect_refusal(self, *words, says):
        done = subprocess.run([ROOT / "bench/gpu_suite.sh", *words], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_bad_input(self):
        self.expect_refusal("everything", says="unknown 'everything'")
        self.expect_refusal("--fast", says="unknown '--fast'")
        self.expect_refusal("step", "--out", says="--out: a value is missing")
        self.expect_refusal("dependencies", says="which folder")
        self.expect_refusal("summary", "--out", "/nowhere", says="no results")

    def test_help(self):
        words = [ROOT / "bench/gpu_suite.sh", "--help"]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for name in run.STAGES:
            self.assertIn(f"  {name} ", text)

    def test_no_gpu_is_one_line(self):
        with mock.patch.object(subprocess, "run", side_effect=FileNotFoundError), self.assertRaises(stage.Unable):
            run.gpu_and_driver()


class Stages(unittest.TestCase):
    """Runs stages on the CPU and checks what they run, record and fail on."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)
        self.peer = self.out / "peer.py"
        self.peer.write_text(PEER)
        build = self.out / "build"  # has the programs; files written there are deleted with the test
        build.mkdir()
        for name in "crescendo", "kernel_bench", "step_bench":
            (build / name).symlink_to((BUILD / name).resolve())
        self.options = types.SimpleNamespace(build=build, out=self.out, torch=sys.executable, torch_step=self.peer,
                                             data_dir=self.out, stage="a", commit="c", command="d")
        self.stage = stage.Stage(self.options)
        for module in speed, training, workers:
            self.replace(module, "DEVICE", "cpu")
        self.replace(speed, "PRECISIONS", ["fp32"])

    def replace(self, module, name, value):
        patch = mock.patch.object(module, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def test_steps(self):
        self.replace(speed, "STEPS", {128: 1})
        self.replace(speed, "has_torch", lambda _: True)
        our_words, done = [], stage.Done

        def tiny(words, *rest, **options):
            if "step_bench" in str(words[0]):
                our_words.append(list(map(str, words)))
                words = [*words[:5], "--batch", "32", "--ghost-batch", "32", "--model", "wrn-10-1", "--steps", "1",
                         "--json"]
            return done(words, *rest, **options)
        self.replace(stage, "Done", tiny)
        speed.stage_step(self.stage)
        self.assertEqual(self.stage.failures, [])
        programs = [one["program"] for one in self.stage.results]
        self.assertEqual(programs.count("step_bench"), 1)
        self.assertEqual(programs.count("torch_step"), 2 + 2 * 3)
        self.assertIn("--micro-batch", our_words[0])
        alone = [one for one in self.stage.results if "device_bytes" in one and one["program"] == "torch_step"]
        self.assertEqual({one.get("compile") for one in alone}, {"eager", None})

    def test_kernels(self):
        self.replace(speed, "KERNEL_BATCH", 1)
        self.replace(speed, "KERNEL_SECONDS", 0.0001)
        geometries = speed.our_kernels(self.stage, "wrn-16-4", "fp32", "auto", "^(conv|sgd).*(_h8_|n[0-9]*$)")
        self.assertEqual(geometries, ["n1_h8_w8_c256_k256_r3_s3_t1_p1"])
        self.assertEqual(len(self.stage.results), 4)
        for one in self.stage.results:
            self.assertEqual((one["model"], one["precision"], one["convolution"]), ("wrn-16-4", "fp32", "auto"))
            self.assertGreater(one["seconds"], 0)
            self.assertLess(one["seconds"], 1)
        self.assertIn("auto", speed.convolutions_of(self.stage))

    def test_training(self):
        self.replace(training, "TRAINING", TINY_TRAINING)
        self.replace(training, "LONG_RUN", [])
        self.replace(training, "SHORT_UPDATES", 16)
        training.stage_train(self.stage)
        self.assertEqual(self.stage.failures, [])
        first, again, resumed, whole = self.stage.results
        self.assertTrue(again["equal"] and resumed["equal"])
        self.assertRegex(first["digest"], "[0-9a-f]{32}")
        self.assertEqual((first["epochs"], whole["epochs"], whole["finished"]), (4, 8, True))
        self.assertGreater(whole["accuracy"], 0)

    def test_workers(self):
        self.replace(workers, "TRAINING", TINY_TRAINING)
        self.replace(workers, "count_gpus", lambda: 1)
        workers.stage_workers(self.stage)
        self.assertEqual(self.stage.failures, [])
        if self.stage.left_out:  # built without MPI
            return
        one, two = self.stage.results
        self.assertEqual((one["workers"], two["workers"], two["equal"]), (1, 2, True))
        self.assertGreater(two["images_per_second"], 0)
        self.assertGreaterEqual(two["exchange_seconds"], 0)

    def test_training_that_differs_or_does_not_end(self):
        self.replace(training, "TRAINING", [*TINY_TRAINING, "--epochs", "100000"])
        self.replace(training, "LONG_RUN", [])
        digests = iter(["a", "b", ""])
        self.replace(training.Runs, "short", lambda _, what, *rest: {"what": what, "digest": next(digests)})
        self.replace(training.Runs, "kill", lambda *_: None)
        self.replace(training, "TO_STOP", 1e9)
        training.stage_train(self.stage)
        self.assertEqual(len(self.stage.failures), 2)
        self.assertFalse(self.stage.results[-1]["finished"])

    def test_training_needs_data(self):
        self.options.data_dir = None
        with self.assertRaises(stage.Unable):
            training.stage_train(self.stage)

    def test_what_has_no_time_and_what_fails(self):
        endless = ["sh", "-c", "echo '{\"a\": 1}'; sleep 60 & sleep 60"]
        self.replace(stage, "STAGE_SECONDS", 2)
        self.assertEqual(stage.json_lines(self.stage.output("endless", endless)), [{"a": 1}])
        self.assertEqual(self.stage.left_out, ["endless: not finished"])
        self.assertGreater(self.stage.left(), -20, "what the program has started was ended too")
        self.assertFalse(self.stage.has_time("more", 1))
        self.assertEqual(self.stage.left_out[-1], "more")
        self.stage.output("peer", ["false"], peer=True)
        self.assertEqual(self.stage.failures, [])
        self.stage.output("ours", ["false"])
        self.assertEqual(self.stage.failures, ["ours: exit code 1"])

    def test_report_is_json_that_the_summary_reads(self):
        self.stage.results = [{"a": 1}, {"b": 2}]
        run.write(self.out / "a.json", run.report(self.stage, "G", "1"))
        results, heads = gpu_summary.load(self.out)
        self.assertEqual(results, [{"a": 1}, {"b": 2}])
        self.assertEqual((heads["a"]["gpu"], heads["a"]["commit"], heads["a"]["command"]), ("G", "c", "d"))
        self.stage.results = []
        run.write(self.out / "a.json", run.report(self.stage, "G", "1"))
        self.assertEqual(gpu_summary.load(self.out)[0], [])


def ours(batch, seconds, memory=None, precision="bf16"):
    return {"program": "step_bench", "precision": precision, "batch": batch, "micro_batch": batch,
            "seconds_per_step": seconds, "device_bytes": memory}


def theirs(batch, seconds, memory=None, dtype="bf16"):
    return {"program": "torch_step", "dtype": dtype, "batch": batch, "seconds_per_step": seconds, "layout": "nhwc",
            "compile": "eager", "device_bytes": memory}


def kernel(name, seconds, convolution=None, model="wrn-16-4"):
    program = {"program": "kernel_bench", "convolution": convolution} if convolution else {"program": "torch"}
    return {**program, "model": model, "precision": "bf16", "name": name, "seconds": seconds}


class Summary(unittest.TestCase):
    def lines(self, results):
        return {row[0]: row[3:5] for row in gpu_summary.rows(results)}

    def measured(self, results):
        texts = {key: text for key, text, *_ in gpu_summary.TARGETS}
        lines = self.lines(results)
        return {key: tuple(lines[text]) for key, text in texts.items()}

    def test_nothing_measured(self):
        for line in self.lines([]).values():
            self.assertEqual(line, ["not measured", ""])

    def test_steps_take_the_best_of_each_side_and_the_worst_batch(self):
        results = [ours(128, 1), ours(128, 2), theirs(128, 3), theirs(128, 1.5),
                   {"variant": 1, "program": "torch_step"},
                   ours(1024, 1), theirs(1024, 2), ours(4096, 1), theirs(4096, 1.6), ours(8192, 1),
                   ours(128, 0.1, precision="tf32"), theirs(128, 0.1, dtype="f32")]
        self.assertEqual(self.measured(results)["step"], ("1.5", "must"))
        self.assertEqual(self.measured(results)["large"], ("1.6", "aim"))

    def test_convolutions_tell_the_worst(self):
        results = [kernel("a", 1, "auto", "resnet-50"), kernel("a", 2, model="resnet-50"),
                   kernel("b", 1, "auto", "resnet-50"), kernel("b", 0.9, model="resnet-50"),
                   kernel("c", 1, "auto", "resnet-50"),
                   kernel("d", 1, "auto"), kernel("d", 2, "own"), kernel("e", 3, "auto"), kernel("e", 4, "own")]
        self.assertEqual(self.measured(results)["cudnn"], ("0.9", "MISSED"))
        self.assertEqual(self.measured(results)["own"], ("0.5", "MISSED"))

    def test_less_is_better_of_seconds_and_memory(self):
        run_of = {"what": "whole", "finished": True, "accuracy": 0.9}
        self.assertEqual(self.measured([{**run_of, "seconds": 80}])["train"], ("80", "must"))
        self.assertEqual(self.measured([{**run_of, "seconds": 60}])["train"], ("60", "aim"))
        self.assertEqual(self.measured([{**run_of, "seconds": 101}])["train"][1], "MISSED")
        self.assertEqual(self.measured([{**run_of, "seconds": 60, "finished": False}])["train"][0], "not measured")
        memory = [ours(128, 1, 50), theirs(128, 1, 100), ours(1024, 1, 60), theirs(1024, 1, 100),
                  theirs(128, 1), ours(128, 1, 90, "fp32"), theirs(256, 1, 1),
                  {**ours(128, 1, 95), "micro_batch": 64}]
        self.assertEqual(self.measured(memory)["memory"], ("0.6", "must"))

    def test_program(self):
        with tempfile.TemporaryDirectory() as folder:
            head = {"gpu": "G", "driver": "1", "commit": "abc", "date": "today", "failures": ["x"], "left_out": ["y"]}
            pathlib.Path(folder, "step.json").write_text(
                json.dumps({"stage": "step", **head, "results": [ours(128, 1), theirs(128, 2.5)]}))
            words = [sys.executable, ROOT / "bench/gpu_summary.py", folder]
            text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        self.assertIn("| 2.5 | aim | batch 128: 1000.000 ms, PyTorch 2500.000 ms (nhwc, eager; 1 variants) |", text)
        self.assertIn("step: G, driver 1, commit abc, today\n  failed: x\n  left out: y\n", text)


def main():
    global BUILD
    if len(sys.argv) != 2:
        sys.exit("usage: test_gpu_suite.py BUILD_FOLDER")
    BUILD = pathlib.Path(sys.argv.pop())
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
