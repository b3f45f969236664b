"""What the source says of the lines at which something is seen: names that take a result, comparisons before it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from in4310.rehearsal.programs import WINDOWS, Code

LOADS = ("load", "loadtxt", "genfromtxt")
LOOPS = (ast.For, ast.While)
ONLY_TOLD = {
    "shape",
    "mean",
    "min",
    "max",
    "sum",
    "dtype",
    "size",
    "ndim",
    "std",
}  # of an array that is looked at only


@dataclass(frozen=True)
class Under:
    """The comparison of the `if` that a line stands under; `reset`: its loop sets back what is compared, each time.

    `of`: what the things compared were computed of, as far as the same function says it.
    """

    test: str
    reset: bool
    of: str = ""


@dataclass(frozen=True)
class Sites:
    """By place, as 'train.py:41' and with a column for `targets`."""

    targets: dict[str, str] = field(default_factory=dict)  # of a call -> the name that takes what it gives
    under: dict[str, Under] = field(default_factory=dict)  # of a line
    reshaped: list[str] = field(default_factory=list)  # calls that make three planes of what they are given
    told: list[str] = field(default_factory=list)  # loads whose result is only printed
    gpu: list[str] = field(default_factory=list)  # where the program ends itself without a GPU
    windows: list[str] = field(default_factory=list)  # where it names a place of Windows


def sites(codes: Iterable[Code]) -> Sites:
    """Of all code of a hand-in."""
    codes = list(codes)
    found = Sites(targets(codes))
    for place, tree in _trees(codes):
        loads = {}
        given = _given(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and type(node.value) is str and WINDOWS.match(node.value):
                found.windows.append(f"{place}:{node.lineno}")
            if isinstance(node, ast.If | ast.Assert) and _ends_without_gpu(node):
                found.gpu.append(f"{place}:{node.lineno}")
            if isinstance(node, ast.If) and any(map(_compares, ast.walk(node.test))):
                found.under.update(_under(place, node, False, _computed_of(node, given)))
            elif isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                first = getattr(node.args[0], "value", None) if node.args else None
                if name in ("reshape", "view") and first == 3 and len(node.args) == 3:
                    found.reshaped.append(f"{place}:{node.lineno}")
            elif (
                isinstance(node, ast.Assign)
                and getattr(getattr(node.value, "func", None), "attr", "") in LOADS
            ):
                loads[ast.unparse(node.targets[0])] = node.lineno
        for loop in (n for n in ast.walk(tree) if isinstance(n, LOOPS)):
            found.under.update(
                (at, replace(found.under.get(at, under), reset=True)) for at, under in _set_back(place, loop)
            )
        used = _used(tree)
        found.told.extend(
            f"{place}:{line}" for name, line in loads.items() if name.isidentifier() and name not in used
        )
    return found


def _trees(codes: Iterable[Code]) -> Iterator[tuple[str, ast.Module]]:
    """(file, or 'file#cell' of a notebook, and its tree)."""
    for code in codes:
        for number, tree in enumerate(code.trees, 1):
            yield f"{code.file}#{number}" if code.file.endswith(".ipynb") else code.file, tree


def _set_back(place: str, loop: ast.AST) -> Iterator[tuple[str, Under]]:
    """Lines under a comparison in this loop, before which the same loop gives a constant to what is compared."""
    constant: set[str] = set()
    for statement in getattr(loop, "body", ()):
        if isinstance(statement, ast.Assign) and _constant(statement.value):
            constant |= {ast.unparse(t) for t in statement.targets}
        if not isinstance(statement, ast.If):
            continue
        compared = {
            ast.unparse(n) for n in ast.walk(statement.test) if isinstance(n, ast.Name | ast.Attribute)
        }
        given = {ast.unparse(t) for n in statement.body if isinstance(n, ast.Assign) for t in n.targets}
        if compared & given & constant:
            yield from _under(place, statement, True)


def _given(tree: ast.Module) -> dict[str, list[tuple[int, str]]]:
    """Name -> at which line it is given what a call computes, and the arguments of that call."""
    found: dict[str, list[tuple[int, str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            told = " ".join(
                ast.unparse(a) for a in [*node.value.args, *(k.value for k in node.value.keywords)]
            )
            for target in (t for n in node.targets for t in ast.walk(n) if isinstance(t, ast.Name)):
                found.setdefault(target.id, []).append((node.lineno, told[:80]))
    return found


def _computed_of(node: ast.If, given: dict[str, list[tuple[int, str]]]) -> str:
    names = [n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)]
    before = [max((g for g in given.get(name, ()) if g[0] < node.lineno), default=(0, "")) for name in names]
    return " ".join(told for _, told in before)[:120]


def _under(place: str, node: ast.If, reset: bool, of: str = "") -> Iterator[tuple[str, Under]]:
    found = Under(ast.unparse(node.test)[:80], reset, of)
    for statement in [*node.body, *node.orelse]:
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
            yield f"{place}:{line}", found


def _ends_without_gpu(node: ast.If | ast.Assert) -> bool:
    if not re.search(r"cuda|gpu", ast.unparse(node.test), re.I):
        return False
    inside = [n for s in node.body for n in ast.walk(s)] if isinstance(node, ast.If) else []
    ends = {"exit", "quit", "_exit"}
    calls = {getattr(n.func, "attr", getattr(n.func, "id", "")) for n in inside if isinstance(n, ast.Call)}
    return isinstance(node, ast.Assert) or bool(calls & ends) or any(isinstance(n, ast.Raise) for n in inside)


def _compares(node: ast.AST) -> bool:
    """Two things by their size, neither of them a constant."""
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        and not isinstance(node.left, ast.Constant)
        and not isinstance(node.comparators[0], ast.Constant)
    )


def _constant(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _constant(node.operand)
    if isinstance(node, ast.Call):  # float("inf")
        return getattr(node.func, "id", "") == "float" and all(map(_constant, node.args))
    return isinstance(node, ast.Constant) or ast.unparse(node) in ("np.inf", "math.inf", "torch.inf")


def _used(tree: ast.Module) -> set[str]:
    """Names that are used for more than to look at: printed, measured by their length, shape or mean."""
    looked_at: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ONLY_TOLD:
            looked_at.add(id(node.value))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "len", "display"):
            looked_at |= {id(a) for a in node.args}
        elif isinstance(node, ast.FormattedValue):
            looked_at.add(id(node.value))
    names = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return {n.id for n in names if id(n) not in looked_at}


def targets(codes: Iterable[Code]) -> dict[str, str]:
    """'train.py:41:8' -> the name that takes what the call there gives, also by way of a function's return."""
    found: dict[str, str] = {}
    codes = list(codes)
    taken = {}  # function -> the names that take what it returns
    for node in (n for code in codes for n in code.nodes):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and isinstance(node.targets[0], ast.Tuple)
        ):
            name = getattr(node.value.func, "id", getattr(node.value.func, "attr", ""))
            taken[name] = [ast.unparse(element)[:80] for element in node.targets[0].elts]
    for place, tree in _trees(codes):
        for node in ast.walk(tree):
            for name, value in _named(node, taken):
                if isinstance(value, ast.Call):
                    found.setdefault(f"{place}:{value.lineno}:{value.col_offset}", name)
    return found


def _named(node: ast.AST, taken: dict[str, list[str]]) -> Iterator[tuple[str, ast.AST]]:
    """(name, what it stands for) of assignments, entries of tables, keywords, and what a function returns."""
    if isinstance(node, ast.Assign):
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from ((ast.unparse(t)[:80], v) for t, v in zip(target.elts, value.elts, strict=False))
        else:
            yield ast.unparse(target)[:80], value
    elif isinstance(node, ast.Dict):
        yield from (
            (str(k.value), v)
            for k, v in zip(node.keys, node.values, strict=True)
            if isinstance(k, ast.Constant)
        )
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.FunctionDef) and node.name in taken:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Tuple):
                yield from zip(taken[node.name], inner.value.elts, strict=False)
