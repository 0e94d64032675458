r"""Coarse operators by Galerkin's principle, :math:`R A P`, as matrices and as stencils.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: section 2.3.2.
.. [2] W. L. Briggs, V. E. Henson, S. F. McCormick, A Multigrid Tutorial, 2nd ed., 2000: chapter 5.
"""

from .errors import InvalidValue
from .stencils import Stencil


def galerkin(R, A, P):
    r"""Return the Galerkin operator :math:`R A P` on the coarse grid.

    Parameters
    ----------
    R, A, P : matrices, or Restriction, Stencil and Prolongation
        With a stencil the result is a stencil, too: the product of the three stencils on the
        fine grid, read at every second point.

    Returns
    -------
    matrix or Stencil

    Raises
    ------
    InvalidValue
        If a transfer reaches further than one point on a grid with Dirichlet boundary: near the
        boundary the product is then no stencil. Use the matrices.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> from mgtutorial.transfers import full_weighting, linear_interpolation
    >>> A = poisson(8, d=1).A
    >>> galerkin(full_weighting(d=1), A, linear_interpolation(d=1)) == poisson(4, d=1).A
    True
    """
    if not isinstance(A, Stencil):
        return R @ A @ P
    reach = max(abs(i) for t in (R, P) for offset in t.stencil.offsets for i in offset)
    if A.boundary == "dirichlet" and reach > 1:
        raise InvalidValue(
            f"transfers that reach {reach} points give no stencil next to a Dirichlet boundary: "
            "multiply the matrices, R.sparse(shape) @ A.sparse(shape) @ P.sparse(shape)."
        )
    terms = {}
    # Coarse offset K: sum over r_a A_b p_c with a + b = 2 K + c, as R reads at +a, P writes to +c.
    for a, ca in zip(R.stencil.offsets, R.stencil.coefficients, strict=True):
        for b, cb in zip(A.offsets, A.coefficients, strict=True):
            for c, cc in zip(P.stencil.offsets, P.stencil.coefficients, strict=True):
                at = tuple(i + j - k for i, j, k in zip(a, b, c, strict=True))
                if not any(i % 2 for i in at):
                    K = tuple(i // 2 for i in at)
                    terms[K] = terms.get(K, 0.0) + ca * cb * cc
    size = max(map(abs, terms.values()))
    # What cancels leaves rounding behind, which is no coupling.
    kept = {K: c for K, c in sorted(terms.items()) if abs(c) > 1e-14 * size or not any(K)}
    return Stencil(tuple(kept), tuple(kept.values()), A.boundary)
