"""Images that come as JPEG files, decoded."""

import io

import numpy as np

from ..errors import DataDamaged
from .pictures import Unreadable, opened


def decode(blobs, total, title, size, progress=True):
    """Decode JPEG files of one size.

    Parameters
    ----------
    blobs : iterable of (str, bytes)
        Name and content of each file.
    total : int
    title : str
        Written in front of the progress bar.
    size : int
        Pixels along a side, the same for all of them.
    progress : bool
        Show a bar, on a terminal.

    Returns
    -------
    numpy.ndarray
        uint8 (n, 3, size, size); grey files get three equal channels.

    Raises
    ------
    DataDamaged
        Naming the file that is not an image, or is of another size.
    """
    from tqdm import tqdm

    hidden = None if progress else True  # tqdm reads None as: unless on a terminal
    images = np.empty((total, size, size, 3), np.uint8)
    bar = tqdm(blobs, desc=title, total=total, unit=" images", disable=hidden, leave=False)
    for i, (name, blob) in enumerate(bar):
        try:
            image = np.asarray(opened(io.BytesIO(blob), "RGB"))
        except Unreadable as error:
            raise DataDamaged(
                f"the image {name} is damaged ({error}); fetch the data set again."
            ) from error
        if image.shape != images.shape[1:]:
            h, w, _ = image.shape
            raise DataDamaged(
                f"the image {name} has {w} x {h} pixels in place of {size} x {size}; fetch the "
                "data set again."
            )
        images[i] = image
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
