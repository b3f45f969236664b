"""Mistakes that give wrong metrics: each computes the figure that it would have given, from the labels and scores.

A single number of four digits agrees with something by chance now and then, so all wrong figures of one kind are looked
at together, and no more than the digits that were handed in is granted to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from in4310.errors import InputError
from in4310.judging import digits
from in4310.judging.mistake import Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.finishing import batch_counts, finishes
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import (
    BATCHES,
    Claim,
    Figure,
    Guesses,
    Vector,
    again,
    hypotheses,
    search,
    worlds_of,
)
from in4310.submission.formats import finite
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

SKLEARN = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics."
AP = SKLEARN + "average_precision_score.html"
RECALL = SKLEARN + "recall_score.html"
FOLDER = "https://pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html"
OF_SCORES = "average_precision_score(labels == c, scores[:, c])"
MACRO = "average the APs of the classes: average='macro'"
COLLECT = "collect all batches before you compute it"
ACCURACY = SKLEARN + "accuracy_score.html"
COARSE = 6e-4  # a figure of three digits
Key = tuple[str, str | None]  # ('accuracy' | 'mean_accuracy' | 'ap' | 'map', class)


@dataclass(eq=False)
class Scored:
    """Labels int64 (N,), scores float64 (N, C), classes, of one set; `others`: the same of the other sets.

    `recorded`: kind -> where and what, as histories say of this set; `beside`: all figures handed in with the right ones.
    """

    labels: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    others: Mapping[str, tuple[np.ndarray, np.ndarray]]
    recorded: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    beside: Sequence[tuple[float, float]] = ()
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
        return self.each(key, self._recall if key[0] in ("accuracy", "mean_accuracy") else self._ap)

    def each(self, key: Key, of: Callable[[int], float]) -> float | None:
        """`of` a class for a figure of one class, its mean over classes for a mean; None without an image."""
        columns = range(len(self.classes)) if key[1] is None else [self.column(key)]
        found = [of(c) for c in columns if (self.labels == c).any()]
        return float(np.mean(found)) if found else None

    def _recall(self, column: int) -> float:
        return float((self.predicted[self.labels == column] == column).mean())

    def _ap(self, column: int) -> float:
        if column not in self._average_precision:
            self._average_precision[column] = average_precision(self.labels == column, self.scores[:, column])
        return self._average_precision[column]

    def part(self, start: int, end: int) -> Scored:
        """Some of the images, kept: many hypotheses and figures look at the same batches."""
        if (start, end) not in self._parts:
            self._parts[start, end] = Scored(self.labels[start:end], self.scores[start:end], self.classes, {})
        return self._parts[start, end]


def _of(*kinds: str, each: Callable[[Scored, int], float], given: Callable[[Scored], bool] = bool) -> Figure:
    """A figure of these kinds from `each` class of it, where something is `given`; not for the accuracy over all images."""

    def figure(s: Scored, key: Key) -> float | None:
        if key[0] not in kinds or key == ("accuracy", None) or not given(s):
            return None
        return s.each(key, lambda column: float(each(s, column)))

    return figure


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """As scikit-learn's average_precision_score, of (N,) bool and (N,) numbers, in a thirtieth of the time.

    A diagnosis asks for hundreds of small ones, of which scikit-learn spends nearly all on looking at its arguments.
    """
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # rows of one score come in together
    gained = np.diff(hits[ends], prepend=0)
    return float((hits[ends] / (ends + 1) * gained).sum() / hits[-1]) if hits[-1] else 0.0


def precision(s: Scored, column: int) -> float:
    """Share of the images classified as a class that are of it."""
    chosen = s.predicted == column
    return float((s.labels[chosen] == column).mean()) if chosen.any() else 0.0


def f1(s: Scored, column: int) -> float:
    """Of one class."""
    chosen, there = s.predicted == column, s.labels == column
    return 2.0 * float((chosen & there).sum()) / max(1, int(chosen.sum() + there.sum()))


_recall = partial(_of, "accuracy", "mean_accuracy")
_ap = partial(_of, "ap", "map")


def _micro(s: Scored, key: Key) -> float | None:
    """AP over all entries of the matrix."""
    if key[0] != "map":
        return None
    return average_precision(np.eye(len(s.classes), dtype=bool)[s.labels].ravel(), s.scores.ravel())


def _weighted(s: Scored, key: Key) -> float | None:
    """Mean of APs weighted by support."""
    if key[0] != "map":
        return None
    counts = np.bincount(s.labels, minlength=len(s.classes))
    return float(np.average([s.right(("ap", c)) or 0.0 for c in s.classes], weights=counts))


def _last_batch(s: Scored, key: Key) -> Guesses:
    """The images after the last whole batch, or the last whole one."""
    for size in BATCHES:
        rows = len(s.labels) % size or size
        if rows < len(s.labels):
            yield s.part(len(s.labels) - rows, len(s.labels)).right(key), f"batches of {size}"


def _batch_average(s: Scored, key: Key) -> Guesses:
    """Mean over batches, the short last one counting as much as the others."""
    for size in (size for size in BATCHES if size < len(s.labels)):
        values = [s.part(i, i + size).right(key) for i in range(0, len(s.labels), size)]
        present = [v for v in values if v is not None]
        yield float(np.mean(present)) if present else None, f"batches of {size}"


def _other_set(s: Scored, key: Key) -> Guesses:
    """The same figure of the other sets whose scores are there."""
    for name, (labels, scores) in s.others.items():
        yield Scored(labels, scores, s.classes, {}).right(key), name


def _of_other_sets(s: Scored) -> Iterator[tuple[Scored, str]]:
    """All of it, for a second mistake."""
    for name, (labels, scores) in s.others.items():
        yield Scored(labels, scores, s.classes, {}), name


def _another_class(s: Scored, key: Key) -> Guesses:
    """The figure of the class that stands elsewhere in a common other order: reversed, or shifted by one."""
    if key[1] is not None:
        at, size = s.column(key), len(s.classes)
        others = {"reversed": size - 1 - at, "shifted by one": (at + 1) % size, "shifted back by one": at - 1}
        for how, other in others.items():
            yield s.right((key[0], s.classes[other])), how


def _another_measure(s: Scored, key: Key) -> float | None:
    """Average precision where accuracy is asked for, of all or of a class, and the other way round."""
    measure, name = key
    if measure in ("ap", "map"):
        return s.right(("accuracy", name))
    return s.right(("map", None) if name is None else ("ap", name))


# fmt: off
hypotheses(
    "metric",
    (lambda s, key: s.right(("accuracy", None)) if key[0] == "mean_accuracy" else None,
     "overall-for-mean", "this is the overall accuracy, not the mean over classes",
     "average the accuracies of the classes", SKLEARN + "balanced_accuracy_score.html"),
    (lambda s, key: s.right(("mean_accuracy", None)) if key == ("accuracy", None) else None,
     "mean-for-overall", "this is the mean of the accuracies per class", "count all images alike for the overall accuracy", ACCURACY),
    (_recall(each=precision),  # of the images classified as it, the share that is of the class
     "precision-for-recall", "this is the precision: the confusion matrix was divided along the wrong axis",
     "divide each row of the confusion matrix (true classes) by its sum", RECALL, named("precision_score")),
    (_recall(each=f1), "f1", "this is the F1 score", "divide the hits by the images of the class",
     SKLEARN + "f1_score.html", named("f1_score")),
    (_recall(each=lambda s, c: ((s.predicted == c) == (s.labels == c)).mean()),
     "one-against-rest", "this is the accuracy of one class against the rest: images of other classes count as hits",
     "of the images of a class, count those classified as it", RECALL),
    (_recall(each=lambda s, c: ((s.predicted == c) & (s.labels == c)).mean()),
     "divided-by-all", "the hits of the class were divided by all images", "divide by the images of the class", RECALL),
    (_ap(each=lambda s, c: average_precision(s.labels == c, (s.predicted == c).astype(int))),
     "hard-ap", "this is the AP of the predicted classes, not of the scores", OF_SCORES, AP, named("argmax", "max")),
    (_ap(each=lambda s, c: average_precision(s.labels == c, (s.scores[:, c] > 0.5).astype(int))),
     "thresholded-ap", "this is the AP of scores that were cut at 0.5", OF_SCORES, AP),
    (_ap(each=lambda s, c: average_precision(s.predicted == c, (s.labels == c).astype(int)),
         given=lambda s: all((s.predicted == c).any() for c in range(len(s.classes)))),
     "swapped-ap", "truth and prediction are exchanged in the call of average_precision_score",
     "average_precision_score(y_true, y_score): the labels first", AP, named("average_precision_score")),
    (_ap(each=precision), "precision-for-ap", "this is the precision, not the average precision",
     OF_SCORES, AP, named("precision_score")),
    (_ap(each=lambda s, c: roc_auc_score(s.labels == c, s.scores[:, c]), given=lambda s: len(set(s.labels.tolist())) > 1),
     "auc-for-ap", "this is the area under the ROC curve, not the average precision", OF_SCORES, AP, named("roc_auc_score", "auc")),
    (_micro, "micro-ap", "all classes were pooled (average='micro')", MACRO, AP),
    (_weighted, "weighted-ap", "the APs were weighted by the size of the classes (average='weighted')", MACRO, AP),
    (_other_set, "other-set", "this is the figure of another set", "compute it on the set that it is reported for", ACCURACY),
    (_another_measure, "other-measure", "this is the figure of another measure", "write each figure under its own name", ACCURACY),
    (lambda s, key: None if (value := s.right(key)) is None else 1 - value,
     "error-for-accuracy", "this is the error: 1 minus the right figure", "count the hits", ACCURACY),
    (_another_class, "one-place-further", "the classes are in another order",
     "number the classes in the order of the assignment", FOLDER, named("listdir", "set")),
)
hypotheses(
    "metric",
    (_last_batch, "last-batch", "this is the figure of the last batch only", COLLECT, ACCURACY),
    (_batch_average, "batch-average", "the figure of each batch was averaged over the batches", COLLECT, ACCURACY),
    expensive=True,
)
# fmt: on
again("metric: source", (_of_other_sets, "metric/other-set"))
finishes("metric", "other classes")


def of_submission(evidence: Evidence, which: str) -> Scored | None:
    """Labels and scores of a set, 'val' or 'test', that metrics are judged by; None where there are none."""

    def made() -> Scored | None:
        try:
            values = evidence.labels(which), evidence.judged_by(which)
        except (Missing, InputError):
            return None
        sets = ("val", "test", "train")
        others = {n: found for n in sets if n != which and (found := evidence.scored(n)) is not None}
        return Scored(
            *values, tuple(evidence.classes), others, _recorded(evidence, which), _handed_in(evidence)
        )

    kept: Scored | None = evidence.once(("scored_case", which), made)
    return kept


def causes(classes: int, images: int) -> dict[str, float]:
    """What a factor of metrics may come from, the usual first; a share that comes out above 1 was read as per cent."""
    more = {
        f"{classes + by}/{classes}, as of {classes + by} classes": (classes + by) / classes for by in (1, -1)
    }
    found = {"the number of classes": float(classes), "2": 2.0, **more, "100": 100.0, **batch_counts(images)}
    above = {w: n / 100 if n > 1 else 100 * n for w, n in found.items() if 0.5 <= n <= 2}
    return found | {f"{what}, to more than 1": number for what, number in above.items()}


def _recorded(evidence: Evidence, which: str) -> dict[str, list[tuple[str, float]]]:
    """Kind of figure -> what the histories handed in say of a set: where, and the figure."""
    found: dict[str, list[tuple[str, float]]] = {}
    with suppress(Missing, InputError):
        for run, recorded in evidence.submission.history.items():
            for at, epoch in enumerate(recorded.get("epochs", ())):
                for kind in ("accuracy", "map", "mean_accuracy"):
                    if (value := finite(epoch.get(f"{which}_{kind}"))) is not None:
                        found.setdefault(kind, []).append(
                            (f"epoch {epoch.get('epoch', at + 1)} of {run}", value)
                        )
    return found


def _handed_in(evidence: Evidence) -> list[tuple[float, float]]:
    """All figures handed in, of both sets, each with the right one."""
    found = list[tuple[float, float]]()
    for name in ("val", "test"):
        with suppress(Missing, InputError):
            table, right = evidence.claimed_metrics(name), evidence.measured(name).as_dict()
            for kind in ("accuracy", "mean_accuracy", "map", "accuracy_per_class", "ap_per_class"):
                own, theirs = right[kind], table.get(kind)
                both = (
                    [(theirs.get(c), own[c]) for c in own]
                    if isinstance(own, dict) and isinstance(theirs, dict)
                    else [(theirs, own)]
                )
                found += [
                    (v, float(o)) for t, o in both if (v := finite(t)) is not None and isinstance(o, float)
                ]
    return [(v / 100 if v > 1 + 1e-6 else v, own) for v, own in found]


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
    room = {key: max(2e-6, digits.room([value], least=0)) for key, value in wrong.items()}
    if max(room.values()) > COARSE and len(wrong) < 3:
        return []  # two digits agree with too much by chance
    claim = Claim(
        tuple(wrong), lambda key, guess: abs(guess - wrong[key]), room.__getitem__, min(off, default=0.0),
        "figures", Scored.right, lambda figure, given, key: _listed(figure(given, key)),
        chance=_chance(scored, wrong, room), closely=lambda under: _chance(scored, wrong, room, under),
        figures=Vector(
            {key: np.array([v]) for key, v in wrong.items()}, room, 2e-6, {},
            causes(len(scored.classes), len(scored.labels)),
            lambda key: key[1] or key[0], lambda key: key[1] and key[0], scored.beside,
        ),
    )  # fmt: skip

    return search("metric", claim, worlds_of(scored), budget)


def _chance(
    scored: Scored, wrong: Mapping[Key, float], room: Mapping[Key, float], off: float = np.inf
) -> float:
    """How likely a guess fits made-up figures within their room; where it fits better, as well as it does.

    Many things give 0 and 1: such a figure proves nothing. One that counts images of the set is often exactly that of
    another count, and that it is tells no more than that it fits.
    """
    found = 1.0
    for key, value in wrong.items():
        if 1e-9 < value < 1 - 1e-9:
            counted = abs(value * len(scored.labels) - round(value * len(scored.labels))) < 1e-6
            fits = room[key] if counted else min(room[key], max(off, digits.finest(value), 1e-9))
            found *= min(1.0, 4 * fits)
    return found


def _listed(value: float | Guesses | None) -> list[tuple[float, str]]:
    """What a hypothesis gives for a figure: numbers, each with its variant."""
    found = [(value, "")] if value is None or isinstance(value, float) else value
    return [(number, detail) for number, detail in found if number is not None]
