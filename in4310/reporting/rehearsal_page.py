"""The page of a rehearsal: what the student's own programs did, line by line, what stopped them, what to mend."""

from __future__ import annotations

from in4310.rehearsal.facts import SETS
from in4310.rehearsal.rehearse import Rehearsal
from in4310.rehearsal.story import ending, place, seconds, timeline
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page

LINES = 400  # of a program's timeline; more are counted


def rehearsal_page(seen: Rehearsal, name: str, language: str = ENGLISH) -> str:
    """The page as HTML text; a pure function of what was seen. Texts of the hand-in are shown as text."""
    chapters = []
    for number, program in enumerate(seen.programs):
        lines = list(timeline(seen, number))
        whole = program.end == "ended" and not program.status
        chapters.append((program, lines[:LINES], max(0, len(lines) - LINES), ending(seen, number), whole))
    facts = seen.facts
    return page(
        "rehearsal.html.j2",
        styles=["rehearsal.css"],
        scripts=None,
        language=language,
        name=name,
        chapters=chapters,
        ended=sum(whole for *_, whole in chapters),
        mistakes=[(place(m.at), m) for m in seen.mistakes],
        sizes=[(s, len(facts.split[s])) for s in SETS if s in facts.split],
        loaders=[
            (place(x.at), x, facts.sets.get((x.program, x.number), "")) for x in facts.loaders if x.passes
        ],
        broken=seen.broken,
        failure=seen.failure,
        again=seen.facts.again,
        spent=seconds(seen),
    )
