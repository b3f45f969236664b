"""A student's mark: what the judge found, and what a teacher has said on top of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from in4310.judging.verdict import Requirement, Results


class Status(StrEnum):
    """Where a submission is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # could not be judged: no mark, and the reason


@dataclass(frozen=True)
class Override:
    """A teacher's word on a requirement ('' is the whole): points in place of the judge's, or a comment alone."""

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

    def override(self, requirement: str) -> Override | None:
        """The last override that gives points for a requirement, or for the whole with ''."""
        given = [o for o in self.overrides if o.requirement == requirement and o.points is not None]
        return given[-1] if given else None

    def points_of(self, requirement: Requirement) -> float:
        """Points for a requirement: the teacher's where given, else the judge's."""
        given = self.override(requirement.id)
        return requirement.points if given is None or given.points is None else given.points

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
