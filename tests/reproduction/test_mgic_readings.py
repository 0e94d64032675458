"""The table of two readings of MGIC's text: each of its cells is counted here."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from mgtutorial import models
from mgtutorial.models.counting import built, count_macs, count_weights
from mgtutorial.reproduction import published
from mgtutorial.reproduction.papers import catalogue
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.reproduction.published import rounds_to

from . import mgic_readings

PAGE = Path(__file__).parents[2] / "book" / "mgic.md"


def table():
    """The cells of the page's table, row by row, without its header."""
    text = PAGE.read_text(encoding="utf-8")
    (part,) = re.findall(r":name: tab-mgic-counts\n\n(.*?)\n```", text, re.DOTALL)
    rows = [re.split(r"\n  - ", row.strip()) for row in re.split(r"^\* - ", part, flags=re.M)[1:]]
    return rows[1:]


def printed(table, column):
    file = catalogue.PRINTED[table].csv
    return {line["source"]: line[column] for line in read_table(file)}


def readings():
    """The 17 own rows: name, print, how the reading by the word is built, ours, size of images."""
    for row in (*published.rows("mgic-table12"), *published.rows("mgic-table3")):
        if row.config is not None and row.own and not row.arxiv:
            c, g = row.config.s_c, row.config.s_g
            name = f"ResNet-56, $s_c = {c}$, $g_s = {g}$" + " (Table 3)" * ("table3" in row.table)
            yield name, row, "flops_m", ("resnet56", g, c), row.config, 32
    for row in published.rows("mgic-table5"):
        if row.config is not None and row.own and not row.arxiv:
            g = row.config.s_g
            ours = replace(row.config, until="<") if g == 32 else row.config
            name = f"ResNet-50, $g_s = {g}$"
            yield name, row, "flops_b", ("resnet50", g), ours, 224
    for row in published.rows("mgic-table7"):
        if row.config is not None and row.own and not row.arxiv:
            swish, width = row.config.hard_swish, row.config.width
            ours = models.named(f"mgic-mobilenetv3-{width}-even", hard_swish=swish)
            literal = "mobilenetv3", width, swish
            name = f"MobileNetV3, {width}" + ", no h-swish" * (not swish)
            yield name, row, "flops_m", literal, ours, 224


FOUND = list(readings())  # without networks: every process that collects tests comes here


# Of the networks for ImageNet, by the word of the text; `test_mgic_text` holds ours to them.
BY_THE_WORD = {
    ("resnet50", 16): (4_716_712, 4_344_730_624),
    ("resnet50", 32): (7_082_152, 7_457_348_608),
    ("resnet50", 64): (11_534_504, 12_716_997_632),
    ("mobilenetv3", 0.6, True): (2_589_920, 135_751_552),
    ("mobilenetv3", 0.6, False): (2_589_920, 135_751_552),
    ("mobilenetv3", 1.0, True): (5_832_788, 254_774_192),
    ("mobilenetv3", 1.0, False): (5_832_788, 254_774_192),
    ("mobilenetv3", 1.2, True): (7_977_856, 331_298_384),
    ("mobilenetv3", 1.2, False): (7_977_856, 331_298_384),
}


@cache  # Tables 3 and 12 have networks in common
def counted(network, size):
    """Weights and multiplications, of a config, or of a reading by its name and arguments."""
    if isinstance(network, tuple):
        name, *arguments = network
        with torch.device("meta"):  # shapes alone
            network = getattr(mgic_readings, name)(*arguments)
    else:
        network = built(network)
    return count_weights(network), count_macs(network, size, 3)


def test_all_17_own_rows_are_there():
    assert len(FOUND) == 17
    assert sorted(row[0] for row in table()) == sorted(name for name, *_ in FOUND)


@pytest.mark.parametrize("found", FOUND, ids=[f"{row.table} {row.name}" for _, row, *_ in FOUND])
def test_each_cell_is_what_is_counted(found):
    name, row, column, literal, ours, size = found
    operations = printed(row.table, column)[row.source]
    unit = 1e9 if column == "flops_b" else 1e6
    counts, macs = zip(counted(literal, size), counted(ours, size), strict=True)
    if size == 224:
        assert counted(literal, size) == BY_THE_WORD[literal]
    cells = [row.printed, *(f"{n:,}" for n in counts)]
    cells[2] += " ✓" * rounds_to(counts[1], row.printed, "M")
    cells += [f"{float(operations) * unit / 1e6:,.0f}", *(f"{n / 1e6:,.0f}" for n in macs)]
    assert [name, *cells] in table(), cells
    assert not rounds_to(counts[0], row.printed, "M")
    assert not any(rounds_to(n, operations, "M") for n in macs if unit == 1e6)
    assert not any(f"{n / unit:.1f}" == operations for n in macs if unit == 1e9)


def test_the_counts_by_the_word_are_of_all_networks_for_imagenet():
    assert BY_THE_WORD.keys() == {literal for *_, literal, _, size in FOUND if size == 224}
    assert round(BY_THE_WORD["resnet50", 64][1] / 1e6) == 12_717  # the greatest, as the page has it


def test_the_page_says_how_many_are_met():
    met = [row for row in table() if row[3].endswith("✓")]  # as each cell is held above
    assert len(met) == 11
    assert "meets eleven in weights and none in operations" in PAGE.read_text(encoding="utf-8")
