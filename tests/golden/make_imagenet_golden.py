#!/usr/bin/env python3
"""Writes resnet_18.json, resnet_50.json and inception_resnet_v2.json: results of torchvision's and timm's models in
double precision on a few small images. Also writes the names and shapes of their parameters with 1000 classes.

The results are of one forward and backward pass in training mode and then, with the updated running statistics, one
forward pass in evaluation mode. Weights and images come from formulas (golden.py, golden_values.h in C++) whose values
are exact in float, so that both sides start from equal numbers.

    python3 tests/golden/make_imagenet_golden.py [MODEL...]    needs numpy, torch, torchvision and timm
"""

import json
import pathlib
import sys

import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from golden import digest, fill, make_images, make_labels, number

CLASSES, NORM_MOMENTUM = 10, 0.5
FOLDER = pathlib.Path(__file__).parent
# Name: constructor in torch, images in a batch, their rows and columns, weight of the auxiliary loss.
CASES = {"resnet-18": (lambda **how: torchvision.models.resnet18(**how), 4, 64, 0),
         "resnet-50": (lambda **how: torchvision.models.resnet50(**how), 4, 64, 0),
         "inception-resnet-v2": (lambda **how: timm.create_model("inception_resnet_v2", **how), 4, 107, 0),
         "inception-resnet-v2-auxiliary": (lambda **how: timm.create_model("inception_resnet_v2", **how), 2, 299, 0.4)}


class ConvNorm(nn.Module):
    def __init__(self, inner, outer, kernel):
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, bias=False)
        self.bn = nn.BatchNorm2d(outer, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class AuxiliaryHead(nn.Module):
    """TF-slim's auxiliary head (inception_resnet_v2.py, AuxLogits)."""

    def __init__(self):
        super().__init__()
        self.add_module("0", ConvNorm(1088, 128, 1))
        self.add_module("1", ConvNorm(128, 768, 5))
        self.classif = nn.Linear(768, CLASSES)

    def forward(self, x):
        x = F.avg_pool2d(x, 5, 3)
        return self.classif(getattr(self, "1")(getattr(self, "0")(x)).flatten(1))


def make(name):
    create, batch, side, weight = CASES[name]
    model = create(num_classes=CLASSES)
    if weight:
        model.auxiliary = AuxiliaryHead()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = NORM_MOMENTUM
    fill(model)
    return model, batch, side, weight


def compute(name):
    model, batch, side, weight = make(name)
    images, labels = make_images(0, batch, side), make_labels(0, batch, CLASSES)
    auxiliary = []
    if weight:
        model.repeat_1.register_forward_hook(lambda module, inputs, output: auxiliary.append(model.auxiliary(output)))
    model.train()
    logits = model(images)
    loss = F.cross_entropy(logits, labels, reduction="sum")
    (loss + sum(weight * F.cross_entropy(out, labels, reduction="sum") for out in auxiliary)).backward()
    golden = {"made_by": f"make_imagenet_golden.py, torch {torch.__version__.split('+')[0]}, float64",
              "batch": batch, "side": side, "norm_momentum": NORM_MOMENTUM, "auxiliary_weight": weight,
              "loss": number(loss.item()), "logits": rows(logits),
              "gradients": {name: digest(index, parameter.grad)
                            for index, (name, parameter) in enumerate(model.named_parameters())}}
    if weight:
        golden["auxiliary_logits"] = rows(auxiliary[0])
    model.eval()
    with torch.no_grad():
        golden["evaluation_logits"] = rows(model(images))
    return golden


def rows(tensor):
    return [[number(value) for value in row] for row in tensor.detach().numpy()]


def write_names(name):
    model = CASES[name][0](num_classes=1000)
    lines = [f"{name} {' '.join(map(str, parameter.shape))}\n" for name, parameter in model.named_parameters()]
    (FOLDER / f"{name.replace('-', '_')}_names.txt").write_text("".join(lines))


def main():
    torch.set_default_dtype(torch.float64)
    for name in sys.argv[1:] or CASES:
        golden = compute(name)
        print(f"{name}: loss {golden['loss']}", file=sys.stderr)
        text = json.dumps(golden, separators=(",", ":")).replace("],[", "],\n[").replace('},"', '},\n"') + "\n"
        (FOLDER / f"{name.replace('-', '_')}.json").write_text(text)
        if not CASES[name][3]:
            write_names(name)


if __name__ == "__main__":
    main()
