"""Shares of non-positive values by module, as programs print them and reports set them: lines, tables, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from in4310.submission.claims import words
from in4310.submission.logs import unset_line
from in4310.submission.module_claims import is_module, module_name, says_non_positive, share_column
from in4310.submission.tables import number, numbers_in

LINES, LETTERS = 200_000, 1000
CELL = "\f"  # between what the cells of a notebook printed
ROWS = 20_000  # lines with a module that are looked at
_APART = re.compile(r"[\s|&:=,;()\[\]{}'\"`*<>→$]+")
_PERCENT = re.compile(
    r"(?<![\w.,+–-])(\d{1,12}(?:[.,]\d{1,18})?)(?:\s{0,2}(?:±|\+/?-)\s{0,2}[\d.,]{1,18})?\s{0,2}%"
)
_INDEX = re.compile(r"\s*\d{1,3}\s+(?=[A-Za-z])")  # of a row, as pandas prints it
_ANY = re.compile(r"conv|bn\d|relu|pool|layer|stage|\bfc\b", re.IGNORECASE)  # a name of a module begins so
_ARRAY = re.compile(r"\[[^\[\]]{5,400}\]")
# Words beside a module and its figure that say nothing else of it, and those of a heading over such figures.
_BESIDE = {"info", "debug", "root", "main", "module", "layer", "name", "lag", "percent", "percentage", "pct", "avg",
           "average", "mean", "share", "of", "value", "values", "verdi", "verdier", "count", "images", "bilder",
           "number", "no"}  # fmt: skip


@dataclass
class Shares:
    """`percent`: module -> figure as it was written; `unclear`: modules with two figures, where none is taken."""

    percent: dict[str, float] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)


def shares_in(text: str, told: bool) -> Shares:
    """What a text says; `told`: it is known to be about these shares, by its name or as a report that speaks of them.

    A line is taken where it says so itself, or where it is a module and a figure alone below a heading that does; in a
    text, or what one cell of a notebook printed, of nothing but such lines none needs to.
    """
    found: dict[str, set[float]] = {}
    if not _ANY.search(text):
        return Shares()
    about, heading = told, [""]
    count = 0
    for line, alone in _lines(text):
        modules = _modules(line) if _ANY.search(line) else []
        count += bool(modules)
        if count > ROWS:
            break
        if not modules and not (about or told or alone or says_non_positive(line)):
            continue
        if not modules:
            about, heading = _below(line, about, told, heading)
            continue
        said = {*words(line)}
        other = bool({"positive", "pos"} & said) and not says_non_positive(line)
        if len(modules) > 1 or other or not (says_non_positive(line) or ((about or alone) and _is_row(line))):
            continue
        value = _figure(line, heading)
        if value is not None and (0 <= value <= 100 or about or "%" in line):
            found.setdefault(module_name(modules[0]), set()).add(value)
    unclear = [module for module, values in found.items() if len(values) > 1]
    return Shares({} if unclear else {m: v for m, (v,) in found.items()}, unclear)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines that say something, and whether they stand among nothing but modules with figures."""
    left = LINES
    for cell in text.split(CELL):
        lines = [_clean(line) for line in cell.splitlines()[:left]]
        left -= len(lines)
        lines = [line for line in lines if any(c.isalnum() for c in line)]
        alone = len(lines) > 1 and all(map(_is_row, lines[: ROWS + 1]))
        alone = alone and (CELL not in text or all("%" in line for line in lines))  # beside much else
        yield from ((line, alone) for line in lines)


def bare_shares(text: str, told: bool) -> int:
    """How many numbers an array has that may be such shares, without the names of their modules; 0 for none.

    Its line, or the one before, speaks of them; `told`: its file does.
    """
    before = ""
    for line in text.splitlines()[:LINES]:
        line = line[:LETTERS]
        near, before = f"{before} {line}", line
        if "[" not in line or not (told or _is_about(near)):
            continue
        for array in _ARRAY.findall(line):
            values = numbers_in(array) or []
            if 3 <= len(values) <= 20 and all(0 <= v <= 100 for v in values) and len({*values}) > 2:
                return len(values)
    return 0


def _is_about(text: str) -> bool:
    return says_non_positive(text) or {"feature", "map", "statistics"} <= {*words(text)}


def _clean(line: str) -> str:
    line = unset_line(line[:LETTERS])
    index = _INDEX.match(line)
    return line[index.end() :] if index else line


def _modules(line: str) -> list[str]:
    """The modules that a line names, each once."""
    parts = (part.strip(".-").lower() for part in _APART.split(line))
    return list(dict.fromkeys(part for part in parts if is_module(part)))


def _cells(line: str) -> list[str]:
    mark = next((mark for mark in "|&\t" if mark in line), None)
    line = line.strip().strip("|")
    return [cell.strip(" *`$") for cell in line.split(mark)] if mark else [line.strip()]


def _is_row(line: str) -> bool:
    """Whether a line is a module and figures alone: its other words say nothing else of them."""
    others = [p for p in _APART.split(line) if not is_module(p.strip(".-").lower()) and number(p) is None]
    return {w for p in others for w in words(p) if not w.isdecimal()} <= _BESIDE | {
        "non",
        "positive",
        "nonpositive",
    }


def _below(line: str, about: bool, told: bool, heading: list[str]) -> tuple[bool, list[str]]:
    """(whether the lines below are about these shares, cells of their heading), after a line without a module."""
    cells = _cells(line)
    if says_non_positive(line):
        return True, cells
    if {w for w in words(line) if not w.isdecimal()} <= _BESIDE:
        return about, cells if len(cells) > 1 else heading
    if line.lstrip().startswith("\\"):
        return about, heading
    return told and len(cells) == 1, [""]


def _figure(line: str, heading: Sequence[str]) -> float | None:
    """The one figure of a line: in the column that the heading names, else the one in per cent, else the only one."""
    cells = _cells(line)
    column = share_column(heading)
    if len(heading) == len(cells) > 2 and column is not None:
        return number(cells[column])
    percents = _PERCENT.findall(line)
    if percents:
        return number(percents[0]) if len(percents) == 1 else None
    numbers = list(_numbers(line))
    return numbers[0] if len(numbers) == 1 else None


def _numbers(line: str) -> Iterable[float]:
    """Numbers between blanks and marks; those of a time, a count or a comparison with 0 are none of them."""
    line = re.sub(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[:.,\d]{0,12}|(?:<=|≤)\s{0,2}0\b|\bcount\s{0,2}[:=]\s{0,2}\d{1,9}",
        " ",
        line,
        flags=re.I,
    )
    for part in re.split(r"[\s|&:=()]+", line):
        if (value := number(part.strip(",;*`$"))) is not None:
            yield value
