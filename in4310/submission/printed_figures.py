"""Figures of evaluation that a program has printed or a report has set: the same reader for every file of text.

Of a measure that stands with two figures none is taken, as nothing tells which network each is of; of one by class none
where a class has two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from in4310.submission.claims import Nested, as_metrics, measure, set_of, words
from in4310.submission.class_reports import with_reports
from in4310.submission.logs import BATCH, EPOCH, unset_line
from in4310.submission.prose import compares, stated
from in4310.submission.ruled import captions_first, ruled, spanned
from in4310.submission.sections import UNCLEAR, after_figures, of_an_epoch, section_of, under
from in4310.submission.tables import Table, number, numbers_in

LINES, LETTERS, FIGURES, NAME = 200_000, 1000, 5000, 120
Slot = tuple[str, ...]  # set, measure, perhaps class
# What is named, then its figure: not the first half of '280/300', '93 of 100' or '0.1-0.2'. Possessive (`*+`).
_FIGURE = re.compile(
    r"[:=]\s*+([+\u2212-]?\d{1,12}(?:[.,]\d{1,18})?(?:e[+-]?\d{1,3})?+(?:\s?%)?)"
    r"(?![\w:/–%-]|[.,]\d|\s{1,3}(?:/|of\b|av\b|-\s))",
    re.IGNORECASE,
)
# What a line must hold to name a set or a measure, or to be one of a list of classes.
_HINT = re.compile(
    r"test|val|train|tren|dev|acc|prec|pres|map|\bap|nøy|noy|snitt|treff|top|eval", re.IGNORECASE
)
_ENDS = re.compile(r"([^\d:=|&]{3,80}?)\s{1,20}(\d{1,3}(?:[.,]\d{1,18})?\s?%?)\.?")
_ARRANGES = re.compile(
    r"\\(?:begin|end)\{[^{}]{0,40}\}(?:\[[^\[\]]{0,20}\])?(?:\{[^{}]{0,60}\})?|\\[a-z]{1,20}(?:\([lr]{1,2}\))?(?:\{[\d-]{1,9}\})?"
)
# A frame that begins anew ends the table before it.
_RULES = "-+=:_ |&\\─━═╶╴│┃║┗└╚╰┛┘╝╯┡┩┠┨├┤╞╡┣┫╟╢╠╣╇┼╋╪╬┷┴┻╧╩┿╂"


def figures_in(text: str, name: str, classes: Sequence[str]) -> tuple[Nested, list[str]]:
    """(set -> figures as of `as_metrics`, measures that stand with several figures); `name` may say the set."""
    given: dict[Slot, list[float]] = {}
    for document in _named(text, classes):
        for slot, value in slots_of(as_metrics(document, name, classes) or {}):
            values = given.setdefault(slot, [])
            if len(values) < 2 and not any(alike(value, other) for other in values):
                values.append(value)
    found: Nested = {}
    unclear = {slot[:2] for slot, values in given.items() if len(values) > 1}
    for slot, values in given.items():
        if slot[:2] not in unclear:
            table = found.setdefault(slot[0], {})
            table = table.setdefault(slot[1], {}) if len(slot) > 2 else table
            table[slot[-1]] = values[0]
    return found, [" ".join(slot) for slot, values in given.items() if len(values) > 1]


def disagree(one: Nested, other: Nested) -> bool:
    """Whether two texts give different figures of the same."""
    theirs = dict(slots_of(other))
    return any(slot in theirs and not alike(value, theirs[slot]) for slot, value in slots_of(one))


def alike(a: float, b: float) -> bool:
    """Whether two figures are one, as far as the shorter was written: 0.8677, 86.77 and 0.87."""
    (a, b), digits = zip(*map(_share, (a, b)), strict=True)
    return abs(a - b) <= 0.501 * 10.0 ** -min(digits)


def _share(value: float) -> tuple[float, int]:
    digits = len(f"{value!r}".partition(".")[2]) if "e" not in f"{value!r}" else 18
    digits = 0 if abs(value) > 1 and value == int(value) else digits  # 93 %
    return (value / 100, digits + 2) if abs(value) > 1 else (value, digits)


def slots_of(figures: Nested) -> Iterator[tuple[Slot, float]]:
    """(set, measure, perhaps class) -> figure."""
    for name, table in figures.items():
        for kind, value in table.items():
            for c, own in value.items() if isinstance(value, dict) else ():
                yield (name, kind, c), own
            if isinstance(value, float):
                yield (name, kind), value


def _named(text: str, classes: Sequence[str]) -> Iterator[Any]:
    """Documents of one figure or one row each, under a name that says its measure."""
    heading, section, count = "", "", 0
    rows: list[list[str]] = []
    folded = {c.lower() for c in classes}
    lines = captions_first(text).splitlines()[:LINES]
    cleaned = with_reports([_clean(one) for one in lines if not _is_rule(one)], classes)
    lines = [*ruled([*cleaned]), ""]
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        cells = _cells(line)
        if cells and (not rows or len(rows[0]) == len(cells)):
            rows.append(cells)
            continue
        if rows and (line.strip() and not line.strip(_RULES)):
            continue  # a rule within a table
        yield from _of_rows(rows, under(heading, section))
        rows = [cells] if cells else []
        begun = None if cells else section_of(line, before, after)
        if begun is not None:
            section, heading = begun, _heading(line)
        elif of_an_epoch(line):
            section = ""
        if cells or not line.strip() or EPOCH.search(line) or BATCH.search(line):
            continue
        listed = bool(heading) and any(c in line.lower() for c in folded)
        if count > FIGURES:
            return
        if not listed and not _HINT.search(line):
            heading = ""
            continue
        figures = list(_of_line(line)) or list(stated(line, classes))
        heading = heading if figures else _heading(line)
        spoken = own = ""
        for title, value in figures:
            of_class = folded & {*words(title)}
            own = next(iter(of_class), own)
            if own and not of_class and measure(title) in ("accuracy", "ap"):  # 'sea  acc: 0.93  AP: 0.95'
                title, of_class = f"{own} {title}", {own}
            title = f"{heading} {title}" if of_class and not measure(title) and measure(heading) else title
            spoken = set_of(title) or spoken or under(heading, section)
            title = title if set_of(title) else f"{spoken} {title}"
            count += 1
            if measure(title) and spoken != UNCLEAR:
                yield {title: value}
        section = after_figures(section, [title for title, _ in figures])


def _is_rule(line: str) -> bool:
    """Whether a line of LaTeX draws or arranges, and says nothing."""
    start = line.lstrip()
    return start.startswith("\\") and not _cells(line) and not any(map(str.isalnum, _ARRANGES.sub("", start)))


def _clean(line: str) -> str:
    return unset_line(spanned(line[:LETTERS].replace("$", "")))


def _cells(line: str) -> list[str]:
    """The cells of a row that is set out by lines or by LaTeX's '&'."""
    mark = "&" if "&" in line else "|" if line.count("|") > 1 or line.lstrip().startswith("|") else ""
    if not mark or not line.strip(_RULES):
        return []
    return [cell.strip(" *`{}") for cell in line.strip().strip("|").split(mark)]


def _of_rows(rows: Sequence[Sequence[str]], said: str) -> Iterator[Table]:
    """Each row of a table of the set that stands above it, if any; a table of epochs has none of these figures."""
    if len(rows) < 2 or {"epoch", "epochs"} & {w for cell in rows[0] for w in words(cell)}:
        return
    first, *below = rows
    while len(below) > 1 and not any(number(cell) is not None for cell in below[0]):
        over: list[str] = []  # a title over several columns
        for cell in first:
            over.append(cell or (over[-1] if over else ""))
        first, below = (
            [f"{one} {other}".strip() for one, other in zip(over, below[0], strict=True)],
            below[1:],
        )
    over_columns = any(map(set_of, first))
    for row in below[:FIGURES]:
        of_row = any(map(set_of, row))
        if (
            said == UNCLEAR
            and not of_row
            and not all(set_of(t) for t in first if measure(t) or not over_columns)
        ):
            continue
        titles = first if of_row else [_under(said, title) for title in first]
        yield Table(tuple(titles), (tuple(row if over_columns else [_under(said, cell) for cell in row]),))


def _under(said: str, name: str) -> str:
    """The name of a measure with the set that stands above it, where it names none itself."""
    return f"{said} {name}" if said and measure(name) and not set_of(name) else name


def _heading(line: str) -> str:
    """What a line without figures says of those below it: an evaluation's set, or what is listed by class."""
    said = set_of(line)
    listed = measure(line) and line.rstrip().endswith(":")
    return (
        line.strip()
        if len(line) <= 120 and (listed or said in ("val", "test") or (said and ":" in line))
        else ""
    )


def _of_line(line: str) -> Iterable[tuple[str, str]]:
    """(name, figure) for each that a line names, a list of figures as it stands."""
    head, mark, rest = line.partition(":") if ":" in line else line.partition("=")
    if mark and numbers_in(rest.strip()):
        return [(head, rest.strip())]
    before = f"{head} " if mark and rest.lstrip().startswith("{") and measure(head) else ""
    line = line[len(head) + 1 :] if before else line
    line = re.sub(r"['\"{}*`]", "", line)
    found, last = [], 0
    for m in _FIGURE.finditer(line):
        name = re.split("[:=]", line[last : m.start()])[-1][-NAME:]
        found.append((before + name.strip(" ,;.|-#"), m[1]))
        last = m.end()
    whole = _ENDS.fullmatch(line.strip()) if not found else None
    own = whole and measure(whole[1]) and set_of(whole[1]) and not compares(whole[1])
    return [(whole[1], whole[2])] if whole and own else found
