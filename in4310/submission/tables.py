"""Tables as students save them: any delimiter, decimal comma, BOM, index columns, with a header or without."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from in4310.submission.formats import finite

ROWS = 100_000
COLUMNS = 2_000
# Of no imaginary part: '(1.5e+00+0.0e+00j)', as numpy writes what torch.linalg.eigvals gives.
_COMPLEX = re.compile(r"\(?([^jJ()]{1,40}?)[+-]0(?:\.0*)?(?:[eE][+-]?\d{1,3})?j\)?")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_WORD = re.compile(r"[a-zæøå]+|\d+")


@dataclass(frozen=True)
class Table:
    """Rows of texts; `header` is empty when the first row is data like the others."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, *names: str) -> int | None:
        """Index of the first column whose key is one of `names` (see `key`), in the order of `names`."""
        keys = [key(title) for title in self.header]
        return next((keys.index(name) for name in names if name in keys), None)

    def records(self) -> list[dict[str, str]]:
        """Rows as {key of the column: text}; unnamed columns (pandas' index) are left out."""
        keys = [key(title) for title in self.header]
        return [{k: cell for k, cell in zip(keys, row, strict=False) if k} for row in self.rows]


def key(title: str) -> str:
    """A column's or entry's name in one spelling: 'Val Loss', 'valLoss' and 'val-loss' become 'val_loss'."""
    spaced = re.sub(r"(?<=[a-zæøå]{2})(?=[A-ZÆØÅ])", " ", title.strip())
    return "_".join(_WORD.findall(spaced.lower()))


def number(text: Any) -> float | None:
    """A finite number from '0.93', '0,93', '93 %', '1e-3' or a JSON number (a percent sign is dropped), or None."""
    if not isinstance(text, str):
        return finite(text)
    text = text.strip().removesuffix("%").strip()
    if text.endswith(("j", "j)")) and (whole := _COMPLEX.fullmatch(text)):
        text = whole[1]
    return finite(float(text.replace(",", "."))) if _NUMBER.fullmatch(text) else None


def plain(value: Any) -> Any:
    """The number that a value is, else the value as it was written."""
    return value if (found := number(value)) is None else found


def parse_table(text: str) -> Table:
    """A delimited text: comma, semicolon, tab or spaces; ValueError when its rows are of no common width."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ValueError("is empty")
    if len(lines) > ROWS:
        raise ValueError(f"has {len(lines)} lines, expected at most {ROWS}")
    delimiter = _delimiter(lines[:50])
    rows: list[tuple[str, ...]]
    if delimiter is None:
        rows = [(line.strip().strip('"'),) for line in lines]
    elif delimiter == " ":
        rows = [tuple(line.split()) for line in lines]
    else:
        try:
            parsed = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, skipinitialspace=True)
            rows = [tuple(cell.strip() for cell in row) for row in parsed]
        except csv.Error as error:
            raise ValueError(f"is not a table ({error})") from None
    if max(map(len, rows)) > COLUMNS:
        raise ValueError(f"has rows of more than {COLUMNS} cells")
    return Table(rows[0], tuple(rows[1:])) if _is_header(rows) else Table((), tuple(rows))


def _delimiter(lines: list[str]) -> str | None:
    """The delimiter that cuts most lines into the same number of cells, or None for one cell a line.

    A comma between digits is a decimal comma where semicolons or tabs cut the line already.
    """
    for delimiter in (";", "\t", ","):
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count)
        if usual and counts.count(usual) >= 0.8 * len(counts):
            return delimiter
    if all(len(line.split()) > 1 and all(number(c) is not None for c in line.split()) for line in lines):
        return " "
    return None


def _is_header(rows: list[tuple[str, ...]]) -> bool:
    """Whether the first row names the columns: it has no number where the others have, and is no path."""
    first = rows[0]
    if any("/" in cell or "\\" in cell for cell in first) or all(not cell for cell in first):
        return False
    if len(rows) == 1:
        return all(number(cell) is None for cell in first)
    # pandas writes column numbers as a header: 0,1,2,...
    if len(first) > 1 and [number(c) for c in first if c] == list(range(len([c for c in first if c]))):
        return True
    numeric = [i for i, cell in enumerate(rows[1]) if number(cell) is not None]
    if numeric:
        return all(i >= len(first) or number(first[i]) is None for i in numeric)
    names = {"path", "file", "filename", "file_name", "image", "img", "image_path", "label", "class", "set", "split",
             "name", "filepath", "paths", "files", "images", "train", "val", "test"}  # fmt: skip
    return any(key(cell) in names for cell in first)


def pairs_of(text: str) -> dict[str, str]:
    """Lines 'name: value', 'name = value' or two columns, as {name: value}; ValueError for anything else."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, mark, value = line.partition(":")
        if line.lstrip().startswith("|"):  # a row of a table in Markdown
            name, mark, value = line.strip(" |").partition("|")
            name, value = name.strip(" *`"), value.partition("|")[0].strip(" *`")
        elif not mark:
            name, mark, value = line.partition("=")
        if mark and name.strip() and number(value) is not None:
            found[name.strip().strip("\"'")] = value.strip()
    if found:
        return found
    table = parse_table(text)
    for row in table.rows:
        cells = [cell for cell in row if cell]
        if len(cells) >= 2 and number(cells[0]) is None and number(cells[1]) is not None:
            found[cells[0]] = cells[1]
    if not found:
        raise ValueError("has no lines 'name: number'")
    return found


def flatten(document: Any, names: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Leaves of nested JSON objects with the keys that lead to them; lists are leaves. Depth is bounded by 8."""
    if isinstance(document, dict) and len(names) < 8:
        for name, value in document.items():
            yield from flatten(value, (*names, str(name)))
    else:
        yield names, document
