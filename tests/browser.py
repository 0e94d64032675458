"""A headless Chromium that visits the built book and says what it found."""

import base64
import json
import shutil
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

# No profile is shared, and no name but this machine's is looked up: what is not in the build fails.
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

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
  math: article.querySelectorAll(".math").length,
  untypeset: [...article.querySelectorAll(".math")].filter(
    e => !e.querySelector("mjx-container")).map(path),
  tabbed: article.querySelectorAll("mjx-container[tabindex='0']").length,
  formulas: article.querySelectorAll("mjx-container").length,
  faulty: [...article.querySelectorAll("mjx-merror")].map(e => e.textContent),
  images: [...document.images].map(i => ({tag: path(i), alt: i.getAttribute("alt"),
    src: i.getAttribute("src").slice(0, 80), drawn: i.naturalWidth > 0 || !i.checkVisibility(),
    figure: article.contains(i)})),
  headings: [...article.querySelectorAll("h1,h2,h3,h4,h5,h6")].map(
    h => [+h.tagName[1], h.textContent]),
  headless: [...article.querySelectorAll("table")].filter(t => !t.querySelector("th")).map(path),
  unnamed: [...document.querySelectorAll("a[href], button, input, select")].filter(e =>
    e.checkVisibility() && !(e.textContent.trim() || e.getAttribute("aria-label") || e.title
    || (e.labels && e.labels.length) || e.placeholder || e.querySelector("img[alt]"))).map(path),
  sliders: [...article.querySelectorAll(".mg-slider")].map(e => e.id),
};
"""

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


class Browser:
    """Chromium with its console and network under watch."""

    def __init__(self, binary, driver, profile):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self.js, self.cdp = self.driver.execute_script, self.driver.execute_cdp_cmd

    def open(self, address):
        """Go to `address` and wait until it is loaded and its formulas are typeset."""
        self.driver.get("about:blank")
        self.log(None)
        self.driver.get(address)
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "const math = () => window.MathJax && MathJax.startup ? MathJax.startup.promise : 0;"
            "const go = () => Promise.resolve(math()).then(() => setTimeout(done, 50));"
            "document.readyState === 'complete' ? go() : addEventListener('load', go);"
        )

    def log(self, home):
        """Faults since the last call: console errors, failed requests, and any away from `home`."""
        faults = [
            f"console: {entry['message']}"
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            params = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith((home or "about:", "data:", "blob:", "about:")):
                    faults.append(f"request: {url}")
            elif message["method"] == "Network.loadingFailed" and not params.get("canceled"):
                faults.append(f"failed: {params['errorText']}")
            elif message["method"] == "Network.responseReceived":
                if params["response"]["status"] >= 400:
                    faults.append(f"{params['response']['status']}: {params['response']['url']}")
        return faults

    def size(self, width, height=900):
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def mode(self, name):
        self.js(
            "const e = document.documentElement; e.dataset.theme = e.dataset.mode = arguments[0]",
            name,
        )

    def picture(self, file, width):
        """Write the whole page, `width` pixels wide, to `file`."""
        height = self.js("return document.documentElement.scrollHeight")
        self.size(width, min(height, 12_000))  # the sidebars stick to the window: make it tall
        shot = self.cdp("Page.captureScreenshot", {"optimizeForSpeed": True})
        file.write_bytes(base64.b64decode(shot["data"]))
        self.size(width)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def click(self, element, x=0.5):
        """A real click of the mouse at the fraction `x` of an element's width."""
        from selenium.webdriver import ActionChains

        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        offset = round((x - 0.5) * element.size["width"])
        ActionChains(self.driver, duration=0).move_to_element_with_offset(
            element, offset, 0
        ).click().perform()

    def until(self, script, *arguments, seconds=5):
        """Wait until `script` returns something true, and return it."""
        stop = time.monotonic() + seconds
        while not (found := self.js(script, *arguments)) and time.monotonic() < stop:
            time.sleep(0.05)
        return found


def missing():
    """What a browser test lacks on this machine, or None, and the two programs."""
    names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
    binary = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        return "no chromium with chromedriver here (Debian: chromium chromium-driver)", None, None
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (the extra 'test' brings it)", None, None
    return None, binary, driver


@contextmanager
def served(folder):
    """Serve `folder` at the address this yields."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=folder))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
