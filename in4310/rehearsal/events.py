"""What is seen, as it leaves the program's process: bounded JSON lines, each with the student's own file and line."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch.overrides

from in4310.rehearsal.sites import Sites, Under

LINE = 3900  # bytes of an event; a note of the sandbox holds 4096
EACH = 40  # events of one kind at one place; what comes after is counted
ALL = 4000
TEXT = 160
BETWEEN = (
    str(Path(__file__).parent),
    contextlib.__file__,
    torch.overrides.__file__,
)  # frames of watching itself
Describe = Callable[..., Mapping[str, Any] | None]


class Recorder:
    """Takes events, and wraps the functions that give them. `write` takes one line; `root`: where the program lies."""

    def __init__(self, write: Callable[[bytes], None], root: str, known: Sites | None = None):
        self._write, self.root, self.sites = write, root.rstrip("/") + "/", known or Sites()
        self.steps = self.passes = 0  # of optimisers, and over loaders
        self.since: list[int] = []  # loaders whose batches were evaluated since the last step
        self.mixed = False  # listings come in another order
        self.enough: BaseException | None = None  # raised at the first step: only the data are wanted
        self.late = False  # little time is left
        self.turn, self.turns = 0, 1  # of the commands that a program has, one at a time
        self.range: Any = range  # what the hand-in's own modules have for it
        self._process = os.getpid()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._inside = self._sent = 0
        self.loader: dict[str, Any] = {}  # what is known of the loader whose batch is at work
        self.outputs: OrderedDict[Any, list[Any]] = (
            OrderedDict()
        )  # network, loader, pass -> its outputs, the last few
        self.inputs: deque[tuple[Any, int]] = deque(
            maxlen=64
        )  # first values of images that networks saw; how many
        self.look: Callable[[Any, str, str, bool], None] | None = (
            None  # at a row of a data set, which file it is of
        )
        self.torch: dict[str, Describe] = {}  # name of a torch function -> what is said of a call of it
        self.aliases: dict[str, str] = {}  # such a name -> the kind of its events, where that is not the name

    def note(self, kind: str, at: str | None = None, **fields: Any) -> None:
        """An event, at the innermost line of the student's own that led here."""
        place = self.place() if at is None else at
        self._counts[kind, place] += 1
        if self._counts[kind, place] <= EACH and self._sent < ALL and os.getpid() == self._process:
            self._sent += 1
            self._send({"kind": kind, "at": place, "name": self._named(), **fields})

    def rows(self, kind: str, values: list[int], **fields: Any) -> None:
        """An event with whole numbers, as many as there are images, in parts."""
        part = 500
        starts = range(0, len(values), part) or (0,)
        place = self.place()
        for start in starts:
            some = values[start : start + part]
            self._send({"kind": kind, "at": place, "from": start, "rows": some, **fields})

    def finish(self) -> None:
        """How often each was seen, where that is more than was told."""
        for (kind, place), count in self._counts.items():
            if count > EACH:
                self._send({"kind": "count", "at": place, "of": kind, "times": count})

    def _send(self, event: Mapping[str, Any]) -> None:
        line = json.dumps(bounded(event)).encode()
        if len(line) <= LINE:
            self._write(line + b"\n")

    def frame(self) -> FrameType | None:
        """The innermost frame of the student's own code."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not frame.f_code.co_filename.startswith(self.root):
            frame = frame.f_back
        return frame

    def own(self) -> bool:
        """Whether the student's own line made the call that is being described, and no library in between."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith(BETWEEN):
            frame = frame.f_back
        return frame is not None and frame.f_code.co_filename.startswith(self.root)

    def place(self) -> str:
        """'train.py:41' of that frame, '' where no line of the student's led here."""
        frame = self.frame()
        return self._of(frame) if frame else ""

    def under(self) -> Under | None:
        """The comparison that led here, in this function of the student's or in one that called it."""
        frame = self.frame()
        while frame is not None:
            if frame.f_code.co_filename.startswith(self.root) and (
                found := self.sites.under.get(self._of(frame))
            ):
                return found
            frame = frame.f_back
        return None

    def _of(self, frame: FrameType) -> str:
        return f"{self.file(frame.f_code.co_filename)}:{frame.f_lineno}"

    def file(self, name: str) -> str:
        """The name of a file of the student's own, relative to the hand-in, without detours."""
        return os.path.relpath(name, self.root) if "/../" in name else name[len(self.root) :]

    def _named(self) -> str:
        """The name that takes what the call at that line gives: known by the place of the call in its file."""
        if (frame := self.frame()) is None:
            return ""
        positions = itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)
        line, _, column, _ = next(positions, (None, None, None, None))
        return self.sites.targets.get(f"{self.file(frame.f_code.co_filename)}:{line}:{column}", "")

    @contextmanager
    def quiet(self) -> Iterator[bool]:
        """Work of a library's own: gives whether it was called by the student, and notes nothing that it calls."""
        self._inside += 1
        try:
            yield self._inside == 1
        finally:
            self._inside -= 1

    def at_rest(self, do: Callable[..., None], *given: Any) -> None:
        """Work of an observer's own, of which nothing is noted and nothing fails."""
        with suppress(Exception), self.quiet():
            do(*given)

    def function(
        self, owner: Any, name: str, describe: Describe, kind: str = "", refused: Describe | None = None
    ) -> None:
        """Note each call of `owner.name` by the student: `describe(result, *arguments, **keywords)` gives its fields.

        `refused` describes one that raised, with the error as its result; event 'refused'.
        """
        original = getattr(owner, name, None)
        if original is None:
            return

        @functools.wraps(original)
        def seen(*arguments: Any, **keywords: Any) -> Any:
            with self.quiet() as outermost:
                try:
                    result = original(*arguments, **keywords)
                except Exception as error:
                    if refused is not None and outermost:
                        self.told("refused", refused, error, arguments, keywords)
                    raise
            if outermost:
                self.told(kind or name, describe, result, arguments, keywords)
            return result

        setattr(owner, name, seen)

    def told(self, kind: str, describe: Describe, result: Any, arguments: Any, keywords: Any) -> None:
        """Note what an observer says of a call. An observer that fails says so, and disturbs nothing."""
        try:
            with self.quiet():
                fields = describe(result, *arguments, **keywords)
        except Exception as error:
            fields = {"unseen": type(error).__name__}
        if fields is not None:
            self.note(kind, **fields)


def bounded(value: Any, depth: int = 0) -> Any:
    """A value as short JSON: numbers, truth values, cut texts, short lists and tables of them; else its type's name."""
    if value is None or type(value) in (bool, int):
        return value if not isinstance(value, int) or abs(value) < 10**15 else str(type(value).__name__)
    if type(value) is float:
        return round(value, 8) if value == value and abs(value) < 1e300 else None
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()[:TEXT]
    if isinstance(value, os.PathLike):
        return bounded(os.fspath(value), depth)
    if isinstance(value, Mapping) and depth < 4:
        return {str(k)[:60]: bounded(v, depth + 1) for k, v in list(value.items())[:40]}
    if isinstance(value, list | tuple) and depth < 4:
        most = 600 if depth == 1 and all(type(v) is int for v in value) else 24
        return [bounded(v, depth + 1) for v in value[:most]]
    if hasattr(value, "item") and getattr(value, "size", None) == 1:
        return bounded(value.item(), depth + 1)
    return type(value).__name__
