"""Mistakes that give wrong percentages of non-positive values: another way of counting, or other maps (`inside`), or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from in4310.judging.inside import Inside, Maps
from in4310.judging.mistake import Match
from in4310.judging.mistakes.inside import MODULE, elsewhere, worlds
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, Budget, Claim, World, hypotheses, search

HOOKS = MODULE + "#torch.nn.Module.register_forward_hook"
DATA = "https://pytorch.org/docs/stable/data.html"
Guess = Iterator[tuple[float, str]]  # a percentage, and which variant gives it


def right(maps: Maps, module: str) -> Guess:
    """The right way of counting."""
    yield 100 * float(maps.shares[module].mean()), ""


def _first_batch(maps: Maps, module: str) -> Guess:
    """Mean over the first batch, or the last, whole or short; over one image."""
    shares = 100 * maps.shares[module]
    for size in (s for s in BATCHES if s < len(shares)):
        yield float(shares[:size].mean()), f"the first {size} images"
        yield float(shares[-size:].mean()), f"the last {size} images"
        yield float(shares[-(len(shares) % size or size) :].mean()), f"the last batch of {size}"
    yield float(shares[0]), "the first image"
    yield float(shares[-1]), "the last image"


def _batch_average(maps: Maps, module: str) -> Guess:
    """Mean of batch means."""
    for size, means in _batches(maps.shares[module]):
        if len(maps.shares[module]) % size:
            yield 100 * float(np.mean(means)), f"batches of {size}"


def _wrong_count(maps: Maps, module: str) -> Guess:
    """Sum over n images divided by a whole number of batches times their size, or by one batch more or less."""
    shares = maps.shares[module]
    images = len(shares)
    for size in BATCHES:
        for count in {-(-images // size) * size, (images // size) * size, (images // size + 1) * size}:
            if count not in (0, images):
                yield 100 * float(shares.sum()) / count, f"{count}, where {images} images were summed"


def _summed(maps: Maps, module: str) -> Guess:
    for size, means in _batches(maps.shares[module]):
        yield 100 * float(sum(means)), f"batches of {size}"


def _batches(shares: np.ndarray) -> Iterator[tuple[int, list[float]]]:
    """Sizes of batches, with the mean of each batch."""
    for size in BATCHES:
        if size < len(shares):
            yield size, [float(shares[i : i + size].mean()) for i in range(0, len(shares), size)]


def _pooled(maps: Maps, module: str) -> Guess:
    if len(maps.shares) > 1:
        yield 100 * float(np.mean([shares.mean() for shares in maps.shares.values()])), ""


def _other_module(maps: Maps, module: str) -> Guess:
    for other, how in elsewhere(list(maps.shares), module):
        yield 100 * float(maps.shares[other].mean()), how


# fmt: off
hypotheses(
    "non_positive",
    (lambda maps, module: [(100 * float(maps.negative[module].mean()), "")],
     "negative-only", "zeros were not counted: it counts < 0, not <= 0", "count (output <= 0)", HOOKS),
    (lambda maps, module: [(100 - 100 * float(maps.shares[module].mean()), "")],
     "positive-share", "this is the share of positive values: 100 minus the right figure", "count (output <= 0)", HOOKS),
    (lambda maps, module: [(float(maps.shares[module].mean()), "")],
     "not-percent", "this is a share of 1, not a percentage", "multiply by 100", HOOKS),
    (_first_batch, "first-batch", "the same batch was used again and again, or only one: next(iter(loader)) in the loop",
     "for images in loader: ...", DATA, named("next")),
    (_batch_average, "batch-average", "averaged over batches of unequal size, the last one counting as much as the others",
     "sum over all images, and divide once", HOOKS),
    (_wrong_count, "wrong-count", "divided by another number than that of the images",
     "divide by the number of images, or of values, that were summed", HOOKS),
    (_summed, "summed", "summed over the batches, and not divided", "divide by the number of batches", HOOKS),
    (_pooled, "pooled", "all modules have the same figure: they were pooled, or counted into one variable",
     "keep one counter per module", HOOKS),
    (_other_module, "other-module", "these are the figures of other modules", "keep the name beside its figure", HOOKS),
)
# fmt: on


def diagnose(inside: Inside, claimed: Mapping[str, float], tolerance: float, budget: Budget) -> list[Match]:
    """Mistakes that give the percentages claimed for modules, the wrong ones and those that are right all the same."""
    with budget:
        claim = _claim(inside.right, claimed, dict.fromkeys(claimed, tolerance))
    return search("non_positive", claim, worlds(inside), budget)


def of_unnamed_images(
    claimed: Mapping[str, float], ours: Mapping[str, float], tolerance: Mapping[str, float]
) -> list[Match]:
    """The same where the images are not known: by the mean percentage over others alone, within what they may differ."""
    alike = Maps({name: np.array([value / 100]) for name, value in ours.items()}, {}, {})
    claim = _claim(alike, claimed, tolerance, only=("positive-share", "not-percent"))
    return search("non_positive", claim, lambda source: [World(alike)], Budget(), sources=False)


def _claim(
    ours: Maps, claimed: Mapping[str, float], tolerance: Mapping[str, float], only: tuple[str, ...] = ()
) -> Claim:
    off = {m: abs(v - next(right(ours, m))[0]) for m, v in claimed.items()}
    wrong = [m for m, apart in off.items() if not apart <= tolerance[m]]  # NaN is wrong, and nothing gives it
    independent = {
        claimed[m]: tolerance[m] for m in wrong
    }  # one figure for all modules proves as little as one
    return Claim(
        sorted(claimed, key=lambda m: m not in wrong) if wrong else (),
        lambda module, guess: abs(guess - claimed[module]), tolerance.__getitem__,
        max((off[m] for m in wrong), default=0.0), "percentages", right, only=only,
        chance=0.0 if only else float(np.prod([t / 25 for t in independent.values()])),  # of half of 0 to 100
    )  # fmt: skip
