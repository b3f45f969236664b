"""Mistakes that give wrong top and bottom images: each says what it would have sorted, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from in4310.judging.mistake import Match
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, LUCK, Budget, Claim, World, hypotheses, search
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
    """Scores float64 (N, C) of images with their paths and labels; the class to rank by, and how many a side.

    `others`: paths and scores of other sets, by name.
    """

    scores: np.ndarray
    paths: Sequence[str]
    labels: np.ndarray
    classes: Sequence[str]
    name: str
    k: int
    others: Mapping[str, tuple[Sequence[str], np.ndarray]] = field(default_factory=dict)

    @property
    def column(self) -> int:
        """Of the class."""
        return self.classes.index(self.name)

    @property
    def own(self) -> np.ndarray:
        """The class's own scores (N,)."""
        return self.scores[:, self.column]

    @property
    def classified(self) -> np.ndarray:
        """Rows of the images whose largest score is the class's."""
        return np.flatnonzero(self.scores.argmax(axis=1) == self.column)

    def sorted(self, value: np.ndarray, rows: np.ndarray | None = None, detail: str = "") -> Sorted:
        """Top and bottom by a value, over some of the rows."""
        chosen = np.arange(len(self.paths)) if rows is None else rows
        paths = [self.paths[int(i)] for i in chosen]
        return Sorted(paths, value[chosen], slice(0, self.k), slice(-self.k, None), detail)


def _largest_of_any(b: Board) -> Iterator[Sorted]:
    """max over classes: of all images, of those classified as the class, of those of the class."""
    largest = b.scores.max(axis=1)
    yield b.sorted(largest)
    yield b.sorted(largest, b.classified, "of images classified as it")
    yield b.sorted(largest, np.flatnonzero(b.labels == b.column), "of images of the class")


def _bottom_of_top(b: Board) -> Iterator[Sorted]:
    """The bottom cut from a list of the highest only."""
    order = b.sorted(b.own)
    for length in (b.k, 2 * b.k, 50, 100):
        if b.k <= length < len(b.paths):
            yield replace(order, bottom=slice(length - b.k, length), detail=f"of the top {length}")


def _one_batch(b: Board) -> Iterator[Sorted]:
    """The first or the last batch."""
    for size in BATCHES:
        if 2 * b.k <= size < len(b.paths):
            yield b.sorted(b.own, np.arange(size), f"the first {size}")
            rest = len(b.paths) % size or size
            if rest >= b.k:
                yield b.sorted(b.own, np.arange(len(b.paths) - rest, len(b.paths)), f"the last {rest}")


# fmt: off
hypotheses(
    "ranking",
    (_largest_of_any, "largest-of-any", "ranked by the largest score of any class, not by this class's own",
     "sort the class's own column of the scores", SORT, named("max", "amax")),
    (lambda b: [b.sorted(-b.own)], "exchanged", "top and bottom are exchanged", "the top has the highest scores", SORT,
     named("argsort", "sort", "topk", "sorted")),
    (_bottom_of_top, "bottom-of-top", "the bottom is the bottom of the top: of the highest scores, not of the whole set",
     "take the lowest scores of the whole test set", TOPK, named("topk")),
    (lambda b: (b.sorted(b.scores[:, i], detail=name) for i, name in enumerate(b.classes) if i != b.column),
     "other-column", "sorted by the score of another class", "use the column of the class", SORT),
    (lambda b: [b.sorted(b.own, b.classified)],
     "classified-only", "only images classified as the class were ranked", "rank the whole test set", SORT),
    (lambda b: [b.sorted(-np.arange(len(b.paths), dtype=float))],  # in the order of the split
     "first-images", "the first and last images of the list were taken, nothing was sorted", "sort by the score", SORT),
    (_one_batch, "one-batch", "only one batch was ranked", "collect the scores of all batches first", LOADER),
    (lambda b: (replace(b, scores=scores, paths=paths).sorted(scores[:, b.column], detail=name)
                for name, (paths, scores) in b.others.items()),
     "other-set", "images of {} were ranked", "rank the test set", LOADER),
)
# fmt: on


def boards(
    evidence: Evidence, scores: np.ndarray, wrong: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[str, Board]:
    """Class -> what its images were ranked by: the scores of a submission's test set."""
    paths, others = evidence.known("test"), dict[str, tuple[Sequence[str], np.ndarray]]()
    labels = np.array(
        [evidence.classes.index(c) if (c := evidence.data.labels.get(p)) else -1 for p in paths]
    )
    if "scores_val" in evidence.submission.located:
        with suppress(Missing):
            others["val"] = (evidence.known("val"), evidence.handed_in("val"))
    longest = {c: max(map(len, sides.values())) for c, sides in wrong.items()}
    return {c: Board(scores, paths, labels, evidence.classes, c, k, others) for c, k in longest.items()}


def diagnose(
    boards: Mapping[str, Board], wrong: Mapping[str, Mapping[str, Sequence[str]]], same: float, budget: Budget
) -> list[Match]:
    """Mistakes that give every wrong list: class -> side -> paths, in the order handed in. `same`: ties in the scores."""
    total = sum(len(paths) for sides in wrong.values() for paths in sides.values())
    if not total:
        return []

    def misplaced(name: str, guess: Sorted) -> int:
        return sum(_misplaced(guess, side, listed, same) for side, listed in wrong[name].items())

    def apart(name: str, guess: Sorted) -> float:
        luck = np.prod([_luck(guess, side, same, len(boards[name].paths)) for side in wrong[name]])
        return misplaced(name, guess) if luck < LUCK else np.inf

    without = sum(misplaced(name, board.sorted(board.own)) for name, board in boards.items())
    claim = Claim(
        tuple(wrong), apart, lambda name: 0, without, "places", lambda board: [board.sorted(board.own)],
        lambda figure, given, name: ((guess, guess.detail) for guess in figure(given[name])),
        lambda _: total, mixed=True,
    )  # fmt: skip
    return search("ranking", claim, lambda source: [World(boards)], budget)


def _wanted(guess: Sorted, side: str) -> np.ndarray:
    """Values of the images that stand there, from the outside in."""
    descending = np.sort(guess.value)[::-1]
    return descending[guess.top] if side == "top" else descending[guess.bottom][::-1]


def _luck(guess: Sorted, side: str, same: float, images: int) -> float:
    """How likely images drawn at random are as good: where most scores are 0 or 1, nearly any may stand there."""
    wanted = _wanted(guess, side)
    if not len(wanted):
        return 1.0
    tied = (guess.value >= wanted.min() - same) & (guess.value <= wanted.max() + same)
    return float(tied.sum() / images) ** len(wanted)


def _misplaced(guess: Sorted, side: str, listed: Sequence[str], same: float) -> int:
    """Places that hold another image than a mistake would put there; images of equal value may change places."""
    value_of = dict(zip(guess.paths, guess.value, strict=True))
    wanted = _wanted(guess, side)
    if len(listed) != len(wanted):
        return len(listed)
    found = np.array([value_of.get(p, np.inf) for p in listed])
    forwards = int((~(np.abs(found - wanted) <= same)).sum())
    backwards = int((~(np.abs(found - wanted[::-1]) <= same)).sum())
    return min(forwards, backwards)
