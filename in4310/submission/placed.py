"""Weights that lie in their file just as they are: the child says where, and the judge reads these bytes itself.

What goes over the channel is then a name, a type, a shape and an offset instead of 45 MB. The judge parses nothing: it
opens the file before it asks, looks at every figure, and reads within that file only. The child says a place only of
numbers that it would send as they are stored, and only of a file which is the one that the judge holds open, by its
size and time; all else is sent. A file that changes meanwhile is read the other way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import UntypedStorage

from in4310.submission.plain import NotPlain, of, require
from in4310.submission.sandbox import messages
from in4310.submission.sandbox.messages import BadMessage

Arrays = Mapping[str, np.ndarray]
Plan = tuple[str, tuple[int, ...], int, int]  # type, shape, bytes, offset


class Changed(Exception):
    """The file is no longer the one that was opened."""


def status_of(found: os.stat_result) -> list[int]:
    """What tells whether a file is the same, a copy of it too: size in bytes, time of its last change in s and ns."""
    return [found.st_size, *divmod(found.st_mtime_ns, 10**9)]  # a message takes 18 digits as a whole number


# -- the child's side -------------------------------------------------------------------------------------------------


@contextmanager
def mappings() -> Iterator[list[UntypedStorage]]:
    """Files that torch and safetensors map meanwhile: where numbers lie in memory then says where in the file."""
    made: list[UntypedStorage] = []
    make: Any = UntypedStorage.from_file

    def from_file(*arguments: Any, **options: Any) -> UntypedStorage:
        made.append(make(*arguments, **options))
        return made[-1]

    UntypedStorage.from_file = staticmethod(from_file)  # type: ignore[method-assign]
    try:
        yield made
    finally:
        with suppress(AttributeError):  # another thread was here
            del UntypedStorage.from_file


def split(
    arrays: Arrays, mapping: UntypedStorage | None
) -> tuple[dict[str, list[Any]], dict[str, np.ndarray]]:
    """name -> [type, shape, offset] of the arrays that lie in the mapping, and the others, which are to be sent."""
    first = mapping.data_ptr() if mapping is not None else 0
    size = mapping.nbytes() if mapping is not None else 0
    placed, sent = {}, {}
    for name, array in arrays.items():
        offset = array.__array_interface__["data"][0] - first
        if array.nbytes and array.flags.c_contiguous and 0 <= offset <= size - array.nbytes:
            placed[name] = [array.dtype.str, list(array.shape), offset]
        else:
            sent[name] = array
    return placed, sent


# -- the judge's side -------------------------------------------------------------------------------------------------


class Source:
    """A file held open while a child reads it; a context manager. `status`: [] where nothing is to be read from it.

    `limit`: bytes of all arrays together.
    """

    def __init__(self, path: Path, limit: int):
        self.status: list[int] = []
        self._descriptor, self._limit = -1, limit
        with suppress(OSError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            found = os.fstat(self._descriptor)
            self.status = status_of(found) if stat.S_ISREG(found.st_mode) else []

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def arrays(self, rows: Any, sent: Arrays) -> dict[str, np.ndarray]:
        """All, in the order of the file. `rows`: [name, kind], of what is read here [name, kind, type, shape, offset].

        Raises NotPlain for a place outside of the file or more than the limit, before anything is read; Changed for a
        file that is not the one that was opened.
        """
        plans: dict[str, Plan | None] = {}
        for row in of(list, rows):
            require(len(of(list, row)) in (2, 5) and of(str, row[0]) not in plans)
            plans[row[0]] = self._planned(*row[2:]) if len(row) == 5 else None
        read = {name: plan for name, plan in plans.items() if plan}
        total = sum(array.nbytes for array in sent.values()) + sum(size for _, _, size, _ in read.values())
        require(
            total <= self._limit
            and len(read) <= messages.ARRAYS
            and plans.keys() - read.keys() == sent.keys()
        )
        found = {name: self._read(*plan) if plan else sent[name] for name, plan in plans.items()}
        if read and status_of(os.fstat(self._descriptor)) != self.status:
            raise Changed
        return found

    def _planned(self, kind: Any, shape: Any, offset: Any) -> Plan:
        try:
            _, dtype, extents, size = messages.plan(["", kind, shape])
        except BadMessage:
            raise NotPlain from None
        require(bool(self.status) and 0 <= of(int, offset) <= self.status[0] - size)
        return dtype, extents, size, offset

    def _read(self, dtype: str, shape: tuple[int, ...], size: int, offset: int) -> np.ndarray:
        try:
            taken = np.empty(size, np.uint8)
            done = 0
            while done < size:
                count = os.preadv(self._descriptor, [taken[done:].data], offset + done)
                if not count:
                    raise Changed
                done += count
        except (OSError, MemoryError):  # the child's own end, if it is no better, is named
            raise Changed from None
        return messages.array(taken.data, dtype, shape)
