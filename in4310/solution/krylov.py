"""The k largest eigenvalues where neither D x D nor N x N can be formed: block Krylov over rows read again.

Musco and Musco (2015), "Randomized Block Krylov Methods for Stronger and Faster Approximate Singular Value
Decomposition", Algorithm 2: the covariance times a block of random directions, times the result, and so on.
Among all combinations of these blocks the best approximations to its eigenvectors are found (Rayleigh-Ritz).
Each pass over the data gives one block. Subspace iteration, as in scikit-learn's randomized PCA, keeps only the
last block, and needs several times as many passes for the same digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

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
CACHED = 2**20
"""Values of an array centred and multiplied at a time: 4 MiB, so that the second product finds them in cache."""

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
    Memory: (2 x BLOCK x passes) x D float64 and 4 MiB of rows. Same seed and data, same values.
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
            covariance.check(k)
            basis, products = torch.cat([basis, fresh], dim=1), torch.cat([products, block], dim=1)
            values, errors = _ritz(basis, products, k)
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


class _Covariance:
    """The covariance of the rows as something to multiply by; D x D numbers are never held."""

    def __init__(self, rows: Source) -> None:
        self._rows = rows
        first = next(iter(self._blocks()), None)
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
        sums = torch.zeros(self.dimensions, dtype=torch.float64, device=self.device)
        product = torch.zeros(directions.shape[::-1], dtype=torch.float64, device=self.device)
        images, squares = 0, 0.0
        room = torch.empty(0, device=self.device)
        for rows in self._blocks():
            if len(room) < len(rows):
                room = torch.empty(len(rows), self.dimensions, device=self.device)
            centred = torch.sub(rows, self._centre, out=room[: len(rows)])
            product += (centred @ thin).T @ centred
            if not self.images:
                sums += centred.sum(dim=0)
                squares += float(torch.linalg.vector_norm(centred, dim=1).to(torch.float64).square().sum())
            images += len(rows)
        if not self.images:
            self.images, self._offset = images, sums / images
            self.total_variance = squares / images - float(self._offset @ self._offset)
        if images != self.images:
            raise InputError(
                f"block Krylov: expected the same rows in each pass, found {self.images} and then {images}; "
                "give a function that streams all of them each time it is called"
            )
        return product.T / images - torch.outer(self._offset, self._offset @ thin.to(torch.float64))

    def check(self, k: int) -> None:
        """Raise InputError where the rows, now seen once, have no k eigenvalues."""
        most = min(self.images - 1, self.dimensions)
        if k > most:
            raise InputError(
                f"block Krylov: expected k of 1 to {most}, the smaller of images - 1 ({self.images - 1}) and "
                f"features ({self.dimensions}), found {k}; ask for fewer eigenvalues or give more images"
            )
        if not np.isfinite(self.total_variance):
            raise InputError(
                "spectrum: expected finite feature maps, found NaN or infinity; check weights and images"
            )

    def _blocks(self) -> Iterator[Tensor]:
        if callable(self._rows) and not isinstance(self._rows, Tensor):
            yield from (batch for batch in self._rows() if len(batch))
            return
        size = max(1, CACHED // self._rows.shape[1])
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size]
            if isinstance(rows, np.ndarray):  # torch warns of read-only memory, as a memory map may be
                rows = torch.from_numpy(rows if rows.flags.writeable else np.array(rows))
            yield rows


def _orthonormal(block: Tensor, basis: Tensor) -> Tensor:
    """Orthonormal columns for what of `block` lies outside of `basis`, exact in float32."""
    block = block[:, : len(basis) - basis.shape[1]]
    for _ in range(3):  # a column that is all rounding is a direction of its own only after another round
        block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
    return block.to(torch.float32).to(torch.float64)


def _ritz(basis: Tensor, products: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
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
    return found[:k].clip(min=0), _error_bounds(found, norms, k)


def _error_bounds(values: np.ndarray, norms: np.ndarray, k: int) -> np.ndarray:
    """Bounds (k,) on the errors of Ritz values (p,), descending, with residuals of these norms (p,).

    With r the norm of the residuals of the first m values together, each of these is off by at most r, and by
    at most r^2 / gap, the gap being that to all eigenvalues but the first m (Mathias 1998, "Quadratic residual
    bounds for the Hermitian eigenvalue problem"); those begin at about the next Ritz value. The best m counts.
    The two products in float32 add a rounding each.
    """
    together = np.sqrt(np.cumsum(norms**2))
    gaps = (
        values[:k, None] - (values + norms)[None, 1:]
    )  # [i, m - 1]: from value i to those after the first m
    usable = (np.arange(1, len(values)) > np.arange(k)[:, None]) & (gaps > 0)
    quadratic = np.where(usable, together[:-1] ** 2 / np.where(usable, gaps, 1), np.inf)
    best = np.minimum(together[k - 1], quadratic.min(axis=1, initial=np.inf))
    return best + 2 * np.finfo(np.float32).eps * max(values[0], 0)
