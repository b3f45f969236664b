"""Mistakes that give wrong percentages of non-positive values: another way of counting, or other maps (`inside`), or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from in4310.judging import digits
from in4310.judging.inside import Inside, Maps
from in4310.judging.mistake import Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.finishing import batch_counts, finishes, weighted_by_time
from in4310.judging.mistakes.inside import MODULE, elsewhere, looked_up, worlds
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, REGISTRY, Claim, Vector, World, hypotheses, search

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


def _zeros_only(maps: Maps, module: str) -> Guess:
    yield 100 * float((maps.shares[module] - maps.negative[module]).mean()), ""


def _averaged_first(maps: Maps, module: str) -> Guess:
    if (means := maps.means.get(module)) is not None:
        yield 100 * float((means <= 0).mean()), ""


def _of_channels(maps: Maps, module: str) -> Guess:
    """Channels, or images, counted by whether their mean is above zero."""
    if (means := maps.means.get(module)) is not None:
        yield (
            100 * float((means.mean(axis=0) <= 0).mean()),
            "channels whose mean over all images is not positive",
        )
        yield (
            100 * float((means.mean(axis=1) <= 0).mean()),
            "images whose mean over all channels is not positive",
        )
        yield 100 * float((means.mean(axis=0) > 0).mean()), "channels whose mean over all images is positive"
    if (channels := maps.channels.get(module)) is not None:
        yield 100 * float((channels >= 1).mean()), "maps without a positive value"
        yield 100 * float((channels > 0.5).mean()), "maps of which more than half is not positive"
        yield 100 * float((channels > 0).mean()), "maps with a value that is not positive"


def _one_channel(maps: Maps, module: str) -> Guess:
    if (channels := maps.channels.get(module)) is not None:
        for at, how in ((0, "the first"), (1, "the second"), (-1, "the last")):
            if -2 < at < channels.shape[1]:
                yield 100 * float(channels[:, at].mean()), how


def _other_mean(maps: Maps, module: str) -> Guess:
    """Of the shares of the images not the mean."""
    shares = 100 * maps.shares[module]
    yield float(np.median(shares)), "the median"
    yield float(np.sort(shares)[(len(shares) - 1) // 2]), "the lower median"
    yield float(shares.max()), "the largest of any image"
    yield float(shares.min()), "the smallest of any image"
    yield float(shares.std()), "the standard deviation"
    if len(shares) > 1:
        yield float(shares.std(ddof=1)), "the standard deviation, by N - 1"
    for size, means in _batches(maps.shares[module]):
        yield 100 * float(np.median(means)), f"the median of batches of {size}"
        yield 100 * float(np.max(means)), f"the largest of any batch of {size}"


def _weighted(maps: Maps, module: str) -> Guess:
    for size, means in _batches(maps.shares[module]):
        yield from ((100 * value, how) for value, how in weighted_by_time(means, size))


def _one_counter(maps: Maps, module: str) -> Guess:
    """Each module's figure holds those of the modules before it, as images or as values count."""
    names = list(maps.shares)
    before = names[: names.index(module) + 1]
    if len(names) > 1:
        shares = [100 * float(maps.shares[m].mean()) for m in before]
        yield float(np.mean(shares)), "the mean of all so far"
        if all(len(table) >= len(names) for table in maps.sizes.values()) and maps.sizes:
            values = [float(np.prod([table[m] for table in maps.sizes.values()])) for m in before]
            yield float(np.average(shares, weights=values)), "of all values so far"
        yield float(sum(shares)), "the sum of all so far"


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
    (_zeros_only, "zeros-only", "only zeros were counted: == 0, not <= 0", "count (output <= 0)", HOOKS),
    (_one_counter, "one-counter", "one counter was kept through all modules: each figure holds those before it",
     "keep one counter per module", HOOKS),
    (_averaged_first, "averaged-first", "the maps were averaged over their positions before it was counted",
     "count all values: (output <= 0).mean()", HOOKS),
    (_of_channels, "counted-wholes", "whole channels, maps or images were counted, not values", "count all values: (output <= 0).mean()", HOOKS),
    (_one_channel, "one-channel-only", "only one channel was counted", "count all channels", HOOKS),
    (_other_mean, "other-mean-of-images", "the shares of the images were put together in another way than by their mean",
     "sum over all images, and divide once", HOOKS),
    (_weighted, "weighted-batches-of-shares", "later batches of images have more weight than earlier ones", "sum over all images, and divide once", HOOKS),
    (_other_module, "other-module", "these are the figures of other modules", "keep the name beside its figure", HOOKS),
)
# fmt: on
finishes("non_positive", "other modules")


def diagnose(inside: Inside, claimed: Mapping[str, float], tolerance: float, budget: Budget) -> list[Match]:
    """Mistakes that give the percentages claimed for modules, the wrong ones and those that are right all the same."""
    with budget:
        if not inside.finite:
            return []
        claim = _claim(inside.right, claimed, dict.fromkeys(claimed, tolerance))
    images = {
        "the number of images": float(inside.images),
        "the number of modules": float(len(inside.right.shares)),
    }
    figures = Vector(
        {m: np.array([v]) for m, v in claimed.items()},
        dict.fromkeys(claimed, max(digits.room(claimed.values(), 0), 1e-9)),
        tolerance / 30,
        inside.right.sizes,
        {**images, **batch_counts(inside.images), "100": 100.0},
    )
    if all(value in (0, 100) for value in claimed.values()):
        # Many things give nothing but zeros: all that do are said, and no second mistake is looked for.
        return search("non_positive", replace(claim, chance=0.0), worlds(inside), budget, sources=False)
    found = search("non_positive", replace(claim, figures=figures), worlds(inside), budget)
    return found or looked_up(inside, claim, REGISTRY["non_positive/other-module"], budget)


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
