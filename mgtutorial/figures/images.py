"""The house style of the figures, and figures shown as images with alt text.

Nothing here knows about models. A figure leaves this module as an ``<img>`` with
alternative text. An SVG has its own ground, and colours for a light and for a dark page;
pixels stand on a white card. It therefore reads well in the built page, in Jupyter and in Colab.
"""

import base64
import html
import io
import re
import sys
from urllib.parse import quote

from ..errors import InvalidValue
from .dark import is_light, with_dark

_SVG_RC = {"svg.hashsalt": "mgtutorial", "svg.fonttype": "path"}
# SVG is sharp at any size; above this many bytes WebP is taken where it is smaller.
_LARGE = 100_000
_DPI = 192  # twice the 96 pixels a CSS inch has: sharp on dense screens


def show(fig, alt):
    """Display `fig` as an image with alternative text, and close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        What the figure shows, in a sentence or two, for readers who cannot see it.

    Raises
    ------
    InvalidValue
        If `fig` is not a figure or `alt` says nothing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> show(Figure(), alt=" ")
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: the figure has no alt text: say in a sentence what it shows, ...
    """
    from IPython.display import display

    if not isinstance(alt, str) or not alt.strip():
        raise InvalidValue(
            "the figure has no alt text: say in a sentence what it shows, as show(fig, alt='...')."
        )
    check_figure(fig, "show")
    picture = to_svg(fig)
    if len(picture) > _LARGE:
        picture = min(picture, to_webp(fig), key=lambda p: len(data_uri(p)))
    bundle = {
        "text/html": img(picture, alt, css_size(fig)),
        # for front ends that show no HTML; papermill's and nbconvert's readers among them
        "image/png": base64.b64encode(_save(fig, format="png", dpi=_DPI)).decode(),
        "text/plain": alt,
    }
    close(fig)
    display(bundle, raw=True)


def check_figure(fig, caller):
    """Raise :class:`InvalidValue` unless `fig` is a matplotlib figure."""
    from matplotlib.figure import Figure

    if not isinstance(fig, Figure):
        raise InvalidValue(
            f"{caller} was given {type(fig).__name__} where a matplotlib Figure is needed: "
            "end the function that draws with `return fig`."
        )


def close(fig):
    """Close `fig` if pyplot holds it, so that a notebook does not show it twice."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)


def css_size(fig):
    """Width and height of `fig` in CSS pixels (96 per inch)."""
    return tuple(round(96 * float(inches)) for inches in fig.get_size_inches())


def to_svg(fig):
    """`fig` as a compact SVG string that is the same in every build.

    Type is drawn as outlines, so no font is needed where it is read.
    Matplotlib's metadata, comments and unused names are left out, and coordinates
    are rounded to a hundredth of a point. It has colours for a dark page, too (:mod:`.dark`).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> to_svg(Figure(figsize=(2, 1)))[:4], to_svg(Figure()) == to_svg(Figure())
    ('<svg', True)
    """
    svg = _save(fig, format="svg", dpi=_DPI, metadata={"Date": None}).decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(<g) id=\"[^\"]*\"", r"\1", svg)
    svg = re.sub(r"\b(d|x|y|points)=\"[^\"]*\"", lambda m: _rounded(m[0]), svg)
    svg = re.sub(r"base64,[^\"]*", lambda m: re.sub(r"\s", "", m[0]), svg)
    svg = re.sub(r"\s+", " ", svg)
    # single quotes keep the string short inside an HTML attribute
    return with_dark(re.sub(r"> <", "><", svg).replace('"', "'").strip(), is_light(fig))


def _rounded(attribute):
    return re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), attribute)


def to_webp(fig):
    """`fig` as a lossless WebP image, or as PNG where Pillow has no WebP, at 192 dpi (bytes)."""
    from PIL import Image, features

    raw = _save(fig, format="png", dpi=_DPI)
    with Image.open(io.BytesIO(raw)) as image:
        out = io.BytesIO()
        if features.check("webp"):
            image.convert("RGB").save(out, "WEBP", lossless=True, quality=60, method=2)
        else:
            image.convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


def _save(fig, **options):
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context(_SVG_RC):
        fig.savefig(out, **options)
    return out.getvalue()


def data_uri(picture):
    """A ``data:`` address of an SVG string or of WebP or PNG bytes.

    Examples
    --------
    >>> data_uri("<svg fill='#fff'/>")
    "data:image/svg+xml,%3Csvg fill='%23fff'/%3E"
    """
    if isinstance(picture, str):
        return "data:image/svg+xml," + quote(picture, safe=" !$&'()*+,-./:;=?@[]_~")
    kind = "png" if picture.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def img(picture, alt, size):
    """An ``<img>`` tag of `picture` (SVG string or bytes) with `alt`, `size` in CSS pixels."""
    width, height = size
    # Below 60 % of its size type is hard to read, so a wider figure scrolls in its box on a
    # phone. Pixels are drawn for a white card, and in the dark a little less bright.
    style = f"max-width:100%;min-width:{6 * width // 10}px;height:auto"
    if not isinstance(picture, str):
        style += ";background:#fff"
    source, text = html.escape(data_uri(picture), quote=False), html.escape(" ".join(alt.split()))
    return (
        f'<img class="mg-figure" src="{source}" alt="{text}" '
        f'width="{width}" height="{height}" style="{style}">'
    )
