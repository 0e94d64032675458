"""`mgtutorial tables --check` finds lies of many kinds, and none on the pages as they are."""

import shutil

import pytest

from mgtutorial import _paths, cli
from mgtutorial.models import registry
from mgtutorial.reproduction import prose_check, prose_facts
from mgtutorial.training import records

from .test_claims import run

ROOT = _paths.checkout()
RUNS = records.read(_paths.packaged_results() / "runs")

#: What is wrong: the page, what it says, and what a liar would say.
LIES = {
    "another data set": (
        "errata",
        "On CIFAR-10 (Table 1) the best MGiaD",
        "On CIFAR-100 (Table 1) the best MGiaD",
    ),
    "another network": ("errata", "ResNet18 has 96.26 %", "MgNet has 96.26 %"),
    "a swapped pair": (
        "errata",
        "ResNet18 has 71.89 %, MgNet has 67.83 %",
        "ResNet18 has 67.83 %, MgNet has 71.89 %",
    ),
    "other groups": ("mgiad", "for $g_s = 8$ 69.91 %", "for $g_s = 64$ 69.91 %"),
    "another version of a paper": ("errata", "on ImageNet 66.3 %", "on ImageNet 67.0 %"),
    "rounded the wrong way": ("errata", "MgNet's 60.12 %", "MgNet's 60.2 %"),
    "a digit too many": ("errata", "MgNet has 96.00 %", "MgNet has 96.004 %"),
    "a range with one wrong end": (
        "spectra",
        "between 85.6 and 88.1 per cent",
        "between 86.6 and 88.1 per cent",
    ),
    "another share, below 50": (
        "mgnet",
        "function for 31 per cent less",
        "function for 41 per cent less",
    ),
    "a difference in points": ("mgnet", "printed 0.26 points below", "printed 0.16 points below"),
    "a count of weights, off by one": (
        "mgiad",
        "2747k (MgNet, FashionMNIST) | 2,749,514",
        "2747k (MgNet, FashionMNIST) | 2,749,515",
    ),
    "a cell of a table": ("mgiad", "| 676,858,368 |", "| 676,858,386 |"),
    "a metric of another name": ("errata", "has 71.02 mIoU", "has 71.20 mIoU"),
}

#: What a liar would add to a page.
INVENTED = {
    "MGiaD reaches 96.26 % on ImageNet.": "mgiad on imagenet",
    "It is 96.26 per cent on CIFAR-100 by MgNet.": "mgnet on cifar100",
    "MgNet-20 reached 93.30 % on FashionMNIST in its best epoch.": "mgnet-20",
    "Here MgNet-20 has 45.26 % on CIFAR-10.": "mgnet-20 on cifar10",
    "On CIFAR-10 the accuracies are 96.26 for MgNet and 96.00 for ResNet18.": "96.00",
    "The paper prints 93.18 % for MgNet-20 on FashionMNIST.": "93.18",
    "On FashionMNIST MgNet-20 has a recorded 93.47 %.": "93.47",
    "On FashionMNIST MgNet-20 has 93.29 ± 0.51 %.": "93.29",
    "Our network reaches 93.29 %.": "without the network",
    "A fifth of them, 21 per cent, are zero.": "21 per cent",
    "Made in the run `054bca7eb9269097`.": "054bca7eb9269097",
    "| network | CIFAR-10 |\n|---|---|\n| MgNet | 96.26 % |": "mgnet on cifar10",
    "For the validation images of FashionMNIST MgNet-20 has 93.18 %.": "93.18",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return a function that makes a copy of some pages, and of no others."""

    def made(*names):
        root = tmp_path_factory.mktemp("copy")
        (root / "book").mkdir()
        for name in names:
            shutil.copy(ROOT / "book" / f"{name}.md", root / "book")
        for name in ("README.md", "_toc.yml"):
            shutil.copy(ROOT / name, root)
        return root

    return made


def said(root):
    return prose_check.contradictions(root, RUNS)


@pytest.mark.parametrize(("page", "truth", "lie"), LIES.values(), ids=LIES)
def test_a_lie_is_found_and_the_truth_is_not(checkout, page, truth, lie):
    root = checkout(page)
    path = root / "book" / f"{page}.md"
    text = path.read_text(encoding="utf-8")
    assert text.count(truth) == 1 and said(root) == []
    path.write_text(text.replace(truth, lie), encoding="utf-8")
    assert said(root)


@pytest.mark.parametrize(("sentence", "named"), INVENTED.items(), ids=range(len(INVENTED)))
def test_an_invented_result_is_found_and_named(checkout, sentence, named):
    root = checkout("cite")
    with (root / "book" / "cite.md").open("a", encoding="utf-8") as page:
        page.write(f"\n\n{sentence}\n")
    assert named in " ".join(said(root))


@pytest.mark.parametrize(
    "sentence",
    [
        "On CIFAR-10 MgNet has 96.00 % and ResNet18 96.26 %, or 96.3 %.",
        "MgNet-20 has a recorded 93.18 % on FashionMNIST; the paper prints 93.29 %.",
        "The paper prints 93.29 ± 0.15 % for MgNet-20 on FashionMNIST.",
        "On FashionMNIST, in the mean of three recorded runs, MGiaD-20 with $g_s = 8$ has 92.84 %.",
        "On validation images of FashionMNIST MgNet-20 has 90.14 %.",
        "| network | CIFAR-10 |\n|---|---|\n| MgNet | 96.00 % |\n| ResNet18 | 96.26 % |",
        "```python\nx = 96.26  # MgNet, 96.26 % on CIFAR-10\n```",
        "The grid has 1,025 by 1,025 points; of these 0 % are lost.",
    ],
)
def test_what_is_true_may_be_said(checkout, sentence):
    root = checkout("cite")
    with (root / "book" / "cite.md").open("a", encoding="utf-8") as page:
        page.write(f"\n\n{sentence}\n")
    assert said(root) == []


def test_the_command_fails_on_a_lie_and_passes_without(tmp_path, capsys):
    for name in ("book", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("README.md", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)
    assert cli.main(["tables", "--check", "--book", str(tmp_path)]) == 0
    page = tmp_path / "book" / "errata.md"
    truth = page.read_text(encoding="utf-8")
    page.write_text(truth.replace("ResNet18 has 96.26 %", "ResNet18 has 96.62 %"), encoding="utf-8")
    assert cli.main(["tables", "--check", "--book", str(tmp_path)]) == 2
    assert "96.62" in capsys.readouterr().err


def test_an_exception_that_no_page_needs_is_found(checkout, monkeypatch):
    monkeypatch.setattr(prose_check, "OTHER", (("book/cite.md", "some 12 per cent", "none"),))
    assert any("some 12 per cent" in s for s in said(checkout("cite")))


def test_every_exception_has_a_reason_and_no_network():
    for _, words, reason in prose_check.OTHER:
        assert reason and not prose_facts.FAMILY.search(words)


def test_a_network_that_a_record_has_is_one_that_a_sentence_can_name():
    recorded = {f.family for f in prose_facts.facts(RUNS) if f.source == "recorded"}
    assert {"mgnet-20", "mgiad-20", "resnet20"} <= recorded
    assert {f.family for f in prose_facts.facts([])} <= set(prose_facts._FAMILIES)


def test_runs_of_every_network_with_a_name_can_be_spoken_of():
    """Names have dots, as that of GhostNet at half its width."""
    made = prose_facts.facts([run(name, 12.34) for name in registry.CONFIGS])
    recorded = {fact.family for fact in made if fact.source == "recorded"}
    assert {"ghostnet-0.5x", "mgic-mobilenetv3-0.6", "mgiad-20", "mgnet-20"} <= recorded
