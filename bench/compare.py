#!/usr/bin/env python3
"""Measures Crescendo and PyTorch in turn, round after round, and prints the ratio of the medians.

    bench/compare.py --torch PYTHON [--only step evaluate ...] [--rounds N] [--threads N] [--out FILE]

PYTHON is an interpreter that has torch. Without --torch only Crescendo is measured. PyTorch runs in every applicable
variant (NCHW and channels last, eager and compiled), each in a process of its own; the fastest is the peer. A ratio
above 1 means that Crescendo is that many times faster, or takes that many times less memory.

step         a training step: forward, loss, backward, Nesterov momentum
evaluate     the forward pass on the same images
memory       peak resident memory of the training step's process
convolutions each convolution of WRN-16-4 and ResNet-50, batch 32, in its three passes
start        time from the program's start to the first update
loader       images per second, shuffled, flipped, cropped, normalised, by one thread
pictures     images per second from files (--picture-dir): decoded, cropped to 224 x 224, by the calling thread
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
SECTIONS = ["step", "evaluate", "memory", "convolutions", "start", "loader", "pictures"]
UNITS = {"step": "ms", "evaluate": "ms", "memory": "MiB", "convolutions": "ms", "start": "ms", "loader": "images/s",
         "pictures": "images/s"}
HIGHER_IS_BETTER = {"loader", "pictures"}
CONVOLUTION_MODELS = ["wrn-16-4", "resnet-50"]
OURS, PEER = "crescendo", "pytorch"

# One value of one side in one round.
Sample = collections.namedtuple("Sample", "section row side variant value")


class Failure(Exception):
    """A program failed; the text is one line."""


def run(words):
    """Runs a program and returns (its standard output, seconds until it ended)."""
    words = [str(word) for word in words]
    start = time.perf_counter()
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Failure(f"{' '.join(words)}: exit code {done.returncode}: {last}")
    return done.stdout, time.perf_counter() - start


def run_json(words):
    return json.loads(run(words)[0])


# ---- Running programs. A runner runs one program once and returns its samples.

class Runners:
    def __init__(self, options):
        self.options = options
        self.geometries = {}  # model -> {geometry: count}, from kernel_bench

    def program(self, name, *words):
        return [self.options.build / name, *words]

    def peer(self, script, *words):
        return [self.options.torch, FOLDER / "peers" / script, *words]

    def step_words(self):
        o = self.options
        return ["--model", o.model, "--batch", o.batch, "--threads", o.threads, "--steps", o.steps]

    def step_samples(self, row, side, variant, evaluate, result):
        section = "evaluate" if evaluate else "step"
        yield Sample(section, row, side, variant, result["seconds_per_step"] * 1e3)
        if not evaluate:
            yield Sample("memory", row, side, variant, result["peak_resident_bytes"] / 2**20)

    def our_step(self, convolution, evaluate):
        words = [*self.step_words(), "--ghost-batch", self.options.batch, "--convolution", convolution, "--json"]
        result = run_json(self.program("step_bench", *words, *(["--evaluate"] if evaluate else [])))
        return self.step_samples(self.step_row(), OURS, convolution, evaluate, result)

    def peer_step(self, layout, compiled, evaluate):
        flags = (["--compile"] if compiled else []) + (["--evaluate"] if evaluate else [])
        result = run_json(self.peer("torch_step.py", *self.step_words(), "--layout", layout, *flags))
        variant = f"{layout}, {'compiled' if compiled else 'eager'}"
        return self.step_samples(self.step_row(), PEER, variant, evaluate, result)

    def step_row(self):
        return f"{self.options.model}, batch {self.options.batch}"

    def our_start(self):
        source = ["cifar10", "--data-dir", self.options.data_dir] if self.options.data_dir else ["shapes"]
        with tempfile.TemporaryDirectory() as folder:
            words = ["train", "--model", self.options.model, "--batch", self.options.batch, "--ghost-batch",
                     self.options.batch, "--threads", self.options.threads, "--epochs", 1, "--milestones", "none",
                     "--max-updates", 0, "--quiet", "--run-dir", folder + "/run", "--data", *source]
            seconds = run(self.program("crescendo", *words))[1]
        return [Sample("start", f"{self.options.model} on {source[0]}", OURS, "train", seconds * 1e3)]

    def peer_start(self):
        """PyTorch's side reads no files; reading them would take longer."""
        seconds = run(self.peer("torch_step.py", "--model", self.options.model, "--batch", self.options.batch,
                                "--threads", self.options.threads, "--steps", 0, "--warmup", 0))[1]
        row = f"{self.options.model} on {'cifar10' if self.options.data_dir else 'shapes'}"
        return [Sample("start", row, PEER, "eager", seconds * 1e3)]

    def our_loader(self):
        rate = run_json(self.program("loader_bench", "--threads", 1, "--json"))["images_per_second"]
        return [Sample("loader", "CIFAR, one thread", OURS, "one worker", rate)]

    def peer_loader(self, variant):
        rate = run_json(self.peer("torch_loader.py", "--threads", 1, "--variant", variant))["images_per_second"]
        return [Sample("loader", "CIFAR, one thread", PEER, variant, rate)]

    def our_pictures(self):
        words = ["--threads", 0, "--data", "image-folder", "--data-dir", self.options.picture_dir, "--batch", 64, "--json"]
        rate = run_json(self.program("loader_bench", *words))["images_per_second"]
        return [Sample("pictures", "files, one thread", OURS, "goyal", rate)]

    def peer_pictures(self):
        words = ["--threads", 0, "--data-dir", self.options.picture_dir, "--batch", 64]
        rate = run_json(self.peer("torchvision_pipeline.py", *words))["images_per_second"]
        return [Sample("pictures", "files, one thread", PEER, "torchvision, PIL", rate)]

    # ---- Convolutions

    def convolution_words(self, model):
        return ["--layers", model, "--threads", self.options.threads, "--benchmark_filter=^conv2d_"]

    def counts(self, model):
        """Returns {geometry: occurrences in the model}. Crescendo's side must have run."""
        return self.geometries[model]

    def convolution_samples(self, model, side, variant, seconds):
        sums = collections.Counter()
        for name, value in seconds.items():
            kernel, geometry = name.split("/")
            yield Sample("convolutions", f"{model} {name}", side, variant, value * 1e3)
            sums[kernel] += self.counts(model)[geometry] * value * 1e3
        for kernel, value in sums.items():
            count = sum(self.counts(model).values())
            yield Sample("convolutions", f"{model} {kernel}, all {count}", side, variant, value)

    def our_convolutions(self, model):
        words = [*self.convolution_words(model), "--benchmark_min_time=0.2", "--benchmark_format=json"]
        results = run_json(self.program("kernel_bench", *words))["benchmarks"]
        self.geometries[model] = {r["name"].split("/")[1]: int(r["times_in_model"]) for r in results}
        seconds = {r["name"]: r["real_time"] / 1e6 for r in results}  # from microseconds
        return self.convolution_samples(model, OURS, "auto", seconds)

    def peer_convolutions(self, model, layout):
        words = ["--threads", self.options.threads, "--layout", layout, *self.counts(model)]
        return self.convolution_samples(model, PEER, layout, run_json(self.peer("torch_conv.py", *words))["seconds"])

    def of(self, section):
        """Yields (side, runner) of a section, in the order in which they take turns."""
        if section in ("step", "evaluate"):
            evaluate = section == "evaluate"
            for convolution, layout in ("auto", "nchw"), ("direct", "channels_last"):
                yield OURS, lambda c=convolution: self.our_step(c, evaluate)
                for compiled in False, True:
                    yield PEER, lambda l=layout, c=compiled: self.peer_step(l, c, evaluate)
        elif section == "convolutions":
            for model in CONVOLUTION_MODELS:
                yield OURS, lambda m=model: self.our_convolutions(m)
                for layout in "nchw", "channels_last":
                    yield PEER, lambda m=model, l=layout: self.peer_convolutions(m, l)
        elif section == "start":
            yield OURS, self.our_start
            yield PEER, self.peer_start
        elif section == "loader":
            yield OURS, self.our_loader
            for variant in "tensors", "workers":
                yield PEER, lambda v=variant: self.peer_loader(v)
        elif section == "pictures" and self.options.picture_dir:
            yield OURS, self.our_pictures
            yield PEER, self.peer_pictures


def measure(options):
    """Returns all samples. A variant of PyTorch that fails is reported and left out; our own programs must work."""
    runners = Runners(options)
    sections = ["step" if section == "memory" else section for section in options.only]
    samples = []
    for section in dict.fromkeys(sections):  # without duplicates, in order
        for number in range(1, options.rounds + 1):
            print(f"{section}: round {number} of {options.rounds}", file=sys.stderr)
            for side, runner in runners.of(section):
                if side == PEER and not options.torch:
                    continue
                try:
                    samples += runner()
                except Failure as failure:
                    if side == OURS:
                        raise
                    print(f"compare.py: left out: {failure}", file=sys.stderr)
    return [sample for sample in samples if sample.section in options.only]


# ---- Results

def medians(samples, side):
    """Returns {variant: median}, in order of appearance."""
    values = collections.defaultdict(list)
    for sample in samples:
        if sample.side == side:
            values[sample.variant].append(sample.value)
    return {variant: statistics.median(all_values) for variant, all_values in values.items()}


def rows_of(samples):
    """Returns one entry per row of the table: section, row, unit, medians of both sides, the peer, ratios."""
    groups = collections.defaultdict(list)
    for sample in samples:
        groups[sample.section, sample.row].append(sample)
    rows = []
    for (section, row), group in groups.items():
        ours, theirs = medians(group, OURS), medians(group, PEER)
        better = max if section in HIGHER_IS_BETTER else min
        peer = better(theirs, key=theirs.get) if theirs else None
        ratios = {}
        for variant, value in ours.items() if peer else ():
            ratios[variant] = value / theirs[peer] if section in HIGHER_IS_BETTER else theirs[peer] / value
        rows.append({"section": section, "row": row, "unit": UNITS[section], OURS: ours, PEER: theirs, "peer": peer,
                     "ratios": ratios})
    return rows


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def table(rows):
    """Returns the rows in Markdown, one line for each variant of Crescendo."""
    lines = ["| what | ours | unit | Crescendo | PyTorch, its best | which | ratio |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        for variant, value in row[OURS].items():
            peer = row["peer"]
            cells = [f"{row['section']}: {row['row']}", variant, row["unit"], number(value),
                     number(row[PEER][peer]) if peer else "", peer or "",
                     f"{row['ratios'][variant]:.2f}" if peer else ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def report(options, torch_version, rows, samples):
    """Returns the contents of --out: all that is needed to read the table later."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "threads": options.threads, "rounds": options.rounds, "steps": options.steps,
        "crescendo": run([options.build / "crescendo", "--version"])[0].strip().splitlines(),
        "torch": torch_version,
        "rows": rows,
        "samples": [sample._asdict() for sample in samples],
    }


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"compare.py: {message} (see --help)\n")


def parse(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="PYTHON",
                        help="Python interpreter that has torch; default: measure Crescendo only")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION",
                        help="sections to measure (all): " + ", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds; both sides run once per round (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of each side (%(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="timed steps per run of step and evaluate (%(default)s)")
    parser.add_argument("--model", default="wrn-16-4", help="model of step, evaluate, memory, start (%(default)s)")
    parser.add_argument("--batch", type=int, default=128, help="batch of step, evaluate, memory, start (%(default)s)")
    parser.add_argument("--data-dir", metavar="DIR",
                        help="folder of CIFAR-10's files, for start; default: built-in shapes")
    parser.add_argument("--picture-dir", metavar="DIR",
                        help="folder with train/CLASS/*, for pictures; default: leave pictures out")
    parser.add_argument("--build", type=pathlib.Path, default=FOLDER.parent / "build", metavar="DIR",
                        help="folder of our programs (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE",
                        help="write all samples and the table to FILE, as JSON")
    options = parser.parse_args(arguments)
    for name in "rounds", "threads", "steps", "batch":
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)}: expected at least 1")
    for program in "crescendo", "kernel_bench", "step_bench", "loader_bench":
        if not (options.build / program).is_file():
            parser.error(f"--build {options.build}: there is no {program} in it")
    if options.out and not options.out.resolve().parent.is_dir():
        parser.error(f"--out {options.out}: its folder does not exist")
    return parser, options


def main(arguments):
    parser, options = parse(arguments)
    torch_version = None
    try:
        if options.torch:
            torch_version = run([options.torch, "-c", "import torch; print(torch.__version__)"])[0].strip()
    except Failure as failure:
        parser.error(f"--torch {options.torch}: cannot import torch there: {failure}")
    try:
        samples = measure(options)
        rows = rows_of(samples)
        print(f"{processor()}, {options.threads} threads, medians of {options.rounds} rounds"
              + (f", PyTorch {torch_version}" if torch_version else "") + "\n\n" + table(rows))
        if options.out:
            options.out.write_text(json.dumps(report(options, torch_version, rows, samples), indent=1) + "\n")
    except Failure as failure:
        print(f"compare.py: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
