"""What a terminal shows of a printed text: progress is written over itself, by carriage returns and backspaces."""

from __future__ import annotations

import re

from in4310.submission.claims import measure
from in4310.submission.logs import EPOCH, plain_line

LETTERS = 1000  # of a state that are looked at
_BACK = re.compile(r"\x08{2,200000}+")  # Keras goes back to the start of its bar by these, too


def shown_of(text: str) -> str:
    """The text with the last state alone of each line that was written over itself.

    Lines of epochs may be written over each other: of these the last state of each epoch is kept.
    """
    lines = _BACK.sub("\r", text).replace("\r\n", "\n").split("\n")
    if len(lines) < 2:  # carriage returns end its lines
        return text
    return "\n".join("\n".join(_states(line)) if "\r" in line else line for line in lines)


def _states(line: str) -> list[str]:
    """The last state of a line, below the last of each epoch that the later ones do not name."""
    *over, last = [s for s in line.split("\r") if plain_line(s[:LETTERS]).strip()] or [""]
    kept, latest = [last], _epoch(last)
    measured = latest is None and measure(plain_line(last[:LETTERS])) is not None
    for state in reversed(over):
        if (epoch := _epoch(state)) not in (None, latest):
            # Below it stand the figures that took the place of its own.
            kept.append(f"Epoch {epoch}" if measured and latest is None else state)
            latest = epoch
    return kept[::-1]


def _epoch(state: str) -> str | None:
    found = EPOCH.search(plain_line(state[:LETTERS]))
    return found and (found[1] or found[2] or found[3])
