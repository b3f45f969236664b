"""Tables set out in a text, by LaTeX or by spaces alone: their lines come with bars between the cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from in4310.submission.claims import measure, set_of
from in4310.submission.tables import number

COLUMNS, NAME, LETTERS = 8, 5, 600  # figures of a row, words of its name, letters of a line
_PERCENT = re.compile(r"(?<=\d) ?%")
_GAP = re.compile(r"\s{2,}")
_SPAN = re.compile(r"\\multicolumn\s?\{(\d)\}\s?\{[^{}]{0,20}\}\s?\{([^{}]{0,80})\}")
_CAPTION = re.compile(r"\\caption\s?(?:\[[^\[\]\n]{0,200}\])?\s?\{")
_TABLE = re.compile(r"(?=\\begin\{table)")
_SENTENCE = re.compile(r"(?<=\.)\s")


def captions_first(text: str) -> str:
    """A LaTeX source in which the caption of a table, a sentence a line, stands above it."""
    if "\\caption" not in text:
        return text
    return "".join(_with_caption_first(part) for part in _TABLE.split(text))


def _with_caption_first(part: str) -> str:
    found = _CAPTION.search(part) if part.startswith("\\begin{table") else None
    if found is None:
        return part
    said = " ".join(part[found.end() : found.end() + LETTERS].split("\n\n")[0].split())
    said = said[: _closing(said)]
    return "\n".join(["", *_SENTENCE.split(said), part])


def _closing(text: str) -> int:
    """Where the brace ends that was opened before a text."""
    depth = 1
    for at, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if not depth:
            return at
    return len(text)


def spanned(line: str) -> str:
    """A line of LaTeX in which a cell over several columns stands in each of them."""
    return _SPAN.sub(lambda m: " & ".join([m[2]] * max(1, int(m[1]))), line)


def ruled(lines: Sequence[str]) -> Iterator[str]:
    """The lines; a heading of a measure or a set, and rows of a name and as many figures below it, with bars."""
    width = 0  # of the table that is open
    for at, line in enumerate(lines):
        row = _row(line)
        if row is not None and len(row) == width + 1:
            yield _barred(row)
            continue
        below = next((r for text in lines[at + 1 : at + 3] if (r := _row(text))), None)
        titles = _titles(line, len(below) - 1) if below and row is None else []
        if titles or not (width and below and len(below) == width + 1 and not any(map(str.isalnum, line))):
            width = len(titles) - 1 if titles else 0
            yield _barred(titles) if titles else line


def _barred(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(line: str) -> list[str] | None:
    """A name and its figures; pandas' number of the row is left out."""
    if "|" in line or "&" in line:
        return None
    cells = _PERCENT.sub("%", line[:LETTERS]).split()
    if len(cells) > 2 and cells[0].isdecimal() and number(cells[1]) is None:
        del cells[0]
    values = next((i for i, cell in enumerate(cells) if number(cell) is not None), 0)
    if not 0 < values <= NAME or len(cells) - values > COLUMNS or None in map(number, cells[values:]):
        return None
    return [" ".join(cells[:values]), *cells[values:]]


def _titles(line: str, width: int) -> list[str]:
    """The titles of a name and `width` columns that a line may be; [] where it is none."""
    words = line[:LETTERS].split()
    if not (measure(line) or set_of(line)) or any(number(word) is not None for word in words):
        return []
    for cells in (_GAP.split(line[:LETTERS].strip()), words if width > 1 else [], _grouped(words)):
        if len(cells) == width + 1 or (len(cells) == width > 1):
            return [""] * (width + 1 - len(cells)) + cells
    return []


def _grouped(words: Sequence[str]) -> list[str]:
    """Words of a heading by column: 'Class Val acc Val AP' has two, each with one measure; before them ''."""
    measured = [i for i, word in enumerate(words) if measure(word)]
    sets = [i for i, word in enumerate(words) if set_of(word)]
    behind = bool(measured and sets) and sets[0] > measured[0]  # 'accuracy val', 'accuracy (val)'
    if behind:
        starts = measured
    else:
        starts = [0, *(i + 1 for i in measured[:-1])]
        starts = [next((j for j in range(i, len(words)) if words[j][:1] not in "(["), i) for i in starts]
    if len(measured) < 2:
        return []
    return ["", *(" ".join(words[a:b]) for a, b in zip(starts, [*starts[1:], len(words)], strict=True))]
