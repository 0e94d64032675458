"""A visit of one page of the book: all that the tests want to know of it, from one load."""

from time import sleep

from .sliders import try_all

# Everything the tests ask of a page, in one script.
FACTS = r"""
const article = document.querySelector(".bd-article") || document.querySelector("main");
const shown = article.cloneNode(true);
const not_prose = "script, style, code, pre, mjx-container, .math, svg, .headerlink, button";
shown.querySelectorAll(not_prose).forEach(e => e.remove());
const path = e => e.outerHTML.slice(0, 150);
return {
  title: document.title,
  text: shown.textContent.replace(/[ \t]+/g, " "),
  untypeset: [...article.querySelectorAll(".math")].filter(
    e => !e.querySelector("mjx-container")).map(path),
  formulas: article.querySelectorAll("mjx-container").length,
  faulty: [...article.querySelectorAll("mjx-merror")].map(e => e.textContent),
  idle: [...article.querySelectorAll("mjx-container[tabindex='0']")].filter(
    e => e.scrollWidth <= e.clientWidth).length,
  images: [...document.images].map(i => ({tag: path(i), alt: i.getAttribute("alt"),
    src: i.getAttribute("src").slice(0, 80), drawn: i.naturalWidth > 0 || !i.checkVisibility(),
    figure: article.contains(i)})),
  headings: [...article.querySelectorAll("h1,h2,h3,h4,h5,h6")].map(
    h => [+h.tagName[1], h.textContent]),
  headless: [...article.querySelectorAll("table")].filter(t => !t.querySelector("th")).map(path),
  unnamed: [...document.querySelectorAll("a[href], button, input, select")].filter(e =>
    e.checkVisibility() && !(e.textContent.trim() || e.getAttribute("aria-label") || e.title
    || (e.labels && e.labels.length) || e.placeholder || e.querySelector("img[alt]"))).map(path),
  sliders: [...article.querySelectorAll(".mg-slider")].map(e => [e.id, e.outerHTML.length]),
};
"""

EAGER = "document.querySelectorAll('img[loading=lazy]').forEach(i => { i.loading = 'eager' })"

# What sticks out of the text to the right and is not in a box of its own that scrolls.
OVERFLOW = r"""
const width = document.documentElement.clientWidth, found = [];
if (document.documentElement.scrollWidth > width)
  found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
const article = document.querySelector(".bd-article");
const boxed = e => { for (let p = e.parentElement; p !== article; p = p.parentElement)
  if (["auto", "scroll"].includes(getComputedStyle(p).overflowX)) return true; return false };
const parts = "p, li, img, table, pre, mjx-container, input";
for (const e of article ? article.querySelectorAll(parts) : [])
  if (e.checkVisibility() && e.getBoundingClientRect().right > width && !boxed(e)
      && !["auto", "scroll"].includes(getComputedStyle(e).overflowX))
    found.push(e.outerHTML.slice(0, 150));
return found.slice(0, 5);
"""

# Where a page's first picture begins, and the code that is wider than its box, unfolded.
CODE = r"""
const image = document.querySelector(".bd-article img");
const top = image && image.getBoundingClientRect().top + scrollY;
const folded = [...document.querySelectorAll("details:not([open])")];
folded.forEach(d => { d.open = true });
const code = [...document.querySelectorAll(".cell_input pre")];
const wide = code.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent);
folded.forEach(d => { d.open = false });
return {"first picture": top, "cells": code.length, "wide code": wide};
"""

# On a phone: where the captions of tables end, and the tracks of sliders beside their boxes.
PHONE = r"""
const range = document.createRange();
const end = e => { range.selectNodeContents(e); return range.getBoundingClientRect().right };
return {
  captions: [...document.querySelectorAll(".bd-article table caption")].map(
    e => [e.textContent.slice(0, 30), end(e)]),
  tracks: [...document.querySelectorAll(".mg-slider input")].map(
    e => [e.offsetWidth, e.closest(".mg-slider").offsetWidth]),
};
"""

# On A4 with the margins of a browser 718 pixels are left for the text.
PAPER = 718
LEAVES_THE_PAPER = r"""
const article = document.querySelector(".bd-article");
const right = article && article.getBoundingClientRect().right + 1;
return (article ? [...article.querySelectorAll("td, th, img.mg-figure")] : []).filter(e =>
  e.checkVisibility() && e.getBoundingClientRect().right > right
).map(e => e.outerHTML.slice(0, 80));
"""

# For axe, which takes its time for each element. The inside of a formula, which it is told to leave
# out, gives way to its words and an empty box of its size; a word of code to bare text, if its
# block has another of the same class, which alone says how it looks.
THIN = r"""
const drawn = [...document.querySelectorAll("mjx-math")];
const sizes = drawn.map(e => [e.offsetWidth, e.offsetHeight]);
drawn.forEach((e, n) => {
  e.replaceChildren();
  const size = `width: ${sizes[n][0]}px; height: ${sizes[n][1]}px`;
  e.style.cssText += `; display: inline-block; ${size}` });
document.querySelectorAll("mjx-assistive-mml").forEach(e => e.replaceChildren(e.textContent));
for (const block of document.querySelectorAll(".highlight pre")) {
  const seen = new Set();
  for (const e of [...block.children].filter(e => e.matches("span:not([id])")))
    if (!e.children.length) {
      if (seen.has(e.className)) e.replaceWith(e.textContent);
      seen.add(e.className) }
  block.normalize() }
"""

# The inside of a formula is drawn by MathJax: its colour is that of the text around it.
AXE = """
const done = arguments[1], rules = arguments[0];
// Without "preload", which fetches style sheets anew: that is forbidden to a page from disk.
const options = {resultTypes: ["violations"], preload: false};
if (rules) options.runOnly = {type: "rule", values: rules};
axe.run({exclude: [["mjx-math"], ["mjx-assistive-mml"]]}, options).then(
  result => done(result.violations.flatMap(v => v.nodes.map(
    n => [v.impact, v.id, n.target.join(" "), n.failureSummary.split("\\n").slice(1).join("; "),
          n.html.slice(0, 200)]))),
  error => done([["critical", "axe itself", "", String(error), ""]]));
"""
LOOKED = "return !document.querySelector('.bd-article') || mgtutorial.boxes"  # 404.html has none
# What can differ from the first run: colours in the dark, boxes and targets on a phone.
DARK = ["color-contrast", "link-in-text-block"]
NARROW = ["scrollable-region-focusable", "target-size"]


def visit(browser, page, home, served, axe, screenshots=None, thorough=True):
    """Open a page and return its facts; each fault is a sentence.

    Parameters
    ----------
    page : str
        The page's place in the build.
    home, served : str
        Where the build is on disk, and on a server: what no request may leave.
    axe : str or None
        The script of axe-core.
    screenshots : Path, optional
        Where to leave its pictures.
    thorough : bool
        False: from disk only, and for axe only wide and light, where it applies all its rules.
    """
    browser.size(1280)
    browser.media()
    faults = []
    if thorough:
        browser.load(served + page)
        faults = browser.log(served)
    times = browser.open(home + page)
    browser.js(EAGER)  # as if one had scrolled to the end
    browser.until("return [...document.images].every(i => i.complete)")
    facts = browser.js(FACTS) | browser.js(CODE)
    facts |= {"loaded": times[0], "ready": times[1], "served faults": faults}
    # Each width has the page laid out anew: what is asked at one width is asked together.
    facts["wide at 1280"] = _wide(browser, page, 1280, screenshots)
    browser.size(PAPER)
    browser.media("print")
    facts["leaves the paper"] = browser.js(LEAVES_THE_PAPER)
    browser.media()
    facts["wide at 360"] = _wide(browser, page, 360, screenshots)
    facts |= browser.js(PHONE)
    facts["axe"] = _accessibility(browser, axe, thorough) if axe else []
    browser.size(1280)
    browser.mode("light")
    facts["slider faults"] = try_all(browser, [ident for ident, _ in facts["sliders"]])
    facts["faults"] = browser.log(home)
    return facts


def _wide(browser, page, width, screenshots):
    """Return what sticks out of the page at a width, and take its pictures."""
    browser.size(width)
    found = browser.js(OVERFLOW)
    if screenshots:
        _photograph(browser, page, width, screenshots)
    return found


def _photograph(browser, page, width, folder):
    name = page.removesuffix(".html").replace("/", "-")
    for mode in ("light", "dark"):
        browser.mode(mode)
        browser.picture(folder / f"{name}-{width}-{mode}.png", width)


def _accessibility(browser, axe, thorough):
    """Return what axe finds on the page that is open: light and dark, wide and narrow."""
    looks = (360, "light", NARROW), (1280, "light", None), (1280, "dark", DARK)
    found = []
    browser.js(axe)
    browser.js(THIN)
    looks = looks if thorough else looks[1:2]
    for first, (width, mode, rules) in zip((True, False, False), looks, strict=False):
        browser.size(width)
        browser.mode(mode)
        if mode == "light":
            # at a new width book.js, on a page of the theme, looks at the boxes again, and the
            # theme, 0.3 s after the event, at code and tables
            browser.js("dispatchEvent(new Event('resize'))")
            sleep(0.6 if first else 0)
            assert browser.until(LOOKED, seconds=20), "book.js did not look"
        results = browser.driver.execute_async_script(AXE, rules)
        found += [(*result, f"{mode}, {width} px") for result in results]
    return found
