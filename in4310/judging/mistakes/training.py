"""Mistakes of a training loop: each changes one thing of an epoch, and what weights come out tells which was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes.search import Budget, Claim, World, again, hypothesis, known, search

LOOP = "https://pytorch.org/tutorials/beginner/basics/optimization_tutorial.html"
TRAIN = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train"
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


Changed = Iterator[Epoch]


@hypothesis("training", "not-zeroed", "gradients are not zeroed between batches: optimizer.zero_grad() is missing",
            "call optimizer.zero_grad() for each batch", LOOP)  # fmt: skip
def not_zeroed(epoch: Epoch) -> Changed:
    """Gradients add up."""
    yield replace(epoch, zeroed=False)


@hypothesis("training", "eval-mode", "the network was left in eval mode: model.train() is missing",
            "call model.train() at the start of each epoch of training", TRAIN)  # fmt: skip
def eval_mode(epoch: Epoch) -> Changed:
    """Batch-norm with its running statistics, which stay as they are."""
    yield replace(epoch, training=False)


@hypothesis("training", "no-step", "optimizer.step() is never called, or the gradients are zeroed before it",
            "for each batch: zero_grad(), loss.backward(), step()", LOOP)  # fmt: skip
def no_step(epoch: Epoch) -> Changed:
    """Weights stay as they are, statistics of batch-norm do not."""
    yield replace(epoch, step="never")


@hypothesis("training", "one-step", "optimizer.step() is called once an epoch, after the last batch",
            "call optimizer.step() inside the loop over the batches", LOOP)  # fmt: skip
def one_step(epoch: Epoch) -> Changed:
    """With the gradients of the last batch, or of all."""
    yield replace(epoch, step="last")


@hypothesis(
    "training", "one-batch", "the loop ends after the first batch", "let the loop run over all batches", LOOP
)
def one_batch(epoch: Epoch) -> Changed:
    """A `break` or a `return` in the loop."""
    yield replace(epoch, batches=1)


@hypothesis("training", "no-batch", "nothing was trained: weights and statistics are those from before",
            "for each batch: zero_grad(), loss.backward(), step()", LOOP)  # fmt: skip
def no_batch(epoch: Epoch) -> Changed:
    """No forward pass at all."""
    yield replace(epoch, batches=0)


@hypothesis("training", "softmax-first", "softmax was taken before the loss, which takes it itself",
            "give nn.CrossEntropyLoss the logits", "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html")  # fmt: skip
def softmax_first(epoch: Epoch) -> Changed:
    """Cross-entropy of a softmax of a softmax."""
    yield replace(epoch, softmax=True)


@hypothesis(
    "training",
    "two-epochs",
    "it trains two epochs, not one",
    "one call is one epoch: loop over the epochs outside",
    LOOP,
)
def two_epochs(epoch: Epoch) -> Changed:
    """All batches twice."""
    yield replace(epoch, times=2)


for _mistake in known("training"):  # two of them at a time, too
    again(_mistake.figure, "training: source")(_mistake.figure)


def diagnose(found: State, trained: Callable[[Epoch], State], budget: Budget) -> list[Match]:
    """Mistakes after which exactly these weights come out, where `trained` gives those of an epoch."""
    weights = cache(trained)

    def right(epoch: Epoch) -> Changed:
        yield epoch

    def worlds(source: Hypothesis | None) -> Iterator[World]:
        for epoch in (source.figure if source else right)(Epoch()):
            yield World(epoch, source)

    claim = Claim(
        (0,),
        lambda _, epoch: apart(found, weights(epoch)),
        lambda _: CLOSE,
        apart(found, weights(Epoch())),
        "weights",
        right,
        lambda figure, epoch, _: ((changed, "") for changed in figure(epoch)),
        lambda _: sum(value.size for value in found.values()),
    )
    return search("training", claim, worlds, budget) if claim.without > CLOSE else []


def apart(a: State, b: State, part: str = "") -> float:
    """Largest difference of two states, in tensors whose names contain `part`."""
    return max(
        (float(np.abs(a[n] - b[n]).max()) for n in b if part in n and "num_batches" not in n), default=0.0
    )
