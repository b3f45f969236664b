"""Mistakes that give wrong scores: what was done with the network's output before it was saved.

(claimed (N, C), Rows) -> largest difference, detail. Each undoes the mistake on the claimed rows, or does it to ours, and
says how far the two are then apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.places import softmax as softmaxes
from in4310.judging.mistakes.search import hypotheses

SOFTMAX = "https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html"
SAVING = "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
NUMPY = "https://numpy.org/doc/stable/reference/generated/numpy."
FOLDER = "https://pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html"
Undone = tuple[float, str]
NOT = (np.inf, "")


@dataclass(frozen=True)
class Rows:
    """Scores of images as a mistake would give them: `at` are their rows in the matrix handed in.

    `orders`: where each row of the whole set stands in an order that has a rule (-1: nowhere), and that rule.
    """

    at: np.ndarray
    scores: np.ndarray
    detail: str = ""
    orders: Sequence[tuple[np.ndarray, str]] = ()


def softmax(logits: np.ndarray, axis: int = 1) -> np.ndarray:
    """Softmax in float64."""
    shifted = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


def apart(claimed: np.ndarray, ours: np.ndarray) -> float:
    """Largest difference; infinite where there is nothing to compare."""
    off = np.abs(claimed - ours)
    return float(np.inf) if not off.size or not np.isfinite(off).all() else float(off.max())


def _logits(claimed: np.ndarray, rows: Rows) -> Undone:
    """Softmax of what was handed in gives our scores; a constant shift of a row is no matter."""
    taken = claimed[rows.at]
    if not np.isfinite(taken).all() or np.abs(np.exp(np.minimum(taken, 50)).sum(axis=1) - 1).max() < 1e-3:
        return NOT  # log-softmax, which is a mistake of its own
    if np.abs(taken.sum(axis=1) - 1).max() < 1e-3 and taken.min() >= 0:
        return NOT
    return apart(softmax(taken), rows.scores), ""


def _log_softmax(claimed: np.ndarray, rows: Rows) -> Undone:
    """exp of what was handed in sums to 1 and gives our scores."""
    taken = claimed[rows.at]
    if taken.max() > 1e-6:
        return NOT
    return apart(np.exp(taken), rows.scores), ""


def _sigmoid(claimed: np.ndarray, rows: Rows) -> Undone:
    """Softmax of the sigmoid's inverse gives our scores."""
    taken = claimed[rows.at]
    if taken.min() < 0 or taken.max() > 1 or np.abs(taken.sum(axis=1) - 1).max() < 1e-3:
        return NOT
    if apart(taken / taken.sum(axis=1, keepdims=True), rows.scores) < 1e-3:
        return NOT  # only the sums of the rows are wrong: of small numbers a sigmoid is that, too
    inner = np.clip(taken, 1e-12, 1 - 1e-7)
    sure = ((taken < 1 - 1e-6) & (taken > 1e-9)).all(axis=1)  # float32 knows no more of the others
    if sure.sum() < min(4, len(taken)):
        return NOT
    return apart(softmax(np.log(inner) - np.log1p(-inner))[sure], rows.scores[sure]), ""


def _temperature(claimed: np.ndarray, rows: Rows) -> Undone:
    """log of the claimed scores is proportional to log of ours, both centred; the factor is fitted."""
    taken = claimed[rows.at]
    usable = (taken > 1e-6).all(axis=1) & (rows.scores > 1e-6).all(axis=1)
    if usable.sum() < 3:
        return NOT
    a, b = np.log(rows.scores[usable]), np.log(taken[usable])
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    factor = float((a * b).sum() / (a * a).sum())
    if not 0.02 < factor < 50 or abs(factor - 1) < 0.02:
        return NOT
    return apart(taken, softmax(factor * np.log(np.maximum(rows.scores, 1e-30)))), f"T = {1 / factor:.3g}"


def _rounded(claimed: np.ndarray, rows: Rows) -> Undone:
    """All of them are multiples of 0.1, 0.01 or 0.001, and ours rounded alike; beyond the half unit, nothing is left."""
    for digits in (1, 2, 3):
        if np.abs(claimed * 10**digits - np.round(claimed * 10**digits)).max() < 1e-4:
            off = np.abs(claimed[rows.at] - rows.scores)
            return float(max(0.0, off.max() - 0.5 * 10**-digits)), f"to {digits} decimals"
    return NOT


def _permuted(claimed: np.ndarray, rows: Rows) -> Undone:
    """The order of columns that fits best, by assignment."""
    taken = claimed[rows.at]
    cost = np.abs(taken[:, :, None] - rows.scores[:, None, :]).mean(axis=0)
    order = linear_sum_assignment(cost)[1]
    if (order == np.arange(len(order))).all():
        return NOT
    moved = ", ".join(f"column {i} is class {j}" for i, j in enumerate(order) if i != j)
    return apart(taken, rows.scores[:, order]), moved


# fmt: off
hypotheses(
    "scores: output",
    (_logits, "logits", "logits were saved, no softmax was taken", "save torch.softmax(logits, dim=1)", SOFTMAX),
    (_log_softmax, "log-softmax", "log-softmax was saved", "save torch.softmax(logits, dim=1), or exp of what you have",
     SOFTMAX, named("log_softmax", "LogSoftmax")),
    (lambda claimed, rows: (apart(claimed[rows.at], softmax(rows.scores)), ""),
     "softmax-twice", "softmax was applied twice", "the network returns logits: take softmax once", SOFTMAX,
     softmaxes(1, -1)),
    (_sigmoid, "sigmoid", "a sigmoid was taken of each output instead of a softmax over the classes",
     "save torch.softmax(logits, dim=1)", SOFTMAX, named("sigmoid", "Sigmoid")),
    (_temperature, "temperature", "the logits were divided by a temperature before the softmax",
     "take softmax of the network's own output", SOFTMAX),
    (lambda claimed, rows: (apart(claimed[rows.at] / 100, rows.scores), ""),
     "percent", "the scores were multiplied by 100", "save probabilities between 0 and 1", SOFTMAX),
    (_rounded, "rounded", "the scores were rounded before they were saved",
     "save them in full float32 precision: numpy.save",
     NUMPY + "save.html", named("round", "around", "savetxt", "to_csv")),
    (_permuted, "classes-permuted", "the columns are in another order of classes",
     "number the classes in the order of the assignment, not as os.listdir gives them",
     FOLDER, named("listdir", "iterdir", "set", "glob", "walk")),
    (lambda claimed, rows: NOT,  # never a match by itself: altered rows are listed by the check
     "single-rows", "a few rows were altered by hand", "save what the network gives", SAVING),
)
# fmt: on
