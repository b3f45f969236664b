"""Live code of a submission, called behind the walls: functions named under [adapters]; weights and source read there.

Signatures are those of `in4310.solution`. Each call has a child of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, from_numpy

from in4310.submission import source
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Answer, Sandbox, Worker, WorkerFailed
from in4310.submission.source import Call
from in4310.submission.weights import load_tensors

ADAPTERS = {
    "split": "split(labels: {path: class}, test: int, val: int, seed: int) -> {'train': [paths], 'val', 'test'}",
    "overlap": "overlap(train: [paths], val: [paths], test: [paths]) -> what overlaps, or whether",
    "metrics": "metrics(labels: int64 (N,), scores: float64 (N, C)) -> {'accuracy', 'mean_accuracy', 'map'}",
    "rank": "rank(scores: float64 (N, C), paths: [N], column: int, k: int) -> {'top': [paths], 'bottom': [paths]}",
    "compare": "compare(saved: (N, C), scores: (N, C)) -> True where they agree",
    "train_loader": "train_loader(dataset, batch_size) -> batches of (images, labels), shuffled anew in each epoch",
    "transform": "transform(PIL image) -> float tensor (3, S, S), the one for validation and test",
    "train_epoch": "train_epoch(model, loader, criterion, optimizer, device): one epoch, model.train() included",
    "non_positive": "non_positive(model, loader, modules: [names]) -> {module: percentage}",
    "spectrum": "spectrum(model, loader, modules: [names]) -> {module: [eigenvalues, descending]}",
}


class Live:
    """Calls into one submission. Each call has a child of its own: nothing is carried from one to the next.

    `trusted`: functions are called also where no walls can be had, on Linux, with limits only.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        adapters: Mapping[str, Any],
        limits: Limits | None = None,
        trusted: bool = False,
    ):
        self.sandbox, self.folder, self.limits = sandbox, folder, limits
        self.trusted = trusted and sys.platform == "linux"
        self.adapters = {k: v for k, v in adapters.items() if isinstance(v, str)}
        self.called: list[str] = []

    def has(self, name: str) -> bool:
        """Whether the submission names a function for this, and it may be run here."""
        return name in self.adapters and (self.sandbox.tier.confined or self.trusted)

    def call(self, name: str, arguments: Mapping[str, Any], **arrays: np.ndarray) -> Answer:
        """The function's answer. Raises WorkerFailed."""
        return self.task("call", name, {"arguments": dict(arguments)}, arrays)

    def task(
        self, task: str, name: str, arguments: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Answer:
        """Another task of the sandbox with the function named for `name`. Raises WorkerFailed."""
        if name not in self.called:
            self.called.append(name)
        with self.sandbox.worker(self.folder, self.limits, self.trusted) as worker:
            return worker.call(task, {"target": self.adapters[name], **arguments}, arrays)


class ConfinedLoader:
    """Reads weights files in a confined child, or where none can be had, in this process, as tensors only."""

    def __init__(self, sandbox: Sandbox, folder: Path):
        self.sandbox, self.folder = sandbox, folder.resolve()
        self._stack = ExitStack()
        self._worker: Worker | None = None

    def __enter__(self) -> ConfinedLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, path: Path) -> Mapping[str, Tensor]:
        """Tensors by dotted name. Raises ValueError, one line."""
        if not self.sandbox.tier.confined:
            return load_tensors(path)
        if self._worker is None:
            self._worker = self._stack.enter_context(self.sandbox.worker(self.folder))
        try:
            answer = self._worker.call("load_weights", {"path": path.relative_to(self.folder).as_posix()})
        except WorkerFailed as failure:
            if failure.kind == "refused":
                raise ValueError(str(failure)) from None
            self._stack.close()
            self._worker = None
            said = {"timeout": "gave ", "died": "", "memory": ""}.get(failure.kind, "failed: ")
            raise ValueError(f"cannot be loaded: the process that opened it {said}{failure}") from None
        # A read-only buffer: copied, so that nothing can write through it later.
        return {name: from_numpy(np.array(array)) for name, array in answer.arrays.items()}


def read_source(sandbox: Sandbox | None, folder: Path) -> list[Call]:
    """Calls in a submission's source. A child that dies of reading it costs what the source would have told."""
    if not source.code_files(folder):
        return []  # no child need be started
    if sandbox is None or not sandbox.tier.confined:
        return source.read_calls(folder)
    try:
        with sandbox.worker(folder) as worker:
            return source.from_document(worker.call("read_source", {}, seconds=20).result)
    except WorkerFailed:
        return []
