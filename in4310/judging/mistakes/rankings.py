"""Mistakes that give wrong top and bottom images: each says what it would have sorted, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from in4310.judging.mistakes import places
from in4310.judging.mistakes.search import Budget, Match, best, hypothesis, known, located
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

SORT = "https://numpy.org/doc/stable/reference/generated/numpy.argsort.html"
TOPK = "https://pytorch.org/docs/stable/generated/torch.topk.html"
LOADER = "https://pytorch.org/docs/stable/data.html"


@dataclass(frozen=True)
class Sorted:
    """Images by `value`, the largest at the top: what a mistake would have sorted. `rows` of `k` each side."""

    paths: Sequence[str]
    value: np.ndarray
    top: slice
    bottom: slice
    detail: str = ""


@dataclass(frozen=True)
class Board:
    """Scores float64 (N, C) of the test set with its paths and labels; the class's column; how many a side."""

    scores: np.ndarray
    paths: tuple[str, ...]
    labels: np.ndarray
    column: int
    k: int
    evidence: Evidence

    def sorted(self, value: np.ndarray, rows: np.ndarray | None = None, detail: str = "") -> Sorted:
        """Top and bottom by a value, over some of the rows."""
        chosen = np.arange(len(self.paths)) if rows is None else rows
        paths = [self.paths[i] for i in chosen]
        return Sorted(paths, value[chosen], slice(0, self.k), slice(-self.k, None), detail)


@hypothesis("ranking", "largest-of-any", "ranked by the largest score of any class, not by this class's own",
            "sort the class's own column of the scores", SORT, places.named("max", "amax"))  # fmt: skip
def largest_of_any(b: Board) -> Iterator[Sorted]:
    """max over classes: of all images, of those classified as the class, of those of the class."""
    yield b.sorted(b.scores.max(axis=1))
    yield b.sorted(
        b.scores.max(axis=1),
        np.flatnonzero(b.scores.argmax(axis=1) == b.column),
        "of images classified as it",
    )
    yield b.sorted(b.scores.max(axis=1), np.flatnonzero(b.labels == b.column), "of images of the class")


@hypothesis("ranking", "exchanged", "top and bottom are exchanged", "the top has the highest scores", SORT,
            places.named("argsort", "sort", "topk", "sorted"))  # fmt: skip
def exchanged(b: Board) -> Iterator[Sorted]:
    """Ascending for descending."""
    yield b.sorted(-b.scores[:, b.column])


@hypothesis("ranking", "bottom-of-top", "the bottom is the bottom of the top: of the highest scores, not of the whole set",
            "take the lowest scores of the whole test set", TOPK, places.named("topk"))  # fmt: skip
def bottom_of_top(b: Board) -> Iterator[Sorted]:
    """The bottom cut from a list of the highest only."""
    order = b.sorted(b.scores[:, b.column])
    for length in (b.k, 2 * b.k, 50, 100):
        if b.k <= length < len(b.paths):
            yield Sorted(
                order.paths, order.value, order.top, slice(length - b.k, length), f"of the top {length}"
            )


@hypothesis(
    "ranking", "other-column", "sorted by the score of another class", "use the column of the class", SORT
)
def other_column(b: Board) -> Iterator[Sorted]:
    """Each other column."""
    for column, name in enumerate(b.evidence.classes):
        if column != b.column:
            yield b.sorted(b.scores[:, column], detail=name)


@hypothesis(
    "ranking",
    "classified-only",
    "only images classified as the class were ranked",
    "rank the whole test set",
    SORT,
)
def classified_only(b: Board) -> Iterator[Sorted]:
    """By the own column, over images whose largest score is the class's."""
    yield b.sorted(b.scores[:, b.column], np.flatnonzero(b.scores.argmax(axis=1) == b.column))


@hypothesis("ranking", "first-images", "the first and last images of the list were taken, nothing was sorted",
            "sort by the score", SORT)  # fmt: skip
def first_images(b: Board) -> Iterator[Sorted]:
    """The order of the split."""
    yield b.sorted(-np.arange(len(b.paths), dtype=float))


@hypothesis(
    "ranking", "one-batch", "only one batch was ranked", "collect the scores of all batches first", LOADER
)
def one_batch(b: Board) -> Iterator[Sorted]:
    """The first or the last batch."""
    for size in (16, 32, 64, 100, 128, 256):
        if 2 * b.k <= size < len(b.paths):
            yield b.sorted(b.scores[:, b.column], np.arange(size), f"the first {size}")
            rest = len(b.paths) % size or size
            if rest >= b.k:
                yield b.sorted(
                    b.scores[:, b.column], np.arange(len(b.paths) - rest, len(b.paths)), f"the last {rest}"
                )


@hypothesis("ranking", "other-set", "images of another set were ranked", "rank the test set", LOADER)
def other_set(b: Board) -> Iterator[Sorted]:
    """The validation set, where its scores were handed in."""
    if "scores_val" in b.evidence.submission.located:
        values = b.evidence.handed_in("val")[:, b.column]
        yield Sorted(b.evidence.split["val"], values, slice(0, b.k), slice(-b.k, None), "val")


def diagnose(
    evidence: Evidence,
    scores: np.ndarray,
    wrong: Mapping[str, Mapping[str, Sequence[str]]],
    same: float,
    budget: Budget,
) -> list[Match]:
    """Mistakes that give every wrong list: class -> side -> paths, in the order handed in. `same`: ties in the scores."""
    paths = evidence.split["test"]
    labels = np.array(
        [evidence.classes.index(c) if (c := evidence.data.labels.get(p)) else -1 for p in paths]
    )
    matches: list[Match] = []
    total = sum(len(p) for sides in wrong.values() for p in sides.values())
    if not total:
        return []
    with budget:
        for mistake in known("ranking"):
            details: list[str] = []
            fitting = True
            for name, sides in wrong.items():
                k = max(len(p) for p in sides.values())
                board = Board(scores, paths, labels, evidence.classes.index(name), k, evidence)
                try:
                    found = [g.detail for g in mistake.figure(board)
                             if not any(_misplaced(g, side, listed, same) for side, listed in sides.items())]  # fmt: skip
                except Missing:
                    found = []
                fitting = fitting and bool(found)
                details += [d for d in found[:1] if d]
            if fitting:
                where = located((mistake,), lambda: evidence.source)
                said = ", ".join(dict.fromkeys(details))
                without = _without(scores, evidence, wrong, same)
                matches.append(Match((mistake,), 0, without, total, "places", said, where))
    return best(matches)


def _without(
    scores: np.ndarray, evidence: Evidence, wrong: Mapping[str, Mapping[str, Sequence[str]]], same: float
) -> int:
    off = 0
    for name, sides in wrong.items():
        own = scores[:, evidence.classes.index(name)]
        k = max(len(p) for p in sides.values())
        right = Sorted(evidence.split["test"], own, slice(0, k), slice(-k, None))
        off += sum(_misplaced(right, side, listed, same) for side, listed in sides.items())
    return off


def _misplaced(guess: Sorted, side: str, listed: Sequence[str], same: float) -> int:
    """Places that hold another image than a mistake would put there; images of equal value may change places."""
    value_of = dict(zip(guess.paths, guess.value, strict=True))
    descending = np.sort(guess.value)[::-1]
    wanted = descending[guess.top] if side == "top" else descending[guess.bottom][::-1]
    if len(listed) != len(wanted):
        return len(listed)
    found = np.array([value_of.get(p, np.inf) for p in listed])
    forwards = int((~(np.abs(found - wanted) <= same)).sum())
    backwards = int((~(np.abs(found - wanted[::-1]) <= same)).sum())
    return min(forwards, backwards)
