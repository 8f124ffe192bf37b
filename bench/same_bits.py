#!/usr/bin/env python3
"""Compares two builds of the program bit by bit, on a list of small runs.

    bench/same_bits.py OLD NEW [--only NAME ...]

OLD and NEW are two `crescendo` programs, each beside the modules of its own build. Both train every run for a few
updates. The script compares the digests of the last checkpoints and all losses in metrics.jsonl; for some runs also
what evaluate and predict print and the bytes that export writes. It prints one line per run and ends with 1 if any run
differs. --only picks the runs whose names begin with NAME.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/smoke"))
import picture_files

# Flags of a small run; the other runs change some of them. It stops before the evaluation after the last epoch.
SMALL = {"--model": "wrn-10-1", "--data": "shapes", "--train-images": "256", "--epochs": "3", "--milestones": "1,2",
         "--factor": "2", "--batch": "32", "--ghost-batch": "16", "--learning-rate": "0.05", "--eval-every": "0",
         "--max-updates": "13", "--threads": "1", "--seed": "7"}
GROWING = {"--exchange": "batch", "--max-batch": "128"}
RESNET = {"--train-images": "64", "--batch": "16", "--ghost-batch": "8", "--max-updates": "2"}
PICTURES = {"--data": "image-folder", "--data-dir": "PICTURES", "--train-images": "all", "--batch": "8",
            "--ghost-batch": "4", "--max-updates": "4"}
INCEPTION = {**PICTURES, "--model": "inception-resnet-v2", "--image-size": "80", "--batch": "4", "--ghost-batch": "2",
             "--max-updates": "1"}
OUTPUTS = ("evaluate", "predict", "safetensors", "onnx")

# `outputs` lists what else is compared. `needs` is a feature of the processor, as /proc/cpuinfo spells it.
Run = collections.namedtuple("Run", ["name", "flags", "outputs", "needs"], defaults=[(), None])

RUNS = [
    Run("wrn-10-1", {"--max-updates": "all"}, OUTPUTS),
    Run("wrn-16-1", {"--model": "wrn-16-1"}, ("predict", "safetensors", "onnx")),
    Run("wrn-10-2", {"--model": "wrn-10-2", "--max-updates": "4"}),
    Run("resnet-18", {**RESNET, "--model": "resnet-18"}, ("predict", "safetensors", "onnx")),
    Run("resnet-18-zero-gamma", {**RESNET, "--model": "resnet-18", "--zero-gamma": "on"}),
    Run("resnet-50", {**RESNET, "--model": "resnet-50", "--max-updates": "1"}, ("predict", "onnx")),
    Run("resnet-50-pictures", {**PICTURES, "--model": "resnet-50", "--image-size": "65", "--max-updates": "2"}),
    Run("inception", INCEPTION, ("evaluate", "safetensors", "onnx")),
    Run("inception-no-norm-scale", {**INCEPTION, "--norm-scale": "off", "--threads": "2"}),
    Run("inception-auxiliary", {**INCEPTION, "--auxiliary-weight": "0.4", "--image-size": "299", "--batch": "2",
                                "--max-updates": "1"}),
    *(Run(f"pictures-{augment}", {**PICTURES, "--augment": augment, "--image-size": "24"}, ("evaluate", "predict"))
      for augment in ("goyal", "inception")),
    Run("augment-none", {"--augment": "none"}),
    *(Run(f"optimizer-{optimizer}", {"--optimizer": optimizer, **({"--learning-rate": "0.002"} if optimizer == "adam"
                                                                  else {})})
      for optimizer in ("sgd", "momentum", "nesterov", "adam")),
    *(Run(f"exchange-{exchange}-{rule}", {"--exchange": exchange, "--exchange-rule": rule, "--max-batch": "128"})
      for exchange in ("hybrid", "batch") for rule in ("linear", "sqrt")),
    Run("exchange-adam", {**GROWING, "--exchange-rule": "sqrt", "--optimizer": "adam", "--learning-rate": "0.002"}),
    *(Run(f"schedule-{schedule}", {"--schedule": schedule, "--milestones": None, "--warmup-epochs": "0.5"})
      for schedule in ("cosine", "linear", "constant")),
    Run("schedule-cosine-batch", {**GROWING, "--schedule": "cosine", "--milestones": None}),
    Run("epoch-edge-drop", {**GROWING, "--train-images": "250", "--epoch-edge": "drop"}),
    Run("epoch-edge-straddle", {**GROWING, "--train-images": "250"}),
    Run("noise-scale", {**GROWING, "--noise-scale": "on"}),
    Run("noise-scale-adam", {"--noise-scale": "on", "--optimizer": "adam", "--learning-rate": "0.002"}),
    *(Run(f"running-statistics-{mode}", {**GROWING, "--running-statistics": mode, "--max-updates": "all"}, ("evaluate",))
      for mode in ("sequential", "mean")),
    Run("label-smoothing", {"--label-smoothing": "0.1"}),
    Run("no-decay-norm", {"--no-decay-norm": "true"}),
    Run("shuffle-off", {"--shuffle": "off"}),
    *(Run(f"convolution-{algorithm}", {"--model": "wrn-10-2", "--max-updates": "4", "--convolution": algorithm},
          ("predict",)) for algorithm in ("winograd", "direct")),
    *(Run(f"instruction-set-{name}", {"--model": "wrn-10-2", "--max-updates": "4", "--instruction-set": name},
          ("predict",), feature) for name, feature in (("avx512", "avx512bw"), ("avx2", "avx2"), ("generic", None))),
    Run("threads-2", {**GROWING, "--threads": "2"}),
    *(Run(f"loader-threads-{threads}", {"--loader-threads": threads}) for threads in ("0", "3")),
    *(Run(f"micro-batch-{size}", {**GROWING, "--batch": "64", "--micro-batch": size}) for size in ("16", "32", "64")),
    Run("micro-batch-resnet", {**RESNET, "--model": "resnet-18", "--micro-batch": "8", "--convolution": "winograd"}),
]


class Failure(Exception):
    """A program ended with another code than 0."""


def crescendo(program, *words):
    command = [str(word) for word in (program, *words)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def losses(run_dir):
    """Returns every loss, accuracy and noise scale of the run, line by line."""
    names = "loss", "accuracy", "noise_scale", "measured_noise_scale"
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [[line.get(name) for name in names] for line in lines if "loss" in line]


def words_of(flags, pictures):
    """Returns the command line. A flag whose value is "true" takes none there."""
    words = []
    for flag, value in flags.items():
        if value is not None:
            words += [flag] if value == "true" else [flag, str(pictures) if value == "PICTURES" else value]
    return words


def output(program, kind, run_dir, picture):
    """Returns what `kind`, one of OUTPUTS, makes of the run."""
    if kind == "evaluate":
        result = json.loads(crescendo(program, "evaluate", run_dir, "--threads", 1, "--json"))
        return [result[name] for name in ("accuracy", "loss", "correct", "total")]
    if kind == "predict":
        return json.loads(crescendo(program, "predict", run_dir, picture, "--top", 10, "--threads", 1, "--json"))[0]["classes"]
    file = run_dir / f"model.{kind}"
    crescendo(program, "export", run_dir, "-o", file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def results(program, run, folder, pictures):
    """Trains the run; returns all that both builds must agree on, by name."""
    run_dir = folder / "run"
    crescendo(program, "train", *words_of({**SMALL, **run.flags}, pictures), "--run-dir", run_dir, "--quiet")
    found = {"digest": crescendo(program, "inspect", run_dir, "--digest").split()[-1], "losses": losses(run_dir)}
    if not found["losses"]:
        raise Failure(f"{run.name}: no loss in metrics.jsonl")
    picture = pictures / "val" / "red" / "red_00.png"
    found.update({kind: output(program, kind, run_dir, picture) for kind in run.outputs})
    return found


def compare(run, options, pictures):
    """Returns the line to print, and True if both builds agree."""
    try:
        with tempfile.TemporaryDirectory() as old, tempfile.TemporaryDirectory() as new:
            before = results(options.old, run, pathlib.Path(old), pictures)
            after = results(options.new, run, pathlib.Path(new), pictures)
    except Failure as failure:
        return f"FAILED     {run.name}: {failure}", False
    different = [name for name in before if before[name] != after[name]]
    if different:
        return f"DIFFERENT  {run.name}: {', '.join(different)}", False
    return f"equal      {run.name}: {before['digest']}, last loss {before['losses'][-1][0]}", True


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"same_bits.py: {message} (see --help)\n")


def parse(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD", type=pathlib.Path, help="the program to compare with")
    parser.add_argument("new", metavar="NEW", type=pathlib.Path, help="the program under test")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help="runs whose names begin with NAME")
    options = parser.parse_args(arguments)
    for program in options.old, options.new:
        if not (program.is_file() and os.access(program, os.X_OK)):
            parser.error(f"{program}: there is no such program")
    features = pathlib.Path("/proc/cpuinfo").read_text().split()
    possible = [run for run in RUNS if not run.needs or run.needs in features]
    for name in options.only:
        if not any(run.name.startswith(name) for run in possible):
            parser.error(f"--only {name}: no run has such a name, only {', '.join(run.name for run in possible)}")
    options.runs = [run for run in possible if run.name.startswith(tuple(options.only))]
    return options


def main(arguments):
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        pictures = picture_files.make(pathlib.Path(folder) / "pictures", train=4, val=2)
        agree = True
        for line, same in executor.map(lambda run: compare(run, options, pictures), options.runs):
            print(line, flush=True)
            agree = agree and same
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
