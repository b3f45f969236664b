"""Mistakes that give wrong top and bottom images: each says what it would have sorted, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from in4310.judging.mistake import Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, LUCK, Claim, again, hypotheses, search, worlds_of
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

    `others`: paths and scores of other sets, by name. `then`: a second mistake, made of what was sorted.
    """

    scores: np.ndarray
    paths: Sequence[str]
    labels: np.ndarray
    classes: Sequence[str]
    name: str
    k: int
    others: Mapping[str, tuple[Sequence[str], np.ndarray]] = field(default_factory=dict)
    then: Callable[[Sorted], Sorted] = lambda order: order

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


def _other_values(b: Board) -> Iterator[Sorted]:
    """What else of an image's scores may be sorted by."""
    logs = np.log(np.maximum(b.scores, 1e-30))
    rest = np.delete(b.scores, b.column, axis=1)
    highest, second = np.sort(b.scores, axis=1)[:, ::-1][:, :2].T
    yield b.sorted(b.own - rest.max(axis=1), detail="the margin of the class's score over the next one")
    yield b.sorted(highest - second, detail="the margin of the largest score over the next one")
    yield b.sorted(-(b.scores * logs).sum(axis=1), detail="the entropy of the scores")
    yield b.sorted((b.scores * logs).sum(axis=1), detail="minus the entropy of the scores")
    yield b.sorted(
        logs[:, b.column] - logs.mean(axis=1),
        detail="the logit: log of the score, less the mean of all classes",
    )
    yield b.sorted(logs[:, b.column] - logs.max(axis=1), detail="log of the score, less that of the largest")
    yield b.sorted(np.abs(b.own - 0.5), detail="how far the score lies from 0.5")
    yield b.sorted(-np.abs(b.own - 0.5), detail="how near the score lies to 0.5")
    if (b.labels >= 0).all():
        true = b.scores[np.arange(len(b.labels)), b.labels]
        yield b.sorted(true, detail="the score of the true class")
        yield b.sorted(-true, detail="the loss: minus the score of the true class")
        yield b.sorted(
            np.where(b.labels == b.column, b.own, -b.own),
            detail="the score, with the sign of whether it is right",
        )


def _as_texts(b: Board) -> Iterator[Sorted]:
    """'9.1e-05' comes after '0.98': exponents are not looked at."""
    for how, values in (("of float32", b.own.astype(np.float32)), ("of float64", b.own)):
        texts = np.array([str(v) for v in values])
        yield b.sorted(np.argsort(np.argsort(texts, kind="stable"), kind="stable").astype(float), detail=how)


def _few_digits(b: Board) -> Iterator[Sorted]:
    """Rounded scores have ties, which stay in the order of the set, or come in reverse."""
    place = np.arange(len(b.paths))
    for digits in (1, 2, 3, 4):
        for how, tied in (("", -place), (", ties in reverse", place)):
            order = np.lexsort((tied, np.round(b.own, digits)))
            yield b.sorted(np.argsort(order).astype(float), detail=f"{digits} decimals{how}")


def _by_name(b: Board) -> Iterator[Sorted]:
    names = np.array(b.paths)
    order = np.argsort(np.argsort(names, kind="stable"), kind="stable").astype(float)
    if not (np.diff(order) > 0).all():  # else it is the order of the list
        yield b.sorted(-order, detail="ascending")
    yield b.sorted(order, detail="descending")
    yield b.sorted(np.arange(len(b.paths), dtype=float), detail="the last first")


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
    (lambda b: [b.sorted(b.own, np.flatnonzero(b.labels == b.column))],
     "own-class-only", "only images of the class were ranked", "rank the whole test set", SORT),
    (_other_values, "other-value", "sorted by another value than the class's own score", "sort the class's own column of the scores", SORT),
    (_as_texts, "as-texts", "the scores were sorted as texts", "convert them to numbers before they are sorted", SORT),
    (_few_digits, "few-digits", "rounded scores were sorted: ties come in the order of the set",
     "sort before anything is rounded", SORT),
    (_by_name, "by-name", "sorted by the path, not by a score", "sort by the score", SORT),
    (_one_batch, "one-batch", "only one batch was ranked", "collect the scores of all batches first", LOADER),
    (lambda b: (replace(b, scores=scores, paths=paths).sorted(scores[:, b.column], detail=name)
                for name, (paths, scores) in b.others.items()),
     "other-set", "images of {} were ranked", "rank the test set", LOADER),
)
# fmt: on
Boards = Mapping[str, Board]


def _then_exchanged(boards: Boards) -> Iterator[tuple[Boards, str]]:
    yield (
        {c: replace(b, then=lambda order: replace(order, value=-order.value)) for c, b in boards.items()},
        "",
    )


def _then_bottom_of_top(boards: Boards) -> Iterator[tuple[Boards, str]]:
    for pages in (1, 2, 3, 5, 10):

        def cut(order: Sorted, pages: int = pages) -> Sorted:
            k = order.top.stop
            return replace(order, bottom=slice((pages - 1) * k, pages * k))

        size = pages * max((b.k for b in boards.values()), default=0)
        yield {c: replace(b, then=cut) for c, b in boards.items()}, f"of the top {size}"


again(
    "ranking: source", (_then_exchanged, "ranking/exchanged"), (_then_bottom_of_top, "ranking/bottom-of-top")
)


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
        lambda figure, given, name: ((given[name].then(guess), guess.detail) for guess in figure(given[name])),
        lambda _: total, mixed=True,
    )  # fmt: skip

    return search("ranking", claim, worlds_of(boards), budget)


def _wanted(guess: Sorted, side: str) -> np.ndarray:
    """Values of the images that stand there, from the outside in."""
    descending = np.sort(guess.value)[::-1]
    return descending[guess.top] if side == "top" else descending[guess.bottom][::-1]


def _luck(guess: Sorted, side: str, same: float, images: int) -> float:
    """How likely images drawn at random are as good: where most scores are 0 or 1, nearly any may stand there."""
    wanted = _wanted(guess, side)
    if not len(wanted):
        return 1.0
    equal = (np.abs(guess.value[:, None] - wanted) <= same).sum(axis=0)
    if np.median(equal) > len(wanted):  # more images than places have this value: any order would fit
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
