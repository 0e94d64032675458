"""The page on using the networks: every block of code runs, and its table is what is tested."""

import re
import warnings

from mgtutorial import _paths
from mgtutorial.models import count_macs, count_weights, named
from mgtutorial.reproduction import published_rows

from ..models.kinds import KINDS
from ..models.test_habits import WAYS
from .prose import says

PAGE = (_paths.checkout() / "book/use.md").read_text(encoding="utf-8")


def test_every_block_of_code_runs_in_its_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 15 and "```{code" not in PAGE
    place = {"__name__": "page"}
    for block in blocks:
        # A line of the page is the line of an error, were it to be traced back.
        above = "\n" * PAGE[: PAGE.index(block)].count("\n")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(above + block, "book/use.md", "exec"), place)
    assert sum(block.count("assert") + block.count("testing") for block in blocks) >= 20


def test_the_table_has_every_way_and_every_kind_that_is_tested():
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("|")
    )
    rows = [[re.sub("[` ]", "", cell) for cell in row] for row in rows]
    assert {row[0] for row in rows} == {re.sub(" ", "", way) for way in WAYS} | {
        "DistributedDataParallel"
    }
    assert all(cell == "yes" for row in rows for cell in row[1:])
    kinds = {type(config).__name__ for config in KINDS.values()}
    named = {name.replace("-", "") + "Config" for name in head[1:]}
    assert named == {kind.replace("Code", "") for kind in kinds}


def test_the_hierarchies_go_further_left_than_down():
    base = count_weights(named("resnet18")), count_macs(named("resnet18"), 32)
    for name in ("mgnet", "mgiad-lam1-c64-g4", "mgiad-lam3-c64-g4", "mgiad-lam3-c64-g8"):
        weights, macs = count_weights(named(name)), count_macs(named(name), 32)
        assert base[0] / weights > 2 * base[1] / macs > 2
        assert 0.2e9 < macs < 0.505e9
    says("use", "The hierarchies go far to the left, and down by less.")


def test_what_is_said_about_choosing():
    def weights(lam):
        return count_weights(named("mgiad-lam1-c64-g4", lam=lam))

    assert weights(3) > weights(4) and weights(4) - weights(2) == 2 * (weights(2) - weights(1))
    for size, more in ((4, True), (8, True), (16, False), (32, False), (64, False)):
        three, four = (
            count_weights(named("mgiad-lam1-c64-g4", lam=lam, group_size=size)) for lam in (3, 4)
        )
        assert (three > four) == more
    says("use", "and with $g_s = 4$ or 8 it has more weights than $\\lambda = 4$")
    printed = {
        name: {r.name: r.accuracy for r in published_rows(f"mgiad-table3-{name}")}
        for name in ("cifar100", "tiny-imagenet", "imagenet")
    }
    cifar100, tiny, imagenet = (
        [rows[f"mgiad-lam{lam}-c64-g64"] - rows[f"mgiad-lam{lam}-c64-g8"] for lam in (1, 2, 3)]
        for rows in printed.values()
    )
    assert [round(f(cifar100 + tiny), 1) for f in (min, max)] == [2.6, 4.1]
    assert 6 < min(imagenet) and max(imagenet) < 7.4
    says("use", "brings 2.6 to 4.1 points on CIFAR-100 and Tiny ImageNet", "and 6 to 7 on ImageNet")
    small = {r.name: r.accuracy for r in published_rows("mgiad-table1")}
    gain = small["mgiad-lam3-c64-g8"] - small["mgiad-lam3-c64-g4"]
    says("use", f"From 4 to 8 it brings {gain:.1f} on CIFAR-10")
    for rows in printed.values():
        assert max(rows, key=rows.get) == "mgiad-lam3-c64-g64"
    says("use", "on CIFAR-100, Tiny ImageNet and ImageNet its widest MGiaD")
