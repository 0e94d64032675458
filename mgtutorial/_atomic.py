"""Write a file completely or not at all."""

import os
import uuid


def replace(path, content):
    """Write a file completely or not at all, readable by those whom the umask allows.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is created if need be.
    content : str, bytes or callable
        Text is encoded as UTF-8; a callable is passed the file, opened for writing bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # not tempfile's, which nobody but the owner could read: a cache may serve many
    temporary = path.with_name(f".partial-{uuid.uuid4().hex[:12]}")
    try:
        with open(temporary, "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
