#!/usr/bin/env python3
"""Compares the pixels of our evaluation with torchvision's: Resize(256), CenterCrop(224), by PIL.

    torchvision_pixels.py BUILD FOLDER

BUILD contains picture_pixels; all files below FOLDER are pictures. Differences are in 1/255, before normalisation.
"""

import pathlib
import subprocess
import sys

import numpy
from PIL import Image
from torchvision import transforms

SIZE = 224
MEAN = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
DEVIATION = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)


def theirs(path):
    """Returns torchvision's pixels, [h, w, 3] in 0..255."""
    crop = transforms.Compose([transforms.Resize(round(SIZE * 256 / 224)), transforms.CenterCrop(SIZE)])
    with Image.open(path) as picture:
        return numpy.asarray(crop(picture.convert("RGB")), dtype=numpy.float32)


def ours(build, path):
    """Returns our pixels, with the normalisation undone."""
    done = subprocess.run([build / "picture_pixels", path], capture_output=True, check=True)
    pixels = numpy.frombuffer(done.stdout, dtype=numpy.float32).reshape(SIZE, SIZE, 3)
    return (pixels * DEVIATION + MEAN) * 255


def main(build, folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    means, most = [], []
    for path in files:
        difference = numpy.abs(ours(build, path) - theirs(path))
        means.append(difference.mean())
        most.append(difference.max())
    worst = int(numpy.argmax(means))
    print(f"{len(files)} pictures: mean difference {numpy.mean(means):.3f}, of the worst picture {means[worst]:.3f} "
          f"({files[worst].name}), of any pixel at most {max(most):.1f}; in steps of 1/255")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
