"""The k largest eigenvalues where neither D x D nor N x N can be formed: block Krylov over rows read again.

Musco and Musco (2015), "Randomized Block Krylov Methods for Stronger and Faster Approximate Singular Value
Decomposition", Algorithm 2: the covariance times a block of random directions, times the result, and so on.
Among all combinations of these blocks the best approximations to its eigenvectors are found (Rayleigh-Ritz).
Each pass over the data gives one block. Subspace iteration, as in scikit-learn's randomized PCA, keeps only the
last block, and needs several times as many passes for the same digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from in4310.errors import InputError
from in4310.progress import QUIET, Progress

BLOCK = 16
"""Directions of a block: a product with fewer costs as much, as it waits for the data."""
PASSES = 30
"""Most passes over the data."""
LARGEST = PASSES * BLOCK // 4
"""Most eigenvalues that are asked for."""
CACHED = 2**18
"""Values of an array centred and multiplied at a time: 1 MiB, so that the second product finds them in cache."""
SUMMED = 64
"""Rows of which products are summed in float32, before they are added to a sum in float64."""
NOT_FINITE = "spectrum: expected finite feature maps, found NaN or infinity; check weights and images"

Source = np.ndarray | Tensor | Callable[[], Iterable[Tensor]]
"""(N, D): an array, a memory map (`numpy.load(..., mmap_mode="c")`), or a function that streams the same
batches of rows each time it is called."""


@dataclass(frozen=True, eq=False)
class Largest:
    """The k largest eigenvalues of the covariance of N rows, and how far they can be trusted."""

    values: np.ndarray
    """(k,) float64, descending, none negative."""
    errors: np.ndarray
    """(k,) float64: bound on the error of each, from its residual."""
    total_variance: float
    """Trace of the covariance."""
    images: int
    dimensions: int
    passes: int


@torch.inference_mode()
def largest_eigenvalues(
    rows: Source, k: int, tolerance: float = 1e-6, seed: int = 0, progress: Progress = QUIET
) -> Largest:
    """The k largest eigenvalues of the covariance (divisor N) of rows (N, D), none of which is kept.

    rows: of any float dtype. tolerance: largest error, as a share of the largest eigenvalue; 1e-6 is what
    float32 products allow. As many passes are made as that takes, five or six where the spectrum decays.
    Memory: (2 x BLOCK x passes) x D float64; for each thread BLOCK x D float64, as many float32, and 16 to
    64 rows. Same seed, data and number of threads, same values.
    Raises InputError for a k that is not 1 to `LARGEST` or beyond min(N - 1, D), rows that are not finite or not
    the same in each pass, and where `PASSES` passes do not reach the tolerance.
    """
    if not 1 <= k <= LARGEST:
        raise InputError(
            f"block Krylov: expected k of 1 to {LARGEST}, found {k}; ask for fewer eigenvalues, "
            "or give few enough images that all are computed"
        )
    covariance = _Covariance(rows)
    generator = torch.Generator().manual_seed(seed)
    block = torch.randn(covariance.dimensions, BLOCK, generator=generator, dtype=torch.float64)
    block = block.to(covariance.device)
    basis = products = block[:, :0]
    worst = np.inf
    with progress.task("eigenvalues, passes over the features", PASSES) as bar:
        for passes in range(1, PASSES + 1):
            fresh = _orthonormal(block, basis)
            block = covariance.times(fresh)
            eigenvalue_count(k, covariance.images, covariance.dimensions)
            if not np.isfinite(covariance.total_variance):
                raise InputError(NOT_FINITE)
            basis, products = torch.cat([basis, fresh], dim=1), torch.cat([products, block], dim=1)
            values, errors = _ritz(basis, products, k, covariance.images)
            worst = errors.max() / max(values[0], np.finfo(np.float64).tiny)
            bar.advance(note=f"error {worst:.0e}")
            if worst <= tolerance:
                variance, images = covariance.total_variance, covariance.images
                return Largest(values, errors, variance, images, covariance.dimensions, passes)
            if basis.shape[1] == covariance.dimensions:
                break
    raise InputError(
        f"block Krylov: expected {k} eigenvalues to {tolerance:.0e} of the largest, found an error of {worst:.0e} "
        f"after {passes} passes; ask for fewer eigenvalues or allow a larger tolerance"
    )


def eigenvalue_count(k: int | None, images: int, dimensions: int) -> int:
    """k, or by default all min(N - 1, D) eigenvalues above zero; InputError for a k beyond that."""
    most = min(images - 1, dimensions)
    if most < 1:
        raise InputError(
            f"spectrum: expected at least 2 images for a covariance, found {images}; give more images"
        )
    if k is not None and not 1 <= k <= most:
        raise InputError(
            f"spectrum: expected k of 1 to {most}, the smaller of images - 1 ({images - 1}) and features "
            f"({dimensions}), found {k}; ask for fewer eigenvalues or give more images"
        )
    return most if k is None else k


@dataclass
class _Sums:
    """Sums over some of the rows, each less the centre."""

    product: Tensor
    """(b, D) float64: of the directions' products with each row, times the row."""
    rows: Tensor
    """(D,) float64."""
    squares: float = 0.0
    images: int = 0


class _Covariance:
    """The covariance of the rows as something to multiply by; D x D numbers are never held."""

    def __init__(self, rows: Source) -> None:
        self._rows = rows
        first = next((block for part in self._parts() for block in part), None)
        if first is None:
            raise InputError(
                "spectrum: expected at least 2 images for a covariance, found 0; give more images"
            )
        # A difference of floats is accurate to its own size, so float32 will do once a mean is taken away, were
        # it that of a few rows: what it is off, `_offset`, is small, and is taken away after the products.
        self._centre = first.to(torch.float64).mean(dim=0).to(torch.float32)
        self._offset = self._centre
        self.dimensions, self.device = first.shape[1], first.device
        self.images, self.total_variance = 0, 0.0

    def times(self, directions: Tensor) -> Tensor:
        """The covariance times directions (D, b), in one pass over the rows: (D, b) float64."""
        thin = directions.to(torch.float32)
        sums = _together([partial(self._sums, part, thin) for part in self._parts()])
        product, images = sums.product, sums.images
        if not self.images:
            self.images, self._offset = images, sums.rows / images
            self.total_variance = sums.squares / images - float(self._offset @ self._offset)
        if images != self.images:
            raise InputError(
                f"block Krylov: expected the same rows in each pass, found {self.images} and then {images}; "
                "give a function that streams all of them each time it is called"
            )
        return product.T / images - torch.outer(self._offset, self._offset @ thin.to(torch.float64))

    def _sums(self, blocks: Iterable[Tensor], thin: Tensor) -> _Sums:
        """What is summed over blocks of rows; all but the product in the first pass only."""
        sums = _Sums(
            product=torch.zeros(thin.shape[::-1], dtype=torch.float64, device=self.device),
            rows=torch.zeros(self.dimensions, dtype=torch.float64, device=self.device),
        )
        room = torch.empty(0, device=self.device)
        part = torch.zeros(thin.shape[::-1], device=self.device)
        waiting = 0
        for rows in blocks:
            if len(room) < len(rows):
                room = torch.empty(len(rows), self.dimensions, device=self.device)
            centred = torch.sub(rows, self._centre, out=room[: len(rows)])
            if waiting + len(rows) > SUMMED:
                sums.product += part
                waiting = 0
            part.addmm_((centred @ thin).T, centred, beta=1 if waiting else 0)
            waiting += len(rows)
            if not self.images:
                sums.rows += centred.sum(dim=0)
                lengths = torch.linalg.vector_norm(centred, dim=1).to(torch.float64)
                sums.squares += float(lengths.square().sum())
            sums.images += len(rows)
        sums.product += part
        return sums

    def _parts(self) -> list[Iterable[Tensor]]:
        """The rows as blocks, in as many parts as there are threads: an array has several, a stream is one."""
        rows = self._rows
        if callable(rows) and not isinstance(rows, Tensor):
            return [(block for batch in rows() if len(batch) for block in batch.split(SUMMED))]
        size = min(max(SUMMED // 4, CACHED // rows.shape[1]), SUMMED)
        starts = range(0, len(rows), size)
        threads = 1 if isinstance(rows, Tensor) and rows.device.type != "cpu" else torch.get_num_threads()
        share = max(1, -(-len(starts) // threads))
        return [_blocks(rows, starts[i : i + share]) for i in range(0, len(starts), share)]


def _blocks(rows: np.ndarray | Tensor, starts: range) -> Iterator[Tensor]:
    for start in starts:
        block = rows[start : start + starts.step]
        if isinstance(block, np.ndarray):  # torch warns of read-only memory, as a memory map may be
            block = torch.from_numpy(block if block.flags.writeable else np.array(block))
        yield block


def _together(tasks: Sequence[Callable[[], _Sums]]) -> _Sums:
    """The sums of all tasks, each of them a thread that shares its rows with no other.

    Where torch divides each operation instead, every core passes what it has made to the others five times a block:
    up to three times as slow where they are far apart. Added in the order of the tasks, so the same each time.
    """
    if len(tasks) == 1:
        return tasks[0]()

    def alone(task: Callable[[], _Sums]) -> _Sums:
        with torch.inference_mode():  # this mode is of a thread
            return task()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(len(tasks)) as pool:
            first, *others = pool.map(alone, tasks)
    finally:
        torch.set_num_threads(threads)
    for other in others:
        first.product += other.product
        first.rows += other.rows
        first.squares += other.squares
        first.images += other.images
    return first


def _orthonormal(block: Tensor, basis: Tensor) -> Tensor:
    """Orthonormal columns for what of `block` lies outside of `basis`, exact in float32."""
    block = block[:, : len(basis) - basis.shape[1]]
    for _ in range(3):  # a column that is all rounding is a direction of its own only after another round
        block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
    return block.to(torch.float32).to(torch.float64)


def _ritz(basis: Tensor, products: Tensor, k: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest Ritz values of basis (D, p), and bounds on their errors; `products`: covariance x basis."""
    # Rounded to float32 the basis is orthonormal to 1e-7 only: in float64 it is made so again, products alike.
    factor = torch.linalg.cholesky(basis.T @ basis).T
    basis, products = (
        torch.linalg.solve_triangular(factor, these, upper=True, left=False) for these in (basis, products)
    )
    small = basis.T @ products
    values, vectors = torch.linalg.eigh((small + small.T) / 2)
    values, vectors = values.flip(0), vectors.flip(1)
    residuals = torch.linalg.vector_norm(products @ vectors - basis @ vectors * values, dim=0)
    found, norms = values.cpu().numpy(), residuals.cpu().numpy()
    if len(found) < k:
        return np.zeros(k) + found[0], np.full(k, np.inf)
    return found[:k].clip(min=0), _error_bounds(found, norms, k, images)


def _error_bounds(values: np.ndarray, norms: np.ndarray, k: int, images: int) -> np.ndarray:
    """Bounds (k,) on the errors of Ritz values (p,), descending, with residuals of these norms (p,).

    With r the norm of the residuals of the first m values together, each of these is off by at most r, and by
    at most r^2 / gap, the gap being that to all eigenvalues but the first m (Mathias 1998, "Quadratic residual
    bounds for the Hermitian eigenvalue problem"); those begin at about the next Ritz value. The best m counts.
    The two products in float32 add a rounding each, of which the second is a sum over `SUMMED` images at a time:
    roundings add up as a random walk within such a sum, and average out over the sums.
    """
    together = np.sqrt(np.cumsum(norms**2))
    gaps = (
        values[:k, None] - (values + norms)[None, 1:]
    )  # [i, m - 1]: from value i to those after the first m
    usable = (np.arange(1, len(values)) > np.arange(k)[:, None]) & (gaps > 0)
    quadratic = np.where(usable, together[:-1] ** 2 / np.where(usable, gaps, 1), np.inf)
    best = np.minimum(together[k - 1], quadratic.min(axis=1, initial=np.inf))
    sums = max(1, images / SUMMED)
    roundings = 1 + np.sqrt(SUMMED / sums) / 2
    return best + roundings * np.finfo(np.float32).eps * max(values[0], 0)
