"""A visit of one page of the book: all that the tests want to know of it, from one load."""

from time import sleep

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
# What can differ from the first run: colours in the dark, boxes and targets on a phone.
DARK = ["color-contrast", "link-in-text-block"]
NARROW = ["scrollable-region-focusable", "target-size"]


def visit(browser, page, address, home, axe, screenshots):
    """Open a page and return its facts; each fault is a sentence.

    Parameters
    ----------
    page : str
        The page's place in the build, to name its screenshots.
    address, home : str
        Where it is, and what no request may leave.
    axe : str or None
        The script of axe-core.
    screenshots : Path
    """
    browser.size(1280)
    times = browser.open(address)
    browser.js(EAGER)  # as if one had scrolled to the end
    for _ in range(50):
        if browser.js("return [...document.images].every(i => i.complete)"):
            break
        sleep(0.1)
    facts = browser.js(FACTS)
    facts |= {"loaded": times[0], "ready": times[1], "axe": []}
    if axe:
        browser.js(axe)
    name = page.removesuffix(".html").replace("/", "-")
    for width in (1280, 360):
        browser.size(width)
        sleep(0.3 if width == 360 else 0)  # book.js looks at the boxes again
        facts[f"wide at {width}"] = browser.js(OVERFLOW)
        for mode in ("light", "dark"):
            browser.mode(mode)
            rules = {(1280, "light"): None, (360, "light"): NARROW}.get((width, mode), DARK)
            if axe and (width, mode) != (360, "dark"):
                found = browser.driver.execute_async_script(AXE, rules)
                facts["axe"] += [(*f, f"{mode}, {width} px") for f in found]
            browser.picture(screenshots / f"{name}-{width}-{mode}.png", width)
    browser.size(1280)
    browser.mode("light")
    facts["slider faults"] = [
        f"{ident}: {fault}"
        for ident, _ in facts["sliders"]
        for fault in Slider(browser, ident).try_all()
    ]
    facts["faults"] = browser.log(home)
    return facts


class Slider:
    """A slider of the page that is open."""

    def __init__(self, browser, ident):
        self.browser, self.ident = browser, ident
        rows = browser.driver.find_elements("css selector", f"#{ident} .mg-row")
        self.inputs = [row.find_element("css selector", "input") for row in rows]
        self.buttons = [row.find_element("css selector", "button") for row in rows]
        self.many = [int(i.get_attribute("max")) > 0 for i in self.inputs]

    def try_all(self):
        """Move it in every way; yield what did not work, as sentences."""
        yield from self.by_mouse()
        for k, many in enumerate(self.many):
            if many:
                yield from self.by_keyboard(k)
                yield from self.by_button(k)
                yield from self.without_motion(k)
        yield from self.in_print()

    def shown(self):
        """Source, alternative text and values of what it shows, and whether that is drawn."""
        return self.browser.js(
            "const e = document.getElementById(arguments[0]), i = e.querySelector('img');"
            "return [i.src, i.alt, [...e.querySelectorAll('output')].map(o => o.value),"
            "i.complete && i.naturalWidth > 0]",
            self.ident,
        )

    def drawn(self):
        return self.browser.until(
            "const i = document.getElementById(arguments[0]).querySelector('img');"
            "return i.complete && i.naturalWidth > 0",
            self.ident,
        )

    def by_mouse(self):
        seen = [self.shown()]
        for element in self.inputs:
            for x in (0.98, 0.5, 0.02, 0.98):  # the last leaves it where the next may show more
                self.browser.click(element, x)
                seen.append(self.shown())
        if len({src for src, *_ in seen}) < 2:
            yield "the mouse does not move the picture"
        if len({alt for _, alt, *_ in seen}) < 2:
            yield "the alternative text does not follow"
        if not self.drawn():
            yield "a frame is not drawn"

    def press(self, k, *keys):
        self.browser.js("arguments[0].focus()", self.inputs[k])
        self.browser.press(*keys)

    def by_keyboard(self, k):
        from selenium.webdriver.common.keys import Keys

        moved = False
        # where the others are at one end, this one may have nothing to change
        for others in (Keys.HOME, Keys.END):
            for other in set(range(len(self.inputs))) - {k}:
                self.press(other, others)
            self.press(k, Keys.HOME)
            before = self.shown()
            self.press(k, Keys.ARROW_RIGHT)
            after = self.shown()
            if after[2][k] == before[2][k]:
                yield f"the arrow key does not change value {k}"
            if self.inputs[k].get_attribute("aria-valuetext") != after[2][k]:
                yield f"value {k} is not the one that is said"
            self.press(k, Keys.END)
            moved |= len({before[0], after[0], self.shown()[0]}) > 1
        if not moved:
            yield f"parameter {k} changes nothing"
        outline = self.browser.js("return getComputedStyle(document.activeElement).outlineWidth")
        if float(outline.removesuffix("px")) < 2:
            yield "the focus is not to be seen"

    def by_button(self, k):
        from selenium.webdriver.common.keys import Keys

        self.press(k, Keys.HOME)
        button, before = self.buttons[k], self.shown()[2][k]
        label = button.get_attribute("aria-label")
        if not label.startswith("Play "):
            yield f"button {k} is called {label!r}"
        self.browser.click(button)
        script = "return arguments[0].value !== arguments[1]"
        output = self.browser.driver.find_elements("css selector", f"#{self.ident} output")[k]
        if not self.browser.until(script, output, before, seconds=4):
            yield f"button {k} plays nothing"
        # at once, as it may come to its end by itself
        self.browser.js(
            "const [b] = arguments;"
            "if (b.getAttribute('aria-label').startsWith('Pause ')) b.click()",
            button,
        )
        if button.get_attribute("aria-label") != label:
            yield f"button {k} does not pause"

    def without_motion(self, k):
        from selenium.webdriver.common.keys import Keys

        self.press(k, Keys.HOME)
        self.browser.media(motion="reduce")
        button = self.buttons[k]
        if not self.browser.until(
            "return arguments[0].getAttribute('aria-label').startsWith('Next ')", button
        ):
            yield f"button {k} plays, though less motion was asked for"
        self.browser.click(button)
        values = [self.inputs[k].get_property("value")]
        sleep(0.6)  # longer than a step of playing
        values.append(self.inputs[k].get_property("value"))
        if values != ["1", "1"]:
            yield f"without motion button {k} goes to {values}, and not one value on"
        self.browser.media()

    def in_print(self):
        self.browser.media("print")
        visible = self.browser.js(
            "const e = document.getElementById(arguments[0]);"
            "return [[...e.querySelectorAll('img')].length, ...['img', '.mg-values',"
            "'.mg-controls'].map(s => e.querySelector(s).checkVisibility())]",
            self.ident,
        )
        self.browser.media()
        if visible != [1, True, True, False]:
            yield f"in print, its picture, values and controls are {visible}"
