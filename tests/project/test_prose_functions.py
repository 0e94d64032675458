"""What pages say in numbers of the runs under the printed training of MGIC's section 4.2."""

import math
from itertools import product
from statistics import mean, stdev

from scipy.special import stdtrit

from mgtutorial.reproduction import claims, mgic_figure4
from mgtutorial.training import implicit_function, plane

from .prose import says

FOUND = mgic_figure4.summary()
ERRORS = {row["block"]: row for row in FOUND["errors"]}
GAPS = {row["other"]: row for row in FOUND["contrasts"]}
SETTLED = implicit_function.settled()
RUNS = {
    mgic_figure4.LABELS[block]: [by_seed[seed] for seed in sorted(by_seed)]
    for (block, _), by_seed in mgic_figure4.as_printed(implicit_function.recorded()).items()
}
ORDER = ("MGIC", "MobileNetV3", "GhostNet")


def means(value):
    """Of each block, in hundredths, in the order of the table."""
    return {name: 100 * mean(map(value, RUNS[name])) for name in ERRORS}


def test_three_blocks_have_three_seeds_each_at_the_least_width():
    assert {row["alpha"] for row in ERRORS.values()} == {0.6}
    assert {name: row["seeds"] for name, row in ERRORS.items()} == dict.fromkeys(ERRORS, 3)
    assert min(ERRORS, key=lambda name: ERRORS[name]["weights"]) == "MGIC"
    n, epochs = plane.BUDGETS["paper"]
    says("mgic_worlds", f"{epochs:,} epochs of {n:,} points, batches of 128, the constant rate")
    assert all(len(run.curve) == epochs for own in RUNS.values() for run in own)


def logs(other):
    """Logarithms of MGIC's error over another's, seed by seed."""
    pairs = zip(RUNS["MGIC"], RUNS[other], strict=True)
    return [math.log(a.metric.value / b.metric.value) for a, b in pairs]


def test_neither_of_the_two_ratios_is_decided():
    assert {row["verdict"] for row in GAPS.values()} == {claims.UNDECIDED} and len(GAPS) == 2
    t = stdtrit(2, 1 - (1 - mgic_figure4.CONFIDENCE) / 2) / 3**0.5
    reach = f"one of six intervals reaches ${t:.1f}$ standard deviations of the log ratios"
    says("claims", "Both are undecided.", f"With three seeds, {reach}")
    says("mgic_worlds", reach)
    deviations = [stdev(logs(other)) for other in ORDER[1:]]
    shown = (math.exp(-t * deviation) for deviation in deviations)
    said = "{:.2f} and {:.2f} here, so only a ratio below {:.2f}, or {:.2f},"
    says("mgic_worlds", said.format(*deviations, *shown))
    together = round(100 * claims.CONFIDENCE)
    says("mgic_worlds", f"Their intervals hold simultaneously with {together} per cent")
    says(
        "notebooks/reproduce/mgic_table2.ipynb",
        f"six intervals, which hold simultaneously with {together} per cent",
    )


def test_short_runs_as_one_of_six_decide_nothing_either():
    short = {
        (run.config.model.block, run.config.model.alpha, run.seed): run.metric.value
        for run in implicit_function.recorded()
        if (run.budget, run.config.function, run.metric.split) == ("short", "cos-sin", "test")
    }
    for alpha, rival in product(mgic_figure4.ALPHAS, mgic_figure4.RIVALS):
        ours, other = ([short[b, alpha, s] for s in range(3)] for b in (mgic_figure4.OURS, rival))
        assert mgic_figure4.ratio(ours, other)[2] == claims.UNDECIDED
        assert rival != "mobilenetv3" or all(a > b for a, b in zip(ours, other, strict=True))
    says("mgic_worlds", "no interval of a ratio leaves out 1, after 1,000 epochs or after 15")


def test_mgic_has_the_least_mean_error():
    errors = means(lambda run: run.metric.value)
    assert min(errors, key=errors.get) == "MGIC"
    says(
        "mgic_worlds",
        f"MGIC's mean error is the lowest of the three, {errors['MGIC']:.2f} against "
        f"{errors['MobileNetV3']:.2f} and {errors['GhostNet']:.2f}",
    )


def test_the_training_error_of_the_last_epoch_is_least_for_mgic_with_every_seed():
    last = {name: [run.curve[-1].train for run in own] for name, own in RUNS.items()}
    assert all(
        ours < min(others) for ours, *others in zip(*(last[name] for name in ORDER), strict=True)
    )
    ours, *others = (100 * mean(last[name]) for name in ORDER)
    said = "{:.1f} on average, where the others have {:.1f} and {:.1f}".format(ours, *others)
    says("mgic_worlds", said)


def test_settled_norms_make_errors_smaller():
    gains = {n: [r.metric.value / SETTLED[r.digest] for r in RUNS[n]] for n in ERRORS}
    middle = (math.exp(mean(map(math.log, own))) for own in gains.values())
    says("mgic_worlds", "smaller by factors of {:.1f}, {:.1f} and {:.1f}".format(*middle))
    least, most = min(gains["MGIC"]), max(gains["MGIC"])
    says("mgic_worlds", f"from {least:.1f} to {most:.1f}")
    assert min(gains["MobileNetV3"] + gains["GhostNet"]) > 5 / 3  # "more than two fifths"
    ours, *others = ([SETTLED[run.digest] for run in RUNS[name]] for name in ORDER)
    assert [own < min(rest) for own, *rest in zip(ours, *others, strict=True)] == [
        True,
        True,
        False,
    ]
    assert ours[2] > max(own[2] for own in others)
