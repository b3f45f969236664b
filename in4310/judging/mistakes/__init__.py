"""Differential diagnosis: the smallest known mistake that gives exactly the figures handed in.

A figure that is wrong is computed again as if each known mistake had been made. One that gives what was handed in is
named, with how well it fits; those that fit alike are all named; without a match, none is. Hypotheses are registered in
`search.REGISTRY` by the modules of this package: scores (and outputs: what was done to them), metrics, rankings, shares (of
non-positive values), spectra, inside (what the last two share), training, and forms (mistakes of form).
"""

from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes import forms, inside, metrics, rankings, scores, shares, spectra, training
from in4310.judging.mistakes.search import REGISTRY, Budget

__all__ = ["REGISTRY", "Budget", "Hypothesis", "Match", "forms", "inside", "metrics", "rankings", "scores", "shares",
           "spectra", "training"]  # fmt: skip
