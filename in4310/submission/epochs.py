"""Rows as loggers write them, brought to one row an epoch.

Loggers write a row for training and one for validation, blanks where a row has no figure, steps beside or in place of
epochs, a row of an evaluation before training, and the rows again that a run repeats when it is resumed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from in4310.submission.tables import number

Epoch = dict[str, Any]
_STATED = ("epochs", "n_epochs", "num_epochs", "max_epochs", "num_train_epochs", "nepochs")


@dataclass(frozen=True)
class Row:
    """What a row says: `figures` by column of a history ('val_loss'), blanks left out; `rest`: the row as written;
    `settings`: what it states of hyperparameters."""

    epoch: float | None
    step: float | None
    figures: Mapping[str, Any]
    settings: tuple[str, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)


def runs_of(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each run, a row an epoch, in order of the epochs, which are numbered from 1.

    A row whose epoch has its figures already begins another run where it is the first epoch again, or states other
    hyperparameters; else the run was resumed, and its later epochs are those written last.
    """
    rows = _numbered([row for row in rows if row.figures or row.epoch is not None])
    first = min((row.epoch for row in rows if row.epoch is not None), default=None)
    runs: list[dict[float, list[Row]]] = []
    for row in rows:
        assert row.epoch is not None
        run = runs[-1] if runs else {}
        there = run.get(row.epoch, [])
        again = any(_repeats(row, other) for other in there)
        back = again and row.epoch < max(run)
        settings = there[0].settings if there else row.settings
        if not runs or (back and (row.epoch == first or settings != row.settings)):
            runs.append({row.epoch: [row]})
            continue
        if again:
            # What stood of this epoch and the later ones was given up; a column that the row lacks follows.
            for epoch in [e for e in run if e >= row.epoch]:
                del run[epoch]
        run.setdefault(row.epoch, []).append(row)
    return [[_whole(run[epoch]) for epoch in sorted(run)] for run in runs]


def _repeats(row: Row, other: Row) -> bool:
    """Whether a row gives a figure of its epoch anew; figures of later steps within an epoch are of one pass."""
    onward = row.step is not None and other.step is not None and row.step > other.step
    return not onward and bool(row.figures.keys() & other.figures.keys())


def _whole(rows: Sequence[Row]) -> Row:
    """One row of an epoch: the mean of a training figure that was written at several steps, the last of any other."""
    figures: dict[str, Any] = {}
    for column in dict.fromkeys(c for row in rows for c in row.figures):
        given = [row.figures[column] for row in rows if column in row.figures]
        values = [v for v in given if isinstance(v, int | float)]
        mean = column.startswith("train") and len(values) == len(given) > 1
        figures[column] = math.fsum(values) / len(values) if mean else given[-1]
    rest = {k: v for row in rows for k, v in row.rest.items() if v not in ("", None)}
    return Row(rows[0].epoch, rows[-1].step, figures, rows[0].settings, rest)


def _numbered(rows: Sequence[Row]) -> list[Row]:
    """The rows with the epoch that each is of: as stated, whole; else by the step; else its place."""
    if all(row.epoch is not None for row in rows):
        # Hugging Face counts in parts of an epoch: what was written at 0.7 is of the first.
        parts = any(row.epoch is not None and row.epoch % 1 for row in rows)
        epochs = [math.ceil(round(row.epoch or 0, 6)) if parts else row.epoch for row in rows]
    elif all(row.step is not None for row in rows):
        return _by_steps([row for row in rows if row.figures])
    else:
        epochs = [i if row.epoch is None else row.epoch for i, row in enumerate(rows, 1)]
    return [replace(row, epoch=e) for e, row in zip(epochs, rows, strict=True)]


def _by_steps(rows: Sequence[Row]) -> list[Row]:
    """The rows by epoch, told by their steps alone."""
    # Where each figure was written equally often, its first time is the first epoch. Else each validation ends an
    # epoch (without any, each step), and what comes after the last is of none.
    steps: dict[str, set[float]] = {}
    for row in rows:
        for column in row.figures:
            steps.setdefault(column, set()).add(row.step or 0)
    alike = len({len(taken) for taken in steps.values()}) == 1
    validated = [taken for column, taken in steps.items() if column.startswith("val")]
    ends = sorted(set().union(*(validated or steps.values())))
    order = {column: sorted(taken) if alike else ends for column, taken in steps.items()}
    at = [bisect_left(order[next(iter(row.figures))], row.step or 0) + 1 for row in rows]
    return [replace(row, epoch=e) for e, row in zip(at, rows, strict=True) if e <= len(ends)]


def trained(rows: Sequence[Row], stated: Mapping[str, Any]) -> list[Row]:
    """The epochs of a run numbered from 1, without what was evaluated before training or tested after it.

    An epoch 0 came before training where it alone has no figure of training, or where the settings state as many epochs
    as come after it. `stated`: hyperparameters of the run.
    """
    sets = [{column.partition("_")[0] for column in row.figures} for row in rows]
    if len(rows) > 1 and sets[-1] == {"test"} and any(s - {"test"} for s in sets):
        return trained(rows[:-1], stated)
    if not rows or rows[0].epoch != 0:
        return list(rows)
    length = next((number(stated[k]) for k in _STATED if k in stated), None)
    alone = "train" not in sets[0] and all("train" in s for s in sets[1:])
    if len(rows) > 1 and (alone or length == len(rows) - 1 == rows[-1].epoch):
        return list(rows[1:])
    return [replace(row, epoch=(row.epoch or 0) + 1) for row in rows]
