"""What a report in PDF states, read in the child: figures of evaluation and shares of non-positive values, with pages.

They are claims of the report, to be held beside the files. What is stated twice with other figures, of a set that is
not named, or in a sentence that hedges or compares is none: nobody can tell which network it is of.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from in4310.errors import of_the_machine
from in4310.submission.claims import Nested, as_metrics
from in4310.submission.module_claims import says_non_positive
from in4310.submission.printed_figures import alike, figures_in, slots_of
from in4310.submission.printed_shares import shares_in

if TYPE_CHECKING:
    from pypdf import PageObject

BYTES, PAGES, LETTERS = 64 * 2**20, 80, 400_000
# Bytes that set a page, and all pages that are read: a page of text has 50 kB, a drawing any number.
A_PAGE, IN_ALL = 2**19, 3 * 2**19
SET_GIVEN = "train"  # in place of a set that a text does not name: what it says of training is not compared
# 'test accuracy of 93.4 %', 'accuracy on the test set was 0.934', 'an mAP of 0.91 on the validation set'.
_SAID = (
    re.compile(
        r"\b(test|validation|val|valideringss?)[ -]?(?:set )?"
        r"(accuracy|mAP|mean average precision|nøyaktighet(?:en)?) (?:of|is|was|reached|er|var|på|=|:) "
        r"(\d{1,3}(?:[.,]\d{1,8})?+)(?![\w.,]\d)\s?(%?)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(accuracy|mAP|mean average precision|nøyaktighet(?:en)?) (?:on|over|for|på) (?:the )?"
        r"(test|validation|val|valideringss?)[ -]?\w{0,8} (?:of|is|was|reached|er|var|=|:) "
        r"(\d{1,3}(?:[.,]\d{1,8})?+)(?![\w.,]\d)\s?(%?)",
        re.IGNORECASE,
    ),
)
_SAID_AFTER = re.compile(
    r"\b(accuracy|mAP|mean average precision|nøyaktighet(?:en)?) (?:of|is|was|reached|er|var|på|=|:) "
    r"(\d{1,3}(?:[.,]\d{1,8})?+)(?![\w.,]\d)\s?(%?),? (?:on|over|for|på) (?:the )?"
    r"(test|validation|val|valideringss?)[ -]?\w{0,8}",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d]{2,30}")
REACH, PROSE = 600, 4  # letters of a sentence before a line; words of a line, fewer are a row
_SENTENCE = re.compile(r"(?<=[.!?])\s")
# Words of a sentence that may be about another network, a wish or a difference.
_HEDGES = re.compile(
    r"\b(?:baseline|random|chance|guess\w*|least|most|expect\w*|require\w*|epochs?|previous\w*|earlier|before|"
    r"improve\w*|increase\w*|decrease\w*|drop\w*|differ\w*|than|above|below|under|over|without|would|should|if|"
    r"ensemble|another|other|paper|reported by|up to|about|around|approximately|minst|enn|uten|hvis|omtrent|cirka)\b",
    re.IGNORECASE,
)
# The text of the assignment, which lies beside a report as often as not.
_TASK = re.compile(
    r"\byou (?:should|must|are to|will|need to|can)\b|\bdeadline\b|\bdevilry\b|\bdeliver\w*\b", re.IGNORECASE
)
TASK = 4  # such words make it one
Slot = tuple[str, ...]


@dataclass(frozen=True)
class Stated:
    """A figure of a report: `what` is (set, measure, perhaps class) or (module,); `page` counts from 1."""

    what: Slot
    value: float
    page: int


def stated_in(path: Path, classes: Sequence[str]) -> tuple[list[Stated], list[Stated]]:
    """(figures of evaluation, shares by module) of a PDF. Raises ValueError, one line, for what cannot be read."""
    pages = pages_of(path)
    text = "\n".join(pages)
    if len(_TASK.findall(text)) >= TASK:
        raise ValueError("reads as the text of an assignment: no figure of it is taken")
    told = says_non_positive(text)
    figures = [
        (at, slot, value) for at, page in enumerate(pages, 1) for slot, value in _figures(page, classes)
    ]
    shares = [
        (at, (module,), value)
        for at, page in enumerate(pages, 1)
        for module, value in shares_in(page, told).percent.items()
    ]
    return _once(figures), _once(shares)


def pages_of(path: Path) -> list[str]:
    """The text of each page, bounded in number and in all; '' of one that is drawn. Raises ValueError."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    if path.stat().st_size > BYTES:
        raise ValueError(f"is larger than {BYTES >> 20} MiB: its text is not read")
    try:
        reader = PdfReader(path)
        pages = [] if reader.is_encrypted else list(islice(reader.pages, PAGES))
    except Exception as error:  # a stranger's file makes its reader fail in any way
        if of_the_machine(error):
            raise
        raise ValueError(f"is no PDF whose text can be read ({type(error).__name__})") from None
    if reader.is_encrypted:
        raise ValueError("is locked by a password: its text is not read")
    found: list[str] = []
    room = IN_ALL
    for page in pages:
        size, text = _text_of(page, min(A_PAGE, room))
        room -= size
        found.append(text[: LETTERS - sum(map(len, found))])
    return found


def _text_of(page: PageObject, most: int) -> tuple[int, str]:
    """(bytes read, the text of a page); '' where more than `most` bytes set it, or it cannot be read."""
    try:
        contents = page.get_contents()
        size = len(contents.get_data()) if contents is not None else 0
        return (size, page.extract_text()) if size <= most else (0, "")
    except Exception as error:  # one page costs itself
        if of_the_machine(error):
            raise
        return 0, ""


def _figures(page: str, classes: Sequence[str]) -> Iterator[tuple[Slot, float]]:
    """Figures that lines and tables of a page name, then those of its sentences; each of a set that it names."""
    found, _ = figures_in("\n".join(_plain_lines(page)), SET_GIVEN, classes)
    yield from ((slot, value) for slot, value in slots_of(found) if slot[0] != SET_GIVEN)
    for sentence in _SENTENCE.split(" ".join(page.split())):
        if not _HEDGES.search(sentence[:1000]):
            for title, value in _said(sentence[:1000]):
                read: Nested = as_metrics({title: value}, SET_GIVEN, classes) or {}
                yield from ((slot, v) for slot, v in slots_of(read) if slot[0] != SET_GIVEN)


def _plain_lines(page: str) -> Iterator[str]:
    """The lines of a page that stand in no sentence that hedges; rows of a table are sentences of their own."""
    sentence = ""
    for line in page.splitlines():
        sentence = f"{sentence} {line}"[-REACH:]
        yield "" if _HEDGES.search(sentence) else line
        row = len(_WORD.findall(line)) < PROSE
        sentence = (
            "" if row or line.rstrip().endswith((".", "!", "?", ":")) else _SENTENCE.split(sentence)[-1]
        )


def _said(sentence: str) -> Iterator[tuple[str, str]]:
    for form in _SAID:
        for one, other, value, percent in form.findall(sentence):
            yield f"{one} {other}", value + percent
    for measure, value, percent, name in _SAID_AFTER.findall(sentence):
        yield f"{name} {measure}", value + percent


def _once(found: Sequence[tuple[int, Slot, float]]) -> list[Stated]:
    """What is stated with one figure, with the page where it stands first."""
    kept: dict[Slot, Stated] = {}
    several: set[Slot] = set()
    for page, slot, value in found:
        first = kept.setdefault(slot, Stated(slot, value, page))
        if not alike(first.value, value):
            several.add(slot)
    return [one for slot, one in kept.items() if slot not in several]
