"""The project itself: what its files say about one another, and what it ships."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from contextlib import redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mgtutorial

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def tracked():
    """The files that git has or would take: no .venv, no _build, nothing it ignores."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, so what is tracked is not known")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [p for name in names.split("\0") if name and (p := ROOT / name).is_file()]


def texts():
    """The tracked text files as (name, text)."""
    for path in tracked():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def notebooks():
    paths = [p for p in tracked() if p.suffix == ".ipynb"]
    assert paths, "there are no notebooks"
    return {p.name: json.loads(p.read_text(encoding="utf-8")) for p in paths}


def requirements(*extras):
    """The requirements of the package and of some extras, by canonical name."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    found = [Requirement(line) for lines in lists for line in lines]
    own = [r for r in found if r.name == PROJECT["name"]]
    nested = requirements(*(e for r in own for e in r.extras)) if own else {}
    return nested | {canonicalize_name(r.name): r for r in found if r not in own}


# ---------------------------------------------------------------- the environments


def pins():
    """The pins of constraints.txt that hold on this platform, by canonical name."""
    lines = [line for line in read("constraints.txt").splitlines() if line[:1] not in ("", "#")]
    return {
        canonicalize_name(r.name): next(iter(r.specifier))
        for r in map(Requirement, lines)
        if r.marker is None or r.marker.evaluate()
    }


def test_constraints_are_exact_pins_without_addresses():
    assert all(pin.operator == "==" for pin in pins().values())
    assert "+" not in pins()["torch"].version, "a local label would exclude every other build"
    assert "://" not in read("constraints.txt") and "--" not in read("constraints.txt")


def test_constraints_satisfy_the_bounds():
    for name, requirement in requirements("dev").items():
        assert name in pins(), f"{name} is not pinned"
        assert requirement.specifier.contains(pins()[name].version), requirement


def test_constraints_pin_all_that_is_pulled_in():
    """Nothing in the build environment floats; only torch names its CUDA libraries itself."""
    pinned, seen, open_ends = pins(), set(), list(requirements("dev").values())
    while open_ends:
        requirement = open_ends.pop()
        name = canonicalize_name(requirement.name)
        own = re.match(r"nvidia-|cuda-|triton$", name)
        if own or (name, str(requirement.extras)) in seen:
            continue
        seen.add((name, str(requirement.extras)))
        assert name in pinned, f"{name} is needed, and constraints.txt does not pin it"
        try:
            here = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # a tool that the tests do not need
            continue
        if here.version.partition("+")[0] != pinned[name].version:
            continue  # an environment without the pins: it says nothing about them
        for line in here.requires or ():
            needed = Requirement(line)
            marker, extras = needed.marker, [*requirement.extras, ""]
            if marker is None or any(marker.evaluate({"extra": e}) for e in extras):
                open_ends.append(needed)
    assert len(seen) > 100


# What only pip knows comes with the package's own extra.
CONDA_NAMES = {"torch": "pytorch"}
NOT_ON_CONDA = {"sphinx-mathjax-offline"}


def test_conda_environment_agrees_with_pyproject():
    environment = yaml.safe_load(read("environment.yml"))
    assert environment["channels"] == ["conda-forge"]
    *specs, pip = environment["dependencies"]
    conda = {r.name: r.specifier for r in (Requirement(s) for s in specs if "python=" not in s)}
    wanted = {
        CONDA_NAMES.get(name, name): requirement.specifier
        for name, requirement in requirements("book").items()
        if name not in NOT_ON_CONDA
    }
    assert conda.pop("pip") == ""
    assert conda == wanted
    assert pip == {"pip": ["-e .[book]"]}


def test_conda_python_is_one_that_binder_and_the_package_take():
    specs = yaml.safe_load(read("environment.yml"))["dependencies"]
    version = re.fullmatch(r"python=(\d+\.\d+)", specs[0])
    assert version, "Binder falls back to its own Python unless one minor version is named"
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version[1])


# ------------------------------------------------------------------ names, versions


def test_public_address_is_the_same_everywhere():
    url = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    address = url.removeprefix("https://github.com/")
    mention = re.compile(r"(?:github\.com[/:]|/github/|/gh/)([\w.-]+/mgtutorial)\b")
    places = {name: set(mention.findall(text)) for name, text in texts()}
    assert {name: found for name, found in places.items() if found - {address}} == {}
    for name in ("README.md", "CITATION.cff"):
        assert places[name] == {address}


def test_version_is_the_same_everywhere():
    version = mgtutorial.__version__
    newest = re.search(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert newest[1] == version
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version


def test_citation_has_what_the_format_requires():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license"} <= citation.keys()
    assert [author["name"] for author in PROJECT["authors"]] == [
        author["name"] for author in citation["authors"]
    ]


def test_hooks_run_the_pinned_tools():
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    revisions = {repo["hooks"][0]["id"].partition("-")[0]: repo["rev"] for repo in hooks}
    assert revisions.keys() == {"ruff", "nbstripout"}
    for tool, revision in revisions.items():
        assert revision.removeprefix("v") == pins()[tool].version


def test_workflows_use_pythons_that_the_package_takes():
    takes = Requirement(f"python{PROJECT['requires-python']}").specifier
    for name in ("change", "weekly", "release"):
        text = read(f".github/workflows/{name}.yml")
        assert yaml.safe_load(text)["jobs"]
        versions = re.findall(r'"(3\.\d+)"', text)
        assert versions and all(takes.contains(v) for v in versions), name


# ------------------------------------------------------------------------ the README


def blocks(language):
    return "".join(re.findall(rf"```{language}\n(.*?)```", read("README.md"), re.DOTALL))


def test_readme_commands_are_tasks():
    """Every `make x` and `make.py x` that a file of ours tells people to type exists."""
    tasks = set(re.search(r"^TASKS := (.*)$", read("Makefile"), re.MULTILINE)[1].split()) | {"help"}
    files = ["README.md", "CONTRIBUTING.md", ".ci/run"]
    files += [f".github/workflows/{name}.yml" for name in ("change", "weekly", "release")]
    for file in files:
        typed = set(re.findall(r"(?:^|`|run: )make ([a-z][a-z-]*)", read(file), re.MULTILINE))
        typed |= set(re.findall(r"make\.py ([a-z][a-z-]*)", read(file)))
        assert typed <= tasks, file
    assert {"book", "test", "check-book"} <= tasks


def test_readme_python_prints_what_it_says():
    code = blocks("python")
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert promised and printed.getvalue().splitlines() == promised


def test_readme_command_lines_are_understood():
    from mgtutorial import cli

    lines = re.findall(r"^mgtutorial (.*?)(?:  #.*)?$", blocks("sh"), re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        cli._parser().parse_args(line.split())  # exits, and so fails, on what it does not know


def test_links_between_files_lead_somewhere():
    for name, text in texts():
        if name.endswith(".md") and "/" not in name:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                assert (ROOT / target).exists(), f"{name} links to {target}"


# ---------------------------------------------------------------- what is in the tree


def test_notebooks_hold_no_outputs():
    for name, notebook in notebooks().items():
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None, name


def test_notebooks_share_one_setup_cell():
    first = {
        name: "".join(next(c["source"] for c in n["cells"] if c["cell_type"] == "code"))
        for name, n in notebooks().items()
    }
    assert len(set(first.values())) == 1, "the set-up cells differ"
    cell = next(iter(first.values()))
    assert "google.colab" in cell and "--no-deps" in cell, "Colab's own torch must stay"
    assert len(cell.splitlines()) < 10


def test_no_large_file_is_tracked():
    large = {p.relative_to(ROOT).as_posix() for p in tracked() if p.stat().st_size > 1_000_000}
    assert large == set()


def test_no_file_of_python_is_above_four_hundred_lines():
    """CONTRIBUTING: one idea a file."""
    assert "never above 400" in read("CONTRIBUTING.md")
    long = {n: text.count("\n") for n, text in texts() if n.endswith(".py")}
    assert {n: lines for n, lines in long.items() if lines > 400} == {}


def test_no_path_of_somebodys_machine():
    private = re.compile(r"(?<![\w.:/-])(?:/(?:home|Users|root|work|mnt|opt|tmp)/\w|[A-Z]:\\Users)")
    found = {name: private.search(text) for name, text in texts()}
    assert {name: match[0] for name, match in found.items() if match} == {}


def test_wheel_holds_the_package_and_nothing_else_and_the_source_archive_all(tmp_path):
    pytest.importorskip("setuptools")
    for path in tracked():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    build = "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"
    command = [sys.executable, "-W", "ignore", "-c", build]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.startswith(f"mgtutorial-{mgtutorial.__version__}-")
    names = zipfile.ZipFile(wheel).namelist()
    info = f"mgtutorial-{mgtutorial.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"mgtutorial", info}
    source = {p.relative_to(ROOT).as_posix() for p in tracked() if p.suffix == ".py"}
    modules = {name for name in source if name.startswith("mgtutorial/")}
    assert modules == {name for name in names if name.endswith(".py")}
    assert any(name.startswith("mgtutorial/results/published/") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:  # with it one can do what one can with a clone
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert {p.relative_to(ROOT).as_posix() for p in tracked()} - held == set()
    assert not [name for name in held if "__pycache__" in name or name.startswith("_build")]


# ------------------------------------------------------------------------- importing

IMPORT = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith("socket.") else None)
import mgtutorial
heavy = {"torch", "torchvision", "papermill", "matplotlib", "numpy"} & sys.modules.keys()
sys.exit(f"loaded {heavy}, opened {opened}" if heavy or opened else 0)
"""


SLOW_IMPORTS = """
import sys
import mgtutorial.linalg, mgtutorial.models, mgtutorial.reproduction, mgtutorial.training
mgtutorial.models.count_macs(mgtutorial.models.named("mgnet-20"), 32)
slow = {"scipy.sparse", "scipy.linalg", "torch.utils.benchmark", "torch._dynamo"}
sys.exit(sorted(slow & sys.modules.keys()))
"""


def test_importing_and_counting_load_neither_scipys_parts_nor_torchs_compiler():
    """They would cost each command, each kernel and each worker half a second, and three."""
    done = subprocess.run([sys.executable, "-c", SLOW_IMPORTS], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (1, "[]")


def test_import_is_silent_light_and_offline():
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
