#!/usr/bin/env python3
"""Times PyTorch's convolutions as kernel_bench times ours: the three passes of each geometry, under the same names.

    torch_conv.py [--threads N] [--layout nchw|channels_last] n32_h32_w32_c64_k64_r3_s3_t1_p1 ...
    torch_conv.py --device cuda --precision bf16 --layout channels_last n128_h32_w32_c64_k64_r3_s3_t1_p1 ...

Prints one JSON object: seconds by name ("conv2d_forward/n32_..."), each the mean of its runs, as in kernel_bench. On a
GPU cuDNN chooses its algorithm by trying them (torch.backends.cudnn.benchmark), and CUDA events tell the time.
"""

import argparse
import json
import re
import sys
import time

import torch
from torch.nn import functional as F

GEOMETRY = re.compile(r"n(\d+)_h(\d+)_w(\d+)_c(\d+)_k(\d+)_r(\d+)_s(\d+)_t(\d+(?:x\d+)?)_p(\d+(?:x\d+)?)")
MIN_RUNS = 3


def fail(text):
    sys.stderr.write(f"torch_conv.py: {text}\n")
    sys.exit(2)


def pair(text):
    """Returns the sizes of both axes: [1, 1] for "1", [0, 3] for "0x3"."""
    numbers = [int(number) for number in text.split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def passes(geometry, layout, device, dtype):
    """Returns (kernel, function) for each of the three passes of a geometry."""
    match = GEOMETRY.fullmatch(geometry)
    if not match:
        fail(f"{geometry}: expected the form n32_h32_w32_c64_k64_r3_s3_t1_p1")
    n, h, w, c, k, r, s = map(int, match.groups()[:7])
    stride, padding = pair(match[8]), pair(match[9])

    def noise(*shape):
        return torch.randn(*shape, device=device).to(dtype=dtype, memory_format=layout)

    x, weight = noise(n, c, h, w), noise(k, c, r, s)
    dy = torch.randn_like(F.conv2d(x, weight, None, stride, padding))

    def backward(wanted):
        return torch.ops.aten.convolution_backward(dy, x, weight, None, stride, padding, [1, 1], False, [0, 0], 1,
                                                   wanted)

    yield "conv2d_forward", lambda: F.conv2d(x, weight, None, stride, padding)
    yield "conv2d_backward_data", lambda: backward([True, False, False])
    yield "conv2d_backward_weight", lambda: backward([False, True, False])


def mean_seconds(function, least):
    """Returns the mean seconds of runs that take at least `least` seconds together, after one that is not counted."""
    function()
    start = time.perf_counter()
    runs = 0
    while runs < MIN_RUNS or time.perf_counter() - start < least:
        function()
        runs += 1
    return (time.perf_counter() - start) / runs


def mean_seconds_of_events(function, least):
    """Does as mean_seconds on a GPU, which gets all runs at once. A few runs before them show how many are needed."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def mean_of(runs):
        start.record()
        for _ in range(runs):
            function()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / runs  # from milliseconds

    function()  # the first tries algorithms
    return mean_of(max(MIN_RUNS, round(least / mean_of(MIN_RUNS))))


def set_precision(precision):
    """Sets the precision of products and returns the operands' type."""
    exact = "highest" if precision == "fp32" else "high"
    torch.set_float32_matmul_precision(exact)
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("geometries", nargs="+")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (%(default)s)")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--min-time", type=float, default=0.2, help="seconds for each pass")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        fail(f"--device {options.device}: PyTorch sees no GPU")
    return options


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    dtype = set_precision(options.precision)
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    mean = mean_seconds_of_events if options.device.startswith("cuda") else mean_seconds
    seconds = {}
    with torch.no_grad():
        for geometry in options.geometries:
            for kernel, function in passes(geometry, layout, options.device, dtype):
                seconds[f"{kernel}/{geometry}"] = mean(function, options.min_time)
    result = {"torch": torch.__version__, "device": options.device, "precision": options.precision,
              "layout": options.layout, "seconds": seconds}
    if options.device.startswith("cuda"):
        result["cudnn"] = torch.backends.cudnn.version()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
