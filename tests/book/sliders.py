"""Sliders of a page that is open: each is moved in every way that a reader has.

What has to be waited for is begun on all sliders of the page, and waited for once.
"""

from time import sleep

# At once, as it may come to its end by itself.
PAUSE = """
for (const b of arguments[0]) if (b.getAttribute("aria-label").startsWith("Pause ")) b.click()
"""


def try_all(browser, idents):
    """Move the sliders of these ids in every way; return what did not work, as sentences."""
    sliders = [Slider(browser, ident) for ident in idents]
    if not sliders:
        return []
    faults = [fault for s in sliders for fault in s.by_mouse()]
    faults += [fault for s in sliders for k in s.movable for fault in s.by_keyboard(k)]
    faults += [fault for s in sliders for k in s.movable for fault in s.by_button(k)]
    for k in range(max(len(s.inputs) for s in sliders)):  # of one slider, one button plays
        faults += play(browser, [s for s in sliders if k in s.movable], k)
    return faults + without_motion(browser, sliders) + in_print(browser, sliders)


def play(browser, sliders, k):
    """Let parameter `k` of some sliders play, all at once, until each has gone on."""
    buttons, outputs = [s.buttons[k] for s in sliders], [s.outputs[k] for s in sliders]
    before = browser.js(
        "arguments[0].forEach(b => b.click()); return arguments[1].map(o => o.value)",
        buttons, outputs,
    )  # fmt: skip
    faults = [
        s.fault(f"button {k} plays nothing")
        for s, output, value in zip(sliders, outputs, before, strict=True)
        if not browser.until("return arguments[0].value !== arguments[1]", output, value, seconds=4)
    ]
    browser.js(PAUSE, buttons)
    return faults


def without_motion(browser, sliders):
    """Press all buttons where less motion is asked for: each goes on by one value, and stays."""
    from selenium.webdriver.common.keys import Keys

    browser.media(motion="reduce")
    faults, pressed = [], []
    for s in sliders:
        for k in s.movable:
            s.press(k, Keys.HOME)
            if not browser.until(
                "return arguments[0].getAttribute('aria-label').startsWith('Next ')", s.buttons[k]
            ):
                faults.append(s.fault(f"button {k} plays, though less motion was asked for"))
            browser.click(s.buttons[k])
            pressed.append((s, k, s.inputs[k].get_property("value")))
    sleep(0.6)  # longer than a step of playing
    for s, k, value in pressed:
        values = [value, s.inputs[k].get_property("value")]
        if values != ["1", "1"]:
            faults.append(s.fault(f"without motion button {k} goes to {values}, not one value on"))
    browser.media()
    return faults


def in_print(browser, sliders):
    """Look at the page as a printer does: one picture, its values, and no controls."""
    browser.media("print")
    visible = browser.js(
        "return arguments[0].map(ident => {"
        "const e = document.getElementById(ident);"
        "return [[...e.querySelectorAll('img')].length, ...['img', '.mg-values',"
        "'.mg-controls'].map(s => e.querySelector(s).checkVisibility())]})",
        [s.ident for s in sliders],
    )
    browser.media()
    return [
        s.fault(f"in print, its picture, values and controls are {found}")
        for s, found in zip(sliders, visible, strict=True)
        if found != [1, True, True, False]
    ]


class Slider:
    """A slider of the page that is open."""

    def __init__(self, browser, ident):
        self.browser, self.ident = browser, ident
        rows = browser.driver.find_elements("css selector", f"#{ident} .mg-row")
        self.inputs = [row.find_element("css selector", "input") for row in rows]
        self.buttons = [row.find_element("css selector", "button") for row in rows]
        self.outputs = [row.find_element("css selector", "output") for row in rows]
        self.movable = [k for k, i in enumerate(self.inputs) if int(i.get_attribute("max")) > 0]

    def fault(self, sentence):
        return f"{self.ident}: {sentence}"

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
            yield self.fault("the mouse does not move the picture")
        if len({alt for _, alt, *_ in seen}) < 2:
            yield self.fault("the alternative text does not follow")
        if not self.drawn():
            yield self.fault("a frame is not drawn")

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
                yield self.fault(f"the arrow key does not change value {k}")
            if self.inputs[k].get_attribute("aria-valuetext") != after[2][k]:
                yield self.fault(f"value {k} is not the one that is said")
            self.press(k, Keys.END)
            moved |= len({before[0], after[0], self.shown()[0]}) > 1
        if not moved:
            yield self.fault(f"parameter {k} changes nothing")
        outline = self.browser.js("return getComputedStyle(document.activeElement).outlineWidth")
        if float(outline.removesuffix("px")) < 2:
            yield self.fault("the focus is not to be seen")

    def by_button(self, k):
        from selenium.webdriver.common.keys import Keys

        self.press(k, Keys.HOME)
        button = self.buttons[k]
        label = button.get_attribute("aria-label")
        if not label.startswith("Play "):
            yield self.fault(f"button {k} is called {label!r}")
        self.browser.click(button)
        says = button.get_attribute("aria-label")
        if says != label.replace("Play", "Pause", 1):
            yield self.fault(f"button {k} is called {says!r} while it plays")
        self.browser.js(PAUSE, [button])
        if button.get_attribute("aria-label") != label:
            yield self.fault(f"button {k} does not pause")
