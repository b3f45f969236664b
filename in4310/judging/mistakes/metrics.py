"""Mistakes that give wrong metrics: each computes the figure that it would have given, from the labels and scores.

A single number of four digits agrees with something by chance now and then, so all wrong figures of one kind are looked
at together, and no more than the digits that were handed in is granted to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, precision_score, roc_auc_score

from in4310.judging.mistake import Match
from in4310.judging.mistakes import places
from in4310.judging.mistakes.search import BATCHES, Budget, Claim, World, hypothesis, search

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

SKLEARN = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics."
AP = SKLEARN + "average_precision_score.html"
ACCURACY = SKLEARN + "accuracy_score.html"
COARSE = 6e-4  # a figure of three digits
Key = tuple[str, str | None]  # ('accuracy' | 'mean_accuracy' | 'ap' | 'map', class)


@dataclass(eq=False)
class Scored:
    """Labels int64 (N,), scores float64 (N, C), classes, of one set; `others`: the same of the other sets."""

    labels: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    others: Mapping[str, tuple[np.ndarray, np.ndarray]]
    _parts: dict[tuple[int, int], Scored] = field(default_factory=dict)
    _average_precision: dict[int, float] = field(default_factory=dict)

    @property
    def predicted(self) -> np.ndarray:
        """Predicted classes, int64 (N,)."""
        return self.scores.argmax(axis=1)

    def column(self, key: Key) -> int:
        """Index of a figure's class."""
        return self.classes.index(key[1] or "")

    def right(self, key: Key) -> float | None:
        """The right figure; None for a class without an image."""
        if key == ("accuracy", None):
            return float((self.predicted == self.labels).mean())
        of = self._recall if key[0] in ("accuracy", "mean_accuracy") else self._ap
        if key[1] is not None:
            return of(self.column(key))
        present = [v for c in range(len(self.classes)) if (v := of(c)) is not None]
        return float(np.mean(present)) if present else None

    def _recall(self, column: int) -> float | None:
        own = self.labels == column
        return float((self.predicted[own] == column).mean()) if own.any() else None

    def _ap(self, column: int) -> float | None:
        own = self.labels == column
        if not own.any():
            return None
        if column not in self._average_precision:
            self._average_precision[column] = float(average_precision_score(own, self.scores[:, column]))
        return self._average_precision[column]

    def part(self, start: int, end: int) -> Scored:
        """Some of the images, kept: many hypotheses and figures look at the same batches."""
        if (start, end) not in self._parts:
            self._parts[start, end] = Scored(self.labels[start:end], self.scores[start:end], self.classes, {})
        return self._parts[start, end]

    def each(self, key: Key, of: Callable[[int], float]) -> float | None:
        """`of` a class for a figure of one class, its mean over classes for a mean."""
        if key[1] is not None:
            return of(self.column(key))
        return float(np.mean([of(c) for c in range(len(self.classes)) if (self.labels == c).any()]))


@hypothesis("metric", "overall-for-mean", "this is the overall accuracy, not the mean over classes",
            "average the accuracies of the classes", SKLEARN + "balanced_accuracy_score.html")  # fmt: skip
def overall_for_mean(s: Scored, key: Key) -> float | None:
    """Accuracy over all images."""
    return s.right(("accuracy", None)) if key[0] == "mean_accuracy" else None


@hypothesis("metric", "mean-for-overall", "this is the mean of the accuracies per class",
            "count all images alike for the overall accuracy", ACCURACY)  # fmt: skip
def mean_for_overall(s: Scored, key: Key) -> float | None:
    """Mean over classes."""
    return s.right(("mean_accuracy", None)) if key == ("accuracy", None) else None


@hypothesis("metric", "precision-for-recall",
            "this is the precision: the confusion matrix was divided along the wrong axis",
            "divide each row of the confusion matrix (true classes) by its sum", SKLEARN + "recall_score.html",
            places.named("precision_score"))  # fmt: skip
def precision_for_recall(s: Scored, key: Key) -> float | None:
    """Of the images classified as it, the share that is of the class."""
    if key[0] not in ("accuracy", "mean_accuracy") or key == ("accuracy", None):
        return None
    values = precision_score(
        s.labels, s.predicted, labels=np.arange(len(s.classes)), average=None, zero_division=0
    )
    return s.each(key, lambda c: float(values[c]))


@hypothesis("metric", "f1", "this is the F1 score", "divide the hits by the images of the class",
            SKLEARN + "f1_score.html", places.named("f1_score"))  # fmt: skip
def f1(s: Scored, key: Key) -> float | None:
    """Harmonic mean of precision and recall."""
    if key[0] not in ("accuracy", "mean_accuracy") or key == ("accuracy", None):
        return None
    values = f1_score(s.labels, s.predicted, labels=np.arange(len(s.classes)), average=None, zero_division=0)
    return s.each(key, lambda c: float(values[c]))


@hypothesis("metric", "one-against-rest",
            "this is the accuracy of one class against the rest: images of other classes count as hits",
            "of the images of a class, count those classified as it", SKLEARN + "recall_score.html")  # fmt: skip
def one_against_rest(s: Scored, key: Key) -> float | None:
    """Share of all images for which 'is it the class' is answered rightly."""
    if key[0] not in ("accuracy", "mean_accuracy") or key == ("accuracy", None):
        return None
    return s.each(key, lambda c: float(((s.predicted == c) == (s.labels == c)).mean()))


@hypothesis("metric", "divided-by-all", "the hits of the class were divided by all images",
            "divide by the images of the class", SKLEARN + "recall_score.html")  # fmt: skip
def divided_by_all(s: Scored, key: Key) -> float | None:
    """Hits over N."""
    if key[0] not in ("accuracy", "mean_accuracy") or key == ("accuracy", None):
        return None
    return s.each(key, lambda c: float(((s.predicted == c) & (s.labels == c)).mean()))


@hypothesis("metric", "hard-ap", "this is the AP of the predicted classes, not of the scores",
            "average_precision_score(labels == c, scores[:, c])", AP, places.named("argmax", "max"))  # fmt: skip
def hard_ap(s: Scored, key: Key) -> float | None:
    """AP of 0 and 1."""
    if key[0] not in ("ap", "map"):
        return None
    return s.each(key, lambda c: float(average_precision_score(s.labels == c, s.predicted == c)))


@hypothesis("metric", "thresholded-ap", "this is the AP of scores that were cut at 0.5",
            "average_precision_score(labels == c, scores[:, c])", AP)  # fmt: skip
def thresholded_ap(s: Scored, key: Key) -> float | None:
    """AP of score > 0.5."""
    if key[0] not in ("ap", "map"):
        return None
    return s.each(key, lambda c: float(average_precision_score(s.labels == c, s.scores[:, c] > 0.5)))


@hypothesis("metric", "swapped-ap", "truth and prediction are exchanged in the call of average_precision_score",
            "average_precision_score(y_true, y_score): the labels first", AP,
            places.named("average_precision_score"))  # fmt: skip
def swapped_ap(s: Scored, key: Key) -> float | None:
    """AP of the labels as scores, with the predictions as truth."""
    if key[0] not in ("ap", "map") or not all((s.predicted == c).any() for c in range(len(s.classes))):
        return None
    return s.each(key, lambda c: float(average_precision_score(s.predicted == c, s.labels == c)))


@hypothesis("metric", "precision-for-ap", "this is the precision, not the average precision",
            "average_precision_score(labels == c, scores[:, c])", AP, places.named("precision_score"))  # fmt: skip
def precision_for_ap(s: Scored, key: Key) -> float | None:
    """Precision of the predicted classes."""
    if key[0] not in ("ap", "map"):
        return None
    values = precision_score(
        s.labels, s.predicted, labels=np.arange(len(s.classes)), average=None, zero_division=0
    )
    return s.each(key, lambda c: float(values[c]))


@hypothesis("metric", "auc-for-ap", "this is the area under the ROC curve, not the average precision",
            "average_precision_score(labels == c, scores[:, c])", AP, places.named("roc_auc_score", "auc"))  # fmt: skip
def auc_for_ap(s: Scored, key: Key) -> float | None:
    """ROC AUC, one class against the rest."""
    if key[0] not in ("ap", "map") or len(set(s.labels.tolist())) < 2:
        return None
    return s.each(key, lambda c: float(roc_auc_score(s.labels == c, s.scores[:, c])))


@hypothesis("metric", "micro-ap", "all classes were pooled (average='micro')",
            "average the APs of the classes: average='macro'", AP)  # fmt: skip
def micro_ap(s: Scored, key: Key) -> float | None:
    """AP over all entries of the matrix."""
    if key[0] != "map":
        return None
    return float(average_precision_score(np.eye(len(s.classes))[s.labels].ravel(), s.scores.ravel()))


@hypothesis("metric", "weighted-ap", "the APs were weighted by the size of the classes (average='weighted')",
            "average the APs of the classes: average='macro'", AP)  # fmt: skip
def weighted_ap(s: Scored, key: Key) -> float | None:
    """Mean of APs weighted by support."""
    if key[0] != "map":
        return None
    counts = np.bincount(s.labels, minlength=len(s.classes))
    values = [s.right(("ap", c)) or 0.0 for c in s.classes]
    return float(np.average(values, weights=counts))


@hypothesis("metric", "last-batch", "this is the figure of the last batch only", "collect all batches before you compute it",
            ACCURACY, expensive=True)  # fmt: skip
def last_batch(s: Scored, key: Key) -> list[tuple[float, str]]:
    """The images after the last whole batch, or the last whole one."""
    found = []
    for size in BATCHES:
        rows = len(s.labels) % size or size
        if rows < len(s.labels):
            value = s.part(len(s.labels) - rows, len(s.labels)).right(key)
            if value is not None:
                found.append((value, f"batches of {size}"))
    return found


@hypothesis("metric", "batch-average", "the figure of each batch was averaged over the batches",
            "collect all batches before you compute it", ACCURACY, expensive=True)  # fmt: skip
def batch_average(s: Scored, key: Key) -> list[tuple[float, str]]:
    """Mean over batches, the short last one counting as much as the others."""
    found = []
    for size in BATCHES:
        if size < len(s.labels):
            values = [s.part(i, i + size).right(key) for i in range(0, len(s.labels), size)]
            present = [v for v in values if v is not None]
            if present:
                found.append((float(np.mean(present)), f"batches of {size}"))
    return found


@hypothesis("metric", "other-set", "this is the figure of another set", "compute it on the set that it is reported for",
            ACCURACY)  # fmt: skip
def other_set(s: Scored, key: Key) -> list[tuple[float, str]]:
    """The same figure of the other sets whose scores are there."""
    found = []
    for name, (labels, scores) in s.others.items():
        value = Scored(labels, scores, s.classes, {}).right(key)
        if value is not None:
            found.append((value, name))
    return found


@hypothesis(
    "metric", "error-for-accuracy", "this is the error: 1 minus the right figure", "count the hits", ACCURACY
)
def error_rate(s: Scored, key: Key) -> float | None:
    """1 - figure."""
    value = s.right(key)
    return None if value is None else 1 - value


@hypothesis("metric", "one-place-further", "the classes are in another order",
            "number the classes in the order of the assignment",
            "https://pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html",
            places.named("listdir", "set"))  # fmt: skip
def another_class(s: Scored, key: Key) -> list[tuple[float, str]]:
    """The figure of the class that stands elsewhere in a common other order: reversed, or shifted by one."""
    if key[1] is None:
        return []
    size = len(s.classes)
    found = []
    for how, other in (("reversed", lambda i: size - 1 - i), ("shifted by one", lambda i: (i + 1) % size),
                       ("shifted back by one", lambda i: (i - 1) % size)):  # fmt: skip
        value = s.right((key[0], s.classes[other(s.column(key))]))
        if value is not None:
            found.append((value, how))
    return found


def of_submission(evidence: Evidence, which: str) -> Scored | None:
    """Labels and scores of a set, 'val' or 'test', that the metrics handed in are made of; None where there are none."""

    def made() -> Scored | None:
        values = evidence.scored(which, compute=True)
        if values is None:
            return None
        others = {
            n: p for n in ("val", "test", "train") if n != which and (p := evidence.scored(n)) is not None
        }
        return Scored(*values, tuple(evidence.classes), others)

    kept: Scored | None = evidence.once(("scored_case", which), made)
    return kept


def diagnose(scored: Scored | None, wrong: Mapping[Key, float], budget: Budget) -> Iterator[list[Match]]:
    """Mistakes that give all the wrong figures (as claimed, as a share of 1); where none does, those of each kind."""
    if scored is None or not wrong:
        return
    found = _explained(scored, wrong, budget)
    kinds = dict.fromkeys(kind for kind, _ in wrong)
    if found or len(kinds) < 2:
        yield found
        return
    for kind in kinds:
        yield _explained(scored, {key: v for key, v in wrong.items() if key[0] == kind}, budget)


def _explained(scored: Scored, wrong: Mapping[Key, float], budget: Budget) -> list[Match]:
    with budget:
        right = {key: scored.right(key) for key in wrong}
    off = [abs(v - r) for key, v in wrong.items() if (r := right[key]) is not None]
    room = {key: _rounding(value) for key, value in wrong.items()}
    if max(room.values()) > COARSE and len(wrong) < 3:
        return []  # two digits agree with too much by chance
    # Many things give 0 and 1: such a figure proves nothing.
    chances = [min(1.0, 4 * room[key]) for key, value in wrong.items() if 1e-9 < value < 1 - 1e-9]
    claim = Claim(
        tuple(wrong),
        lambda key, guess: abs(guess - wrong[key]),
        lambda key: room[key],
        min(off, default=0.0),
        "figures",
        Scored.right,
        lambda figure, given, key: _listed(figure(given, key)),
        chance=float(np.prod(chances)),
    )
    return search("metric", claim, lambda source: [World(scored)], budget)


def _listed(value: float | list[tuple[float, str]] | None) -> list[tuple[float, str]]:
    if value is None:
        return []
    return value if isinstance(value, list) else [(value, "")]


def _rounding(value: float) -> float:
    """Half a unit of the last digit handed in, of a share or of a percentage; float32 at the least."""
    text = f"{value:.9f}".rstrip("0")
    digits = len(text.partition(".")[2])
    return max(2e-6, 0.51 * 10.0**-digits) if digits <= 6 else 2e-6
