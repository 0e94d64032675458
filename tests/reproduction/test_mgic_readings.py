"""The table of two readings of MGIC's text: each of its cells is counted here."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mgtutorial import models
from mgtutorial.models.counting import count_macs, count_weights
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
    """The 17 own rows: name, print, and the networks of both readings, on images of a size."""
    for row in (*published.rows("mgic-table12"), *published.rows("mgic-table3")):
        if row.config is not None and row.own and not row.arxiv:
            c, g = row.config.s_c, row.config.s_g
            name = f"ResNet-56, $s_c = {c}$, $g_s = {g}$" + " (Table 3)" * ("table3" in row.table)
            yield name, row, "flops_m", mgic_readings.resnet56(g, c), row.config, 32
    for row in published.rows("mgic-table5"):
        if row.config is not None and row.own and not row.arxiv:
            g = row.config.s_g
            ours = replace(row.config, until="<") if g == 32 else row.config
            name = f"ResNet-50, $g_s = {g}$"
            yield name, row, "flops_b", mgic_readings.resnet50(g), ours, 224
    for row in published.rows("mgic-table7"):
        if row.config is not None and row.own and not row.arxiv:
            swish, width = row.config.hard_swish, row.config.width
            ours = models.named(f"mgic-mobilenetv3-{width}-even", hard_swish=swish)
            literal = mgic_readings.mobilenetv3(width, swish)
            name = f"MobileNetV3, {width}" + ", no h-swish" * (not swish)
            yield name, row, "flops_m", literal, ours, 224


with torch.device("meta"):  # shapes alone
    FOUND = list(readings())


def test_all_17_own_rows_are_there():
    assert len(FOUND) == 17
    assert sorted(row[0] for row in table()) == sorted(name for name, *_ in FOUND)


@pytest.mark.parametrize("found", FOUND, ids=[f"{row.table} {row.name}" for _, row, *_ in FOUND])
def test_each_cell_is_what_is_counted(found):
    name, row, column, literal, ours, size = found
    operations = printed(row.table, column)[row.source]
    unit = 1e9 if column == "flops_b" else 1e6
    counts = [count_weights(network) for network in (literal, ours)]
    macs = [count_macs(network, size, 3) for network in (literal, ours)]
    cells = [row.printed, *(f"{n:,}" for n in counts)]
    cells[2] += " ✓" * rounds_to(counts[1], row.printed, "M")
    cells += [f"{float(operations) * unit / 1e6:,.0f}", *(f"{n / 1e6:,.0f}" for n in macs)]
    assert [name, *cells] in table(), cells
    assert not rounds_to(counts[0], row.printed, "M")
    assert not any(rounds_to(n, operations, "M") for n in macs if unit == 1e6)
    assert not any(f"{n / unit:.1f}" == operations for n in macs if unit == 1e9)


def test_the_counts_by_the_word_of_the_text():
    by_its_word = {count_weights(literal) for _, _, _, literal, _, _ in FOUND}
    assert {7_082_152, 11_534_504, 4_716_712, 2_589_920, 5_832_788, 7_977_856} < by_its_word
    assert any(round(count_macs(n, 224, 3) / 1e6) == 12_717 for _, _, _, n, _, s in FOUND if s > 32)


def test_the_page_says_how_many_are_met():
    met = [rounds_to(count_weights(ours), row.printed, "M") for _, row, _, _, ours, _ in FOUND]
    assert sum(met) == 11
    assert "meets eleven in weights and none in operations" in PAGE.read_text(encoding="utf-8")
