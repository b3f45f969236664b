"""Differential diagnosis: the smallest known mistake that gives exactly the figures handed in.

A figure that is wrong is computed again as if each known mistake had been made. One that gives what was handed in is
named, with how well it fits; those that fit alike are all named; without a match, none is. Hypotheses are registered in
`search.REGISTRY` by the modules of this package: inputs (what the network was given), outputs, rows and orders (what was done
to what it gave), which scores puts together; metrics and definitions; rankings; shares (of non-positive values), spectra, and inside (what the two share);
finishing (what is done last, to figures of any kind); training; and forms (mistakes of form).
"""

from in4310.judging.mistake import Hypothesis, Match

from in4310.judging.mistakes import definitions, finishing, forms, inputs, inside, metrics, orders, outputs  # isort: skip
from in4310.judging.mistakes import rankings, rows, scores, shares, spectra, training  # isort: skip
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import REGISTRY

__all__ = ["REGISTRY", "Budget", "Hypothesis", "Match", "definitions", "finishing", "forms", "inputs", "inside", "metrics", "orders",
           "outputs", "rankings", "rows", "scores", "shares", "spectra", "training"]  # fmt: skip
