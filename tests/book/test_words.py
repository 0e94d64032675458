"""Words of a sentence that set the figure beside them, by mouse and by keyboard."""

import html
import json
import re

import pytest

from .built import HTML, written

pytestmark = [pytest.mark.book, pytest.mark.timeout(600)]
WORDS = re.compile(r'<button type="button" class="mg-set".*?</button>', re.DOTALL)
PAGES = {
    "book/coarsening.html": 6,
    "book/cycle_polynomials.html": 2,
    "book/fas.html": 7,
    "book/from_multigrid_to_networks.html": 2,
    "book/mgiad.html": 5,
    "book/mgic.html": 4,
    "book/mgnet.html": 2,
    "book/poly_mgnet.html": 3,
    "book/polynomial_smoothers.html": 4,
    "book/smoothing.html": 5,
    "book/spectra.html": 5,
    "book/symbols.html": 8,
    "book/transposes.html": 2,
    "book/two_grid_theory.html": 2,
}

# What a figure shows now: each slider's words and number by label, and its text for the ear.
STATE = """
const figure = document.getElementById(arguments[0]), found = {};
figure.querySelectorAll('.mg-row, label.mg-stage-row').forEach(row => {
  const name = row.querySelector('label, span').textContent;
  found[name] = [row.querySelector('output').textContent, row.querySelector('input').value];
});
return [found, [...figure.querySelectorAll('.mg-stage-words, .mg-frame img')].map(
  e => e.alt || e.textContent).join()];
"""

POSITIONS = "return !!document.getElementById(arguments[0]).querySelector('.mg-data')"
BUTTON = """
return [...document.querySelectorAll(`#${arguments[0]} [role=group]`)].filter(
  g => g.ariaLabel === arguments[1]).flatMap(g => [...g.querySelectorAll('button')]).find(
  b => b.textContent === arguments[2])
"""


@pytest.fixture(autouse=True)
def at_once(browser):
    browser.media(motion="reduce")


def test_only_these_pages_have_such_words():
    counts = {p: len(WORDS.findall((HTML / p).read_text(encoding="utf-8"))) for p in written()}
    assert {page: n for page, n in counts.items() if n} == PAGES


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
@pytest.mark.parametrize("page", PAGES)
def test_every_one_sets_its_figure_to_what_it_says(browser, page, how):
    from selenium.webdriver.common.keys import Keys

    browser.open((HTML / page).as_uri())
    said = []
    for words in browser.driver.find_elements("css selector", "button.mg-set"):
        figure = words.get_attribute("data-figure")
        wanted = json.loads(html.unescape(words.get_attribute("data-values")))
        if how == "mouse":
            browser.click(words)
        else:
            browser.js("arguments[0].focus()", words)
            browser.press(Keys.SPACE)
        state, text = browser.js(STATE, figure)
        said.append((figure, text))
        for label, value in wanted.items():
            if label in state:  # by its words, or by its number where positions have none
                words_of, number = state[label]
                assert value == words_of or not browser.js(POSITIONS, figure), label
                assert value == words_of or float(value) == float(number), label
            else:  # one of its buttons, which would have done the same
                own = browser.js(BUTTON, figure, label, value)
                assert own, (label, value)
                browser.click(own)
                assert browser.js(STATE, figure)[1] == text
    assert len(set(said)) == PAGES[page], "each says something else"
    assert browser.log(HTML.as_uri()) == []


def test_in_print_they_are_words_like_others(browser):
    browser.open((HTML / "book/smoothing.html").as_uri())
    browser.media("print")
    border, same = browser.js(
        "const b = document.querySelector('button.mg-set');"
        "const [own, around] = [b, b.parentElement].map(e => getComputedStyle(e));"
        "return [own.borderBottomWidth, own.color === around.color]"
    )
    browser.media()
    assert border == "0px" and same
