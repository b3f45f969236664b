"""Metrics by other definitions: those of scikit-learn and torchmetrics, and means that are taken in another way.

(Scored, key) -> a figure, or figures each with what it is; None where the definition has none of the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from in4310.judging.mistakes.finishing import weighted_by_time
from in4310.judging.mistakes.metrics import (
    ACCURACY,
    AP,
    MACRO,
    OF_SCORES,
    RECALL,
    SKLEARN,
    Key,
    Scored,
    f1,
    precision,
)
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, Guesses, hypotheses

TOP = SKLEARN + "top_k_accuracy_score.html"
COUNT = "count the images whose largest score is that of their class, over all images"
MEAN = "average over all classes, each with the same weight"


def _curve(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall after each distinct score, from the highest on."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return hits[ends] / (ends + 1), hits[ends] / max(1, hits[-1])


def _areas(positive: np.ndarray, score: np.ndarray) -> Iterator[tuple[float, str]]:
    """The usual areas under the curve that are not the average precision."""
    precision, recall = _curve(positive, score)
    if not positive.any():
        return
    start_p, start_r = np.append(1.0, precision), np.append(0.0, recall)
    yield (
        float(np.sum(np.diff(start_r) * (start_p[1:] + start_p[:-1]) / 2)),
        "by trapezoids: auc(recall, precision)",
    )
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the most at this recall or beyond
    yield float(np.sum(np.diff(recall, prepend=0) * envelope)), "under the envelope of the curve"
    for points in (11, 101):
        levels = np.linspace(0, 1, points)
        # A recall of 3 / 10 lies below 0.30000000000000004: who compares as they are takes the next one.
        for asked in (levels - 1e-12, levels):
            at = np.searchsorted(recall, asked)
            yield (
                float(np.where(at < len(recall), envelope[np.minimum(at, len(recall) - 1)], 0).mean()),
                f"at {points} points of recall",
            )


def _interpolated(s: Scored, key: Key) -> Guesses:
    """Of one class; for the mean, of all."""
    if key[0] not in ("ap", "map"):
        return
    columns = (
        [c for c in range(len(s.classes)) if (s.labels == c).any()] if key[1] is None else [s.column(key)]
    )
    found = [list(_areas(s.labels == c, s.scores[:, c])) for c in columns]
    for same in zip(*found, strict=True) if all(found) else ():
        yield float(np.mean([value for value, _ in same])), same[0][1]


def _per_class(s: Scored, kind: str) -> list[float]:
    found = [s.right((kind, c)) for c in s.classes]
    return [v for v in found if v is not None]


MEANS: dict[str, Callable[[list[float]], float]] = {
    "the median": lambda v: float(np.median(v)),
    "the smallest": min,
    "the largest": max,
    "the geometric mean": lambda v: float(np.exp(np.mean(np.log(np.maximum(v, 1e-300))))),
    "the harmonic mean": lambda v: float(len(v) / np.sum(1 / np.maximum(v, 1e-300))),
    "the sum": sum,
}


def _of_classes(key: Key) -> str:
    """The kind of figure of each class that a mean is made of; '' for none."""
    return {"mean_accuracy": "accuracy", "map": "ap"}.get(key[0], "")


def _other_mean(s: Scored, key: Key) -> Guesses:
    """Median, largest and the like over classes."""
    if (kind := _of_classes(key)) and (values := _per_class(s, kind)):
        for how, of in MEANS.items():
            yield float(of(values)), f"{how} over classes"


def _class_left_out(s: Scored, key: Key) -> Guesses:
    """The mean over all classes but one."""
    values = _per_class(s, kind) if (kind := _of_classes(key)) else []
    if len(values) == len(s.classes) > 2:
        for c, own in zip(s.classes, values, strict=True):
            yield (sum(values) - own) / (len(values) - 1), f"without {c}"


def _mean_accuracy_for_map(s: Scored, key: Key) -> float | None:
    return s.right(("mean_accuracy", None)) if key == ("map", None) else None


def _top(s: Scored, key: Key) -> Guesses:
    """Share of images whose class is among the k highest scores."""
    if key[0] not in ("accuracy", "mean_accuracy"):
        return
    ranks = (s.scores > s.scores[np.arange(len(s.labels)), s.labels][:, None]).sum(axis=1)
    for k in range(2, len(s.classes)):
        yield _counted(s, key, ranks < k), f"the {k} highest"


def _counted(s: Scored, key: Key, hit: np.ndarray) -> float | None:
    """An accuracy of hits that are counted otherwise: over all images, of a class, or as a mean of classes."""
    if key == ("accuracy", None):
        return float(hit.mean()) if len(hit) else None
    return s.each(key, lambda column: float(hit[s.labels == column].mean()))


def _threshold(s: Scored, key: Key) -> float | None:
    own = s.scores[np.arange(len(s.labels)), s.labels]
    return _counted(s, key, own > 0.5) if key[0] in ("accuracy", "mean_accuracy") else None


def _confidence(s: Scored, key: Key) -> Guesses:
    """A mean of scores in place of a share of hits."""
    if key[0] in ("accuracy", "mean_accuracy"):
        yield _counted(s, key, s.scores[np.arange(len(s.labels)), s.labels]), "of the true class"
        yield _counted(s, key, s.scores.max(axis=1)), "the largest score of each image"


def _beyond_chance(s: Scored, key: Key) -> Guesses:
    """What is left of an accuracy above that of guessing."""
    if key[1] is None and key[0] in ("accuracy", "mean_accuracy") and len(set(s.labels.tolist())) > 1:
        for kind in ("accuracy", "mean_accuracy"):
            right, chance = s.right((kind, None)) or 0.0, 1 / len(s.classes)
            yield (right - chance) / (1 - chance), "adjusted for chance: adjusted=True"
        yield float(cohen_kappa_score(s.labels, s.predicted)), "Cohen's kappa"
        yield float(matthews_corrcoef(s.labels, s.predicted)), "Matthews' correlation"


def _macro(s: Scored, key: Key) -> Guesses:
    """Macro precision and F1, of all classes, for the accuracy; the overlap of a class for its own."""
    if key[0] in ("accuracy", "mean_accuracy"):
        of = ("mean_accuracy", None) if key[1] is None else key
        if key == ("accuracy", None):
            yield s.each(of, lambda c: f1(s, c)), "the macro F1"
            yield s.each(of, lambda c: precision(s, c)), "the macro precision"
        yield s.each(of, lambda c: _overlap(s, c)), "the overlap, or Jaccard index"
        counts = np.bincount(s.labels, minlength=len(s.classes))
        if key[1] is None and counts.sum():
            yield (
                float(np.average([f1(s, c) for c in range(len(s.classes))], weights=counts)),
                "the weighted F1",
            )
            yield (
                float(np.average([precision(s, c) for c in range(len(s.classes))], weights=counts)),
                "the weighted precision",
            )


def _overlap(s: Scored, column: int) -> float:
    chosen, there = s.predicted == column, s.labels == column
    return float((chosen & there).sum()) / max(1, int((chosen | there).sum()))


def _batch_means(s: Scored, key: Key) -> Iterator[tuple[int, list[float]]]:
    for size in (size for size in BATCHES if size < len(s.labels)):
        values = [s.part(i, i + size).right(key) for i in range(0, len(s.labels), size)]
        if all(v is not None for v in values):
            yield size, [v for v in values if v is not None]


def _weighted_batches(s: Scored, key: Key) -> Guesses:
    for size, means in _batch_means(s, key):
        yield from weighted_by_time(means, size)


def _without_last_batch(s: Scored, key: Key) -> Guesses:
    """Of the images in whole batches."""
    count = len(s.labels)
    for size in (size for size in BATCHES if size < count):
        if count % size:
            yield s.part(0, count // size * size).right(key), f"batches of {size}"


def _logits_of_ranks(s: Scored, key: Key) -> Guesses:
    """APs of scores that are compared between images otherwise: as logarithms, or as the place of the class in its row."""
    if key[0] in ("ap", "map"):
        logs = np.log(np.maximum(s.scores, 1e-12))
        places = np.argsort(np.argsort(s.scores, axis=1), axis=1).astype(float)
        for how, values in (("the place of the class among the scores of its image", places),
                            ("logarithms, their mean subtracted", logs - logs.mean(axis=1, keepdims=True)),
                            ("logarithms, divided by their sum", logs / np.abs(logs).sum(axis=1, keepdims=True))):  # fmt: skip
            yield Scored(s.labels, values, s.classes, {}).right(key), how


def _recorded(s: Scored, key: Key) -> Guesses:
    """Figures that the histories record, of other epochs and other runs."""
    for where, value in s.recorded.get(key[0], ()) if key[1] is None else ():
        yield value, where


# fmt: off
hypotheses(
    "metric",
    (_mean_accuracy_for_map, "mean-accuracy-for-map", "this is the mean of the accuracies of the classes, not the mAP", MACRO, AP),
    (_interpolated, "interpolated-ap", "this is another area under the curve of precision and recall, not the average precision",
     OF_SCORES, AP, named("auc", "trapz", "precision_recall_curve")),
    (_other_mean, "other-mean", "the classes were put together in another way than by their mean", MEAN, ACCURACY),
    (_class_left_out, "class-left-out", "a class was left out of the mean", MEAN, ACCURACY),
    (_macro, "other-score", "this is another score of classes, not the accuracy", "divide the hits by the images of the class", RECALL,
     named("f1_score", "precision_score", "jaccard_score")),
    (_beyond_chance, "beyond-chance", "this is a measure of agreement beyond chance, not the accuracy", COUNT, ACCURACY,
     named("cohen_kappa_score", "matthews_corrcoef", "balanced_accuracy_score")),
    (_top, "top-k", "images count as hits whose class is among the highest scores, not the highest", COUNT, TOP,
     named("topk", "top_k_accuracy_score")),
    (_threshold, "threshold", "images count as hits where the score of their class is above the threshold 0.5", COUNT, ACCURACY),
    (_confidence, "confidence", "this is a mean of scores, a confidence, not a share of hits", COUNT, ACCURACY),
    (_logits_of_ranks, "other-order", "the APs are of other numbers than the scores, which put the images in another order", MACRO, AP),
    (_recorded, "other-epoch", "this is the figure of another epoch", "evaluate the network that is handed in", ACCURACY),
)
hypotheses(
    "metric",
    (_without_last_batch, "without-last-batch", "the last batch was left out", "make the loader with drop_last=False", ACCURACY),
    (_weighted_batches, "weighted-batches", "later batches have more weight than earlier ones", "count over all images, and divide once", ACCURACY),
    expensive=True,
)
# fmt: on
