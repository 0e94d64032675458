"""What the pages say in prose, checked against the papers, the records and the tests.

An accuracy belongs to a network and to images: in its sentence (or its row of a table) it belongs
to the network that is named last before it, and to the data set that directly follows it ("93.18 %
on FashionMNIST") or is named last before it. For these it has to be printed or recorded.
Where nothing is named before a number, the first name after it counts. Words narrow that down:
``print`` and ``record``, ``validation``, ``training``, ``top-5``, ``first version``.

Any other percentage, and any difference in points, has to be in a sentence that a test checks
against the page (``says(page, sentence)``), in an entry of the errata whose test has the number, or
in :data:`OTHER`, with a reason. A count of five digits or more that is written with commas and is
not a whole thousand has to be one that the package expects, that a record holds or that a test
has.
"""

import ast
import json
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from .. import _paths
from ..errors import InvalidValue
from . import prose_facts

#: Percentages that are neither accuracies nor results: page, words around the number, reason.
OTHER = (
    ("book/reproduction.md", "the random part of 8 to 100 per cent of the area", "an augmentation"),
    ("notebooks/reproduce/mgic_table5.ipynb", "a random part of 8 to 100 %", "an augmentation"),
    ("notebooks/reproduce/mgic_table7.ipynb", "a random part of 8 to 100 %", "an augmentation"),
    ("book/errata.md", "66.3 and 86.8 %", "a cell of a table that its test computes"),
    ("book/errata.md", "67.0 and 87.3 %", "a cell of a table that its test computes"),
    ("book/errata.md", "72.6 mIoU", "a cell of a table that its test computes"),
    ("book/errata.md", "72.69 mIoU", "a cell of a table that its test computes"),
    ("book/errata.md", "71.02 mIoU", "a cell of a table that its test computes"),
    ("notebooks/weights.ipynb", "still reaches 99 per cent", "a bound that the notebook asserts"),
    ("book/reproduction.md", "differ by 0.2 percentage points", "a supposition to discuss"),
    ("book/fas.md", "with an error of about 6 per cent", "an error of a solver"),
    ("book/smoothing.md", "more than 90 per cent of the solution", "an error of a solver"),
    ("notebooks/coarsening.ipynb", "within 3 per cent in 2D", "a convergence factor"),
)

_COMPUTED = "\0"  # in a sentence that a test checks: a number that it computes
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"(?:%|per cent\b|mIoU\b|(?:percentage )?points\b)"
_JOIN = r"\s*(?:,|/|–|to|and|or|against|instead of)\s+(?:from |by |to )?"
_ONE = rf"{_NUMBER}(?:\s*±\s*{_NUMBER})?"
# One number with its unit, or several that share it: "between 85.6 and 88.1 per cent".
_SHARE = re.compile(rf"(?<![\d.,\w$])(?P<all>(?:{_ONE}{_JOIN}){{0,4}}{_ONE})\s*(?P<unit>{_UNIT})")
_BARE = re.compile(r"(?<![\d.,\w$^=])(?P<all>\d\d\.\d{1,2})(?![\d.,]*\d)(?P<unit>)")
_COUNT = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:,|\{,\})\d{3})+(?![\d,]*\d)")
_DIGEST = re.compile(r"`([0-9a-f]{16})`")
_TALKS_OF_ACCURACY = re.compile(r"accurac|%|per cent|points|mIoU", re.IGNORECASE)
_BEGINS = re.compile(r"[*-] |\d+\. |#|\|")  # an item, a heading, a row
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])[)*]*\s+(?=[*A-Z$(\[`])")
_WRITTEN = re.compile(r"\d[\d,]*(?:\.\d+)?")
_GRID_POINTS = re.compile(r"(?:by|×|x|on|of|with|from|than)\s+[\d,]+ points")


@dataclass(frozen=True)
class Claim:
    """A number on a page: the text around it, the number, its unit, and where it stands."""

    sentence: str
    number: str
    std: str | None
    unit: str
    at: int
    on_page: int

    def __str__(self):
        return f"{self.number} {self.unit}".strip()


def contradictions(root, runs):
    """Return what the pages of a checkout say but cannot support, one sentence each.

    Parameters
    ----------
    root : Path
        The checkout.
    runs : list of Record
    """
    known, facts = {r.digest for r in runs}, prose_facts.facts(runs)
    tests = root / "tests"
    if not tests.is_dir():  # a copy of the pages alone
        tests = (_paths.checkout() or root) / "tests"
    held, literals = sentences_held(tests), literals_of(tests)
    counts = prose_facts.counts(runs) | counts_in(tests)
    found = []
    for path in pages(root):
        name = path.relative_to(root).as_posix()
        text = prose(path)
        for digest in sorted(set(_DIGEST.findall(text)) - known):
            found.append(f"{name} names the run {digest}, which is not recorded.")
        if name == "book/status.md":  # made from the records, and checked against them as a whole
            continue
        page = Page(text)
        covered = page.spans(*held.get(name, ()), *(w for p, w, _ in OTHER if p == name))
        for claim in page.claims():
            if any(a <= claim.on_page < b for a, b in covered):
                continue
            if why := wrong(claim, facts, page.tested(claim.on_page, literals)):
                found.append(f'{name} states {claim} {why}: "{_short(claim)}"')
        for match in _COUNT.finditer(page.text):
            n = float(re.sub(r"\D", "", match[0]))
            if page.text[match.end() :].startswith("k"):
                n *= 1000
            if n >= 10_000 and n not in counts and n % 1000:
                found.append(
                    f"{name} states the count {match[0]}, which the package does not expect, no "
                    "record holds and no test has."
                )
        found += [
            f"{name} does not have the words of its exception: {words}"
            for p, words, _ in OTHER
            if p == name and not page.spans(words)
        ]
    return found


def pages(root):
    """The pages, notebooks and the README of a checkout."""
    notebooks = sorted((root / "notebooks").rglob("*.ipynb"))
    return [*sorted((root / "book").glob("*.md")), *notebooks, root / "README.md"]


def prose(path):
    """The text that a reader sees as prose: for a notebook, its Markdown cells."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".ipynb":
            return text
        cells = json.loads(text)["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidValue(
            f"{path} cannot be read as a page ({type(error).__name__}: {error}): restore it."
        ) from error
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


class Page:
    """A page's sentences, and where they stand in its text, with single spaces."""

    def __init__(self, text):
        self._parts, self._tests, at, header, entry = [], [], 0, "", []
        blocks = _blocks(text)
        for block in blocks:
            if block.startswith("#"):
                entry = []
            entry.append((at, at + len(block)))
            if names := re.findall(r"\*Shown by\* (.*)", block):
                shown = re.findall(r"`(test_\w+)`", names[0])
                self._tests.append((entry[0][0], at, shown))
            if not block.startswith("|"):
                header = ""
            elif not header:
                header = block
            for start, sentence in _sentences(block):
                self._parts.append((at + start, sentence, header if header != block else ""))
            at += len(block) + 1
        self.text = " ".join(blocks)

    def spans(self, *words):
        """Where words stand on the page, as (start, end)."""
        found = []
        for w in (" ".join(w.split()) for w in words):
            pattern = re.escape(w).replace(re.escape(_COMPUTED), r"[\d.,]+(?: points)?")
            found += [(m.start(), m.end()) for m in re.finditer(pattern, self.text)]
        return found

    def tested(self, at, literals):
        """The numbers in the tests of the entry of the errata at a place."""
        names = [n for a, b, shown in self._tests if a <= at < b for n in shown]
        return {n for name in names for n in literals.get(name, ())}

    def claims(self):
        """Yield every number that is a percentage or reads like an accuracy."""
        for at, sentence, header in self._parts:
            context, shift = (f"{header} {sentence}", len(header) + 1) if header else (sentence, 0)
            shares = list(_SHARE.finditer(context, shift))
            taken = {i for m in shares for i in range(*m.span())}
            bare = []
            if _TALKS_OF_ACCURACY.search(context) and prose_facts.FAMILY.search(context):
                bare = [m for m in _BARE.finditer(context, shift) if m.start() not in taken]
            for match in (*shares, *bare):
                if match["unit"] == "points" and (
                    "." not in match["all"] or _GRID_POINTS.search(match[0])
                ):
                    continue
                for one in re.finditer(_ONE, match["all"]):
                    number, _, std = (part.strip() for part in one[0].partition("±"))
                    place = match.start() + one.start()
                    yield Claim(
                        context, number, std or None, match["unit"], place, at + place - shift
                    )


def wrong(claim, facts, tested):
    """Return why a page cannot state a number, or "" if it can."""
    value = float(claim.number)
    accuracy = "." in claim.number and value >= 10 and not claim.unit.endswith("points")
    if not accuracy:
        if value in tested or claim.number in ("100", "0"):
            return ""
        return "that no test holds against the page"
    named = prose_facts.named(claim.sentence, claim.at)
    if named.family is None or named.data is None:
        return "without the network and the data set that it belongs to"
    if any(fact.fits(named) and _is(claim, fact) for fact in facts):
        return ""
    return f"of {named}, for which it is neither printed nor recorded"


def _is(claim, fact):
    printed = Decimal(claim.number)
    rounded = fact.value.quantize(printed, rounding=ROUND_HALF_UP)
    return rounded == printed and (claim.std is None or fact.std == float(claim.std))


def _short(claim):
    return claim.sentence[max(0, claim.at - 60) : claim.at + 40].strip()


def _blocks(text):
    """Paragraphs, items of lists, headings and rows of tables, with single spaces; no code."""
    found, fences = [[]], []
    for line in text.splitlines():
        begun = line.lstrip()
        if begun.startswith("```"):
            if (name := begun.lstrip("`")) or not fences:
                fences.append(name.startswith("{"))  # a directive, whose content is prose
            else:
                fences.pop()
            found.append([])
            continue
        if not all(fences):
            continue
        if not begun or _BEGINS.match(begun):
            found.append([])
        if line.strip("|-: "):  # not the line below the header of a table
            found[-1].append(line)
    joined = (" ".join(" ".join(block).split()) for block in found)
    return [block for block in joined if block]


def _sentences(block):
    if block.startswith("|"):
        return [(0, block)]
    starts = [0, *(m.end() for m in _SENTENCE_ENDS.finditer(block))]
    return [(a, block[a:b]) for a, b in zip(starts, [*starts[1:], len(block)], strict=True)]


@cache
def sentences_held(tests):
    """Return the sentences that tests check against pages, {page: [sentence]}."""
    found = {}
    for _, nodes in _nodes(tests):
        for node in nodes:
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "says":
                page, *words = [w for a in node.args if (w := _literal(a))] or [""]
                page = page if "/" in page else f"book/{page}.md"
                found.setdefault(page, []).extend(words)
    return found


def _literal(node):
    """The text of a string in a test; what it computes stands for any number."""
    if isinstance(node, ast.Constant):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [v.value if isinstance(v, ast.Constant) else _COMPUTED for v in node.values]
    # A sentence that is nearly all computed would match anything.
    return "".join(parts) if len("".join(parts).replace(_COMPUTED, "").strip()) > 8 else ""


@cache
def literals_of(tests):
    """Return the numbers that occur in each function of the tests, and in their modules."""
    found = {}
    for name, nodes in _nodes(tests):
        found.setdefault(name, set()).update(_numbers(nodes))
    return found


@cache
def counts_in(tests):
    """Return the numbers that occur in the code of the tests, not in its strings."""
    return frozenset(n for _, nodes in _nodes(tests) for n in _numbers(nodes, words=False))


def _numbers(nodes, words=True):
    """The numbers in a piece of code, including those in its strings."""
    for n in nodes:
        if isinstance(n, ast.Constant) and isinstance(n.value, int | float):
            yield float(n.value)
        elif words and isinstance(n, ast.Constant) and isinstance(n.value, str):
            yield from (float(x.replace(",", "")) for x in _WRITTEN.findall(n.value))


@cache
def _nodes(tests):
    """The functions, classes and other statements of the tests, as (name or "", nodes).

    Only calls and constants are kept of the nodes: they are all that is read, three times.
    """
    kept = (ast.Call, ast.Constant)
    trees = (ast.parse(p.read_text(encoding="utf-8")) for p in sorted(tests.rglob("test_*.py")))
    return [
        (getattr(node, "name", ""), [n for n in ast.walk(node) if isinstance(n, kept)])
        for tree in trees
        for node in tree.body
    ]
