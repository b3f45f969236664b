"""A student's mark: what the judge found, and what a teacher has said on top of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from in4310.judging.verdict import Check, Requirement, Results


class Status(StrEnum):
    """Where a submission is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # could not be judged: no mark, and the reason


@dataclass(frozen=True)
class Override:
    """A teacher's word: points in place of the judge's, or a comment alone.

    requirement: the id of a requirement, the name of one of its checks, or '' for the whole; no name is both.
    """

    requirement: str
    points: float | None
    comment: str
    by: str
    at: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Mark:
    """One attempt of one student with its verdict; `overrides` in the order in which they were made."""

    who: str
    attempt: int = 1
    shown: str = ""
    identity: str = ""
    late: bool | None = None
    status: Status = Status.WAITING
    results: Results | None = None
    error: str = ""  # why it could not be judged
    overrides: tuple[Override, ...] = ()
    system: str = ""  # whose number `identity` is: Canvas, Moodle, ...

    def number_in(self, system: str) -> str:
        """The student's number in that system; '' where it is another one's, in which it would be someone else's."""
        return self.identity if self.system == system else ""

    def override(self, requirement: str) -> Override | None:
        """The last override that gives points for a requirement, for a check, or for the whole with ''."""
        given = [o for o in self.overrides if o.requirement == requirement and o.points is not None]
        return given[-1] if given else None

    def points_of(self, requirement: Requirement) -> float:
        """Points for a requirement: the teacher's where given, else those of its checks."""
        given = self.override(requirement.id)
        if given is not None and given.points is not None:
            return given.points
        return sum(map(self._points_of_check, requirement.checks))

    def _points_of_check(self, check: Check) -> float:
        given = self.override(check.name)
        return check.points if given is None or given.points is None else given.points

    def waiting(self, requirement: Requirement) -> list[Check]:
        """Checks with points left to the teacher, who has said nothing yet of them, the requirement or the whole."""
        if self.override("") or self.override(requirement.id):
            return []
        return [c for c in requirement.checks if c.open_points and not self.override(c.name)]

    def open_of(self, requirement: Requirement) -> float:
        """Points of a requirement that are still left to the teacher."""
        return sum(c.open_points for c in self.waiting(requirement))

    def words_on(self, requirement: Requirement) -> list[Override]:
        """What was said of a requirement or one of its checks, in its order."""
        names = {requirement.id, *(c.name for c in requirement.checks)}
        return [o for o in self.overrides if o.requirement in names]

    @property
    def standing(self) -> str:
        """Where it is on its way, as a page says it: what could not be read has not failed."""
        return "not judged" if self.status is Status.FAILED else str(self.status)

    @property
    def open_points(self) -> float:
        """Points that are still left to the teacher, in all."""
        return sum(map(self.open_of, self.results.requirements)) if self.results else 0.0

    @property
    def points(self) -> float | None:
        """Points in all; None as long as there is no mark."""
        whole = self.override("")
        if whole is not None:
            return whole.points
        return None if self.results is None else sum(map(self.points_of, self.results.requirements))

    @property
    def max_points(self) -> float | None:
        """Points to be had; None as long as there is no verdict."""
        return None if self.results is None else self.results.max_points
