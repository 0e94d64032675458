"""What the page on speed says in numbers: computed from the file of benchmarks."""

import pytest

from benchmarks import rows
from mgtutorial import models
from mgtutorial.models.counting import count_macs, count_weights

from .prose import ROOT, says

README = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def subjects():
    return rows.read(ROOT / "results" / "benchmarks.json")


@pytest.fixture(scope="module")
def networks(subjects):
    """Return a function from the beginning of a case to {network: its row}."""

    def of(case):
        found = subjects["networks"]["rows"]
        return {r["side"]: r for r in found if r["case"].startswith(case)}

    return of


def test_counts_of_the_file_are_those_of_the_networks(networks):
    found = networks("forward")
    for side, row in found.items():
        who, name = side.split()
        if who == "mgtutorial":
            config = models.named(name, in_channels=1)
            assert row["facts"]["weights"] == count_weights(config)
            assert row["facts"]["macs"] == count_macs(config, 28)
    assert len(found) == 8


def test_what_groups_take_away(networks):
    found = networks("forward")
    ours, whole = (found[f"mgtutorial {n}"]["facts"] for n in ("mgiad-20-g4", "mgnet-20"))
    weights, macs, moved = (round(100 * ours[k] / whole[k]) for k in ("weights", "macs", "bytes"))
    says(
        "performance",
        f"has {weights} per cent of MgNet's weights and {macs} per cent of its multiplications, "
        f"and moves {moved} per cent of its bytes",
    )


def test_both_networks_are_left_of_the_corner(subjects, networks):
    peaks = {r["case"]: r["median"] for r in subjects["peaks"]["rows"]}
    corner = peaks["product of matrices"] / peaks["copy"]
    found = networks("forward")
    whole, ours = (
        2 * found[f"mgtutorial {n}"]["facts"]["macs"] / found[f"mgtutorial {n}"]["facts"]["bytes"]
        for n in ("mgnet-20", "mgiad-20-g4")
    )
    assert ours < whole < corner
    says(
        "performance",
        f"MgNet-20 has {whole:.1f} operations for each byte, this MGiaD {ours:.1f}. The corner of "
        f"this machine is at {corner:.0f}",
    )


def test_time_falls_less_than_the_counts(subjects, networks):
    names = ("mgtutorial mgiad-20-g4", "mgtutorial mgnet-20")
    forward, step = (
        found[names[0]]["median"] / found[names[1]]["median"]
        for found in (networks("forward"), networks("training step"))
    )
    macs = networks("forward")[names[0]]["facts"]["macs"] / 30_990_592
    assert macs < forward and macs < step
    says("performance", f"takes {forward:.2f} of MgNet's time, a training step {step:.2f}")
    later = by_case(subjects["inference"]["rows"])
    small, whole = (later[f"{n}, 28x28, batch 128"] for n in ("mgiad-20-g4", "mgnet-20"))
    plain, joined = (small[s] / whole[s] for s in ("mgtutorial", "fused and compiled"))
    says(
        "performance", f"a forward pass of 128 images {plain:.2f}, fused and compiled {joined:.2f}"
    )


def test_no_network_reaches_the_roof(subjects, networks):
    peaks = {r["case"]: r["median"] for r in subjects["peaks"]["rows"]}
    found, shares = networks("forward"), {}
    for side, row in found.items():
        seconds, facts = row["median"] / 64, row["facts"]
        shares[side] = max(
            2 * facts["macs"] / seconds / peaks["product of matrices"],
            facts["bytes"] / seconds / peaks["copy"],
        )
    assert all(0.4 < s < 0.6 for side, s in shares.items() if side.startswith("mgtutorial"))
    assert max(shares.values()) < 0.8
    large, whole = (found[n] for n in ("torchvision mobilenet_v3_large", "mgtutorial mgnet-20"))
    assert large["facts"]["bytes"] / whole["facts"]["bytes"] == pytest.approx(0.5, abs=0.05)
    longer = large["median"] / whole["median"]
    says("performance", f"moves half of MgNet's bytes and takes {longer:.1f} times as long")


def test_the_solver_is_faster_than_pyamg_and_slower_than_the_sine_transform(subjects):
    for case in ("solve", "set up and solve"):
        found = {
            r["side"]: r["median"]
            for r in subjects["poisson"]["rows"]
            if r["case"] == f"1025 x 1025: {case}"
        }
        amg = min(t for side, t in found.items() if side.startswith("PyAMG"))
        assert found["SciPy, sine transform"] < found["mgtutorial"] < amg / 3
    says("performance", "several times faster than an algebraic one")
    solve = {
        r["side"]: r["median"]
        for r in subjects["poisson"]["rows"]
        if r["case"].endswith("1025: solve")
    }
    amg = min(t for side, t in solve.items() if side.startswith("PyAMG"))
    general = solve["mgtutorial, general blocks"]
    says("performance", f"ours is still {amg / solve['mgtutorial']:.1f} times as fast here.")
    says("performance", f"Of that a factor of {general / solve['mgtutorial']:.1f} comes from code")
    says("performance", f"are {amg / general:.1f} times as fast as PyAMG")
    cost = {  # of an unknown, by points a side
        n: r["median"] / r["facts"]["unknowns"]
        for r in subjects["poisson"]["rows"]
        for n in (513, 2049)
        if r["case"] == "growth" and r["side"].endswith(f", {n} x {n}")
    }
    dearer = 100 * (cost[2049] / cost[513] - 1)
    says("performance", f"an unknown becomes {dearer:.0f} per cent more expensive")


def by_case(rows):
    """Return {case: {side: median}}."""
    found = {}
    for r in rows:
        found.setdefault(r["case"], {})[r["side"].removeprefix("mgtutorial, ")] = r["median"]
    return found


def test_what_the_page_says_of_a_step(subjects):
    sides = by_case(subjects["step"]["rows"]).values()
    faster = [s["literal"] / s["mgtutorial"] for s in sides]
    says("performance", f"A step is {min(faster):.2f} to {max(faster):.2f} times as fast")
    lean, slower, saved = (
        [100 * (s[side] / s["mgtutorial"] - 1) for s in sides]
        for side in ("lean", "bfloat16", "compiled")
    )
    says("performance", f"for {min(lean):.0f} to {max(lean):.0f} per cent more time")
    says("performance", f"*slower*, by {min(slower):.0f} to {max(slower):.0f} per cent")
    says("performance", f"compiling saves hardly more than {-min(saved):.0f} per cent of a step")
    first = by_case(subjects["compiling"]["rows"]).values()
    for side in ("empty cache", "full cache"):
        times = [s[side] for s in first]
        low, high = (f"{t:.0f}" if t > 10 else f"{t:.1f}" for t in (min(times), max(times)))
        assert f"{low} to {high} s from a" in README


def test_what_the_page_says_of_inference(subjects):
    batch, single = [], []
    for case, sides in by_case(subjects["inference"]["rows"]).items():
        quick = {k: sides["literal"] / sides[k] for k in ("fused", "fused and compiled")}
        if case.endswith("batch 128"):
            batch.append(quick["fused and compiled"])
            continue
        single.append(max(quick.values()))
        wide = "32x32" in case
        assert (quick["fused"] > quick["fused and compiled"]) == wide
    says("performance", f"a batch goes through {min(batch):.1f} to {max(batch):.1f} times as fast")
    said = f"the best of the sides is {min(single):.1f} to {max(single):.1f} times as fast"
    says("performance", said, "that is fused and *not* compiled")


def test_what_the_page_says_of_another_processor(subjects):
    second = rows.read(ROOT / "results" / "benchmarks_second.json")
    sides = by_case(second["step"]["rows"])
    faster = [s["literal"] / s["mgtutorial"] for s in sides.values()]
    says("performance", f"Here a step is {min(faster):.2f} to {max(faster):.2f} times as fast")
    assert max(faster) < max(
        s["literal"] / s["mgtutorial"] for s in by_case(subjects["step"]["rows"]).values()
    )
    assert all(max(s, key=s.get) == "literal" for s in sides.values())
    first = by_case(subjects["step"]["rows"])
    slowest = {
        case: max(s, key=s.get) for case, s in first.items() if max(s, key=s.get) != "literal"
    }
    (case,) = slowest
    assert slowest[case] == "bfloat16" and case.startswith("mgnet, ")
    says("performance", "only the sides of the package itself change places")
    says("performance", "for bfloat16, which was slower than MgNet's transcription on the first")
    half = {case.split(",")[0]: s["bfloat16"] / s["mgtutorial"] for case, s in sides.items()}
    one, narrow = half["mgnet"], half["mgnet-20"]
    says(
        "performance",
        f"in {one:.2f} of the time that single precision takes; MgNet-20 in {narrow:.2f}",
    )
    low, high = sorted(t for name, t in half.items() if "mgiad" in name)
    says("performance", f"it takes {low:.2f} and {high:.2f} times as long")
    saved = {c: 100 * (1 - s["compiled"] / s["mgtutorial"]) for c, s in sides.items()}
    assert [c for c, x in saved.items() if x < 0] == [c for c in sides if "32x32" in c]
    says("performance", f"Compiling saves {max(saved.values()):.0f} per cent at most")
    batch, single = [], []
    for case, s in by_case(second["inference"]["rows"]).items():
        quick = {k: s["literal"] / s[k] for k in ("fused", "fused and compiled")}
        if case.endswith("batch 128"):
            batch.append(quick["fused and compiled"])
        else:
            single.append(max(quick.values()))
    says(
        "performance",
        f"a batch goes through {min(batch):.1f} to {max(batch):.1f} times as fast as through the "
        "transcription, fused and compiled, and for one image the best of the sides is "
        f"{min(single):.1f} to {max(single):.1f} times as fast",
    )


def test_exercises_are_right():
    point = 9 * 64 * 64
    assert (point, 2 * point) == (36_864, 73_728) and 2 * point / 512 == 144
    assert 9 * 4 * 64 * 2 == 4_608 and 4_608 / 512 == 9
    assert 2 * point / (3 * 512) == 48 and 4_608 / (3 * 512) == 3
    assert 64 * 32 * 32 == 65_536 and 64 * 8 * 8 == 4_096
    says("performance", "36,864", "73,728", "144 operations a byte", "4,608")
