"""A file that is there completely or not at all."""

import os
import tempfile


def replace(path, content):
    """Write a file so that it is there completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content) if isinstance(content, bytes) else content(file)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
