"""axe-core, the accessibility checker: fetched from npm once, and checked before it is run."""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.14.1"
# As npm states it: `npm view axe-core@VERSION dist.integrity`
INTEGRITY = "sha512-" + (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
CACHE = Path(__file__).parents[1] / "_build" / f"axe-core-{VERSION}.tgz"


class Unavailable(Exception):
    """Why there is no axe-core, as a sentence."""


def checked(package):
    """Return the bytes of a package, or raise :class:`Unavailable` if they are not what we know."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != INTEGRITY:
        raise Unavailable(f"axe-core {VERSION} has the digest {found}, and not {INTEGRITY}")
    return package


def fetched():
    """Return the package, from the build folder or from npm."""
    if CACHE.exists():
        return checked(CACHE.read_bytes())
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not here to fetch axe-core with (it comes with Node.js)")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--ignore-scripts"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Unavailable("npm did not fetch axe-core within two minutes") from None
        packages = list(Path(folder).glob("*.tgz"))
        if done.returncode or not packages:
            why = done.stderr.strip()[-300:]
            raise Unavailable(f"npm could not fetch axe-core {VERSION}: {why}")
        package = checked(packages[0].read_bytes())
    CACHE.parent.mkdir(exist_ok=True)
    CACHE.write_bytes(package)
    return package


def source():
    """Return the script, or raise :class:`Unavailable`."""
    with tarfile.open(fileobj=io.BytesIO(fetched())) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()
