"""The images that a class's score puts first and last (1i)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from in4310.errors import InputError


@dataclass(frozen=True)
class Ranking:
    """(path, score) pairs: `top` from the highest score downwards, `bottom` from the lowest upwards."""

    top: tuple[tuple[str, float], ...]
    bottom: tuple[tuple[str, float], ...]


def rank(scores: np.ndarray, paths: Sequence[str], column: int, k: int = 10) -> Ranking:
    """The k highest and the k lowest scores of one class over the whole set, not within the class only.

    scores: real (N, C). paths: the N paths in the order of the rows. Equal scores are ordered by path, so
    that the ranking does not depend on the order of the rows.
    Raises InputError when shapes, column or k do not fit, or when a score of the column is not finite.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(paths):
        raise InputError(f"scores: expected {len(paths)} rows, one a path, found shape {scores.shape}")
    if not 0 <= column < scores.shape[1]:
        raise InputError(f"ranking: expected a column of 0 to {scores.shape[1] - 1}, found {column}")
    if not 1 <= k <= len(paths):
        raise InputError(
            f"ranking: expected k of 1 to {len(paths)} (the number of images), found {k}; ask for a smaller k"
        )
    values = scores[:, column]
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(
            f"scores: expected finite numbers in column {column}, found {values[row]} for {paths[row]}; "
            "predict again"
        )
    pairs = [(path, float(value)) for path, value in zip(paths, values, strict=True)]
    return Ranking(
        top=tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:k]),
        bottom=tuple(sorted(pairs, key=lambda pair: (pair[1], pair[0]))[:k]),
    )
