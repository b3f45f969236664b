"""Which class each column of the scores stands for, read off the scores themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


def confusion(labels: np.ndarray, chosen: np.ndarray, size: int) -> np.ndarray:
    """Images of class i given to column j, float64 (size, size)."""
    table = np.zeros((size, size))
    np.add.at(table, (labels, chosen), 1)
    return table


def best_order(table: np.ndarray) -> tuple[int, ...]:
    """The class of each column under which most images are right."""
    rows, columns = linear_sum_assignment(-table)
    return tuple(int(rows[list(columns).index(c)]) for c in range(len(table)))


def exchanged(table: np.ndarray) -> tuple[int, ...] | None:
    """The class of each column where columns were exchanged; None where the order is as stated, or nothing is clear.

    A weak network confuses classes, and gives many of one class to another's column. It never gives most images of each
    of two classes to the other's column: that is a matter of numbering.
    """
    order = best_order(table)
    moved = [(label, column) for column, label in enumerate(order) if label != column]
    clear = all(table[label, column] > 0.5 * table[label].sum() for label, column in moved)
    return order if moved and clear else None


def moved_columns(order: Sequence[str], stated: Sequence[str]) -> list[str]:
    """'column 0 is sea' for each column that stands for another class than stated."""
    return [
        f"column {i} is {own}" for i, (own, said) in enumerate(zip(order, stated, strict=True)) if own != said
    ]
