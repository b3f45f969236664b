"""What the judge has left to a teacher, by requirement and check: one kind is marked for all students in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from in4310.grading.exports import cell, points_text, table
from in4310.grading.grade import STUDENTS
from in4310.grading.marks import Mark
from in4310.judging.verdict import Check, Requirement
from in4310.reporting.page import slug

QUEUE = "queue.csv"
# `points` and `comment` are the teacher's: points of the check in place of the judge's, from 0 to `most`.
COLUMNS = (
    "who",
    "name",
    "requirement",
    "check",
    "found",
    "earned",
    "left",
    "most",
    "points",
    "comment",
    "report",
)


@dataclass(frozen=True)
class Waiting:
    """A check of one student that waits for a teacher; `report` is its place in the student's page."""

    mark: Mark
    check: Check
    report: str


@dataclass(frozen=True)
class Kind:
    """A check with all who wait for it, those with the same finding side by side, the most first."""

    requirement: Requirement
    name: str
    title: str
    found: list[tuple[str, list[Waiting]]]

    @property
    def waiting(self) -> list[Waiting]:
        """All of them."""
        return [one for _, some in self.found for one in some]

    @property
    def points(self) -> float:
        """Points left, over all students."""
        return sum(one.check.open_points for one in self.waiting)


def queue(marks: Sequence[Mark]) -> list[Kind]:
    """The kinds in the edition's order; students in that of the marks."""
    found: dict[tuple[str, str], dict[str, list[Waiting]]] = {}
    first: dict[tuple[str, str], tuple[Requirement, Check]] = {}
    for mark in marks:
        for requirement in mark.results.requirements if mark.results else ():
            for check in mark.waiting(requirement):
                key = (requirement.id, check.name)
                first.setdefault(key, (requirement, check))
                found.setdefault(key, {}).setdefault(check.reason, []).append(
                    Waiting(mark, check, f"{report_of(mark.who)}#c-{slug(check.name)}")
                )
    order = [(r.id, c.name) for m in marks if m.results for r in m.results.requirements for c in r.checks]
    return [
        Kind(
            first[key][0],
            key[1],
            first[key][1].title,
            sorted(found[key].items(), key=lambda item: -len(item[1])),
        )
        for key in dict.fromkeys(order)
        if key in found
    ]


def report_of(who: str) -> str:
    """The address of a student's page, from the class page."""
    return f"{STUDENTS}/{quote(who, safe='', errors='replace')}/index.html"


def queue_csv(
    kinds: Sequence[Kind], filled: Mapping[tuple[str, str], tuple[float | None, str]], always: bool = False
) -> str:
    """The queue as a table to fill in and give to `in4310 mark --csv`; '' for an empty one, unless `always`.

    filled: (who, check) -> points and comment that stand there already.
    """
    rows = [list(COLUMNS)]
    for kind in kinds:
        for one in kind.waiting:
            points, comment = filled.get((one.mark.who, kind.name), (None, ""))
            check = one.check
            figures = [points_text(p) for p in (check.points, check.open_points, check.max_points, points)]
            texts = [one.mark.who, one.mark.shown, kind.requirement.id, kind.name, check.reason]
            rows.append([*map(cell, texts), *figures, cell(comment), cell(one.report)])
    return table(rows) if kinds or always else ""
