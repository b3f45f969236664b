"""The class on one page: who has no mark and why, marks, what fails most and through which mistake, accuracies."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from statistics import median

from in4310.grading.marks import Mark
from in4310.grading.queue import QUEUE, queue, report_of
from in4310.judging.verdict import Outcome, Requirement, Results
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page, slug
from in4310.submission.pieces import lacking

BINS = 11  # of the distribution, from 0 to full marks
MISTAKES = 3  # named for a requirement
SLOWEST = 5
MANY = 60  # accuracies side by side
FACT = "Test accuracy, recomputed"


@dataclass(frozen=True)
class Hurdle:
    """A requirement as the class met it."""

    id: str
    title: str
    lost: int  # students who lost points
    share: float  # of the points judged that were earned
    outcomes: dict[Outcome, int]
    mistakes: list[tuple[str, int]]


@dataclass(frozen=True)
class Accuracy:
    """A student's recomputed test accuracy with its interval, shares of 1."""

    who: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AccuracyPlot:
    """Accuracies as two SVG paths, however many there are, in a box of one unit a student and 100 high."""

    width: int
    many: bool  # more than can be told apart: the intervals are one band
    ticks: list[tuple[float, float]]  # accuracy -> height
    intervals: str
    dots: str
    middle: float  # median


@dataclass(frozen=True)
class Row:
    """A student's line in the table."""

    mark: Mark
    anchor: str  # id of the row: a link to it stays right when others come and go
    report: str  # the student's own page, '' where there is none
    groups: tuple[str, ...]  # what the filter knows: full, lost, open, none, late, by-hand
    accuracy: Accuracy | None
    cells: list[Requirement | None]  # in the order of the columns


def class_page(marks: Sequence[Mark], made_at: str, language: str = ENGLISH, left: Sequence[str] = ()) -> str:
    """The page as HTML text. A pure function of the marks, the time, the language, and what was left aside and why."""
    marks = sorted(marks, key=lambda m: _natural(m.who))
    judged = [m for m in marks if m.results is not None]
    points = sorted(m.points for m in marks if m.points is not None)
    most = max((m.max_points or 0.0 for m in judged), default=0.0)
    columns = _columns(judged)
    rows = [_row(m, [c.id for c in columns]) for m in marks]
    first = judged[0].results if judged else None
    return page(
        "class.html.j2",
        language=language,
        styles=["class.css"],
        scripts=["class.js"],
        rows=rows,
        students=len({m.who for m in marks}),
        left=left,
        queue=queue(marks),
        queue_file=QUEUE,
        without=without_mark(rows),
        groups=Counter(group for row in rows for group in row.groups),
        columns=columns,
        judged=judged,
        made_at=made_at,
        most=most,
        points=points,
        middle=median(points) if points else 0.0,
        decimals=_decimals(points),
        bins=distribution(points, most),
        hurdles=hurdles(judged),
        outcomes=list(Outcome),
        accuracies=accuracies(judged),
        plot=accuracy_plot(accuracies(judged)),
        slowest=sorted(judged, key=lambda m: -(m.results.seconds if m.results else 0))[:SLOWEST],
        title=first.edition_title if first else "Class",
        title_language=first.edition_language if first else ENGLISH,
    )


def without_mark(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Why there is no mark, and whose: the reason that most share first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.mark.points is None:
            found.setdefault(row.mark.error or f"{row.mark.status}", []).append(row)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def distribution(points: Sequence[float], most: float) -> list[int]:
    """How many marks fall into each of eleven bins of equal width; the last holds full marks."""
    counts = Counter(min(BINS - 1, int((BINS - 1) * max(0.0, p) / most)) if most else 0 for p in points)
    return [counts[i] for i in range(BINS)]


def hurdles(judged: Sequence[Mark]) -> list[Hurdle]:
    """Requirements, the one that most stumbled over first, with the mistakes that were named most often."""
    found = []
    for column in _columns(judged):
        pairs = [(m, r) for m in judged if m.results for r in m.results.requirements if r.id == column.id]
        points = [(m.points_of(r), r.max_points - m.open_of(r)) for m, r in pairs]
        lost, most = sum(earned < full - 1e-9 for earned, full in points), sum(full for _, full in points)
        share = sum(earned for earned, _ in points) / most if most else 1.0
        outcomes = {o: sum(r.outcome is o for _, r in pairs) for o in Outcome}
        named = Counter(name for _, r in pairs for name in _mistakes(r))
        mistakes = sorted(named.items(), key=lambda item: (-item[1], item[0]))[:MISTAKES]
        found.append(Hurdle(column.id, column.title, lost, share, outcomes, mistakes))
    return sorted(found, key=lambda h: (-h.lost, h.id))


def _columns(judged: Sequence[Mark]) -> list[Requirement]:
    """Every requirement that somebody was judged by, in the edition's order."""
    known = [r for mark in judged if mark.results for r in mark.results.requirements]
    first = {r.id: r for r in reversed(known)}
    return [first[id_] for id_ in dict.fromkeys(r.id for r in known)]


def _mistakes(requirement: Requirement) -> set[str]:
    """The known mistakes; where none is known, which check it was."""
    lost = [c for c in requirement.checks if c.lost]
    named = {d.mistake or " + ".join(d.names) for c in lost for d in c.diagnoses[:1]}
    missing = {lacking(c.missing) for c in lost if c.missing}
    return named or missing or {c.title for c in lost}


def accuracies(judged: Sequence[Mark]) -> list[Accuracy]:
    """Recomputed accuracies, the best first; those that could not be recomputed are left out."""
    found = [a for m in judged if m.results and (a := _accuracy(m.who, m.results))]
    return sorted(found, key=lambda a: (-a.value, a.who))


def _accuracy(who: str, results: Results) -> Accuracy | None:
    value, _, rest = results.facts.get(FACT, "").partition(" (95 %: ")
    low, _, high = rest.rstrip(")").partition(" to ")
    try:
        return Accuracy(who, float(value), float(low), float(high))
    except ValueError:
        return None


def accuracy_plot(found: Sequence[Accuracy]) -> AccuracyPlot:
    """The plot of accuracies in the order given, from the top at 1 to a round number below the lowest interval."""
    lowest = min((max(0.0, a.low) for a in found), default=0.0)
    step = 0.1 if lowest >= 0.5 else 0.2
    steps = round(1 / step) - floor(lowest / step + 1e-9)

    def height(share: float) -> float:
        return round(100 * (1 - share) / (steps * step), 1)

    places = [(i + 0.5, height(a.low), height(a.value), height(a.high)) for i, a in enumerate(found)]
    many = len(places) > MANY
    band = [f"{x:g} {high:g}" for x, _, _, high in places]
    band += [f"{x:g} {low:g}" for x, low, _, _ in reversed(places)]
    bars = [f"M{x:g} {low:g}V{high:g}" for x, low, _, high in places]
    return AccuracyPlot(
        many=many,
        width=max(1, len(found)),
        ticks=[(round(1 - step * i, 1), round(100 * i / steps, 2)) for i in range(steps + 1)],
        intervals=f"M{'L'.join(band)}Z" if many else "".join(bars),
        dots="".join(f"M{x:g} {value:g}h0" for x, _, value, _ in places),
        middle=median(a.value for a in found) if found else 0.0,
    )


def _row(mark: Mark, ids: Sequence[str]) -> Row:
    own = {r.id: r for r in mark.results.requirements} if mark.results else {}
    most = mark.max_points
    left = mark.open_points
    known = mark.points is not None and most is not None  # of a mark by hand alone nobody knows what was lost
    lost = known and (mark.points or 0.0) + left < (most or 0.0) - 1e-9
    groups = {
        "full": known and not lost and not left,
        "lost": lost,
        "open": left > 0,
        "none": mark.points is None,
        "late": bool(mark.late),
        "by-hand": any(o.points is not None for o in mark.overrides),
    }
    return Row(
        mark,
        _anchor(mark.who),
        report_of(mark.who) if mark.results else "",
        tuple(name for name, belongs in groups.items() if belongs),
        _accuracy(mark.who, mark.results) if mark.results else None,
        [own.get(id_) for id_ in ids],
    )


def _anchor(who: str) -> str:
    """An id that is the same in every run, and another for every name."""
    plain = slug(who)
    digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()
    return f"s-{plain}" if plain == who else f"s-{plain}-{digest[:8]}"


def _natural(who: str) -> list[str | int]:
    """Sorts s2 before s10: texts and numbers take turns."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", who.casefold()))]


def _decimals(points: Sequence[float]) -> int:
    """Decimals that show every mark, two at most: a column of numbers has one form."""
    return next((n for n in (0, 1) if all(abs(p - round(p, n)) < 1e-9 for p in points)), 2)
