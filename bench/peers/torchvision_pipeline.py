#!/usr/bin/env python3
"""Times torchvision's usual pipeline, as loader_bench --data image-folder times ours: PIL decodes,
RandomResizedCrop(224), flip, ToTensor, Normalize, in a DataLoader of --threads workers (0: in the calling process).

Prints one JSON object with the seconds of each epoch.
"""

import argparse
import json
import statistics
import time

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import transforms

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, help="DIR/train/CLASS/*")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    augment = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(),
                                  transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)])
    images = torchvision.datasets.ImageFolder(options.data_dir + "/train", augment)
    seconds, processor = [], []
    for _ in range(options.epochs + 1):
        start, start_processor = time.perf_counter(), time.process_time()
        loader = DataLoader(images, options.batch, shuffle=True, drop_last=True, num_workers=options.threads)
        count = sum(len(labels) for _, labels in loader)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    del seconds[0], processor[0]  # reads the files for the first time
    print(json.dumps({"torchvision": torchvision.__version__, "images": count, "seconds": seconds,
                      "images_per_second": count / statistics.median(seconds),
                      "images_per_processor_second": count / statistics.median(processor)}))


if __name__ == "__main__":
    main()
