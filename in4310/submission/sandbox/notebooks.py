"""Notebooks in a confined child: the functions that they define, or all cells in order."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

NOTEBOOK_BYTES = 64 * 2**20
PYTHON = ("time", "timeit", "capture", "prun")  # magics of a cell, the rest of which is Python
TEXT = 20_000  # characters kept of what one cell prints
# Calls that an assignment may make when only functions are wanted: `device = torch.device("cpu")`, `N = len(CLASSES)`.
BUILTINS = {"bool", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range", "set", "sorted", "str",
            "sum", "tuple", "zip"}  # fmt: skip


class Refused(Exception):
    """A task that cannot be done with what was handed in; the message says why and how to mend it."""


def sources(path: Path) -> list[str]:
    """Sources of a notebook's code cells, as plain Python. Raises Refused."""
    try:
        if path.stat().st_size > NOTEBOOK_BYTES:
            raise Refused(f"{path.name} is larger than {NOTEBOOK_BYTES} bytes; clear its outputs")
        cells = json.loads(path.read_text(encoding="utf-8-sig"))["cells"]
        found = ["".join(c.get("source", "")) for c in cells if c.get("cell_type") == "code"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{path.name} is not a notebook ({str(error)[:80]})") from None
    return [plain(source) for source in found]


def plain(source: str) -> str:
    """A cell as Python, line by line: what is for IPython and the shell does nothing."""
    return "\n".join(_plain_lines(source))


def _plain_lines(source: str) -> Iterator[str]:
    """The same lines, so that an error is told where it is."""
    try:
        compile(source, "", "exec", ast.PyCF_ONLY_AST)
        yield from source.splitlines()
        return
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    other = (match := re.match(r"\s*%%(\w+)", source)) and match[1] not in PYTHON
    for line in source.splitlines():
        indent, text = line[: len(line) - len(line.lstrip())], line.strip()
        if other or text.startswith("%%"):
            yield ""
        elif timed := re.match(r"%time(?:it)?\s+(?:-\S+\s+)*(?!-)(.+)", text):
            yield indent + timed[1]
        elif text.startswith(("%", "!", "?")) or re.fullmatch(r"[\w.]+\?\??", text):
            yield f"{indent}pass"
        elif given := re.match(r"(\w+ *=) *[!%]", text):
            yield f"{indent}{given[1]} []"  # what a shell would have said
        else:
            yield line


def namespace(path: Path) -> dict[str, Any]:
    """Names defined by a notebook's imports, functions, classes and plain assignments; other lines are not run.

    An assignment is plain where it calls nothing but common builtins and what was imported: training is not started.
    What fails is left out. Raises Refused for what is no notebook.
    """
    names: dict[str, Any] = {"__name__": "notebook"}
    imported: set[str] = set()
    for source in sources(path):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                if not _is_plain(node, imported):
                    continue
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            with contextlib.suppress(Exception):
                exec(compile(ast.Module(body=[node], type_ignores=[]), path.name, "exec"), names)
    return names


def _is_plain(node: ast.AST, imported: set[str]) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            root = part.func
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            if not isinstance(root, ast.Name) or root.id not in imported | BUILTINS:
                return False
    return True


def run(folder: str, arguments: Any, arrays: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """Run all code cells of a notebook in order, up to the first that fails.

    In this process, without a kernel, which would need sockets. What cells print and the value of their last line are
    kept as text, pictures are not. Returns {'cells': [{'text', 'error', 'seconds'}], 'complete'}.
    """
    path = Path(folder) / arguments["path"]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    names: dict[str, Any] = {"__name__": "__main__", "display": print, "get_ipython": _no_ipython}
    cells: list[dict[str, Any]] = []
    found = sources(path)
    for number, source in enumerate(found):
        start, printed, error = time.monotonic(), _Bounded(), None
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                _run_cell(source, f"cell {number}", names)
        except BaseException as raised:
            error = "".join(traceback.format_exception_only(raised))[:2000]
        text, seconds = printed.getvalue(), round(time.monotonic() - start, 3)
        cells.append({"text": _unicode(text), "error": error and _unicode(error), "seconds": seconds})
        if error is not None:
            break
    return {
        "cells": cells,
        "complete": len(cells) == len(found) and (not cells or cells[-1]["error"] is None),
    }, {}


def _run_cell(source: str, name: str, names: dict[str, Any]) -> None:
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), names)
        if value is not None and not source.rstrip().endswith(";"):
            print(repr(value))


def _no_ipython() -> Any:
    raise NameError("magics are left out: cells run as plain Python")


def _unicode(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


class _Bounded(io.StringIO):
    """Text up to TEXT characters; the rest is thrown away."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, TEXT - self.tell())])
        return len(text)
