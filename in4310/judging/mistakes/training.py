"""Mistakes of a training loop: each changes one thing of an epoch, and what weights come out tells which was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import Claim, Figure, World, hypotheses, search

LOOP = "https://pytorch.org/tutorials/beginner/basics/optimization_tutorial.html"
TRAIN = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train"
LOSS = "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"
STEPS = "for each batch: zero_grad(), loss.backward(), step()"
State = Mapping[str, np.ndarray]
CLOSE = 1e-5  # of weights in float32; they move by hundredths in an epoch


@dataclass(frozen=True)
class Epoch:
    """How an epoch is trained. `step`: after each batch, after the last, or never; `batches`: the first of them only."""

    zeroed: bool = True
    training: bool = True
    step: str = "each"
    batches: int | None = None
    softmax: bool = False
    times: int = 1


def _changed(**change: object) -> Figure:
    return lambda epoch: iter([replace(epoch, **change)])


# fmt: off
for _about in ("training", "training: source"):  # two of them at a time, too
    for _change, *_mistake in (
        ({"zeroed": False}, "not-zeroed", "gradients are not zeroed between batches: optimizer.zero_grad() is missing",
         "call optimizer.zero_grad() for each batch", LOOP),
        # Batch-norm with its running statistics, which stay as they are.
        ({"training": False}, "eval-mode", "the network was left in eval mode: model.train() is missing",
         "call model.train() at the start of each epoch of training", TRAIN),
        # Weights stay as they are, statistics of batch-norm do not.
        ({"step": "never"}, "no-step", "optimizer.step() is never called, or the gradients are zeroed before it", STEPS, LOOP),
        # With the gradients of the last batch, or of all.
        ({"step": "last"}, "one-step", "optimizer.step() is called once an epoch, after the last batch",
         "call optimizer.step() inside the loop over the batches", LOOP),
        ({"batches": 1}, "one-batch", "the loop ends after the first batch", "let the loop run over all batches", LOOP),
        ({"batches": 0}, "no-batch", "nothing was trained: weights and statistics are those from before", STEPS, LOOP),
        ({"softmax": True}, "softmax-first", "softmax was taken before the loss, which takes it itself",
         "give nn.CrossEntropyLoss the logits", LOSS),
        ({"times": 2}, "two-epochs", "it trains two epochs, not one", "one call is one epoch: loop over the epochs outside", LOOP),
    ):
        hypotheses(_about, (_changed(**_change), *_mistake))
# fmt: on


def diagnose(found: State, trained: Callable[[Epoch], State], budget: Budget) -> list[Match]:
    """Mistakes after which exactly these weights come out, where `trained` gives those of an epoch."""
    weights = cache(trained)

    def worlds(source: Hypothesis | None) -> Iterator[World]:
        for epoch in (source.figure if source else _changed())(Epoch()):
            yield World(epoch, source)

    claim = Claim(
        (0,), lambda _, epoch: apart(found, weights(epoch)), lambda _: CLOSE, apart(found, weights(Epoch())),
        "weights", _changed(), lambda figure, epoch, _: ((changed, "") for changed in figure(epoch)),
        lambda _: sum(value.size for value in found.values()),
    )  # fmt: skip
    return search("training", claim, worlds, budget) if claim.without > CLOSE else []


def apart(a: State, b: State, part: str = "") -> float:
    """Largest difference of two states, in tensors whose names contain `part`."""
    off = (np.abs(a[n] - b[n]).max() for n in b if part in n and "num_batches" not in n)
    return float(max(off, default=0.0))
