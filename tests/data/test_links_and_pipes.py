"""Folders of images with links and pipes in them."""

import os
import shutil

import pytest

from mgtutorial.data import images
from mgtutorial.errors import DataDamaged

from . import test_files_on_disks

folders = test_files_on_disks.folders


@pytest.mark.parametrize("leads", ["n01", "", "..", "n01/sub"])
def test_a_link_that_leads_back_up_multiplies_no_image(folders, leads):
    """Links are followed, so those of a folder elsewhere count; forty times round they do not."""
    before = images.load("imagenet", "train")
    (folders / "train" / "n01" / "sub").mkdir()
    (folders / "train" / "n01" / "sub" / "back").symlink_to(folders / "train" / leads)
    (folders / "elsewhere").mkdir()
    shutil.copy(folders / "val" / "n01" / "0.png", folders / "elsewhere" / "9.png")
    (folders / "train" / "n02" / "more").symlink_to(folders / "elsewhere")
    found = images.load("imagenet", "train")
    assert (found.n, found.classes) == (before.n + 1, before.classes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_with_the_name_of_an_image_is_not_waited_for(folders):
    os.mkfifo(folders / "train" / "n01" / "7.png")
    found = images.load("imagenet", "train")
    with pytest.raises(DataDamaged, match=r"7\.png is damaged \(no regular file"):
        list(images.batches(found, 3, shuffle=False))
