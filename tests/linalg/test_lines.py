"""Relaxation by lines: what it refuses. (What it does is in test_smoothers.)"""

import numpy as np
import pytest

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.lines import line_jacobi
from mgtutorial.linalg.problems import poisson


@pytest.mark.parametrize("n", [5, 8, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_lines_that_are_singular_are_one_sentence(n, dtype):
    with pytest.raises(InvalidValue, match=f"matrix of {n} unknowns is singular"):
        line_jacobi(poisson(n, d=1, boundary="periodic").A)(np.ones(n, dtype))


def test_a_grid_with_too_few_axes_for_lines_is_one_sentence():
    with pytest.raises(InvalidValue, match="last 2 axes"):
        line_jacobi(poisson(8).A)(np.ones(7))
