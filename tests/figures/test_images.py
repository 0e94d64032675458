"""The house style and the images that figures become."""

import io
import os
import re
import subprocess
import sys
from urllib.parse import unquote
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mgtutorial.errors import InvalidValue
from mgtutorial.figures import images, style


@pytest.fixture(autouse=True)
def _style_of_this_test_only():
    with matplotlib.rc_context():
        yield


def curve(k=1):
    fig = Figure(figsize=(4, 2))
    x = np.linspace(0, 1, 50)
    fig.add_subplot(title="sine", xlabel="x").plot(x, np.sin(k * x))
    return fig


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_curves_differ_by_more_than_colour_and_stand_out_on_white():
    style.use_style()
    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    first = list(zip(cycle["color"], cycle["linestyle"], strict=True))[:4]
    assert len({line for _, line in first}) == 4
    # WCAG 1.4.11 asks 3:1 of what carries meaning; purple (2.9) comes dotted and last
    contrast = [1.05 / (luminance(colour) + 0.05) for colour, _ in first]
    assert min(contrast[:3]) >= 3 and contrast[3] >= 2.8


def test_type_is_as_large_as_the_text_around_it():
    style.use_style()
    fig = Figure()
    width, _ = images.css_size(fig)
    assert matplotlib.rcParams["font.size"] * 96 / 72 == 16  # CSS pixels
    assert 320 / width * 16 > 10  # on a phone


def test_svg_is_well_formed_and_keeps_the_coordinates():
    fig = curve()
    small = ElementTree.fromstring(images.to_svg(fig))
    raw = io.BytesIO()
    with matplotlib.rc_context(images._SVG_RC):
        fig.savefig(raw, format="svg", metadata={"Date": None})
    full = ElementTree.fromstring(raw.getvalue())

    def numbers(root):
        paths = (e.get("d") for e in root.iter("{http://www.w3.org/2000/svg}path"))
        return [float(n) for d in paths for n in re.findall(r"-?\d+(?:\.\d+)?", d or "")]

    np.testing.assert_allclose(numbers(small), numbers(full), atol=0.0051)
    assert len(images.to_svg(fig)) < 0.9 * len(raw.getvalue())


def test_svg_is_the_same_in_every_process():
    code = (
        "from matplotlib.figure import Figure; import hashlib;"
        "from mgtutorial.figures import images;"
        "f = Figure(); f.add_subplot(title='t').plot([1, 2], 'o-');"
        "print(hashlib.sha256(images.to_svg(f).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(digests) == 1


def test_webp_loses_nothing():
    fig = curve()
    png = io.BytesIO()
    fig.savefig(png, dpi=192)
    expected = np.asarray(Image.open(png).convert("RGB"))
    actual = np.asarray(Image.open(io.BytesIO(images.to_webp(fig))).convert("RGB"))
    np.testing.assert_array_equal(actual, expected)


def test_png_stands_in_where_pillow_has_no_webp(monkeypatch):
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    picture = images.to_webp(curve())
    assert images.data_uri(picture).startswith("data:image/png;base64,iVBOR")


def test_data_uri_carries_the_svg_unchanged():
    svg = images.to_svg(curve())
    assert unquote(images.data_uri(svg).split(",", 1)[1]) == svg


def test_alt_text_cannot_end_its_attribute():
    tag = images.img("<svg/>", 'says "no" & <b>\n twice', (480, 300))
    assert 'alt="says &quot;no&quot; &amp; &lt;b&gt; twice"' in tag


@pytest.fixture
def displayed(monkeypatch):
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def test_show_gives_an_image_with_alt_text_and_closes_the_figure(displayed):
    import matplotlib.pyplot as plt

    with matplotlib.rc_context({"backend": "agg"}):
        fig, ax = plt.subplots()
        ax.plot([0, 1])
        images.show(fig, alt="A line that rises.")
        assert not plt.get_fignums()
    (bundle,) = displayed
    assert 'alt="A line that rises."' in bundle["text/html"]
    assert bundle["image/png"].startswith("iVBOR")
    assert bundle["text/plain"] == "A line that rises."


def test_show_takes_webp_for_a_figure_too_large_as_svg(displayed):
    fig = Figure()
    fig.add_subplot().plot(*np.random.default_rng(0).random((2, 20_000)), ",")
    images.show(fig, alt="Points everywhere.")
    images.show(curve(), alt="A curve.")
    kinds = [re.search(r"data:image/([\w+]+)", b["text/html"])[1] for b in displayed]
    assert kinds == ["webp", "svg+xml"]


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_without_alt_text_is_refused(alt):
    with pytest.raises(InvalidValue, match="no alt text: say in a sentence"):
        images.show(curve(), alt=alt)


def test_what_is_no_figure_is_refused():
    with pytest.raises(InvalidValue, match="NoneType where a matplotlib Figure is needed"):
        images.show(None, alt="Nothing.")
