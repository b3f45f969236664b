"""Which of several runs was handed in: the one with the best validation figures, and the files that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from in4310.submission.claims import words
from in4310.submission.tables import number

# Words that say what a file is, and not of which run.
_GENERAL = {
    "model", "models", "best", "final", "last", "current", "resnet", "resnet18", "weights", "checkpoint",
    "ckpt", "state", "dict", "scores", "score", "softmax", "probs", "test", "val", "train", "log", "logs",
    "history", "metrics", "results", "run", "config", "pth", "pt", "npy", "csv", "json", "yaml", "yml", "txt",
    "starting", "training", "running", "using",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run by its name, the file that tells of it, and its best validation figure (mAP, else accuracy), if any."""

    name: str
    file: str
    figure: float | None = None


def best_of(runs: Iterable[Run]) -> Run | None:
    """The run with the best validation figure; None when there is one run only, or one without a figure."""
    runs = list(runs)
    if len(runs) < 2 or any(run.figure is None for run in runs):
        return None
    return max(runs, key=lambda run: run.figure or 0.0)


def figure_of_history(run: Mapping[str, Any], measure: str = "map") -> float | None:
    """The best validation mAP (or accuracy) of a run's epochs."""
    values = [number(epoch.get(f"val_{measure}")) for epoch in run["epochs"]]
    return max((v for v in values if v is not None), default=None)


def runs_of(histories: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[Run]:
    """Runs with a figure that all of them have: mAP, else accuracy, else none."""
    found: list[Run] = []
    for measure in ("map", "accuracy"):
        found = [Run(name, file, figure_of_history(run, measure)) for (file, name), run in histories.items()]
        if all(run.figure is not None for run in found):
            break
    return found


def belongs(file: str, run: Run, runs: Iterable[Run]) -> bool:
    """Whether a file is of that run: alone with its log in a folder, or named as the run is."""
    folder = PurePosixPath(run.file).parent
    shared = any(other != run and PurePosixPath(other.file).parent == folder for other in runs)
    if not shared and PurePosixPath(file).parent == folder:
        return True
    own = _telling(PurePosixPath(file).stem)
    return bool(own) and own == _telling(run.name)


def _telling(name: str) -> tuple[str, ...]:
    return tuple(w for w in words(PurePosixPath(name).name) if w not in _GENERAL)
