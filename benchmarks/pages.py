"""What a reader with a phone on a slow line waits for: the first paint, and a page that answers.

Chromium loads a page of the built book as if over a line with 1.6 Mbit/s and 150 ms to the server,
and as if on a processor four times slower; nothing is in its cache, and the server compresses, as
that of the public pages does. A page is usable when the formulas in view are typeset and, from
then on, no task keeps it from answering for more than a fifth of a second.
"""

import gzip
import tempfile
import time
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

from mgtutorial import _paths
from tools.browser import Browser, Silent, missing

HTML = _paths.checkout() / "_build" / "html"
PAGES = ("book/index", "book/smoothing", "notebooks/spectra")
LINE = {"latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SLOWER = 4
#: Longer than this, in ms, a tap goes unanswered.
LONG = 200

# Before anything of the page runs: note every task that is longer than 50 ms.
WATCH = """
window.longTasks = [];
new PerformanceObserver(list => list.getEntries().forEach(
  e => longTasks.push([e.startTime, e.startTime + e.duration])
)).observe({type: "longtask", buffered: true});
"""

FACTS = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
const formulas = window.mgtutorial && mgtutorial.formulas;
const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
return {
  paint: paint && paint.startTime, loaded, now: performance.now(), tasks: longTasks,
  seen: formulas ? formulas.inView || 0 : 1, all: formulas ? formulas.all || 0 : loaded,
  sent: performance.getEntriesByType("resource").concat(
    performance.getEntriesByType("navigation")).reduce((sum, e) => sum + e.encodedBodySize, 0),
};
"""


class Packed(Silent):
    """A server that compresses what is text, and keeps a connection open."""

    protocol_version = "HTTP/1.1"
    texts = (".html", ".css", ".js", ".svg", ".json")

    def do_GET(self):
        path = self.translate_path(self.path.split("?")[0])
        if not path.endswith(self.texts):
            return super().do_GET()
        with open(path, "rb") as file:
            body = gzip.compress(file.read(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def visit(browser, address, limit=60):
    """Return the facts of a first visit, once the page is quiet.

    Parameters
    ----------
    browser : Browser
    address : str
    limit : float
        Seconds after which a page that is not quiet is an error.
    """
    browser.driver.get("about:blank")
    for command, given in (
        ("Network.enable", {}),
        ("Network.clearBrowserCache", {}),
        ("Network.setCacheDisabled", {"cacheDisabled": True}),
        ("Network.emulateNetworkConditions", {"offline": False, **LINE}),
        ("Emulation.setCPUThrottlingRate", {"rate": SLOWER}),
    ):
        browser.cdp(command, given)
    browser.driver.get(address)
    stop = time.monotonic() + limit
    while time.monotonic() < stop:
        time.sleep(0.5)
        facts = browser.js(FACTS)
        last = max((end for _, end in facts["tasks"]), default=0)
        done = facts["paint"] and facts["loaded"] and facts["seen"] and facts["all"]
        if done and facts["now"] - last > 1000:
            return facts
    raise TimeoutError(f"{address} is not quiet after {limit} s: {facts}")


def usable(facts):
    """Return when a page answers, in ms: seen, loaded, and no long task after it."""
    long = [end for start, end in facts["tasks"] if end - start > LONG]
    return max(facts["paint"], facts["seen"], *long)


def measure(repeat=3, pages=PAGES, html=HTML):
    reason, binary, driver = missing()
    if reason:
        raise SystemExit(f"{reason}: nothing was measured.")
    if not html.is_dir():
        raise SystemExit("the book is not built: run `make book` first.")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Packed, directory=html))
    Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}"
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            browser = Browser(binary, driver, profile)
            browser.size(360, 740)
            browser.cdp("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            found = {page: [] for page in pages}
            try:
                for _ in range(repeat):
                    for page in pages:
                        found[page].append(visit(browser, f"{home}/{page}.html"))
            finally:
                browser.driver.quit()
    finally:
        server.shutdown()
        server.server_close()
    for page, facts in found.items():
        last = facts[-1]
        about = {"kB sent": round(last["sent"] / 1000)}
        if last["all"] > last["loaded"]:
            about["all formulas, s"] = round(last["all"] / 1000, 1)
        yield row(page, "first paint", [f["paint"] for f in facts], about)
        yield row(page, "usable", [usable(f) for f in facts], about)


def row(page, what, times, about):
    return {
        "case": f"{page}: {what}", "side": "mgtutorial", "unit": "s",
        "values": [t / 1000 for t in times], "facts": about,
    }  # fmt: skip
