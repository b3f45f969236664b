"""When time grows short, loops over epochs end politely, so that what comes after training is reached."""

from __future__ import annotations

import builtins
import importlib.machinery
import linecache
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib.axes

from in4310.rehearsal.events import Recorder


class Loop(Sequence[int]):
    """A range that a `for` runs over. It ends early after a round with training in it, where the time is late."""

    def __init__(self, numbers: range, see: Recorder):
        self._numbers, self._see = numbers, see

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._numbers[index]

    def __iter__(self) -> Iterator[int]:
        for number in self._numbers:
            steps, passes = self._see.steps, self._see.passes
            yield number
            if self._see.late and self._see.steps > steps and self._see.passes > passes:
                self._see.note("hurried")
                return


class Finder(importlib.machinery.PathFinder):
    """Gives modules of the hand-in the same `range`; all others keep Python's."""

    range: Any = builtins.range
    root = "/"

    @classmethod
    def find_spec(
        cls, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As Python's, for files of the hand-in."""
        spec = super().find_spec(fullname, path, target)
        loader = getattr(spec, "loader", None)
        if spec is None or loader is None or not str(spec.origin).startswith(cls.root):
            return None
        run = loader.exec_module

        def run_with_range(module: types.ModuleType) -> None:
            module.__dict__["range"] = cls.range
            run(module)

        loader.exec_module = run_with_range
        return spec


def stand_in(see: Recorder) -> None:
    """For the hand-in's own modules; what it plots is cut to the epochs that there were."""

    def counted(*arguments: Any) -> Any:
        caller = sys._getframe(1)
        line = linecache.getline(caller.f_code.co_filename, caller.f_lineno)
        numbers = builtins.range(*arguments)
        return Loop(numbers, see) if line.lstrip().startswith("for ") else numbers

    see.range = counted
    Finder.range, Finder.root = counted, see.root
    sys.meta_path.insert(0, Finder)
    plot = matplotlib.axes.Axes.plot

    def cut(self: Any, *given: Any, **keywords: Any) -> Any:
        if len(given) >= 2 and all(hasattr(g, "__len__") and not isinstance(g, str) for g in given[:2]):
            shorter = min(len(given[0]), len(given[1]))
            if see.late and len(given[0]) != len(given[1]):
                given = (given[0][:shorter], given[1][:shorter], *given[2:])
        return plot(self, *given, **keywords)

    matplotlib.axes.Axes.plot = cut  # type: ignore[method-assign]
