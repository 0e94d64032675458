"""Make results/fashion_images.npz, the hundred images that come with the package.

    python experiments/fashion_images.py

The data set is found as ``mgtutorial data`` finds it.
"""

import numpy as np

from mgtutorial import _atomic, _paths
from mgtutorial.data import images, sample
from mgtutorial.errors import program

LICENCE = """The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or \
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT \
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT \
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def pack_images():
    """Write the sample of FashionMNIST's test images."""
    chosen = images.load(sample.NAME, "test").take(sample.N)
    arrays = {
        "images": chosen.images[:, 0].numpy(),
        "labels": chosen.labels.numpy().astype(np.uint8),
        "classes": np.array(chosen.classes),
        "licence": np.array(LICENCE),
    }
    path = _paths.results_dir() / sample.FILE
    _atomic.replace(path, lambda file: np.savez_compressed(file, **arrays))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    program(pack_images)
