"""Mistakes that give wrong scores: rows in another order, by a rule that is told where there is one.

As in `outputs`: (claimed (N, C), Rows) -> largest difference, detail.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from in4310.judging.mistakes.outputs import NOT, Rows, Undone, apart
from in4310.judging.mistakes.places import loaders
from in4310.judging.mistakes.search import BATCHES, hypotheses

LOADER = "https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader"
FEWEST = 4  # rows that a rule must explain
SURE = 1e-3  # below it, an order by a rule is told, and not called shuffled


def places_by_rule(paths: tuple[str, ...], labels: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Of each row of a set the place that it has in an order by a rule, -1 where it has none; once for all guesses."""
    count = len(paths)
    every = (*_orders(paths, labels), *_shifts(count), *_repeats(count))
    return [(_places(order, count), how) for order, how in every if (order != np.arange(count)).any()]


def _orders(paths: tuple[str, ...], labels: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Orders of a test set that have a rule: row i of what was handed in is row order[i] of the set."""
    count = len(paths)
    names = np.array(paths)
    by_path = np.argsort(names, kind="stable")
    files = np.array([p.rpartition("/")[2] for p in paths])
    place = np.arange(count)
    yield place[::-1], "from the last to the first"
    yield by_path, "sorted by path"
    yield by_path[::-1], "sorted by path, descending"
    yield np.argsort(files, kind="stable"), "sorted by file name"
    yield np.argsort(labels, kind="stable"), "grouped by class"
    for parts in (2, 3, 4, 8):
        yield np.concatenate([place[i::parts] for i in range(parts)]), f"interleaved, as by {parts} processes"
        size = -(-count // parts)
        split = [place[i * size : (i + 1) * size] for i in range(parts)]
        mixed = [part[i] for i in range(size) for part in split if i < len(part)]
        yield np.array(mixed), f"interleaved back, as by {parts} processes"


def _by_rule(claimed: np.ndarray, rows: Rows) -> Undone:
    """In an order that has a rule; of each of our rows the place there."""
    if not rows.orders or len(claimed) != len(rows.orders[0][0]):
        return NOT
    found, values = NOT, claimed.max(axis=1)
    falls = np.diff(values)
    sorted_ = (falls <= 0).all() or (falls >= 0).all()
    if sorted_ and np.count_nonzero(falls) > len(values) / 2:  # equal ones are in any order
        distance, _ = _elsewhere(claimed, rows.scores)
        found = float(distance.max()), "sorted by their largest number"
    for places, how in rows.orders:
        where = places[rows.at]
        there = where >= 0
        if there.sum() >= max(FEWEST, 0.5 * len(rows.at)):
            off = apart(claimed[where[there]], rows.scores[there])
            if off < found[0]:
                found = off, how
    return found


def _places(order: np.ndarray, count: int) -> np.ndarray:
    """Of each row of the set the place it has in an order; -1 where it has none."""
    places = np.full(count, -1)
    places[order[::-1]] = np.arange(len(order))[::-1]
    return places


def _shifts(count: int) -> Iterator[tuple[np.ndarray, str]]:
    for by in (1, -1, 2, -2, 3, 5, -5, 10):
        yield np.roll(np.arange(count), by), f"shifted by {abs(by)} row{'s' * (abs(by) > 1)}"


def _repeats(count: int) -> Iterator[tuple[np.ndarray, str]]:
    for size in (s for s in BATCHES if 2 * s < count):
        order = np.arange(count)
        order[size : 2 * size] = np.arange(size)
        yield order, f"the first batch of {size} comes again in place of the second"


def _shuffled(claimed: np.ndarray, rows: Rows) -> Undone:
    """Each of our rows stands somewhere else, without a rule; among many rows some are alike by chance, so it must be close."""
    found, where = _elsewhere(claimed, rows.scores)
    moved = where != rows.at
    if moved.mean() < 0.5 or len(np.unique(where)) < 0.9 * len(where):
        return NOT
    if _by_rule(claimed, rows)[0] <= SURE:
        return NOT
    order = f"row {rows.at[0]} of the test set is row {where[0]}"
    return float(found.max()) * 10, order  # ten times stricter than rows in their place


def _elsewhere(claimed: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of our rows, the distance of the nearest row of the matrix, and its place."""
    distance, place = np.empty(len(ours)), np.empty(len(ours), dtype=int)
    for i, row in enumerate(ours):
        off = np.abs(claimed - row).max(axis=1)
        place[i] = int(off.argmin())
        distance[i] = off[place[i]]
    return distance, place


# fmt: off
hypotheses(
    "scores: output",
    (_by_rule, "rows-by-rule", "the rows are in another order than the test set, by a rule",
     "make the loader of the test set with shuffle=False, and keep its order", LOADER, loaders("shuffle", True)),
    (_shuffled, "rows-shuffled", "the rows are in another order than the test set: the loader was shuffled",
     "make the loader of the test set with shuffle=False", LOADER, loaders("shuffle", True)),
)
# fmt: on
