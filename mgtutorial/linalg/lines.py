r"""Relaxation of whole lines: damped Jacobi whose blocks are the points along one axis.

It is the smoother for a coupling that is much stronger along one axis than along the others, where
relaxing single points smooths along that axis only.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: section 5.1.
"""

from functools import lru_cache

import numpy as np

from ..errors import InvalidValue
from ._numbers import solvable
from .coarsening import _factorised


def line_jacobi(A, omega=2 / 3, axis=0):
    r"""Damped Jacobi by lines, :math:`B = \omega T^{-1}`: the points of a line are solved together.

    Parameters
    ----------
    A : Stencil
    omega : float
        The damping; 2/3 smooths best where the lines follow a coupling that is much stronger than
        the others.
    axis : int
        The one along which the lines run.

    Returns
    -------
    callable
        For NumPy arrays of doubles, of shape ``(..., *grid)``. Each line is a banded system, solved
        by factorisation.

    Raises
    ------
    InvalidValue
        If `A` has no such axis, or if `omega` is not finite; when called, if a line's equations
        are singular, and for an array with too few axes.

    Examples
    --------
    >>> from mgtutorial.linalg import anisotropic_diffusion
    >>> A = anisotropic_diffusion(4, epsilon=1e-12).A  # hardly more than its lines
    >>> r = A(np.ones((3, 3)))
    >>> line_jacobi(A, omega=1.0)(r).round(6)
    array([[1., 1., 1.],
           [1., 1., 1.],
           [1., 1., 1.]])

    Book: two_grid_theory, two-grid-anisotropy
    """
    if not np.isfinite(omega):
        raise InvalidValue(f"omega = {omega!r}: give a finite damping factor.")
    line = A.along(axis)
    axis = axis % A.d - A.d  # counted from the last: there may be axes of a batch before

    @lru_cache(maxsize=16)
    def solver(size, dtype):
        return _factorised(line.sparse((size,), dtype))

    def B(r):
        if not isinstance(r, np.ndarray):
            raise InvalidValue(
                f"relaxation by lines was given a {type(r).__name__}: give a NumPy array (for "
                "torch tensors there are jacobi and red_black)."
            )
        if r.ndim < A.d:
            raise InvalidValue(
                f"relaxation by lines in {A.d} dimensions was given an array of shape {r.shape}: "
                f"the grid must be the last {A.d} axes."
            )
        lines = np.moveaxis(r, axis, 0)
        columns = np.ascontiguousarray(
            lines.reshape(len(lines), -1), solvable(r, line.coefficients)
        )
        found = solver(len(lines), columns.dtype)(columns)
        return omega * np.moveaxis(found.reshape(lines.shape), 0, axis)

    return B


def line_jacobi_symbol(A, omega=2 / 3, axis=0):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega \tilde A(\theta) / \tilde T(\theta)`.

    Here `T` is the part of `A` that couples the points of a line along `axis`.

    Parameters
    ----------
    A : Stencil
    omega : float
        The damping.
    axis : int

    Examples
    --------
    >>> from mgtutorial.linalg import anisotropic_diffusion, smoothing_factor
    >>> strong = anisotropic_diffusion(8, epsilon=1e-3).A
    >>> round(smoothing_factor(line_jacobi_symbol(strong), d=2), 3)  # 1/3 in the limit
    0.334

    Book: two_grid_theory, two-grid-anisotropy
    """
    line = A.along(axis)
    return lambda *theta: 1 - omega * A.symbol(*theta) / line.symbol(theta[axis])
