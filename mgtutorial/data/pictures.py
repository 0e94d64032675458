"""One picture file, as it may lie on a disk, opened: 8 bits per channel, or the reason why not."""

import contextlib
import os
import warnings

import numpy as np

#: A file with more pixels is refused unread: Pillow warns there, and a bomb unpacks to more.
MOST_PIXELS = 89_478_485


class Unreadable(ValueError):
    """A file that is not a picture this package takes; its text is the reason."""


def opened(source, mode):
    """Return a picture.

    Parameters
    ----------
    source : path or file
    mode : {"L", "RGB"}
        Grey or in colour.

    Returns
    -------
    PIL.Image.Image
        Of 16 bits per channel, the upper eight.

    Raises
    ------
    Unreadable
        In place of whatever Pillow raises, which has many types.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, str | os.PathLike) and os.path.exists(source):
        if not os.path.isfile(source):  # it would wait for a pipe
            raise Unreadable("no regular file")
    try:
        with warnings.catch_warnings() if _main_thread() else contextlib.nullcontext():
            warnings.simplefilter("ignore")  # of large files and odd text in them: read on
            with Image.open(source) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise Unreadable(
                        f"it has {file.width} x {file.height} pixels, which is too many"
                    )
                return _of_8_bits(file).convert(mode)
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        raise Unreadable("no image format") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise Unreadable(reason) from error


def _main_thread():
    import threading

    return threading.current_thread() is threading.main_thread()


def _of_8_bits(file):
    """Return a picture whose grey values are 0 to 255; Pillow would cut off all values above."""
    from PIL import Image

    # Pillow reads grey files of 16 bits as "I;16" or, in older versions, as "I".
    if not file.mode.startswith(("I", "F")):
        return file
    if not (file.mode.startswith("I;16") or (file.mode == "I" and file.format in ("PNG", "PPM"))):
        raise Unreadable(f"its pixels are of 32 bits ({file.mode}): save it with 8 or 16")
    values = np.asarray(file).astype(np.int64)
    return Image.fromarray((values >> 8).astype(np.uint8))
