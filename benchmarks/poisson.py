"""Poisson's equation on the square: mgtutorial's multigrid beside PyAMG, in one run.

The task is -Laplace u = f with 1025 x 1025 points (boundary counted), a random right-hand
side, and a relative residual of 1e-10 in the 2-norm. All solvers take the same right-hand side,
stop at the same tolerance, and are asked for the true residual afterwards. How the clock is read
is said in side_by_side.py.

    python benchmarks/poisson.py               # needs pip install pyamg
    python benchmarks/poisson.py --check       # exit code 1 if a PyAMG solver was faster
    python benchmarks/poisson.py --scaling     # 129 to 2049: is the work linear? (no PyAMG)
"""

import argparse
import math
import sys
from functools import partial

import numpy as np
import scipy
from scipy.fft import dstn, idstn
from side_by_side import circumstances, timed
from threadpoolctl import threadpool_limits

from mgtutorial.linalg.fast_poisson import PoissonSolver
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.solvers import poisson_levels, solve

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
        sys.exit("benchmarks/poisson.py compares with PyAMG, which is missing: pip install pyamg")
    matrix = poisson(n).sparse()
    # PyAMG is made for 32-bit indices and SciPy's older matrix class
    matrix = scipy.sparse.csr_matrix(matrix)
    matrix.indices, matrix.indptr = matrix.indices.astype("i4"), matrix.indptr.astype("i4")
    table = {"mgtutorial, fast_poisson": ours, "mgtutorial, general blocks": plain}
    for name in ("ruge_stuben_solver", "smoothed_aggregation_solver"):
        source = FromMatrix(getattr(pyamg, name), {n: matrix})
        for accel in (None, "cg"):
            label = f"PyAMG {name}" + (" + CG" if accel else "")
            table[label] = partial(amg, source, accel)
    table["SciPy, sine transform"] = sine_transform
    return table, pyamg.__version__


def compare(n, repeat, seed):
    """Time all methods in turn; return {name: (set-up, solve, best total, cpu, residual, note)}."""
    table, version = methods(n)
    problem = poisson(n)
    f = np.random.default_rng(seed).standard_normal(problem.shape)
    size = np.linalg.norm(f)
    runs = {name: [] for name in table}
    for i in range(repeat):
        for name, method in table.items():
            run, setup, setup_cpu = timed(method, n, TOL)
            (u, note), wall, cpu = timed(run, f)
            residual = np.linalg.norm(f - problem.A(u)) / size
            runs[name].append((setup, wall, setup + wall, setup_cpu + cpu, residual, note))
            del run, u
            print(f"  run {i + 1}: {name:42s} {setup:8.3f} + {wall:8.3f} s", file=sys.stderr)
    best = {}
    for name, rows in runs.items():
        first = min(rows, key=lambda row: row[2])
        best[name] = (min(r[0] for r in rows), min(r[1] for r in rows), *first[2:])
    return best, version


def print_comparison(n, best):
    print(f"{n + 1} x {n + 1} points, relative residual {TOL:g}\n")
    print("| solver | set-up (s) | solve (s) | both (s) | processor (s) | residual | |")
    print("|---|---|---|---|---|---|---|")
    for name, (setup, wall, total, cpu, residual, note) in best.items():
        print(
            f"| {name} | {setup:.3f} | {wall:.3f} | {total:.3f} | {cpu:.3f} | {residual:.1e} "
            f"| {note} |"
        )
    mine = best["mgtutorial, fast_poisson"]
    others = {name: row for name, row in best.items() if name.startswith("PyAMG")}
    solve_only = min(row[1] for row in others.values()) / mine[1]
    both = min(row[2] for row in others.values()) / mine[2]
    print(f"\nThe fastest PyAMG solver takes {solve_only:.1f} times as long without its set-up,")
    print(f"{both:.1f} times with it.")
    reached = all(row[4] <= 1.01 * TOL for row in best.values())
    if not reached:
        print("Not every solver has reached the tolerance: see the residuals.")
    return solve_only > 1 and both > 1 and mine[4] <= TOL


def scaling(sizes, repeat, seed):
    """Time per solve and per unknown, the fitted exponent, and the attainable residual."""
    print(
        "| points | cycles | solve (s) | ns per unknown | attainable residual: random f | f = 1 |"
    )
    print("|---|---|---|---|---|---|")
    unknowns, times = [], []
    for n in sizes:
        f = np.random.default_rng(seed).standard_normal((n - 1, n - 1))
        solver = PoissonSolver(n)
        walls = []
        for _ in range(repeat):
            result, wall, _ = timed(solver.solve, f, TOL)
            walls.append(wall)
        floors = []
        for side in (f, np.ones_like(f)):
            low = solver.solve(side, tol=0.0, max_cycles=60)
            floors.append(min(low.residuals) / np.linalg.norm(side))
        unknowns.append((n - 1) ** 2)
        times.append(min(walls))
        each = times[-1] / unknowns[-1] * 1e9
        print(
            f"| {n + 1}^2 | {result.cycles} | {times[-1]:.4f} | {each:.0f} "
            f"| {floors[0]:.1e} | {floors[1]:.1e} |"
        )
    exponent = np.polyfit(np.log(unknowns), np.log(times), 1)[0]
    print(f"\nFitted: time ~ unknowns^{exponent:.2f}")
    if len(times) > 2:
        last = math.log(times[-1] / times[-3]) / math.log(unknowns[-1] / unknowns[-3])
        print(f"Between the last three sizes: unknowns^{last:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--n", type=int, default=1024, help="mesh cells along an axis")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="exit code 1 if PyAMG was faster")
    parser.add_argument("--scaling", action="store_true", help="sizes 129 to 2049 instead")
    args = parser.parse_args()
    print(circumstances(np, scipy))
    if args.scaling:
        scaling([128, 256, 512, 1024, 2048], args.repeat, args.seed)
        return 0
    best, version = compare(args.n, args.repeat, args.seed)
    print(f"PyAMG {version}; fastest of {args.repeat}, solvers in turn")
    faster = print_comparison(args.n, best)
    return 0 if faster or not args.check else 1


if __name__ == "__main__":
    # One thread each. With more, some of PyAMG's set-ups mostly wait for the threads of the
    # linear algebra library when the machine is busy; ours has nothing to share out.
    with threadpool_limits(1):
        code = main()
    sys.exit(code)
