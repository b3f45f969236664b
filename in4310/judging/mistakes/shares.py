"""Mistakes that give wrong percentages of non-positive values: another source of maps, another way of counting, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from in4310.judging.inside import Inside, Maps, sources
from in4310.judging.mistakes import places
from in4310.judging.mistakes.search import (
    REGISTRY,
    Budget,
    Match,
    Places,
    best,
    fits,
    hypothesis,
    known,
    located,
)

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

HOOKS = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_forward_hook"
EVAL = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval"
BATCHES = (64, 32, 16, 128, 100, 50, 20, 10, 8, 4)


def _source(about: str, name: str, sentence: str, mend: str, link: str, where: Places | None = None) -> None:
    hypothesis(about, name, sentence, mend, link, where, expensive=True)(sources)


for _about in ("non_positive: source", "eigenvalues: source"):
    _source(_about, "in-place", "the hook kept a reference to a tensor that an in-place ReLU changed afterwards",
            "compute inside the hook, or keep output.clone()", HOOKS)  # fmt: skip
    _source(_about, "train-mode", "the network was in training mode: model.eval() is missing",
            "call model.eval() before the loop", EVAL, places.named("train"))  # fmt: skip
    _source(_about, "other-network", "this is the figure of the other network: before training for after, or the reverse",
            "load the weights that the figure is for", "https://pytorch.org/tutorials/beginner/saving_loading_models.html")  # fmt: skip
    _source(_about, "not-normalised", "the images were not normalised", "use the transform of the evaluation",
            "https://pytorch.org/vision/stable/transforms.html")  # fmt: skip
    _source(_about, "bgr", "the colours are in the order BGR: OpenCV's, where the network expects RGB",
            "cv2.cvtColor(image, cv2.COLOR_BGR2RGB)",
            "https://docs.opencv.org/4.x/d8/d01/group__imgproc__color__conversions.html", places.named("imread"))  # fmt: skip
    _source(_about, "hwc", "height, width and channels were read as channels, height and width",
            "image.transpose(2, 0, 1)", "https://pytorch.org/vision/stable/transforms.html")  # fmt: skip

Figures = dict[str, float]


@hypothesis(
    "non_positive",
    "negative-only",
    "zeros were not counted: < 0 in place of <= 0",
    "count (output <= 0)",
    HOOKS,
)
def negative_only(maps: Maps) -> list[tuple[Figures, str]]:
    """Share below zero."""
    return [({m: 100 * float(v.mean()) for m, v in maps.negative.items()}, "")]


@hypothesis("non_positive", "positive-share", "this is the share of positive values: 100 minus the right figure",
            "count (output <= 0)", HOOKS)  # fmt: skip
def positive_share(maps: Maps) -> list[tuple[Figures, str]]:
    """100 - share."""
    return [({m: 100 - 100 * float(v.mean()) for m, v in maps.shares.items()}, "")]


@hypothesis("non_positive", "not-percent", "this is a share of 1, not a percentage", "multiply by 100", HOOKS)
def not_percent(maps: Maps) -> list[tuple[Figures, str]]:
    """Share of 1."""
    return [({m: float(v.mean()) for m, v in maps.shares.items()}, "")]


@hypothesis("non_positive", "first-batch", "the same batch was used again and again, or only one: next(iter(loader)) in the loop",
            "for images in loader: ...", "https://pytorch.org/docs/stable/data.html", places.named("next"))  # fmt: skip
def first_batch(maps: Maps) -> list[tuple[Figures, str]]:
    """Mean over the first batch, or the last."""
    sides = [(slice(0, n), f"the first {n} images", n) for n in BATCHES]
    sides += [(slice(-n, None), f"the last {n} images", n) for n in BATCHES]
    found = [
        ({m: 100 * float(v[rows].mean()) for m, v in maps.shares.items() if size < len(v)}, detail)
        for rows, detail, size in sides
    ]
    found.append(({m: 100 * float(v[0]) for m, v in maps.shares.items()}, "the first image"))
    found.append(({m: 100 * float(v[-1]) for m, v in maps.shares.items()}, "the last image"))
    found += [
        (
            {m: 100 * float(v[len(v) - (len(v) % n or n) :].mean()) for m, v in maps.shares.items()},
            f"the last batch of {n}",
        )
        for n in BATCHES
    ]
    return [(figures, detail) for figures, detail in found if figures]


@hypothesis("non_positive", "batch-average", "averaged over batches of unequal size, the last one counting as much as the others",
            "sum over all images, and divide once", HOOKS)  # fmt: skip
def batch_average(maps: Maps) -> list[tuple[Figures, str]]:
    """Mean of batch means."""
    found = []
    for size in BATCHES:
        figures = {}
        for m, v in maps.shares.items():
            if size < len(v) and len(v) % size:
                figures[m] = 100 * float(np.mean([v[i : i + size].mean() for i in range(0, len(v), size)]))
        if figures:
            found.append((figures, f"batches of {size}"))
    return found


@hypothesis("non_positive", "wrong-count", "divided by another number than that of the images",
            "divide by the number of images, or of values, that were summed", HOOKS)  # fmt: skip
def wrong_count(maps: Maps) -> list[tuple[Figures, str]]:
    """Sum over n images divided by a whole number of batches times their size, or by one batch more or less."""
    found = []
    images = len(next(iter(maps.shares.values()), ()))
    for size in BATCHES:
        for count in {-(-images // size) * size, (images // size) * size, (images // size + 1) * size}:
            if count not in (0, images):
                figures = {m: 100 * float(v.sum()) / count for m, v in maps.shares.items()}
                found.append((figures, f"{count}, where {images} images were summed"))
    return found


@hypothesis(
    "non_positive",
    "summed",
    "summed over the batches, and not divided",
    "divide by the number of batches",
    HOOKS,
)
def summed(maps: Maps) -> list[tuple[Figures, str]]:
    """Sum of batch means."""
    found = []
    for size in BATCHES:
        figures = {m: 100 * float(sum(v[i : i + size].mean() for i in range(0, len(v), size)))
                   for m, v in maps.shares.items()}  # fmt: skip
        found.append((figures, f"batches of {size}"))
    return found


@hypothesis("non_positive", "pooled", "all modules have the same figure: they were pooled, or counted into one variable",
            "keep one counter a module", HOOKS)  # fmt: skip
def pooled(maps: Maps) -> list[tuple[Figures, str]]:
    """Mean over modules."""
    values = [100 * float(v.mean()) for v in maps.shares.values()]
    return [(dict.fromkeys(maps.shares, float(np.mean(values))), "")] if len(values) > 1 else []


@hypothesis(
    "non_positive",
    "other-module",
    "these are the figures of other modules",
    "keep the name beside its figure",
    HOOKS,
)
def other_module(maps: Maps) -> list[tuple[Figures, str]]:
    """Shifted by one place, or in reverse."""
    names = list(maps.shares)
    values = [100 * float(maps.shares[n].mean()) for n in names]
    if len(names) < 3:
        return []
    orders = {
        "in reverse": values[::-1],
        "shifted by one": values[1:] + values[:1],
        "shifted back": values[-1:] + values[:-1],
    }
    return [(dict(zip(names, order, strict=True)), how) for how, order in orders.items()]


@hypothesis("non_positive: both", "not-reset",
            "the counters were not reset: the figure is pooled over the networks before and after training",
            "make new counters for each network and data set", HOOKS)  # fmt: skip
def not_reset(maps: Maps, other: Maps) -> Figures:
    """Mean over both networks, on the same images."""
    return {
        m: 50 * float(v.mean() + other.shares[m].mean()) for m, v in maps.shares.items() if m in other.shares
    }


def right(maps: Maps) -> list[tuple[Figures, str]]:
    """The right way of counting."""
    return [({m: 100 * float(v.mean()) for m, v in maps.shares.items()}, "")]


def diagnose(
    evidence: Evidence, paths: tuple[str, ...], claimed: Mapping[str, float], tolerance: float, budget: Budget
) -> list[Match]:
    """Mistakes that give the percentages handed in for modules (all of those that are wrong)."""
    loaded = evidence.images(paths)
    inside = Inside(evidence, loaded, list(claimed), evidence.model)
    matches: list[Match] = []
    with budget:
        ours = inside.maps()
        plain, _ = right(ours)[0]
        wrong = {m: v for m, v in claimed.items() if m in plain and abs(v - plain[m]) > tolerance}
        if not wrong:
            return []
        without = max(abs(v - plain[m]) for m, v in wrong.items())

        def compare(maps: Maps, source: str | None) -> None:
            ways: list[tuple[str | None, Callable[[Maps], list[tuple[Figures, str]]]]] = (
                [(None, right)] if source else []
            )
            ways += [(h.name, h.figure) for h in known("non_positive")]
            for name, way in ways:
                for figures, detail in way(maps):
                    if not set(wrong) <= set(figures):
                        continue
                    under = max(abs(figures[m] - v) for m, v in wrong.items())
                    if fits(under, without, tolerance):
                        keys = [f"non_positive: source/{source}"] * bool(source) + [
                            f"non_positive/{name}"
                        ] * bool(name)
                        mistakes = tuple(REGISTRY[key] for key in keys)
                        said = ", ".join(d for d in (maps.detail, detail) if d)
                        where = located(mistakes, lambda: evidence.source)
                        matches.append(
                            Match(mistakes, under, without, len(wrong), "percentages", said, where)
                        )

        compare(ours, None)
        if not matches:
            for source, maps in sources(inside):
                compare(maps, source)
                if source == "other-network":
                    mistake = REGISTRY["non_positive: both/not-reset"]
                    pooled_figures = mistake.figure(ours, maps)
                    under = max(abs(pooled_figures.get(m, np.inf) - v) for m, v in wrong.items())
                    if fits(under, without, tolerance):
                        matches.append(Match((mistake,), under, without, len(wrong), "percentages"))
                if any(len(m.mistakes) == 1 for m in matches) or not budget.left:
                    break
    return best(matches)
