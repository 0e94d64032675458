"""Images as they lie on disks: what is not a data set's own is left out, what is wrong is said."""

import io
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mgtutorial.data import images, pictures
from mgtutorial.data.readers import is_hidden
from mgtutorial.errors import DataDamaged, MgtutorialError

from .made_files import jpegs, make_copy, make_tiny


@pytest.fixture
def folders(places):
    """ImageNet's layout: two classes, three images of 256 x 256 in each."""
    for part in ("train", "val"):
        for k, name in enumerate(("n01", "n02")):
            folder = places / "root" / "imagenet" / part / name
            folder.mkdir(parents=True)
            for i in range(3):
                grey = np.full((256, 256), 40 * i + 100 * k, np.uint8)
                Image.fromarray(grey).save(folder / f"{i}.png")
    return places / "root" / "imagenet"


# --- folders that belong to a notebook, an archive, a file server


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", ".git"]
)
@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_of_the_system_is_no_class(folders, name, filled):
    for part in ("train", "val")[: 1 + filled]:
        (folders / part / name).mkdir()
        if filled:
            shutil.copy(folders / part / "n01" / "0.png", folders / part / name)
    found = images.load("imagenet", "train")
    assert (found.classes, found.n) == (("n01", "n02"), 6)


@pytest.mark.parametrize("name", ["._0.png", ".hidden.png", ".ipynb_checkpoints/0-checkpoint.png"])
def test_a_hidden_file_is_no_image(folders, name):
    before = images.load("imagenet", "train").digest
    target = folders / "train" / "n01" / name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"what a file server keeps")
    assert images.load("imagenet", "train").digest == before
    assert is_hidden(f"n01/{name}")


def test_classes_that_differ_are_named(folders):
    (folders / "train" / "n07").mkdir()
    shutil.copy(folders / "train" / "n01" / "0.png", folders / "train" / "n07")
    with pytest.raises(DataDamaged, match="same classes: n07 is in one of them only"):
        images.load("imagenet", "train")


# --- pixels of another kind


def first(folder):
    found = images.load("imagenet", "train")
    x, _ = next(images.batches(found, 1, shuffle=False))
    return x


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_cut_off(folders, kind):
    ramp = np.linspace(0, 65535, 256)[None].repeat(256, 0).astype(np.uint16)
    (folders / "train" / "n01" / "0.png").unlink()
    Image.fromarray(ramp).save(folders / "train" / "n01" / f"0.{kind.lower()}")
    of_16 = first(folders)
    Image.fromarray((ramp >> 8).astype(np.uint8)).save(folders / "train" / "n01" / "0.png")
    (folders / "train" / "n01" / "0.tiff").unlink(missing_ok=True)
    assert of_16.equal(first(folders)) and of_16.max() - of_16.min() > 3


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_32_bits_are_refused(folders, dtype):
    Image.fromarray(np.linspace(0, 1, 256**2).reshape(256, 256).astype(dtype)).save(
        folders / "train" / "n01" / "0.tiff"
    )
    with pytest.raises(DataDamaged, match=r"0\.tiff.*32 bits"):
        list(images.batches(images.load("imagenet", "train"), 6, shuffle=False))


# --- what Pillow raises has many types


def _bomb(path):
    Image.new("1", (12_000, 12_000)).save(path)


def _text(path):
    info = PngInfo()
    info.add_text("c", "x" * 3 * 2**20, zip=True)
    Image.new("L", (256, 256)).save(path, pnginfo=info)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_bomb, "12000 x 12000 pixels"),
        (_text, "damaged"),
        (lambda path: path.write_bytes(b""), "no image format"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "damaged"),
        (lambda path: path.write_text("<svg/>"), "no image format"),
    ],
    ids=["bomb", "text", "empty", "cut off", "another format"],
)
def test_what_pillow_refuses_is_a_sentence_that_names_the_file(folders, spoil, words):
    spoil(folders / "train" / "n01" / "1.png")
    with pytest.raises(DataDamaged, match=rf"1\.png is damaged.*({words}|\w)"):
        list(images.batches(images.load("imagenet", "train"), 4, shuffle=False))
    with pytest.raises(pictures.Unreadable, match=words if words != "damaged" else r"\w"):
        pictures.opened(folders / "train" / "n01" / "1.png", "RGB")


# --- Tiny ImageNet: twenty-eight ways to differ from what is published


def _write(name, text):
    def spoil(base):
        (base / name).write_text(text)

    return spoil


def _append(name, text):
    def spoil(base):
        with open(base / name, "a") as file:
            file.write(text)

    return spoil


def _gone(name):
    def spoil(base):
        path = base / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def _bytes(name, content):
    return lambda base: (base / name).write_bytes(content)


def _folder(name):
    def spoil(base):
        (base / name).unlink()
        (base / name).mkdir()

    return spoil


def _sized(size):
    def spoil(base):
        (base / _TRAIN).write_bytes(next(jpegs(1, size)))
        (base / _VAL).write_bytes(next(jpegs(1, size)))

    return spoil


def _sorted_by_class(base):
    for line in (base / "val" / "val_annotations.txt").read_text().splitlines():
        file, wnid, *_ = line.split("\t")
        (base / "val" / wnid).mkdir(exist_ok=True)
        (base / "val" / "images" / file).rename(base / "val" / wnid / file)


def _renamed(base):
    for path in (base / "train").rglob("*.JPEG"):
        path.rename(path.with_suffix(".jpg"))


def _strange(base):
    (base / "train" / "n77" / "images").mkdir(parents=True)
    shutil.copy(base / _TRAIN, base / "train" / "n77" / "images" / "n77_0.JPEG")


_TRAIN, _VAL = "train/n01/images/n01_0.JPEG", "val/images/val_0.JPEG"
_NOTES = "val/val_annotations.txt"
DEPARTURES = {
    "no list of classes": _gone("wnids.txt"),
    "an empty list of classes": _write("wnids.txt", ""),
    "a class without images": _append("wnids.txt", "\nn09\n"),
    "classes that are not listed": _write("wnids.txt", "n01\n"),
    "a list of classes that is no text": _bytes("wnids.txt", b"\xff\xfen\x000\x001\x00"),
    "a folder in place of the list": _folder("wnids.txt"),
    "no words": _gone("words.txt"),
    "words that are no text": _bytes("words.txt", b"\xff\xfe\x00"),
    "a folder in place of the words": _folder("words.txt"),
    "no annotations": _gone(_NOTES),
    "empty annotations": _write(_NOTES, ""),
    "annotations that are no text": _bytes(_NOTES, b"\xff\xfe\x00"),
    "annotations without tabs": _write(_NOTES, "val_0.JPEG n01 0 0 62 62\n"),
    "an annotation cut off": _append(_NOTES, "val_1"),
    "a class that is not there": _append(_NOTES, "val_0.JPEG\tn99\t0\t0\t62\t62\n"),
    "an image of two classes": _append(_NOTES, "val_0.JPEG\tn01\t0\t0\t62\t62\n"),
    "an image that is not there": _append(_NOTES, "val_99.JPEG\tn01\t0\t0\t62\t62\n"),
    "a folder in place of annotations": _folder(_NOTES),
    "validation images sorted by class": _sorted_by_class,
    "no training images": _gone("train"),
    "no validation images": _gone("val"),
    "a class folder gone": _gone("train/n02"),
    "a class folder too many": _strange,
    "other suffixes": _renamed,
    "an empty image": lambda base: [(base / p).write_bytes(b"") for p in (_TRAIN, _VAL)],
    "no image at all": lambda base: [(base / p).write_text("404") for p in (_TRAIN, _VAL)],
    "an image of another size": _sized(32),
    "a single pixel": _sized(1),
}
#: What is harmless: the same images as without it.
HARMLESS = {
    "a blank line in the annotations": _append(_NOTES, "\n\n"),
    "a blank line in the classes": _append("wnids.txt", "\n\n"),
    "a class listed twice": _append("wnids.txt", "\nn01\n"),
    "an annotation twice": lambda base: _append(
        _NOTES, (base / _NOTES).read_text().splitlines()[0] + "\n"
    )(base),
    "lines as Windows ends them": lambda base: (base / _NOTES).write_bytes(
        (base / _NOTES).read_bytes().replace(b"\n", b"\r\n")
    ),
    "a mark of the byte order": lambda base: (base / "wnids.txt").write_bytes(
        b"\xef\xbb\xbf" + (base / "wnids.txt").read_bytes()
    ),
    "words without a tab": _append("words.txt", "\nno tab\n"),
    "a folder of a notebook": lambda base: (base / "train" / ".ipynb_checkpoints").mkdir(),
    "a file of a file server": _bytes("train/n01/images/._n01_0.JPEG", b"x"),
}


def test_there_are_twenty_eight_departures():
    assert len(DEPARTURES) == 28


@pytest.mark.parametrize("spoil", DEPARTURES.values(), ids=DEPARTURES)
def test_each_departure_from_tiny_imagenet_is_a_sentence(places, spoil):
    spoil(make_tiny(places / "root"))
    said = []
    for split in ("train", "test"):
        try:
            images.load("tiny-imagenet", split, progress=False)
        except MgtutorialError as error:  # nothing else may come
            said.append(str(error))
    assert said and all(s.rstrip().endswith(".") and "\n" not in s for s in said)


@pytest.mark.parametrize("add", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_changes_nothing(places, add):
    base = make_tiny(places / "root")
    before = [images.load("tiny-imagenet", s, progress=False).digest for s in ("train", "test")]
    add(base)
    after = [images.load("tiny-imagenet", s, progress=False).digest for s in ("train", "test")]
    assert after == before


def test_a_part_of_the_images_is_not_called_like_the_whole(places, folders):
    make_tiny(places / "root")
    for name in ("tiny-imagenet", "imagenet"):
        found = images.load(name, "train", progress=False)
        assert " of " in found.source, found.source


# --- copies in one file


def _change(path, **arrays):
    with np.load(path) as file:
        kept = dict(file)
    np.savez(path, **(kept | arrays))
    (path.parent / "SHA256SUMS").unlink(missing_ok=True)


def _blobs(size):
    content = [*jpegs(99), *jpegs(1, size)]
    return {
        "train_jpeg": np.frombuffer(b"".join(content), np.uint8),
        "train_offsets": np.cumsum([0, *map(len, content)]),
    }


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (_blobs(1), "1 x 1 pixels in place of 32 x 32"),
        (_blobs(64), "64 x 64 pixels"),
        ({"train_y": np.full(100, -1)}, "labels .* go from -1"),
        ({"train_y": np.full(100, 99)}, "to 99, and there are 10 classes"),
        ({"train_y": np.full(100, np.nan)}, "whole numbers"),
        ({"train_y": np.zeros((100, 1), int)}, "whole numbers"),
        ({"train_offsets": np.linspace(0, 9, 101)}, "whole numbers"),
        ({"train_offsets": np.arange(101)[::-1].copy()}, "rising"),
        ({"train_y": np.zeros(3, int)}, "rising"),
        ({"train_y": np.zeros(0, int), "train_offsets": np.zeros(1, int)}, "shape"),
    ],
    ids=["one pixel", "larger", "-1", "99", "nan", "2-d", "floats", "falling", "few", "none"],
)
def test_what_a_copy_holds_is_checked_without_a_digest_too(places, arrays, words):
    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    make_copy(path)
    _change(path, **arrays)
    with pytest.raises(DataDamaged, match=words):
        images.load("cifar10", "train", progress=False)


def test_a_header_that_claims_a_hundred_gigabytes_is_a_sentence(places):
    import zipfile

    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    make_copy(path)
    (path.parent / "SHA256SUMS").unlink()
    head = io.BytesIO()
    claimed = {"descr": "|u1", "fortran_order": False, "shape": (10**15,)}
    np.lib.format.write_array_header_1_0(head, claimed)
    with np.load(path) as file:
        kept = dict(file)
    del kept["train_jpeg"]
    np.savez(path, **kept)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_jpeg.npy", head.getvalue() + b"x")
    with pytest.raises(DataDamaged, match="cannot be read"):
        images.load("cifar10", "train", progress=False)


# --- folders that may not be entered, and caches that serve many


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone steps down")
@pytest.mark.parametrize("inside", ["", "imagenet", "tiny-imagenet-200"])
def test_a_folder_that_may_not_be_entered_is_no_traceback(tmp_path, inside):
    script = (
        "import os, sys, torch, platformdirs, filelock, PIL.Image, sklearn.datasets\n"
        "import mgtutorial.cli, mgtutorial.data.sources\n"
        "from mgtutorial._torchvision import torchvision; torchvision()\n"
        "os.setegid(65534); os.seteuid(65534)\n"
        "sys.exit(mgtutorial.cli.main(['data', '--root', sys.argv[1]]))\n"
    )
    root = tmp_path / "root"
    (root / inside).mkdir(parents=True)
    (root / inside).chmod(0o700)
    for folder in (tmp_path, *([root] if inside else [])):
        folder.chmod(0o755)
    places = {"MGTUTORIAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(root)],
        capture_output=True, text=True, env={**os.environ, **places},
    )  # fmt: skip
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr, done.stderr[-300:]


def test_what_is_kept_can_be_read_by_whom_the_umask_lets(places):
    make_tiny(places / "root")
    before = os.umask(0o022)
    try:
        images.load("tiny-imagenet", "train", progress=False)
    finally:
        os.umask(before)
    kept = list((places / "cache" / "decoded").glob("*.npz"))
    assert kept and all(f.stat().st_mode & 0o044 == 0o044 for f in kept)


def test_a_file_changed_in_place_with_its_time_put_back_is_noticed(places):
    base = make_tiny(places / "root")
    before = images.load("tiny-imagenet", "train", progress=False)
    victim = base / _TRAIN
    stat, other = victim.stat(), list(jpegs(9, 64))[8]
    victim.write_bytes(other + b"\0" * max(0, stat.st_size - len(other)))
    os.truncate(victim, max(stat.st_size, len(other)))
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert images.load("tiny-imagenet", "train", progress=False).digest != before.digest


def test_nothing_is_drawn_where_there_is_no_terminal(places, capfd):
    make_tiny(places / "root")
    images.load("tiny-imagenet", "train")
    assert capfd.readouterr().err == ""
