"""All singular values of a periodic convolution: this package beside NumPy; and sliders.

The weights are 3 x 3 and random, on 32 x 32 points, in double precision. The dense matrix is
decomposed where it fits. The redraw of a slider is all that a Jupyter kernel does from the new
value to the picture: the function, the drawing, and the SVG for the browser.
"""

import gc
import os
import tracemalloc
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from mgtutorial.figures.complex_plane import REDUCTION, Plane, Relief
from mgtutorial.figures.sliders import slider
from mgtutorial.linalg.polynomials import q
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.symbols import eigenvalues, singular_values
from mgtutorial.training import snapshots

from .side_by_side import alternate, timed

GRID = (32, 32)


def kernel_of(channels, seed=0):
    """Random weights from `channels` to `channels` channels, 3 x 3, scaled as at a start."""
    scale = 1 / np.sqrt(9 * channels)
    return scale * np.random.default_rng(seed).standard_normal((channels, channels, 3, 3))


def one_thread(kernel, fast=True):
    """mgtutorial's singular values by one thread."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        return singular_values(kernel, GRID, fast)
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def plain(kernel):
    """What one writes first: the definition of the symbol, frequency by frequency."""
    offsets = np.arange(-1, 2)
    values = np.empty((*GRID, kernel.shape[0]))
    for i, j in np.ndindex(*GRID):
        t1, t2 = 2 * np.pi * i / GRID[0], 2 * np.pi * j / GRID[1]
        phases = np.exp(1j * (t1 * offsets[:, None] + t2 * offsets))
        symbol = np.tensordot(kernel, phases, axes=2)
        values[i, j] = np.linalg.svd(symbol, compute_uv=False)
    return values


def loop(kernel):
    """The symbols of all frequencies by a fast transform, and a loop of decompositions."""
    transforms = np.fft.fft2(kernel, GRID, axes=(2, 3))
    values = np.empty((*GRID, kernel.shape[0]))
    for i, j in np.ndindex(*GRID):
        values[i, j] = np.linalg.svd(transforms[:, :, i, j], compute_uv=False)
    return values


def stacked(kernel):
    """The same without a loop of Python."""
    transforms = np.fft.fft2(kernel, GRID, axes=(2, 3))
    return np.linalg.svd(transforms.transpose(2, 3, 0, 1), compute_uv=False)


SIDES = {
    "mgtutorial": lambda k: singular_values(k, GRID),
    "mgtutorial, one thread": one_thread,
    "mgtutorial, one thread, `fast=False`": lambda k: one_thread(k, False),
    "NumPy, fast transform, no loop": stacked,
    "NumPy, fast transform, loop": loop,
    "NumPy, loop over frequencies": plain,
}
REFERENCE = "NumPy, loop over frequencies"


def memory(function, *arguments):
    """Return the greatest number of bytes that the arrays of a call take at a time."""
    gc.collect()
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def measure(channels=(64, 256), repeat=(5, 1), dense_grids=(4, 6, 8), redraws=3, positions=None):
    # LAPACK with one thread on all sides: with more it is slower on small matrices, and very much
    # so while other programs run. The threads of mgtutorial share out the frequencies.
    with threadpool_limits(1, user_api="blas"):
        for c, n in zip(channels, repeat, strict=True):
            yield from compare(c, n)
        yield from dense(channels[0], dense_grids)
        yield from moves(redraws, positions)


def compare(channels, repeat):
    """All sides on one kernel, with the greatest difference to the plain loop."""
    kernel = kernel_of(channels)
    sides = {name: partial(function, kernel) for name, function in SIDES.items()}
    values, seconds = alternate(sides, repeat, warm=int(repeat > 1))
    exact = np.sort(values[REFERENCE], axis=None)
    for name, times in seconds.items():
        off = np.abs(np.sort(values[name], axis=None) - exact).max() / exact[-1]
        facts = {"difference": float(off)}
        if repeat > 1:  # once more, much slower
            facts["bytes"] = memory(sides[name])
        yield {"case": f"{channels} to {channels} channels", "side": name, "unit": "s",
               "values": times, "facts": facts}  # fmt: skip


def dense(channels, grids):
    """The matrix itself on small grids, and the symbol on the same."""
    A = Convolution(kernel_of(channels), padding_mode="circular")
    for n in grids:
        matrix = A.sparse((n, n)).toarray()
        sides = {
            "mgtutorial": partial(singular_values, A, (n, n)),
            "NumPy, dense matrix": partial(np.linalg.svd, matrix, compute_uv=False),
        }
        values, seconds = alternate(sides, 1, warm=0)
        own, found = (np.sort(v, axis=None) for v in values.values())
        off = float(np.abs(own - found).max() / found[-1])
        for name, times in seconds.items():
            yield {"case": f"{channels} channels on {n} x {n} points", "side": name, "unit": "s",
                   "values": times,
                   "facts": {"unknowns": len(matrix), "difference": off}}  # fmt: skip


def moved():
    """Figures of the chapter on spectra, each with the one parameter that is moved."""
    run = snapshots.load("poly-mgnet-skeleton")
    kernels = {epoch: list(run.operators(epoch).values())[-1] for epoch in run.epochs}
    spectra = {epoch: eigenvalues(kernel, (12, 12)) for epoch, kernel in kernels.items()}
    roots = {epoch: run.roots(epoch)[-1] for epoch in run.epochs}
    plane, contours = Plane(4.8), Plane(4.8, bands=REDUCTION)
    relief = Relief(2.0, slices=29, points=55)

    def over(z, x):
        title = f"greatest on the spectrum: {np.abs(q(z, x)).max():.1f}"
        return contours(z, np.abs(q(contours.z, x)), x, title=title)

    def pairs(x):
        return [x, -x, 1j, -1j]

    real = np.linspace(0.5, 1.5, 12)
    last = spectra[run.epochs[-1]]
    yield "eigenvalues, over epochs", lambda t: plane(spectra[t], circle=np.sqrt(2)), run.epochs
    yield "contours of q, over epochs", lambda t: over(spectra[t], roots[t]), run.epochs
    yield "contours of q, over a root", lambda t: over(last, pairs(t)), real
    yield "surface of q, over a root", lambda t: relief(lambda z: q(z, pairs(t)), pairs(t)), real


def moves(repeat, positions=None):
    """What a move of each slider costs; of its values only so many, if a number is given."""
    for name, figure, values in moved():
        values, times = values[:positions], []
        for _ in range(repeat):  # a frame that was shown is kept, so begin anew
            row = slider(figure, t=values, alt=name).children[0]
            for i in range(1, len(values)):
                times.append(timed(setattr, row, "value", i)[1])
        yield {"case": f"slider: {name}", "side": "mgtutorial", "unit": "s", "values": times}
