"""Grids of symbols: in NumPy's numbers, and those that are none."""

import numpy as np
import pytest

from mgtutorial.errors import InvalidValue
from mgtutorial.spectra.extremal import extremal_eigenvalues
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import (
    convolution_symbol,
    eigenvalues,
    operator_norm,
    singular_values,
    symbol,
)

GRIDS = {
    "symbol": lambda A, n: symbol(A, (n,)),
    "convolution symbol": lambda A, n: convolution_symbol(A.kernel, (n,)),
    "singular values": lambda A, n: singular_values(A, (n,)),
    "every second": lambda A, n: singular_values(as_convolution(A, stride=2), (n,)),
    "single entry": lambda A, n: singular_values(
        as_convolution(A.kernel[..., :1], stride=n // 50), (n,)
    ),
    "norm": lambda A, n: operator_norm(A, (n,), "zeros"),
    "outermost": lambda A, n: extremal_eigenvalues(A, (n,), k=n // 50),
    "output": lambda A, n: A.output_shape((n,)),
    "matrix": lambda A, n: A.sparse((n,)).toarray(),
    "operator": lambda A, n: A.operator((n,)).matvec(np.arange(100.0)),
}


@pytest.mark.parametrize("what", GRIDS)
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_a_grid_in_small_numbers_of_numpy_is_that_in_pythons(what, kind):
    A = as_convolution(np.random.default_rng(0).standard_normal((1, 1, 3)), padding=60)
    A = A if what in ("output", "matrix") else as_convolution(A.kernel)
    np.testing.assert_array_equal(GRIDS[what](A, kind(100)), GRIDS[what](A, 100))


@pytest.mark.parametrize("shape", [(0,), (4.0,), (-4,), ("4",)])
def test_a_grid_without_points_is_refused_by_every_symbol(shape):
    A = as_convolution(np.ones((1, 1, 3)))
    for f in (symbol, singular_values, eigenvalues):
        with pytest.raises(InvalidValue, match="periodic grid of shape"):
            f(A, shape)
    with pytest.raises(InvalidValue, match="a positive number"):
        convolution_symbol(A.kernel, shape)
