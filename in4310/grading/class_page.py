"""The class on one page: marks, what fails most and through which mistake, accuracy, slowest, and who has no mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from in4310.grading.grade import STUDENTS
from in4310.grading.marks import Mark, Status
from in4310.judging.verdict import Outcome, Requirement
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page

BINS = 11  # of the distribution, from 0 to full marks
MISTAKES = 3  # named for a requirement
SLOWEST = 5


@dataclass(frozen=True)
class Hurdle:
    """A requirement as the class met it."""

    id: str
    title: str
    lost: int  # students who did not get all points
    share: float  # of the points to be had that were earned
    outcomes: dict[str, int]
    mistakes: list[tuple[str, int]]


@dataclass(frozen=True)
class Accuracy:
    """A student's recomputed test accuracy with its interval, shares of 1."""

    who: str
    value: float
    low: float
    high: float


def class_page(marks: Sequence[Mark], made_at: str, language: str = ENGLISH) -> str:
    """The page as HTML text. A pure function of the marks, the time and the language."""
    judged = [m for m in marks if m.results is not None]
    most = max((m.max_points or 0.0 for m in judged), default=0.0)
    first = judged[0].results if judged else None
    return page(
        "class.html.j2",
        language=language,
        styles=["class.css"],
        scripts=["class.js"],
        marks=marks,
        judged=judged,
        made_at=made_at,
        most=most,
        bins=distribution([m.points or 0.0 for m in judged], most),
        hurdles=hurdles(judged),
        accuracies=accuracies(judged),
        slowest=sorted(judged, key=lambda m: -(m.results.seconds if m.results else 0))[:SLOWEST],
        without=[m for m in marks if m.status is not Status.DONE],
        title=first.edition_title if first else "Class",
        title_language=first.edition_language if first else ENGLISH,
        folder=STUDENTS,
    )


def distribution(points: Sequence[float], most: float) -> list[int]:
    """How many marks fall into each of eleven bins of equal width; the last holds full marks."""
    counts = Counter(min(BINS - 1, int((BINS - 1) * max(0.0, p) / most)) if most else 0 for p in points)
    return [counts[i] for i in range(BINS)]


def hurdles(judged: Sequence[Mark]) -> list[Hurdle]:
    """Requirements, the one that most stumbled over first, with the mistakes that were named most often."""
    found = []
    for id_ in dict.fromkeys(r.id for m in judged if m.results for r in m.results.requirements):
        pairs = [(m, r) for m in judged if m.results for r in m.results.requirements if r.id == id_]
        earned = sum(m.points_of(r) for m, r in pairs)
        to_earn = sum(r.max_points for _, r in pairs)
        named = Counter(name for _, r in pairs for name in _mistakes(r))
        found.append(
            Hurdle(
                id_,
                pairs[0][1].title,
                sum(m.points_of(r) < r.max_points for m, r in pairs),
                earned / to_earn if to_earn else 1.0,
                {o: sum(r.outcome is o for _, r in pairs) for o in Outcome},
                sorted(named.items(), key=lambda item: (-item[1], item[0]))[:MISTAKES],
            )
        )
    return sorted(found, key=lambda h: (-h.lost, h.id))


def _mistakes(requirement: Requirement) -> set[str]:
    """Names of the known mistakes; where none is known, which check it was."""
    lost = [c for c in requirement.checks if c.points < c.max_points]
    named = {" + ".join(d.names) for c in lost for d in c.diagnoses[:1]}
    missing = {f"{c.missing} is missing" for c in lost if c.missing}
    return named or missing or {c.title for c in lost}


def accuracies(judged: Sequence[Mark]) -> list[Accuracy]:
    """Recomputed accuracies, the best first; those that could not be recomputed are left out."""
    found = []
    for mark in judged:
        text = mark.results.facts.get("Test accuracy, recomputed", "") if mark.results else ""
        value, _, rest = text.partition(" (95 %: ")
        low, _, high = rest.rstrip(")").partition(" to ")
        try:
            found.append(Accuracy(mark.who, float(value), float(low), float(high)))
        except ValueError:
            continue
    return sorted(found, key=lambda a: (-a.value, a.who))
