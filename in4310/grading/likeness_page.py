"""The page of hand-ins that are alike, for the teacher only."""

from __future__ import annotations

from collections.abc import Sequence

from in4310.grading.likeness import LEAST_SHARE, ROWS, Pair
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page

PAIRS = 200  # with their code; more are counted


def likeness_page(pairs: Sequence[Pair], hand_ins: int, left: Sequence[str], language: str = ENGLISH) -> str:
    """The page as HTML text; a pure function of what was found. Names and code of hand-ins are shown as text."""
    return page(
        "likeness.html.j2",
        styles=["likeness.css"],
        scripts=None,
        language=language,
        pairs=pairs[:PAIRS],
        more=max(0, len(pairs) - PAIRS),
        hand_ins=hand_ins,
        left=left,
        least=LEAST_SHARE,
        rows=ROWS,
    )
