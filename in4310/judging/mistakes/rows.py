"""Mistakes that give wrong scores: functions of each row, done to ours, or fitted.

As in `outputs`: (claimed (N, C), Rows) -> largest difference, detail.
"""

from __future__ import annotations

import numpy as np

from in4310.judging.mistakes.outputs import NOT, NUMPY, SAVING, SOFTMAX, Rows, Undone, apart
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, hypotheses

SAVE = "save torch.softmax(logits, dim=1), and nothing that is made of it"
FEWEST = 4  # rows that a function of rows must explain


def _logs(scores: np.ndarray) -> np.ndarray:
    """Logits, but for what is the same for a row."""
    return np.log(np.maximum(scores, 1e-30))


def _sorted(claimed: np.ndarray, rows: Rows) -> Undone:
    """The values of each row, in ascending or descending order; they were in another."""
    taken, ours = claimed[rows.at], np.sort(rows.scores, axis=1)
    for how, order in (("descending", ours[:, ::-1]), ("ascending", ours)):
        if apart(order, rows.scores) > 0.01 and (off := apart(taken, order)) < 0.01:
            return off, how
    return NOT


def _over_sum(claimed: np.ndarray, rows: Rows) -> Undone:
    """x / sum x for logits x: of each row the logits are ours and one number, which its sum fixes."""
    taken = claimed[rows.at]
    if len(taken) < FEWEST or np.abs(taken.sum(axis=1) - 1).max() > 1e-3:
        return NOT
    # taken * s - logs is the same for all classes of a row, s being the sum of its logits: fitted for each row.
    logs = _logs(rows.scores)
    t, x = taken - taken.mean(axis=1, keepdims=True), logs - logs.mean(axis=1, keepdims=True)
    total = (t * x).sum(axis=1) / np.maximum((t * t).sum(axis=1), 1e-300)
    shift = (total - logs.sum(axis=1)) / logs.shape[1]
    guess = (logs + shift[:, None]) / total[:, None]
    usable = (rows.scores > 1e-30).all(axis=1) & (np.abs(total) > 0.5)
    return (apart(taken[usable], guess[usable]), "") if usable.sum() >= FEWEST else NOT


def _fitted(claimed: np.ndarray, rows: Rows) -> Undone:
    """a + b * score, the same for all: smoothed labels, a complement, a scale. Fitted by two numbers to many."""
    taken, ours = claimed[rows.at], rows.scores
    if ours.size < 2 * FEWEST * ours.shape[1]:
        return NOT
    a, b = np.polyfit(ours.ravel(), taken.ravel(), 1)[::-1]
    classes = ours.shape[1]
    if abs(b) < 0.01 or (abs(a) < 1e-3 and abs(b - 1) < 1e-3):
        return NOT
    if abs(a) < 1e-6 and abs(b - 100) < 1e-2:
        return NOT  # per cent, which has a name
    if abs(b + 1) < 1e-3 and abs(a - 1) < 1e-3:
        how = "1 minus the score"
    elif abs(a - (1 - b) / classes) < 1e-3:
        how = f"smoothed: {b:.3g} times the score, and the rest, {1 - b:.3g}, shared by all classes"
    else:
        how = f"{a:.4g} + {b:.4g} times the score"
    return apart(taken, a + b * ours) / max(1.0, abs(b)), how


def _clipped(claimed: np.ndarray, rows: Rows) -> Undone:
    """Cut at the smallest and largest number handed in, which many of them are."""
    low, high = float(claimed.min()), float(claimed.max())
    at_edges = float(((claimed == low) | (claimed == high)).mean())
    if at_edges < 0.1 or not low < high:
        return NOT
    guess = np.clip(rows.scores, low, high)
    if apart(guess, rows.scores) < 2e-3:
        return NOT
    return apart(claimed[rows.at], guess), f"to {low:.3g} to {high:.3g}"


def _over_largest(claimed: np.ndarray, rows: Rows) -> Undone:
    return apart(claimed[rows.at], rows.scores / rows.scores.max(axis=1, keepdims=True)), ""


def _power(claimed: np.ndarray, rows: Rows) -> Undone:
    """score ** p, not divided by the sum again."""
    taken = claimed[rows.at]
    usable = (taken > 1e-5) & (rows.scores > 1e-5) & (rows.scores < 0.9)
    if usable.sum() < 2 * FEWEST:
        return NOT
    a, b = np.log(rows.scores[usable]), np.log(taken[usable])
    power = float((a * b).sum() / (a * a).sum())
    if not 0.1 < power < 10 or abs(power - 1) < 0.02:
        return NOT
    name = {2.0: "squared", 0.5: "their square root"}.get(round(power, 2), f"to the power {power:.3g}")
    return apart(taken, rows.scores**power), name


def _between(claimed: np.ndarray, rows: Rows) -> Undone:
    """(x - smallest) / (largest - smallest) of the logits of a row."""
    logs = _logs(rows.scores)
    usable = (rows.scores > 1e-30).all(axis=1)
    if usable.sum() < FEWEST:
        return NOT
    low, high = logs.min(axis=1, keepdims=True), logs.max(axis=1, keepdims=True)
    guess = (logs - low) / np.maximum(high - low, 1e-12)
    return apart(claimed[rows.at][usable], guess[usable]), ""


def _all_rows(claimed: np.ndarray, rows: Rows) -> Undone:
    """One softmax over the whole matrix, or a batch: each row is ours times a number, and all sum to 1."""
    taken = claimed[rows.at]
    sums = taken.sum(axis=1, keepdims=True)
    total = claimed.sum()
    batches = [b for b in BATCHES if b < len(claimed) and abs(total - -(-len(claimed) // b)) < 1e-3 * total]
    if sums.min() <= 1e-12 or np.abs(sums - 1).max() < 1e-3 or not (abs(total - 1) < 1e-3 or batches):
        return NOT
    usable = sums[:, 0] > 1e-7  # float32 knows no more of the others
    if usable.sum() < FEWEST:
        return NOT
    how = f"in batches of {batches[0]}" if batches else "over the whole matrix"
    return apart(taken[usable] / sums[usable], rows.scores[usable]), how


def _cut_off(claimed: np.ndarray, rows: Rows) -> Undone:
    """Rounded down: all are multiples of 0.1, 0.01 or 0.001, and none is above ours."""
    for digits in (1, 2, 3):
        if np.abs(claimed * 10**digits - np.round(claimed * 10**digits)).max() < 1e-4:
            off = rows.scores - claimed[rows.at]
            worst = max(0.0, float(-off.min()), float(off.max()) - 10**-digits)
            # To the nearest would be off by half of that: without one that is more, it is not told.
            return (worst, f"to {digits} decimals") if off.max() > 0.55 * 10**-digits else NOT
    return NOT


def _log10(claimed: np.ndarray, rows: Rows) -> Undone:
    """log10 or log2 of the scores: the same function but for a factor."""
    taken = claimed[rows.at]
    if taken.max() > 1e-6:
        return NOT
    for base in (2.0, 10.0):
        off = apart(base**taken, rows.scores)
        if off < 0.01:
            return off, f"to the base {base:g}"
    return NOT


# fmt: off
hypotheses(
    "scores: output",
    (_sorted, "row-sorted", "the scores of each row were sorted: which is of which class is lost", SAVE, SOFTMAX, named("sort", "topk")),
    (_over_sum, "over-sum", "the outputs were divided by the sum of the row, without exp", "take torch.softmax of the outputs", SOFTMAX),
    (_fitted, "linear", "the scores were scaled or shifted", SAVE, SAVING),
    (_clipped, "clipped", "the scores were clipped", SAVE, NUMPY + "clip.html", named("clip", "clamp")),
    (_over_largest, "over-largest", "the scores were divided by the largest score of the row", SAVE, SAVING),
    (_power, "power", "a power of the scores was saved", SAVE, SAVING),
    (_between, "min-max", "the outputs were scaled to 0 to 1 in each row, from the smallest to the largest", SAVE, SAVING),
    (_all_rows, "softmax-of-all", "softmax was taken over all rows together", "torch.softmax(logits, dim=1)", SOFTMAX),
    (_cut_off, "cut-off", "the scores were cut off, rounded down, before they were saved", "save them in full float32 precision: numpy.save",
     NUMPY + "save.html", named("floor", "trunc")),
    (_log10, "log-of-scores", "logarithms of the scores were saved", SAVE, SOFTMAX),
)
# fmt: on
