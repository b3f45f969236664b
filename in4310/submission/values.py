"""Values of constants, and what is computed of them without running anything."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from in4310.submission.bindings import Place

TEXT = 400  # characters of a text
UNKNOWN = object()
PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True, eq=False)
class Table:
    """A dict or namespace: its entries, each an expression to be read at `place`, or a value."""

    entries: Mapping[Any, Any]
    place: Place | None = None


def agreed(values: list[Any]) -> Any:
    """The value, if all are the same, and of one type."""
    first = values[0]
    same = all(type(v) is type(first) and (v is first or (v == first and v is not UNKNOWN)) for v in values)
    return first if same else UNKNOWN


def negated(op: ast.unaryop, value: Any) -> Any:
    """A number with its sign turned, or what is true turned false."""
    if isinstance(op, ast.Not) and isinstance(value, PLAIN):
        return not value
    if isinstance(op, ast.USub) and isinstance(value, int | float) and not isinstance(value, bool):
        return -value
    return UNKNOWN


def computed(op: ast.operator, left: Any, right: Any) -> Any:
    """Sums, differences, products and quotients of numbers, and paths put together."""
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add | ast.Div):
        return f"{left}{'' if isinstance(op, ast.Add) else '/'}{right}"[:TEXT]
    if not all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 2**63 for v in (left, right)
    ):
        return UNKNOWN
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() if right:
            return left / right
    return UNKNOWN


def typed(value: Any, kind: ast.AST | None) -> Any:
    """A value through int, float or str, as argparse and calls of these turn it."""
    name = getattr(kind, "id", getattr(kind, "attr", ""))
    turn = {"int": int, "float": float, "str": str, "Path": str}.get(name)
    if turn is None:
        return value
    if not isinstance(value, bool | int | float | str) or len(str(value)) > (TEXT if turn is str else 40):
        return UNKNOWN
    try:
        found = turn(value)
    except (ValueError, OverflowError):
        return UNKNOWN
    return found if not isinstance(found, float) or math.isfinite(found) else UNKNOWN


def table_of(value: Any) -> Any:
    """Plain nested values as tables."""
    if isinstance(value, Mapping):
        return Table({k: table_of(v) for k, v in value.items()})
    if isinstance(value, list):
        return Table({i: table_of(v) for i, v in enumerate(value)})
    return value if isinstance(value, PLAIN) else UNKNOWN
