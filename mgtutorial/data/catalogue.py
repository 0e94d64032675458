"""The data sets: what each is, how it is normalised, where its files belong."""

from typing import NamedTuple

from ..errors import choose

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


# name: (default augmentation, mean, standard deviation); the first and the
# constants of FashionMNIST and CIFAR-10 are those of the MGiaD authors' code.
SETS = {
    "digits": ("none", (0.5,), (0.5,)),
    "fashion-mnist": ("none", (0.5,), (0.5,)),
    "cifar10": ("cifar10", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    # the channels' mean and deviation over the 50,000 training images
    "cifar100": ("cifar100", (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "tiny-imagenet": ("resized-crop", *_IMAGENET),
    "imagenet": ("resized-crop", *_IMAGENET),
    "synthetic": ("none", (0.5,) * 3, (0.5,) * 3),
}


NAMES = tuple(SETS)


def augmentation_of(name):
    """The augmentation the papers' code uses for a data set.

    Examples
    --------
    >>> augmentation_of("cifar10"), augmentation_of("fashion-mnist")
    ('cifar10', 'none')
    """
    return SETS[choose("data set", name, NAMES)][0]


def normalisation_of(name):
    """Mean and standard deviation per channel, for grey values in [0, 1].

    Returns
    -------
    (tuple of float, tuple of float)

    Examples
    --------
    >>> normalisation_of("fashion-mnist")
    ((0.5,), (0.5,))
    """
    return SETS[choose("data set", name, NAMES)][1:]


class DataSet(NamedTuple):
    """What the networks of a data set's tables have in common."""

    channels: int
    classes: int
    size: int
    stem: str = "3x3"


DATA = {
    "fashion-mnist": DataSet(1, 10, 28),
    "cifar10": DataSet(3, 10, 32),
    "cifar100": DataSet(3, 100, 32),
    "tiny-imagenet": DataSet(3, 200, 64),
    "imagenet": DataSet(3, 1000, 224, "7x7"),
}


# What to put into the root where the files cannot be fetched.
BY_HAND = {
    "fashion-mnist": "FashionMNIST/raw/*-ubyte.gz",
    "cifar10": "cifar-10-python.tar.gz",
    "cifar100": "cifar-100-python.tar.gz",
    "tiny-imagenet": "tiny-imagenet-200.zip",
    "imagenet": "the folders imagenet/train/CLASS and imagenet/val/CLASS",
}


COPIES = {"cifar10": "cifar10_jpeg/cifar10_jpeg.npz", "tiny-imagenet": "tinyimagenet20/*.npz"}
