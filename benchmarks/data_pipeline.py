"""Images per second: mgtutorial.data.batches beside torchvision's transforms with a DataLoader.

Both sides start from the same uint8 images in memory and deliver shuffled,
augmented, normalised float32 batches on the CPU. torchvision's side is its usual
one: a data set that makes a PIL image of each sample, ``transforms.Compose``, a
DataLoader; the better of no and two worker processes counts, with the workers
already running. The sides take turns, and of each the fastest epoch counts,
so that what else the machine does disturbs both alike.

    python benchmarks/data_pipeline.py            # CIFAR-10 where it is, else made images
    python benchmarks/data_pipeline.py --check    # exit code 1 below ten times
"""

import argparse
import os
import platform
import sys
import time

import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue
from mgtutorial.data import images as data
from mgtutorial.errors import DataNotFound

BAR = 10
# policy: the data set whose shape and normalisation are used
CASES = {"none": "cifar10", "crop-flip": "cifar10", "cifar100": "cifar100", "cifar10": "cifar10"}
CASES["resized-crop"] = "tiny-imagenet"
# resized-crop interpolates every pixel twice in float32: shown, but no bar was set for it
HELD_TO_THE_BAR = {"none", "crop-flip", "cifar100", "cifar10"}


class PerSample(torch.utils.data.Dataset):
    """What torchvision's own data sets do: one PIL image at a time."""

    def __init__(self, images, transform):
        self.pixels = images.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.labels.tolist()
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[i])), self.labels[i]


def transform_of(policy, name):
    """The same policy in torchvision's words."""
    T = torchvision().transforms
    flip = T.RandomHorizontalFlip()
    policy_of_cifar10 = T.AutoAugment(T.AutoAugmentPolicy.CIFAR10)
    steps = {
        "none": [],
        "crop-flip": [T.RandomCrop(32, 4), flip],
        "cifar100": [flip, T.RandomCrop(32, 4, padding_mode="reflect")],
        "cifar10": [T.RandomCrop(32, 4, fill=128), flip, policy_of_cifar10],
        "resized-crop": [T.RandomResizedCrop(64), flip],
    }
    info = catalogue.info(name)
    return T.Compose([*steps[policy], T.ToTensor(), T.Normalize(info.mean, info.std)])


def images_for(name, n):
    """`n` training images: CIFAR-10 or Tiny ImageNet where they are, else made ones."""
    try:
        # CIFAR-100 has CIFAR-10's shape, which is all that matters here
        found = data.load("cifar10" if name == "cifar100" else name, "train", progress=False)
        images, labels, source = found.images, found.labels, f"{found.name} ({found.source})"
    except DataNotFound:
        size = 64 if name == "tiny-imagenet" else 32
        g = torch.Generator().manual_seed(0)
        images = torch.randint(256, (n, 3, size, size), dtype=torch.uint8, generator=g)
        labels, source = torch.arange(n) % 10, "made images"
    return data.Images(name, "train", images[:n], labels[:n], (), "", source)


def rate(epoch, n):
    """Images per second of one epoch."""
    start = time.perf_counter()
    seen = sum(len(y) for _, y in epoch())
    assert seen == n
    return n / (time.perf_counter() - start)


def compare(policy, name, n, batch_size, repeats):
    """Images per second: ours, and torchvision's with 0 and 2 workers."""
    images = images_for(name, n)
    generator = torch.Generator().manual_seed(0)
    samples = PerSample(images, transform_of(policy, name))
    loaders = [
        torch.utils.data.DataLoader(
            samples, batch_size, shuffle=True, num_workers=w, persistent_workers=w > 0
        )
        for w in (0, 2)
    ]
    sides = [
        lambda: data.batches(images, batch_size, policy, generator=generator),
        *(lambda loader=loader: loader for loader in loaders),
    ]
    for side in sides:
        rate(side, images.n)  # not counted: starts the workers, fills the caches
    rounds = [[rate(side, images.n) for side in sides] for _ in range(repeats)]
    return images, [max(column) for column in zip(*rounds, strict=True)]


def main(arguments=None):
    """Print the table; return 1 if `--check` was given and a ratio is below the bar."""
    parser = argparse.ArgumentParser(description="images per second, beside torchvision")
    parser.add_argument("--images", type=int, default=10_000, help="images in an epoch")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each side")
    parser.add_argument("--policies", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--check", action="store_true", help=f"fail below {BAR} times")
    given = parser.parse_args(arguments)
    print(
        f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}, torchvision "
        f"{torchvision().__version__}; batches of {given.batch_size}, fastest of {given.repeats} "
        "epochs.\n"
    )
    print("| augmentation | images | n | mgtutorial | torchvision, 0 workers | 2 workers | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    ratios = {}
    for policy in given.policies:
        images, rates = compare(
            policy, CASES[policy], given.images, given.batch_size, given.repeats
        )
        ratios[policy] = rates[0] / max(rates[1:])
        columns = " | ".join(f"{r:,.0f}" for r in rates)
        size = f"{images.source}, {images.size} x {images.size}"
        print(
            f"| {policy} | {size} | {images.n:,} | {columns} | {ratios[policy]:.1f} |", flush=True
        )
    return int(given.check and any(ratios[p] < BAR for p in set(ratios) & HELD_TO_THE_BAR))


if __name__ == "__main__":
    sys.exit(main())
