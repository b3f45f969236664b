"""Which mistakes give the scores handed in: what the network was given (`inputs`), and what was done to its output.

Each alone, or one of each together; and on top of both, rows or classes that stand in other places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from in4310.errors import InputError
from in4310.judging.claimed import SCORES
from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.cases import FEW, MORE, Case
from in4310.judging.mistakes.outputs import Rows, apart
from in4310.judging.mistakes.search import REGISTRY, Claim, World, located, search, together
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

ALIKE = 0.6  # rank correlation with ours of what was put back
CLEARLY = 0.15  # how much more that must be than in its place
FEWEST, TRIED = 12, 4  # rows; ways to put them back
SAME = 0.9999  # cosine between two rows of logits of one image


def matches(evidence: Evidence, name: str = "test") -> list[Match]:
    """Known mistakes that give the scores of a set handed in; [] for right ones, and where none does."""

    def found() -> list[Match]:
        try:
            claimed = np.asarray(getattr(evidence.submission, SCORES[name]))
            if claimed.shape == (len(evidence.split[name]), len(evidence.stated_classes)):
                claimed = evidence.rows_handed_in(name)
            tolerance = evidence.edition.tolerances.score
            return diagnose(evidence, claimed, tolerance, Budget.of(evidence), name)
        except (Missing, InputError):
            return []

    kept: list[Match] = evidence.once(("scores_matches", name), found)
    return kept


def diagnose(
    evidence: Evidence, claimed: np.ndarray, tolerance: float, budget: Budget, name: str = "test"
) -> list[Match]:
    """Mistakes that give the scores handed in, float (N, C): one alone, else a source and an output together.

    Where they are clearly those of other rows or classes in their places, two more are searched with them put back.
    """
    if claimed.ndim != 2 or claimed.shape[1] != len(evidence.classes) or not np.isfinite(claimed).all():
        return []
    claimed = claimed.astype(np.float64)
    case = Case(evidence, claimed, *evidence.audited(name), name)
    if not len(case.at) or not np.isfinite(case.ours).all():
        return []
    whole = len(claimed) == len(case.paths)
    if whole and apart(claimed[case.at], case.ours) <= tolerance:
        return []
    displaced = _displaced(case) if whole else []
    if found := _searched(case, tolerance, budget, sources=not displaced):
        return found
    for back, there, order, how in displaced:
        if more := _searched(case.put_back(back, there), tolerance, budget, sources=back is displaced[0][0]):
            places = located([order], budget.source)
            return [
                replace(
                    m,
                    mistakes=(*m.mistakes, order),
                    detail=together(m.detail, how),
                    places=(*m.places, *places),
                )
                for m in more
            ]
    return _searched(case, tolerance, budget) if displaced else []


def _searched(case: Case, tolerance: float, budget: Budget, sources: bool = True) -> list[Match]:
    """Matches of one mistake, else of two, in the places where the rows and columns are."""
    claimed = case.claimed
    whole = len(claimed) == len(case.paths)
    without = apart(claimed[case.at], case.ours) if whole else np.inf
    if without <= tolerance:
        return []

    def worlds(source: Hypothesis | None) -> Iterator[World]:
        if source is None:
            yield World(Rows(case.at, case.ours, orders=case.orders))
            return
        for rows in source.figure(case):
            plain = case.plain(rows) if whole or source.expensive else None
            if plain is not None and apart(rows.scores, plain.scores) <= tolerance:
                continue  # e.g. another interpolation where no image is resized: it explains nothing
            surer = partial(_confirmed, source, case, rows) if source.expensive else None
            yield World(replace(rows, orders=case.orders), source, rows.detail, surer, plain=case.plain)

    claim = Claim(  # an output is undone on what was claimed, and says itself how far it is off
        (0,), lambda _, off: off, lambda _: tolerance, without, "rows",
        right=lambda claimed, rows: (apart(claimed[rows.at], rows.scores), ""),
        ask=lambda figure, rows, _: [figure(claimed, rows)],
        count=lambda rows: len(rows.at),
    )  # fmt: skip
    # What the network was given changes the scores of images that it is unsure of, before all others.
    elsewhere = not whole or apart(claimed[case.few], case.right(case.few)) > tolerance
    return search("scores", claim, worlds, budget, sources=sources and elsewhere)


def _displaced(case: Case) -> list[tuple[np.ndarray, np.ndarray, Hypothesis, str]]:
    """Scores put back into their places, where rows or columns clearly stand elsewhere; which are known, by which mistake, how.

    Whatever else was done to them: most of it keeps which image is likelier of a class than another. The clearest first,
    at most `TRIED`. Where rows are lost, what stands in their places is there twice.
    """
    taken = case.claimed[case.at]
    here, as_rows = _alike(taken, case.ours), _likeness(taken, case.ours)
    columns = linear_sum_assignment(-here)[1]  # ours -> claimed
    moved = ", ".join(f"column {i} is class {j}" for j, i in enumerate(columns) if i != j)
    likeness = float(here[np.arange(len(columns)), columns].mean())
    better = likeness - float(np.diag(here).mean())
    everywhere = np.ones(len(case.at), dtype=bool)
    found = [(better, likeness, case.claimed[:, columns], everywhere, "classes-permuted", moved)]
    elsewhere = [(*one, "rows-by-rule") for one in (*case.orders, *_by_largest(case))]
    _, copies, counts = np.unique(case.claimed, axis=0, return_inverse=True, return_counts=True)
    twice = counts[copies.reshape(-1)] > 1
    for places, how, mistake in (*elsewhere, *_by_direction(case)):
        there, lost = places[case.at] >= 0, places < 0
        likeness = _likeness(case.claimed[places[case.at][there]], case.ours[there])
        back = np.where(lost[:, None], case.claimed, case.claimed[places])
        again = mistake == "rows-by-rule" and lost.any() and twice[lost].all()
        found.append((1.0 if again else likeness - as_rows, likeness, back, there, mistake, how))
    clear = [one for one in found if one[0] >= CLEARLY and one[1] >= ALIKE]
    return [
        (back, there, REGISTRY[f"scores: output/{mistake}"], how)
        for _, _, back, there, mistake, how in sorted(clear, key=lambda one: -one[0])[:TRIED]
    ]


def _by_largest(case: Case) -> list[tuple[np.ndarray, str]]:
    """Of each row of the set its place where the rows are sorted by the largest number in them; known where all of ours are."""
    if len(case.at) < len(case.paths):
        return []
    places = np.empty(len(case.paths), dtype=int)
    falling = np.argsort(-case.right(np.arange(len(case.paths))).max(axis=1), kind="stable")
    places[falling] = np.arange(len(falling))
    return [
        (places, "sorted by their largest number"),
        (len(places) - 1 - places, "sorted by their largest number, ascending"),
    ]


def _by_direction(case: Case) -> list[tuple[np.ndarray, str, str]]:
    """Of each row of ours the one that has its logits but for a factor: what a temperature, or none, leaves of a row."""
    logits = [np.log(np.maximum(s, 1e-30)) if s.min() > 0 else s for s in (case.ours, case.claimed)]
    ours, claimed = (x - x.mean(axis=1, keepdims=True) for x in logits)
    ours, claimed = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (ours, claimed))
    alike = ours @ claimed.T
    where = alike.argmax(axis=1)
    alone = len(np.unique(where)) >= 0.9 * len(where)
    if not alone or (where != case.at).mean() < 0.5 or np.median(alike.max(axis=1)) < SAME:
        return []
    places = np.full(len(case.paths), -1)
    places[case.at] = where
    return [(places, f"row {case.at[0]} of the test set is row {where[0]}", "rows-shuffled")]


def _likeness(claimed: np.ndarray, ours: np.ndarray) -> float:
    """Of rows that stand beside each other, whichever class a column is of, or where each row was sorted."""
    either = [_alike(claimed, ours), _alike(np.sort(claimed, axis=1), np.sort(ours, axis=1))]
    return max(float(one[linear_sum_assignment(-one)].mean()) for one in either)


def _alike(claimed: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Rank correlation of each of our columns with each of the claimed ones, (C, C); 0 where a column is constant."""
    if len(ours) < FEWEST:
        return np.zeros((ours.shape[1], ours.shape[1]))
    ranks = [rankdata(values, axis=0) - (len(ours) + 1) / 2 for values in (ours, claimed)]
    ours_, claimed_ = (r / np.maximum(np.sqrt((r * r).sum(axis=0)), 1e-12) for r in ranks)
    return ours_.T @ claimed_


def _confirmed(source: Hypothesis, case: Case, first: Rows) -> Rows:
    """The same guess on more rows."""
    case.count = MORE
    try:
        more = next((rows for rows in source.figure(case) if rows.detail == first.detail), first)
        return replace(more, orders=case.orders)
    finally:
        case.count = FEW
