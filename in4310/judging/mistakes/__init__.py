"""Differential diagnosis: the smallest known mistake that gives exactly the figures handed in.

A figure that is wrong is computed again as if each known mistake had been made. One that gives what was handed in is
named, with how well it fits; two that fit alike are both named; without a match, none is. Hypotheses are registered in
`core.REGISTRY` by the modules of this package: scores, metrics, rankings, shares (of non-positive values), spectra.
"""

from in4310.judging.mistakes import metrics, rankings, scores, shares, spectra
from in4310.judging.mistakes.search import REGISTRY, Hypothesis, Match

__all__ = ["REGISTRY", "Hypothesis", "Match", "metrics", "rankings", "scores", "shares", "spectra"]
