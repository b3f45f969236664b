"""Two gradings side by side: whose mark changed, on which requirement, and through what."""

from __future__ import annotations

from dataclasses import dataclass

from in4310.grading.gradebook import Gradebook, Verdict
from in4310.grading.marks import Mark
from in4310.judging.verdict import Results

# What a verdict was made from, and how a change of it is told.
CAUSES = {
    "submission": "another submission",
    "edition_digest": "another edition",
    "data_digest": "another data set",
    "version in4310": "another version of in4310",
    "full": "all scores recomputed, or a sample of them",
}


@dataclass(frozen=True)
class Change:
    """A student whose mark differs, or what of it is left to the teacher.

    None for points: no mark there. `why`: causes that the log shows.
    """

    who: str
    old: float | None
    new: float | None
    requirements: tuple[tuple[str, float, float], ...]
    why: tuple[str, ...]
    old_open: float = 0.0  # points left to the teacher
    new_open: float = 0.0


def compare(old: Gradebook, new: Gradebook) -> list[Change]:
    """Students whose points differ, sorted; overrides count, as they do in the marks."""
    before, after = ({m.who: m for m in book.marks()} for book in (old, new))
    found = []
    for who in sorted(before.keys() | after.keys()):
        if who not in before or who not in after:
            why = [f"not in the {'new' if who in before else 'old'} grading"]
        else:
            why = _causes(old.newest(who), new.newest(who)) + _more_causes(before[who], after[who])
        # Who is in one of them only has no points in the other, as who was not judged.
        a, b = (marks.get(who, Mark(who)) for marks in (before, after))
        if (a.points, a.open_points) != (b.points, b.open_points):
            moved = moved_requirements(a.results, b.results)
            causes = tuple(why or ["nothing that the log shows"])
            found.append(Change(who, a.points, b.points, moved, causes, a.open_points, b.open_points))
    return found


def moved_requirements(old: Results | None, new: Results | None) -> tuple[tuple[str, float, float], ...]:
    """(requirement, points before, points after) where the judge's points differ."""
    before = {r.id: r.points for r in old.requirements} if old else {}
    after = {r.id: r.points for r in new.requirements} if new else {}
    return tuple(
        (id_, before.get(id_, 0.0), after.get(id_, 0.0))
        for id_ in sorted(before.keys() | after.keys())
        if before.get(id_, 0.0) != after.get(id_, 0.0)
    )


def _causes(old: Verdict | None, new: Verdict | None) -> list[str]:
    if old is None or new is None:
        return ["judged in one of them only"]
    return [said for name, said in CAUSES.items() if old.record.get(name) != new.record.get(name)]


def _more_causes(old: Mark, new: Mark) -> list[str]:
    why = []
    if old.results and new.results and old.results.isolation != new.results.isolation:
        why.append("code of the submission could be confined in one of them only")
    return why + (["a teacher's word"] if old.overrides != new.overrides else [])
