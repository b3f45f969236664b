"""Calls in code with the values that they are given, read from the syntax tree; constants stand for their values."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from in4310.shown import shown
from in4310.submission.bindings import Binder, Place, Program
from in4310.submission.constants import Constants, Given, Settings, Written

BYTES, CALLS, TEXT = 2 * 2**20, 20_000, 80
LONG = 200  # nodes of an expression


@dataclass(frozen=True)
class Call:
    """One call: where, what, and what it is given. Arguments that are no literals are kept as source, `<...>`."""

    file: str
    line: int
    name: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""  # the variable that takes the result
    inside: str = ""  # the function that it stands in
    cell: int = 0  # of a notebook, from 1
    means: str = (
        ""  # what the name stands for, as an alias, a getattr, or one of the entries of a table: 'a,b'
    )

    @property
    def place(self) -> str:
        """'train.py:41', or 'lab.ipynb, cell 3, line 4'; safe to show."""
        file = shown(self.file)
        return f"{file}, cell {self.cell}, line {self.line}" if self.cell else f"{file}:{self.line}"

    @property
    def last(self) -> str:
        """The name without what it hangs on: 'DataLoader' of 'torch.utils.data.DataLoader'."""
        return (self.means.partition(",")[0] or self.name).rpartition(".")[2]

    def given(self, keyword: str, position: int | None = None) -> Any:
        """An argument by keyword, else by position, else None."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        if position is not None and position < len(self.arguments):
            return self.arguments[position]
        return None

    @property
    def text(self) -> str:
        """The call as one would write it, short; safe to show."""
        if self.name == ARGV:
            return f"{ARGV}[{self.arguments[0]}]"
        parts = [
            *map(_shown_value, self.arguments),
            *(f"{k}={_shown_value(v)}" for k, v in self.keywords.items()),
        ]
        return shown(f"{self.name}({', '.join(parts)})", 120)


def _shown_value(value: Any) -> str:
    return value[1:-1] if isinstance(value, str) and value[:1] == "<" and value[-1:] == ">" else repr(value)


DIFFERENCE = "largest_difference"  # how abs(a - b) < 1e-4 is kept
ARGV = "sys.argv"  # how sys.argv[1] is kept, where nothing is done about its absence


@dataclass
class _Seen:
    """A call as it was met; its values are looked up when all code is read."""

    call: Call  # without arguments
    place: Place
    arguments: tuple[ast.expr, ...] = ()
    keywords: Mapping[str | None, ast.expr] = field(default_factory=dict)
    func: ast.expr | None = None


class Calls:
    """All calls of a hand-in: `read` its code, cell after cell, then `found` gives them with their values."""

    def __init__(self) -> None:
        self._program = Program()
        self._seen: list[_Seen] = []

    @property
    def full(self) -> bool:
        """Whether there are as many as are looked at."""
        return len(self._seen) > CALLS

    def read(self, file: str, cell: int, source: str) -> None:
        """Read a file, or a cell of a notebook; what is no Python is left out."""
        if len(source) > BYTES:
            return
        before = len(self._seen)
        try:
            _Reader(self._program, self._seen, file, cell).visit(ast.parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            del self._seen[before:]

    def found(self, settings: Settings) -> list[Call]:
        """The calls in the order of files and lines; `settings` reads a file of settings by its path."""
        given = (
            Given(s.call.last, s.arguments, s.keywords, s.place) for s in self._seen if s.func is not None
        )
        constants = Constants(self._program, given, settings)
        return [self._with_values(one, constants) for one in self._seen[:CALLS]]

    @staticmethod
    def _with_values(seen: _Seen, constants: Constants) -> Call:
        def value(node: ast.expr) -> Any:
            return _plain(constants.value(node, seen.place), node)

        arguments = tuple(map(value, seen.arguments[:16])) or seen.call.arguments
        keywords = {name: value(node) for name, node in seen.keywords.items() if name is not None}
        means = constants.called(seen.func, seen.place) if seen.func is not None else []
        meant = [name for name in means if name != seen.call.name]
        return replace(seen.call, arguments=arguments, keywords=keywords, means=shown(",".join(meant), TEXT))


class _Reader(Binder):
    """Collects the calls of a file or cell beside the names that it binds."""

    def __init__(self, program: Program, seen: list[_Seen], file: str, cell: int):
        super().__init__(program, file)
        self.file, self.cell, self.seen = file, cell, seen
        self._inside_of: list[str] = []
        self._targets: dict[ast.AST, str] = {}
        self._differences: dict[str, str] = {}  # name -> the absolute difference that it stands for
        self._argv_is_tried = False

    def _keep(self, node: ast.expr, name: str, target: str = "", **given: Any) -> None:
        literal = given.pop("literal", ())
        call = Call(self.file, node.lineno, name, literal, {}, target, ".".join(self._inside_of), self.cell)
        self.seen.append(_Seen(call, self.place, **given))

    def visit(self, node: ast.AST) -> None:
        if len(self.seen) <= CALLS:
            super().visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        self._argv_is_tried = any(map(_is_about_argv, ast.walk(node)))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside_of.append(node.name)
        super().visit_FunctionDef(node)
        self._inside_of.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside_of.append(node.name)
        super().visit_ClassDef(node)
        self._inside_of.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        self._take(node.targets[0], node.value)
        super().visit_Assign(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._take(node.target, node.value)
        super().visit_AnnAssign(node)

    def _take(self, target: ast.expr, value: ast.expr | None) -> None:
        if value is not None:
            self._targets[value] = shown(written(target), TEXT)
            if _is_difference(text := written(value)) and isinstance(target, ast.Name):
                self._differences[target.id] = text

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        before, self._argv_is_tried = self._argv_is_tried, True
        super().visit_Try(node)
        self._argv_is_tried = before

    def visit_Subscript(self, node: ast.Subscript) -> None:
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if (
            written(node.value) in ("sys.argv", "argv")
            and type(index) is int
            and index > 0
            and not self._argv_is_tried
        ):
            self._keep(node, ARGV, literal=(index,))
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._targets.setdefault(value, shown(key.value, TEXT))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        left, limit = written(node.left), node.comparators[0]
        found = left if _is_difference(left) else self._differences.get(left.partition(".")[0], "")
        if found and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            # A comparison written out, kept as the call that it is in place of.
            self._keep(node, DIFFERENCE, literal=(f"<{found}>",), keywords={"atol": limit})
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        given = {"arguments": tuple(node.args), "keywords": {k.arg: k.value for k in node.keywords}}
        self._keep(node, written(node.func), self._targets.get(node, ""), **given, func=node.func)
        super().visit_Call(node)


def _plain(value: Any, node: ast.AST) -> Any:
    """A value as a call keeps it: a literal, or source in angle brackets."""
    if isinstance(value, Written):
        return f"<{value.text[:TEXT]}>"
    if isinstance(value, str):
        return value[:TEXT]
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63
    return f"<{written(node)}>" if large or not isinstance(value, type(None) | bool | int | float) else value


def _is_about_argv(node: ast.AST) -> bool:
    """Whether a node asks how many arguments there are and goes on without, or adds to them."""
    match node:
        case ast.If(test=test, body=[*_, last] as body):
            used = any("argv[" in written(line).replace("argv[0]", "") for line in body)
            leaves = not used and (isinstance(last, ast.Raise) or "exit" in written(last))
            return "argv" in written(test) and not leaves
        case ast.IfExp(test=test) | ast.While(test=test):
            return "argv" in written(test)
        case ast.BoolOp():
            return "argv" in written(node)
        case ast.Assign(targets=targets):
            return any(written(target).startswith(("sys.argv", "argv")) for target in targets)
        case ast.AugAssign(target=target):
            return written(target) in ("sys.argv", "argv")
        case ast.Call(func=func):
            return written(func).rpartition(".")[0] in ("sys.argv", "argv")
    return False


def _is_difference(source: str) -> bool:
    return "abs(" in source and " - " in source


def written(node: ast.AST) -> str:
    """A short expression as it is written; long ones are cut, and very long ones left out."""
    nodes = sum(1 for _ in islice(ast.walk(node), LONG))
    if nodes == LONG:  # a call in a call in a call is asked for at each
        return "..."
    try:
        return ast.unparse(node)[:TEXT]
    except (RecursionError, ValueError):
        return "..."
