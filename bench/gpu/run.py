#!/usr/bin/env python3
"""Runs one stage of bench/gpu_suite.sh and writes OUT/STAGE.json: the results, the machine and the commit.

    bench/gpu/run.py STAGE --out DIR [--dependencies DIR] [--torch PYTHON] [--torch-step FILE] [--data-dir DIR]

A stage ends by itself within eight minutes. Whatever it had no time for is listed under "left_out". The exit code
is 1 if something failed, and 2 if the stage could not begin.
"""

import argparse
import datetime
import json
import pathlib
import shlex
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from gpu.checks import stage_build, stage_sanitize, stage_test
from gpu.speed import stage_kernels, stage_step, stage_step_large
from gpu.stage import ROOT, Stage, Unable
from gpu.training import stage_train
from gpu.workers import stage_workers

STAGES = {"build": stage_build, "test": stage_test, "sanitize": stage_sanitize, "kernels": stage_kernels,
          "step": stage_step, "step-large": stage_step_large, "workers": stage_workers, "train": stage_train}


def gpu_and_driver():
    """Returns (name, driver) of the first GPU. Raises Unable if there is none."""
    words = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        name, driver = text.splitlines()[0].split(", ")
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        raise Unable("no GPU: nvidia-smi finds none") from None
    return name, driver


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def report(stage, name, driver):
    options = stage.options
    return {"stage": options.stage, "commit": options.commit or commit(), "gpu": name, "driver": driver,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": options.command, "seconds": time.monotonic() - stage.start, "failures": stage.failures,
            "left_out": stage.left_out, "results": stage.results}


def write(file, whole):
    """Writes one result per line, so that files can be compared."""
    head = json.dumps({key: value for key, value in whole.items() if key != "results"}, indent=1)
    lines = ",\n".join("  " + json.dumps(result) for result in whole["results"])
    file.write_text(f'{head[:-2]},\n "results": [\n{lines}\n ]\n}}\n')


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"run.py: {message}\n")


def parse(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gpu", metavar="DIR")
    parser.add_argument("--dependencies", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--torch", default="python3", metavar="PYTHON")
    parser.add_argument("--torch-step", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--data-dir", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--commit", help="commit to record, if the sources are not a git repository")
    options = parser.parse_args(arguments)
    options.command = shlex.join(["bench/gpu/run.py", *arguments])
    return parser, options


def main(arguments):
    parser, options = parse(arguments)
    try:
        name, driver = gpu_and_driver() if options.stage != "build" else ("none needed", "")
        options.out.mkdir(parents=True, exist_ok=True)
        stage = Stage(options)
        STAGES[options.stage](stage)
    except (Unable, OSError) as error:
        parser.error(str(error))
    write(options.out / f"{options.stage}.json", report(stage, name, driver))
    return 1 if stage.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
