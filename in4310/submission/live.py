"""Live code of a submission, called behind the walls: functions named under [adapters].

Signatures are those of `in4310.solution`. Each call has a child of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Answer, Sandbox

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
