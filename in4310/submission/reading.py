"""Asks one confined child what stands in the files of a folder: the judge parses nothing that was handed in.

The child (`reader`) sends plain values, and the type of every field is looked at here. A file that ends, hangs or fills
the child is known, as it says what it begins to read: that file is refused with a sentence, and a new child reads the
rest. After RESTARTS of them only what was read without harm is read. Where nothing can be confined, the same tasks are
done in this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from torch import Tensor, from_numpy

from in4310.errors import NotJudged, of_the_machine
from in4310.shown import shown
from in4310.submission import source
from in4310.submission.answers import Found, found_of, look_of, panels_of, seeds_of, stated_of
from in4310.submission.documents import Stated
from in4310.submission.files import MANIFEST, walk
from in4310.submission.looks import Look
from in4310.submission.panels import Panels
from in4310.submission.pieces import Hints
from in4310.submission.placed import Changed, Source
from in4310.submission.plain import STRANGE, NotPlain, all_of, of, unpack
from in4310.submission.reader import Reader, names_of
from in4310.submission.sandbox.worker import Answer, Sandbox, Worker, WorkerFailed
from in4310.submission.source import Call

RESTARTS = 4
SECONDS = 120.0  # for one answer; the CPU time of the sandbox's limits ends a child sooner that computes
Places = Mapping[str, tuple[str, bool]]
Value = TypeVar("Value")


class _Ended(Exception):
    """A reader that died, hung, grew, failed or lied; the message says it of the file that it was reading."""


def _manifest_of(answer: Answer) -> tuple[dict[str, Any], list[str]]:
    told = of(list, unpack(answer.result, {}))
    if len(told) != 2:
        raise NotPlain("is not what a manifest is told as")
    return of(dict, told[0]), all_of(str, told[1])


class Readers:
    """The readers of one folder: one child for as long as it lives. A context manager.

    `seconds`: for one answer.
    """

    def __init__(self, sandbox: Sandbox | None, folder: Path, seconds: float = SECONDS):
        self.folder = folder.resolve()
        self._sandbox, self._seconds = sandbox, seconds
        self._stack = ExitStack()
        self._worker: Worker | None = None
        self._own: Reader | None = None
        self._reading = ""
        self._past: set[str] = set()  # files that were read without harm
        self._without: dict[str, str] = {}  # file -> why it is not read
        self._ends = 0

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def confined(self) -> bool:
        """Whether files are read behind walls."""
        return self._sandbox is not None and self._sandbox.tier.confined

    # -- what is asked -----------------------------------------------------------------------------

    @cached_property
    def manifest(self) -> tuple[dict[str, Any], list[str]]:
        """The tables of submission.toml, and what of it could not be read. Raises ValueError."""
        return self._ask("manifest", {}, MANIFEST, _manifest_of)

    def discover(self, hints: Hints, places: Places) -> Found:
        """Candidates for every piece; what ends its reader is refused and named. Raises ValueError if all do."""
        arguments = {
            "classes": list(hints.classes),
            "sizes": dict(hints.sizes),
            "places": [[piece, place, named] for piece, (place, named) in places.items()],
        }
        return self._again("discover", arguments, found_of, {"images": names_of(hints.images)})

    def tensors(self, file: str) -> dict[str, Tensor]:
        """Tensors of a weights file by dotted name. Raises ValueError, one line."""
        if (
            not self.confined
        ):  # what was read here may be the file itself, mapped: nothing may write through it
            own = self._ask("weights", {"file": file}, file, lambda answer: answer).arrays
            return {name: from_numpy(np.array(array)) for name, array in own.items()}
        assert self._sandbox is not None
        with Source(self.folder / file, self._sandbox.limits.answer_bytes) as source:
            try:
                arrays = self._weights(file, source)
            except Changed:
                source.status = []  # from here on all of it is sent
                arrays = self._weights(file, source)
        return {name: from_numpy(array) for name, array in arrays.items()}

    def _weights(self, file: str, source: Source) -> dict[str, np.ndarray]:
        asked = {"file": file, "status": source.status}
        return self._ask("weights", asked, file, lambda told: source.arrays(told.result, told.arrays))

    def look(self, file: str) -> Look:
        """A look at a picture, NOTEBOOK/NAME for one that a notebook has saved."""
        try:
            return self._ask("look", {"file": file}, file, look_of)
        except ValueError as error:
            return Look(None, shown(str(error), 200))

    def panels(self, file: str) -> Panels:
        """Panels of a picture, named as for `look`; none of one that cannot be read."""
        try:
            return self._ask("panels", {"file": file}, file, panels_of)
        except ValueError:
            return Panels()

    def calls(self) -> list[Call]:
        """Calls in the source; a reader that ends costs what the file that it was reading would have told."""
        try:
            return self._again("calls", {}, lambda answer: source.from_document(unpack(answer.result, {})))
        except ValueError:
            return []

    def seeds(self) -> list[tuple[int, str]]:
        """(seed, file) that files of settings state."""
        try:
            return self._again("seeds", {}, seeds_of)
        except ValueError:
            return []

    def code(self, most: int) -> str:
        """The code, cut at `most` characters; '' where it cannot be read."""
        try:
            return self._again("code", {"most": most}, lambda answer: of(str, unpack(answer.result, {})))[
                :most
            ]
        except ValueError:
            return ""

    def document(self, file: str, classes: Sequence[str]) -> tuple[list[Stated], list[Stated]]:
        """What a PDF states of evaluation, and of shares by module. Raises ValueError, one line."""
        return self._ask("document", {"file": file, "classes": list(classes)}, file, stated_of)

    # -- how it is asked ---------------------------------------------------------------------------

    def _ask(
        self, what: str, arguments: Mapping[str, Any], file: str, understood: Callable[[Answer], Value]
    ) -> Value:
        """About one file. Raises ValueError where it is refused, was before, or ends its reader."""
        if self._ends > RESTARTS:
            self._without.setdefault(file, self._why_no_more())
        if file in self._without:
            raise ValueError(self._without[file])
        try:
            return self._once(what, arguments, {}, understood)
        except _Ended as end:
            self._without[file] = str(end)
            raise ValueError(str(end)) from None

    def _again(
        self,
        what: str,
        arguments: Mapping[str, Any],
        understood: Callable[[Answer], Value],
        arrays: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> Value:
        """About all files, without those that end the reader. Raises ValueError where it ends all the same."""
        while True:
            try:
                return self._once(what, arguments, arrays, understood)
            except _Ended as end:
                if self._ends > RESTARTS + 1 or not self._reading or self._reading in self._without:
                    raise ValueError(str(end)) from None
                self._without[self._reading] = str(end)
                if self._ends > RESTARTS:
                    known = self._past | set(self._without)
                    self._without |= {f: self._why_no_more() for f in walk(self.folder) if f not in known}

    def _once(
        self,
        what: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        understood: Callable[[Answer], Value],
    ) -> Value:
        self._reading = ""
        given = {**arguments, "what": what, "without": self._without}
        try:
            return understood(
                self._behind_walls(given, arrays) if self.confined else self._here(given, arrays)
            )
        except NotPlain:
            raise self._ended(STRANGE) from None

    def _here(self, given: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Answer:
        self._own = self._own or Reader(self.folder, self._begun)
        try:
            return Answer(*self._own.answer(given, arrays))
        except NotPlain as error:
            raise ValueError(str(error)) from None
        except Exception as error:
            if of_the_machine(error) or isinstance(error, ValueError):
                raise
            if isinstance(error, OSError):
                raise ValueError(error.strerror or str(error)) from None
            raise self._ended(
                f"reading it failed ({type(error).__name__}: {shown(str(error), 100)})"
            ) from error

    def _behind_walls(self, given: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Answer:
        assert self._sandbox is not None
        limits = self._sandbox.limits
        if self._worker is None:
            try:
                self._worker = self._stack.enter_context(
                    self._sandbox.worker(self.folder, limits, live=False)
                )
            except WorkerFailed as failure:
                raise NotJudged(f"no process can be started to read what was handed in: {failure}") from None
        try:
            answer = self._worker.call("read", given, arrays, self._seconds, self._begun)
        except WorkerFailed as failure:
            if failure.kind == "refused":
                raise ValueError(str(failure)) from None
            kind = "memory" if str(failure).startswith("MemoryError") else failure.kind
            said = {
                "timeout": f"reading it took more than {self._seconds:g} seconds",
                "memory": f"reading it took more than {limits.memory_bytes >> 20} MiB of memory",
                "died": "reading it ended the process that reads",
                "failed": f"reading it failed ({failure})",
                "protocol": STRANGE,
            }
            raise self._ended(said.get(kind, f"what reads it {failure}")) from None
        told = of(dict, answer.result)
        if "lacking" in told:  # the disk, not the file
            raise OSError(of(int, told["lacking"]), os.strerror(of(int, told["lacking"])))
        return Answer(told.get("read"), answer.arrays)

    def _why_no_more(self) -> str:
        return f"not read: {self._ends} other files ended what reads them"

    def _begun(self, file: str) -> None:
        if self._reading:
            self._past.add(self._reading)
        self._reading = file

    def _ended(self, why: str) -> _Ended:
        self._ends += 1
        self._own = self._worker = None
        self._stack.close()
        return _Ended(why)
