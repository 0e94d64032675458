"""Notebooks in a real JupyterLab on this machine: all cells run, and every slider moves its figure.

`make lab` installs JupyterLab, and runs this. A browser opens it on the loopback, runs all cells,
and moves each slider by mouse and by keyboard; nothing may be wrong in the console.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tools.browser import Browser, missing

from .built import ROOT, lacking

pytestmark = [
    pytest.mark.skipif(os.environ.get("MGTUTORIAL_LAB") != "1", reason="runs as `make lab`"),
    pytest.mark.timeout(900),
]
NOTEBOOKS = ("smoothing", "symbols")
TOKEN = "of-this-test"
# What the console says of pages that are no fault of a notebook.
FOREIGN = ("favicon", "ResizeObserver loop")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that serves a copy of the notebooks."""
    home = tmp_path_factory.mktemp("lab")
    for name in NOTEBOOKS:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Nothing of the user's: no settings, no workspaces, no extensions beside those installed.
    places = {f"JUPYTER_{k}_DIR": str(home / k.lower()) for k in ("CONFIG", "RUNTIME")}
    places["JUPYTERLAB_SETTINGS_DIR"] = places["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "user")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home}", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.news_url=", "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    said = open(home / "server.log", "w")
    server = subprocess.Popen(
        command, cwd=home, stdout=said, stderr=said, env={**os.environ, **places}
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, (home / "server.log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        said.close()


@pytest.fixture(scope="module")
def browser(lab, tmp_path_factory):
    reason, binary, driver = missing()
    if reason:
        lacking(reason)
    found = Browser(binary, driver, tmp_path_factory.mktemp("profile"))
    found.size(1280, 1000)
    yield found
    found.driver.quit()


def faults(browser):
    """What the console holds against the notebook."""
    entries = browser.driver.get_log("browser")
    return [
        e["message"] for e in entries
        if e["level"] == "SEVERE" and not any(f in e["message"] for f in FOREIGN)
    ]  # fmt: skip


def command(browser, name):
    """Run a command of JupyterLab."""
    browser.js("window.jupyterapp.commands.execute(arguments[0])", name)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_all_cells_run_and_every_slider_moves_its_figure(browser, lab, name):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    with open(ROOT / "notebooks" / f"{name}.ipynb", encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    code = sum(cell["cell_type"] == "code" for cell in cells)
    browser.driver.get(f"{lab}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
    assert browser.until("return window.jupyterapp && true", seconds=90)
    assert browser.until(
        "return document.querySelector('.jp-Notebook .jp-Cell') && true", seconds=60
    )
    time.sleep(3)  # the kernel starts
    command(browser, "runmenu:run-all")
    done = (
        "const app = window.jupyterapp; const w = app.shell.currentWidget;"
        "const cells = w.content.model.sharedModel.cells.filter(c => c.cell_type === 'code');"
        "return cells.every(c => c.execution_count) ? cells.map(c => c.outputs.filter("
        "o => o.output_type === 'error').map(o => o.evalue)).flat() : null"
    )
    wrong, stop = None, time.monotonic() + 480
    while wrong is None and time.monotonic() < stop:
        time.sleep(1)
        wrong = browser.js(done)
    assert wrong == [], f"of {code} cells: {wrong}"

    # Lab draws what is near the window: go through the page, and see each slider once.
    moved = 0
    count = browser.js("return window.jupyterapp.shell.currentWidget.content.widgets.length")
    for k in range(count):
        browser.driver.execute_async_script(
            "const done = arguments[1], n = window.jupyterapp.shell.currentWidget.content;"
            "n.scrollToItem(arguments[0], 'start').then(() => setTimeout(done, 300), done)",
            k,
        )
        for slider in browser.driver.find_elements(
            "css selector", f".jp-Cell[data-windowed-list-index='{k}'] .noUi-handle"
        ):
            box = slider.find_element("xpath", "ancestor::*[contains(@class,'widget-vbox')][1]")
            browser.js("arguments[0].scrollIntoView({block: 'center'})", slider)
            seen = [picture(browser, box)]
            browser.js("arguments[0].focus()", slider)
            for key in (Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.END):
                browser.press(key)
                seen.append(changed(browser, box, seen[-1]))
            by_keyboard, before = len(set(seen)) > 1, seen[-1]
            track = slider.find_element("xpath", "ancestor::*[contains(@class,'noUi-target')][1]")
            back = -track.size["width"] * 2 // 3  # from the end, where the keyboard left it
            drag = ActionChains(browser.driver, duration=50).click_and_hold(slider)
            drag.move_by_offset(back, 0).release().perform()
            assert by_keyboard, f"slider {moved}: the keyboard moves nothing"
            assert changed(browser, box, before) != before, f"slider {moved}: nor does the mouse"
            moved += 1
    assert moved == sliders(cells), "each slider of the notebook was moved"
    assert faults(browser) == []


def picture(browser, box):
    return browser.js("const i = arguments[0].querySelector('img'); return i && i.src", box)


def changed(browser, box, before, seconds=4):
    """The picture of a figure, once it is another one, or after some seconds."""
    stop = time.monotonic() + seconds
    while (now := picture(browser, box)) == before and time.monotonic() < stop:
        time.sleep(0.05)
    return now


def sliders(cells):
    """How many sliders the figures of a notebook have: the parameters that are ranges or lists."""
    import ast

    count = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "slider(" in source:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "slider":
                    own = {"alt", "start", "labels"}
                    count += sum(keyword.arg not in own for keyword in node.keywords)
    return count
