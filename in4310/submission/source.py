"""What a submission's own source says: calls with their literal arguments and places, read from the syntax tree only.

Nothing is imported or run. Reading is done in a confined child where there is one: a parser that is fed a stranger's
text can die.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from in4310.shown import shown
from in4310.submission.files import walk

FILES, BYTES, CALLS, TEXT = 200, 2 * 2**20, 20_000, 80
LONG = 200  # nodes of an expression
LITERALS = (type(None), bool, int, float, str)
Begin = Callable[[str], None]


def _quiet(file: str) -> None:
    """Nobody is told."""


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

    @property
    def place(self) -> str:
        """'train.py:41', or 'lab.ipynb, cell 3, line 4'; safe to show."""
        file = shown(self.file)
        return f"{file}, cell {self.cell}, line {self.line}" if self.cell else f"{file}:{self.line}"

    @property
    def last(self) -> str:
        """The name without what it hangs on: 'DataLoader' of 'torch.utils.data.DataLoader'."""
        return self.name.rpartition(".")[2]

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
        parts = [*map(_written, self.arguments), *(f"{k}={_written(v)}" for k, v in self.keywords.items())]
        return shown(f"{self.name}({', '.join(parts)})", 120)


def _written(value: Any) -> str:
    return value[1:-1] if isinstance(value, str) and value[:1] == "<" and value[-1:] == ">" else repr(value)


def read_calls(folder: Path, begin: Begin = _quiet, without: Container[str] = ()) -> list[Call]:
    """All calls in the Python files and notebooks below a folder, in the order of files and lines; bounded.

    `begin` is told each file before it is read; those in `without` are not.
    """
    found: list[Call] = []
    for file, cell, source in _sources(folder, begin, without):
        found += _calls(file, cell, source)
        if len(found) > CALLS:
            break
    return found[:CALLS]


def read_code(folder: Path, most: int, begin: Begin = _quiet, without: Container[str] = ()) -> str:
    """The code in the Python files and notebooks below a folder, one after the other, cut at `most` characters."""
    found, size = [], 0
    for _, _, source in _sources(folder, begin, without):
        found.append(source[: most - size])
        size += len(found[-1]) + 1
        if size >= most:
            break
    return "\n".join(found)[:most]


def _sources(folder: Path, begin: Begin, without: Container[str]) -> Iterator[tuple[str, int, str]]:
    """(file, cell, text) of all code; files that are too large are left out."""
    for file in code_files(folder):
        if file in without:
            continue
        begin(file)
        path = folder / file
        try:
            if path.stat().st_size > BYTES * (16 if file.endswith(".ipynb") else 1):
                continue
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            continue
        for cell, source in _cells(file, text):
            yield file, cell, source


def as_document(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """As it comes out of a child."""
    return [asdict(call) for call in calls]


def from_document(document: Any) -> list[Call]:
    """Calls from what came out of a child, each field of its exact type; others are left out."""
    kinds = {"file": str, "line": int, "name": str, "arguments": list, "keywords": dict, "target": str,
             "inside": str, "cell": int}  # fmt: skip
    entries = [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []
    exact = [entry for entry in entries if {k: type(v) for k, v in entry.items()} == kinds]
    exact = [e for e in exact if all(type(v) in LITERALS for v in (*e["arguments"], *e["keywords"].values()))]
    return [Call(**{**entry, "arguments": tuple(entry["arguments"])}) for entry in exact[:CALLS]]


def code_files(folder: Path) -> list[str]:
    """Python files and notebooks below a folder, relative to it; nothing hidden, nothing that links elsewhere."""
    return sorted(walk(folder, (".py", ".ipynb")), key=lambda f: (len(PurePosixPath(f).parts), f))[:FILES]


def _cells(file: str, text: str) -> Iterator[tuple[int, str]]:
    if not file.endswith(".ipynb"):
        yield 0, text
        return
    try:
        cells = json.loads(text)["cells"]
        for number, cell in enumerate(cells, 1):
            if cell.get("cell_type") == "code":
                lines = "".join(cell.get("source", "")).splitlines()
                yield number, "\n".join("" if x.lstrip().startswith(("%", "!", "?")) else x for x in lines)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _calls(file: str, cell: int, source: str) -> list[Call]:
    if len(source) > BYTES:
        return []
    try:
        reader = _Reader(file, cell)
        reader.visit(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return reader.found


DIFFERENCE = "largest_difference"  # how abs(a - b) < 1e-4 is kept
ARGV = "sys.argv"  # how sys.argv[1] is kept, where nothing is done about its absence


class _Reader(ast.NodeVisitor):
    """Collects calls; a name that is bound once, at the top, to a literal stands for it."""

    def __init__(self, file: str, cell: int):
        self.file, self.cell = file, cell
        self.found: list[Call] = []
        self._inside: list[str] = []
        self._constants: dict[str, Any] = {}
        self._targets: dict[ast.AST, str] = {}
        self._differences: dict[str, str] = {}  # name -> the absolute difference that it stands for
        self._argv_is_tried = False

    def visit(self, node: ast.AST) -> None:
        if len(self.found) <= CALLS:
            super().visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        self._argv_is_tried = any(map(_is_about_argv, ast.walk(node)))
        for statement in node.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if isinstance(target, ast.Name) and isinstance(statement.value, ast.Constant):
                    self._constants[target.id] = statement.value.value
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        if node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            self._targets[node.value] = shown(_source(target), TEXT)
            if _is_difference(value := _source(node.value)) and isinstance(target, ast.Name):
                self._differences[target.id] = value
        self.generic_visit(node)

    visit_AnnAssign = visit_Assign

    def visit_Try(self, node: ast.Try) -> None:
        before, self._argv_is_tried = self._argv_is_tried, True
        self.generic_visit(node)
        self._argv_is_tried = before

    def visit_Subscript(self, node: ast.Subscript) -> None:
        index = self._value(node.slice)
        if (
            _source(node.value) in ("sys.argv", "argv")
            and type(index) is int
            and index > 0
            and not self._argv_is_tried
        ):
            self.found.append(
                Call(self.file, node.lineno, ARGV, (index,), {}, "", ".".join(self._inside), self.cell)
            )
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._targets.setdefault(value, shown(key.value, TEXT))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        left, limit = _source(node.left), self._value(node.comparators[0])
        found = left if _is_difference(left) else self._differences.get(left.partition(".")[0], "")
        small = isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE) and type(limit) in (int, float)
        if found and small:  # a comparison written out, kept as the call that it is in place of
            about = {"atol": limit}, "", ".".join(self._inside), self.cell
            self.found.append(Call(self.file, node.lineno, DIFFERENCE, (f"<{found}>",), *about))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        keywords = {k.arg: self._value(k.value) for k in node.keywords if k.arg is not None}
        arguments = tuple(self._value(a) for a in node.args[:16])
        around = (self._targets.get(node, ""), ".".join(self._inside), self.cell)
        self.found.append(Call(self.file, node.lineno, _source(node.func), arguments, keywords, *around))
        self.generic_visit(node)

    def _value(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=value):
                pass
            case ast.Name(id=name) if name in self._constants:
                value = self._constants[name]
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=operand)):
                value = -operand if isinstance(operand, int | float) else None
            case _:
                return f"<{_source(node)}>"
        if isinstance(value, str):
            return value[:TEXT]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
            return f"<{_source(node)}>"
        return value if value is None or isinstance(value, bool | int | float) else f"<{_source(node)}>"


def _is_about_argv(node: ast.AST) -> bool:
    """Whether a node asks how many arguments there are and goes on without, or adds to them."""
    match node:
        case ast.If(test=test, body=[*_, last] as body):
            used = any("argv[" in _source(line).replace("argv[0]", "") for line in body)
            leaves = not used and (isinstance(last, ast.Raise) or "exit" in _source(last))
            return "argv" in _source(test) and not leaves
        case ast.IfExp(test=test) | ast.While(test=test):
            return "argv" in _source(test)
        case ast.BoolOp():
            return "argv" in _source(node)
        case ast.Assign(targets=targets):
            return any(_source(target).startswith(("sys.argv", "argv")) for target in targets)
        case ast.AugAssign(target=target):
            return _source(target) in ("sys.argv", "argv")
        case ast.Call(func=func):
            return _source(func).rpartition(".")[0] in ("sys.argv", "argv")
    return False


def _is_difference(source: str) -> bool:
    return "abs(" in source and " - " in source


def _source(node: ast.AST) -> str:
    """A short expression as it is written; long ones are cut, and very long ones left out."""
    nodes = sum(1 for _ in islice(ast.walk(node), LONG))
    if nodes == LONG:  # a call in a call in a call is asked for at each
        return "..."
    try:
        return ast.unparse(node)[:TEXT]
    except (RecursionError, ValueError):
        return "..."


# -- what the checks ask for ----------------------------------------------------------------------------


SEEDING = {"seed", "manual_seed", "manual_seed_all", "default_rng", "randomstate", "random", "set_seed",
           "seed_everything"}  # fmt: skip
BUILDERS = {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "get_model"}


def seeds(calls: Iterable[Call]) -> list[tuple[int, Call]]:
    """Seeds given as literals to generators and to functions that split, those of a split first."""
    found: list[tuple[int, int, Call]] = []
    for call in calls:
        name = call.last.lower()
        value = next((v for k, v in call.keywords.items() if k in ("random_state", "seed")), None)
        if value is None and name in SEEDING and call.arguments:
            value = call.arguments[0]
        if type(value) is int and 0 <= value < 2**32:
            about_split = "split" in f"{name} {call.inside} {call.file}".lower()
            found.append((0 if about_split else 1, value, call))
    found.sort(key=lambda item: item[0])
    return [(value, call) for _, value, call in found]


def starts(calls: Iterable[Call]) -> list[tuple[str, Call]]:
    """'imagenet' or 'scratch' for each torchvision ResNet that the source builds."""
    found = []
    for call in calls:
        if call.last.lower() not in BUILDERS:
            continue
        weights = call.given("weights", 1 if call.last == "get_model" else None)
        pretrained = call.given("pretrained", 0 if call.last != "get_model" else None)
        named = isinstance(pretrained, str) and "weights" in pretrained.lower()
        if isinstance(weights, str) or pretrained is True or named:
            found.append(("imagenet", call))
        elif weights is None and pretrained in (None, False):
            found.append(("scratch", call))
    return found


def needed_arguments(calls: Iterable[Call]) -> list[Call]:
    """Command-line arguments without a default: positional ones, those marked required, and elements of sys.argv."""
    found = []
    for call in calls:
        if call.name == ARGV:
            found.append(call)
        if call.last != "add_argument" or not call.arguments or not isinstance(call.arguments[0], str):
            continue
        positional = not call.arguments[0].startswith(("-", "<"))
        optional = call.given("nargs") in ("?", "*")
        if (positional and not optional) or call.given("required") is True:
            found.append(call)
    return found


def comparisons(calls: Iterable[Call]) -> list[tuple[float | None, Call]]:
    """Comparisons of arrays, each with the largest tolerance given as a number; None: the library's own."""
    found = []
    for call in calls:
        if call.last not in ("allclose", "isclose", "assert_allclose", "assert_close", "array_equal", "equal",
                             "assert_array_equal", "assert_array_almost_equal", DIFFERENCE):  # fmt: skip
            continue
        given = [call.given(keyword, place) for keyword, place in (("rtol", 2), ("atol", 3))]
        numbers = [float(v) for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
        exact = "equal" in call.last and "almost" not in call.last
        found.append((0.0 if exact else max(numbers) if numbers else None, call))
    return found


# Run by others.
NO_SCRIPTS = ("conftest.py", "setup.py", "sitecustomize.py", "usercustomize.py", "__init__.py")
MAIN = re.compile(r"main|run|train|oblig|mand|assign|in\d{4}")


def scripts(calls: Iterable[Call]) -> list[str]:
    """Python files and notebooks that do something when they are run: a call outside of any function.

    Where some are named like the main one ('main.py', 'oblig1.ipynb'), only those.
    """
    found = list(dict.fromkeys(call.file for call in calls if not call.inside))
    found = [f for f in found if PurePosixPath(f).name not in NO_SCRIPTS]
    return [f for f in found if MAIN.search(PurePosixPath(f).stem.lower())] or found
