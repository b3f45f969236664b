"""What stands in the way of full marks, and which fix gains most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from in4310.judging.verdict import Check, Diagnosis, Requirement, Results

JUDGE = "judge"  # 'missing' of a check at which the judge itself failed
LEAST = 1e-9
SCORES = "scores_reproduce"
# Checks that compare with the scores that were handed in: where these are wrong, what was made of the right ones fails.
MADE_OF_SCORES = frozenset(
    {
        "accuracy_threshold",
        "class_order",
        "loaders_follow_split",
        "metrics_accuracy",
        "metrics_accuracy_per_class",
        "metrics_average_precision",
        "metrics_map",
        "ranking_order",
    }
)


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
    found = [Gap(r, c, c.max_points - c.points) for r in results.requirements for c in r.checks]
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
        gaps=tuple(members),
        piece=first.missing,
        diagnosis=first.diagnoses[0] if first.diagnoses else None,
    )


def _follow(made: Sequence[Cause]) -> list[Cause]:
    """Wrong scores take along what is compared with them and shows no mistake of its own."""
    wrong = next(
        (c for c in made if any(g.check.name == SCORES and not g.check.missing for g in c.gaps)), None
    )
    if wrong is None:
        return list(made)
    taken = [c for c in made if c is not wrong and all(_may_follow(gap.check) for gap in c.gaps)]
    following = tuple(gap for cause in taken for gap in cause.gaps)
    return [replace(wrong, following=following)] + [c for c in made if c is not wrong and c not in taken]


def _may_follow(check: Check) -> bool:
    return check.name in MADE_OF_SCORES and not (check.missing or check.mistake or check.diagnoses)
