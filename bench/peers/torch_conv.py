#!/usr/bin/env python3
"""PyTorch at the convolutions that kernel_bench times: the three passes of each geometry, under the same names.

    torch_conv.py [--threads N] [--layout nchw|channels_last] n32_h32_w32_c64_k64_r3_s3_t1_p1 ...

Prints one JSON object: seconds by name ("conv_forward/n32_..."), each the mean of its runs, as in kernel_bench.
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


def pair(text):
    """"1" -> [1, 1], "0x3" -> [0, 3]."""
    numbers = [int(number) for number in text.split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def passes(geometry, layout):
    """(kernel, function) for the three passes of a geometry."""
    match = GEOMETRY.fullmatch(geometry)
    if not match:
        sys.exit(f"torch_conv.py: {geometry}: expected the form n32_h32_w32_c64_k64_r3_s3_t1_p1")
    n, h, w, c, k, r, s = map(int, match.groups()[:7])
    stride, padding = pair(match[8]), pair(match[9])
    x = torch.randn(n, c, h, w).to(memory_format=layout)
    weight = torch.randn(k, c, r, s).to(memory_format=layout)
    dy = torch.randn_like(F.conv2d(x, weight, None, stride, padding))

    def backward(wanted):
        return torch.ops.aten.convolution_backward(dy, x, weight, None, stride, padding, [1, 1], False, [0, 0], 1,
                                                   wanted)

    yield "conv_forward", lambda: F.conv2d(x, weight, None, stride, padding)
    yield "conv_backward_data", lambda: backward([True, False, False])
    yield "conv_backward_weights", lambda: backward([False, True, False])


def mean_seconds(function, least):
    """Of as many runs as fit into `least` seconds, after one that is not counted."""
    function()
    start = time.perf_counter()
    runs = 0
    while runs < MIN_RUNS or time.perf_counter() - start < least:
        function()
        runs += 1
    return (time.perf_counter() - start) / runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("geometries", nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--min-time", type=float, default=0.2, help="seconds for each pass")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    seconds = {}
    with torch.no_grad():
        for geometry in options.geometries:
            for kernel, function in passes(geometry, layout):
                seconds[f"{kernel}/{geometry}"] = mean_seconds(function, options.min_time)
    print(json.dumps({"torch": torch.__version__, "seconds": seconds}))


if __name__ == "__main__":
    main()
