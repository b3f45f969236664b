"""The page of hand-ins that are alike, for the teacher only."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from in4310.grading.likeness import LEAST_SHARE, ROWS, Pair
from in4310.reporting.html import SECURITY, hash_of, page_environment, part

PAIRS = 200  # with their code; more are counted


def likeness_page(pairs: Sequence[Pair], hand_ins: int, left: Sequence[str]) -> str:
    """The page as HTML text; a pure function of what was found. Names and code of hand-ins are shown as text."""
    style = part("report.css")
    return (
        page_environment()
        .get_template("likeness.html.j2")
        .render(
            pairs=pairs[:PAIRS],
            more=max(0, len(pairs) - PAIRS),
            hand_ins=hand_ins,
            left=left,
            least=LEAST_SHARE,
            rows=ROWS,
            style=Markup(style),
            security=SECURITY.format(style=hash_of(style), script="none"),
        )
    )
