"""What stands in the way of full marks, and which fix gains most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from in4310.judging.verdict import Check, Diagnosis, Requirement, Results

JUDGE = "judge"  # 'missing' of a check at which the judge itself failed
LEAST = 1e-9


class Gap(NamedTuple):
    """A check with points to gain."""

    requirement: Requirement
    check: Check
    points: float


@dataclass(frozen=True)
class Cause:
    """Gaps that one fix closes: they lack the same piece, or show the same mistake; or a single gap."""

    gaps: tuple[Gap, ...]
    piece: str = ""  # that all of them lack; 'judge' where the judge itself failed
    diagnosis: Diagnosis | None = None  # the mistake that all of them show
    following: tuple[Gap, ...] = ()  # that may close with it: no mistake of their own is known

    @property
    def first(self) -> Gap:
        """The gap with the most points, which speaks for the others."""
        return self.gaps[0]

    @property
    def points(self) -> float:
        """What fixing it gains, over all its checks; with those that may follow, at most."""
        return sum(gap.points for gap in (*self.gaps, *self.following))

    @property
    def blameless(self) -> bool:
        """Whether it is the judge's own failure: nothing for a student to fix."""
        return self.piece == JUDGE


def gaps(results: Results) -> list[Gap]:
    """Checks with points to gain, the most first, then in the edition's order."""
    found = [Gap(r, c, c.lost) for r in results.requirements for c in r.checks]
    return sorted((gap for gap in found if gap.points > LEAST), key=lambda gap: -gap.points)


def causes(found: Sequence[Gap]) -> list[Cause]:
    """The gaps by what fixes them, the most points first; what the judge itself failed at comes last.

    Two checks have a cause in common when a diagnosis of one names a mistake that a diagnosis of the other names, when
    they name the same mistake in words, or when they lack the same piece.
    """
    groups: list[tuple[set[tuple[str, str]], list[Gap]]] = []
    for gap in found:
        keys = _keys(gap.check)
        alike = [group for group in groups if keys & group[0]]
        gathered = [g for _, members in alike for g in members] + [gap]
        groups = [group for group in groups if group not in alike]
        groups.append((keys.union(*(shared for shared, _ in alike)), gathered))
    made = _follow([_cause(sorted(members, key=found.index)) for _, members in groups])
    return sorted(made, key=lambda c: (c.blameless, -round(c.points, 6), found.index(c.first)))


def _keys(check: Check) -> set[tuple[str, str]]:
    """What a check may have in common with another; a check always has itself."""
    if check.missing:
        return {("piece", check.missing)}
    named = {("mistake", name) for diagnosis in check.diagnoses for name in diagnosis.names}
    return named or ({("words", check.mistake)} if check.mistake else {("check", check.name)})


def _cause(members: Sequence[Gap]) -> Cause:
    first = members[0].check
    return Cause(
        gaps=tuple(members), piece=first.missing, diagnosis=first.diagnoses[0] if first.diagnoses else None
    )


def _follow(made: Sequence[Cause]) -> list[Cause]:
    """A wrong check takes along those that follow it and show no mistake of their own."""
    wrong = {g.check.name: c for c in made for g in c.gaps if not (g.check.missing or g.check.follows)}
    taken = {
        id(cause): leader
        for cause in made
        if len(leaders := {id(c): c for gap in cause.gaps if (c := _led(gap.check, wrong))}) == 1
        and all(_led(gap.check, wrong) for gap in cause.gaps)
        for leader in leaders.values()
        if leader is not cause
    }
    return [
        replace(cause, following=tuple(g for c in made if taken.get(id(c)) is cause for g in c.gaps))
        for cause in made
        if id(cause) not in taken
    ]


def _led(check: Check, wrong: dict[str, Cause]) -> Cause | None:
    """What a check follows, where that is wrong and no mistake of its own is known."""
    return None if check.missing or check.mistake or check.diagnoses else wrong.get(check.follows)
