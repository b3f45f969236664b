"""Texts that come from a submission, made fit to be read: nothing hidden, nothing endless."""

from __future__ import annotations

import unicodedata

LIMIT = 600  # letters of one text in a report; results.json has them all
# Controls, formats (bidirectional overrides, zero width), surrogates, unassigned, private use, line separators.
HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def shown(text: object, limit: int = LIMIT) -> str:
    """One line in which what could not be seen, or could reorder or colour other text, is spelt as ⟨U+XXXX⟩.

    Line breaks and tabs become spaces; a text of more than `limit` letters is cut, and says how long it is
    where there is room for that.
    """
    text = str(text)
    cut = text[:limit]
    line = "".join(_visible(ch) for ch in cut)
    if len(text) <= limit:
        return line
    return f"{line}… ({len(text)} letters in all)" if limit >= 80 else f"{line}…"


def _visible(ch: str) -> str:
    if ch in "\n\r\t":
        return " "
    return f"⟨U+{ord(ch):04X}⟩" if unicodedata.category(ch) in HIDDEN else ch
