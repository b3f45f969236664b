"""What a reader found, as JSON and arrays, so that it can come out of a confined child.

`pack` works in the child, `unpack` in the judge, on a strange answer: in one pass, it makes the kinds listed here and
no others. {"": kind, "v": ...} stands for what JSON lacks; no table of a submission can look like one, as a table with
an empty name is itself written as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from in4310.submission.state_dicts import Network

MANY = 64  # numbers of a list from which they travel as an array: a message bounds what it lists
Arrays = Mapping[str, np.ndarray]


class NotPlain(ValueError):
    """A value of another kind than readers give, or a packed one of another form than `pack` gives."""


def pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A value as JSON; its arrays are added to `arrays`. Raises NotPlain."""
    if value is None or type(value) is bool:
        return value
    if isinstance(value, str):
        return value if value.isascii() or _is_unicode(value) else _mark("text", ascii(value))
    if isinstance(value, int | np.integer):
        return int(value) if abs(int(value)) < 2**53 else _mark("int", hex(int(value)))
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else _mark("float", repr(float(value)))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return _mark("array", _added(value, arrays))
    if isinstance(value, Network):
        return _mark("network", [pack(v, arrays) for v in vars(value).values()])
    if isinstance(value, list | tuple):
        if len(value) >= MANY and all(type(v) is float for v in value):
            return _mark("floats", [_added(np.array(value), arrays), type(value) is tuple])
        items = [pack(v, arrays) for v in value]
        return items if isinstance(value, list) else _mark("tuple", items)
    if isinstance(value, Mapping):
        if all(type(k) is str and k and _is_unicode(k) for k in value):
            return {k: pack(v, arrays) for k, v in value.items()}
        return _mark("table", [[pack(k, arrays), pack(v, arrays)] for k, v in value.items()])
    raise NotPlain(f"holds a {type(value).__name__}, which is no plain value")


def unpack(document: Any, arrays: Arrays) -> Any:
    """What `pack` was given. Raises NotPlain for any other document."""
    if isinstance(document, list):
        return [unpack(v, arrays) for v in document]
    if not isinstance(document, dict):
        return document
    if "" not in document:
        return {k: unpack(v, arrays) for k, v in document.items()}
    try:
        kind, value = document[""], document["v"]
        return _KINDS[kind](value, arrays)
    except (KeyError, TypeError, ValueError, OverflowError, SyntaxError) as error:
        raise NotPlain(f"has another form than a packed value ({type(error).__name__})") from None


def _mark(kind: str, value: Any) -> dict[str, Any]:
    return {"": kind, "v": value}


def _added(array: np.ndarray, arrays: dict[str, np.ndarray]) -> str:
    name = f"plain {len(arrays)}"
    arrays[name] = array
    return name


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: a byte of a name that was no UTF-8
        return False
    return True


def _text(value: str, _: Arrays) -> str:
    return value[1:-1].encode("ascii").decode("unicode_escape")


def _floats(value: list[Any], arrays: Arrays) -> list[float] | tuple[float, ...]:
    name, is_tuple = value
    found = [float(v) for v in arrays[name].ravel()]
    return tuple(found) if is_tuple else found


def _network(value: list[Any], arrays: Arrays) -> Network:
    depth, outputs, names, how = (unpack(v, arrays) for v in value)
    if not (isinstance(depth, int) and isinstance(outputs, int) and isinstance(how, str)):
        raise TypeError
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in names.items()):
        raise TypeError
    return Network(depth, outputs, names, how)


def _table(value: list[Any], arrays: Arrays) -> dict[Any, Any]:
    return {unpack(k, arrays): unpack(v, arrays) for k, v in value}


_KINDS: dict[str, Callable[[Any, Arrays], Any]] = {
    "text": _text,
    "int": lambda value, _: int(value, 16),
    "float": lambda value, _: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[value],
    "array": lambda value, arrays: arrays[value],
    "floats": _floats,
    "tuple": lambda value, arrays: tuple(unpack(v, arrays) for v in value),
    "table": _table,
    "network": _network,
}
