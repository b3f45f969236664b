"""Mistakes of what was looked into: another state of the network, other images, a tensor that was changed. -> Maps

They give wrong percentages of non-positive values and wrong eigenvalues alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from in4310.judging.inside import Inside, Maps, Pixels
from in4310.judging.mistake import Hypothesis
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, World, hypotheses
from in4310.solution.images import Images, batches

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

TRANSFORMS = "https://pytorch.org/vision/stable/transforms.html"
MODULE = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html"
SAVING = "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
COLOURS = "https://docs.opencv.org/4.x/d8/d01/group__imgproc__color__conversions.html"


def of_submission(evidence: Evidence, loaded: Images, modules: Iterable[str], model: str = "tuned") -> Inside:
    """The network of a submission ('tuned' or 'untuned') over our own pixels."""

    def fed(size: int, pixels: Pixels | None, normalised: bool) -> Iterator[Tensor]:
        stated, given = evidence.preprocessing, loaded
        if pixels is not None:
            given = replace(loaded, pixels=np.stack([pixels(p) for p in loaded.pixels]))
        if not normalised:
            stated = replace(stated, mean=(0.0,) * 3, std=(1.0,) * 3)
        return (x for x, _ in batches(given, stated, size, evidence.device))

    own, other = (lambda: evidence.model), (lambda: evidence.untuned)
    if model != "tuned":
        own, other = other, own
    return Inside(own(), tuple(modules), len(loaded), fed, other)


def worlds(inside: Inside) -> Callable[[Hypothesis | None], Iterator[World]]:
    """For the search: statistics as they are right, and under each source."""

    def computed(source: Hypothesis | None) -> Iterator[World]:
        if source is None:
            yield World(inside.right)
        else:
            yield from (World(maps, source, detail) for maps, detail in source.figure(inside))

    return computed


def elsewhere(names: Sequence[str], name: str) -> Iterator[tuple[str, str]]:
    """Another module whose figure may stand beside a name, and how they were mixed up; nothing for fewer than three."""
    at, count = list(names).index(name), len(names)
    if count > 2:
        yield names[count - 1 - at], "in reverse"
        yield names[(at + 1) % count], "shifted by one"
        yield names[at - 1], "shifted back"


def _train_mode(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Batch-norm with the statistics of each batch."""
    for size in dict.fromkeys(min(size, inside.images) for size in BATCHES):
        if size > 1:
            yield inside.maps(training=size), f"batches of {size}"


def _other_network(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Where both were handed in, and have these modules."""
    if inside.other is not None:
        other = inside.other()
        if set(inside.modules) <= {name for name, _ in other.named_modules()}:
            yield inside.maps(model=other), ""


def _not_reset(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Both networks, on the same images."""
    for other, _ in _other_network(inside):
        own = inside.right
        pairs = ((own.shares, other.shares), (own.negative, other.negative), (own.means, other.means))
        yield Maps(*({m: np.concatenate([x, b[m]]) for m, x in a.items()} for a, b in pairs)), ""


def _reshaped(pixels: np.ndarray) -> np.ndarray:
    """The numbers of (H, W, 3) taken as (3, H, W)."""
    return np.resize(pixels, (3, *pixels.shape[:2])).transpose(1, 2, 0)


# fmt: off
for _about in ("non_positive: source", "eigenvalues: source"):
    hypotheses(
        _about,
        (lambda inside: [(inside.maps(late=True), "")],  # outputs read after the whole pass
         "in-place", "the hook kept a reference to a tensor that an in-place ReLU changed afterwards",
         "compute inside the hook, or keep output.clone()", MODULE + "#torch.nn.Module.register_forward_hook"),
        (_train_mode, "train-mode", "the network was in training mode: model.eval() is missing",
         "call model.eval() before the loop", MODULE + "#torch.nn.Module.eval", named("train")),
        (_other_network, "other-network", "this is the figure of the other network: before training for after, or the reverse",
         "load the weights that the figure is for", SAVING),
        (_not_reset, "not-reset", "the counters were not reset: the figure is pooled over the networks before and after training",
         "make new counters for each network and data set", MODULE + "#torch.nn.Module.register_forward_hook"),
        (lambda inside: [(inside.maps(normalised=False), "")],  # pixels of 0 to 1
         "not-normalised", "the images were not normalised", "use the transform of the evaluation", TRANSFORMS),
        (lambda inside: [(inside.maps(pixels=lambda p: p[:, :, ::-1]), "")],
         "bgr", "the colours are in the order BGR: OpenCV's, where the network expects RGB",
         "cv2.cvtColor(image, cv2.COLOR_BGR2RGB)", COLOURS, named("imread")),
        (lambda inside: [(inside.maps(pixels=_reshaped), "")],
         "hwc", "height, width and channels were read as channels, height and width", "image.transpose(2, 0, 1)", TRANSFORMS),
        expensive=True,
    )
# fmt: on
