"""Figures over the complex plane that redraw fast enough to drag a slider.

Most of the time of a figure goes into making its axes. Here these are made once; a call of the
figure changes an image, a few marks and the title. What has many points is drawn as an image of
few pixels: SVG keeps its pixels, so that it takes a few kB.
"""

import numpy as np

from .plots import COLOURS

#: The bands of ``|q|``: below 1 a component shrinks, above it grows.
BANDS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0)


def _banded(values):
    """Colours of ``|q|`` by band, shape (..., 3): blue below 1, orange above."""
    from matplotlib import colormaps

    below, above = colormaps["Blues_r"], colormaps["Oranges"]
    table = [below(x) for x in (0.05, 0.25, 0.45, 0.65)]
    table += [above(x) for x in (0.15, 0.3, 0.5, 0.7, 0.9)]
    return np.array(table)[np.digitize(values, BANDS[1:]), :3]


def _figure(width, height):
    """A figure whose axes stay where they are put: to lay them out anew takes half of the time."""
    from matplotlib.figure import Figure

    class Fixed(Figure):
        # Saving a figure resets its layout engine to that of the style, and with any engine,
        # a placeholder too, everything is drawn twice.
        def set_layout_engine(self, layout=None, **options):
            self._layout_engine = None

    return Fixed(figsize=(width, height))


class Plane:
    """A square of the complex plane: eigenvalues as pixels, roots as crosses, zero as a plus.

    Parameters
    ----------
    half : float
        Half of its side.
    centre : float
        Of the square, on the real axis.
    banded : bool
        Whether there is a scale for the bands of ``|q|`` beside it.
    pixels : int
        Along a side.

    Attributes
    ----------
    z : array of complex, shape (pixels, pixels)
        The points of the pixels, for ``q``.

    Examples
    --------
    >>> plane = Plane(2.0)
    >>> fig = plane([1.0, 1j], roots=[1.0], title="two eigenvalues")
    >>> int((plane.pixels.sum(-1) == 0).sum())  # black on white
    2
    """

    def __init__(self, half, centre=0.0, banded=False, pixels=151):
        self.half, self.centre = half, centre
        at = half * (2 * np.arange(pixels) + 1 - pixels) / pixels
        self.z = centre + at + 1j * at[:, None]
        self.pixels = np.ones((pixels, pixels, 3))
        self.figure = _figure(5.0, 4.5)
        ax = self.ax = self.figure.add_axes((0.13, 0.14, 0.7, 0.777))
        x, y = (centre - half, centre + half), (-half, half)
        self._image = ax.imshow(self.pixels, extent=(*x, *y), origin="lower", interpolation="none")
        (self._circle,) = ax.plot([], [], color="black", linestyle="-", linewidth=1)
        (self._zero,) = ax.plot(0, 0, "+", markersize=13, color="black")
        (self._roots,) = ax.plot(
            [], [], "x", markersize=11, markeredgewidth=2.5, color=COLOURS["vermillion"]
        )
        ax.set(xlim=x, ylim=y, xlabel="Re z", ylabel="Im z")
        ax.locator_params(nbins=4)
        ax.grid(False)
        if banded:
            self._scale()

    def _scale(self):
        count = len(BANDS)
        ax = self.figure.add_axes((0.87, 0.14, 0.03, 0.777))
        middles = np.append(np.add(BANDS[1:], BANDS[:-1]) / 2, 2 * BANDS[-1])
        ax.imshow(
            _banded(middles)[:, None], extent=(0, 1, 0, count), origin="lower",
            aspect="auto", interpolation="none",
        )  # fmt: skip
        ax.set_axis_off()  # ticks would take a quarter of the time of the whole figure
        for place, band in list(enumerate(BANDS))[::2]:
            ax.text(1.4, place, f"{band:g}", va="center", fontsize=11)
        ax.text(0.5, count + 0.25, "|q|", ha="center", fontsize=11)

    def __call__(self, eigenvalues, values=None, roots=(), circle=None, title=""):
        """Change the figure and return it.

        Parameters
        ----------
        eigenvalues : array_like of complex
            Those outside the square are not seen.
        values : array of float, optional
            ``|q|`` at `z`.
        roots : array_like of complex
        circle : float, optional
            Radius of a circle around zero.
        title : str
        """
        n = len(self.z)
        self.pixels = np.ones((n, n, 3)) if values is None else _banded(values)
        where = (np.asarray(eigenvalues).ravel() - self.centre) / self.half
        column, row = (np.floor((x + 1) / 2 * n).astype(int) for x in (where.real, where.imag))
        seen = (column >= 0) & (column < n) & (row >= 0) & (row < n)
        self.pixels[row[seen], column[seen]] = 0.0
        self._image.set_data(self.pixels)
        self._roots.set_data(np.real(roots), np.imag(roots))
        turn = (circle or 0) * np.exp(2j * np.pi * np.arange(101) / 100)
        self._circle.set_data(turn.real, turn.imag)
        self._circle.set_visible(circle is not None)
        self.ax.set_title(title, fontsize=11)
        return self.figure


class Relief:
    r"""The surface of :math:`-\log_{10} |q|` over the plane: digits that `q` takes off an error.

    It is upside down, so that roots are peaks and hide nothing. Slices from the back to the front
    make the surface.

    Parameters
    ----------
    half : float
        Half of the side of the square around zero.
    low, high : float
        Where the height is cut off.
    slices, points : int

    Examples
    --------
    >>> relief = Relief(2.0)
    >>> fig = relief(lambda z: 1 - z, roots=[1.0], title="one root")
    """

    def __init__(self, half, low=-1.0, high=1.5, slices=41, points=81):
        from matplotlib.collections import PolyCollection

        self.half, self.low, self.high = half, low, high
        self.across = np.linspace(half, -half, slices)
        self.along = np.linspace(-half, half, points)
        self.figure = _figure(5.0, 3.8)
        ax = self.ax = self.figure.add_axes((0.02, 0.1, 0.96, 0.82))
        self._slices = PolyCollection(
            [np.zeros((3, 2))], facecolors="white", edgecolors=COLOURS["blue"], linewidths=0.9
        )
        ax.add_collection(self._slices)
        (self._roots,) = ax.plot(
            [], [], "x", markersize=11, markeredgewidth=2.5, color=COLOURS["vermillion"]
        )
        (left, bottom), (right, top) = (
            self._project(self.half * corner, height)
            for corner, height in ((-1 - 1j, low), (1 + 1j, high))
        )
        ax.set(xlim=(left - 0.03, right + 0.03), ylim=(bottom - 0.03, top + 0.06))
        ax.set(xticks=[], yticks=[], xlabel="Re z to the right, Im z to the back")
        ax.spines[:].set_visible(False)

    def _project(self, z, height):
        """Position on the paper: from the left, from below."""
        x, y = np.real(z) / self.half, np.imag(z) / self.half
        return x + 0.3 * y, 0.7 * y + 0.8 * (height - self.low) / (self.high - self.low)

    def __call__(self, q, roots=(), title=""):
        """Change the figure and return it.

        Parameters
        ----------
        q : callable
            From an array of complex numbers to an array.
        roots : array_like of complex
        title : str
        """
        z = self.along + 1j * self.across[:, None]
        with np.errstate(divide="ignore"):  # at a root
            height = (-np.log10(np.abs(q(z)))).clip(self.low, self.high)
        ends = np.stack(self._project(z[:, [0, -1]], self.low), axis=-1)
        lines = np.stack(self._project(z, height), axis=-1)
        self._slices.set_verts(np.concatenate([ends[:, :1], lines, ends[:, 1:]], axis=1))
        self._roots.set_data(*self._project(np.asarray(roots), self.high))
        self.ax.set_title(title, fontsize=11)
        return self.figure
