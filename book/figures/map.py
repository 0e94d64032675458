"""Draw the map of the book: its chapters, and which needs which.

Nothing is typed here. Chapters and parts are those of _toc.yml, where a chapter is a page
with the notebook of its name under it; titles are the pages' first headings, and an arrow
stands for a link in a chapter's paragraph "What you need". The build puts the map into a page
(``book/_ext/overviews.py``); to look at it alone, run from the root of the project:
python book/figures/map.py map.svg
"""

import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from textwrap import wrap

import yaml

ROOT = Path(__file__).parents[2]

# In CSS pixels
_WIDTH, _HEIGHT, _GAP, _RISE = 148, 60, 20, 40
# Okabe and Ito's blue, green, vermillion and purple, a shade for each part of the book
_COLOURS = ("#0072B2", "#007A5A", "#B34700", "#9C4A7A")


@dataclass
class Chapter:
    """A chapter: where its page is, and the names of the chapters that it needs."""

    name: str
    title: str
    part: int
    needs: list = field(default_factory=list)


def read(root=ROOT):
    """Return the parts' captions, and the chapters by name, in the order of the book."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [part for part in toc["parts"] if part.get("numbered")]
    chapters = {}
    for number, part in enumerate(parts):
        for entry in part["chapters"]:
            source = root / f"{entry['file']}.md"
            # A chapter is a pair: a page of prose, and the notebook of its name under it.
            own = {"file": f"notebooks/{source.stem}"}
            if source.exists() and own in entry.get("sections", ()):
                text = source.read_text(encoding="utf-8")
                title = re.search(r"^# (.+)$", text, re.MULTILINE)[1]
                chapters[source.stem] = Chapter(source.stem, title, number, needs(text))
    for chapter in chapters.values():
        chapter.needs = [n for n in chapter.needs if n in chapters and n != chapter.name]
    used = sorted({chapter.part for chapter in chapters.values()})
    for chapter in chapters.values():
        chapter.part = used.index(chapter.part)
    return [parts[number]["caption"] for number in used], chapters


def needs(text):
    """Return the pages beside this one that its paragraph "What you need" links to.

    Examples
    --------
    >>> needs("**What you need.** The [step](smoothing.md#step) of [it](../a.md).")
    ['smoothing']
    """
    paragraph = re.search(r"^\*\*What you need[.:]?\*\*(.*?)(?:\n\n|\Z)", text, re.M | re.S)
    links = re.findall(r"\]\((\w+)\.md(?:#[^)]*)?\)", paragraph[1]) if paragraph else []
    return list(dict.fromkeys(links))


def reduced(chapters):
    """Return who needs whom without what follows from the rest.

    Examples
    --------
    >>> needs = {"a": [], "b": ["a"], "c": ["a", "b"]}
    >>> reduced({name: Chapter(name, name, 0, needs[name]) for name in needs})
    {'a': [], 'b': ['a'], 'c': ['b']}
    """

    def behind(name, seen=()):
        for need in chapters[name].needs:
            if need not in seen:
                yield need
                yield from behind(need, (*seen, name))

    return {
        name: [
            need
            for need in chapter.needs
            if not any(need in behind(other) for other in chapter.needs if other != need)
        ]
        for name, chapter in chapters.items()
    }


def layers(arrows):
    """Place the chapters in layers, each below all that it needs; a long arrow passes by.

    Returns
    -------
    list of list
        In each layer names, and pairs (needed, needing) where an arrow passes.
    """
    depth = {}
    while len(depth) < len(arrows):
        ready = [n for n, all_ in arrows.items() if n not in depth and depth.keys() >= {*all_}]
        if not ready:
            rest = ", ".join(n for n in arrows if n not in depth)
            raise ValueError(f"these chapters need one another in a circle: {rest}")
        depth |= {n: 1 + max((depth[m] for m in arrows[n]), default=-1) for n in ready}
    rows = [[] for _ in range(1 + max(depth.values()))]
    for name, level in depth.items():
        rows[level].append(name)
        for need in arrows[name]:
            for between in range(depth[need] + 1, level):
                rows[between].append((need, name))
    return _untangled(rows, arrows)


def _untangled(rows, arrows):
    """Order each layer so that arrows cross little: neighbours by the mean of their ends."""

    def ends(item, row):
        """The positions in `row` that the arrows of `item` lead to."""
        names = {item, *item} if isinstance(item, tuple) else {item}
        for x, other in enumerate(row):
            if isinstance(other, tuple):
                if other == item or other[0] == item or other[1] == item:
                    yield x / len(row)
            elif other in names or other in arrows.get(item, ()) or item in arrows.get(other, ()):
                yield x / len(row)

    for sweep in range(8):
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for level in order:
            row, beside = rows[level], rows[level + (-1 if sweep % 2 == 0 else 1)]
            mean = {}
            for x, item in enumerate(row):
                found = list(ends(item, beside))
                mean[item] = sum(found) / len(found) if found else x / len(row)
            row.sort(key=mean.__getitem__)
    return rows


def draw(captions, chapters, address=None, titles=None):
    """Return the map as SVG.

    Parameters
    ----------
    captions : list of str
        The parts of the book.
    chapters : dict
        As :func:`read` returns them.
    address : callable, optional
        From the name of a chapter to where a click on it leads.
    titles : dict, optional
        What to write in place of some titles.
    """
    arrows = reduced(chapters)
    rows = layers(arrows)

    def width(item):
        return _WIDTH if isinstance(item, str) else 12

    def total(row):
        return sum(map(width, row)) + _GAP * (len(row) - 1)

    wide = max(map(total, rows)) + 8
    place = {}  # the points of each item, from the top down
    for level, row in enumerate(rows):
        x = (wide - total(row)) / 2
        for item in row:
            point = (x + width(item) / 2, 6 + level * (_HEIGHT + _RISE))
            place.setdefault(item, []).append(point)
            x += width(item) + _GAP
    tall = 6 + len(rows) * (_HEIGHT + _RISE) - _RISE
    lines = [
        f'<path d="{_arrow(place, need, name)}" marker-end="url(#mg-tip)"/>'
        for name in arrows
        for need in arrows[name]
    ]
    boxes = [
        _box(chapter, *place[name], address, titles or {}) for name, chapter in chapters.items()
    ]
    legend, height = _legend(captions, tall + 26, wide)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {height:g}" '
        f'width="{wide:g}" height="{height:g}" font-family="sans-serif" font-size="13.5">'
        '<defs><marker id="mg-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#76808a"/></marker></defs>'
        f'<g fill="none" stroke="#76808a" stroke-width="1.5">{"".join(lines)}</g>'
        f"{''.join(boxes)}{legend}</svg>"
    )


def _arrow(place, need, name):
    """The path from the foot of one box to the head of another, past those between."""
    x, y = place[need][0]
    path, y = f"M{x:g} {y + _HEIGHT:g}", y + _HEIGHT
    for to_x, top in [*place.get((need, name), ()), *place[name]]:
        middle = (y + top) / 2
        path += f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {top:g}"
        x, y = to_x, top + _HEIGHT
        path += f"V{y:g}"
    return path.rpartition("V")[0]  # the last point is the head of a box, not its foot


def _box(chapter, at, address, titles):
    x, y = at[0] - _WIDTH / 2, at[1]
    lines = wrap(titles.get(chapter.name, chapter.title), 19)
    first = y + _HEIGHT / 2 + 5 - 8.5 * (len(lines) - 1)
    words = "".join(
        f'<tspan x="{at[0]:g}" y="{first + 17 * n:g}">{escape(line)}</tspan>'
        for n, line in enumerate(lines)
    )
    box = (
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="7" '
        f'fill="{_COLOURS[chapter.part % len(_COLOURS)]}"/>'
        f'<text text-anchor="middle" fill="#fff">{words}</text>'
    )
    return f'<a href="{escape(address(chapter.name))}">{box}</a>' if address else box


def _legend(captions, y, wide):
    parts, x = [], 8
    for number, caption in enumerate(captions):
        needed = 34 + 8.2 * len(caption)
        if x > 8 and x + needed > wide:
            x, y = 8, y + 22
        parts.append(
            f'<rect x="{x:g}" y="{y - 11:g}" width="14" height="14" rx="3" '
            f'fill="{_COLOURS[number % len(_COLOURS)]}"/>'
            f'<text x="{x + 20:g}" y="{y:g}" fill="currentColor">{escape(caption)}</text>'
        )
        x += needed
    return "".join(parts), y + 10


if __name__ == "__main__":
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "map.svg")
    file.write_text(draw(*read()) + "\n", encoding="utf-8")
