"""Small singular values that squares would lose keep the promised 1e-12 of the greatest."""

import numpy as np
import pytest

from mgtutorial.spectra._frequencies import Frequencies
from mgtutorial.spectra._squares import worthwhile
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import singular_values, symbol


@pytest.mark.parametrize("rest", [1e-4, 3e-5, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("shape", [(8, 8), (10, 9)])
def test_a_mean_over_a_square_and_a_small_rest(rest, shape):
    """At the highest frequencies the mean vanishes, and the rest alone is left there."""
    c = 32
    full = np.random.default_rng(7).standard_normal((c, c, 2, 2))
    kernel = 0.25 * np.eye(c)[..., None, None] * np.ones((2, 2)) + rest * full
    assert worthwhile(Frequencies(as_convolution(kernel), shape))
    exact = np.linalg.svd(symbol(kernel, shape), compute_uv=False)[..., 0, :]
    assert exact.min() < 0.1 * rest * exact.max()
    assert np.abs(singular_values(kernel, shape) - exact).max() < 1e-12 * exact.max()
