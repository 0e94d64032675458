"""A small book of a test's own, built by Sphinx in this process."""

from io import StringIO
from pathlib import Path

import pytest

from .built import ROOT


def conf(*extensions, more=""):
    """Return a conf.py that has MyST, formulas, and extensions of the book."""
    return (
        f"import sys\nsys.path.insert(0, {str(ROOT / 'book/_ext')!r})\n"
        f"extensions = {['myst_parser', *extensions]}\nmyst_enable_extensions = ['dollarmath']\n"
        f"{more}\n"
    )


def build(folder):
    """Build the pages of a folder; return where they are, and what Sphinx warned of.

    What extensions register is forgotten afterwards, or the next book would hear of it.
    """
    testing = pytest.importorskip("sphinx.testing.util")
    pytest.importorskip("myst_parser")
    warnings = StringIO()
    app = testing.SphinxTestApp(srcdir=folder, warning=warnings)
    try:
        app.build()
    finally:
        app.cleanup()
    return Path(app.outdir), warnings.getvalue()
