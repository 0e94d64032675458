"""Times, estimates and tables as text."""

import csv
import io
import json
import re

from .errors import MOST_SEED, InvalidValue, whole


def aligned(lines, left):
    """Return cells as aligned lines, a rule under the first; columns `left` are left-aligned."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def text(line):
        cells = (
            cell.ljust(w) if i in left else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return [text(lines[0]), "-" * (sum(widths) + 2 * len(widths) - 2), *map(text, lines[1:])]


def in_markdown(lines, left):
    """Return cells as a Markdown table headed by the first line; columns `left` are left-aligned.

    Examples
    --------
    >>> print(in_markdown([("network", "weights"), ("mgnet", "2,750,666")], left=(0,)))
    | network | weights |
    |---|---:|
    | mgnet | 2,750,666 |
    """
    rule = "|".join("---" if i in left else "---:" for i in range(len(lines[0])))
    head, *rest = (f"| {' | '.join(map(str, line))} |" for line in lines)
    return "\n".join([head, f"|{rule}|", *rest])


def listed(given, kind="list"):
    """Return what somebody listed: separated by commas, as one word or number, or as a list.

    Parameters
    ----------
    given : str, int or sequence, optional
        None stays None.
    kind : str
        What is listed, for the error message.

    Raises
    ------
    InvalidValue
        If the list, or one of its entries, is empty.

    Examples
    --------
    >>> listed("mgnet, mgnet-20"), listed(0), listed([1, 2])
    (['mgnet', 'mgnet-20'], [0], [1, 2])
    """
    if given is None:
        return None
    if isinstance(given, str):
        found = [part.strip() for part in given.split(",")]
    else:
        found = list(given) if hasattr(given, "__iter__") else [given]
    if not found or "" in found:
        raise InvalidValue(f"{kind} {given!r}: give one or more, with commas between.")
    return found


def seeds_of(given):
    """Return seeds that somebody listed, as whole numbers, each once.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> seeds_of("0,1,1"), seeds_of(3)
    ([0, 1], [3])
    """
    found = []
    for seed in listed(given, "seeds"):
        if isinstance(seed, str) and seed.isdecimal() and len(seed) < 30:
            seed = int(seed)
        if isinstance(seed, str):
            raise InvalidValue(
                f"seeds {given!r}: give whole numbers with commas between, such as 0,1,2."
            )
        found.append(whole("seed", seed, least=0, most=MOST_SEED))
    return list(dict.fromkeys(found))


def printable(text, most=100):
    r"""Return a text in a form that a terminal, a figure and a file can show.

    Control characters, lone surrogates and anything else that does not print become escapes; the
    middle of a long text is left out.

    Examples
    --------
    >>> printable("a\x1b[31m"), printable("layer" * 9, 20)
    ('a\\x1b[31m', 'layerla...erlayer')
    """
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return text if len(text) <= most else f"{text[: most // 2 - 3]}...{text[-(most // 2 - 2) :]}"


def as_json(plain):
    return json.dumps(plain, indent=2, ensure_ascii=False)


def as_csv(plain):
    out = io.StringIO()
    writer = csv.DictWriter(out, plain[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain)
    return out.getvalue().rstrip("\n")


_UNITS = {"h": 3600, "m": 60, "s": 1}


def seconds(text):
    """Return the seconds in a time such as ``"9m"``, ``"1h30m"``, ``"45s"`` or ``"540"``.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> seconds("1h30m"), seconds("540"), seconds("0.5m")
    (5400.0, 540.0, 30.0)
    """
    written = str(text).strip().lower()
    number = r"(\d+(?:\.\d+)?)"
    parts = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", written)
    found = [float(p) * u for p, u in zip(parts.groups(), _UNITS.values(), strict=True) if p] \
        if parts else []  # fmt: skip
    if not 0 < sum(found) < 1e9:  # thirty years
        raise InvalidValue(
            f"time limit {text!r}: give a positive time, such as 9m, 45s, 1h30m or 540 (seconds)."
        )
    return sum(found)


def duration(seconds):
    """Return a time as a person would say it.

    Examples
    --------
    >>> [duration(s) for s in (0.2, 75, 4000, 200_000, 4e7, 1e9)]
    ['under 1 s', '75 s', '1 h 7 min', '2.3 days', '463 days', '32 years']
    """
    if seconds < 0.95:
        return "under 1 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min"
    days = seconds / 86400
    if days > 1000:
        return f"{days / 365.25:.0f} years"
    return f"{days:.1f} days" if days < 10 else f"{days:.0f} days"


def exactly(seconds):
    """Return a time that somebody gave, still recognisable if it is below a second.

    Examples
    --------
    >>> exactly(0.05), exactly(5)
    ('0.05 s', '5 s')
    """
    return duration(seconds) if seconds >= 1 else f"{seconds:.2g} s"


def estimate(seconds):
    """Return an estimated time as a person would say it.

    Examples
    --------
    >>> [estimate(s) for s in (0.2, 75)]
    ['under 1 s', 'about 75 s']
    """
    said = duration(seconds)
    return said if said.startswith("under") else f"about {said}"
