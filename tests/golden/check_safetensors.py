#!/usr/bin/env python3
"""Opens a checkpoint with Python's safetensors package and checks names, shapes and values.

    check_safetensors.py CHECKPOINT [NAMES]

NAMES is a file of lines "name (16, 3, 3, 3) ...": each must be a tensor of that shape, under that name or with ".weight"
added. Exits with 77 if the package is not installed.
"""
import json
import re
import struct
import sys

try:
    import numpy
    from safetensors import safe_open
except ImportError:
    print("skipped: Python's safetensors and numpy are not installed")
    sys.exit(77)


def read_file(path):
    """Reads a file by the format's specification. Returns the header, its length, and the data."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return length, json.loads(file.read(length)), file.read()


def check_names(found, lines):
    for line in lines:
        name, sizes = re.match(r"(\S+) \(([\d, ]*)\)", line).groups()
        shape = tuple(int(size) for size in sizes.split(",") if size.strip())
        tensor = found[name] if name in found else found[name + ".weight"]
        assert tensor.shape == shape, f"{name}: {tensor.shape}, expected {shape}"


def main(path, names=None):
    length, header, data = read_file(path)
    assert length % 8 == 0, f"a header of {length} bytes is not padded to a multiple of 8"
    metadata = header.pop("__metadata__")
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == metadata
        found = {name: file.get_tensor(name) for name in file.keys()}
    assert set(found) == set(header)
    for name, tensor in found.items():
        begin, end = header[name]["data_offsets"]
        assert list(tensor.shape) == header[name]["shape"], name
        assert tensor.tobytes() == data[begin:end], name
        assert numpy.isfinite(tensor).all(), name
    if names:
        check_names(found, open(names).read().splitlines())
    print(f"{len(found)} tensors, {sum(tensor.size for tensor in found.values())} values")


if __name__ == "__main__":
    main(*sys.argv[1:])
