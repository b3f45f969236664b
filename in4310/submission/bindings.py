"""Where the names of a program are bound: read from its syntax tree, scope by scope; nothing is imported or run.

`constants` looks values up in what is gathered here. All cells of a notebook are one module.
"""

# ruff: noqa: D102 (a visitor says in its name what it visits)
from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

BINDINGS = 100_000  # of a hand-in; with more nothing is certain
NODES = 400  # of a value that is kept: a table of settings has a hundred
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(eq=False)
class Scope:
    """A module, class or function: what is bound in it, in the order of the text."""

    kind: str
    file: str
    name: str = ""
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    parameters: list[str] = field(default_factory=list)  # those that a call gives, without self
    stars: list[str] = field(default_factory=list)  # modules of which all names are imported
    bases: list[ast.expr] = field(default_factory=list)
    returns: list[tuple[ast.expr | None, Place]] = field(default_factory=list)
    outer: set[str] = field(default_factory=set)  # names declared global

    @property
    def method_of(self) -> Scope | None:
        """The class of a method, of a function in a method, too."""
        around = self.parent
        while around is not None and around.kind != "class":
            around = around.parent
        return around

    @property
    def module(self) -> Scope:
        """The module that it stands in."""
        return self if self.parent is None else self.parent.module


@dataclass(frozen=True)
class Place:
    """A place of the text: its scope, how many bindings stand before it, and whether it is in a loop."""

    scope: Scope
    at: int
    looped: bool = False


@dataclass(frozen=True)
class Imported:
    """`from module import name`, or `import module`; `level`: dots before the module."""

    module: str
    name: str | None = None
    level: int = 0


@dataclass(frozen=True)
class Parameter:
    """What a function is given under a name, and what it is without."""

    function: Scope
    name: str
    default: ast.expr | None = None


Value = ast.expr | Scope | Imported | Parameter | None  # None: something that is not known


@dataclass(frozen=True)
class Binding:
    """One value of a name; `surely`: it stands in no branch; where it stands, and so in which scope it is read."""

    value: Value
    place: Place
    surely: bool = True


@dataclass
class Program:
    """All modules of a hand-in, by file, and what is written into their objects.

    `written`: name of an attribute or key -> values that it is given after its object was made; `stirred`: names of
    objects into which unknown keys are written; `escaped`: names used otherwise than in a call, so that a function of
    that name may be called by anybody.
    """

    modules: dict[str, Scope] = field(default_factory=dict)
    functions: dict[str, list[Scope]] = field(default_factory=lambda: defaultdict(list))
    written: dict[str, list[tuple[ast.expr | None, Place]]] = field(default_factory=lambda: defaultdict(list))
    stirred: set[str] = field(default_factory=set)
    escaped: set[str] = field(default_factory=set)
    count: int = 0


class Binder(ast.NodeVisitor):
    """Gathers the bindings of one file into a program; call it for each of its cells."""

    def __init__(self, program: Program, file: str):
        self.program = program
        self.scope = program.modules.setdefault(file, Scope("module", file))
        self._branches = self._loops = 0

    @property
    def place(self) -> Place:
        """Where the reader is."""
        return Place(self.scope, self.program.count, self._loops > 0)

    def bind(self, target: ast.AST, value: Value, surely: bool = True) -> None:
        """A target of an assignment takes a value."""
        match target:
            case ast.Name(id=name):
                self._bind(self.scope, name, value, surely)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                given: Iterable[Value] = [None] * len(parts)
                if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(parts):
                    given = value.elts
                for part, one in zip(parts, given, strict=True):
                    self.bind(part, one, surely and not isinstance(one, ast.Starred))
            case ast.Starred(value=inner):
                self.bind(inner, None)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if self.scope.method_of:
                self._bind(self.scope.method_of, name, value, False)
            case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
                self.program.written[name].append(
                    (value if isinstance(value, ast.expr) else None, self.place)
                )
                self.program.count += 1
            case ast.Subscript(value=ast.Name(id=name)) | ast.Subscript(value=ast.Attribute(attr=name)):
                self.program.stirred.add(name)

    def _bind(self, scope: Scope, name: str, value: Value, surely: bool) -> None:
        if name in scope.outer:
            scope, surely = scope.module, False
        if isinstance(value, ast.expr) and sum(1 for _ in islice(ast.walk(value), NODES)) == NODES:
            value = None
        self.program.count += 1
        if self.program.count <= BINDINGS:
            scope.bindings[name].append(Binding(value, self.place, surely and not self._branches))

    @contextmanager
    def _inside(self, scope: Scope) -> Iterator[None]:
        before = self.scope, self._branches, self._loops
        self.scope, self._branches, self._loops = scope, 0, 0
        yield
        self.scope, self._branches, self._loops = before

    def _visit(self, nodes: Iterable[ast.AST | None], branch: int = 0, loop: int = 0) -> None:
        self._branches += branch
        self._loops += loop
        for node in nodes:
            if node is not None:
                self.visit(node)
        self._branches -= branch
        self._loops -= loop

    # -- statements --------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)
            self.bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit([node.value, node.target])
        if node.value is not None:
            self.bind(node.target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._visit([node.value, node.target])
        self.bind(node.target, None)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.bind(node.target, node.value, False)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.bind(target, None)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        started = isinstance(node.test, ast.Compare) and getattr(node.test.left, "id", "") == "__name__"
        self._visit(node.body, branch=not started)
        self._visit(node.orelse, branch=1)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.bind(node.target, None)
        self._visit(node.body, branch=1, loop=1)
        self._visit(node.orelse, branch=1)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self._visit([node.test, *node.body], branch=1, loop=1)
        self._visit(node.orelse, branch=1)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        for handler in node.handlers:
            if handler.name:
                self.bind(ast.Name(handler.name), None, False)
        self._visit([*node.body, *node.handlers, *node.orelse], branch=1)
        self._visit(node.finalbody)

    visit_TryStar = visit_Try

    def visit_Match(self, node: ast.Match) -> None:
        self._visit([node.subject, *node.cases], branch=1)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self.bind(ast.Name(node.name), None, False)

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self.bind(node.optional_vars, node.context_expr)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.outer |= set(node.names)

    visit_Nonlocal = visit_Global

    def visit_Return(self, node: ast.Return) -> None:
        self.scope.returns.append((node.value, self.place))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(ast.Name(alias.asname or whole), Imported(whole))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.scope.stars.append(node.module or "")
            else:
                taken = Imported(node.module or "", alias.name, node.level)
                self.bind(ast.Name(alias.asname or alias.name), taken)

    # -- scopes ------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: Function) -> None:
        self._visit([*node.decorator_list, node.args])
        scope = Scope("function", self.scope.file, node.name, self.scope)
        self.bind(ast.Name(node.name), scope)
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults: dict[str, ast.expr | None] = {a.arg: None for a in (*positional, *node.args.kwonlyargs)}
        last = positional[len(positional) - len(node.args.defaults) :]
        defaults |= dict(zip((a.arg for a in last), node.args.defaults, strict=True))
        defaults |= dict(zip((a.arg for a in node.args.kwonlyargs), node.args.kw_defaults, strict=True))
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
        bound = self.scope.kind == "class" and not static
        scope.parameters = [a.arg for a in positional][bound:]
        called = self.scope.name if bound and node.name == "__init__" else node.name
        self.program.functions[called].append(scope)
        with self._inside(scope):
            for name, default in defaults.items():
                self.bind(ast.Name(name), Parameter(scope, name, default))
            for more in (node.args.vararg, node.args.kwarg):
                if more is not None:
                    self.bind(ast.Name(more.arg), None)
            self._visit(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit([*node.decorator_list, *node.bases, *node.keywords])
        scope = Scope("class", self.scope.file, node.name, self.scope, bases=node.bases)
        self.bind(ast.Name(node.name), scope)
        with self._inside(scope):
            self._visit(node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        with self._inside(Scope("function", self.scope.file, "", self.scope)):
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    self.bind(ast.Name(argument.arg), None)
            self.visit(node.body)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        with self._inside(Scope("function", self.scope.file, "", self.scope)):
            for part in node.generators:
                self.visit(part.iter)
                self.bind(part.target, None)
                self._visit(part.ifs)
            self._visit([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp

    # -- uses --------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.program.escaped.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.program.escaped.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:  # what is called does not escape
            case ast.Name():
                pass
            case ast.Attribute(value=inner, attr=name):
                self.visit(inner)
                if name in ("update", "merge_from_file", "__dict__"):
                    self.program.stirred.add(getattr(inner, "id", getattr(inner, "attr", "")))
            case _:
                self.visit(node.func)
        if getattr(node.func, "id", "") == "setattr" and len(node.args) == 3:
            match node.args[1]:
                case ast.Constant(value=str(name)):
                    self.program.written[name].append((node.args[2], self.place))
                case _:
                    self.program.stirred.add(getattr(node.args[0], "id", ""))
        self._visit([*node.args, *node.keywords])
