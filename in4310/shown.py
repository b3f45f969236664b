"""Names and texts that a submission chose, made safe to show in a terminal, a log or a report."""

from __future__ import annotations

import unicodedata

LENGTH = 120
# Marks that change the direction or the look of what follows (Trojan Source, CVE-2021-42574), and line separators.
_FORMAT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(text: str, length: int = LENGTH) -> str:
    """The text with control characters, ANSI escapes, bidi marks and lone surrogates escaped, cut to `length`.

    Letters of any language stay as they are.
    """
    cut = text[: length + 1]
    safe = "".join(
        ch if unicodedata.category(ch) not in _FORMAT else ch.encode("unicode_escape").decode("ascii")
        for ch in cut
    )
    return safe if len(safe) <= length else safe[: length - 3] + "..."
