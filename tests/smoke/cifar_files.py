"""Folders with the names and sizes of CIFAR-10's official binary files, and ways to spoil them."""

import os
import pathlib

RECORD = 1 + 3 * 32 * 32
RECORDS = 10000
FILES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def make(folder):
    """Writes the six files, with equally many images of each class. No two files are equal."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for number, name in enumerate(FILES):
        content = bytearray(RECORDS * RECORD)
        content[0::RECORD] = bytes(i % 10 for i in range(RECORDS))
        content[1::RECORD] = bytes((i * (number + 3)) % 251 for i in range(RECORDS))
        (folder / name).write_bytes(content)


def spoil(folder, good, name, content):
    """Makes a folder like `good` with the file `name` replaced by the bytes `content`; None leaves the file out."""
    folder.mkdir()
    for file in FILES:
        if file != name:
            os.link(good / file, folder / file)
    if content is not None:
        (folder / name).write_bytes(content)
    return folder
