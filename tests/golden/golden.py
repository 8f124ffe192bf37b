"""Helpers of the scripts that write golden files: the random numbers that both sides of a test use (golden_values.h has
them in C++), and the digest that stands for a tensor in a file."""

import math

import numpy as np
import torch

KEY = 0x676F6C64656E  # "golden"
PROJECTION, SAMPLES, IMAGES, OFFSETS, LABELS = 1000, 2000, 3000, 4000, 5000  # streams; parameters are 0, 1, ...
SAMPLE_COUNT = 8
DIGITS = 13


def words(stream, count):
    """Returns the first words of Philox4x32-10 at counters (i, 0, stream, 0), i < count, as uint64."""
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
    """Returns uniform multiples of 2^-15 in [-1, 1)."""
    return (words(stream, count) >> np.uint64(16)).astype(np.float64) / 32768 - 1


def weight_scale(fan_in):
    """Returns the power of two nearest (in logarithm) to He's bound sqrt(6 / fan_in)."""
    return 2.0 ** math.floor(math.log2(math.sqrt(6 / fan_in)) + 0.5)


def ours(tensor):
    """Converts a convolution's weight to this project's layout, [out, r, s, in]. Returns other tensors unchanged."""
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


def make_images(update, batch, side):
    """Returns images [n, 3, side, side]: noise per pixel plus an offset per image and channel."""
    noise = golden_values(IMAGES + update, batch * side * side * 3).reshape(batch, side, side, 3)
    offset = golden_values(OFFSETS + update, batch * 3).reshape(batch, 1, 1, 3)
    return torch.from_numpy(np.ascontiguousarray((noise + offset).transpose(0, 3, 1, 2)))


def make_labels(update, batch, classes):
    return torch.from_numpy((words(LABELS + update, batch) % np.uint64(classes)).astype(np.int64))


def digest(index, tensor):
    """Returns a tensor's digest: its norm, its product with a random vector, and some elements."""
    flat = ours(tensor.detach()).reshape(-1).numpy()
    places = words(SAMPLES + index, SAMPLE_COUNT) % np.uint64(flat.size)
    return {"norm": number(np.sqrt(np.sum(flat * flat))),
            "projection": number(np.sum(flat * golden_values(PROJECTION + index, flat.size))),
            "samples": [number(flat[place]) for place in places]}


def number(value):
    return float(f"{float(value):.{DIGITS}g}")
