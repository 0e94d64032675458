"""The figures that a page computes: their numbers are the package's, and everybody can move them.

The numbers come from the scripts on the built pages, opened from disk, by the functions that draw
them; here they are computed again by the package, in double precision.
"""

import json
import re
import runpy

import numpy as np
import pytest
from scipy.fft import dst

from mgtutorial.linalg import (
    Factor,
    convection_diffusion,
    jacobi,
    minimax,
    poisson,
    propagation,
    q,
)
from mgtutorial.multigrid import State, correct, relax

from .built import HTML, ROOT

pytestmark = [pytest.mark.book, pytest.mark.timeout(600)]
PAGES = {"smoothing": "smoothing", "roots": "polynomial_smoothers", "vcycle": "index"}
SETTINGS = 50
TWO_FRAMES = "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def page(one_browser, request):
    """The page of a live figure, from disk; less motion was asked for, so that nothing plays."""
    name = request.param
    one_browser.size(1280)
    one_browser.media(motion="reduce")
    one_browser.open((HTML / "book" / f"{PAGES[name]}.html").as_uri())
    assert one_browser.until(f"return mgtutorial.{name}.figure && true")
    return one_browser


def on(*names):
    return pytest.mark.parametrize("page", names, indirect=True)


def close(found, expected, size):
    """Whether numbers agree to 1e-12, relative to the greatest that they were made from."""
    return np.abs(np.asarray(found) - expected).max() <= 1e-12 * size


# ------------------------------------------------------------------------- numbers


@on("smoothing")
def test_errors_waves_and_factors_are_those_of_damped_jacobi(page):
    rng, problem = np.random.default_rng(0), poisson(64, d=1)
    waves = np.stack([problem.mode(k) for k in range(1, 64)])
    for _ in range(SETTINGS):
        start, sweeps = rng.uniform(-1, 1, 63), int(rng.integers(0, 201))
        omega = round(rng.uniform(0, 1.2), 2)
        step = correct(problem.A, jacobi(problem.A.diagonal, omega)) if omega else lambda s: s
        error = relax([step] * sweeps, State(start, np.zeros(63))).u
        found, size, factor = page.js(
            "const e = mgtutorial.smoothing.errors(...arguments);"
            "return [e, mgtutorial.smoothing.waves(e), mgtutorial.smoothing.factors("
            "arguments[1], 64)]",
            start.tolist(), omega, sweeps,
        )  # fmt: skip
        # beyond omega = 1 errors grow, and roundings with them
        largest = max(1, np.abs(error).max())
        assert close(found, error, largest)
        assert close(size, dst(error, type=1) / 64, largest)
        stepped = step(State(waves, np.zeros_like(waves))).u
        assert close(factor, (stepped * waves).sum(axis=1) / (waves**2).sum(axis=1), 1)


def random_roots(rng):
    """Two groups, each a pair or two real roots, as the page has them and as factors."""
    roots, made = [], []
    for _ in range(2):
        a, b = rng.uniform(0.5, 5), rng.uniform(0.1, 3)
        if rng.random() < 0.5:
            roots += [[a, b], [a, -b]]
            made.append(Factor(2 * a / (a**2 + b**2), 1 / (a**2 + b**2)))
        else:
            roots += [[a, 0.0], [a + b, 0.0]]
            made += [Factor(1 / a), Factor(1 / (a + b))]
    return roots, made


@on("roots")
def test_norms_are_those_of_steps_on_a_circle_and_between_walls(page):
    rng, n = np.random.default_rng(0), 64
    for setting in range(SETTINGS):
        walls, peclet = bool(setting % 2), rng.uniform(0, 3)
        problem = convection_diffusion(
            n, [2 * peclet * n], scheme="central", boundary="dirichlet" if walls else "periodic"
        )
        roots, made = random_roots(rng)
        E = propagation(lambda u, A=problem.A: A(u) / (2 * n**2), made)
        found, e = page.js(
            "return [mgtutorial.roots.norms(...arguments), mgtutorial.roots.rough(arguments[3])]",
            peclet, roots, 12, walls,
        )  # fmt: skip
        e = np.array(e)
        assert e.shape == problem.shape
        for norm in found:
            assert close(norm, np.linalg.norm(e), max(1, max(found)))
            e = E(e)
        if not walls:  # the start is what it is said to be: rough waves only
            low = np.abs(np.fft.fft(page.js("return mgtutorial.roots.rough(false)")))[: n // 4]
            assert low.max() < 1e-12


@on("roots")
def test_colours_and_the_worst_factor_are_those_of_q(page):
    rng = np.random.default_rng(1)
    for _ in range(SETTINGS):
        roots, made = random_roots(rng)
        z, peclet = complex(*rng.uniform(-3, 5, 2)), rng.uniform(0, 3)
        square, worst = page.js(
            "return [mgtutorial.roots.square(...arguments[0], arguments[1]),"
            " mgtutorial.roots.worst(arguments[2], arguments[1])]",
            [z.real, z.imag], roots, peclet,
        )  # fmt: skip
        assert close(square, abs(q(z, made)) ** 2, max(1, square))
        theta = np.pi * np.arange(64, 129) / 128
        symbol = 1 - np.cos(theta) + 1j * peclet * np.sin(theta)
        assert close(worst, np.abs(q(symbol, made)).max(), max(1, worst))


@on("roots")
def test_the_best_two_pairs_are_the_best(page):
    theta = np.linspace(np.pi / 2, np.pi, 400)
    half = 1 - np.cos(theta) + 2j * np.sin(theta)
    best = minimax([*half, *half.conj()], 4)
    groups = page.js("return mgtutorial.roots.starts['the best two pairs'].map(g => [g.a, g.b])")
    found = np.abs(q(half, [complex(a, s * b) for a, b in groups for s in (1, -1)])).max()
    assert found == pytest.approx(best.maximum, rel=1e-6)


@on("roots")
def test_the_words_of_the_figure_of_roots_hold(page):
    worst = "return mgtutorial.roots.worst(2, mgtutorial.roots.roots(mgtutorial.roots.starts[%r]))"
    assert page.js(worst % "all at 5") == pytest.approx(0.64, abs=0.005)
    assert page.js(worst % "the best two pairs") == pytest.approx(0.14, abs=0.005)
    walls = "return mgtutorial.roots.norms(2, Array(4).fill([5, 0]), 20, true)"
    norms = page.js(walls)
    assert 0.01 < norms[20] < 0.015 and norms[20] > 0.85 * norms[10]
    problem = convection_diffusion(64, [256.0], scheme="central")
    e = np.array(page.js("return mgtutorial.roots.rough(true)"))
    for _ in range(20):
        e = propagation(problem.A, [5 * 2 * 64**2] * 4)(e)
    waves = dst(e, type=1) ** 2
    assert waves[:31].sum() > 0.99 * waves.sum()


@on("vcycle")
def test_every_step_of_the_v_cycle_is_one_of_the_package(page):
    errors = runpy.run_path(str(ROOT / "book/figures/live_vcycle.py"))["errors"]
    rng = np.random.default_rng(0)
    for setting in range(SETTINGS):
        n, sweeps = (16, 32, 64)[setting % 3], int(rng.integers(1, 4))
        u = rng.uniform(-1, 1, (n - 1, n - 1))
        states = page.js(
            "return mgtutorial.vcycle.states(Float64Array.from(arguments[0]), arguments[1]).map("
            "s => [s.name, s.level, Array.from(s.u)])",
            u.ravel().tolist(), sweeps,
        )  # fmt: skip
        found = {(name, level): np.array(v) for name, level, v in states}
        down, up = errors(u, sweeps)
        for level in range(3):
            assert close(found["smooth", level], down[level].ravel(), 1)
            assert close(found["smooth again", level], up[level].ravel(), 1)
            # the next level starts from every second point
            assert close(found["restrict", level + 1], down[level][1::2, 1::2].ravel(), 1)
        assert close(found["solve", 3], down[3].ravel(), 1)
        assert len(states) == len(found) == 14


# ---------------------------------------------------------------------- moving them


def said(page):
    return page.js("return document.querySelector('.mg-stage-words').textContent")


def drawn(page):
    """What is on the canvases, in short."""
    return page.js(
        "return [...document.querySelectorAll('.mg-stage canvas')].map(c => c.toDataURL()).join()"
    )


def screen(page):
    found = page.driver.find_element("css selector", ".mg-stage canvas")
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
    return found


def drag(page, kind, points):
    """Press, move through points and let go, by a mouse or a finger; in shares of the canvas."""
    screen(page)
    left, top, wide, high = page.js(
        "const b = document.querySelector('.mg-stage canvas').getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]"
    )
    places = [{"x": left + x * wide, "y": top + y * high} for x, y in points]
    if kind == "touch":
        for n, place in enumerate(places):
            name = "touchMove" if n else "touchStart"
            page.cdp("Input.dispatchTouchEvent", {"type": name, "touchPoints": [place]})
        page.cdp("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        kinds = ["mousePressed"] + ["mouseMoved"] * (len(places) - 1) + ["mouseReleased"]
        for name, place in zip(kinds, [*places, places[-1]], strict=True):
            page.cdp("Input.dispatchMouseEvent", {"type": name, **place, **button})


@on("smoothing")
@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_an_error_is_drawn_by_hand(page, kind):
    before, picture = page.js("return mgtutorial.smoothing.figure.start()"), drawn(page)
    screen(page)
    top = page.js("return scrollY")
    drag(page, kind, [(0.2, 0.5), (0.5, 0.1), (0.8, 0.9)])
    after = page.js("return mgtutorial.smoothing.figure.start()")
    changed = np.flatnonzero(np.array(before) != after)
    assert changed.size > 30 and np.diff(changed).max() == 1  # a quick stroke leaves no gaps
    assert max(after[changed[0] : changed[-1] + 1]) > 0.8 > -0.8 > min(after)
    assert page.js("return scrollY") == top  # the page does not move under the finger
    assert drawn(page) != picture


@on("smoothing")
def test_an_error_is_drawn_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.js("arguments[0].focus()", screen(page))
    page.press("6")
    assert not any(page.js("return mgtutorial.smoothing.figure.start()"))
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP)
    start = page.js("return mgtutorial.smoothing.figure.start()")
    assert start[2] == pytest.approx(0.2) and not any(start[:2] + start[3:])
    words = said(page)
    damping = page.driver.find_element("css selector", ".mg-stage input")
    page.js("arguments[0].focus()", damping)
    page.press(Keys.END)
    assert said(page) != words and "1.40" in said(page)  # |1 - 2 omega| at omega = 1.2


@on("roots")
@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_root_is_dragged_off_the_axis_with_its_conjugate_and_back(page, kind):
    wide = page.js("return document.querySelector('.mg-stage canvas').clientWidth")
    side = min(wide, 460)

    def at(x, y):
        return ((wide - side) / 2 + (x + 0.7) * side / 6.4) / wide, 0.5 - y / 6.4

    roots = "return mgtutorial.roots.figure.groups()"
    assert page.js(roots) == [[5, 0]] * 4
    drag(page, kind, [at(5, 0), at(3, 1), at(1, 2)])
    (a, b), (c, d), *others = page.js(roots)
    assert np.hypot(a - 1, b - 2) < 0.05  # a pixel or two
    assert (c, d) == (a, -b) and others == [[5, 0]] * 2
    drag(page, kind, [at(1, 2), at(2, 1), at(2.5, 0)])
    assert {y for _, y in page.js(roots)} == {0}


@on("roots")
def test_roots_are_moved_by_keyboard_and_never_to_zero(page):
    from selenium.webdriver.common.keys import Keys

    page.js("arguments[0].focus()", screen(page))
    page.press("3", Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_LEFT)
    roots = page.js("return mgtutorial.roots.figure.groups()")
    assert np.allclose(roots, [[5, 0], [5, 0], [4.9, 0.2], [4.9, -0.2]])
    assert "Root 3 is at 4.90 + 0.20 i" in said(page)
    page.press("1", *[Keys.ARROW_LEFT] * 60)
    assert all(np.hypot(*x) > 0.09 for x in page.js("return mgtutorial.roots.figure.groups()"))
    assert "NaN" not in said(page) and "Infinity" not in said(page)


@on("vcycle")
def test_a_v_cycle_plays_and_is_stepped_through(page):
    from selenium.webdriver.common.keys import Keys

    step = page.driver.find_element("css selector", ".mg-stage input")
    assert step.get_property("value") == "0"  # less motion was asked for
    button = page.driver.find_element("css selector", ".mg-stage button")
    page.click(button)
    assert page.until("return arguments[0].value === '2'", step)
    page.click(button)
    assert button.text == "Play"
    page.js("arguments[0].focus()", step)
    page.press(Keys.END)
    left = float(re.search(r"Error: ([\d.]+)", said(page))[1])
    assert 0 < left < 10
    page.press(Keys.HOME)
    assert "Error: 100" in said(page)
    drag(page, "touch", [page.js(
        "const c = document.querySelector('.mg-stage canvas'); return [30 / c.clientWidth,"
        " 45 / c.clientHeight]")])  # fmt: skip
    assert step.get_property("value") == "1"


@on("vcycle")
def test_a_v_cycle_plays_by_itself_when_it_is_seen(page):
    page.media()
    page.open((HTML / "book" / "index.html").as_uri())
    screen(page)
    assert page.until("return document.querySelector('.mg-stage input').value !== '0'")


# --------------------------------------------------------------------- on all pages


@on(*PAGES)
@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits_and_follows_the_colours_of_the_page(page, width):
    page.size(width)
    assert page.until(
        "const c = document.querySelector('.mg-stage canvas');"
        "return Math.abs(c.width - c.clientWidth * devicePixelRatio) < 2"
    )
    out = page.js(
        "const w = document.documentElement.clientWidth;"
        "return [...document.querySelectorAll('.mg-stage, .mg-stage *')].filter("
        "e => e.getBoundingClientRect().right > w + 0.5).map(e => e.outerHTML.slice(0, 100))"
    )
    assert out == []
    pictures = []
    for mode in ("light", "dark"):
        page.mode(mode)
        page.js(
            "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        pictures.append(drawn(page))
    assert pictures[0] != pictures[1]


@on(*PAGES)
def test_in_print_its_still_picture_stands_there(page):
    shown = (
        "return ['img.mg-still', '.mg-stage canvas'].map(s => "
        "document.querySelector('figure:has(.mg-stage) ' + s).checkVisibility())"
    )
    assert page.js(shown) == [False, True]
    page.media("print")
    assert page.js(shown) == [True, False]
    page.media()


@on(*PAGES)
def test_only_its_own_page_loads_a_script(page):
    names = page.js(
        "return [...document.scripts].map(s => s.src).filter(s => s.includes('/_static/live/'))"
    )
    assert len(names) == 2
    other = (HTML / "book" / "glossary.html").read_text(encoding="utf-8")
    assert "_static/live/" not in other


@on(*PAGES)
def test_frames_are_measured(page, request):
    """Not a check: the median time of a frame, written beside what else was measured."""
    name = request.node.callspec.params["page"]
    times = page.js(
        "const figure = mgtutorial[arguments[0]].figure, times = [];"
        "for (let n = 0; n < 60; n++) {"
        " const t = performance.now();"
        " figure.frame();"
        # reading a pixel waits until all is drawn
        " figure.screens.forEach(s => s.canvas.getContext('2d').getImageData(0, 0, 1, 1));"
        " times.push(performance.now() - t) }"
        "return times",
        name,
    )
    file = ROOT / "_build" / "check-live.json"
    told = json.loads(file.read_text()) if file.exists() else {}
    told[name] = {"median ms": round(float(np.median(times)), 2), "worst ms": round(max(times), 2)}
    file.write_text(json.dumps(told, indent=1) + "\n")
