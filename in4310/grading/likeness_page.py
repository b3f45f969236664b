"""The page of hand-ins that are alike, for the teacher only."""

from __future__ import annotations

from collections.abc import Sequence

from in4310.grading.likeness import LEAST, LEAST_SHARE, Group
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page

GROUPS, PAIRS = 200, 60  # shown, and of each group; more are counted


def likeness_page(
    groups: Sequence[Group],
    hand_ins: int,
    left: Sequence[str],
    language: str = ENGLISH,
    common: Sequence[str] = (),
) -> str:
    """The page as HTML text; a pure function of what was found. Names and code of hand-ins are shown as text.

    common: sentences on what all hand-ins have, as of `common_to_all`.
    """
    return page(
        "likeness.html.j2",
        styles=["likeness.css"],
        scripts=None,
        language=language,
        groups=groups[:GROUPS],
        more=max(0, len(groups) - GROUPS),
        pairs_shown=PAIRS,
        common=common,
        hand_ins=hand_ins,
        left=left,
        least=LEAST_SHARE,
        rows=LEAST["rows"],
    )
