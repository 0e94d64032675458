"""Poisson's equation on the square: multigrid of this package beside PyAMG.

The task is -Laplace u = f with 1025 x 1025 points (boundary counted), a random right-hand side, and
a relative residual of 1e-10 in the 2-norm. All methods take the same right-hand side, the
iterative ones stop at the same tolerance, and the true residuals are computed afterwards. PyAMG's
two solvers have their defaults, alone and as preconditioners for conjugate gradients. The matrix is
assembled before the clock starts.
"""

from functools import partial

import numpy as np
import scipy
from scipy.fft import dstn, idstn
from threadpoolctl import threadpool_limits

from mgtutorial.linalg.fast_poisson import PoissonSolver
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.solvers import poisson_levels, solve

from .side_by_side import alternate, timed

TOL = 1e-10


def ours(n, tol):
    """Set up the solver of mgtutorial.linalg.fast_poisson; return its solve."""
    solver = PoissonSolver(n)

    def run(f):
        result = solver.solve(f, tol)
        return result.u, f"{result.cycles} cycles after full multigrid"

    return run


def plain(n, tol):
    """The same method from general building blocks, which a reader would write."""
    levels = poisson_levels(n)

    def run(f):
        result = solve(levels, f, tol=tol)
        return result.u, f"{result.cycles} cycles"

    return run


def amg(make, accel, n, tol):
    """Set up a PyAMG solver with its defaults; return its solve."""
    matrix = make.matrices[n]
    hierarchy = make.solver(matrix)

    def run(f):
        residuals = []
        u = hierarchy.solve(f.ravel(), tol=tol, maxiter=300, accel=accel, residuals=residuals)
        return u.reshape(f.shape), f"{len(residuals) - 1} iterations"

    return run


class FromMatrix:
    """A PyAMG constructor, and the matrices it is given (assembled outside of the clock)."""

    def __init__(self, solver, matrices):
        self.solver, self.matrices = solver, matrices


def sine_transform(n, tol):
    """The direct method of this very problem: no multigrid, and only for constant coefficients."""
    problem = poisson(n)
    eigenvalues = problem.A.symbol(*problem.frequencies()).real

    def run(f):
        return idstn(dstn(f, type=1) / eigenvalues, type=1), "direct"

    return run


def methods(n):
    """Name: set-up function. Those whose name begins with PyAMG are what we compare with."""
    try:
        import pyamg
    except ImportError:
        raise SystemExit("PyAMG, which this compares with, is missing: pip install pyamg") from None
    matrix = poisson(n).sparse()
    # PyAMG is made for 32-bit indices and SciPy's older matrix class
    matrix = scipy.sparse.csr_matrix(matrix)
    matrix.indices, matrix.indptr = matrix.indices.astype("i4"), matrix.indptr.astype("i4")
    table = {"mgtutorial": ours, "mgtutorial, general blocks": plain}
    for name in ("ruge_stuben_solver", "smoothed_aggregation_solver"):
        source = FromMatrix(getattr(pyamg, name), {n: matrix})
        for accel in (None, "cg"):
            label = f"PyAMG {name}" + (" + CG" if accel else "")
            table[label] = partial(amg, source, accel)
    table["SciPy, sine transform"] = sine_transform
    return table


def measure(n=1024, repeat=5, sizes=(128, 256, 512, 1024, 2048)):
    # One thread each. With more, some of PyAMG's set-ups mostly wait for the threads of the
    # linear algebra library when the machine is busy; ours has nothing to share out.
    with threadpool_limits(1):
        yield from compare(n, repeat)
        yield from scaling(sizes, repeat)


def compare(n, repeat):
    """Set up and solve, and both: the cases of one problem."""
    problem = poisson(n)
    f = np.random.default_rng(0).standard_normal(problem.shape)

    times, sides = {}, {}
    for name, method in methods(n).items():
        times[name] = []
        sides[name] = partial(set_up_and_solve, method, n, f, problem, times[name])
    results, _ = alternate(sides, repeat)
    for name, seconds in times.items():
        residual, note = results[name]
        facts = {"residual": float(residual), "steps": note}
        setups, solves = zip(*seconds[-repeat:], strict=True)
        yield {"case": f"{n + 1} x {n + 1}: solve", "side": name, "unit": "s",
               "values": solves, "facts": facts}  # fmt: skip
        yield {"case": f"{n + 1} x {n + 1}: set up and solve", "side": name, "unit": "s",
               "values": [sum(pair) for pair in seconds[-repeat:]],
               "facts": {"set-up": float(np.median(setups))}}  # fmt: skip


def set_up_and_solve(method, n, f, problem, times):
    """Append the seconds of both to `times`; return the relative residual and the steps."""
    run, setup, _ = timed(method, n, TOL)
    (u, steps), solve, _ = timed(run, f)
    times.append((setup, solve))
    return np.linalg.norm(f - problem.A(u)) / np.linalg.norm(f), steps


def scaling(sizes, repeat):
    """Does the work grow linearly? The residual that can be attained, too."""
    for n in sizes:
        f = np.random.default_rng(0).standard_normal((n - 1, n - 1))
        solver = PoissonSolver(n)
        results, seconds = alternate({"mgtutorial": partial(solver.solve, f, TOL)}, repeat)
        facts = {"unknowns": f.size, "cycles": results["mgtutorial"].cycles}
        for name, side in (("random f", f), ("f = 1", np.ones_like(f))):
            low = solver.solve(side, tol=0.0, max_cycles=60)
            facts[f"attainable, {name}"] = float(min(low.residuals) / np.linalg.norm(side))
        yield {"case": "growth", "side": f"mgtutorial, {n + 1} x {n + 1}", "unit": "s",
               "values": seconds["mgtutorial"], "facts": facts}  # fmt: skip
