"""The data sets: each is one record, which says all that the package knows about it.

To add one, write its record here. Its files are read by one of the readers beside this file, or
by a new one if their format is new: :class:`mgtutorial.data.readers.Reader` says what that is.
"""

from dataclasses import dataclass, replace

from ..errors import choose
from .cloud_files import Meshes, PointFile
from .image_folders import ImageFolders
from .local_copies import JpegCopy
from .made import Made, digits, synthetic
from .made_clouds import MadeClouds
from .mask_files import CityscapesFolders, MadeShapes, MaskArchive
from .mask_sets import MaskSet
from .readers import Reader
from .tiny_imagenet import TinyImageNet
from .torchvision_files import TorchvisionFiles


@dataclass(frozen=True)
class DataSet:
    """What is known about a data set.

    Attributes
    ----------
    name : str
    channels, classes, size : int
        Of the images: 1 (grey) or 3 (colour); how many kinds; pixels along a side.
    mean, std : tuple of float
        Used to normalise grey values in [0, 1], one number per channel.
    readers : tuple of Reader
        What reads its files: the official ones first, then local copies.
    augmentation : str
        The policy of :mod:`mgtutorial.data.augmentation` that the shorter budgets use; a paper's
        protocol has its own.
    stem : {"3x3", "7x7"}
        What the published networks begin with on these images.
    by_hand : str
        What to put into the root where the official files cannot be fetched; empty if nothing.
    n_train, n_test : int or None
        How many images the official files hold for training and for testing.
    """

    name: str
    channels: int
    classes: int
    size: int
    mean: tuple
    std: tuple
    readers: tuple[Reader, ...]
    augmentation: str = "none"
    stem: str = "3x3"
    by_hand: str = ""
    n_train: int | None = None
    n_test: int | None = None

    @property
    def official(self):
        """The ``source`` of images that come from the official files."""
        return self.readers[0].source

    @property
    def in_files(self):
        """Whether it is stored in files; otherwise all of it is made whenever it is asked for."""
        return not isinstance(self.readers[0], Made)

    def located(self, root=None):
        """Return the first reader that finds something, and what it found; or None twice.

        Parameters
        ----------
        root : str or path, optional
            See :func:`mgtutorial.data.load`. Files are looked for, not read.

        Returns
        -------
        Reader or None, mgtutorial.data.readers.Found or None
        """
        for reader in self.readers:
            if (found := reader.locate(self, root)) is not None:
                return reader, found
        return None, None

    def at(self, root=None):
        """Return the record with the number of classes that are really there.

        There are fewer where only some of the classes are there, not the whole data set. Nothing is
        read, so this is quick; a data set that is not there is described as its record has it.

        Examples
        --------
        >>> info("cifar100").at("nowhere").classes
        100
        """
        _, found = self.located(root) if self.in_files else (None, None)
        return replace(self, classes=found.classes) if found and found.classes else self

    def is_whole(self, source, n_train, n_test):
        """Return whether this many images from a source are the official ones, and all of them.

        The source alone would not do: folders with the right names may hold any images.

        Examples
        --------
        >>> info("imagenet").is_whole("folders", 1_281_167, 50_000)
        True
        >>> info("imagenet").is_whole("folders", 1_281_167, 10_000)
        False
        """
        return source == self.official and (n_train, n_test) == (self.n_train, self.n_test)


# The constants of FashionMNIST and CIFAR-10, and the augmentations except torchvision's reading of
# AutoAugment, are those of the code of Poly-MgNet, whose first author is also MGiaD's.
_GREY = {"mean": (0.5,), "std": (0.5,)}
_IMAGENET = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "augmentation": "resized-crop",
}
_RECORDS = (
    DataSet(
        "digits", 1, 10, 8, **_GREY,
        readers=(Made(digits, "embedded", "embedded", "scikit-learn"),),
    ),
    DataSet(
        "fashion-mnist", 1, 10, 28, **_GREY,
        # torchvision has the md5 of the packed files only, and reads the unpacked ones
        # unchecked; these are the SHA-256 of what the official files unpack to.
        readers=(TorchvisionFiles("FashionMNIST", (
            ("train-images-idx3-ubyte",
             "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            ("train-labels-idx1-ubyte",
             "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            ("t10k-images-idx3-ubyte",
             "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            ("t10k-labels-idx1-ubyte",
             "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        )),),
        by_hand="FashionMNIST/raw/*-ubyte.gz", n_train=60_000, n_test=10_000,
    ),
    DataSet(
        "cifar10", 3, 10, 32,
        mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010), augmentation="cifar10",
        readers=(TorchvisionFiles("CIFAR10"), JpegCopy("cifar10_jpeg/cifar10_jpeg.npz")),
        by_hand="cifar-10-python.tar.gz", n_train=50_000, n_test=10_000,
    ),
    DataSet(
        "cifar100", 3, 100, 32,
        # the channels' mean and deviation over the 50,000 training images
        mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762), augmentation="cifar100",
        readers=(TorchvisionFiles("CIFAR100"),),
        by_hand="cifar-100-python.tar.gz", n_train=50_000, n_test=10_000,
    ),
    DataSet(
        "tiny-imagenet", 3, 200, 64, **_IMAGENET,
        readers=(
            TinyImageNet(
                "tiny-imagenet-200",
                "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
                "90528d7ca1a48142e341f4ef8d21d0de",
            ),
            JpegCopy("tinyimagenet20/*.npz", classes=20),
        ),
        by_hand="tiny-imagenet-200.zip", n_train=100_000, n_test=10_000,
    ),
    DataSet(
        "imagenet", 3, 1000, 224, **_IMAGENET,
        stem="7x7",
        readers=(ImageFolders("imagenet"),),
        by_hand="the folders imagenet/train/CLASS and imagenet/val/CLASS",
        n_train=1_281_167, n_test=50_000,
    ),
    DataSet(
        "synthetic", 3, 10, 32, mean=(0.5,) * 3, std=(0.5,) * 3,
        readers=(Made(synthetic, "synthetic", "made when asked for"),),
    ),
)  # fmt: skip

SETS = {record.name: record for record in _RECORDS}
NAMES = tuple(SETS)

#: Data sets of clouds: `channels` are coordinates, `size` is the number of points.
CLOUDS = {
    record.name: record
    for record in (
        DataSet(
            "modelnet10", 3, 10, 1024, mean=(0.0,) * 3, std=(1.0,) * 3,
            readers=(
                Meshes("ModelNet10", "10"),
                PointFile("modelnet10_points1024/modelnet10_points1024_q16.npz"),
            ),
            augmentation="stretch-and-move",
            by_hand="the folders ModelNet10/raw/CLASS/train and ModelNet10/raw/CLASS/test",
            n_train=3991, n_test=908,
        ),
        DataSet(
            "shapes", 3, 6, 128, mean=(0.0,) * 3, std=(1.0,) * 3, readers=(MadeClouds(),),
            augmentation="stretch-and-move",
        ),
    )
}  # fmt: skip

#: The data sets of the published tables: those that are stored in files.
PUBLISHED = tuple(name for name, record in SETS.items() if record.in_files)


def info(name):
    """Return the record of a data set.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.

    Returns
    -------
    DataSet

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> info("cifar10").augmentation, info("imagenet").stem
    ('cifar10', '7x7')
    >>> info("cifar10").official, info("imagenet").official
    ('official files', 'folders')
    """
    return SETS[choose("data set", name, NAMES)]


# The colours are those of the data sets' own pictures.
_MASKS = (
    MaskSet(
        "camvid",
        ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car",
         "pedestrian", "bicyclist"),
        ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222),
         (128, 128, 0), (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
        # the channels' mean and deviation over the 367 training images
        mean=(0.414, 0.427, 0.434), std=(0.302, 0.306, 0.302),
        reader=MaskArchive(
            "camvid11_180x240/camvid11_180x240.zip", "SegNet's 11 classes, 180 x 240", ignored=11
        ),
        by_hand="camvid11_180x240/camvid11_180x240.zip",
    ),
    MaskSet(
        "cityscapes",
        ("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
         "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
         "motorcycle", "bicycle"),
        ((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
         (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
         (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
         (0, 80, 100), (0, 0, 230), (119, 11, 32)),
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
        reader=CityscapesFolders("cityscapes"),
        by_hand="the folders cityscapes/leftImg8bit and cityscapes/gtFine",
    ),
    MaskSet(
        "shapes", ("ground", "disc", "box"), ((220, 220, 220), (200, 80, 60), (60, 90, 200)),
        mean=(0.5,) * 3, std=(0.25,) * 3, reader=MadeShapes(),
    ),
)  # fmt: skip

#: The data sets with a class for each pixel: :func:`mgtutorial.data.masks.load` reads them.
MASKS = {record.name: record for record in _MASKS}


def clouds(name):
    """Return the record of a data set of clouds.

    Parameters
    ----------
    name : str
        A key of :data:`CLOUDS`.

    Returns
    -------
    DataSet

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> clouds("modelnet10").size
    1024
    """
    return CLOUDS[choose("data set of clouds", name, CLOUDS)]
