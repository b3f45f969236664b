"""libc by ctypes, and what two of the walls need of it."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

# Other systems import this too, to learn that nothing can be confined there.
LIBC: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def check(result: int, what: str) -> int:
    """The result, or OSError with what was tried where it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """syscall(2), for calls that libc has no function for. Raises OSError."""
    return check(LIBC.syscall(ctypes.c_long(number), *arguments), f"syscall {number}")


def inside(place: str, other: str) -> bool:
    """Whether a path is another one or lies below it, by their names alone."""
    return place == other or place.startswith(other.rstrip("/") + "/")
