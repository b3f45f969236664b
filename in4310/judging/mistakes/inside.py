"""Mistakes of what was looked into: another state of the network, other images, a tensor that was changed. -> Maps

They give wrong percentages of non-positive values and wrong eigenvalues alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from in4310.errors import InputError
from in4310.judging.inside import BATCH, Batches, Inside, Maps, Norm, Pixels, estimated_anew, outputs_of
from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes import pixels
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.outputs import SAVING
from in4310.judging.mistakes.pixels import TRANSFORMS
from in4310.judging.mistakes.places import named
from in4310.judging.mistakes.search import BATCHES, LUCK, Claim, World, hypotheses
from in4310.solution.images import Images
from in4310.solution.loaders import batches
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

WHOLE = 600  # images of a set that is passed through whole
USUAL = 3  # sizes of batches that are looked at in all modules
EARLY = 2  # modules that run first, in which the other sizes are
COUNTS = (2, 5, 10, 16, 20, 25, 32, 50, 64, 100, 128, 150)  # of images
MODULE = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html"


def of_submission(evidence: Evidence, loaded: Images, modules: Iterable[str], model: str = "tuned") -> Inside:
    """The network of a submission ('tuned' or 'untuned') over our own pixels."""

    def feeding(given: Images) -> Batches:
        def fed(size: int, change: Pixels | None, normalised: bool | Norm) -> Iterator[Tensor]:
            stated, changed = evidence.preprocessing, given
            if change is not None:
                changed = replace(given, pixels=np.stack([change(p) for p in given.pixels]))
            if normalised is not True:
                mean, std = normalised or ((0.0,) * 3, (1.0,) * 3)
                stated = replace(stated, mean=mean, std=std)
            return (x for x, _ in batches(changed, stated, size, evidence.device))

        return fed

    def others() -> Iterator[tuple[str, int, Batches]]:
        for name in ("test", "val", "train"):
            with suppress(Missing, InputError):
                paths = tuple(evidence.known(name))
                for part, how in (
                    (paths, f"the {name} set"),
                    (paths[: len(loaded)], f"the first of the {name} set"),
                ):
                    if part and len(part) <= WHOLE and part != loaded.paths:
                        yield how, len(part), feeding(evidence.images(part))

    own, other = (lambda: evidence.model), (lambda: evidence.untuned)
    if model != "tuned":
        own, other = other, own
    stated = evidence.preprocessing
    norms = pixels.norms(stated.mean, stated.std)
    return Inside(own(), tuple(modules), len(loaded), feeding(loaded), other, norms, others)


def worlds(inside: Inside) -> Callable[[Hypothesis | None], Iterator[World]]:
    """For the search: statistics as they are right, and under each source."""

    def computed(source: Hypothesis | None) -> Iterator[World]:
        if source is None:
            yield World(inside.right)
        else:
            for maps, detail in source.figure(inside):
                whole = maps.whole if isinstance(maps, Maps) else None
                yield World(maps, source, detail, whole, maps.shares if whole else None)

    return computed


def looked_up(inside: Inside, claim: Claim, mistake: Hypothesis, budget: Budget) -> list[Match]:
    """`mistake` where each wrong figure of a claim is that of another module of the network, whichever.

    The more modules there are, the less of an invented figure must fit by chance.
    """

    def off(maps: Maps, key: str, name: str) -> float:
        return min(claim.apart(key, guess) for guess, _ in claim.right(maps, name))

    if not budget.left:
        return []
    with budget, budget.on("figures of every module"):
        wrong = [key for key in claim.keys if not off(inside.right, key, key) <= claim.tolerance(key)]
        names = [name for name in outputs_of(inside.model) if name]
        if not wrong or claim.chance * float(len(names)) ** len(wrong) > LUCK:
            return []
        everything = replace(inside, modules=tuple(names)).maps()
        found = {key: min((off(everything, key, name), name) for name in everything.shares) for key in wrong}
    if any(not apart <= claim.tolerance(key) or name == key for key, (apart, name) in found.items()):
        return []
    under = max(apart for apart, _ in found.values())
    detail = ", ".join(f"{key}: {name}" for key, (_, name) in [*found.items()][:3])
    return [Match((mistake,), under, claim.without, len(wrong), claim.what, detail)]


def elsewhere(names: Sequence[str], name: str) -> Iterator[tuple[str, str]]:
    """Another module whose figure may stand beside a name, and how they were mixed up; nothing for fewer than three."""
    at, count = list(names).index(name), len(names)
    if count > 2:
        yield names[count - 1 - at], "in reverse"
        yield names[(at + 1) % count], "shifted by one"
        yield names[at - 1], "shifted back"


def _train_mode(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Batch-norm with the statistics of each batch; of sizes less usual, first in the modules that run first."""
    sizes = [s for s in dict.fromkeys(min(size, inside.images) for size in BATCHES) if s > 1]
    for size in sizes[:USUAL]:
        yield inside.maps(training=size), f"batches of {size}"
    for size in sizes[USUAL:]:
        yield _early(inside, training=size), f"batches of {size}"


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
        shares, negative, means = ({m: np.concatenate([x, b[m]]) for m, x in a.items()} for a, b in pairs)
        yield Maps(shares, negative, means), ""


def _reduced(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Another number of each map, with which figures are made that are right for its mean."""
    found = inside.maps(also="reduced")
    for how, values in found.reduced.items():
        channels = {m: (v <= 0).astype(float) for m, v in values.items()}
        shares = {m: c.mean(axis=1) for m, c in channels.items()}
        yield Maps(shares, {m: (v < 0).mean(axis=1) for m, v in values.items()}, values, {}, channels), how


def _inputs(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """What each module is given."""
    found = inside.maps(also="inputs")
    if set(inside.modules) <= set(found.shares):
        yield found, ""


def _other_images(inside: Inside) -> Iterator[tuple[Maps, str]]:
    for how, count, fed in inside.elsewhere():
        yield _early(replace(inside, images=count, batches=fed)), how


def _estimated_anew(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """Running statistics that are the mean over batches of these images, or of another set."""
    whole = ((how, fed) for how, count, fed in inside.elsewhere() if count != inside.images)
    for how, fed in (("on these images", inside.batches), *whole):
        yield _early(inside, model=estimated_anew(inside.model, fed(BATCH, None, True))), how


def _first_images(inside: Inside) -> Iterator[tuple[Maps, str]]:
    """The first so many of the images alone, and the last."""
    own = inside.right
    for count in (n for n in COUNTS if n < inside.images):
        for part, how in (
            (slice(0, count), f"the first {count}"),
            (slice(-count, None), f"the last {count}"),
        ):
            shares, negative, means, channels = (
                {m: v[part] for m, v in of.items()}
                for of in (own.shares, own.negative, own.means, own.channels)
            )
            yield Maps(shares, negative, means, own.sizes, channels), f"{how} images"


def _early(inside: Inside, **how: Any) -> Maps:
    """Under a mistake, of the modules that run first; of all where these fit."""
    return replace(inside.maps(**how, until=inside.order[:EARLY][-1]), whole=partial(inside.maps, **how))


def _changed(inside: Inside, variants: pixels.Variants) -> Iterator[tuple[Maps, str]]:
    """Of what was done to the bytes of each image, each variant."""
    for change, how in variants:
        yield _early(inside, pixels=change), how


def _normalised(inside: Inside) -> Iterator[tuple[Maps, str]]:
    for how, norm in inside.norms:
        if how != "values 0 to 1":  # not normalised, which is told by its name
            yield _early(inside, normalised=norm), how


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
        (_inputs, "module-input", "these are figures of the input of each module, not of its output",
         "take the output in the hook: def hook(module, input, output)", MODULE + "#torch.nn.Module.register_forward_hook"),
        (_other_images, "other-images", "other images were looked at than those that are named", "go through the images that you name", TRANSFORMS),
        (_reduced, "other-reduction", "another number of each map was taken than is asked for", "take each map as it is asked for",
         MODULE + "#torch.nn.Module.register_forward_hook"),
        expensive=True,
    )
    for _variants, *_mistake in pixels.CHANGES:
        hypotheses(_about, (partial(_changed, variants=_variants), *_mistake), expensive=True)
    hypotheses(
        _about,
        (_normalised, "normalisation", "the images were normalised in another way than stated, or than in training",
         "use the same Normalize(mean, std) in training and in evaluation", TRANSFORMS, named("Normalize")),
        expensive=True,
    )
    for _variants, *_mistake in pixels.MANY:
        hypotheses(_about, (partial(_changed, variants=_variants), *_mistake), expensive=True)
    hypotheses(
        _about,
        (_estimated_anew, "statistics-anew", "the statistics of batch-norm were estimated anew",
         "keep the running statistics of training: model.eval()", MODULE + "#torch.nn.Module.eval", named("reset_running_stats")),
        expensive=True,
    )
    hypotheses(
        _about,
        (_first_images, "first-images", "only some of the images were looked at", "go through all images that are named", TRANSFORMS),
    )
# fmt: on
