"""What a cost grows with: a line fitted to what was measured, and carried on to what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True)
class Fit:
    """cost(n) = fixed + each * n, in seconds; `worst`: the largest relative error at a measured point."""

    fixed: float
    each: float
    worst: float

    def at(self, n: float) -> float:
        """Seconds for n, measured or not."""
        return self.fixed + self.each * n


def fit(points: Sequence[tuple[float, float]]) -> Fit:
    """Fit (n, seconds) by least squares of the relative errors, neither part below zero (Lawson and Hanson 1974).

    Relative, because a second off matters at 600 images and not at 17034. Raises ValueError for fewer than two points,
    and for times that are not above zero.
    """
    n, seconds = (np.array([point[i] for point in points], dtype=np.float64) for i in (0, 1))
    if len(n) < 2 or not (seconds > 0).all():
        raise ValueError(f"expected two points or more with times above 0, found {list(points)}")
    weighted = np.column_stack([1 / seconds, n / seconds])
    (fixed, each), _ = nnls(weighted, np.ones(len(n)))
    error = np.abs((fixed + each * n) / seconds - 1).max()
    return Fit(float(fixed), float(each), float(error))


def serial_share(one: float, two: float) -> float:
    """Share of the work that does not divide, from the seconds of one process and of two (Amdahl 1967), in 0..1."""
    return min(1.0, max(0.0, 2 * two / one - 1))


def speed_up(processes: int, serial: float) -> float:
    """How many times faster `processes` are than one, if that share of the work does not divide (Amdahl 1967)."""
    return 1 / (serial + (1 - serial) / processes)


def duration(seconds: float) -> str:
    """Seconds as a reader likes them: '0.32 s', '41 s', '12 min', '3.4 h', '2.1 days'."""
    for limit, divisor, unit in ((1, 1, "s"), (120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            number = seconds / divisor
            return f"{number:.2g} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{seconds / 86400:.2g} days"
