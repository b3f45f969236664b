"""What a name of a program stands for where it is used, if that is certain: constants across scopes, cells and files.

Certain is a value that is given once, or last before its use and in no branch, and that every call of a function gives
to its parameter. All else is UNKNOWN: nothing is said of it. Nothing is run.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from in4310.submission.bindings import BINDINGS, Binding, Imported, Parameter, Place, Program, Scope
from in4310.submission.values import PLAIN, TEXT, UNKNOWN, Table, agreed, computed, negated, table_of, typed

STEPS, DEPTH = 300_000, 16
TABLES = ("dict", "SimpleNamespace", "Namespace", "EasyDict", "AttrDict", "DotDict", "Munch", "Box", "create")
LOADS = ("safe_load", "full_load", "load", "loads", "unsafe_load")
Settings = Callable[
    [str], Any
]  # what stands in a file of settings, as plain values; UNKNOWN where it cannot be told


@dataclass(frozen=True)
class Given:
    """One call, as far as it gives parameters: what is called, with what, and where."""

    name: str
    arguments: tuple[ast.expr, ...]
    keywords: Mapping[str | None, ast.expr]
    place: Place

    @property
    def whole(self) -> bool:
        """Whether all that it gives is written out: no *args, no **kwargs."""
        return None not in self.keywords and not any(isinstance(a, ast.Starred) for a in self.arguments)


@dataclass(frozen=True)
class Written:
    """An expression of others' names, as `ResNet18_Weights.DEFAULT`."""

    text: str


@dataclass(frozen=True)
class Object:
    """What a call of a class of the hand-in makes."""

    made_by: Scope
    call: ast.Call = field(hash=False, compare=False)
    place: Place


@dataclass(frozen=True)
class Parsed:
    """What argparse gives in a file."""

    file: str


class Constants:
    """Looks names up in a program; `calls`: all calls of it; `settings`: reads a file of settings by its path."""

    def __init__(self, program: Program, calls: Iterable[Given], settings: Settings):
        self._program, self._settings = program, settings
        self._calls: dict[str, list[Given]] = defaultdict(list)
        for call in calls:
            self._calls[call.name].append(call)
        self._steps = STEPS if program.count <= BINDINGS else 0
        self._deep = 0

    def value(self, node: ast.AST, place: Place) -> Any:
        """A plain value, `Written`, or UNKNOWN."""
        found = self._of(node, place)
        return found if isinstance(found, (*PLAIN, Written)) else UNKNOWN

    def called(self, func: ast.AST, place: Place) -> list[str]:
        """The names that what is called may stand for, where it is an entry of a table, an alias or a getattr."""
        match func:
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
                found = [self._of(name, place)]
            case ast.Subscript(value=ast.Attribute(attr="__dict__"), slice=key):
                found = [self._of(key, place)]
            case ast.Subscript(value=base, slice=key):
                table = self._of(base, place)
                if not isinstance(table, Table):
                    return []
                one = self._entry(table, self._of(key, place))
                of_all = (self._read(v, table.place) for v in table.entries.values())
                found = list(of_all) if one is UNKNOWN else [one]
            case ast.Name():
                found = [self._of(func, place)]
            case _:
                return []
        names = [f.text if isinstance(f, Written) else f for f in found]
        return [n for n in names if isinstance(n, str)] if all(isinstance(n, str) for n in names) else []

    # -- expressions -------------------------------------------------------------------------------

    def _of(self, node: ast.AST | None, place: Place) -> Any:
        self._steps -= 1
        if node is None or self._steps < 0 or self._deep >= DEPTH:
            return UNKNOWN
        self._deep += 1
        found = self._expression(node, place)
        self._deep -= 1
        return found

    def _expression(self, node: ast.AST, place: Place) -> Any:
        match node:
            case ast.Constant(value=value):
                return value if isinstance(value, PLAIN) else UNKNOWN
            case ast.Name(id=name):
                return self._name(name, place)
            case ast.Attribute(value=base, attr=name):
                return self._attribute(base, name, place)
            case ast.Subscript(value=base, slice=key):
                return self._written_too(self._entry(self._of(base, place), self._of(key, place)), base, key)
            case ast.Dict(keys=keys, values=values) if all(isinstance(k, ast.Constant) for k in keys):
                return Table({k.value: v for k, v in zip(keys, values, strict=True)}, place)  # type: ignore[union-attr]
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return Table(dict(enumerate(parts)), place)
            case ast.UnaryOp(op=op, operand=operand):
                return negated(op, self._of(operand, place))
            case ast.BinOp(left=left, op=op, right=right):
                return computed(op, self._of(left, place), self._of(right, place))
            case ast.IfExp(test=test, body=body, orelse=other):
                if (known := self._of(test, place)) is not UNKNOWN and isinstance(known, PLAIN):
                    return self._of(body if known else other, place)
                return agreed([self._of(body, place), self._of(other, place)])
            case ast.Call():
                return self._call(node, place)
        return UNKNOWN

    def _name(self, name: str, place: Place) -> Any:
        if name in self._program.stirred:
            return UNKNOWN
        scope: Scope | None = place.scope
        while scope is not None:
            own = scope is place.scope
            if name in scope.bindings and (own or scope.kind != "class"):
                found = scope.bindings[name]
                self._steps -= len(found)
                possible = _before(found, place) if own else found
                return agreed([self._bound(b) for b in possible]) if possible else UNKNOWN
            scope = scope.parent
        for module in place.scope.module.stars:
            if (there := self._module(Imported(module), place)) and name in there.bindings:
                return self._last(there, name)
        return Written(name)

    def _bound(self, binding: Binding) -> Any:
        if isinstance(binding.value, Scope):
            return binding.value
        if not isinstance(binding.value, Imported | Parameter):
            return self._of(binding.value, binding.place)
        self._steps -= 1
        if self._steps < 0 or self._deep >= DEPTH:
            return UNKNOWN
        self._deep += 1
        if isinstance(binding.value, Parameter):
            found = self._parameter(binding.value, binding.place)
        else:
            found = self._imported(binding.value, binding.place)
        self._deep -= 1
        return found

    def _imported(self, taken: Imported, place: Place) -> Any:
        module, name = taken.module, taken.name
        if name is None:
            return self._module(taken, place) or Written(module)
        if there := self._module(taken, place):
            return self._last(there, name) if name in there.bindings else UNKNOWN
        inner = self._module(Imported(f"{module}.{name}".strip("."), None, taken.level), place)
        return inner or Written(name)

    def _module(self, taken: Imported, place: Place) -> Scope | None:
        """The module of the hand-in that an import means: the one beside the file, else the only one of that name."""
        path = taken.module.replace(".", "/")
        self._steps -= len(self._program.modules)
        ends = [f for f in self._program.modules if f"/{f}".endswith((f"/{path}.py", f"/{path}/__init__.py"))]
        beside = PurePosixPath(place.scope.file).parent
        near = [f for f in ends if PurePosixPath(f) == beside / f"{path}.py"]
        chosen = near or ends if path else []
        return self._program.modules[chosen[0]] if len(chosen) == 1 else None

    def _last(self, scope: Scope, name: str) -> Any:
        """What a name of a module or class stands for when it is read from outside."""
        return agreed([self._bound(b) for b in _from_last_sure(scope.bindings[name])])

    def _parameter(self, wanted: Parameter, place: Place) -> Any:
        """What all calls of the function give, and its default where one gives nothing, or where there is none."""
        of, name = wanted.function, wanted.name
        called = of.method_of.name if of.name == "__init__" and of.method_of else of.name
        # A class is also named where its type is meant; a function that is handed on may be called by anybody.
        if called == of.name and called in self._program.escaped:
            return UNKNOWN
        files = {function.file for function in self._program.functions[called]}
        default = self._of(wanted.default, place) if wanted.default is not None else UNKNOWN
        given = []
        self._steps -= len(self._calls[called])
        for call in self._calls[called]:
            theirs = call.place.scope.file
            if theirs != of.file and theirs in files:
                continue
            at = of.parameters.index(name) if name in of.parameters else len(call.arguments)
            if not call.whole:
                return UNKNOWN
            if name in call.keywords:
                given.append(self._of(call.keywords[name], call.place))
            elif at < len(call.arguments):
                given.append(self._of(call.arguments[at], call.place))
            else:
                given.append(default)
        return agreed(given or [default])

    # -- parts of objects --------------------------------------------------------------------------

    def _attribute(self, base: ast.expr, name: str, place: Place) -> Any:
        around = place.scope.method_of
        of = (
            around
            if isinstance(base, ast.Name) and base.id in ("self", "cls") and around
            else self._of(base, place)
        )
        if isinstance(of, Written):
            return Written(f"{of.text}.{name}"[:TEXT])
        return self._written_too(self._member(of, name), base, ast.Constant(name))

    def _member(self, of: Any, name: str) -> Any:
        match of:
            case Scope(kind="module"):
                return self._last(of, name) if name in of.bindings else UNKNOWN
            case Scope(kind="class"):
                return self._of_class(of, name)
            case Object(made_by=made_by, call=call, place=place):
                given = next((k.value for k in call.keywords if k.arg == name), None)
                if "__init__" in made_by.bindings or (given is None and not call.args):
                    return self._of_class(made_by, name) if all(k.arg for k in call.keywords) else UNKNOWN
                return self._of(given, place)
            case Parsed(file=file):
                return self._of_argparse(file, name)
            case Table():
                return self._entry(of, name)
        return UNKNOWN

    def _of_class(self, of: Scope, name: str) -> Any:
        if name in of.bindings:
            return self._last(of, name)
        bases = [self._of(b, Place(of.parent or of, BINDINGS)) for b in of.bases]
        found = [b for b in bases if isinstance(b, Scope) and b.kind == "class" and b is not of]
        self._deep += 1
        value = self._of_class(found[0], name) if len(found) == 1 and self._deep < DEPTH else UNKNOWN
        self._deep -= 1
        return value

    def _entry(self, of: Any, key: Any) -> Any:
        if not isinstance(of, Table) or not isinstance(key, PLAIN) or key not in of.entries:
            return UNKNOWN
        return self._read(of.entries[key], of.place)

    def _read(self, entry: Any, place: Place | None) -> Any:
        return self._of(entry, place) if isinstance(entry, ast.AST) and place is not None else entry

    def _written_too(self, value: Any, base: ast.expr, key: ast.expr) -> Any:
        """A value of an attribute or entry, if nothing else is written under its name anywhere."""
        if getattr(base, "id", getattr(base, "attr", "")) in self._program.stirred:
            return UNKNOWN
        name = key.value if isinstance(key, ast.Constant) else None
        others = self._program.written.get(name, ()) if isinstance(name, str) else ()
        return agreed([value, *(self._of(node, place) for node, place in others)])

    def _of_argparse(self, file: str, name: str) -> Any:
        """The default of an argument that one call of `add_argument` in that file defines."""
        found = []
        self._steps -= len(self._calls["add_argument"])
        for call in self._calls["add_argument"]:
            flags = [
                a.value for a in call.arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            long = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
            dest = (
                self._of(call.keywords["dest"], call.place) if "dest" in call.keywords else long.lstrip("-")
            )
            if call.place.scope.file != file or not isinstance(dest, str) or dest.replace("-", "_") != name:
                continue
            action = self._of(call.keywords.get("action"), call.place)
            if not flags[0].startswith("-") or not call.whole:
                found.append(UNKNOWN)
            elif "default" in call.keywords:
                found.append(typed(self._of(call.keywords["default"], call.place), call.keywords.get("type")))
            else:
                found.append({"store_true": False, "store_false": True}.get(str(action)))
        changed = any(name in call.keywords or not call.whole for call in self._calls["set_defaults"])
        return agreed(found) if found and not changed else UNKNOWN

    # -- calls -------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, place: Place) -> Any:
        last = getattr(node.func, "attr", getattr(node.func, "id", ""))
        arguments = [self._of(a, place) for a in node.args[:2]]
        first = arguments[0] if arguments else UNKNOWN
        if last in ("parse_args", "parse_known_args"):
            none = not node.args or (isinstance(first, Table) and not first.entries) or first == ""
            return Parsed(place.scope.file) if none else UNKNOWN
        if last == "get" and isinstance(node.func, ast.Attribute) and node.args:
            table = self._of(node.func.value, place)
            if isinstance(table, Table) and isinstance(first, PLAIN):
                value = self._entry(table, first) if first in table.entries else [None, *arguments][-1]
                return self._written_too(value, node.func.value, ast.Constant(first))
            return UNKNOWN
        if last in ("int", "float", "str", "Path") and len(node.args) == 1:
            return typed(first, node.func)
        if last in LOADS and node.args:
            file = self._file(node.args[0], place)
            return table_of(self._settings(file)) if isinstance(file, str) else UNKNOWN
        if last in TABLES and not node.args and all(k.arg for k in node.keywords):
            return Table({k.arg: k.value for k in node.keywords}, place)
        if last in TABLES and len(node.args) == 1 and not node.keywords:
            return first if isinstance(first, Table) else UNKNOWN
        made = self._of(node.func, place)
        if isinstance(made, Scope) and made.kind == "class":
            return Object(made, node, place)
        if isinstance(made, Scope) and made.kind == "function" and made.returns:
            return agreed([self._of(value, there) for value, there in made.returns])
        return UNKNOWN

    def _file(self, node: ast.expr, place: Place) -> Any:
        """The path of a file that is opened: 'a.yaml' of `open('a.yaml')`, of the name of such a file, and alone."""
        match node:
            case ast.Call(func=ast.Name(id="open"), args=[path, *_]):
                return self._of(path, place)
            case ast.Call(func=ast.Attribute(value=inner, attr="open" | "read" | "read_text")):
                return self._file(inner, place)
            case ast.Name(id=name) if name in place.scope.bindings:
                possible = _before(place.scope.bindings[name], place)
                if len(possible) == 1 and isinstance(possible[0].value, ast.Call):
                    return self._file(possible[0].value, possible[0].place)
        return self._of(node, place)


def _before(bindings: list[Binding], place: Place) -> list[Binding]:
    """What a name may stand for at a place of its own scope; in a loop also what is bound later in one."""
    later = [b for b in bindings if b.place.at > place.at and b.place.looped and place.looped]
    return [*_from_last_sure([b for b in bindings if b.place.at <= place.at]), *later]


def _from_last_sure(bindings: list[Binding]) -> list[Binding]:
    sure = [i for i, b in enumerate(bindings) if b.surely]
    return bindings[sure[-1] :] if sure else bindings
