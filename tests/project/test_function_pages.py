"""A function knows its page: docstrings name a place in the book, and pages list who names them."""

import importlib.util
import re
import subprocess
import sys
from collections import Counter

import pytest
import yaml

from ..book import small_books
from ..book.built import ROOT

BOOK = ROOT / "book"
WINGS = [
    ROOT / "mgtutorial/multigrid.py",
    *(f for w in ("linalg", "models", "spectra") for f in (ROOT / "mgtutorial" / w).glob("*.py")),
]
FILES = {
    f.relative_to(ROOT / "mgtutorial").as_posix(): f
    for f in sorted(WINGS)
    if not f.name.startswith("_")
}

# Functions of no idea, only of a need: each checks or changes the form of what is given.
NO_PAGE = {
    "linalg/roots.py: check_degree": "is it a whole number?",
    "linalg/roots.py: points": "as an array of finite complex numbers",
    "models/network.py: check_images": "is it a batch of images?",
    "spectra/convolutions.py: double": "as an array in double precision",
    "spectra/weight_files.py: is_path": "is it a path or a name?",
    "spectra/written.py: check_folder": "can it be written to?",
    "spectra/written.py: choose_format": "is it a format of pictures?",
    "spectra/written.py: stem_of": "a name for a file",
}


@pytest.fixture(scope="module")
def code():
    """The extension, which is not on the path."""
    pytest.importorskip("sphinx")
    spec = importlib.util.spec_from_file_location("in_the_code", BOOK / "_ext/in_the_code.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def labels(text):
    """The labels of a page: of sections, of equations, of figures and tables."""
    patterns = r"^\(([\w-]+)\)=$", r"^\s*:(?:label|name): (\S+)$", r"^\s*\$\$ \(([\w-]+)\)$"
    return Counter(label for p in patterns for label in re.findall(p, text, re.MULTILINE))


def documented(code, file):
    return list(code.documented(code.ast.parse(file.read_text(encoding="utf-8")).body))


def public(code, name):
    """The public functions and classes of a file, as {title: docstring}; no methods."""
    every = documented(code, FILES[name])
    return {f"{name}: {n}": d for n, d in every if not n.startswith("_") and "." not in n}


@pytest.mark.parametrize("name", FILES)
def test_public_docstring_ends_with_a_page_and_a_label_that_is_on_it(code, name):
    for title, docstring in public(code, name).items():
        found = code.place(docstring)
        if title in NO_PAGE:
            assert found is None, f"{title} names a page: take it off the list"
            continue
        assert found, f"{title}: end the docstring with a line 'Book: page, label'"
        page, label = found
        path = BOOK / f"{page}.md"
        assert path.is_file(), f"{title}: there is no page {page}"
        assert label in labels(path.read_text(encoding="utf-8")), f"{title}: {page} has no {label}"


def test_exceptions_are_few_and_there(code):
    titles = {title for name in FILES for title in public(code, name)}
    assert titles >= NO_PAGE.keys() and len(NO_PAGE) < len(titles) / 20


def test_function_that_raises_says_what(code):
    for name in FILES:
        tree = code.ast.parse(FILES[name].read_text(encoding="utf-8"))
        for node in tree.body:
            if not isinstance(node, code.ast.FunctionDef) or node.name.startswith("_"):
                continue
            if any(isinstance(inner, code.ast.Raise) for inner in code.ast.walk(node)):
                docstring = code.ast.get_docstring(node)
                assert "Raises\n------\n" in docstring, f"{name}: {node.name}"


def test_line_that_looks_like_a_place_is_one(code):
    """A slip of the pen, or a place that is not at the end, would be in no list."""
    for file in (ROOT / "mgtutorial").rglob("*.py"):
        written = re.findall(r"^ *Book: .*$", file.read_text(encoding="utf-8"), re.MULTILINE)
        body = code.ast.parse(file.read_text(encoding="utf-8")).body
        assert len(written) == sum(code.place(d) is not None for _, d in code.documented(body)), (
            file
        )


def test_label_is_unique_in_the_book():
    """What a docstring names is one place."""
    every = sum((labels(f.read_text(encoding="utf-8")) for f in BOOK.glob("*.md")), Counter())
    assert [label for label, count in every.items() if count > 1] == []


def test_pages_that_are_named_end_with_the_list_and_no_others_have_it(code):
    ending = "\n## In the code\n\n```{in-the-code}\n```\n"
    listing = {f.stem for f in BOOK.glob("*.md") if "{in-the-code}" in f.read_text("utf-8")}
    assert listing == code.collect(ROOT).keys()
    for page in listing:
        assert (BOOK / f"{page}.md").read_text(encoding="utf-8").endswith(ending), page


def test_every_chapter_that_has_a_notebook_is_named(code):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [c for part in toc["parts"] for c in part["chapters"]]
    stems = {c["file"].removeprefix("book/"): c.get("sections", ()) for c in chapters}
    pairs = {stem for stem, under in stems.items() if {"file": f"notebooks/{stem}"} in under}
    assert len(pairs) > 10 and pairs <= code.collect(ROOT).keys()


# ------------------------------------------------------------------ the list, and its making


PACKAGE = {
    "mgtutorial/b.py": '''
def late():
    """Return :math:`x_1`, see :func:`early`.

    Book: one, eq-sum
    """

def _hidden():
    """Take no part."""

class Operator:
    """An operator, ``A``.

    Book: two, tab-kinds
    """

    def kernel(self):
        """Return its kernel.

        Book: one, first
        """
''',
    "mgtutorial/a/early.py": '''
import absent

def early(x):
    """Start.

    Book: one, first
    """
''',
    "one.md": """(first)=
# One

```{math}
:label: eq-sum
x_1 = 1
```

## In the code

```{in-the-code}
```
""",
    "two.md": "# Two\n\nNo list here.\n",
}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_list_is_read_without_running_what_is_read(code, tmp_path):
    """The second file could not be imported."""
    write(tmp_path, PACKAGE)
    pages = code.collect(tmp_path)
    assert [tuple(e)[1:] for e in pages["one"]] == [
        ("first", "mgtutorial/a/early.py", "early", "Start."),
        ("eq-sum", "mgtutorial/b.py", "late", "Return :math:`x_1`, see :func:`early`."),
        ("first", "mgtutorial/b.py", "Operator.kernel", "Return its kernel."),
    ]
    assert [e.name for e in pages["two"]] == ["Operator"]
    assert code.markdown(pages["two"], "https://a.b/c") == (
        "[`mgtutorial/b.py`](https://a.b/c/mgtutorial/b.py)\n\n"
        "- `Operator`: An operator, `A`. ({numref}`tab-kinds`)\n"
    )


def test_torch_is_not_needed_for_the_lists():
    script = "import sys, in_the_code as c, pathlib; n = c.collect(pathlib.Path(sys.argv[1]))"
    check = "; assert len(n) > 10 and not {'torch', 'mgtutorial', 'numpy'} & sys.modules.keys()"
    pytest.importorskip("sphinx")
    run = [sys.executable, "-c", script + check, str(ROOT)]
    subprocess.run(run, cwd=BOOK / "_ext", check=True)


CONF = small_books.conf(
    "in_the_code",
    more="""
math_eqref_format = "({number})"
root_doc = "book/one"
exclude_patterns = ["_build"]
""",
)


def test_page_shows_its_list_and_is_read_again_when_that_changes(tmp_path):
    files = {f"book/{n}" if n.endswith(".md") else n: text for n, text in PACKAGE.items()}
    files["book/two.md"] = "---\norphan: true\n---\n" + files["book/two.md"]
    write(tmp_path, files | {"conf.py": CONF})
    out, warnings = small_books.build(tmp_path)
    assert warnings == ""
    page = out / "book/one.html"
    html = page.read_text(encoding="utf-8")
    section = html[html.index("In the code<") :]
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", section))
    assert "mgtutorial/a/early.py early: Start. (One)" in plain
    assert r"late: Return \(x_1\), see early. (1)" in plain
    assert "Operator.kernel: Return its kernel. (One)" in plain
    assert 'href="#equation-eq-sum"' in section and 'href="#first"' in section

    more = 'def newer():\n    """Come later.\n\n    Book: one, gone\n    """\n'
    write(tmp_path, {"mgtutorial/c.py": more})
    assert "gone" in small_books.build(tmp_path)[1], "a label that is not there is a warning"
    assert "Come later." in page.read_text(encoding="utf-8")


def test_page_that_nothing_names_may_not_ask_for_a_list(tmp_path):
    write(tmp_path, {"conf.py": CONF, "book/one.md": PACKAGE["one.md"]})
    assert "no docstring ends with 'Book: one, ...'" in small_books.build(tmp_path)[1]
