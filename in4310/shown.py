"""Texts that others chose (file names, figures, comments, errors of their code), made fit to be seen anywhere."""

from __future__ import annotations

import unicodedata

LIMIT = 600  # letters of one text in a report; results.json has them all
# Controls and with them terminal escapes, formats (bidirectional overrides: CVE-2021-42574; zero width), surrogates,
# unassigned, private use, line and paragraph separators.
_HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
# Letters and marks that Unicode asks to draw as nothing (Default_Ignorable_Code_Point outside those categories).
_IGNORED = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0,
            *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}  # fmt: skip


def shown(text: object, limit: int = LIMIT, keep_end: bool = False) -> str:
    """One line of at most `limit` letters: what could not be seen, or could reorder or colour other text, is spelt out.

    U+202E becomes ⟨U+202E⟩; line breaks and tabs become spaces; letters of any language stay as they are. Of a text
    that is too long the start is kept, or the end (of a path it says more); where there is room it says how long it is.
    """
    text = str(text)
    near = text[-limit - 1 :] if keep_end else text[: limit + 1]
    plain = near.isascii() and near.isprintable()  # nearly all texts are: ten times as fast
    line = near if plain else "".join(_visible(ch) for ch in near)
    if len(line) <= limit:
        return line
    if keep_end:
        return "…" + line[len(line) - limit + 1 :]
    mark = f"… ({len(text)} letters in all)" if limit >= 80 and len(text) > limit else "…"
    return line[: limit - len(mark)] + mark


def _visible(ch: str) -> str:
    if ch in "\n\r\t":
        return " "
    hidden = unicodedata.category(ch) in _HIDDEN or ord(ch) in _IGNORED
    return f"⟨U+{ord(ch):04X}⟩" if hidden else ch
