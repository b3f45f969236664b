"""Accuracy, average precision and the confusion matrix of a set of scores (1e), computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, average_precision_score, classification_report, confusion_matrix

from in4310.errors import InputError


@dataclass(frozen=True, eq=False)
class Metrics:
    """All shares are in 0..1. A class without an image has None and is left out of the means."""

    accuracy: float
    accuracy_per_class: dict[str, float | None]
    """Of the images of a class, the share classified as it: its recall."""
    mean_accuracy: float
    ap_per_class: dict[str, float | None]
    """Average precision, one class against the rest."""
    map: float
    confusion: np.ndarray
    """(C, C) int64; row: true class, column: predicted class."""

    @cached_property
    def report(self) -> dict[str, Any]:
        """scikit-learn's classification_report: precision, recall, F1, support. Read off the confusion matrix."""
        counts = self.confusion.reshape(-1)
        true, predicted = (np.repeat(which.reshape(-1), counts) for which in np.indices(self.confusion.shape))
        names = list(self.accuracy_per_class)
        found = classification_report(
            true,
            predicted,
            labels=np.arange(len(names)),
            target_names=names,
            output_dict=True,
            zero_division=0,
        )
        return _plain(found)

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, floats and None, ready for JSON."""
        return {
            "accuracy": self.accuracy,
            "accuracy_per_class": self.accuracy_per_class,
            "mean_accuracy": self.mean_accuracy,
            "ap_per_class": self.ap_per_class,
            "map": self.map,
            "confusion": self.confusion.tolist(),
            "report": self.report,
        }


def evaluate(labels: np.ndarray, scores: np.ndarray, classes: Sequence[str]) -> Metrics:
    """Judge the scores by the labels.

    labels: integers (N,) in 0..C-1. scores: real (N, C), the higher the surer; need not sum to 1.
    classes: the C names in index order. The predicted class is the first of the highest scores.
    Raises InputError for wrong shapes, no image, labels out of range or scores that are not finite.
    """
    labels, scores = _checked(np.asarray(labels), np.asarray(scores), classes)
    predicted = scores.argmax(axis=1)
    indices = np.arange(len(classes))
    confusion = confusion_matrix(labels, predicted, labels=indices)
    images = confusion.sum(axis=1)
    accuracies: dict[str, float | None] = {}
    precisions: dict[str, float | None] = {}
    for c, name in enumerate(classes):
        present = images[c] > 0
        accuracies[name] = float(confusion[c, c] / images[c]) if present else None
        precisions[name] = float(average_precision_score(labels == c, scores[:, c])) if present else None
    return Metrics(
        accuracy=float(accuracy_score(labels, predicted)),
        accuracy_per_class=accuracies,
        mean_accuracy=_mean(accuracies),
        ap_per_class=precisions,
        map=_mean(precisions),
        confusion=confusion.astype(np.int64),
    )


def _checked(labels: np.ndarray, scores: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise InputError(f"classes: expected two or more different names, found {list(classes)}")
    if scores.ndim != 2 or scores.shape[1] != len(classes) or not len(scores):
        raise InputError(
            f"scores: expected shape (N, {len(classes)}), N of 1 or more, found {scores.shape}; "
            "give one row an image and one column a class"
        )
    if scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1)).tolist() if scores.dtype.kind == "f" else []
        found = f"NaN or infinity in {len(bad)} rows, first row {bad[0]}" if bad else f"dtype {scores.dtype}"
        raise InputError(f"scores: expected finite real numbers, found {found}; predict again")
    if labels.shape != (len(scores),) or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels: expected {len(scores)} integers, one a row of the scores, "
            f"found shape {labels.shape}, dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= len(classes):
        raise InputError(
            f"labels: expected 0 to {len(classes) - 1}, found {labels.min()} to {labels.max()}; "
            "use the index order of the classes"
        )
    return labels.astype(np.int64), scores.astype(np.float64)


def _mean(values: Mapping[str, float | None]) -> float:
    return float(np.mean([value for value in values.values() if value is not None]))


def _plain(report: Any) -> Any:
    """numpy's scalars as Python's, at any depth; supports are counts, so integers."""
    if isinstance(report, dict):
        return {key: int(value) if key == "support" else _plain(value) for key, value in report.items()}
    return float(report)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion at 95 % (Wilson 1927); (0, 1) without a trial."""
    from scipy.stats import binomtest  # half a second that only a report needs

    if trials == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
