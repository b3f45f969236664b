"""The digits handed in set the tolerance: a figure that was rounded is right where the right one rounds to it.

To a stated limit, below which a figure tells too little to be right: two decimals of a share (whole percent), one of a
percentage, two digits of the largest eigenvalue.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from decimal import Decimal

SHARE, PERCENTAGE = 2, 1  # decimals that a figure must have at least
FINEST = 7  # decimals; float32 has no more of a share
HALF = 0.51  # of the last digit: half, and what binary fractions miss decimal ones by


def decimals(value: float) -> int:
    """Decimals that a figure was handed in with; of one that was saved as float32 no more than that holds."""
    if not abs(value) < 1e9:
        return 0
    single = struct.unpack("f", struct.pack("f", value))[0] == value
    held = FINEST - max(0, math.floor(math.log10(abs(value))) + 1) if single and value else 9
    return len(f"{value:.{max(0, held)}f}".rstrip("0").partition(".")[2])


def finest(value: float) -> float:
    """Half a unit of the last digit that a figure was written with."""
    exponent = Decimal(repr(value)).as_tuple().exponent
    return 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)


def room(values: Iterable[float | None], least: int = SHARE) -> float:
    """Half a unit of the last digit of figures that were printed alike: 0.87, 0.9 and 0.913 have three decimals.

    0 for figures that were not rounded.
    """
    found = max((decimals(v) for v in values if v is not None and math.isfinite(v)), default=FINEST)
    return 0.0 if found >= FINEST else HALF * 10.0 ** -max(found, least)


def room_of_digits(values: Iterable[float], scale: float, digits: int = 2) -> float:
    """As `room`, of figures of any size that share one scale: half a unit of the last of so many digits, or more.

    What is printed with three digits has more decimals the smaller it is; with a fixed number of decimals the largest
    has most digits. So the most digits of any count, as those of the largest.
    """
    if scale <= 0 or not math.isfinite(scale):
        return 0.0
    found = max((significant(v) for v in values if v and math.isfinite(v)), default=FINEST)
    return 0.0 if found >= FINEST else HALF * 10.0 ** (math.floor(math.log10(scale)) + 1 - max(found, digits))


def significant(value: float) -> int:
    """Digits that a figure was handed in with, at most `FINEST`: three for 1230, 0.0123 and 1.23."""
    mantissa = f"{abs(value):.{FINEST - 1}e}".partition("e")[0]
    exact = math.isclose(float(f"{value:.{FINEST - 1}e}"), value, rel_tol=1e-12)
    return len(mantissa.replace(".", "").rstrip("0")) if exact else FINEST
