"""Two gradings side by side: whose mark changed, on which requirement, and through what; of two years, the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from in4310.grading.class_page import hurdles
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
MISTAKES = 10  # of the class, those whose share changed most


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


def other_class(old: Gradebook, new: Gradebook) -> bool:
    """Whether most students are in one of the gradings only: it is another year's class then."""
    before, after = ({m.who for m in book.marks()} for book in (old, new))
    return bool(before and after) and 2 * len(before & after) < min(len(before), len(after))


def classes(old: Gradebook, new: Gradebook) -> list[tuple[str, str, str]]:
    """Two classes side by side, as rows of texts: how many, their points, each requirement, the commonest mistakes."""
    before, after = _figures(old.marks()), _figures(new.marks())
    mistakes = sorted(
        before.mistakes.keys() | after.mistakes.keys(),
        key=lambda name: (-abs(_moved(before, after, name)), name),
    )
    requirements = dict.fromkeys((*after.requirements, *before.requirements))
    return [
        ("students", f"{before.students}", f"{after.students}"),
        ("with a verdict", f"{before.judged}", f"{after.judged}"),
        ("median of the points", before.middle, after.middle),
        *((name, before.asked(name), after.asked(name)) for name in requirements),
        *((name, before.made(name), after.made(name)) for name in mistakes[:MISTAKES]),
    ]


@dataclass(frozen=True)
class _Figures:
    """Of a class: texts by requirement, and how many made each mistake."""

    students: int
    judged: int
    middle: str
    requirements: dict[str, str]
    mistakes: Counter[str]

    def asked(self, requirement: str) -> str:
        return self.requirements.get(requirement, "not asked")

    def made(self, mistake: str) -> str:
        return f"{self.mistakes[mistake]} of {self.judged}"


def _moved(before: _Figures, after: _Figures, mistake: str) -> float:
    """By how much the share of those that made a mistake changed."""
    return after.mistakes[mistake] / max(1, after.judged) - before.mistakes[mistake] / max(1, before.judged)


def _figures(marks: Sequence[Mark]) -> _Figures:
    judged = [m for m in marks if m.results is not None]
    points = [m.points for m in judged if m.points is not None]
    most = max((m.max_points or 0.0 for m in judged), default=0.0)
    found = hurdles(judged)
    texts = {f"{h.id} {h.title}": f"{h.share:.0%} earned, {h.lost} of {len(judged)} lost some" for h in found}
    return _Figures(
        len({m.who for m in marks}),
        len(judged),
        f"{median(points):g} of {most:g}" if points else "none",
        dict(sorted(texts.items())),
        Counter(dict(mistake for h in found for mistake in h.mistakes)),
    )
