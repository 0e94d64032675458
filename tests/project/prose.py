"""A sentence of a page, which a test holds."""

from pathlib import Path

from mgtutorial.reproduction import prose_check

ROOT = Path(__file__).parents[2]


def says(page, *sentences):
    """Whether a page of the book, or a notebook, has the sentences, however its lines are broken.

    `mgtutorial tables --check` reads these calls, too: a percentage on a page stands in one of them
    or belongs to a network (:mod:`mgtutorial.reproduction.prose_check`).
    """
    path = ROOT / (page if "/" in page else f"book/{page}.md")
    text = " ".join(prose_check.prose(path).split())
    for sentence in sentences:
        assert sentence in text, sentence
