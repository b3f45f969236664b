"""What a figure rests on where the scores handed in are not what the network gives: an error is charged once.

Refuted scores prove nothing, and what agrees with them alone earns nothing. But scores that a known mistake makes out
of the network handed in (training mode, shuffled rows, logits) are the network's own, and are charged where they are
judged: what follows rightly from them is right.
"""

from __future__ import annotations

from in4310.errors import InputError
from in4310.judging import mistakes, trained
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.mistake import Match
from in4310.solution import metrics
from in4310.submission.pieces import Missing

FOLLOWS = "agrees with the scores handed in, which are judged by themselves"
REFUTED = "agrees with the scores handed in only, which the network handed in does not give"
STATED = "agrees with the scores handed in, which no network proves"


def refuted(evidence: Evidence, name: str) -> bool:
    """Whether the scores of a set are of the right form, and not what the network gives."""
    try:
        evidence.handed_in(name)
    except (Missing, InputError):
        return False
    return evidence.proved(name) and not evidence.reproduces(name)


def explained(evidence: Evidence, name: str) -> list[Match]:
    """Known mistakes that make refuted scores out of the network; [] where none does, or nothing is refuted."""
    return mistakes.scores.matches(evidence, name) if refuted(evidence, name) else []


def rests(evidence: Evidence, judge: Judge) -> None:
    """Record that a check's input, the test scores, is invented: the network gives other ones, and was not trained.

    Where the network was trained scores that it does not give are an error, which is charged once.
    """
    if trained.refuted(evidence) and refuted(evidence, "test") and not explained(evidence, "test"):
        judge.cover(
            0.0,
            "the scores handed in, against the network handed in",
            "neither what it gives, nor made of that by a known mistake",
            "scores of the network that was trained",
            mend="hand in the weights that were trained, and the scores that they give",
        )


def handed_in_metrics(evidence: Evidence, name: str) -> metrics.Metrics | None:
    """Metrics of refuted scores, which a student computes who trusts them; None where nothing is refuted."""
    if not refuted(evidence, name):
        return None
    return evidence.metrics_of(name, evidence.handed_in(name))
