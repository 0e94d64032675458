"""Each entry of book/errata.md is shown by one test, and each test belongs to an entry.

What is printed comes from results/published, what holds from a count or from running the
algorithm. Those on MGiaD and on MGIC have files of their own; here are the others, and the tests
of the page.
"""

import re
from pathlib import Path

import torch

from mgtutorial.models.mgic import TransferChain
from mgtutorial.reproduction import published
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.training import protocols

PAGE = Path(__file__).parents[2] / "book" / "errata.md"
META = "test_the_page"  # the tests of the page itself


# ------------------------------------------------------------------------------ the page


def test_the_page_names_all_tests_and_no_others():
    named = re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    files = Path(__file__).parent.glob("test_errata*.py")
    tests = [t for f in files for t in re.findall(r"^def (test_\w+)", f.read_text("utf-8"), re.M)]
    here = [name for name in tests if not name.startswith(META)]
    assert sorted(named) == sorted(here)


def test_the_page_gives_place_print_and_what_holds_for_each_entry():
    text = PAGE.read_text(encoding="utf-8")
    entries = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    for entry in entries:
        title = entry.splitlines()[0]
        for word in ("*Place.*", "*Printed.*", "*Holds.*", "*Shown by*"):
            assert entry.count(word) == 1, (title, word)
        assert len(re.findall(r"`test_\w+`", entry)) == 1, title


# ------------------------------------------------------------------------------ Poly-MgNet


def test_poly_mgnet_count_of_the_summary():
    row = published.row("poly-mgnet", "poly-mgnet-q2-summary")
    assert (row.printed, row.unit, row.counted) == ("1.3", "M", 1_386_706)
    assert row.verdict == "not reproducible"
    public = published.row("poly-mgnet", "poly-mgnet-q2")
    assert public.verdict == "matched"


# ------------------------------------------------------------------- texts and public code


def line_of(protocol, field):
    (found,) = (r for r in read_table("protocols.csv")
                if (r["protocol"], r["field"]) == (protocol, field))  # fmt: skip
    return found


def test_code_mgiad_fashionmnist_schedule():
    line = line_of("mgiad-fashion-mnist", "schedule")
    assert (line["value"], line["source"]) == ("step", "printed")
    assert "cosine" in line["remark"]
    assert protocols.settings("paper", "fashion-mnist")["schedule"] == "step"


def test_code_rate_of_poly_mgnet():
    code, text = line_of("poly-mgnet-cifar10", "lr"), line_of("mgiad-cifar10", "lr")
    assert (code["value"], code["source"], text["value"]) == ("0.1", "code", "0.05")
    assert "0.05" in code["remark"]
    rates = [protocols.settings("paper", "cifar10", p)["lr"] for p in ("poly-mgnet", "mgiad")]
    assert rates == [0.1, 0.05]


def test_code_mgic_crops_on_imagenet():
    for protocol in ("mgic-imagenet", "mgic-first-imagenet"):
        line = line_of(protocol, "augmentation")
        assert (line["value"], line["source"]) == ("resized-crop", "code")
        assert "flipping and crops" in line["remark"]
    assert protocols.settings("paper", "imagenet", "mgic")["augmentation"] == "resized-crop"
    assert line_of("mgic-cifar10", "augmentation")["source"] == "printed"


def test_code_start_of_mgics_transfers():
    line = line_of("mgic-cifar10", "initial weights of the transfers")
    assert line["source"] == "printed" and "row sums 1" in line["value"]
    s_g = 8
    chain = TransferChain((64, 32), (64 // s_g, 1))
    for transfer, of_the_code in ((chain.channel_levels[0].R, 1), (chain.channel_levels[0].P, 0.5)):
        rows = transfer.weight.detach().flatten(1)
        assert (rows > 0).all() and torch.allclose(rows.sum(1), torch.ones(len(rows)))
        assert rows.shape[1] / s_g == of_the_code  # as many entries, each 1/s_g
