"""Which files of a hand-in start, in which order, and where they look for the data set: by their syntax trees only."""

from __future__ import annotations

import ast
import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from in4310.submission.files import walk
from in4310.submission.sandbox import notebooks
from in4310.submission.source import BYTES, NO_SCRIPTS, code_files

DATA = "/dataset"  # where the data set lies in the world of a program
STAGES = (
    re.compile(r"split|prep|download|make_?data|create"),
    re.compile(r"train|main|run|oblig|mand|assign|task_?1|in\d{4}|fit"),
    re.compile(r"eval|test|predict|infer|score|task_?2"),
    re.compile(r"feature|map|pca|plot|visual|inside|task_?3|analy"),
)
COMMAND = re.compile(r"python3?\s+(?:-[a-ln-zA-Z]\s+)?(?:-m\s+([\w.]+)|([\w./-]+\.py))([^\n`|&;\"']*)")
DATA_NAME = re.compile(r"data|root|img|image|photo|mandatory|dataset", re.I)
OUTPUT = re.compile(
    r"out|result|save|log|checkpoint|ckpt|model|weight|fig|plot|runs|history|split|index|report|score|csv",
    re.I,
)
PATH = re.compile(r"[\w./ -]*")
DATA_FOLDER = re.compile(r"data|mandatory_?\d|images?|photos|scenes", re.I)
WINDOWS = re.compile(r"^[A-Za-z]:[\\/]")
OURS = "in4310"  # what imports it is no program of a student's, but the house's own way of making a hand-in
CONFIGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")


@dataclass(frozen=True)
class Program:
    """A file that starts: its arguments, and the folder, relative to the hand-in, that it starts in.

    `module`: its name there, where it is started as a part of its package (python -m).
    """

    file: str
    arguments: tuple[str, ...] = ()
    folder: str = ""
    why: str = ""
    module: str = ""


@dataclass
class Code:
    """One Python file or notebook, parsed."""

    file: str
    trees: list[ast.Module] = field(default_factory=list)
    error: str = ""

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """All nodes."""
        return (node for tree in self.trees for node in ast.walk(tree))


def read(folder: Path) -> list[Code]:
    """All code of a hand-in; what cannot be parsed has no trees, and says why."""
    found = []
    for file in code_files(folder):
        path = folder / file
        code = Code(file)
        try:
            if file.endswith(".ipynb"):
                texts = notebooks.sources(path)
            else:
                if path.stat().st_size > BYTES:
                    continue
                texts = [path.read_text(encoding="utf-8-sig", errors="replace")]
            code.trees = [ast.parse(text) for text in texts]
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError, notebooks.Refused) as error:
            code.error = f"{type(error).__name__}: {error}"[:200]
        found.append(code)
    return found


def programs(folder: Path, codes: Iterable[Code]) -> list[Program]:
    """What starts, in order: the commands that are written down, else what would do something when it is run."""
    codes = list(codes)
    known = {code.file: code for code in codes}
    if written := list(_commands(folder, known)):
        return written
    imported = {name for code in codes for name in _imports(code)}
    found = []
    for code in codes:
        path = PurePosixPath(code.file)
        if (
            OURS in _imports(code)
            or path.name in NO_SCRIPTS
            or (path.name.startswith("test_") and "pytest" in _imports(code))
        ):
            continue
        if path.suffix == ".ipynb":
            why = "a notebook"
        elif any(map(_guard, _statements(code))):
            if path.stem in imported and _stage(code.file) is None:
                continue  # a module with a try-out of its own
            why = "it has a __main__ guard"
        elif path.stem not in imported and any(map(_acts, _statements(code))):
            why = "it does something at its top level"
        else:
            continue
        found.append(_program(code, why))
    found.sort(key=lambda p: (1.5 if (stage := _stage(p.file)) is None else stage, p.file))
    return found[:8]


def _program(code: Code, why: str, arguments: tuple[str, ...] = (), within: bool = True) -> Program:
    """How it starts: beside itself, or as a part of its package where it imports relatively; else from the top."""
    path = PurePosixPath(code.file)
    levels = [n.level for n in code.nodes if isinstance(n, ast.ImportFrom)]
    if (deep := max(levels, default=0)) and len(path.parts) >= deep:
        parts = path.with_suffix("").parts
        first = len(parts) - 1 - deep
        if first < 0:
            return Program(code.file, arguments, "..", why, "." + ".".join(parts))
        return Program(code.file, arguments, "/".join(parts[:first]), why, ".".join(parts[first:]))
    return Program(
        code.file, arguments, "" if not within or str(path.parent) == "." else str(path.parent), why
    )


def _commands(folder: Path, known: dict[str, Code]) -> Iterator[Program]:
    texts = [f for f in sorted(folder.glob("*")) if re.match(r"readme|submission\.toml$", f.name, re.I)]
    seen = set()
    for path in texts:
        if (
            path.is_file()
            and path.suffix.lower() in ("", ".md", ".txt", ".rst", ".toml")
            and path.stat().st_size < BYTES
        ):
            for module, script, rest in COMMAND.findall(path.read_text(encoding="utf-8", errors="replace")):
                names = (
                    [f"{module.replace('.', '/')}{end}" for end in (".py", "/__main__.py")] if module else []
                )
                script = next((n for n in names if n in known), script).removeprefix("./")
                if script in known and script not in seen and OURS not in _imports(known[script]):
                    seen.add(script)
                    try:
                        given = tuple(shlex.split(rest))
                    except ValueError:
                        given = ()
                    if not any(re.search(r"[<>\[\]{}]|\.\.\.", g) for g in given):
                        yield _program(known[script], f"{path.name} says how it is started", given, False)


def _stage(file: str) -> int | None:
    stem = PurePosixPath(file).stem.lower()
    return next((n for n, words in enumerate(STAGES) if words.search(stem)), None)


def _imports(code: Code) -> set[str]:
    found = set()
    for node in code.nodes:
        if isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    return found


def _statements(code: Code) -> list[ast.stmt]:
    return [statement for tree in code.trees for statement in tree.body]


def _guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _acts(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and "seed" not in ast.dump(node.value.func)
    return isinstance(node, ast.For | ast.While | ast.With)


def roots(folder: Path, codes: Iterable[Code], classes: Iterable[str]) -> list[str]:
    """Places in which the code, its defaults or its settings seek the data set, the longest first."""
    classes = set(classes)
    found: set[str] = set()
    for name, text in [*_texts(codes), *_settings(folder)]:
        clean = text.strip()
        if not clean or len(clean) > 200 or "\n" in clean or "://" in clean or re.search(r"[*{}<>|?]", clean):
            continue
        parts = [p for p in re.split(r"[\\/]", clean) if p]
        while parts and parts[-1] in classes:
            parts = parts[:-1]
            clean = clean.rstrip("\\/").rpartition("\\" if "\\" in clean else "/")[0]
        if (
            not parts
            or clean.startswith("-")
            or parts == ["."]
            or PurePosixPath(parts[-1]).suffix
            or OUTPUT.search(parts[-1])
        ):
            continue
        absolute = clean.startswith(("/", "~")) or WINDOWS.match(clean)
        if OUTPUT.search(name) and not DATA_NAME.search(name):
            continue
        named = DATA_NAME.search(name) and not OUTPUT.search(name)
        of_data = PATH.fullmatch(clean) and DATA_FOLDER.search(parts[-1])
        if absolute or of_data or (named and not (folder / clean).exists()):
            found.add(clean)
    return sorted(found, key=lambda r: (-len(re.split(r"[\\/]", r)), r))[:40]


def _texts(codes: Iterable[Code]) -> Iterator[tuple[str, str]]:
    """(name, text) of the constants, and of paths joined from constants."""
    for code in codes:
        constants: dict[str, str] = {}
        names: dict[int, str] = {}
        for node in code.nodes:
            if isinstance(node, ast.Assign):
                name = ast.unparse(node.targets[0])[:80]
                names[id(node.value)] = name
                if (text := _joined(node.value, constants)) is not None:
                    constants[name] = text
            elif isinstance(node, ast.keyword) and node.arg:
                names.setdefault(id(node.value), node.arg)
            elif isinstance(node, ast.arguments):
                given = node.posonlyargs + node.args
                for argument, default in zip(
                    given[len(given) - len(node.defaults) :], node.defaults, strict=True
                ):
                    names[id(default)] = argument.arg
            elif (
                isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument" and node.args
            ):
                flag = getattr(node.args[0], "value", "")
                names |= {id(k.value): str(flag) for k in node.keywords if k.arg == "default"}
        for node in code.nodes:
            text = (
                _joined(node, constants)
                if isinstance(node, ast.Constant | ast.Call | ast.BinOp | ast.JoinedStr)
                else None
            )
            if text is not None:
                yield names.get(id(node), ""), text


def _joined(node: ast.AST, constants: dict[str, str]) -> str | None:
    """What a path is, where it is put together from constants."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id="__file__"):
            return "__file__"
        case ast.Name(id=name):
            return constants.get(name)
        case ast.Attribute(value=of, attr="parent"):
            return _above(_joined(of, constants))
        case ast.Subscript(
            value=ast.Attribute(value=of, attr="parents"), slice=ast.Constant(value=int(times))
        ):
            above = _joined(of, constants)
            for _ in range(min(times, 8) + 1):
                above = _above(above)
            return above
        case ast.Call(func=ast.Attribute(attr="dirname"), args=[of]):
            return _above(_joined(of, constants))
        case ast.Call(func=ast.Attribute(value=of, attr="resolve" | "absolute" | "expanduser"), args=[]):
            return _joined(of, constants)
        case ast.Call(func=ast.Attribute(attr="cwd" | "getcwd"), args=[]):
            return "."
        case ast.Call(func=ast.Attribute(attr="home"), args=[]):
            return "~"
        case ast.Call(
            func=ast.Name(id="Path")
            | ast.Attribute(attr="Path" | "join" | "expanduser" | "abspath" | "realpath" | "normpath"),
            args=parts,
        ):
            found = [_joined(p, constants) for p in parts]
            return None if None in found or not found else "/".join(str(f).rstrip("/") for f in found)
        case ast.BinOp(left=left, op=ast.Div() | ast.Add() as how, right=right):
            one, other = _joined(left, constants), _joined(right, constants)
            between = "/" if isinstance(how, ast.Div) else ""
            return None if one is None or other is None else f"{one}{between}{other}"
    return None


def _above(path: str | None) -> str | None:
    """The folder of a path; '__file__' lies in '.', wherever that is."""
    return None if path is None else posixpath.normpath(f"{path}/..")


def sought(path: str, classes: Iterable[str]) -> str:
    """The root of the data set, where a path that was not there can be in it; '' where it cannot."""
    parts, known = path.split("/"), set(classes)
    inside = next((n for n, part in enumerate(parts) if n and part in known), None)
    if inside is not None:
        return "/".join(parts[:inside])
    last = parts[-1]
    return (
        ""
        if not path.startswith("/") or PurePosixPath(last).suffix or OUTPUT.search(last) or not last
        else path
    )


def _settings(folder: Path) -> Iterator[tuple[str, str]]:
    """(key, text) of settings files, read line by line or as JSON."""
    for file in list(walk(folder, CONFIGS))[:20]:
        path = folder / file
        if path.stat().st_size > 2**16:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".json":
            try:
                level = [json.loads(text)]
            except (ValueError, RecursionError):
                continue
            while level:
                item = level.pop()
                if isinstance(item, dict):
                    yield from ((str(k), v) for k, v in item.items() if isinstance(v, str))
                    level += [v for v in item.values() if isinstance(v, dict | list)]
                elif isinstance(item, list):
                    level += [v for v in item if isinstance(v, dict | list)]
        else:
            for key, value in re.findall(r"^[ \t]*([\w.-]+)[ \t]*[:=][ \t]*['\"]?([^'\"#\n]+)", text, re.M):
                yield key, value.strip()
