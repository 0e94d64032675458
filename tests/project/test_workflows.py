"""What runs on other people's machines: actions by digest, permissions at their least."""

import re

import pytest
import yaml

from mgtutorial import _paths

ROOT = _paths.checkout()
FLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(params=FLOWS, ids=lambda path: path.stem)
def flow(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def steps(flow):
    return [step for job in flow["jobs"].values() for step in job["steps"]]


def test_every_action_is_named_by_its_digest(flow):
    for step in steps(flow):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


def test_no_credentials_stay_on_the_disk(flow):
    for step in steps(flow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_who_may_write_runs_nothing_of_the_repository(flow):
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():
        if "write" in job.get("permissions", {}).values():
            used = [step.get("uses", "") for step in job["steps"]]
            assert not any("checkout" in name for name in used)
            assert not re.search(
                r"\bmake\b|\bpip\b|python", str([s.get("run") for s in job["steps"]])
            )


def test_what_somebody_else_writes_is_in_no_script(flow):
    for step in steps(flow):
        assert "${{" not in step.get("run", "")


def test_nothing_is_installed_by_a_name_that_is_nobodys():
    pages = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]
    code = sorted((ROOT / "mgtutorial").rglob("*.py"))
    for path in [*pages, *code, *sorted((ROOT / "notebooks").rglob("*.ipynb"))]:
        for line in path.read_text(encoding="utf-8").splitlines():
            command = re.search(r"pip install [^`\n]*", line)
            if command and "fetches nothing of ours" not in line:
                assert not re.search(r"(?<![/.])\bmgtutorial\b(?!\[\{extra\}\] @)(?!/mgtutorial)",
                                     command[0].split("git+")[0]), (path.name, line)  # fmt: skip


def test_the_commands_of_the_pages_name_networks_and_tables_that_there_are():
    from mgtutorial.models import registry
    from mgtutorial.reproduction.papers.catalogue import MADE_BY_NOTEBOOK
    from mgtutorial.reproduction.tables import TABLES

    known = {*TABLES, *MADE_BY_NOTEBOOK, "all"}
    found = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"mgtutorial train [^\n`]*--model ([\w.-]+)", text):
            assert name in registry.CONFIGS, (page.name, name)
            found += 1
        for name in re.findall(r"mgtutorial reproduce ([a-z][\w.-]+)", text):
            assert name in known, (page.name, name)
            found += 1
    assert found > 5
