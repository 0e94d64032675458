"""The hundred images that come with the package."""

import numpy as np
import pytest
import torch

from mgtutorial import _paths
from mgtutorial.data import batches, load, load_sample, sample
from mgtutorial.errors import MgtutorialError


def test_they_are_the_first_hundred_of_the_official_files():
    try:
        official = load("fashion-mnist", "test").take(sample.N)
    except MgtutorialError as error:
        pytest.skip(str(error))
    ours = load_sample()
    assert torch.equal(ours.images, official.images) and ours.classes == official.classes
    assert torch.equal(ours.labels, official.labels) and ours.digest == official.digest


def test_they_need_no_data_set_and_no_network(places):
    ours = load_sample()
    assert ours.labels.bincount().tolist() == [10] * 10 and ours.split == "test"
    x, y = next(batches(ours, ours.n, shuffle=False))
    assert x.shape == (100, 1, 28, 28) and len(set(y.tolist())) == ours.num_classes == 10


def test_the_file_is_small_and_says_whose_they_are():
    path = _paths.packaged_results() / sample.FILE
    assert path.stat().st_size < 60_000
    with np.load(path, allow_pickle=False) as file:
        licence = str(file["licence"])
    assert "Copyright (c) 2017 Zalando SE" in licence and "Permission is hereby granted" in licence
