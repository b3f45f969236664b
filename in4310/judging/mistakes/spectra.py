"""Mistakes that give wrong eigenvalues: another source of features, another matrix, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from in4310.judging import digits
from in4310.judging.inside import BATCH, Inside, Maps
from in4310.judging.mistake import SEEN, Match
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.finishing import batch_counts, finishes
from in4310.judging.mistakes.inside import elsewhere, looked_up, worlds
from in4310.judging.mistakes.search import (
    BATCHES,
    REGISTRY,
    Claim,
    Guesses,
    Vector,
    hypotheses,
    search,
)
from in4310.solution import spectrum

COV = "https://numpy.org/doc/stable/reference/generated/numpy.cov.html"
EIGH = "https://numpy.org/doc/stable/reference/generated/numpy.linalg.eigvalsh.html"
SVD = "https://numpy.org/doc/stable/reference/generated/numpy.linalg.svd.html"
CORR = "https://numpy.org/doc/stable/reference/generated/numpy.corrcoef.html"
PCA = "https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html"
DATA = "https://pytorch.org/docs/stable/data.html"
ENOUGH = 0.9  # of the eigenvalues must lie in the range over draws of other images: single ones far down may leave it
Guess = Iterator[tuple[np.ndarray, str]]


def eigenvalues(x: np.ndarray) -> np.ndarray:
    """Of x.T @ x for x (N, C), descending: by the smaller of that and x @ x.T, which has the same beside zeros."""
    values = np.zeros(x.shape[1])
    found = np.linalg.eigvalsh(x @ x.T if len(x) < x.shape[1] else x.T @ x)[::-1]
    values[: len(found)] = found
    return values


def right(x: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of features (N, C), divided by N."""
    values = np.zeros(x.shape[1])
    found = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2 / len(x)
    values[: len(found)] = found
    return values


def as_long(values: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """Our eigenvalues, with zeros, or cut, to as many as were handed in."""
    return np.pad(values, (0, max(0, len(claimed) - len(values))))[: len(claimed)]


def in_range(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[bool, float]:
    """Whether a spectrum lies in the range over other images, and the share of its eigenvalues that do."""
    low, high = as_long(low, values), as_long(high, values)
    slack = 1e-6 * float(high.max())
    with np.errstate(invalid="ignore"):
        within = (values >= low - slack) & (values <= high + slack)
    return bool(within.mean() >= ENOUGH and within[0]), float(within.mean())


def _either(values: np.ndarray, images: int, said: str = "") -> Guess:
    """Divided by N, or by N - 1."""
    yield values, said
    yield values * images / (images - 1), ", ".join(filter(None, (said, "divided by N - 1")))


def _not_divided(x: np.ndarray, k: int) -> Guess:
    yield right(x) * len(x), ""
    yield eigenvalues(x), "and not centred"


def _singular_values(x: np.ndarray, k: int) -> Guess:
    yield np.sqrt(right(x) * len(x)), ""
    yield np.sqrt(np.maximum(eigenvalues(x), 0)), "of features that were not centred"


def _correlation(x: np.ndarray, k: int) -> Guess:
    """Features divided by their deviations; constant channels stay 0."""
    deviation = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(deviation > 1e-12, deviation, 1)
    return _either(eigenvalues(z) / len(x), len(x))


def _transposed(x: np.ndarray, k: int) -> Guess:
    """numpy.cov(features) with rows for images."""
    rows = x.T - x.T.mean(axis=0)
    values = np.linalg.svd(rows, compute_uv=False) ** 2
    yield values / x.shape[1], ""
    if x.shape[1] > 1:
        yield values / (x.shape[1] - 1), "divided by C - 1"


def _shares_of_variance(x: np.ndarray, k: int) -> Guess:
    values = right(x)
    yield values / max(values.sum(), 1e-300), ""
    yield values / max(values[0], 1e-300), "of the largest one"
    yield 100 * values / max(values.sum(), 1e-300), "in percent"


def _logarithms(x: np.ndarray, k: int) -> Guess:
    with np.errstate(divide="ignore"):
        yield np.log10(np.maximum(right(x), 1e-300)), "log10"
        yield np.log(np.maximum(right(x), 1e-300)), "ln"


def _smallest(x: np.ndarray, k: int) -> Guess:
    """The first k as eigvalsh returns them, or those from the largest of them."""
    if k < x.shape[1]:
        yield from _either(np.sort(right(x))[:k], len(x), "in ascending order")
        yield from _either(np.sort(right(x))[:k][::-1], len(x))


def _one_batch(x: np.ndarray, k: int) -> Guess:
    """The first or last batch of the usual sizes."""
    for size in (s for s in BATCHES if s < len(x)):
        for part, which in ((x[:size], "first"), (x[len(x) - (len(x) % size or size) :], "last")):
            if len(part) > 1:
                yield from _either(right(part), len(part), f"the {which} batch of {size}")


def _batch_average(x: np.ndarray, k: int) -> Guess:
    """Mean of covariances, each centred by its own batch."""
    for size in (s for s in BATCHES if s < len(x)):
        parts = [x[i : i + size] for i in range(0, len(x), size)]
        # A mean of covariances is one product: rows centred by their batch, weighed so that each batch counts alike.
        for less, said in ((0, f"batches of {size}"), (1, f"batches of {size}, N - 1")):
            if all(len(p) > less for p in parts):
                weighed = [(p - p.mean(axis=0)) / np.sqrt((len(p) - less) * len(parts)) for p in parts]
                yield eigenvalues(np.concatenate(weighed)), said


def _of_rows(x: np.ndarray, k: int) -> Guess:
    """Features of each image changed before the covariance: of unit length, centred, standardised together or by channel."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    yield from _either(right(x / np.maximum(length, 1e-12)), len(x), "of unit length")
    yield from _either(
        right(x - x.mean(axis=1, keepdims=True)),
        len(x),
        "of each image its mean over the channels subtracted",
    )
    if (deviation := float(x.std())) > 1e-12:
        yield from _either(right(x / deviation), len(x), "divided by one deviation of the whole matrix")
    span = np.ptp(x, axis=0)
    yield from _either(
        right((x - x.min(axis=0)) / np.maximum(span, 1e-12)), len(x), "scaled to 0 to 1 in each channel"
    )
    if (whole := float(np.ptp(x))) > 1e-12:
        yield from _either(right(x / whole), len(x), "scaled to 0 to 1 together")
    largest = np.abs(x).max(axis=0)
    yield from _either(
        right(x / np.maximum(largest, 1e-12)), len(x), "divided by the largest of each channel"
    )
    total = np.abs(x).sum(axis=1, keepdims=True)
    yield from _either(right(x / np.maximum(total, 1e-12)), len(x), "divided by the sum of each image")


def _added_up(x: np.ndarray, k: int) -> Guess:
    values = right(x)
    yield from _either(np.cumsum(values), len(x), "the running sum")
    yield np.cumsum(values) / max(values.sum(), 1e-300), "the running share of the total variance"
    yield 100 * np.cumsum(values) / max(values.sum(), 1e-300), "the running share, in per cent"


def _other_module(inside: Inside) -> Iterator[tuple[Maps, str]]:
    means, names = inside.right.means, inside.modules
    for how in ("in reverse", "shifted by one", "shifted back"):
        found = {m: means[other] for m in names for other, said in elsewhere(names, m) if said == how}
        if found:
            yield Maps({}, {}, found), how


def _flattened(inside: Inside) -> Iterator[tuple[dict[str, np.ndarray], str]]:
    """Not features, of which there would be too many, but the eigenvalues themselves."""
    batches = inside.batches(BATCH, None, True)
    found = spectrum.eigenvalues(inside.model, batches, list(inside.modules), k=None, flatten=True)
    yield {name: one.values for name, one in found.items()}, ""


# fmt: off
hypotheses(
    "eigenvalues",
    (lambda x, k: _either(eigenvalues(x) / len(x), len(x)),
     "not-centred", "the features were not centred", "subtract the mean over the images first", COV),
    (_not_divided, "not-divided", "the matrix was not divided by the number of images", "divide by N, or N - 1", COV),
    (_singular_values, "singular-values", "these are singular values: square them and divide by N", "s**2 / N", SVD),
    (lambda x, k: ((np.sqrt(values), how) for values, how in _either(right(x), len(x))),
     "square-roots", "these are square roots of the eigenvalues", "eigvalsh gives them as they are", EIGH),
    (lambda x, k: ((values**2, how) for values, how in _either(right(x), len(x))),
     "squares", "these are squares of the eigenvalues",
     "singular values of a covariance are its eigenvalues; those of the features are squared once", SVD),
    (_correlation, "correlation", "these are eigenvalues of the correlation, not of the covariance", "numpy.cov, not corrcoef", CORR),
    (_transposed, "transposed", "the covariance of the transpose was taken: images by images, centred over the channels",
     "numpy.cov(features, rowvar=False) for features (images, channels)", COV),
    (_shares_of_variance, "shares", "these are shares of the total variance, not eigenvalues",
     "multiply by the total variance: explained_variance_, not explained_variance_ratio_", PCA),
    (_logarithms, "logarithms", "these are logarithms of the eigenvalues", "plot on a logarithmic scale, report the values", EIGH),
    (lambda x, k: _either(right(x)[:k][::-1], len(x), "of the largest"),  # the largest k, from the smallest of them
     "ascending", "the order is ascending", "reverse them: eigvalsh returns ascending eigenvalues", EIGH),
    (_smallest, "smallest", "these are the smallest eigenvalues, not the largest",
     "eigvalsh returns ascending eigenvalues: reverse them before the first are taken", EIGH),
    (_of_rows, "other-features", "the features were changed before the covariance", "take the means of the channels as they are", COV),
    (_added_up, "added-up", "the eigenvalues were added up", "report each by itself", PCA),
    (_one_batch, "one-batch", "only one batch of images was used", "collect the features of all batches", DATA),
    (_batch_average, "batch-average", "the covariance of each batch was averaged over the batches",
     "collect the features of all batches first", COV),
)
hypotheses("eigenvalues: source",
           (_other_module, "other-module", "these are the figures of other modules", "keep the name beside its figure", COV))
hypotheses("eigenvalues: source",
           (_flattened, "flattened", "whole maps were flattened, not averaged over positions",
            "output.mean(dim=(2, 3)) before the covariance", COV), expensive=True)
# fmt: on
finishes("eigenvalues", "other modules")


def diagnose(
    inside: Inside, claimed: Mapping[str, np.ndarray], tolerance: float, budget: Budget
) -> list[Match]:
    """Mistakes that give the eigenvalues claimed, the wrong ones and those that are right all the same.

    claimed: module -> values, of any number; `tolerance` is a share of the largest.
    """
    if any(not len(v) or not np.isfinite(v).all() for v in claimed.values()):
        return []
    with budget:
        if not inside.finite:
            return []
        spectra = {m: right(inside.right.means[m]) for m in claimed}

    def computed(given: Maps | dict[str, np.ndarray], module: str) -> Guess:
        if isinstance(given, Maps):
            x = given.means[module]
            yield from _either(right(x), len(x))
        else:
            yield from _either(given[module], inside.images)
            yield given[module] * inside.images, "not divided"

    def ask(figure: Callable[..., Guesses], given: Maps | dict[str, np.ndarray], module: str) -> Guesses:
        if figure is computed:
            return computed(given, module)
        return figure(given.means[module], len(claimed[module])) if isinstance(given, Maps) else ()

    off = {
        m: min(_off(v, good) for good, _ in _either(spectra[m], inside.images)) for m, v in claimed.items()
    }
    wrong = [m for m in claimed if off[m] > tolerance]
    claim = Claim(
        # The module with the fewest channels first: what does not fit there need not be computed elsewhere.
        sorted(claimed, key=lambda m: (m not in wrong, len(spectra[m]))) if wrong else (),
        lambda module, guess: _off(claimed[module], guess), lambda module: tolerance,
        max((off[m] for m in wrong), default=0.0), "spectra", computed, ask,
        chance=float(np.prod([_chance(claimed[m], tolerance) for m in wrong])),
        figures=Vector(
            claimed, {m: digits.room_of_digits(v, float(np.abs(v).max()), 1) for m, v in claimed.items()}, tolerance,
            inside.right.sizes, {"the number of images": float(inside.images), **batch_counts(inside.images)},
        ),
    )  # fmt: skip
    found = search("eigenvalues", claim, worlds(inside), budget)
    return found or looked_up(inside, claim, REGISTRY["eigenvalues: source/other-module"], budget)


def of_unnamed_images(claimed: np.ndarray, inside: Callable[[np.ndarray], float], images: int) -> list[Match]:
    """The same where the images are not known: what was claimed, undone, lies `inside` the range over other images."""
    undone = {
        "singular-values": claimed**2 / images,
        "square-roots": claimed**2,
        "squares": np.sqrt(np.abs(claimed)),
        "ascending": claimed[::-1],
    }
    name = next((name for name, values in undone.items() if inside(values) >= ENOUGH), None)
    return [Match((REGISTRY[f"eigenvalues/{name}"],), 0, 0, len(claimed), SEEN)] if name else []


def _chance(values: np.ndarray, tolerance: float) -> float:
    """How likely invented eigenvalues fit: the largest within 2 tolerances, others that are not small beside it in 40."""
    others = int((np.abs(values) > 0.05 * np.abs(values).max()).sum()) - 1
    return 2 * tolerance * min(1.0, 40 * tolerance) ** max(0, others)


def _off(values: np.ndarray, guess: np.ndarray) -> float:
    """Largest difference relative to the largest value; missing eigenvalues are 0. Zeros alone prove nothing."""
    padded = np.zeros(len(values))
    padded[: min(len(values), len(guess))] = guess[: len(values)]
    scale = float(np.abs(padded).max())
    return float(np.abs(values - padded).max() / scale) if 1e-30 < scale < np.inf else np.inf
