"""A split that only a program makes, held beside the scores handed in: how far they agree with it beyond chance.

What is seen of a program can be staged. Scores cannot be of these rows by chance: where they favour the class of each
row's own image far more often than rows in another order would, the split is the one that they were computed of.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from in4310.judging.class_order import best_order, confusion
from in4310.judging.evidence import Evidence, number
from in4310.judging.judge import Judge
from in4310.submission.formats import SETS
from in4310.submission.pieces import Missing

SURE = -9.0  # logarithm to base 10 of the probability that other rows agree as well


def proof(evidence: Evidence) -> str:
    """What proves the split that a program makes, with how far beyond chance; '' for nothing."""

    def made() -> str:
        return "; ".join(filter(None, (_of(evidence, name) for name in ("val", "test"))))

    found: str = evidence.once(("split_proved",), made)
    return found


def rests(evidence: Evidence, judge: Judge) -> None:
    """Say what a verdict on the split rests on, where no file says it."""
    if evidence.submission.split_made_by:
        judge.rest("proved by another piece" if proof(evidence) else "seen run")


def again(evidence: Evidence) -> str:
    """What a second run made of the split: 'same', other with the 'listing', or 'other'; '' where that says nothing.

    Beside a file it speaks only for the split that this file says.
    """
    ran = evidence.submission.rehearsed
    if evidence.submission.split_made_by:
        return ran.again
    try:
        return ran.again if ran.again == "same" and not _apart(evidence, ran.split) else ""
    except Missing:
        return ""


def _apart(evidence: Evidence, split: dict[str, list[str]]) -> list[str]:
    """Sets that are others than the files say."""
    return [name for name in SETS if set(evidence.split[name]) != set(split.get(name, ()))]


def said(evidence: Evidence) -> str:
    """A note on how sure a split is that was seen to be made, or whether it is the one that a file says."""
    ran = evidence.submission.rehearsed
    if not (program := evidence.submission.split_made_by):
        return _beside_the_file(evidence, ran.at, ran.split)
    if why := proof(evidence):
        return f"rehearsal: the split that {program} makes is proved by the scores handed in: {why}"
    return f"rehearsal: no file proves the split that {program} makes: it is judged as it was seen"


def _beside_the_file(evidence: Evidence, program: str, split: dict[str, list[str]]) -> str:
    try:
        apart = _apart(evidence, split)
    except Missing:
        return ""
    if not split:
        return ""
    if not apart:
        return f"rehearsal: {program} makes the split that the files say"
    return f"rehearsal: {program} makes another split than the files say ({', '.join(apart)}); the files are judged"


def _of(evidence: Evidence, name: str) -> str:
    try:
        chosen = evidence.handed_in(name).argmax(axis=1)
        labels = evidence.labels(name)
    except Missing:
        return ""
    size = len(evidence.stated_classes)
    table = confusion(labels, chosen, size)
    order = np.array(best_order(table))
    orders = 1 if (order == np.arange(size)).all() else math.factorial(size)
    agree, rows = int((order[chosen] == labels).sum()), len(labels)
    shares = np.bincount(labels, minlength=size) / rows
    chance = float(sum(shares[c] * (order[chosen] == c).mean() for c in range(size)))
    by_chance = (float(binom.logsf(agree - 1, rows, chance)) + math.log(orders)) / math.log(10)
    if not by_chance < SURE:
        return ""
    return (
        f"{agree} of {rows} rows of {name} favour the class of their image, {chance:.0%} would by chance, and so many "
        f"with a probability of 10^{max(by_chance, -9999):.0f}{_stated(evidence, name, agree / rows)}"
    )


def _stated(evidence: Evidence, name: str, accuracy: float) -> str:
    """That the accuracy handed in is that of these rows, to the digits of the tolerance."""
    try:
        claimed = evidence.submission.metrics.get(name)
    except Missing:
        return ""
    stated = number(claimed, "accuracy") if isinstance(claimed, dict) else None
    if stated is None or abs(stated - accuracy) > evidence.edition.tolerances.metric:
        return ""
    return f"; their accuracy, {accuracy:.4f}, is the one handed in"
