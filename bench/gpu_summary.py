#!/usr/bin/env python3
"""Prints the results of bench/gpu_suite.sh beside their targets.

    bench/gpu_summary.py DIR

DIR contains the files that the stages wrote. Each line has one target: the value to reach, the value to aim at, the
measured value and its case. Ratios are PyTorch's time divided by ours, with two exceptions: `own` is cuDNN's time
divided by that of our own convolution, and `memory` is our memory divided by PyTorch's.
"""

import argparse
import json
import pathlib
import sys

# (row, must, aim): lower bounds of the measured value if must < aim, otherwise upper bounds.
TARGETS = [
    ("step", "WRN-16-4 bf16 training step at batch 128, against the best of PyTorch", 1.4, 2),
    ("large", "the same at batch 1,024 and more", 1.15, 1.3),
    ("cudnn", "ResNet-50-shaped convolutions through cuDNN, each", 0.98, 1.05),
    ("own", "own bf16 convolution on WRN's 3x3 layers, each, against cuDNN alone", 0.6, 1),
    ("train", "200 epochs of WRN-16-4, increased-momentum schedule, seconds", 100, 65),
    ("memory", "peak device memory, same micro-batch", 0.7, 0.55),
]
PRECISION_OF_DTYPE = {"bf16": "bf16", "f32": "tf32"}  # torch_step.py multiplies fp32 in TF32


def load(folder):
    """Returns (results of all stages, {stage: the rest of its file})."""
    results, heads = [], {}
    for file in sorted(folder.glob("*.json")):
        whole = json.loads(file.read_text())
        results += whole.pop("results")
        heads[whole["stage"]] = whole
    return results, heads


def chosen(results, **wanted):
    return [one for one in results if all(one.get(key) == value for key, value in wanted.items())]


# ---- Measured values: (value, case) for each row; None if there is none

def step_ratios(results):
    """Returns {batch: (ratio, text)} of bf16 steps, with the best variant of each side."""
    ratios = {}
    for batch in sorted({one["batch"] for one in chosen(results, program="step_bench", precision="bf16")}):
        ours = [one["seconds_per_step"] for one in chosen(results, program="step_bench", precision="bf16", batch=batch)]
        theirs = [one for one in chosen(results, program="torch_step", dtype="bf16", batch=batch)
                  if "seconds_per_step" in one]
        if not theirs:
            continue
        best = min(theirs, key=lambda one: one["seconds_per_step"])
        ratios[batch] = (best["seconds_per_step"] / min(ours),
                         f"batch {batch}: {min(ours) * 1e3:.3f} ms, PyTorch {best['seconds_per_step'] * 1e3:.3f} ms "
                         f"({best['layout']}, {best['compile']}; {len(theirs)} variants)")
    return ratios


def step(results):
    return step_ratios(results).get(128)


def large(results):
    ratios = [ratio for batch, ratio in step_ratios(results).items() if batch >= 1024]
    return min(ratios, default=None)


def convolution_ratios(ours, theirs):
    """Returns (ratio, name, precision) of the kernels that both sides have timed."""
    seconds = {(one["name"], one["precision"]): one["seconds"] for one in theirs}
    return [(seconds[key] / one["seconds"], *key) for one in ours
            if (key := (one["name"], one["precision"])) in seconds]


def worst(ratios):
    if not ratios:
        return None
    ratio, name, precision = min(ratios)
    median = sorted(ratios)[len(ratios) // 2][0]
    return ratio, f"{name}, {precision}; median {median:.2f} of {len(ratios)}"


def cudnn(results):
    ours = chosen(results, program="kernel_bench", model="resnet-50", convolution="auto")
    return worst(convolution_ratios(ours, chosen(results, program="torch", model="resnet-50")))


def own(results):
    wrn = chosen(results, program="kernel_bench", model="wrn-16-4", precision="bf16")
    return worst(convolution_ratios(chosen(wrn, convolution="own"), chosen(wrn, convolution="auto")))


def train(results):
    runs = [one for one in chosen(results, what="whole") if one["finished"]]
    return (runs[-1]["seconds"], f"accuracy {runs[-1]['accuracy']}") if runs else None


def memory(results):
    """Returns the worst ratio of the two processes' memory, as nvidia-smi saw it."""
    ratios = []
    for theirs in chosen(results, program="torch_step"):
        precision = PRECISION_OF_DTYPE.get(theirs.get("dtype"))
        for ours in chosen(results, program="step_bench", precision=precision, batch=theirs.get("batch")):
            if ours["micro_batch"] == theirs["batch"] and ours.get("device_bytes") and theirs.get("device_bytes"):
                ratios.append((ours["device_bytes"] / theirs["device_bytes"],
                               f"batch {ours['batch']}, {precision}: {ours['device_bytes'] / 2**20:.0f} MiB, "
                               f"PyTorch {theirs['device_bytes'] / 2**20:.0f} MiB"))
    return max(ratios, default=None)


MEASURED = {"step": step, "large": large, "cudnn": cudnn, "own": own, "train": train, "memory": memory}


# ---- The table

def verdict(value, must, aim):
    reached = (lambda bound: value >= bound) if must < aim else (lambda bound: value <= bound)
    return "aim" if reached(aim) else "must" if reached(must) else "MISSED"


def rows(results):
    for key, text, must, aim in TARGETS:
        found = MEASURED[key](results)
        if found is None:
            yield [text, must, aim, "not measured", "", ""]
        else:
            yield [text, must, aim, f"{found[0]:.3g}", verdict(found[0], must, aim), found[1]]


def table(results):
    lines = [["target", "must", "aim", "measured", "reached", "of what"], ["---"] * 6, *rows(results)]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def notes(heads):
    """Returns the machine, failures and omissions of each stage."""
    for stage, head in heads.items():
        yield f"{stage}: {head['gpu']}, driver {head['driver']}, commit {head['commit'][:12]}, {head['date']}"
        yield from (f"  failed: {text}" for text in head["failures"])
        yield from (f"  left out: {text}" for text in head["left_out"])


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"gpu_summary.py: {message}\n")


def main(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, metavar="DIR")
    folder = parser.parse_args(arguments).folder
    try:
        results, heads = load(folder)
    except (ValueError, KeyError) as error:
        parser.error(f"{folder}: a file is none of the suite's: {error}")
    if not heads:
        parser.error(f"{folder}: no results in it")
    print(table(results) + "\n\n" + "\n".join(notes(heads)))


if __name__ == "__main__":
    main(sys.argv[1:])
