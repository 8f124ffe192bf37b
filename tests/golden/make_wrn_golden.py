#!/usr/bin/env python3
"""Writes wrn_16_4.json: PyTorch's results, in double precision, of three training updates of a WRN-16-4.

Each update has a batch of 256 images, as two ghost batches of 128 one after another; loss = sum of cross-entropies /
256; Nesterov momentum. Weights and images come from formulas (golden.py, golden_values.h in C++) whose values are exact
in float, so that both sides start from equal numbers.

    python3 tests/golden/make_wrn_golden.py [FILE]        needs numpy and torch; takes a few minutes
"""

import json
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional as F

from golden import digest, fill, make_images, make_labels, number

BATCH, GHOST, CLASSES = 256, 128, 10
SIDES = [32, 16, 16]  # side of the square images of each update; smaller ones save time and cover the same cases
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 5e-4


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


def train_step(model, optimizer, images, labels):
    """Runs one update. Returns its logits [n, classes] and loss; the gradients stay in the parameters."""
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
        logits, loss = train_step(model, optimizer, make_images(update, BATCH, side), make_labels(update, BATCH, CLASSES))
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
