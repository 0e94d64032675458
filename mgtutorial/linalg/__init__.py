"""Part 1, the linear algebra: stencils, smoothers, polynomials, transfers, solvers."""
