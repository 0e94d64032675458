"""Images per second: batches of this package beside torchvision's transforms.

Both sides start from the same uint8 images in memory and deliver shuffled, augmented, normalised
float32 batches on the CPU. torchvision's side is the usual one: a data set that makes a PIL image
of each sample, ``transforms.Compose``, and a DataLoader with no worker processes or with two, which
are running when the clock starts.
"""

import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue
from mgtutorial.data import images as data
from mgtutorial.errors import DataNotFound

from .side_by_side import alternate

# policy: the data set whose shape and normalisation are used
CASES = {"none": "cifar10", "crop-flip": "cifar10", "cifar100": "cifar100", "cifar10": "cifar10"}
CASES["resized-crop"] = "tiny-imagenet"


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


def epoch(make, n):
    """Go through all batches of an epoch."""
    seen = sum(len(y) for _, y in make())
    assert seen == n


def measure(n=10_000, batch_size=128, repeat=3, policies=CASES):
    for policy in policies:
        images = images_for(CASES[policy], n)
        generator = torch.Generator().manual_seed(0)
        samples = PerSample(images, transform_of(policy, CASES[policy]))
        loaders = {
            f"torchvision, {w} workers": torch.utils.data.DataLoader(
                samples, batch_size, shuffle=True, num_workers=w, persistent_workers=w > 0
            )
            for w in (0, 2)
        }
        sides = {
            "mgtutorial": lambda images=images, policy=policy, generator=generator: data.batches(
                images, batch_size, policy, generator=generator
            ),
            **{name: lambda loader=loader: loader for name, loader in loaders.items()},
        }
        sides = {name: lambda make=make, n=images.n: epoch(make, n) for name, make in sides.items()}
        _, seconds = alternate(sides, repeat)
        for side, values in seconds.items():
            yield {
                "case": policy, "side": side, "unit": "images/s",
                "values": [images.n / t for t in values],
                "facts": {"images": images.n, "pixels": images.size, "source": images.source},
            }  # fmt: skip
