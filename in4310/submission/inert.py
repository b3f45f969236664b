"""Stand-ins for what a checkpoint holds beside tensors: nothing of a class is looked up, made or called.

torch.load(weights_only=True) refuses a file for one numpy scalar, path or argparse.Namespace beside the weights. Here
each name that it would refuse stands for a class of ours, which keeps what the file says and runs nothing. What torch
blocks (`os`, `sys`) stays refused. Source: torch.serialization.safe_globals, get_unsafe_globals_in_checkpoint.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

NAMES = 1000
_MAPPING = re.compile(r"dict$|cfgnode$|munch$|box$", re.IGNORECASE)
_NUMBERS = re.compile(r"[<>|=]?(f[248]|i[1248]|[bu]1)")
_FROM_BUFFER = "numeric._frombuffer"
SCALARS = {"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"}
_ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")


class Inert:
    """An object whose class is not opened: `name` of the class, what it was made from, and its state."""

    name = ""
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Any:  # noqa: D102
        made = object.__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Items(list[Any]):
    """collections.deque: what it holds."""

    def __init__(self, items: Any = (), length: Any = None) -> None:
        super().__init__(items if isinstance(items, list | tuple) else ())


def unopened(path: Path) -> AbstractContextManager[Any]:
    """The context in which torch.load(weights_only=True) takes stand-ins for the classes that a file names.

    Raises what torch raises for a file that it did not write.
    """
    names = torch.serialization.get_unsafe_globals_in_checkpoint(path)[:NAMES]
    return torch.serialization.safe_globals([(stand_in(name), name) for name in names])


def stand_in(name: str) -> type:
    """The class of ours that a name in a pickle stands for."""
    if name == "collections.deque":
        return _Items
    if _MAPPING.search(name):  # torch fills no subclass of dict: it is taken for one by its name
        return type("Mapping", (), {"__new__": lambda cls, *arguments: OrderedDict()})
    return type("Inert", (Inert,), {"name": name})


def array_of(found: Inert) -> np.ndarray | None:
    """The numbers of a pickled numpy array, from its bytes; None for anything else, and for arrays of objects."""
    if found.name.endswith(_FROM_BUFFER) and len(found.arguments) == 4:  # protocol 5
        raw, kind, shape, order = found.arguments
        raw, by_columns = bytes(raw) if isinstance(raw, bytearray) else raw, order == "F"
    elif found.name in _ARRAY and isinstance(found.state, tuple) and len(found.state) == 5:
        _, shape, kind, by_columns, raw = found.state
    else:
        return None
    return _numbers(shape, kind, by_columns, raw)


def numbers_of(found: Inert) -> np.ndarray | None:
    """As `array_of`, and of one pickled numpy number."""
    if found.name in SCALARS and len(found.arguments) == 2:
        return _numbers((), found.arguments[0], False, found.arguments[1])
    return array_of(found)


def _numbers(shape: Any, kind: Any, by_columns: Any, raw: Any) -> np.ndarray | None:
    if isinstance(raw, Inert) and raw.name == "_codecs.encode" and raw.arguments[1:] == ("latin1",):
        raw = raw.arguments[0].encode("latin1")  # how Python 3 writes bytes for the readers of Python 2
    if not isinstance(kind, Inert) or not isinstance(raw, bytes) or not isinstance(shape, tuple):
        return None
    code = _NUMBERS.fullmatch(str(kind.arguments[:1] and kind.arguments[0]))
    order = kind.state[1] if isinstance(kind.state, tuple) and len(kind.state) > 1 else "="
    if code is None or order not in ("<", ">", "=", "|"):
        return None
    try:
        flat = np.frombuffer(raw, np.dtype(order + code[1]))
        return flat.astype(flat.dtype.newbyteorder("=")).reshape(shape, order="F" if by_columns else "C")
    except (TypeError, ValueError):
        return None
