"""A plan of runs is a file: read with care, taken in its order, done once."""

import pytest

from mgtutorial import _paths
from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue
from mgtutorial.sweeps import plan, read_plan, sweep
from mgtutorial.training import records
from mgtutorial.training.workspace import Workspace

HEAD = ",".join(plan.COLUMNS)


def written(folder, *lines):
    path = folder / "plan.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


def line(priority=1, changes="", seed=0, minutes="", **other):
    network = other.get("network", "mgnet-20")
    budget = other.get("budget", "smoke")
    data = other.get("data", "digits")
    return f'{priority},{network},"{changes}",{data},{budget},,{seed},0.1,{minutes},because'


def test_the_projects_plan_reads_and_names_each_run_once():
    found = read_plan(_paths.checkout() / "experiments" / "plan.csv", root="nowhere")
    assert [p.priority for p in found] == sorted(p.priority for p in found)
    short = [p for p in found if p.priority == 1]
    rows = ("resnet20", "mgnet-20", "mgiad-20-g4", "mgiad-20-g8", "mgiad-20-g16")
    assert {(p.name, p.config.seed) for p in short} == {(r, s) for r in rows for s in range(3)}
    paper = [p for p in found if p.config.budget == "paper"]
    assert {p.config.epochs for p in paper} == {400} and len(paper) == 15
    small = [p for p in found if p.config.data == "cifar10" and p.priority == 5]
    assert {p.config.budget for p in small} == {"fast"} and len(small) == 57
    assert {p.config.seed for p in small} == {0, 1, 2}
    assert sum(p.gpu_minutes or 0 for p in short) < 12 * 3  # a GPU takes them in a few goes


def test_lines_of_smaller_priority_come_first_and_else_in_their_order(tmp_path):
    path = written(tmp_path, line(2, seed=0), line(1, seed=1), line(2, seed=2), line(1, seed=3))
    assert [p.config.seed for p in read_plan(path)] == [1, 3, 0, 2]


def test_fields_of_the_network_are_changed(tmp_path):
    changed = line(network="mgiad-20-g4", changes="correction=fas")
    (p,) = read_plan(written(tmp_path, changed))
    assert p.config.model.correction == "fas" and p.name == "mgiad-20-g4 correction=fas"
    (q,) = read_plan(written(tmp_path, line(changes="channels=(4,8) steps=1")))
    assert '"channels=(4' not in q.name and q.config.model.channels == (4, 8)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (line(network="mgnet-21"), "line 2: unknown network 'mgnet-21'"),
        (line(changes="grupe_size=4"), "line 2: unknown field of the network"),
        (line(changes="group_size"), "line 2: changes 'group_size': give field=value"),
        (line(changes="group_size=3"), "line 2: group_size=3 does not divide"),
        (line(seed="x"), "line 2: seed='x': give a number"),
        (line(seed="1_0"), "line 2: seed='1_0': give a number"),
        (line(changes="steps=2 steps=5"), "line 2: changes 'steps=2 steps=5' has steps twice"),
        (line(changes="num_classes=100"), "line 2: changes: in_channels and num_classes are"),
        (line() + ",x,y", "line 2: it has more values than there are columns"),
        (line("nan"), "line 2: priority='nan': give a number"),
        (line(budget="fast"), "line 2: budget fast has no recipe"),
        (line(data="digitz"), "line 2: unknown data set"),
        ("1,mgnet-20", "line 2: unknown data set ''"),
    ],
)
def test_a_wrong_line_is_one_sentence_with_its_number(tmp_path, wrong, said):
    with pytest.raises(InvalidValue) as raised:
        read_plan(written(tmp_path, wrong))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "more, said", [("epochs", "nobody reads the column 'epochs'"), ("seed", "a column twice")]
)
def test_a_column_that_nobody_would_read_is_refused(tmp_path, more, said):
    path = tmp_path / "plan.csv"
    path.write_text(f"{HEAD},{more}\n{line()},1\n")
    with pytest.raises(InvalidValue, match=said):
        read_plan(path)


def test_a_budget_sees_the_network_that_is_trained(tmp_path):
    lines = [
        "1,mgiad-lam1-c64-g8,lam=3,imagenet,paper,,0,0.1,,because",
        "1,mgiad-lam3-c64-g8,,imagenet,paper,,0,0.1,,because",
    ]
    with pytest.raises(InvalidValue, match="line 3: this run is on line 2 as well"):
        read_plan(written(tmp_path, *lines), root="nowhere")
    (p,) = read_plan(written(tmp_path, lines[0]), root="nowhere")
    assert p.config.batch_size == 256  # what the paper prints for lambda = 3


def test_a_plan_that_cannot_be_read_is_one_sentence(tmp_path):
    for path, said in ((tmp_path / "none.csv", "cannot read"), (tmp_path, "cannot read")):
        with pytest.raises(InvalidValue, match=said):
            read_plan(path)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidValue, match="is no plan: it has no column 'priority'"):
        read_plan(tmp_path / "other.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="cannot read"):
        read_plan(tmp_path / "bytes.csv")


@pytest.mark.parametrize(
    "lines, said",
    [
        ((line(seed=0)[:-7] + '"x', line(seed=1), line(seed=2)), "line 2: this is no line"),
        ((line(seed=0), line(seed=1) + '"', line(seed=2)[:-7] + '"y'), "line 4: this is no line"),
        ((line(seed=0), line(seed=1) + "y" * 140_000), "line 3: .* larger than field limit"),
    ],
)
def test_a_quote_that_stays_open_loses_no_line_silently(tmp_path, lines, said):
    with pytest.raises(InvalidValue, match=said):
        read_plan(written(tmp_path, *lines))


def test_the_mark_that_excel_begins_a_file_with_is_no_part_of_a_name(tmp_path):
    path = written(tmp_path, line())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_plan(path)) == 1


@pytest.mark.parametrize("between, number", [((), 3), (("", ""), 5), ((line(seed=1),), 4)])
def test_a_run_stands_in_a_plan_once(tmp_path, between, number):
    with pytest.raises(InvalidValue, match=f"line {number}: this run is on line 2 as well"):
        read_plan(written(tmp_path, line(1), *between, line(2)))


def test_what_is_missing_is_trained_in_order_and_once(tmp_path, capsys):
    small = "channels=(4,8)"
    lines = [line(2, seed=0, changes=small), line(1, seed=1, changes=small)]
    path, runs = written(tmp_path, *lines), tmp_path / "runs"
    command = ["sweep", "--plan", str(path), "--runs", str(runs), "--quiet", "--device", "cpu"]
    assert main([*command, "--dry-run"]) == 0
    assert "2 runs, 2 to do" in capsys.readouterr().out and not list(runs.glob("*.jsonl"))
    assert main(command) == 0
    made = records.read(runs)
    assert [r.seed for r in made] == [1, 0]
    said = capsys.readouterr().out.splitlines()[-3:]
    for r, line_said in zip(made, said[:-1], strict=True):
        assert f"epochs, seed {r.seed}: {r.metric} (" in line_said and r.digest in line_said
    assert said[-1] == f"records: {runs}"
    assert main(command) == 0
    assert "2 runs, 0 to do" in capsys.readouterr().out
    assert len(records.read(runs)) == 2


def test_data_that_are_not_here_leave_their_runs_out(tmp_path):
    path = written(tmp_path, line(data="imagenet"), line(changes="channels=(4,8)"))
    said = []
    at = Workspace(tmp_path / "runs", root=str(tmp_path / "nowhere"), device="cpu", progress=False)
    sweep(path, at, dry_run=True, say=said.append)
    assert "imagenet: its runs are left out" in said[0] and "1 runs, 1 to do" in said[1]


def test_on_a_gpu_only_what_is_meant_for_one_and_fits_is_taken(tmp_path):
    rows = [line(seed=0, minutes=5), line(seed=1), line(seed=2, minutes=9), line(seed=3, minutes=6)]
    planned = read_plan(written(tmp_path, *rows))
    chosen = plan._fitting([(None, p) for p in planned], 12 * 60)
    assert [p.config.seed for _, p in chosen] == [0, 3]
    every = plan._fitting([(None, p) for p in planned], None)
    assert [p.config.seed for _, p in every] == [0, 2, 3]
