"""What ``mgtutorial count`` prints: published counts beside ours, and a network's parts."""

import textwrap
from collections import Counter

from .._text import aligned, as_csv, as_json
from ..data import catalogue
from ..errors import InvalidValue, choose
from ..models import applications, counting, registry
from . import published, verdicts
from .papers.catalogue import PRINTED

FORMATS = ("table", "json", "csv")
#: Above these, the numbers of a forward pass exceed the range that torch counts in.
MOST_PIXELS, MOST_IMAGES = 16_384, 1_000_000


def of_tables(table=None, rows=None, form="table"):
    """Return published counts beside ours as text.

    Parameters
    ----------
    table : str, optional
        A name of :data:`mgtutorial.reproduction.papers.catalogue.PRINTED`; default all.
    rows : list of str, optional
        Some of the table's rows; default all.
    form : {"table", "json", "csv"}

    Raises
    ------
    UnknownName
        If there is no such table, row or format.
    InvalidValue
        If rows are given without their table.

    Examples
    --------
    >>> print(of_tables("mgiad-table1", rows=["mgnet"], form="csv"))  # doctest: +ELLIPSIS
    table,row,published,exact,difference,verdict,reason,source
    mgiad-table1,mgnet,2751k,2750666,-334,matched,,MGiaD paper ...
    """
    choose("format", form, FORMATS)
    if rows and table is None:
        raise InvalidValue("rows were given without their table: say which with --table.")
    named = (published.row(table, name) for name in dict.fromkeys(rows or ()))
    chosen = list(named) if rows else published.rows(table)
    if form == "table":
        tables = dict.fromkeys(r.table for r in chosen)
        parts = [_table(name, [r for r in chosen if r.table == name]) for name in tables]
        return "\n\n".join([*parts, *([summary(chosen)] if len(parts) > 1 else [])])
    plain = [
        {
            "table": r.table,
            "row": r.name,
            "published": r.printed + r.unit,
            "exact": r.counted,
            "difference": r.difference,
            "verdict": r.verdict,
            "reason": r.reason,
            "source": r.source,
        }
        for r in chosen
    ]
    return as_json(plain) if form == "json" else as_csv(plain)


def summary(rows):
    """Return one line that says how many rows have each verdict.

    Examples
    --------
    >>> summary(published.rows("mgiad-table1"))
    '4 published counts: 1 matched, 3 near'
    """
    n = Counter(r.verdict for r in rows)
    return f"{len(rows)} published counts: " + ", ".join(
        f"{n[v]} {v}" for v in verdicts.COUNT if n[v]
    )


def _table(name, rows):
    lines = [("row", "published", "exact", "difference", "verdict")]
    for r in rows:
        counted = "" if r.counted is None else f"{r.counted:,}"
        difference = "" if r.difference is None else f"{r.difference:+,}"
        lines.append((r.name, r.printed + r.unit, counted, difference, r.verdict))
    text = [f"{name} - {PRINTED[name].title}", *aligned(lines, left=(0, 4))]
    for reason in dict.fromkeys(r.reason for r in rows if r.reason):
        names = ", ".join(r.name for r in rows if r.reason == reason)
        text += textwrap.wrap(
            f"{names}: {reason}", 98, initial_indent="  ", subsequent_indent="    "
        )
    return "\n".join([*text, summary(rows)])


def of_network(name, data=None, size=None, batch_size=128, form="table"):
    """Return the weights, multiplications and activations of a network, part by part, as text.

    Parameters
    ----------
    name : str
        A name of :data:`mgtutorial.models.CONFIGS`.
    data : str, optional
        A data set, which determines channels, classes, stem and image size. Default: CIFAR-10, or
        ImageNet for the named networks that are made for it.
    size : int, optional
        Height and width of the images; default: that of the data set.
    batch_size : int
        The batch for which the activations held for the backward pass are counted.
    form : {"table", "json", "csv"}

    Raises
    ------
    UnknownName
        If there is no such network, data set or format.
    InvalidValue
        If the images are too small for the levels, or a number is below its range.

    Examples
    --------
    >>> import json
    >>> json.loads(of_network("mgnet-20", form="json"))["weights"]
    101242
    """
    choose("format", form, FORMATS)
    config = registry.CONFIGS[name]
    like = data or ("imagenet" if config.num_classes == 1000 else "cifar10")
    info = catalogue.info(like)
    if data is not None:
        config = config.for_data_set(info)
    size = info.size if size is None else size
    if not isinstance(size, int) or not 1 <= size <= MOST_PIXELS:
        raise InvalidValue(
            f"size={size!r}: give the pixels of a side, a whole number from 1 to {MOST_PIXELS:,}."
        )
    if not isinstance(batch_size, int) or batch_size > MOST_IMAGES:
        raise InvalidValue(
            f"batch_size={batch_size!r}: give a whole number of images, at most {MOST_IMAGES:,}."
        )
    weights, macs = counting.weights_by_part(config), counting.macs_by_part(config, size)
    held = counting.activations_held(config, batch_size, size)
    try:
        literal = applications.literal_macs(config, size)
    except InvalidValue:  # a network without FAS transfers
        literal = None
    if form == "csv":
        return as_csv(_parts(weights, macs))
    if form == "json":
        return as_json(
            {
                "network": name,
                "in_channels": config.in_channels,
                "num_classes": config.num_classes,
                "size": size,
                "weights": sum(weights.values()),
                "macs": sum(macs.values()),
                "literal_macs": literal,
                "activations": {"batch_size": batch_size, **held._asdict()},
                "parts": _parts(weights, macs),
            }
        )
    images = f"{config.in_channels} x {size} x {size}, {config.num_classes} classes"
    text = [
        f"{name} for images of {images}",
        "",
        f"weights: {sum(weights.values()):,}",
        *_matrix(weights),
        "",
        f"multiplications of one forward pass: {sum(macs.values()):,}",
        *_matrix(macs),
        "",
    ]
    if literal is not None:
        text.append(f"multiplications, the algorithm carried out literally: {literal:,}")
    text.append(
        f"held for the backward pass: {held.elements:,} numbers, {held.bytes / 2**20:,.1f} MiB, "
        f"for a batch of {batch_size}"
    )
    return "\n".join(text)


def _parts(weights, macs):
    return [
        {**part._asdict(), "weights": weights.get(part, 0), "macs": macs.get(part, 0)}
        for part in {**weights, **macs}
    ]


def _matrix(parts):
    """Parts as aligned lines: levels downwards, roles across, sums at both ends."""
    roles = [role for role in counting.ROLES if any(p.role == role for p in parts)]
    places = dict.fromkeys((p.level, p.channel_level) for p in parts if p.level)
    lines = [("level", *roles, "sum")]
    for place in [*places, (None, None)]:
        n = {p.role: v for p, v in parts.items() if (p.level, p.channel_level) == place}
        label = "-" if place[0] is None else ".".join(str(i) for i in place if i)
        lines.append(
            (label, *(f"{n[r]:,}" if r in n else "" for r in roles), f"{sum(n.values()):,}")
        )
    totals = [sum(v for p, v in parts.items() if p.role == role) for role in roles]
    lines.append(("sum", *(f"{n:,}" for n in totals), f"{sum(totals):,}"))
    return aligned(lines, left=(0,))
