"""Pickles as plain values: lists, dicts, numbers, texts and arrays; nothing of a class is looked up or called.

A split or scores saved by `pickle.dump` are as plain as JSON. Each name that a pickle holds stands for a class of ours
(`inert`), which keeps what the file says and runs nothing; what is left of it are paths and arrays.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from in4310.submission.inert import Inert, numbers_of, stand_in

VALUES = 4_000_000  # in all: a list that holds another a thousand times counts each
DEPTH = 12
SETS = ("set", "frozenset")
PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")


class _Unpickler(pickle._Unpickler):
    """Finds no class of anybody's.

    The one in Python: that in C makes room for as many values as a number in a file claims.
    """

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for the class that a pickle names."""
        own = name in SETS and module in ("builtins", "__builtin__")
        return list if own else stand_in(f"{module}.{name}")


def read_pickle(path: Path) -> Any:
    """What a pickle holds, as JSON would: None stands for what is no plain value.

    Raises ValueError, one line, for what is no pickle, is damaged, or holds more than a hand-in's tables do.
    """
    try:
        found = _Unpickler(io.BytesIO(path.read_bytes())).load()  # a file would make room for what is claimed
    except MemoryError:
        raise ValueError("claims more memory than there is") from None
    except Exception as error:  # a damaged pickle makes its reader fail in any way
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(
            f"cannot be read as a pickle of plain values ({reason}); save it as .npy, .csv or .json"
        ) from None
    return _plain(found, 0, count())


def _plain(value: Any, depth: int, seen: Iterator[int]) -> Any:
    if next(seen) > VALUES:
        raise ValueError(f"holds more than {VALUES} values")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth >= DEPTH:
        return None
    if isinstance(value, Inert):
        return _of_class(value, depth, seen)
    if isinstance(value, dict):
        return {str(_plain(k, depth + 1, seen)): _plain(v, depth + 1, seen) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one, depth + 1, seen) for one in value]
    return None


def _of_class(value: Inert, depth: int, seen: Iterator[int]) -> Any:
    """The numbers of an array or of one scalar of numpy, the text of a path; None for anything else."""
    if (numbers := numbers_of(value)) is not None:
        return _plain(numbers.tolist(), depth, seen)
    if value.name.rpartition(".")[2] in PATHS and all(isinstance(part, str) for part in value.arguments):
        return "/".join(part.rstrip("/\\") for part in value.arguments)
    return None
