"""Images that come as JPEG files, decoded."""

import io

import numpy as np

from ..errors import DataDamaged


def decode(blobs, total, title, progress=True):
    """Decode JPEG files of one size.

    Parameters
    ----------
    blobs : iterable of (str, bytes)
        Name and content of each file.
    total : int
    title : str
        Stands before the progress bar.
    progress : bool

    Returns
    -------
    numpy.ndarray
        uint8 (n, 3, h, w); grey files get three equal channels.

    Raises
    ------
    DataDamaged
        Naming the file that is no image.
    """
    from PIL import Image, UnidentifiedImageError
    from tqdm import tqdm

    images = None
    bar = tqdm(blobs, desc=title, total=total, unit=" images", disable=not progress, leave=False)
    for i, (name, blob) in enumerate(bar):
        try:
            image = np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))
        except Exception as error:  # Pillow raises several types for a broken file
            reason = "no image format" if isinstance(error, UnidentifiedImageError) else error
            raise DataDamaged(
                f"the image {name} is damaged ({reason}); fetch the data set again."
            ) from error
        if images is None:
            images = np.empty((total, *image.shape), np.uint8)
        images[i] = image
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
