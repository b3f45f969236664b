"""What the assignment's own report shows: one plain record, whoever made the submission (1a to 3b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from in4310.solution.images import Preprocessing
from in4310.solution.metrics import Metrics
from in4310.solution.network import LayerRow
from in4310.submission.formats import finite

SIDES = ("top", "bottom")  # of a ranking
SHARE = 0.9  # of the total variance, for the number of eigenvalues that hold it


@dataclass(frozen=True)
class SetFigures:
    """The figures of validation or test, from its saved scores."""

    images: int
    metrics: Metrics
    low: float
    """Accuracy's 95 % interval (Wilson)."""
    high: float
    off: float
    """Largest difference of what metrics.json states from `metrics`."""

    def confused(self, classes: Sequence[str]) -> list[tuple[str, str, int, float]]:
        """Pairs of classes by how often one was taken for the other: (true, predicted, images, share of true)."""
        counts = self.metrics.confusion
        pairs = [
            (classes[i], classes[j], int(counts[i, j]), float(counts[i, j] / counts[i].sum()))
            for i, j in np.argwhere(counts)
            if i != j
        ]
        return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


@dataclass(frozen=True)
class Run:
    """A setting that was tried: its hyperparameters, and its best epoch on validation (1f)."""

    name: str
    settings: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    kept: bool

    @property
    def best(self) -> Mapping[str, Any]:
        """The epoch with the highest validation mAP, the earliest of equals."""
        return max(self.epochs, key=lambda epoch: _or_less(finite(epoch.get("val_map"))))

    @property
    def best_map(self) -> float:
        """Its validation mAP."""
        return _or_less(finite(self.best.get("val_map")))

    @property
    def seconds(self) -> float | None:
        """Time of all its epochs; None where one has none."""
        times = [finite(epoch.get("seconds")) for epoch in self.epochs]
        return None if None in times else sum(t for t in times if t is not None)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of one module over one series of images, in descending order (3a)."""

    values: tuple[float, ...]
    total: float

    @property
    def needed(self) -> int | None:
        """How many of the largest hold 90 % of the total variance; None where those reported hold less."""
        sums = np.cumsum(self.values)
        enough = np.flatnonzero(sums >= SHARE * self.total)
        return int(enough[0]) + 1 if len(enough) else None


@dataclass(frozen=True)
class Series:
    """Spectra of one network over one data set (3b)."""

    model: str
    data: str
    images: int
    flatten: bool
    modules: Mapping[str, Spectrum]


@dataclass(frozen=True)
class Copies:
    """Files that are byte for byte the same, which no comparison of names finds (1b)."""

    groups: list[tuple[str, ...]]
    across: list[tuple[tuple[str, str], ...]]
    """Those that lie in several sets: ((set, path), ...)."""

    @property
    def mislabelled(self) -> int:
        """Groups whose files lie in several classes: at most one label can be right."""
        return sum(len({class_of(path) for path in group}) > 1 for group in self.groups)


@dataclass(frozen=True, eq=False)
class Assignment:
    """Everything that the report shows."""

    name: str
    edition: str
    seed: Any
    grouped: bool
    command: str
    arguments: tuple[str, ...]
    classes: tuple[str, ...]
    root: Path | None
    """Folder of the images; None where they are not there any more: figures that show them are left out."""
    source: str
    split: Mapping[str, tuple[str, ...]]
    split_again: bool
    """Whether the stated seed gives these very sets when each class is split separately (1a)."""
    shared: Mapping[tuple[str, str], Sequence[str]]
    """Paths in two sets, by pair of sets; empty: disjoint."""
    copies: Copies | None
    network: str
    start: str
    preprocessing: Preprocessing
    layers: Sequence[LayerRow]
    runs: Sequence[Run]
    figures: Mapping[str, SetFigures]
    reproduction: Mapping[str, Any]
    ranking: Mapping[str, Mapping[str, Sequence[tuple[str, float]]]]
    feature_maps: Sequence[Path]
    non_positive_images: int
    non_positive: Mapping[str, float]
    spectra: Sequence[Series]
    resources: Mapping[str, Any]
    plots: Path | None

    def count(self, name: str, of: str | None = None) -> int:
        """Images of a set, of one class or of all."""
        return sum(of is None or class_of(path) == of for path in self.split[name])

    @property
    def images(self) -> int:
        """Images of all sets."""
        return sum(map(len, self.split.values()))

    @property
    def kept(self) -> Run | None:
        """The run whose weights were handed in."""
        return next((run for run in self.runs if run.kept), None)


def class_of(path: str) -> str:
    """The class of an image, from '<class>/<file>'."""
    return path.partition("/")[0]


def largest_gap(a: Spectrum, b: Spectrum) -> float:
    """Largest difference of two spectra as a share of the larger first eigenvalue."""
    count = min(len(a.values), len(b.values))
    scale = max(*a.values[:1], *b.values[:1], 1e-30)
    return float(np.abs(np.subtract(a.values[:count], b.values[:count])).max(initial=0.0) / scale)


def equal_spectra(series: Series, tolerance: float = 1e-3) -> list[tuple[str, str, float]]:
    """Pairs of modules of one series whose spectra are the same, as layer4's and avgpool's are (3a)."""
    pairs = [
        (a, b, largest_gap(series.modules[a], series.modules[b])) for a, b in combinations(series.modules, 2)
    ]
    return [pair for pair in pairs if pair[2] <= tolerance]


def _or_less(number: float | None) -> float:
    return float("-inf") if number is None else number
