"""What the chapter on spectra says of the trained operators: found in the measured file."""

import json

import numpy as np
import pytest

from mgtutorial.spectra.symbols import symbol
from mgtutorial.training import records, snapshots

from .prose import ROOT, says


@pytest.fixture(scope="module")
def measured():
    """What the notebook on spectra measured; tests/spectra/test_summary.py computes it again."""
    return json.loads((ROOT / "results/spectra/summary.json").read_text(encoding="utf-8"))


def ends(rows, key, digits, factor=1):
    """The least and the greatest of a column, as a page writes them."""
    values = [factor * row[key] for row in rows]
    return f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"


def test_spectra_accuracies_are_those_of_the_records(measured):
    of_run = {
        name: snapshots.load(name).about
        for name in (row["network"] for row in measured["accuracies"])
    }
    recorded = {r.digest: r.metric.value for r in records.read(ROOT / "results/runs")}
    for row in measured["accuracies"]:
        assert row["accuracy"] == recorded[of_run[row["network"]]["record"]]
    assert ends(measured["accuracies"], "accuracy", 1, 100) == ("85.6", "88.1")
    says("spectra", "Test accuracies are between 85.6 and 88.1 per cent")
    least = min(measured["accuracies"], key=lambda row: row["accuracy"])
    assert least["network"] == "poly-mgnet-skeleton"
    says("spectra", "of the five networks the skeleton has the lowest accuracy")


def test_spectra_sizes_of_the_files():
    sizes = [f.stat().st_size / 1e3 for f in (ROOT / "results/spectra").glob("*.npz")]
    assert (round(min(sizes)), round(max(sizes))) == (125, 586)
    says("spectra", "as files of 125 to 586 kB")


def test_spectra_distance_from_normal(measured):
    large = [row for row in measured["normality"] if row["network"] != "MGiaD"]
    assert ends(large, "skew", 2) == ("0.69", "0.71")
    assert ends(large, "henrici", 2) == ("0.64", "0.72")
    says("spectra", "between 0.69 and 0.71 and the second between 0.64 and 0.72")
    small = [r for r in measured["normality"] if r["network"] == "MGiaD" and r["level"] > 1]
    assert {f"{r['henrici']:.2f}" for r in small if r["epoch"] == 0} == {"0.61"}
    assert [f"{r['henrici']:.2f}" for r in small if r["epoch"] > 0] == ["0.69", "0.66"]
    says("spectra", "start at 0.61, as small random matrices do, and end at 0.69 and 0.66")
    skeleton = [r["henrici"] for r in large if r["network"] == "skeleton" and r["level"] == 1]
    assert [f"{x:.2f}" for x in skeleton] == ["0.68", "0.64"]
    change = [
        abs(a["henrici"] - b["henrici"]) for a, b in zip(large[::2], large[1::2], strict=True)
    ]
    assert max(change) == pytest.approx(abs(skeleton[0] - skeleton[1]))
    says("spectra", "that of the skeleton's first level, from 0.68 to 0.64")
    last = measured["norm"][-1]
    assert (f"{last['radius']:.1f}", f"{last['norm']:.1f}") == ("4.7", "5.8")
    says("spectra", "the spectral radius is 4.7 after training and the norm 5.8")


def test_spectra_roots_go_in_and_eigenvalues_out(measured):
    start = [row for row in measured["roots"] if row["epoch"] == 0]
    end = [row for row in measured["roots"] if row["epoch"] > 0]
    assert all(row["greatest"] <= 3 for row in start)
    says("spectra", "There $|q|$ is at most 3 on the spectrum")
    factors = [{"factor": row["norm"] / row["greatest"]} for row in end]
    assert ends(factors, "factor", 1) == ("1.1", "2.4")
    says("spectra", "it is too small by a factor of 1.1 to 2.4")
    left = measured["left"]
    nearest, farthest = min(r["nearest"] for r in left), max(r["farthest"] for r in left)
    mean = sum(row["reals"] + row["pair"] for row in left) / 6
    assert (f"{nearest:.1f}", f"{farthest:.1f}", f"{mean:.1f}") == ("2.9", "4.7", "4.1")
    says("spectra", "they would be at distances between 2.9 and 4.7, at 4.1 on average.")
    distances = [abs(complex(row["real"], row["imag"])) for row in end]
    distances += [abs(float(x)) for row in end for x in row["reals"].split(", ")]
    assert f"{sum(distances) / len(distances):.1f}" == "1.2"
    says("spectra", "They are between 0.9 and 1.5, at 1.2 on average")
    power = [100 * row["power at low frequencies"] for row in left]
    shares = "{:.0f}, {:.0f} and {:.0f} per cent".format(*power)
    assert shares == "62, 72 and 97 per cent"
    says("spectra", "62, 72 and 97 per cent of $\\|q(A)\\|_F^2$ are at low frequencies")
    assert all(9.5 < row["median on those that left"] < 12.5 for row in left)
    says("notebooks/spectra.ipynb", "is about ten in the median on the eigenvalues that have left")
    assert [f"{row['mean']:.1f}" for row in measured["bulk"]] == ["1.4", "1.2", "1.3"]
    says("spectra", "is 1.4, 1.2 and 1.3 on the three levels")
    assert ends(measured["decay-g4"], "least", 2, -100) == ("3.85", "3.85")
    assert ends(measured["decay-g4"], "greatest", 2, -100) == ("3.85", "3.85")
    says("spectra", "all of g4's by the same 3.85 per cent of weight decay")


def test_spectra_small_groups_keep_no_bulk(measured):
    rows = [r for r in measured["outliers"] if r["network"] == "MGiaD" and r["level"] > 1]
    now = [f"{100 * row['at the end']:.0f}" for row in rows]
    before = [f"{100 * row['inside at the start']:.0f}" for row in rows]
    assert (now, before) == (["50", "57"], ["83", "79"])
    says(
        "spectra", "50 and 57 per cent of the eigenvalues are in the small disc, against 83 and 79"
    )


def test_poly_mgnet_median_of_the_trained_skeleton(measured):
    end = [f"{row['median']:.2f}" for row in measured["roots"] if row["epoch"] > 0]
    says("poly_mgnet", f"Its median is {end[0]}, {end[1]} and {end[2]} on the three levels")


def test_spectra_steps_enlarge_errors_apart_from_the_first(measured):
    end = [row for row in measured["steps"] if row["when"] == "end"]
    later = [r[k] for r in end if (r["level"], r["step"]) != (1, 1) for k in ("low", "high")]
    least, most = (f"{100 * (x - 1):.0f}" for x in (min(later), max(later)))
    says(
        "spectra", f"a step of the trained network enlarges an error by {least} to {most} per cent"
    )


def test_spectra_smoothing_factors_and_gains(measured):
    end = [row for row in measured["steps"] if row["when"] == "end"]
    assert len(end) == 9 and ends(end, "mu", 1) == ("1.8", "27.8")
    says("spectra", "For the nine steps of the trained network it is between 1.8 and 27.8")
    growth = [100 * (row[k] - 1) for row in measured["steps"] for k in ("low", "high")]
    assert round(min(growth)) == 1
    says("spectra", f"for all steps, trained or not, from 1 per cent to {max(growth):.0f}")
    says("notebooks/spectra.ipynb", f"growth of random errors from 1 per cent to {max(growth):.0f}")
    others = [100 * (row[k] - 1) for row in end[1:] for k in ("low", "high")]
    assert round(min(others)) == 1 and 25 < max(others) < 30
    says("notebooks/spectra.ipynb", "by 1 to 30 per cent in the others")
    start = [row[k] for row in measured["steps"] if row["when"] == "start" for k in ("low", "high")]
    assert 1.2 < min(start) < 1.25 and [x for x in start if x > 3] == start[12:14]
    says("notebooks/spectra.ipynb", "a fifth in some steps and more than threefold in one")


def test_spectra_min_max_roots_against_outermost(measured):
    start, end = (
        [row for row in measured["shifted"] if row["when"] == when] for when in ("start", "end")
    )
    assert ends(start, "minimax", 2) == ("0.40", "0.54")
    assert ends(start, "extremes", 1) == ("1.4", "2.1")
    says("spectra", "the best four roots reach 0.40 to 0.54")
    says("spectra", "The outermost eigenvalues as roots give 1.4 to 2.1")
    assert (ends(start, "left", 2), ends(end, "left", 2)) == (("0.34", "0.43"), ("0.12", "0.26"))
    says("spectra", "from between 0.34 and 0.43 to between 0.12 and 0.26")
    assert ends(end, "minimax", 2) == ("0.56", "0.77")
    says("spectra", "even the best four roots now leave 0.56 to 0.77")
    assert ends(end, "trained", 1) == ("1.5", "18.9")
    says("spectra", "their greatest $|q|$ is 1.5 to 18.9")


def test_spectra_outliers_are_near_eigenvalues_of_the_update():
    skeleton = snapshots.load("poly-mgnet-skeleton")
    start, end = (
        np.asarray(list(skeleton.operators(epoch).values())[2], dtype=float)
        for epoch in (0, skeleton.epochs[-1])
    )
    update, trained = (
        np.linalg.eigvals(symbol(kernel, (12, 12))[0, 0, 0]) for kernel in (end - start, end)
    )
    outliers = trained[abs(trained) > 2]
    nearest = np.array([update[abs(update - z).argmin()] for z in outliers])
    ratios = abs(outliers / nearest)
    assert len(outliers) == 15 and abs(outliers - nearest).max() < 0.9
    says(
        "spectra",
        f"of the {len(outliers)} eigenvalues of $\\tilde A_0 + \\Delta$ beyond 2 in absolute "
        "value, each has an eigenvalue of $\\Delta$ within 0.9, and is "
        f"{ratios.min():.1f} to {ratios.max():.1f} times as far from zero as that one",
    )
    says("notebooks/spectra.ipynb", f"The trained $A$ has {len(outliers)} (")
