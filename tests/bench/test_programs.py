#!/usr/bin/env python3
"""Runs a benchmark program on tiny cases. It must exit with 0 and print valid JSON, and reject bad input in one line.

Usage: test_programs.py BUILD_FOLDER kernel_bench|step_bench|loader_bench|sum_error|conv2d_ladder|compare
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path("build")  # set by main()
ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY_STEP = ["--model", "wrn-10-1", "--batch", "32", "--threads", "2", "--steps", "1"]
CONVOLUTIONS = 9  # in wrn-10-1


def multiply_adds(name):
    """Returns those of a convolution from its benchmark's name: conv2d_forward/n1_h17_w17_c128_k160_r1_s7_t1_p0x3."""
    sizes = dict(re.fullmatch("([a-z])(.*)", part).groups() for part in name.split("/")[1].split("_"))
    n, h, w, c, k, r, s, stride = (int(sizes[letter]) for letter in "nhwckrst")
    top, left = (int(size) for size in (sizes["p"].split("x") * 2)[:2])
    return n * ((h + 2 * top - r) // stride + 1) * ((w + 2 * left - s) // stride + 1) * k * r * s * c


class ProgramTest(unittest.TestCase):
    def run_program(self, name, *words):
        program = [sys.executable, ROOT / "bench/compare.py"] if name == "compare" else [BUILD / name]
        return subprocess.run([*program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=300)

    def output(self, name, *words):
        done = self.run_program(name, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def expect_help(self, name, option="--threads"):
        self.assertIn(option, self.output(name, "--help"))

    def expect_refusal(self, name, *words, says):
        done = self.run_program(name, *words)
        self.assertEqual(done.returncode, 2, words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual(done.stdout, "")


class KernelBench(ProgramTest):
    def benchmarks(self, *words):
        text = self.output("kernel_bench", "--benchmark_min_time=0.0001", "--benchmark_format=json", *words)
        return json.loads(text)["benchmarks"]

    def test_every_kernel_runs_on_the_cases(self):
        results = self.benchmarks("--layers", "cases", "--threads", "2")
        kernels = {result["name"].split("/")[0] for result in results}
        for kernel in "conv2d_backward_weight", "linear_forward", "ghost_batch_norm_backward", "adam", "dropout":
            self.assertIn(kernel, kernels)
        for result in results:
            self.assertGreater(result["real_time"], 0, result["name"])

    def test_layers_add_up_to_their_models(self):
        for model, convolutions, millions in ("wrn-16-4", 16, 392.6), ("resnet-50", 53, 4087), (
                "inception-resnet-v2", 244, 13155):
            results = self.benchmarks("--layers", model, "--batch", "1", "--benchmark_filter=^conv2d_forward/")
            self.assertEqual(sum(result["times_in_model"] for result in results), convolutions, model)
            total = sum(result["times_in_model"] * multiply_adds(result["name"]) for result in results)
            self.assertAlmostEqual(total / millions / 1e6, 1, places=3, msg=model)

    def test_peers(self):
        peers = self.output("kernel_bench", "--help").split("--peer TEXT:{")[1].split("}")[0].split(",")
        self.assertIn("eigen", peers)
        for peer in set(peers) - {"none"}:
            for result in self.benchmarks("--layers", "cases", "--peer", peer, "--benchmark_filter=^conv2d_.*_c1[67]_"):
                self.assertGreater(result["peer_seconds"], 0, (peer, result["name"]))
                self.assertGreater(result["ratio"], 0)

    def test_table_and_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = folder + "/out.json"
            text = self.output("kernel_bench", "--batch", "1", "--benchmark_min_time=0.0001", "--peer", "eigen",
                               "--benchmark_filter=^conv2d_.*h8_w8_c256", "--benchmark_out=" + file)
            self.assertEqual(len(json.loads(pathlib.Path(file).read_text())["benchmarks"]), 3)
        self.assertIn("of peak", text)
        self.assertIn("ratio", text)

    def test_bad_input(self):
        self.expect_help("kernel_bench")
        self.expect_refusal("kernel_bench", "--layers", "vgg", says="vgg")
        self.expect_refusal("kernel_bench", "--threads", "-1", says="--threads")
        self.expect_refusal("kernel_bench", "--device", "cuda:x", says="cpu, cuda or cuda:N")
        self.expect_refusal("kernel_bench", "--device", "cuda:99", says="cuda")  # no machine has so many
        self.expect_refusal("kernel_bench", "--precision", "bf16", says="--device cuda")
        self.expect_refusal("kernel_bench", "--device", "cuda", "--peer", "eigen", says="--peer eigen")
        self.expect_refusal("kernel_bench", "--nope", says="unknown option --nope")
        self.expect_refusal("kernel_bench", "--benchmark_nope=1", says="--benchmark_nope=1")
        self.expect_refusal("kernel_bench", "--benchmark_filter=nothing", says="nothing")


class StepBench(ProgramTest):
    def result(self, *words):
        return json.loads(self.output("step_bench", *TINY_STEP, "--ghost-batch", "16", "--json", *words))

    def test_training(self):
        result = self.result("--warmup", "0")
        self.assertEqual(result["mode"], "train")
        for key in "images_per_second", "peak_resident_bytes", "peak_allocator_bytes", "seconds_per_step":
            self.assertGreater(result[key], 0)

    def test_breakdown_counts_the_calls_and_the_multiply_adds(self):
        lines = self.result("--breakdown")["breakdown"]
        calls = collections.Counter()
        for line in lines:
            calls[line["kernel"]] += line["calls_per_step"]
        micro_batches = 2
        self.assertEqual(calls["conv2d_forward"] + calls["norm_conv2d_forward"], CONVOLUTIONS * micro_batches)
        self.assertEqual(calls["momentum"], 1)
        flops = sum(line["gflops"] * line["seconds_per_step"] * 1e9
                    for line in lines if line["kernel"].endswith(("conv2d_forward", "linear_forward")))
        inspected = json.loads(self.output("crescendo", "inspect", "--model", "wrn-10-1", "--json"))
        self.assertAlmostEqual(flops / (2 * 32 * inspected["multiply_adds"]), 1, places=6)

    def test_evaluation_needs_less_memory(self):
        result = self.result("--evaluate", "--breakdown")
        self.assertEqual(result["mode"], "evaluate")
        self.assertFalse([line for line in result["breakdown"] if "backward" in line["kernel"]])
        self.assertLess(result["peak_allocator_bytes"], self.result()["peak_allocator_bytes"])

    def test_text(self):
        text = self.output("step_bench", *TINY_STEP, "--ghost-batch", "32", "--breakdown")
        for words in "images/s", "MiB resident", "outside of kernels":
            self.assertIn(words, text)

    def test_bad_input(self):
        self.expect_help("step_bench")
        self.assertRegex(self.output("step_bench", *TINY_STEP, "--ghost-batch", "16", "--cost-model"),
                         r"^--seconds-per-ghost [\de.-]+ --seconds-per-update [\de.-]+ --spread [\de.-]+\n$")
        self.expect_refusal("step_bench", "--cost-model", says="two ghost batches or more")
        self.expect_refusal("step_bench", "--model", "vgg", says="unknown model")
        self.expect_refusal("step_bench", "--batch", "100", says="--ghost-batch 128")
        self.expect_refusal("step_bench", "--micro-batch", "3", "--ghost-batch", "2", says="--micro-batch 3")
        self.expect_refusal("step_bench", "--steps", "0", says="--steps")


class LoaderBench(ProgramTest):
    def test_rates(self):
        for threads in "0", "1", "2":
            text = self.output("loader_bench", "--threads", threads, "--images", "500", "--epochs", "2", "--json")
            result = json.loads(text)
            self.assertEqual(result["images"], 384)
            self.assertEqual(len(result["seconds"]), 2)
            self.assertGreater(result["images_per_second"], 0)
        self.assertIn("images/s", self.output("loader_bench", "--images", "128", "--augment", "none"))

    def test_bad_input(self):
        self.expect_help("loader_bench")
        self.expect_refusal("loader_bench", "--images", "100", says="100 images")
        self.expect_refusal("loader_bench", "--augment", "colour", says="colour")


class SumError(ProgramTest):
    def test_exact_sums_are_nearer(self):
        text = self.output("sum_error", "--model", "wrn-10-1", "--ghost-batch", "8", "--ghosts", "12")
        errors = {kind: float(value) for kind, value in re.findall(r"^(exact|float) +relative error (\S+),", text, re.M)}
        self.assertGreater(errors["exact"], 0)  # zero would mean that nothing was compared
        self.assertLess(errors["exact"], errors["float"])
        self.assertLess(errors["float"], 1e-6)

    def test_bad_input(self):
        self.expect_help("sum_error")
        self.expect_refusal("sum_error", "--ghosts", "0", says="--ghosts")
        self.expect_refusal("sum_error", "--model", "vgg-16", says="vgg-16")


class Conv2dLadder(ProgramTest):
    def expect_agreement(self, *words):
        versions = json.loads(self.output("conv2d_ladder", "--rounds", "1", "--json", *words))["versions"]
        self.assertEqual([version["name"][0] for version in versions], list("12345678"))
        for version in versions:
            self.assertTrue(version["agrees"], version)
            self.assertLessEqual(version["difference"], version["tolerance"], version)
            self.assertGreater(version["seconds_per_call"], 0)
        # Winograd's algorithm rounds differently: a difference of zero would mean that nothing was compared.
        for version in versions[5:]:
            self.assertGreater(version["difference"], 0, version)

    def test_versions_agree(self):
        self.expect_agreement("--batch", "2", "--size", "8")

    def test_versions_agree_where_tiles_overlap_and_blocks_are_cut(self):
        self.expect_agreement("--batch", "1", "--size", "20", "--channels", "128")

    def test_table(self):
        table = self.output("conv2d_ladder", "--batch", "1", "--size", "8", "--rounds", "1")
        for words in "1 loops", "8 library", "GFLOP/s", "of peak":
            self.assertIn(words, table)

    def test_bad_input(self):
        self.expect_help("conv2d_ladder", "--channels")
        self.expect_refusal("conv2d_ladder", "--channels", "65", says="--channels 65 is no multiple of 64")
        self.expect_refusal("conv2d_ladder", "--size", "30", says="--size 30 is no multiple of 4")
        self.expect_refusal("conv2d_ladder", "--batch", "0", says="--batch")
        self.expect_refusal("conv2d_ladder", "--channels", "4096", "--size", "1024", says="billion")
        self.expect_refusal("conv2d_ladder", "--speed", says="--speed")


class Compare(ProgramTest):
    def test_our_side_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            file = folder + "/out.json"
            text = self.output("compare", "--build", BUILD, "--only", "step", "memory", "--rounds", "2", "--out", file,
                               *TINY_STEP)
            result = json.loads(pathlib.Path(file).read_text())
        self.assertIn("| step: wrn-10-1, batch 32 | direct | ms |", text)
        self.assertEqual([row["section"] for row in result["rows"]], ["step", "memory"])
        self.assertEqual(len(result["samples"]), 8)  # two algorithms, two values, two rounds

    def test_the_best_variant_is_the_peer(self):
        sys.path.insert(0, str(ROOT / "bench"))
        import compare
        samples = [compare.Sample("step", "a", "crescendo", "auto", value) for value in (9, 10, 100)]
        samples += [compare.Sample("step", "a", "pytorch", "eager", value) for value in (1, 30, 40)]
        samples += [compare.Sample("step", "a", "pytorch", "compiled", value) for value in (20, 20, 25)]
        samples += [compare.Sample("loader", "b", "crescendo", "", 30), compare.Sample("loader", "b", "pytorch", "x", 20)]
        step, loader = compare.rows_of(samples)
        self.assertEqual((step["peer"], step["ratios"]), ("compiled", {"auto": 2.0}))
        self.assertEqual(loader["ratios"], {"": 1.5})

    def test_bad_input(self):
        self.expect_help("compare")
        self.expect_refusal("compare", "--build", BUILD, "--rounds", "0", says="--rounds 0")
        self.expect_refusal("compare", "--build", "nowhere", says="nowhere")
        self.expect_refusal("compare", "--build", BUILD, "--torch", "/nowhere/python", says="cannot import torch")
        self.expect_refusal("compare", "--build", BUILD, "--only", "nothing", says="nothing")


def main():
    global BUILD
    if len(sys.argv) != 3:
        sys.exit("usage: test_programs.py BUILD_FOLDER kernel_bench|step_bench|loader_bench|sum_error|conv2d_ladder|compare")
    BUILD = pathlib.Path(sys.argv[1])
    case = {"kernel_bench": KernelBench, "step_bench": StepBench, "loader_bench": LoaderBench,
            "sum_error": SumError,
            "conv2d_ladder": Conv2dLadder, "compare": Compare}[sys.argv[2]]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())


if __name__ == "__main__":
    main()
