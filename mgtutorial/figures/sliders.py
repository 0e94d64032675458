"""Figures that can be moved: one call for the live notebook and for the built page.

``slider(f, omega=[...], steps=range(5))`` shows the figure ``f(omega, steps)`` with one
slider per parameter. In a kernel the sliders are ipywidgets (7 and 8). In the built book
(``MGTUTORIAL_STATIC=1``, set by the book's Sphinx extension) all frames are drawn
beforehand, and native range inputs choose among them without a kernel or a network.
"""

import html
import math
import os
from hashlib import sha256
from importlib.util import find_spec
from itertools import islice, product

from ..errors import InvalidValue, choose
from . import images
from .slider_page import pack, page

#: The most frames, and the most bytes of HTML, that a figure may bring to a page.
MAX_FRAMES = 200
MAX_BYTES = 1_500_000
#: The most frames in a kernel, which draws only those that are asked for.
MAX_LIVE = 100_000

# SVG frames below this many bytes in all are taken without trying whether WebP is smaller.
_SMALL = 200_000

# Figures with the same content may stand twice on a page, but an id may not.
_ids_given = {}


def slider(f, *, alt=None, start=None, labels=None, **parameters):
    """Show the figure ``f(**parameters)`` with one slider per parameter.

    Parameters
    ----------
    f : callable
        Pure function from one value of each parameter to a matplotlib figure.
    alt : str or callable, optional
        What the figure shows. A string is followed by the values chosen; a callable
        takes the parameters and returns the text. Without it the text is put together
        from the figure's titles and axis labels.
    start : dict, optional
        First values, by parameter; otherwise the first of each range.
    labels : dict, optional
        What to write beside a slider in place of the parameter's name.
    **parameters : iterable of numbers or strings
        The values of each parameter, in the order of its slider. At most 200
        combinations in all on a page, where they are drawn beforehand; 100,000 in a kernel.

    Returns
    -------
    StaticSlider or ipywidgets.VBox
        Something that a notebook cell displays.

    Raises
    ------
    InvalidValue
        If there is nothing to move, if a range is empty or there are too many frames,
        if the built figure would exceed 1.5 MB, or if `f` returns no figure.
    UnknownName
        If `start` or `labels` names a parameter that does not exist.

    Examples
    --------
    >>> slider(print, n=[])
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: slider parameter 'n' has no values: give it at least one.
    """
    static = os.environ.get("MGTUTORIAL_STATIC") == "1" or find_spec("ipywidgets") is None
    frames = Frames(f, parameters, alt, labels or {}, most=MAX_FRAMES if static else MAX_LIVE)
    first = frames.index_of(start or {})
    if static:
        return StaticSlider(frames, first)
    return _widgets(frames, first)


class Frames:
    """The frames of a slider: which there are, and how each is drawn.

    A frame is named by its index: one position in each parameter's list of values.
    """

    def __init__(self, f, parameters, alt=None, labels=None, most=MAX_FRAMES):
        if not callable(f):
            raise InvalidValue(
                f"slider was given {type(f).__name__} to draw with: give a function "
                "from the parameters to a matplotlib Figure."
            )
        if not parameters:
            raise InvalidValue(
                "slider was given no parameter: give at least one, as slider(f, omega=[0.5, 1.0])."
            )
        self.f, self.alt = f, alt
        self.values = {name: _values(name, given, most) for name, given in parameters.items()}
        for name in labels or {}:
            choose("slider parameter in labels", name, self.values)
        self.labels = {name: (labels or {}).get(name, name) for name in self.values}
        self.texts = {name: [_text(v) for v in values] for name, values in self.values.items()}
        count = 1
        for values in self.values.values():
            count *= len(values)
        if count > most:
            sizes = " x ".join(f"{len(values)} of {name}" for name, values in self.values.items())
            raise InvalidValue(
                f"slider would have {count} frames ({sizes}): at most {most} are "
                "allowed, so give fewer values."
            )

    def indices(self):
        """All indices; the last parameter moves fastest."""
        return list(product(*(range(len(values)) for values in self.values.values())))

    def index_of(self, start):
        """The index of the values in `start`, with the first value where it is silent."""
        for name in start:
            choose("slider parameter in start", name, self.values)
        index = []
        for name, values in self.values.items():
            value = start.get(name, values[0])
            if value not in values:
                value = next((v for v in values if _close(v, value)), value)
            if value not in values:
                raise InvalidValue(
                    f"slider cannot start at {name} = {value!r}: "
                    f"its values are {', '.join(self.texts[name])}."
                )
            index.append(values.index(value))
        return tuple(index)

    def says(self, index):
        """The chosen values in words, such as ``omega = 0.5, steps = 3``."""
        chosen = zip(self.values, index, strict=True)
        return ", ".join(f"{self.labels[name]} = {self.texts[name][i]}" for name, i in chosen)

    def draw(self, index, *converters):
        """Draw the frame at `index`.

        Returns
        -------
        tuple
            The result of each of `converters` on the figure, its alt text, and its
            size in CSS pixels. The figure is closed.
        """
        chosen = zip(self.values.items(), index, strict=True)
        arguments = {name: values[i] for (name, values), i in chosen}
        fig = self.f(**arguments)
        images.check_figure(fig, f"slider (at {self.says(index)})")
        pictures = [convert(fig) for convert in converters]
        if callable(self.alt):
            alt = str(self.alt(**arguments))
        else:
            alt = f"{(self.alt or _describe(fig)).rstrip('.')} ({self.says(index)})."
        size = images.css_size(fig)
        images.close(fig)
        return *pictures, alt, size


class StaticSlider:
    """Pre-drawn frames as HTML: one ``<figure>`` with native inputs and a little JavaScript.

    Without JavaScript, and in print, the first frame and its values are shown.
    """

    def __init__(self, frames, first):
        indices = frames.indices()
        drawn = [frames.draw(index, images.to_svg) for index in indices]
        pictures, alts = [d[0] for d in drawn], [d[1] for d in drawn]
        at = indices.index(first)
        if len(pack(pictures)) > _SMALL:
            pictures = min(pictures, _rasters(frames, indices, pictures), key=_size)
        digest = sha256(repr((frames.texts, frames.labels, pictures)).encode()).hexdigest()[:10]
        _ids_given[digest] = _ids_given.get(digest, 0) + 1
        self.alt, self.frames = alts[at], len(indices)
        self.html = page(
            ident=f"mg-{digest}-{_ids_given[digest]}",
            image=images.img(pictures[at], alts[at], drawn[at][2]),
            pictures=pictures,
            alts=alts,
            labels=list(frames.labels.values()),
            texts=list(frames.texts.values()),
            first=first,
        )
        if len(self.html) > MAX_BYTES:
            raise InvalidValue(
                f"slider's {len(indices)} frames take {len(self.html) / 1e6:.1f} MB: at most "
                f"{MAX_BYTES / 1e6:.1f} MB are allowed in a page, so give fewer values or "
                "draw less (fewer points, `rasterized=True` for what has many)."
            )

    def __repr__(self):
        return f"<slider with {self.frames} frames: {self.alt}>"

    def _repr_html_(self):
        return self.html


def _size(pictures):
    """Size of `pictures` on the page, in bytes."""
    return len(pack(pictures))


def _rasters(frames, indices, vectors):
    """The frames as WebP, or `vectors` again if a sample says that WebP would take more."""
    sample = {len(indices) // 2, len(indices) - 1}
    size = sum(_size([frames.draw(indices[n], images.to_webp)[0]]) for n in sample) / len(sample)
    if size * len(set(vectors)) > _size(vectors):
        return vectors
    return [frames.draw(index, images.to_webp)[0] for index in indices]


def _widgets(frames, first):
    """The slider as ipywidgets: a selection slider per parameter above one image."""
    import ipywidgets as widgets

    rows = [
        widgets.SelectionSlider(
            options=[(text, i) for i, text in enumerate(texts)],
            value=i,
            description=frames.labels[name],
            # the label may be long, and must not be cut
            style={"description_width": "initial"},
            layout={"width": "95%"},
        )
        for (name, texts), i in zip(frames.texts.items(), first, strict=True)
    ]
    # An <img> in an HTML widget carries alt text, which ipywidgets' Image does not.
    picture, errors = widgets.HTML(), widgets.Output()
    drawn = {}

    def redraw(_change=None):
        index = tuple(row.value for row in rows)
        errors.outputs = ()
        if index not in drawn:
            with errors:  # an exception in f belongs under the figure, not in a log
                vector, alt, size = frames.draw(index, images.to_svg)
                drawn[index] = images.img(vector, alt, size)
        picture.value = drawn.get(index) or html.escape("no figure: see the error below")

    redraw()
    for row in rows:
        row.observe(redraw, names="value")
    return widgets.VBox([*rows, picture, errors])


def _values(name, given, most):
    """The values of one parameter, as plain Python numbers and strings."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise InvalidValue(
            f"slider parameter {name!r} is {given!r}: give it a range or a list of values."
        )
    # one more than is allowed, so that an endless iterator ends in the error about frames
    values = [v.item() if hasattr(v, "item") else v for v in islice(given, most + 1)]
    if not values:
        raise InvalidValue(f"slider parameter {name!r} has no values: give it at least one.")
    for value in values:
        if not isinstance(value, int | float | str):
            raise InvalidValue(
                f"slider parameter {name!r} holds {value!r}: its values must be numbers or strings."
            )
    return values


def _close(a, b):
    """Whether two numbers are the same up to rounding: 0.3 is not a sum of tenths."""
    return all(isinstance(v, int | float) for v in (a, b)) and math.isclose(a, b, rel_tol=1e-12)


def _text(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if isinstance(value, float) else str(value)


def _describe(fig):
    """What can be read off a figure: its titles and axis labels."""
    parts = [fig.get_suptitle()]
    for ax in fig.axes:
        parts.append(ax.get_title())
        if ax.get_xlabel() and ax.get_ylabel():
            parts.append(f"{ax.get_ylabel()} against {ax.get_xlabel()}")
    parts = [part.replace("$", "") for part in parts if part]
    return "Figure: " + "; ".join(dict.fromkeys(parts)) if parts else "Figure"
