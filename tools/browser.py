"""A headless Chromium that visits the built book and says what it found."""

import base64
import json
import shutil
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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
        self.driver.set_script_timeout(120)
        self.js, self.cdp = self.driver.execute_script, self.driver.execute_cdp_cmd

    def load(self, address):
        """Go to `address`, until all that it asks for is there; formulas may still be typeset."""
        self.driver.get("about:blank")
        self.log(None)
        self.driver.get(address)

    def open(self, address):
        """Go to `address`; return the seconds until it is loaded, and all its formulas typeset."""
        self.load(address)
        return self.driver.execute_async_script(
            "const done = arguments[0];"
            "const math = () => (window.mgtutorial || {}).formulas && mgtutorial.formulas.done;"
            "const times = () => [performance.getEntriesByType('navigation')[0].loadEventStart"
            " / 1000, performance.now() / 1000];"
            "const go = () => Promise.resolve(math()).then(() => {"
            " const found = times(); setTimeout(() => done(found), 50)});"
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

    def media(self, kind="", motion="no-preference"):
        """Look at the page as a printer does, or as a reader who asked for less motion."""
        features = [{"name": "prefers-reduced-motion", "value": motion}]
        self.cdp("Emulation.setEmulatedMedia", {"media": kind, "features": features})

    def mode(self, name):
        """Show the page light or dark, at once."""
        self.js(
            "if (!document.getElementById('at-once')) document.head.insertAdjacentHTML("
            "'beforeend', '<style id=at-once>*,:before,:after{transition:none!important}</style>')"
        )
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


class Silent(SimpleHTTPRequestHandler):
    """Serves a folder at a prefix, as GitHub does: its 404.html wherever nothing is found."""

    prefix = "/"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith(self.prefix):
            self.path = "/" + self.path.removeprefix(self.prefix)
            if Path(self.translate_path(self.path)).exists():
                return super().do_GET()
        page = Path(self.directory, "404.html").read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, prefix="/"):
    """Serve `folder` at the address this yields."""
    handler = partial(type("Handler", (Silent,), {"prefix": prefix}), directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
