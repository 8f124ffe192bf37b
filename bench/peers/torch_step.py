#!/usr/bin/env python3
"""Times one variant of PyTorch as step_bench times ours: training steps, or evaluation, on images in memory.

Prints one JSON object with the seconds of each step. Each variant runs in its own process, so that the peak memory is
its own. With --steps 0 --warmup 0 it stops before the first step.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"))
from make_wrn_golden import CLASSES, WideResNet  # the network whose results ours are tested against

IMAGENET_CLASSES = 1000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="wrn-16-4", help="wrn-DEPTH-WIDTH, resnet-DEPTH (torchvision's) or inception-resnet-v2 (timm's)")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--evaluate", action="store_true", help="forward and loss only")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    return parser.parse_args()


def make_model(name):
    """Returns the network, the height and width of its images, and its classes."""
    if name.startswith("wrn-"):
        _, depth, width = name.split("-")
        return WideResNet(int(depth), int(width)), 32, CLASSES
    if name.startswith("resnet-"):
        import torchvision
        return getattr(torchvision.models, name.replace("-", ""))(), 224, IMAGENET_CLASSES
    if name == "inception-resnet-v2":
        import timm
        return timm.create_model("inception_resnet_v2", pretrained=False), 299, IMAGENET_CLASSES
    raise SystemExit(f"--model {name}: expected wrn-DEPTH-WIDTH, resnet-DEPTH or inception-resnet-v2")


def make_step(options):
    """Returns a function that does one step."""
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    model, side, classes = make_model(options.model)
    model = model.to(memory_format=layout)
    images = torch.randn(options.batch, 3, side, side).to(memory_format=layout)
    labels = torch.arange(options.batch) % classes
    network = torch.compile(model) if options.compile else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def train():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    def evaluate():
        with torch.inference_mode():
            F.cross_entropy(network(images), labels).item()

    model.train(not options.evaluate)
    return evaluate if options.evaluate else train


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    step = make_step(options)
    seconds = []
    for index in range(options.warmup + options.steps):
        start = time.perf_counter()
        step()
        if index >= options.warmup:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "torch": torch.__version__,
        "seconds": seconds,
        "seconds_per_step": statistics.median(seconds) if seconds else None,
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
