"""What the tests of the pages share: a browser for each process, and one visit of each page."""

import json
import os
import re
import time
from contextlib import suppress

import pytest

from tools import axe
from tools.browser import Browser, missing, served

from ..weekly import WEEKLY_PAGES
from .built import HTML, REDIRECT, SCREENSHOTS, files, lacking
from .visit import visit

PATIENCE = 600  # seconds for a page that another process visits


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory):
    reason, binary, driver = missing()
    if reason:
        lacking(reason)
    found = Browser(binary, driver, tmp_path_factory.mktemp("profile"))
    yield found
    found.driver.quit()


@pytest.fixture
def browser(one_browser):
    one_browser.size(1280)
    one_browser.media()
    return one_browser


@pytest.fixture(scope="session")
def checker():
    """axe-core, or None and the reason."""
    try:
        return axe.source(), None
    except axe.Unavailable as reason:
        return None, str(reason)


@pytest.fixture(scope="session")
def visits(one_browser, checker, tmp_path_factory, worker_id):
    """The facts of each page, from one visit: whichever process comes here takes the next page.

    Some pages wait for the week's visits, and so does a thorough look at notebooks: they have the
    theme of the chapters.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "visits"
    shared.mkdir(exist_ok=True)
    screenshots = SCREENSHOTS if os.environ.get("MGTUTORIAL_SCREENSHOTS") == "1" else None
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    # The largest first, so that all end at the same time.
    pages = sorted((p for p in files() if p != REDIRECT), key=_size, reverse=True)
    weekly = os.environ.get("MGTUTORIAL_WEEKLY") == "1"
    if not weekly:
        pages = [page for page in pages if not re.match(WEEKLY_PAGES, page)]
    marks = {page: shared / page.replace("/", "-") for page in pages}
    with served(HTML) as home:
        places = (HTML.as_uri() + "/", home)
        for page, mark in marks.items():
            with suppress(FileExistsError):  # another's
                mark.touch(exist_ok=False)
                thorough = weekly or not page.startswith("notebooks/")
                facts = visit(one_browser, page, *places, checker[0], screenshots, thorough)
                part = mark.with_suffix(".part")
                part.write_text(json.dumps(facts), encoding="utf-8")
                part.replace(mark.with_suffix(".json"))
    return {page: _told(mark.with_suffix(".json")) for page, mark in marks.items()}


def _size(page):
    return (HTML / page).stat().st_size


def _told(file):
    """Return what another process writes, as soon as it is there."""
    end = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < end, f"the visit of {file.stem} came to no end"
        time.sleep(0.1)
    return json.loads(file.read_text(encoding="utf-8"))
