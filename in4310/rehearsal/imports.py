"""What is done to a package when the program imports it: before that it need not be read."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

Do = Callable[[types.ModuleType], None]


class Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: lets the others, and adds to what the module does when it is run."""

    def __init__(self) -> None:
        self.wanted: dict[str, Do] = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As the others'."""
        if name not in self.wanted:
            return None
        do = self.wanted.pop(name)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_then_do(module: types.ModuleType) -> None:
            run(module)
            do(module)

        spec.loader.exec_module = run_then_do  # type: ignore[method-assign]
        return spec


_finder = Finder()


def when_imported(name: str, do: Do) -> None:
    """Do it to the module of that name after it was run, or now if it was."""
    if name in sys.modules:
        do(sys.modules[name])
        return
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.wanted[name] = do
