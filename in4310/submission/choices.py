"""Which of several runs was handed in: the one with the best validation figures, and the files that belong to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
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


def best_of(runs: Iterable[Run], parts: Mapping[Run, int] = MappingProxyType({})) -> Run | None:
    """Of the runs of which most can be judged the one with the best validation figure; None where nothing tells.

    `parts`: how many pieces of a run were handed in.
    """
    runs = list(runs)
    most = max((parts.get(run, 0) for run in runs), default=0)
    able = [run for run in runs if parts.get(run, 0) == most]
    if len(runs) < 2 or any(run.figure is None for run in able):
        return None
    return max(able, key=lambda run: run.figure or 0.0)


def parts_of(runs: Iterable[Run], pieces: Mapping[str, Iterable[str]]) -> Counter[Run]:
    """How many of the pieces belong to each run; `pieces`: piece -> the files that may be it."""
    folders: dict[PurePosixPath, list[Run]] = defaultdict(list)
    names: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        folders[PurePosixPath(run.file).parent].append(run)
        names[_telling(run.name)].append(run)
    found: Counter[Run] = Counter()
    for files in pieces.values():
        owners: set[Run] = set()
        for file in map(PurePosixPath, files):
            there = folders.get(file.parent, [])
            owners |= {*there} if len(there) == 1 else set()
            owners |= {*names.get(own, [])} if (own := _telling(file.stem)) else set()
        found.update(owners)
    return found


def figure_of_history(run: Mapping[str, Any], measure: str = "map") -> float | None:
    """The best validation mAP (or accuracy) of a run's epochs."""
    values = [number(epoch.get(f"val_{measure}")) for epoch in run["epochs"]]
    return max((v for v in values if v is not None), default=None)


def runs_of(histories: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[Run]:
    """Runs with the figure that most of them have: mAP, else accuracy."""
    by_measure = [
        [Run(name, file, figure_of_history(run, measure)) for (file, name), run in histories.items()]
        for measure in ("map", "accuracy")
    ]
    return max(by_measure, key=lambda runs: sum(run.figure is not None for run in runs))


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
