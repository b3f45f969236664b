"""What readers find, as JSON and arrays: the only form in which it comes out of a confined child.

`pack` works in the child. `unpack` works in the judge, on a stranger's answer: one pass, the kinds listed here and no
others. {"": kind, "v": ...} stands for what JSON lacks; no table of a submission can look like one, as a table with an
odd key is itself written as one. What a field must be is asked with `of`.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

DEPTH = 24  # a message bounds what nests deeper
DIGITS = 17  # of whole numbers: a message takes 18 letters as one, what is longer is a float
STRANGE = "what reads it answered in another form than was asked for"
Arrays = Mapping[str, np.ndarray]
Kind = TypeVar("Kind")


class NotPlain(ValueError):
    """A value of another kind than readers give, or an answer of another form than was asked for."""


def pack(value: Any, arrays: dict[str, np.ndarray], depth: int = 0) -> Any:
    """A value as JSON; its arrays are added to `arrays`. Tuples become lists, dates texts. Raises NotPlain."""
    # From the simple to the nested: what JSON has is itself, what it lacks is {"": kind, "v": ...}. Texts that are no
    # Unicode go as hexadecimal, numbers too long or not finite as floats, arrays by name in `arrays`; a table with
    # any key that is no text becomes a list of pairs.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value) if _is_unicode(value) else {"": "text", "v": _coded(value)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        value = value if abs(value) < 10**DIGITS else _float(value)
    if isinstance(value, int | float):
        return value if math.isfinite(value) else {"": "float", "v": repr(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        name = str(len(arrays))
        arrays[name] = value
        return {"": "array", "v": name}
    if isinstance(value, datetime.date | datetime.time):
        return str(value)
    if depth >= DEPTH:
        raise NotPlain(f"is nested more than {DEPTH} deep")
    if isinstance(value, list | tuple):
        return [pack(v, arrays, depth + 1) for v in value]
    if isinstance(value, Mapping):
        if all(type(k) is str and k and _is_unicode(k) for k in value):
            return {k: pack(v, arrays, depth + 1) for k, v in value.items()}
        return {
            "": "table",
            "v": [[pack(str(k), arrays), pack(v, arrays, depth + 3)] for k, v in value.items()],
        }
    raise NotPlain(f"holds a {type(value).__name__}, which is no plain value")


def unpack(document: Any, arrays: Arrays) -> Any:
    """What `pack` was given, its arrays read-only. Raises NotPlain for any other document."""
    if type(document) is list:
        return [unpack(v, arrays) for v in document]
    if type(document) is not dict:
        return document
    if "" not in document:
        return {k: unpack(v, arrays) for k, v in document.items()}
    require(len(document) == 2 and "v" in document)
    kind, value = document[""], document["v"]
    try:
        if kind == "text":
            return bytes.fromhex(value).decode("utf-8", "surrogatepass")
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[value]
        if kind == "array":
            return arrays[value]
        if kind == "table":
            return {of(str, unpack(k, arrays)): unpack(v, arrays) for k, v in of(list, value)}
    except (KeyError, TypeError, ValueError):
        raise NotPlain from None
    raise NotPlain


def of(kind: type[Kind], value: Any) -> Kind:
    """The value, where it is of exactly this type. Raises NotPlain."""
    if type(value) is not kind:
        raise NotPlain
    return value


def all_of(kind: type[Kind], values: Any) -> list[Kind]:
    """The values of a list, each of exactly this type. Raises NotPlain."""
    return [of(kind, value) for value in of(list, values)]


def require(holds: bool) -> None:
    """Raises NotPlain unless it holds."""
    if not holds:
        raise NotPlain


def _coded(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: a byte of a name that was no UTF-8
        return False
    return True


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, 1 if value > 0 else -1)
