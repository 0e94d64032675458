"""Figures over the complex plane that redraw fast enough to drag a slider.

Most of the time for a figure goes into making its axes. Here these are made once; calling the
figure changes an image, a few marks and the title. Whatever has many points is drawn as an image of
few pixels: SVG keeps its pixels, so it takes a few kB.
"""

from typing import NamedTuple

import numpy as np

from .style import COLOURS


class Bands(NamedTuple):
    """Colours for values from each edge to the next, and from the last one on.

    Attributes
    ----------
    label : str
        What is coloured.
    edges : tuple of float
        Ascending, from 0 on.
    colours : tuple of str
        As many as edges.
    """

    label: str
    edges: tuple
    colours: tuple

    def __call__(self, values):
        """Return the colours of values, shape (..., 3)."""
        from matplotlib.colors import to_rgb

        table = np.array([to_rgb(colour) for colour in self.colours])
        return table[np.digitize(values, self.edges[1:])]


#: ``|q|``: below 1, in blue, a component shrinks; above it, in orange, it grows.
REDUCTION = Bands(
    "|q|",
    (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0),
    (
        *("#083c7d", "#2171b5", "#5ba3d0", "#a6cee4"),
        *("#fee2c6", "#fdc895", "#fda25a", "#f77b28", "#e25508"),
    ),
)

#: A density in units of one to compare it with, for example that of an even disc.
DENSITY = Bands(
    "density",
    (0.0, 0.02, 0.1, 0.4, 0.8, 1.25, 2.5),
    ("#ffffff", "#dfe318", "#7ad151", "#2fb47c", "#21908d", "#2f6c8e", "#414487"),
)


def _figure(width, height):
    """A figure whose axes stay where they are put: laying them out again takes half of the time."""
    from matplotlib.figure import Figure

    class Fixed(Figure):
        # Saving a figure resets its layout engine to that of the style, and with any engine,
        # even a placeholder, everything is drawn twice.
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
        Centre of the square, on the real axis.
    bands : Bands, optional
        For the values behind the eigenvalues; their scale is shown beside the square.
    pixels : int
        Pixels along a side.

    Attributes
    ----------
    z : array of complex, shape (pixels, pixels)
        The points of the pixels, to evaluate ``q`` at.

    Examples
    --------
    >>> plane = Plane(2.0)
    >>> fig = plane([1.0, 1j], roots=[1.0], title="two eigenvalues")
    >>> int((plane.pixels.sum(-1) == 0).sum())  # black on white
    2
    """

    def __init__(self, half, centre=0.0, bands=None, pixels=151):
        self.half, self.centre, self.bands = half, centre, bands
        at = half * (2 * np.arange(pixels) + 1 - pixels) / pixels
        self.z = centre + at + 1j * at[:, None]
        self.pixels = np.ones((pixels, pixels, 3))
        self.figure = _figure(5.0, 4.5)
        ax = self.ax = self.figure.add_axes((0.15, 0.14, 0.7, 0.777))
        x, y = (centre - half, centre + half), (-half, half)
        self._image = ax.imshow(self.pixels, extent=(*x, *y), origin="lower", interpolation="none")
        rim = "black" if bands else COLOURS["blue"]  # which can be seen among black points, too
        (self._circle,) = ax.plot([], [], color=rim, linestyle="-", linewidth=1.5)
        (self._zero,) = ax.plot(0, 0, "+", markersize=13, color="black")
        # a white rim, as a root may lie on any colour
        (self._rims,) = ax.plot([], [], "x", markersize=14, markeredgewidth=6, color="white")
        (self._roots,) = ax.plot(
            [], [], "x", markersize=11, markeredgewidth=2.5, color=COLOURS["vermillion"]
        )
        ax.set(xlim=x, ylim=y, xlabel="Re z", ylabel="Im z")
        ax.locator_params(nbins=5, steps=(1, 2, 5, 10))
        ax.grid(False)
        if bands:
            self._scale()

    def _scale(self):
        edges, count = self.bands.edges, len(self.bands.edges)
        ax = self.figure.add_axes((0.88, 0.14, 0.03, 0.777))
        ax.imshow(
            self.bands(np.array(edges))[:, None], extent=(0, 1, 0, count), origin="lower",
            aspect="auto", interpolation="none",
        )  # fmt: skip
        ax.set_axis_off()  # ticks would take a quarter of the time of the whole figure
        for place, edge in list(enumerate(edges))[::2]:
            ax.text(1.4, place, f"{edge:g}", va="center", fontsize=11)
        ax.text(0.5, count + 0.25, self.bands.label, ha="center", fontsize=11)

    def density(self, eigenvalues, width):
        """Return the share of eigenvalues per unit of area, at `z`.

        Parameters
        ----------
        eigenvalues : array_like of complex
        width : float
            Standard deviation of the Gaussian by which each eigenvalue is spread.
        """
        from scipy.ndimage import gaussian_filter

        row, column = self._pixels(eigenvalues)
        counts = np.zeros(self.z.shape)
        np.add.at(counts, (row, column), 1)
        side = 2 * self.half / len(self.z)
        share = counts / (np.size(eigenvalues) * side**2)
        return gaussian_filter(share, width / side, mode="constant")

    def _pixels(self, eigenvalues):
        """Row and column of each eigenvalue inside the square."""
        n = len(self.z)
        where = (np.asarray(eigenvalues).ravel() - self.centre) / self.half
        column, row = (np.floor((x + 1) / 2 * n).astype(int) for x in (where.real, where.imag))
        seen = (column >= 0) & (column < n) & (row >= 0) & (row < n)
        return row[seen], column[seen]

    def __call__(self, eigenvalues, values=None, roots=(), circle=None, title=""):
        """Change the figure and return it.

        Parameters
        ----------
        eigenvalues : array_like of complex
            Those outside the square are not shown.
        values : array of float, optional
            At `z`, for the bands.
        roots : array_like of complex
        circle : float, optional
            Radius of a circle around zero.
        title : str
        """
        n = len(self.z)
        self.pixels = np.ones((n, n, 3)) if values is None else self.bands(values)
        self.pixels[self._pixels(eigenvalues)] = 0.0
        self._image.set_data(self.pixels)
        for marks in (self._rims, self._roots):
            marks.set_data(np.real(roots), np.imag(roots))
        turn = (circle or 0) * np.exp(2j * np.pi * np.arange(101) / 100)
        self._circle.set_data(turn.real, turn.imag)
        self._circle.set_visible(circle is not None)
        self.ax.set_title(title, fontsize=11)
        return self.figure


class Relief:
    r"""The surface of :math:`-\log_{10} |q|` over the plane: digits by which `q` reduces an error.

    It is upside down, so that roots are peaks and hide nothing. The surface is made of slices from
    the back to the front.

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
            Takes an array of complex numbers and returns an array.
        roots : array_like of complex
        title : str
        """
        z = self.along + 1j * self.across[:, None]
        for root in roots:  # the nearest point moves onto it: a peak is narrower than the mesh
            row = np.abs(self.across - root.imag).argmin()
            z[row, np.abs(self.along - root.real).argmin()] = root
        with np.errstate(divide="ignore"):  # at a root
            height = (-np.log10(np.abs(q(z)))).clip(self.low, self.high)
        ends = np.stack(self._project(z[:, [0, -1]], self.low), axis=-1)
        lines = np.stack(self._project(z, height), axis=-1)
        self._slices.set_verts(np.concatenate([ends[:, :1], lines, ends[:, 1:]], axis=1))
        self._roots.set_data(*self._project(np.asarray(roots), self.high))
        self.ax.set_title(title, fontsize=11)
        return self.figure
