"""Tables as students save them: any delimiter, decimal comma, BOM, index columns, with a header or without."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from in4310.submission.formats import finite

ROWS = 100_000
COLUMNS = 2_000
CELLS = 3_000_000  # of a table made of objects, whose titles may all differ
# Of no imaginary part: '(1.5e+00+0.0e+00j)', as numpy writes what torch.linalg.eigvals gives.
_COMPLEX = re.compile(r"\(?([^jJ()]{1,40}?)[+-]0(?:\.0*)?(?:[eE][+-]?\d{1,3})?j\)?")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
# Groups of three digits, where nothing else can be meant: with both marks, with hard spaces, or with spaces and a
# decimal comma. '1,234' is a decimal, '1.234.567' may be a version, '1 234' two numbers.
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3}){1,5},\d{1,18}|(?:,\d{3}){1,5}\.\d{1,18}|(?: \d{3}){1,5},\d{1,18}"
    r"|(?:[\u00a0\u2009\u202f]\d{3}){1,5}(?:[.,]\d{1,18})?)"
)
# One number as NumPy, PyTorch and others print it; within, as Python writes it: '[0,93]' are two. Possessive (`*+`).
WRAPPED = re.compile(
    r"(?<![\w.])(?:(?:np|numpy|torch|jnp)\.)?(?:(?:float|int|uint|bfloat)\d{1,3}|tensor|Tensor|[Aa]rray)\("
    r"\s*+\[{0,2}\s*+([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}|nan|inf)(?:[eE][+-]?\d{1,3})?)\s*+\]{0,2}\s*+"
    r"(?:,\s*+(?:device|dtype|requires_grad|grad_fn)\s*+=\s*+[^,()\[\]]{1,60}+){0,4}\)"
)
_LIST_OF_ONE = re.compile(r"\[{1,2}\s*+([+-]?[\d.]{1,40}(?:[eE][+-]?\d{1,3})?)\s*+\]{1,2}")
_SPREAD = re.compile(r"±|\+/?-")
_SEPARATOR = re.compile(r"\"?sep=([;,|\t])\"?", re.IGNORECASE)  # Excel's first line
_ARRAY = re.compile(
    r"(?:(?:(?:np|numpy|torch)\.)?(?:array|tensor)\(\s*+)?\[([^\[\]()]{1,4000})\]"
    r"(?:,\s*+(?:device|dtype)=[^,()\[\]]{1,60}+){0,2}\)?"
)
IMAGE = re.compile(r"\.(?:jpe?g|png|bmp|webp)\s*$", re.IGNORECASE)
_DIVERGED = ("nan", "inf", "infinity")
TITLES = 5  # lines above a heading
_LETTERS = 200  # of a text that is one number
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
    """A finite number from a text or a JSON number, or None; a per cent sign is dropped.

    '0.93', '0,93', '93 %', '1e-3', '1 234,5', '1.234,5', '1,234.5', '−0.5', 'np.float64(0.93)',
    "tensor(0.93, device='cuda:0')", '[0.93]'; of '0.93 ± 0.01' the value.
    """
    if not isinstance(text, str):
        return finite(text)
    text = text.strip().removesuffix("%").rstrip()
    if _NUMBER.fullmatch(text):
        return finite(float(text.replace(",", ".")))
    ends = text[-1:].isdecimal() or text[-1:] in (".", ")", "]", "j")
    return _number_in_dress(text) if ends and len(text) <= _LETTERS else None


def _number_in_dress(text: str) -> float | None:
    """As `number`, of what is no plain decimal number."""
    if text.endswith(("j", "j)")) and (whole := _COMPLEX.fullmatch(text)):
        text = whole[1]
    text = text.replace("−", "-")
    if whole := WRAPPED.fullmatch(text) or _LIST_OF_ONE.fullmatch(text):
        text = whole[1]
    elif _GROUPED.fullmatch(text):
        decimal = text[-1 - next(i for i, c in enumerate(reversed(text)) if not c.isdecimal())]
        whole_part, _, rest = text.rpartition(decimal) if decimal in ",." else (text, "", "0")
        return finite(float(f"{re.sub(r'[^0-9+-]', '', whole_part)}.{rest}"))
    elif len(parts := _SPREAD.split(text)) == 2 and all(parts):
        value, spread = (part.strip().removesuffix("%").rstrip() for part in parts)
        return number(value) if _NUMBER.fullmatch(spread) and spread[0] not in "+-" else None
    return finite(float(text.replace(",", "."))) if _NUMBER.fullmatch(text) else None


def numbers_in(text: Any) -> list[float] | None:
    """The numbers of an array that stands in one cell, as Python, NumPy or PyTorch print it; None for anything else."""
    found = _ARRAY.fullmatch(WRAPPED.sub(r"\1", text.strip())) if isinstance(text, str) else None
    values = [number(part) for part in found[1].replace(",", " ").split()] if found else []
    return [v for v in values if v is not None] if values and None not in values else None


def plain(value: Any) -> Any:
    """The number that a value is, else the value as it was written."""
    return value if (found := number(value)) is None else found


def parse_table(text: str) -> Table:
    """A delimited text: comma, semicolon, tab or spaces; ValueError when its rows are of no common width.

    Excel's 'sep=;', titles above the heading and pandas' unnamed column of row numbers are left out.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ValueError("is empty")
    if len(lines) > ROWS:
        raise ValueError(f"has {len(lines)} lines, expected at most {ROWS}")
    stated = _SEPARATOR.fullmatch(lines[0].rstrip(" "))
    lines = lines[1:] if stated and len(lines) > 1 else lines
    delimiter = stated[1] if stated else _delimiter(lines[:50])
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
    rows = rows[_titles(rows) :]
    if not _is_header(rows):
        return Table((), tuple(rows))
    unnamed = not rows[0][0] or re.match("Unnamed: ?[0-9]", rows[0][0])
    if unnamed and len(rows[0]) > 1 and all(row[0] == str(i) for i, row in enumerate(rows[1:])):
        rows = [row[1:] for row in rows]
    return Table(rows[0], tuple(rows[1:]))


def _titles(rows: Sequence[tuple[str, ...]]) -> int:
    """How many rows above the heading are words about the table: one cell of text, where others have several."""
    if Counter(map(len, rows)).most_common(1)[0][0] < 2:
        return 0
    for i, row in enumerate(rows[: TITLES + 1]):
        text = bool(row) and bool(row[0]) and not any(row[1:]) and number(row[0]) is None
        if not text or "/" in row[0] or "\\" in row[0]:
            return i if len(rows) > i + 1 else 0
    return 0


def _delimiter(lines: list[str]) -> str | None:
    """The delimiter that cuts most lines into the same number of cells, or None for one cell a line.

    A comma between digits is a decimal comma where semicolons or tabs cut the line already.
    """
    lines = ["".join(line.split('"')[::2]) for line in lines]  # a quoted cell may hold it
    for delimiter in (";", "\t", ","):
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count)
        if usual and counts.count(usual) >= 0.8 * len(counts):
            return delimiter
    for delimiter in (";", "\t", ","):  # below a title of some lines, where all that follows is alike
        counts = [line.count(delimiter) for line in lines]
        first = next((i for i, count in enumerate(counts) if count), len(counts))
        below = {*counts[first:]}
        cells = lines[-1].split(delimiter)
        if first <= TITLES and len(counts) > first + 1 and len(below) == 1 and any(map(_is_number, cells)):
            return delimiter
    cells_of = [line.split() for line in lines]
    numbers = all(len(cells) > 1 and all(map(_is_number, cells)) for cells in cells_of)
    alike = len({len(cells) for cells in cells_of}) == 1 < len(cells_of[0])
    first = alike and all(IMAGE.search(cells[0]) for cells in cells_of)  # of ImageNet's 'val/1.jpg 3', too
    last = alike and all(cells[0].isdigit() and IMAGE.search(cells[-1]) for cells in cells_of)
    if numbers or first or last:  # else the blank is one of the path
        return " "
    return None


def _is_header(rows: list[tuple[str, ...]]) -> bool:
    """Whether the first row names the columns: it has no number where the others have, and is no path."""
    first = rows[0]
    if any(_is_path(rows, i) for i in range(len(first))) or all(not cell for cell in first):
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
             "name", "filepath", "paths", "files", "images", "train", "val", "test", "sti", "fil", "filnavn", "bilde",
             "klasse", "sett", "mengde", "navn", "trening", "validering"}  # fmt: skip
    return any(key(cell) in names for cell in first)


def _is_path(rows: list[tuple[str, ...]], column: int) -> bool:
    """Whether the first cell of a column is a path, and no title with figures below, as loggers write 'val/loss'."""
    cell, below = rows[0][column], [row[column] for row in rows[1:] if column < len(row)]
    if "/" not in cell and "\\" not in cell:
        return False
    figures = any(_is_number(v) or v.lower().lstrip("+-") in _DIVERGED for v in below) and not any(
        "/" in other or "\\" in other for other in below
    )
    return not figures or bool(IMAGE.search(cell)) or key(cell) == "n_a"


def _is_number(text: str) -> bool:
    return number(text) is not None


def framed(document: Any) -> Table | None:
    """The table that pandas wrote as an object: to_json's orients split, table, columns, index, or lists by name.

    Without a text, an epoch or a loss in it, an object whose keys are numbers may as well be figures by class: None.
    """
    if not isinstance(document, Mapping) or not document:
        return None
    columns, data, values = document.get("columns"), document.get("data"), list(document.values())
    if isinstance(columns, list) and isinstance(data, list):
        rows = [dict(zip(map(str, columns), row, strict=False)) for row in data if isinstance(row, list)]
        return of_records(rows) if len(rows) == len(data) else None
    if document.keys() == {"schema", "data"}:
        return of_records(data)
    if all(isinstance(v, Mapping) and v for v in values):
        if list(document) == [str(i) for i in range(len(values))]:
            return _told(of_records(values))
        if all(IMAGE.search(str(name)) for name in document):  # a row an image
            return of_records([{"path": name, **row} for name, row in document.items()])
        index = list(values[0])
        if all(map(IMAGE.search, index)) and all(list(v) == index for v in values):
            return of_records([{"path": i, **{name: v[i] for name, v in document.items()}} for i in index])
        if index == [str(i) for i in range(len(index))] and all(list(v) == index for v in values):
            return _told(of_records([{name: v[i] for name, v in document.items()} for i in index]))
    if all(isinstance(v, list) and v for v in values) and len({len(v) for v in values}) == 1:
        texts = [v for v in values if all(isinstance(cell, str) for cell in v)]
        places = any(mark in cell for v in texts for cell in v for mark in "/\\.")
        if texts and len(texts) < len(values) and not places:
            rows = [dict(zip(document, cells, strict=True)) for cells in zip(*values, strict=True)]
            return of_records(rows)
    return None


def of_records(document: Any) -> Table | None:
    """The table of a list of flat objects, a row each; None for anything else."""
    if not isinstance(document, list) or not document or len(document) > ROWS:
        return None
    if not all(isinstance(r, Mapping) and all(map(_is_cell, r.values())) for r in document):
        return None
    titles = list(dict.fromkeys(str(t) for record in document for t in record))
    if not 0 < len(titles) <= COLUMNS or len(titles) * len(document) > CELLS:
        return None
    rows = ({str(t): v for t, v in record.items()} for record in document)
    return Table(tuple(titles), tuple(tuple(_cell(row.get(t)) for t in titles) for row in rows))


def _is_cell(value: Any) -> bool:
    """Whether a value of a JSON document is one of a table: a scalar, or an array of numbers."""
    if isinstance(value, list):
        return all(isinstance(v, int | float) for v in value)
    return not isinstance(value, Mapping)


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _told(table: Table | None) -> Table | None:
    """A table that holds a text, an epoch or a loss; else None."""
    if table and (
        any(re.search("loss|tap|epo[ck]", title.lower()) for title in table.header)
        or any(cell and not _is_number(cell) and not numbers_in(cell) for row in table.rows for cell in row)
    ):
        return table
    return None


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
