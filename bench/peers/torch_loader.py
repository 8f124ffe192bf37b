#!/usr/bin/env python3
"""Times PyTorch's loading as loader_bench times ours: CIFAR-sized images from bytes in memory, augmented.

--variant tensors   whole batches by tensor operations, in the calling thread
--variant workers   torch.utils.data.DataLoader, image by image, with as many worker processes as --threads
Prints one JSON object with the seconds of each epoch.
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SIDE, PADDING = 32, 4
MEAN = torch.tensor([125.3, 123.0, 113.9]).view(3, 1, 1)
DEVIATION = torch.tensor([63.0, 62.1, 66.7]).view(3, 1, 1)


def augmented_batch(batch):
    """Turns [n, 3, 32, 32] bytes into floats, each image with its own flip and crop."""
    images = (batch.float() - MEAN) / DEVIATION
    count = len(images)
    flip = torch.rand(count, 1, 1, 1) < 0.5
    images = F.pad(torch.where(flip, images.flip(3), images), [PADDING] * 4, mode="reflect")
    rows = torch.randint(2 * PADDING + 1, (count, 1)) + torch.arange(SIDE)
    columns = torch.randint(2 * PADDING + 1, (count, 1)) + torch.arange(SIDE)
    first = torch.arange(count).view(count, 1, 1, 1)
    return images[first, torch.arange(3).view(1, 3, 1, 1), rows.view(count, 1, SIDE, 1),
                  columns.view(count, 1, 1, SIDE)]


class AugmentedImages(Dataset):
    """Images one by one, as a DataLoader asks for them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = (self.images[index].float() - MEAN) / DEVIATION
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        image = F.pad(image.unsqueeze(0), [PADDING] * 4, mode="reflect")[0]
        top, left = torch.randint(2 * PADDING + 1, (2,)).tolist()
        return image[:, top:top + SIDE, left:left + SIDE], index % 10


def batches(images, options):
    """Yields one epoch's batches."""
    if options.variant == "workers":
        yield from DataLoader(AugmentedImages(images), options.batch, shuffle=True, drop_last=True,
                              num_workers=options.threads)
        return
    labels = torch.arange(len(images)) % 10
    for chosen in torch.randperm(len(images)).split(options.batch):
        if len(chosen) == options.batch:
            yield augmented_batch(images[chosen]), labels[chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", choices=["tensors", "workers"], default="tensors")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = torch.randint(256, (options.images, 3, SIDE, SIDE), dtype=torch.uint8)
    seconds = []
    for _ in range(options.epochs + 1):
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in batches(images, options))
        seconds.append(time.perf_counter() - start)
    del seconds[0]  # it touches all memory
    print(json.dumps({"torch": torch.__version__, "seconds": seconds,
                      "images_per_second": count / statistics.median(seconds)}))


if __name__ == "__main__":
    main()
