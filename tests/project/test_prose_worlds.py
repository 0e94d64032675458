"""What the page on MGIC beside its neighbours says in numbers."""

import json
from statistics import mean, stdev

import numpy as np
import pytest
import torch

from mgtutorial import models
from mgtutorial.data import plane_functions
from mgtutorial.models import ImplicitConfig, TransfersConfig, count_weights, lraspp
from mgtutorial.models.ghostnet import GhostModule
from mgtutorial.models.implicit_function import PRINTED_BLOCKS
from mgtutorial.reproduction import verdicts
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.spectra import error_of, principal_components
from mgtutorial.training import (
    coarse_channels,
    implicit_function,
    plane,
    segmentations,
    transfers_alone,
)

from .prose import ROOT, says

PAGE = (ROOT / "book/mgic_worlds.md").read_text(encoding="utf-8")
ALPHAS = (0.6, 0.8, 1.2)


def rows_of(label):
    """The cells of a list-table, row by row."""
    body = PAGE.split(f":name: {label}\n")[1].split("```")[0]
    rows = body.strip().split("\n* - ")
    return [[cell.removeprefix("* - ").strip() for cell in r.split("\n  - ")] for r in rows]


def network(alpha, block, s=8):
    return ImplicitConfig(alpha, block, s_g=s, s_c=s)


def test_worlds_table_of_ghostnet():
    header, *rows = rows_of("tab-worlds-ghostnet")
    assert len(header) == 5 and len(rows) == 3
    quoted = {r["model"]: r for r in read_table("mgic_table7_lightweight_imagenet.csv")
              if r["paper_version"] == "sisc"}  # fmt: skip
    for width, weights, millions, macs, flops in rows:
        net = models.named(f"ghostnet-{width}x")
        assert weights == f"{count_weights(net):,}"
        assert macs == f"{models.count_macs(net, 224):,}"
        line = quoted[f"ghostnet_{width}x"]
        assert (millions, flops) == (line["params_m"], line["flops_m"])


@pytest.mark.parametrize("c, to, k", [(16, 48, 3), (40, 120, 1), (96, 192, 5)])
def test_worlds_weights_of_a_ghost_module(c, to, k):
    ghost = GhostModule(c, to, k, torch.nn.ReLU)
    own = sum(p.numel() for p in ghost.parameters() if p.ndim == 4)
    assert 2 * own == c * to + k * k * to


def test_worlds_table_of_the_network_of_table_2():
    _, *rows = rows_of("tab-worlds-functions")
    counts = {b: [count_weights(network(a, b)) for a in ALPHAS] for b in PRINTED_BLOCKS}
    assert [[int(n.replace(",", "")) for n in row[1:]] for row in rows] == list(counts.values())
    growth = [f"{last / first:.1f}" for first, _, last in counts.values()]
    assert growth == ["3.5", "3.2", "2.0"]
    assert "costs 3.5, 3.2 and 2.0 times the weights" in PAGE
    assert all(min(column) == column[2] for column in zip(*counts.values(), strict=True))
    wider = count_weights(network(0.6, "mgic-bneck", 16))
    widest = count_weights(network(0.8, "mgic-bneck", 16))
    assert "than GhostNet at the two smaller ones, 38,753 and 53,377" in PAGE
    assert (wider, widest) == (38_753, 53_377)
    assert wider > counts["ghostnet"][0] and widest > counts["ghostnet"][1]
    assert counts["mgic-bneck"][2] / counts["mobilenetv3"][2] == pytest.approx(1 / 3, abs=0.02)


def test_worlds_bound_of_the_principal_components_and_the_best_chains():
    """The losses of the page are reached; that nothing is better is known for the first two."""
    training, test = coarse_channels.packaged_moments()
    bound = error_of(principal_components(training, 8), test)
    own = error_of(principal_components(test, 8), test)
    assert f"{bound:.3f}" == "0.108" and 0.99 * bound < own < bound
    says("mgic_worlds", "On the test images these lose 0.108, in units of the mean square")
    _, *rows = rows_of("tab-worlds-channels")
    printed = {r["s_g"]: r for r in read_table("mgic_table1_coarse_channels.csv")}
    for s_g, weights, best, theirs in rows:
        config = TransfersConfig(int(s_g))
        assert weights == f"{count_weights(config):,}"
        lost = error_of(descended(config, training), test)
        assert best == f"{lost:.3f} ({lost / bound:.1f})".replace("(1.0)", best.split()[1])
        mse = printed[s_g]["mse_1e_3"]
        assert theirs == f"{mse} ({float(mse) / 11:.1f})".replace("(1.0)", "(1)")


def descended(config, moments):
    """The matrix of a chain after L-BFGS, from the components of each group."""
    chain, own = config.build().double(), moments
    with torch.no_grad():
        for level in chain.channel_levels[:-1]:
            n = level.R.weight.shape[1]
            R = torch.zeros(len(own) // 2, len(own), dtype=torch.float64)
            for g in range(level.R.groups):
                a, b = slice(g * n, (g + 1) * n), slice(g * n // 2, (g + 1) * n // 2)
                R[b, a] = torch.linalg.eigh(own[a, a])[1][:, n // 2 :].T
                level.R.weight[b, :, 0, 0] = R[b, a]
                level.P.weight[a, :, 0, 0] = R[b, a].T
            own = R @ own @ R.T
    unit = torch.eye(64, dtype=torch.float64)[:, :, None, None]
    optimiser = torch.optim.LBFGS(
        chain.parameters(), max_iter=300, history_size=50, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        rest = unit[:, :, 0, 0] - chain(unit)[:, :, 0, 0].T
        loss = ((rest @ moments) * rest).sum() / 64
        loss.backward()
        return loss

    optimiser.step(closure)
    return chain.matrix()


def finished():
    """Runs of the printed blocks on the paper's function, by block, width and seed."""
    return {
        (r.config.model.block, r.config.model.alpha, r.seed): r
        for r in implicit_function.recorded()
        if (r.config.function, r.config.model.end, r.budget) == ("cos-sin", "linear", "short")
        and r.metric.split == "test"
    }


def test_worlds_training_errors_are_several_times_those_in_evaluation_mode():
    ratios = [r.curve[-1].train / r.metric.value for r in finished().values()]
    assert len(ratios) >= 9 and min(ratios) > 1.3 and mean(ratios) > 3


def test_worlds_settled_norms_change_errors_and_bring_blocks_closer():
    settled, runs = implicit_function.settled(), finished()
    change = [r.metric.value / settled[r.digest] for r in runs.values()]
    assert 1.8 < max(change) < 2.5 and min(change) > 0.9
    says("mgic_worlds", f"the errors change by up to a factor of {max(change):.1f}")
    three = [[runs[b, a, seed] for seed in range(3)] for b in PRINTED_BLOCKS for a in ALPHAS]
    cells = [[(r.metric.value, settled[r.digest]) for r in some] for some in three]
    before, after = ([mean(pair[k] for pair in cell) for cell in cells] for k in (0, 1))
    assert max(before) / min(before) > 1.8 > 1.4 > max(after) / min(after)
    says(
        "mgic_worlds",
        f"all nine means lie between {100 * min(after):.2f} and {100 * max(after):.2f}",
    )
    deviations = [stdev(pair[1] for pair in cell) for cell in cells]
    assert mean(deviations) > stdev(after)  # "a seed moves an error by more than a block does"


def test_worlds_what_training_and_settling_do_to_each_block():
    settled, runs = implicit_function.settled(), finished()
    of = {b: [r for (block, _, _), r in runs.items() if block == b] for b in PRINTED_BLOCKS}
    ratios = {b: [r.curve[-1].train / r.metric.value for r in own] for b, own in of.items()}
    training = "{:.1f}, {:.1f} and {:.1f}".format(*(mean(v) for v in ratios.values()))
    gains = (mean(r.metric.value / settled[r.digest] for r in own) for own in of.values())
    settling = "{:.1f}, {:.1f} and {:.1f}".format(*gains)
    says("mgic_worlds", f"Training errors are {training} times those in evaluation mode")
    says("mgic_worlds", f"settling divides the errors by {settling} on average")
    least, most = min(ratios["mgic-bneck"]), max(ratios["mgic-bneck"])
    assert (f"{least:.1f}", f"{most:.1f}") == ("1.4", "5.0")
    page = "notebooks/reproduce/mgic_table2.ipynb"
    says(page, "about three times for MGIC's (1.4 to 5)")


def test_the_other_functions_have_a_run_of_each_block():
    others = [r for r in implicit_function.recorded() if r.metric.split == "test"
              and r.config.function != "cos-sin" and r.config.model.block in PRINTED_BLOCKS
              and (r.config.model.end, r.budget) == ("linear", "short")]  # fmt: skip
    assert sorted((r.config.function, r.config.model.block) for r in others) == sorted(
        (f, b) for f in ("flower", "signed-distance", "photograph") for b in PRINTED_BLOCKS
    )
    assert {r.seed for r in others} == {0}
    rates = {r.config.function: r.config.lr for r in others}
    assert rates == {"flower": 0.003, "signed-distance": 0.001, "photograph": 0.001}
    says("notebooks/reproduce/mgic_table2.ipynb", "and on three others, with one.")


def test_worlds_table_of_errors():
    _, *rows = rows_of("tab-worlds-errors")
    settled, runs = implicit_function.settled(), finished()
    assert [row[0] for row in rows] == ["MobileNetV3", "GhostNet", "MGIC"]
    means = {}
    for block, row in zip(PRINTED_BLOCKS, rows, strict=True):
        for alpha, cell in zip(ALPHAS, row[1:], strict=True):
            three = [runs[block, alpha, seed] for seed in range(3)]
            recorded = [100 * r.metric.value for r in three]
            without = [100 * settled[r.digest] for r in three]
            means[block, alpha] = mean(recorded)
            one, other = (f"{mean(v):.2f} ± {stdev(v):.2f}" for v in (recorded, without))
            assert cell == f"{one} ({other})"
    greatest = [max(PRINTED_BLOCKS, key=lambda b: means[b, a]) for a in ALPHAS]
    assert greatest == ["mgic-bneck"] * 3
    assert all(
        runs["mgic-bneck", a, seed].metric.value > runs["mobilenetv3", a, seed].metric.value
        for a in ALPHAS for seed in range(3)
    )  # fmt: skip
    square = plane_functions.cos_sin(plane.grid()).square().mean()
    assert f"{100 * square:.0f}" == "36"


def test_worlds_what_pairs_of_seeds_say_with_settled_norms():
    settled, runs = implicit_function.settled(), finished()

    def pairs(alpha):
        a, b = (
            [100 * settled[runs[block, alpha, seed].digest] for seed in range(3)]
            for block in ("mgic-bneck", "mobilenetv3")
        )
        return np.subtract(a, b)

    least, _, most = sorted(pairs(0.8))
    says("mgic_worlds", f"with each of the three seeds, by {least:.2f} to {most:.2f}")
    alone = [verdicts.interval(pairs(alpha)) for alpha in ALPHAS]
    assert [found.low > 0 for found in alone] == [False, True, False]
    assert verdicts.interval(pairs(0.8), 1 - 0.05 / 3).low < 0


def test_worlds_time_of_an_epoch():
    """The least of the epochs: others share the machine."""
    least = {b: min(row.seconds for (block, a, _), r in finished().items() if block == b
                    and a == 0.6 for row in r.curve) for b in PRINTED_BLOCKS}  # fmt: skip
    for other in ("mobilenetv3", "ghostnet"):
        assert 2 <= least["mgic-bneck"] / least[other] <= 3.5


def test_worlds_a_chain_learns_in_stairs():
    """From random rows it stands at the errors of 1, 2, 4, 5 and 6 principal components."""
    runs = {(r.config.model.s_g, r.seed): r for r in transfers_alone.recorded()
            if (r.config.model.start, r.metric.split) == ("random rows", "test")}  # fmt: skip
    convolution = coarse_channels.packaged_convolution()
    assert {r.config.filters for r in runs.values()} == {coarse_channels.remember(convolution)}
    training, test = coarse_channels.packaged_moments()
    curve = [row.train for row in runs[32, 0].curve]
    for k in (1, 2, 4, 5, 6):
        step = error_of(principal_components(training, k), training)
        standing = sum(abs(value / step - 1) < 0.01 for value in curve)
        assert standing >= (20 if k == 4 else 2), k
    bound = error_of(principal_components(test, 8), test)
    assert all(r.metric.value > bound for r in runs.values())
    for seed in range(3):
        assert (
            runs[16, seed].metric.value < 1.01 * bound < 1.4 * bound < runs[32, seed].metric.value
        )
    five, six = (error_of(principal_components(training, k), training) for k in (5, 6))
    ends = [runs[32, seed].curve[-1].train for seed in range(3)]
    assert {min((five, six), key=lambda e: abs(e - end)) for end in ends} == {five, six}
    assert all(min(abs(end / five - 1), abs(end / six - 1)) < 0.02 for end in ends)


def test_worlds_table_of_the_segmentation_networks():
    _, *rows = rows_of("tab-worlds-segmentation")
    printed = {}
    for r in read_table("mgic_table9_cityscapes.csv"):
        name = r["backbone"].replace("_", "-") + (f"-g{r['s_g']}" if r["s_g"] else "")
        if r["paper_version"] == "sisc":
            printed[name] = (r["params_m"], r["flops_b"])
    assert [row[0] for row in rows] == list(lraspp.NAMED) == list(printed)
    macs = {}
    for name, weights, millions, billions, flops in rows:
        net = lraspp.NAMED[name]
        macs[name] = models.count_macs(net, (1024, 2048))
        assert weights == f"{count_weights(net):,}" and billions == f"{macs[name] / 1e9:.2f}"
        assert (millions, flops) == printed[name]
    small, other = (lraspp.NAMED[name] for name in ("mgic-small-g64", "mobilenetv3-small"))
    assert 1.15 < count_weights(small) / count_weights(other) < 1.25  # a fifth more
    assert 1.2 < macs["mgic-small-g64"] / macs["mobilenetv3-small"] < 1.3  # a quarter more


def test_worlds_table_of_camvid():
    """Means and seeds, the least and the longest time, and what the text says of classes."""
    runs = {}
    for r in segmentations.recorded():
        if r.metric.split == "test" and r.config.data == "camvid" and not r.partial:
            runs.setdefault(r.config.model.block, {})[r.seed] = r
    assert {block: sorted(found) for block, found in runs.items()} == {
        "mgic": [0, 1], "mobilenetv3": [0, 1]
    }  # fmt: skip
    _, *rows = rows_of("tab-worlds-camvid")
    means = []
    for (_, *shown), found in zip(rows, runs.values(), strict=True):
        values = [100 * found[seed].metric.value for seed in (0, 1)]
        means.append(np.mean(values))
        assert shown == [f"{v:.2f}" for v in (*values, np.mean(values))]
    all_runs = [r for found in runs.values() for r in found.values()]
    assert {r.epochs for r in all_runs} == {120}
    minutes = sorted(r.seconds / 60 for r in all_runs)
    assert (round(minutes[0]), round(minutes[-1])) == (32, 48)
    small = [100 * runs["mobilenetv3"][seed].metric.value for seed in (0, 1)]
    assert round(abs(small[0] - small[1]), 2) == 1.32
    assert round(abs(means[0] - means[1]), 2) == 0.17
    says("mgic_worlds", "differ by 1.3 points, the two means by 0.2")
    for r in all_runs:
        assert 100 * r.metric.value < 45 and 53.5 < 100 * r.curve[-1].train < 55.5
        assert r.details["pole"] < 0.04
        assert min(r.details[name] for name in ("sky", "road", "building", "car")) > 0.5


def test_worlds_table_of_times():
    _, *table = rows_of("tab-worlds-times")
    lines = {r["model"]: r for r in read_table("mgic_table8_inference_times.csv")}
    text = (ROOT / "results/benchmarks.json").read_text(encoding="utf-8")
    ways = {}
    for row in json.loads(text)["subjects"]["mobile"]["rows"]:
        ways.setdefault(row["case"], []).append(row)
    single = [ways[f"one image, {way}"] for way in ("eager", "compiled", "ONNX Runtime")]
    assert {len(table), len(lines), *map(len, ways.values())} == {4}
    first = next(iter(lines.values()))
    for k, ((name, phone, pc, *here), line) in enumerate(zip(table, lines.values(), strict=True)):
        assert name.replace("-", "_").lower().replace(" ", "_") + "x" == line["model"]
        for said, kind in ((phone, "mobile"), (pc, "pc")):
            ratio = float(line[f"{kind}_runtime_ms"]) / float(first[f"{kind}_runtime_ms"])
            assert said == f"{ratio:.2f}"
        for said, rows in zip(here, single, strict=True):
            assert line["model"].startswith(rows[k]["side"].split()[1].replace("-", "_"))
            assert said == f"{rows[k]['median'] / rows[0]['median']:.2f}" and rows[k]["n"] == 50
    macs = [row["facts"]["macs"] for row in single[0]]
    assert round(macs[-1] / macs[0], 2) == 0.56
    for rows in single:
        assert max(rows, key=lambda r: r["median"]) is rows[-1]
    assert max(lines.values(), key=lambda r: float(r["pc_runtime_ms"])) is [*lines.values()][-1]
    many = [row["median"] for row in ways["128 images, eager"]]
    says("mgic_worlds", f"gets through {many[3] / many[0]:.2f} times as many images a second")
    says("mgic_worlds", f"and {many[2] / many[0]:.2f} times as many with GhostNet")


def test_names_of_the_networks_of_the_other_reading():
    page = (ROOT / "book/mgic.md").read_text(encoding="utf-8")
    table = page.split(":name: tab-mgic-counts\n")[1].split("```")[0]
    rows = [r.split("\n  - ") for r in table.strip().split("* - ")[2:]]
    other = {r[0].strip(): int(r[3].split()[0].replace(",", "")) for r in rows}
    names = {"ResNet-50, $g_s = 16$": "mgic-resnet50-g16", "ResNet-50, $g_s = 64$":
             "mgic-resnet50-g64", "ResNet-50, $g_s = 32$": "mgic-resnet50-code-g32"}  # fmt: skip
    names |= {f"MobileNetV3, {w}": f"mgic-mobilenetv3-{w}-even" for w in ("0.6", "1.0", "1.2")}
    names |= {
        f"ResNet-56, $s_c = {c}$, $g_s = {g}$": f"mgic-resnet56-c{c}-g{g}"
        for c, g in ((64, 16), (32, 16), (16, 32), (16, 16), (16, 8), (16, 4))
    }
    assert {k: count_weights(models.named(v)) for k, v in names.items()} == {
        k: other[k] for k in names
    }
