"""The slider: pre-drawn frames in a page, ipywidgets in a kernel."""

import json
import re
from html.parser import HTMLParser
from itertools import count

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.figures import images, sliders
from mgtutorial.figures.sliders import StaticSlider


@pytest.fixture(autouse=True)
def _small_figures_in_a_page(monkeypatch):
    monkeypatch.setenv("MGTUTORIAL_STATIC", "1")
    monkeypatch.setattr(sliders, "_ids_given", {})
    with matplotlib.rc_context({"figure.figsize": (2, 1)}):
        yield


def wave(k, shift=0):
    fig = Figure()
    x = np.linspace(0, 1, 20)
    fig.add_subplot(title="wave", xlabel="$x$", ylabel="u").plot(x, np.sin(k * x))
    return fig


def payload(html):
    return json.loads(re.search(r'class="mg-data">(.*?)</script>', html)[1])


def frame(data, n):
    """The source of picture n, put together as the page does it."""
    pieces = data["frames"][data["order"][n]]
    return pieces if isinstance(pieces, str) else "".join(data["pieces"][i] for i in pieces)


def test_every_frame_is_the_figure_of_its_values():
    data = payload(sliders.slider(wave, k=[1, 2.5], shift=range(3)).html)
    for n, (k, shift) in enumerate((k, s) for k in [1, 2.5] for s in range(3)):
        assert frame(data, n) == images.to_svg(wave(k, shift))


def test_equal_frames_and_equal_parts_are_stored_once():
    # shift changes nothing: 3 different pictures of 12
    html = sliders.slider(wave, k=[1, 2, 3], shift=range(4)).html
    data = payload(html)
    assert len(data["frames"]) == 3 and len(data["order"]) == 12
    # a frame costs its curve, not its axes
    one = len(payload(sliders.slider(wave, k=[1]).html)["pieces"][0])
    assert sum(map(len, data["pieces"])) < 1.5 * one


def test_the_page_starts_with_the_chosen_values():
    html = sliders.slider(wave, k=[1, 2, 3], start={"k": 2}, labels={"k": "frequency"}).html
    assert re.search(r'<img[^>]* src="([^"]*)"', html)[1] == images.data_uri(images.to_svg(wave(2)))
    assert '<p class="mg-values">frequency = 2</p>' in html
    assert 'max="2" step="1" value="1"' in html


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag, attribute):
        return [attrs[attribute] for name, attrs in self.found if name == tag]


def test_every_input_has_a_label_an_output_and_a_button_of_its_own():
    both = sliders.slider(wave, k=[1, 2], shift=[0, 1]).html * 1
    tags = Tags(both + sliders.slider(wave, k=[1, 2], shift=[0, 1]).html)
    ids = tags.all("input", "id")
    assert len(set(ids)) == 4  # twice the same figure, and still no id twice
    assert tags.all("label", "for") == ids == tags.all("output", "for")
    assert tags.all("button", "aria-label") == ["Play k", "Play shift"] * 2


def test_text_cannot_break_out_of_the_page():
    nasty = "</script><b onclick='x'>\"&"
    html = sliders.slider(wave, k=["a", "b"][:0] or [1], alt=nasty, labels={"k": nasty}).html
    names = [tag for tag, _ in Tags(html).found]
    assert "b" not in names and names.count("script") == 2
    assert payload(html)["labels"] == [nasty]


def test_the_same_call_gives_the_same_page(monkeypatch):
    first = sliders.slider(wave, k=[1, 2]).html
    monkeypatch.setattr(sliders, "_ids_given", {})
    assert sliders.slider(wave, k=[1, 2]).html == first


def noise(k):
    fig = Figure()
    fig.add_subplot().plot(*np.random.default_rng(k).random((2, 4000)), ",")
    return fig


def test_frames_are_webp_where_that_is_smaller():
    html = sliders.slider(noise, k=range(3)).html
    vectors = sum(len(images.to_svg(noise(k))) for k in range(3))
    assert html.count("data:image/webp") == 4  # three frames, and the first in the image
    assert len(html) < vectors / 3


def test_alt_text_follows_the_values():
    alts = payload(sliders.slider(wave, k=[0.5, -2.0], alt="A wave.").html)["alts"]
    assert alts == ["A wave (k = 0.5).", "A wave (k = −2)."]
    alts = payload(sliders.slider(wave, k=[1], alt=lambda k: f"{k} period").html)["alts"]
    assert alts == ["1 period"]
    alts = payload(sliders.slider(wave, k=[1]).html)["alts"]
    assert alts == ["Figure: wave; u against x (k = 1)."]


def test_values_are_written_short():
    given = [1 / 3, np.float64(0.1) + 0.2, np.int64(4), True]
    assert payload(sliders.slider(wave, k=given).html)["texts"] == [["0.3333", "0.3", "4", "on"]]


def test_strings_are_values_too():
    def named(kind):
        return wave({"slow": 1, "fast": 9}[kind])

    data = payload(sliders.slider(named, kind=["slow", "fast"], start={"kind": "fast"}).html)
    assert data["texts"] == [["slow", "fast"]] and len(data["frames"]) == 2


def test_no_figure_is_left_open():
    import matplotlib.pyplot as plt

    def drawn(k):
        fig, ax = plt.subplots()
        ax.plot([0, k])
        return fig

    with matplotlib.rc_context({"backend": "agg"}):
        sliders.slider(drawn, k=range(3))
        assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "no parameter: give at least one"),
        ({"k": []}, "'k' has no values"),
        ({"k": "abc"}, "'k' is 'abc': give it a range or a list"),
        ({"k": 3}, "'k' is 3: give it a range or a list"),
        ({"k": [None]}, "must be numbers or strings"),
        ({"k": range(21), "shift": range(10)}, "210 frames .21 of k x 10 of shift.: at most 200"),
        ({"k": count()}, "201 frames"),
        ({"k": [1, 2], "start": {"k": 3}}, "cannot start at k = 3: its values are 1, 2"),
    ],
)
def test_bad_ranges_get_a_sentence_before_anything_is_drawn(given, says):
    def never(**_):
        raise AssertionError("drawn")

    with pytest.raises(InvalidValue, match=says):
        sliders.slider(never, **given)


def test_names_that_are_no_parameters_get_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'omega'"):
        sliders.slider(lambda omega: wave(omega), omega=[1], start={"omga": 1})
    with pytest.raises(UnknownName, match="in labels 'nu'"):
        sliders.slider(lambda omega: wave(omega), omega=[1], labels={"nu": "steps"})


def test_what_does_not_draw_is_refused():
    with pytest.raises(InvalidValue, match="to draw with: give a function"):
        sliders.slider(wave(1), k=[1])
    with pytest.raises(InvalidValue, match=r"at k = 1\) was given NoneType.*return fig"):
        sliders.slider(lambda k: None, k=[1])


def test_a_figure_too_large_for_a_page_is_refused(monkeypatch):
    monkeypatch.setattr(sliders, "MAX_BYTES", 5000)
    with pytest.raises(InvalidValue, match=r"2 frames take 0\.\d MB: at most 0\.0 MB"):
        sliders.slider(wave, k=[1, 2])


def test_without_ipywidgets_the_frames_are_drawn_beforehand(monkeypatch):
    monkeypatch.delenv("MGTUTORIAL_STATIC")
    monkeypatch.setattr(sliders, "find_spec", lambda name: None)
    shown = sliders.slider(wave, k=[1, 2])
    assert isinstance(shown, StaticSlider)
    assert shown._repr_html_() == shown.html
    assert repr(shown) == "<slider with 2 frames: Figure: wave; u against x (k = 1).>"


@pytest.fixture
def live(monkeypatch):
    """Sliders as ipywidgets, which need no kernel to be tried."""
    pytest.importorskip("ipywidgets")
    monkeypatch.delenv("MGTUTORIAL_STATIC")


def test_moving_a_widget_redraws_the_figure_once_a_value(live):
    calls = []

    def counted(k, shift):
        calls.append((k, shift))
        return wave(k)

    box = sliders.slider(counted, k=[1, 2], shift=range(2), start={"k": 2}, alt="A wave")
    k, shift, picture, _ = box.children
    assert (k.index, shift.index) == (1, 0)
    before = picture.value
    assert images.img(images.to_svg(wave(2)), "A wave (k = 2, shift = 0).", (192, 96)) == before
    k.label = "1"
    assert picture.value != before and "k = 1, shift = 0" in picture.value
    k.label = "2"
    assert picture.value == before
    assert calls == [(2, 0), (1, 0)]  # back at 2 nothing is drawn again


def test_in_a_kernel_widgets_are_shown_and_errors_stay_with_the_figure(live, tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cell = nbformat.v4.new_code_cell(
        "from matplotlib.figure import Figure\n"
        "from mgtutorial.figures.sliders import slider\n"
        "def f(k):\n"
        "    assert k < 2, 'k is too large'\n"
        "    return Figure()\n"
        "box = slider(f, k=range(3))\n"
        "box.children[0].value = 2\n"
        "box"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": tmp_path}}
    ).execute()
    # ipywidgets 8 makes the box the cell's result, ipywidgets 7 displays it
    shown = [o.data for o in cell.outputs if "data" in o]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True]
    assert '"evalue": "k is too large"' in json.dumps(notebook.metadata["widgets"])


def test_a_kernel_draws_what_is_asked_for_and_so_takes_fine_sliders(live):
    drawn = []

    def draw(k, shift):
        drawn.append((k, shift))
        return wave(k, shift)

    box = sliders.slider(draw, k=np.linspace(0, 1, 101), shift=range(50))
    assert drawn == [(0.0, 0)]
    box.children[0].value = 37
    assert drawn[1:] == [(0.37, 0)]
    with pytest.raises(InvalidValue, match="at most 100000 are allowed"):
        sliders.slider(draw, k=range(1000), shift=range(101))


def test_a_start_is_a_value_to_rounding():
    made = sliders.Frames(lambda a: None, {"a": np.linspace(0, 1, 11)})
    assert [made.index_of({"a": i / 10}) for i in range(11)] == [(i,) for i in range(11)]
    with pytest.raises(InvalidValue, match=r"cannot start at a = 0.31"):
        made.index_of({"a": 0.31})
