"""Random mistakes of the scores: what the network was given, its state, what was done with its outputs."""

import copy
from dataclasses import replace as with_

import numpy as np
from faults import drawn_pixels
from faults.drawn import Entry, Redraw, family, must_differ
from faults.world import softmax

REPRODUCE, PROBABILITIES = "scores_reproduce", "scores_are_probabilities"


def saved(d, scores, says, what, checks=(REPRODUCE,)):
    right, scores = d.world.scores, np.ascontiguousarray(scores).astype(np.float32)
    if scores.shape == right.shape:
        must_differ(np.abs(scores - right).max(), 5e-3)
    return Entry({"scores": scores}, checks, says, what)


def logits(d, **how):
    return d.world.logits(d.world.split["test"], **how)


def _reestimated(d):
    from faults.drawn_inside import _reestimated as again

    return again(d.world)


def given(d):
    """(words, logits): what the network was given, or its state."""
    world = d.world
    kind = d.one(("pixels", "pixels", "pixels", "resize", "two", "mean", "state", "mode"))
    if kind == "two":
        words, how = drawn_pixels.looked_at(d)
        order, change = drawn_pixels.pixels(d)
        if "pixels" in how:
            raise Redraw
        return words + order, logits(d, pixels=change, **how)
    if kind == "pixels":
        words, how = drawn_pixels.looked_at(d)
        return words, logits(d, **how)
    if kind == "resize":
        stated = world.plan.preprocessing
        other = d.one(
            (
                with_(stated, resize=round(stated.size * float(d.one((1.14, 1.25, 1.5, 256 / 224))))),
                with_(stated, resize=stated.resize * 2),
                with_(stated, interpolation=d.one(("box", "lanczos", "hamming", "bicubic", "nearest"))),
            )
        )
        return ("resized or cropped",), logits(d, preprocessing=other)
    if kind == "mean":
        other = d.one((lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: np.roll(p, 4, 0)))
        pair = [logits(d), logits(d, pixels=other)]
        if d.rng.random() < 0.5:
            return ("averaged", "mean of"), np.mean(pair, axis=0)
        return ("averaged", "mean of"), np.log(np.mean([softmax(x) for x in pair], axis=0))
    if kind == "state":
        if d.rng.random() < 0.4:
            return ("estimated anew", "re-estimated"), logits(d, model=_reestimated(d))
        model = d.one((world.untuned, None))
        if model is None:
            # The last layers of before training in the network of after it.
            model = copy.deepcopy(world.model)
            model.layer4.load_state_dict(world.untuned.layer4.state_dict())
            return ("parts of another network", "layer4"), logits(d, model=model)
        return ("another network",), logits(d, model=model)
    return ("training mode",), logits(d, training=True, batch_size=int(d.one((8, 16, 20, 32, 64, 100))))


def outputs(d):
    """(words, logits -> what was saved): what was done with the outputs."""
    p = softmax
    digits, base, t = (
        int(d.one((1, 2))),
        float(d.one((2.0, 10.0))),
        round(float(d.one((0.3, 0.5, 2, 3, 5))), 2),
    )
    e = float(d.one((0.05, 0.1, 0.2)))
    rng = np.random.default_rng(d.rng.integers(2**32))
    order = rng.permutation(6)
    return d.one(
        (
            (("logits were saved",), lambda x: x),
            (("log-softmax",), lambda x: np.log(p(x))),
            (("sigmoid",), lambda x: 1 / (1 + np.exp(-x))),
            (("temperature",), lambda x: p(x / t)),
            (("applied twice",), lambda x: p(p(x))),
            (("rounded",), lambda x: np.round(p(x), digits)),
            (("cut off", "rounded down", "truncated"), lambda x: np.floor(p(x) * 10**digits) / 10**digits),
            (("multiplied by 100",), lambda x: 100 * p(x)),
            (("sorted",), lambda x: -np.sort(-p(x), axis=1)),
            (("divided by the sum", "x / sum", "without exp"), lambda x: x / x.sum(1, keepdims=True)),
            (("clipped",), lambda x: np.clip(p(x), e, 1 - e)),
            (("base", "temperature"), lambda x: base**x / (base**x).sum(1, keepdims=True)),
            (("smoothed",), lambda x: (1 - e) * p(x) + e / 6),
            (("whole matrix", "all rows"), lambda x: p(x.reshape(1, -1)).reshape(x.shape)),
            (("1 minus", "complement"), lambda x: 1 - p(x)),
            (("largest score", "maximum"), lambda x: p(x) / p(x).max(1, keepdims=True)),
            (("squared", "temperature"), lambda x: p(x) ** 2),
            (("square root", "temperature"), lambda x: np.sqrt(p(x))),
            (
                ("0 to 1", "smallest"),
                lambda x: (x - x.min(1, keepdims=True)) / np.ptp(x, axis=1, keepdims=True),
            ),
            (("another order of classes", "columns"), lambda x: p(x)[:, order]),
        )
    )


def rows(d):
    """(words, scores -> rows in another order)."""
    n, size = len(d.world.scores), int(d.one((16, 32, 50, 64)))
    paths = np.array(d.world.split["test"])
    shift = int(d.one((1, -1, 2, 5)))
    last = n % size or size
    return d.one(
        (
            (("sorted by path", "sorted by their paths"), lambda s: s[np.argsort(paths, kind="stable")]),
            (("by 1 row", f"by {abs(shift)} row", "shifted"), lambda s: np.roll(s, shift, 0)),
            (("interleaved", "processes"), lambda s: np.concatenate([s[::2], s[1::2]])),
            (("first batch",), lambda s: np.concatenate([s[:size], s[:size], s[2 * size :]])),
            (("last batch",), lambda s: np.concatenate([s, s[n - last :]])),
            (("reversed", "backwards", "from the last"), lambda s: s[::-1]),
            (("shuffled", "another order than"), lambda s: s[np.random.default_rng(d.rng.integers(2**32)).permutation(n)]),
            (("sorted by the largest", "sorted by their", "sorted by score"), lambda s: s[np.argsort(-s.max(1), kind="stable")]),
            (("grouped by", "sorted by class", "sorted by label"), lambda s: s[np.argsort(d.world.labels, kind="stable")]),
        )
    )  # fmt: skip


def moved_rows(d):
    """As `rows`; an order that the test set has already is none."""
    words, of = rows(d)
    place = np.arange(len(d.world.scores))[:, None] * np.ones(6)
    if np.array_equal(of(place), place) and "largest" not in words[0]:
        raise Redraw
    return words, of


@family("scores: what the network was given", 12)
def _given(d):
    words, x = given(d)
    return saved(d, softmax(x), (words,), f"given {words[0]}")


@family("scores: outputs", 10)
def _outputs(d):
    words, of = outputs(d)
    return saved(d, of(logits(d)), (words,), f"outputs {words[0]}")


@family("scores: order of rows", 6)
def _rows(d):
    words, of = moved_rows(d)
    scores = of(d.world.scores)
    check = REPRODUCE if len(scores) == len(d.world.scores) else "scores_shape"
    return saved(d, scores, (words,), f"rows {words[0]}", (check,))


@family("scores: pairs", 16)
def _pairs(d):
    kind = d.one(("given outputs", "given rows", "outputs rows"))
    says, x, of, moved = [], None, softmax, lambda s: s
    if "given" in kind:
        words, x = given(d)
        must_differ(np.abs(softmax(x) - d.world.scores).max(), 0.02)
        says.append(words)
    if "outputs" in kind:
        words, of = outputs(d)
        says.append(words)
    if "rows" in kind:
        words, moved = moved_rows(d)
        says.append(words)
    scores = moved(of(logits(d) if x is None else x))
    if scores.shape != d.world.scores.shape:
        raise Redraw
    return saved(d, scores, tuple(says), " + ".join(w[0] for w in says))
