#!/usr/bin/env python3
"""Writes wrn_16_4.json: what PyTorch computes, in double precision, for a WRN-16-4 trained for three updates.

Each update: a batch of 256 images as two ghost batches of 128 one after another, loss = sum of cross-entropies /
256, Nesterov momentum. Weights and images come from formulas (golden_values below, golden_values.h in C++) whose
values float holds exactly, so that both sides start from the very same numbers.

    python3 tests/golden/make_wrn_golden.py [FILE]        needs numpy and torch; takes a few minutes
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH, GHOST, CLASSES = 256, 128, 10
SIDES = [32, 16, 16]  # of the square images of each update: the smaller ones save time and lose no case
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 5e-4
KEY = 0x676F6C64656E  # "golden"
PROJECTION, SAMPLES, IMAGES, OFFSETS, LABELS = 1000, 2000, 3000, 4000, 5000  # streams; parameters are 0, 1, ...
SAMPLE_COUNT = 8
DIGITS = 13


def words(stream, count):
    """The first word of Philox4x32-10 at counters (i, 0, stream, 0), i < count, as uint64."""
    mask = np.uint64(0xFFFFFFFF)
    low = np.uint64(32)
    c0 = np.arange(count, dtype=np.uint64)
    c1 = np.zeros(count, np.uint64)
    c2 = np.full(count, stream, np.uint64)
    c3 = np.zeros(count, np.uint64)
    key0, key1 = KEY & 0xFFFFFFFF, KEY >> 32
    for _ in range(10):
        a = np.uint64(0xD2511F53) * c0
        b = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = ((b >> low) ^ c1 ^ np.uint64(key0), b & mask, (a >> low) ^ c3 ^ np.uint64(key1), a & mask)
        key0 = (key0 + 0x9E3779B9) & 0xFFFFFFFF
        key1 = (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0


def golden_values(stream, count):
    """Uniform multiples of 2^-15 in [-1, 1)."""
    return (words(stream, count) >> np.uint64(16)).astype(np.float64) / 32768 - 1


def weight_scale(fan_in):
    """The power of two nearest (in logarithm) to He's bound sqrt(6 / fan_in)."""
    return 2.0 ** math.floor(math.log2(math.sqrt(6 / fan_in)) + 0.5)


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inner)
        self.conv0 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv1 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.convdim = nn.Conv2d(inner, outer, 1, stride, 0, bias=False) if inner != outer else None

    def forward(self, x):
        o = F.relu(self.bn0(x))
        z = self.conv1(F.relu(self.bn1(self.conv0(o))))
        return z + (self.convdim(o) if self.convdim is not None else x)


class WideResNet(nn.Module):
    def __init__(self, depth, width):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        inner = 16
        for group in range(3):
            outer = (16 << group) * width
            blocks = nn.ModuleDict()
            for block in range((depth - 4) // 6):
                blocks[f"block{block}"] = Block(inner, outer, 2 if block == 0 and group > 0 else 1)
                inner = outer
            self.add_module(f"group{group}", blocks)
        self.bn = nn.BatchNorm2d(inner)
        self.fc = nn.Linear(inner, CLASSES)

    def forward(self, x):
        x = self.conv0(x)
        for group in (self.group0, self.group1, self.group2):
            for block in group.values():
                x = block(x)
        return self.fc(F.relu(self.bn(x)).mean((2, 3)))


def ours(tensor):
    """A convolution's weight as this project stores it, [out, r, s, in]; anything else as it is."""
    return tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor


def fill(model):
    for stream, (name, parameter) in enumerate(model.named_parameters()):
        values = torch.from_numpy(golden_values(stream, parameter.numel()))
        if name.endswith("bias"):
            values = values / 4
        elif parameter.ndim == 1:
            values = 1 + values / 4
        else:
            values = values * weight_scale(parameter[0].numel())
        parameter.data = values.reshape(ours(parameter).shape).permute(0, 3, 1, 2).contiguous() \
            if parameter.ndim == 4 else values.reshape(parameter.shape)


def make_batch(update, side):
    """Images [n, 3, side, side]: noise per pixel plus an offset per image and channel; labels [n]."""
    noise = golden_values(IMAGES + update, BATCH * side * side * 3).reshape(BATCH, side, side, 3)
    offset = golden_values(OFFSETS + update, BATCH * 3).reshape(BATCH, 1, 1, 3)
    labels = (words(LABELS + update, BATCH) % np.uint64(CLASSES)).astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray((noise + offset).transpose(0, 3, 1, 2))), torch.from_numpy(labels)


def digest(index, tensor):
    """What stands for a tensor in the file: its norm, its product with a random vector, and some elements."""
    flat = ours(tensor.detach()).reshape(-1).numpy()
    places = words(SAMPLES + index, SAMPLE_COUNT) % np.uint64(flat.size)
    return {"norm": number(np.sqrt(np.sum(flat * flat))),
            "projection": number(np.sum(flat * golden_values(PROJECTION + index, flat.size))),
            "samples": [number(flat[place]) for place in places]}


def number(value):
    return float(f"{float(value):.{DIGITS}g}")


def train_step(model, optimizer, images, labels):
    """One update; returns its logits [n, classes] and loss. Gradients stay in the parameters."""
    optimizer.zero_grad()
    logits, loss = [], 0.0
    for start in range(0, BATCH, GHOST):
        out = model(images[start:start + GHOST])
        part = F.cross_entropy(out, labels[start:start + GHOST], reduction="sum") / BATCH
        part.backward()
        logits.append(out.detach())
        loss += part.item()
    optimizer.step()
    return torch.cat(logits), loss


def main():
    file = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("wrn_16_4.json"))
    torch.set_default_dtype(torch.float64)
    model = WideResNet(16, 4)
    fill(model)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
    golden = {"made_by": f"make_wrn_golden.py, torch {torch.__version__.split('+')[0]}, float64",
              "batch": BATCH, "ghost": GHOST, "sides": SIDES, "learning_rate": LEARNING_RATE, "momentum": MOMENTUM,
              "weight_decay": WEIGHT_DECAY, "losses": []}
    for update, side in enumerate(SIDES):
        logits, loss = train_step(model, optimizer, *make_batch(update, side))
        print(f"update {update}: loss {loss}", file=sys.stderr)
        golden["losses"].append(number(loss))
        if update == 0:
            golden["logits"] = [[number(value) for value in row] for row in logits.numpy()]
            golden["gradients"] = {name: digest(index, parameter.grad)
                                   for index, (name, parameter) in enumerate(model.named_parameters())}
    golden["weights"] = {name: digest(index, parameter) for index, (name, parameter) in enumerate(model.named_parameters())}
    golden["statistics"] = {name: digest(index, statistic) for index, (name, statistic) in enumerate(
        (name, statistic) for name, statistic in model.named_buffers() if statistic.ndim == 1)}
    file.write_text(json.dumps(golden, separators=(",", ":")).replace('],[', '],\n[').replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
