"""Mistakes that give wrong eigenvalues: another source of features, another matrix, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from in4310.judging.inside import Inside, sources
from in4310.judging.mistakes.search import REGISTRY, Budget, Match, best, fits, hypothesis, known, located
from in4310.solution import spectrum

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

COV = "https://numpy.org/doc/stable/reference/generated/numpy.cov.html"
EIGH = "https://numpy.org/doc/stable/reference/generated/numpy.linalg.eigvalsh.html"
SVD = "https://numpy.org/doc/stable/reference/generated/numpy.linalg.svd.html"
CORR = "https://numpy.org/doc/stable/reference/generated/numpy.corrcoef.html"
Guess = Iterator[tuple[np.ndarray, str]]


def eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Real, descending."""
    return np.linalg.eigvalsh(matrix)[::-1]


def centred(x: np.ndarray) -> np.ndarray:
    """Features (N, C) minus their mean over images."""
    return x - x.mean(axis=0)


def right(x: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of features (N, C), divided by N."""
    values = np.zeros(x.shape[1])
    found = np.linalg.svd(centred(x), compute_uv=False) ** 2 / len(x)
    values[: len(found)] = found
    return values


@hypothesis(
    "eigenvalues",
    "not-centred",
    "the features were not centred",
    "subtract the mean over the images first",
    COV,
)
def not_centred(x: np.ndarray, k: int) -> Guess:
    """Second moments."""
    yield eigenvalues(x.T @ x / len(x)), ""
    yield eigenvalues(x.T @ x / (len(x) - 1)), "divided by N - 1"


@hypothesis(
    "eigenvalues",
    "not-divided",
    "the matrix was not divided by the number of images",
    "divide by N, or N - 1",
    COV,
)
def not_divided(x: np.ndarray, k: int) -> Guess:
    """Scatter matrix."""
    yield right(x) * len(x), ""
    yield eigenvalues(x.T @ x), "and not centred"


@hypothesis(
    "eigenvalues",
    "singular-values",
    "these are singular values: square them and divide by N",
    "s**2 / N",
    SVD,
)
def singular_values(x: np.ndarray, k: int) -> Guess:
    """Of the centred features."""
    yield np.sqrt(right(x) * len(x)), ""
    yield np.sqrt(np.maximum(eigenvalues(x.T @ x), 0)), "of features that were not centred"


@hypothesis(
    "eigenvalues",
    "square-roots",
    "these are square roots of the eigenvalues",
    "eigvalsh gives them as they are",
    EIGH,
)
def square_roots(x: np.ndarray, k: int) -> Guess:
    """Standard deviations."""
    yield np.sqrt(right(x)), ""
    yield np.sqrt(right(x) * len(x) / (len(x) - 1)), "divided by N - 1"


@hypothesis("eigenvalues", "squares", "these are squares of the eigenvalues",
            "singular values of a covariance are its eigenvalues; those of the features are squared once", SVD)  # fmt: skip
def squares(x: np.ndarray, k: int) -> Guess:
    """Squared once more."""
    yield right(x) ** 2, ""
    yield (right(x) * len(x) / (len(x) - 1)) ** 2, "divided by N - 1"


@hypothesis(
    "eigenvalues",
    "correlation",
    "these are eigenvalues of the correlation, not of the covariance",
    "numpy.cov, not corrcoef",
    CORR,
)
def correlation(x: np.ndarray, k: int) -> Guess:
    """Features divided by their deviations; constant channels stay 0."""
    deviation = x.std(axis=0)
    z = centred(x) / np.where(deviation > 1e-12, deviation, 1)
    yield eigenvalues(z.T @ z / len(x)), ""
    yield eigenvalues(z.T @ z / (len(x) - 1)), "divided by N - 1"


@hypothesis("eigenvalues", "transposed",
            "the covariance of the transpose was taken: images by images, centred over the channels",
            "numpy.cov(features, rowvar=False) for features (images, channels)", COV)  # fmt: skip
def transposed(x: np.ndarray, k: int) -> Guess:
    """numpy.cov(features) with rows for images."""
    rows = x.T - x.T.mean(axis=0)
    values = np.linalg.svd(rows, compute_uv=False) ** 2
    yield values / x.shape[1], ""
    if x.shape[1] > 1:
        yield values / (x.shape[1] - 1), "divided by C - 1"


@hypothesis("eigenvalues", "shares", "these are shares of the total variance, not eigenvalues",
            "multiply by the total variance: explained_variance_, not explained_variance_ratio_",
            "https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html")  # fmt: skip
def shares_of_variance(x: np.ndarray, k: int) -> Guess:
    """Divided by their sum, or by the largest."""
    values = right(x)
    yield values / max(values.sum(), 1e-300), ""
    yield values / max(values[0], 1e-300), "of the largest one"
    yield 100 * values / max(values.sum(), 1e-300), "in percent"


@hypothesis(
    "eigenvalues",
    "logarithms",
    "these are logarithms of the eigenvalues",
    "plot on a logarithmic scale, report the values",
    EIGH,
)
def logarithms(x: np.ndarray, k: int) -> Guess:
    """log10 and ln."""
    with np.errstate(divide="ignore"):
        yield np.log10(np.maximum(right(x), 1e-300)), "log10"
        yield np.log(np.maximum(right(x), 1e-300)), "ln"


@hypothesis(
    "eigenvalues",
    "ascending",
    "the order is ascending",
    "reverse them: eigvalsh returns ascending eigenvalues",
    EIGH,
)
def ascending(x: np.ndarray, k: int) -> Guess:
    """All of them from the smallest, or the largest k of them."""
    yield right(x)[:k][::-1], "of the largest"
    yield right(x)[:k][::-1] * len(x) / (len(x) - 1), "of the largest, divided by N - 1"
    yield np.sort(right(x)), ""
    yield np.sort(right(x) * len(x) / (len(x) - 1)), "divided by N - 1"


@hypothesis("eigenvalues", "one-batch", "only one batch of images was used", "collect the features of all batches",
            "https://pytorch.org/docs/stable/data.html")  # fmt: skip
def one_batch(x: np.ndarray, k: int) -> Guess:
    """The first or last batch of the usual sizes."""
    for size in (64, 32, 16, 100, 128, 50):
        if size < len(x):
            for part, which in ((x[:size], "first"), (x[len(x) - (len(x) % size or size) :], "last")):
                if len(part) > 1:
                    yield right(part), f"the {which} batch of {size}"
                    yield (
                        right(part) * len(part) / (len(part) - 1),
                        f"the {which} batch of {size}, divided by N - 1",
                    )


@hypothesis("eigenvalues", "batch-average", "the covariance of each batch was averaged over the batches",
            "collect the features of all batches first", COV)  # fmt: skip
def batch_average(x: np.ndarray, k: int) -> Guess:
    """Mean of covariances, each centred by its own batch."""
    for size in (64, 32, 16, 100, 128, 50):
        if size < len(x):
            parts = [x[i : i + size] for i in range(0, len(x), size)]
            yield eigenvalues(np.mean([np.cov(p.T, bias=True) for p in parts], axis=0)), f"batches of {size}"
            if all(len(p) > 1 for p in parts):
                yield eigenvalues(np.mean([np.cov(p.T) for p in parts], axis=0)), f"batches of {size}, N - 1"


def diagnose(
    evidence: Evidence,
    model: str,
    data: str,
    paths: tuple[str, ...],
    claimed: Mapping[str, np.ndarray],
    tolerance: float,
    budget: Budget,
) -> list[Match]:
    """Mistakes that give the wrong eigenvalues of a series: module -> values as handed in."""
    if not claimed or any(not len(v) or not np.isfinite(v).all() for v in claimed.values()):
        return []
    loaded = evidence.images(paths) if data == "course" else evidence.comparison_images(data, paths)
    net = evidence.model if model == "tuned" else evidence.untuned
    inside = Inside(evidence, loaded, list(claimed), net)
    matches: list[Match] = []
    with budget:
        ours = inside.maps()
        spectra = {m: right(x) for m, x in ours.means.items()}
        without = max(_off(claimed[m], spectra[m]) for m in claimed)

        def compare(features: Mapping[str, np.ndarray], source: str | None, said: str) -> None:
            ways: list[tuple[str | None, Callable[[np.ndarray, int], Guess]]] = (
                [(None, _right)] if source else []
            )
            ways += [(h.name, h.figure) for h in known("eigenvalues")]
            for name, way in ways:
                # The module with the fewest channels first: what does not fit there need not be computed elsewhere.
                off: dict[str, list[float]] = {}
                for module in sorted(claimed, key=lambda m: features[m].shape[1]):
                    values = claimed[module]
                    apart = {d: _off(values, guess) for guess, d in way(features[module], len(values))}
                    off = {d: [*off.get(d, []), a] for d, a in apart.items() if d in off or not off}
                    off = {d: worst for d, worst in off.items() if max(worst) <= tolerance}
                    if not off:
                        break
                for detail, worst in off.items():
                    under = max(worst)
                    if len(worst) == len(claimed) and fits(under, without, tolerance):
                        keys = [f"eigenvalues: source/{source}"] * bool(source) + [
                            f"eigenvalues/{name}"
                        ] * bool(name)
                        mistakes = tuple(REGISTRY[key] for key in keys)
                        text = ", ".join(d for d in (said, detail) if d)
                        where = located(mistakes, lambda: evidence.source)
                        matches.append(Match(mistakes, under, without, len(claimed), "spectra", text, where))

        compare(ours.means, None, "")
        if not matches:
            _whole_maps(evidence, net, inside, claimed, without, tolerance, matches)
        if not matches:
            for source, maps in (
                sources(inside, tuned=model == "tuned") if budget.worthwhile("eigenvalues") else ()
            ):
                compare(maps.means, source, maps.detail)
                if any(len(m.mistakes) == 1 for m in matches) or not budget.left:
                    break
            if not matches:
                budget.fruitless.add("eigenvalues")
    return best(matches)


def _right(x: np.ndarray, k: int) -> Guess:
    yield right(x), ""
    yield right(x) * len(x) / (len(x) - 1), "divided by N - 1"


@hypothesis("eigenvalues: maps", "flattened", "whole maps were flattened, not averaged over positions",
            "output.mean(dim=(2, 3)) before the covariance", COV)  # fmt: skip
def flattened(x: np.ndarray, k: int) -> Guess:
    """Computed by `_whole_maps`, from the images themselves."""
    yield from _right(x, k)


def _whole_maps(
    evidence: Evidence, net: nn.Module, inside: Inside, claimed: Mapping[str, np.ndarray], without: float,
    tolerance: float, matches: list[Match],
) -> None:  # fmt: skip
    import torch

    with torch.inference_mode():
        found = spectrum.eigenvalues(
            net, evidence.batches(inside.loaded)(), list(claimed), k=None, flatten=True
        )
    images = len(inside.loaded)
    for scale, detail in (
        (1.0, ""),
        (images / (images - 1), "divided by N - 1"),
        (float(images), "not divided"),
    ):
        under = max(_off(claimed[m], found[m].values * scale) for m in claimed)
        if fits(under, without, tolerance):
            mistake = REGISTRY["eigenvalues: maps/flattened"]
            matches.append(Match((mistake,), under, without, len(claimed), "spectra", detail))


def _off(values: np.ndarray, guess: np.ndarray) -> float:
    """Largest difference relative to the largest value; missing eigenvalues are 0."""
    padded = np.zeros(len(values))
    padded[: min(len(values), len(guess))] = guess[: len(values)]
    scale = max(float(np.abs(padded).max()), 1e-30)
    return float(np.abs(values - padded).max() / scale)
