"""Eigenvalues of the empirical covariance of feature maps (task 3).

With f an image's features, the covariance is 1/N sum(f f^T) - E[f] E[f]^T, its divisor N. Of N images with D
features each it has at most min(N - 1, D) eigenvalues above zero, and they are also those of the N x N Gram
matrix of the centred features, divided by N. So the smaller of the two matrices is formed, D x D or N x N,
never one of 200704 x 200704: from both come the same numbers. Where even the smaller is too large, the k
largest are found by products with the features alone (`krylov`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.engine.krylov import NOT_FINITE, eigenvalue_count, largest_eigenvalues
from in4310.solution.engine.row_file import RowFile
from in4310.solution.feature_maps import NOT_RUN, observe

CHUNK = 2**20
"""Values centred and multiplied at a time in the Gram matrix: 8 MiB in float64 is all the room they take."""
LEAST_WIDTH = 256
"""Fewest features of a chunk: the product of narrower ones would wait for memory."""
IN_CACHE = 2**18
"""Values of which a thread takes the channel means at a time: 2 MiB in float64."""
GATHERED = 512
"""Images whose features wait to be folded into the covariance together."""
MATRIX_LIMIT = 8192
"""Largest side of a matrix whose eigenvalues are computed: 512 MiB in float64, some tens of seconds."""
VALUES_LIMIT = 2**28
"""Largest number of features, over all images, kept for one Gram matrix: 1 GiB in float32."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The k largest eigenvalues of the covariance of one module's features."""

    values: np.ndarray
    """(k,) float64, descending, none negative."""
    total_variance: float
    """Trace of the covariance: the sum of all eigenvalues, of which `values` may be a part."""
    images: int
    dimensions: int
    error: float = 0.0
    """Bound on the error of `values` where they are found by block Krylov; else 0, no more than rounding."""


class Moments:
    """Mean and covariance of D features over any number of images, in one pass and D x D memory, float64.

    Each batch is centred on its own mean and merged (Chan, Golub and LeVeque 1979): nowhere are large numbers
    of which the difference is wanted, so a mean far from zero costs no digits.
    """

    def __init__(self) -> None:
        self.images = 0
        self.dimensions = 0
        self._mean = torch.zeros(0)
        self._scatter = torch.zeros(0)

    @torch.inference_mode()
    def update(self, features: Tensor) -> None:
        """Add the features (n, D) of n images."""
        rows = features.to(torch.float64)
        if not len(rows):
            return
        if not self.images:
            self.dimensions = rows.shape[1]
            self._mean = rows.new_zeros(self.dimensions)
            self._scatter = rows.new_zeros(self.dimensions, self.dimensions)
        count, total = len(rows), self.images + len(rows)
        mean = rows.mean(dim=0)
        centred = rows - mean
        step = mean - self._mean
        self._scatter.addmm_(centred.T, centred)
        self._scatter.addr_(step, step, alpha=self.images * count / total)
        self._mean += step * (count / total)
        self.images = total

    def covariance(self) -> np.ndarray:
        """(D, D) float64, divisor N."""
        return self._scatter.cpu().numpy() / self.images

    def spectrum(self, k: int | None = None) -> Spectrum:
        """The k largest eigenvalues, min(N - 1, D) by default. Raises InputError for a k beyond that."""
        k = eigenvalue_count(k, self.images, self.dimensions)
        return _spectrum(self.covariance(), self.images, self.dimensions, k)


@torch.inference_mode()
def gram_eigenvalues(features: Tensor | Sequence[Tensor], k: int | None = None) -> Spectrum:
    """The same eigenvalues from the N x N Gram matrix, for more features than images.

    features: (N, D) of any float dtype, or batches of them; they are not copied. Chunk by chunk they become
    float64, less the features of the first image. That is near enough to the mean: none of the digits is lost
    that large equal parts would cost, and taking the mean of rows and columns away from the finished matrix
    ("double centring") is then exact algebra.
    Raises InputError for a k above min(N - 1, D).
    """
    parts = [features] if isinstance(features, Tensor) else [part for part in features if len(part)]
    sizes = [len(part) for part in parts]
    images, dimensions = sum(sizes), parts[0].shape[1] if parts else 0
    k = eigenvalue_count(k, images, dimensions)
    gram = parts[0].new_zeros(images, images, dtype=torch.float64)
    width = max(LEAST_WIDTH, CHUNK // images // 64 * 64)  # rows that begin at cache lines multiply faster
    room = parts[0].new_empty(images * width, dtype=torch.float64)
    for start in range(0, dimensions, width):
        columns = [part[:, start : start + width] for part in parts]
        first = columns[0][0].to(torch.float64)
        rows = room[: images * len(first)].view(images, len(first))
        for column, centred in zip(columns, rows.split(sizes), strict=True):
            torch.sub(column, first, out=centred)
        _add_products(gram, rows)
    gram = gram.tril()
    gram += gram.tril(-1).T
    mean = gram.mean(dim=0)
    gram -= mean
    gram -= (mean - mean.mean())[:, None]
    gram /= images
    return _spectrum(gram.cpu().numpy(), images, dimensions, k)


def _add_products(gram: Tensor, rows: Tensor) -> None:
    """gram += rows rows^T in its lower triangle; rows (N, w) float64. What is above it is of no meaning.

    Five products of a fifth of the rows each are three fifths of the whole one; more are too narrow to be fast. BLAS
    has a symmetric product that does only half of the work, but scipy's is another BLAS than torch's: two pools of
    threads that wait for each other (measured: six times slower).
    """
    edges = [len(rows) * i // 5 for i in range(6)]
    for start, end in pairwise(edges):
        gram[start:end, :end].addmm_(rows[start:end], rows[:end].T)


class FeatureCovariance:
    """Observer of one module: its features, ready for their eigenvalues.

    flatten: the whole map is the feature vector (D = C x H x W); otherwise the mean of each channel over its
    positions (D = C). The features are kept while there are no more images than dimensions, for the Gram
    matrix; then they are folded into moments, so memory does not grow with the number of images. Where they
    are too many for either they go to disk, for block Krylov, if k, the number of eigenvalues wanted, is given.
    """

    def __init__(self, flatten: bool = False, k: int | None = None) -> None:
        self._flatten = flatten
        self._k = k
        self._rows: list[Tensor] = []
        self._moments = Moments()
        self._file: RowFile | None = None
        self.images = 0

    def __call__(self, output: Tensor) -> None:
        """Take the features of a batch, output (N, C, ...). Raises InputError beyond the limits of memory."""
        rows = _whole_maps(output) if self._flatten else _channel_means(output)
        dimensions = rows.shape[1]
        self.images += len(rows)
        self._rows.append(rows)
        kept = sum(map(len, self._rows))
        if dimensions <= MATRIX_LIMIT and kept > (GATHERED if self._moments.images else dimensions):
            self._fold()
        elif self._file or kept > MATRIX_LIMIT or kept * dimensions > VALUES_LIMIT:
            self._to_disk(dimensions)

    def _fold(self) -> None:
        if self._rows:
            self._moments.update(torch.cat(self._rows))
        self._rows = []

    def _to_disk(self, dimensions: int) -> None:
        if self._k is None:
            most = min(MATRIX_LIMIT, VALUES_LIMIT // dimensions)
            raise InputError(
                f"spectrum: expected at most {most} images with {dimensions} features each, "
                f"found {self.images} or more; ask for the k largest eigenvalues only, give fewer images, "
                "or take channel means instead of whole maps"
            )
        self._file = self._file or RowFile(dimensions)
        for rows in self._rows:
            self._file.append(rows)
        self._rows = []

    def spectrum(self, k: int | None = None, progress: Progress = QUIET) -> Spectrum:
        """The k largest eigenvalues, by default the k of the observer, else min(N - 1, D).

        Raises InputError for a k beyond that, and as `krylov.largest_eigenvalues` for features on disk.
        """
        k = self._k if k is None else k
        if self._file:
            k = eigenvalue_count(k, self.images, self._file.dimensions)
            found = largest_eigenvalues(self._file.array(), k, progress=progress)
            error = float(found.errors.max())
            return Spectrum(found.values, found.total_variance, found.images, found.dimensions, error)
        if self._moments.images:
            self._fold()
            return self._moments.spectrum(k)
        return gram_eigenvalues(self._rows, k)


def eigenvalues(
    model: nn.Module,
    batches: Iterable[Tensor],
    modules: Sequence[str],
    k: int | None = None,
    flatten: bool = False,
    progress: Progress = QUIET,
) -> dict[str, Spectrum]:
    """Spectrum of the covariance of each module's features over all images, in one pass (3a).

    batches: float (N, C, H, W). k: how many of the largest eigenvalues, all min(N - 1, D) by default.
    Raises InputError as `observe`, for a k beyond min(N - 1, D), for features that are not finite, for a
    module that runs more than once a pass, and, where k is not given, for more flattened images than
    `MATRIX_LIMIT` and `VALUES_LIMIT` allow. With a k these go to the temporary folder, and their eigenvalues
    are found to 1e-6 of the largest (`krylov`).
    """
    features = {name: FeatureCovariance(flatten, k) for name in modules}
    images = observe(model, batches, {name: [feature] for name, feature in features.items()})
    found = {}
    for name, feature in features.items():
        if not feature.images:
            raise InputError(f"module {name!r}: {NOT_RUN}")
        if feature.images != images:
            raise InputError(
                f"module {name!r}: expected one output an image, found {feature.images} for {images} images; "
                "name a module that runs once in a forward pass"
            )
        try:
            found[name] = feature.spectrum(k, progress)
        except InputError as error:
            raise InputError(f"module {name!r}: {error}") from error
    return found


def _channel_means(output: Tensor) -> Tensor:
    """(N, C, ...) -> (N, C) float64, a new tensor."""
    if output.device.type == "mps":  # has no float64
        output = output.cpu()
    if output.ndim == 2:
        return output.to(torch.float64, copy=True)
    positions = tuple(range(2, output.ndim))
    if output.device.type != "cpu":
        return output.mean(dim=positions, dtype=torch.float64)
    # The line above takes nine times as long on a CPU: it converts value by value, and not in cache. Each thread
    # converts whole images and takes their means itself: cores that pass maps on take up to five times as long.
    means = torch.empty(output.shape[:2], dtype=torch.float64)
    size = torch.get_num_threads() * max(1, IN_CACHE // max(1, output[:1].numel()))
    room = torch.empty_like(output[:size], dtype=torch.float64)
    for maps, mean in zip(output.split(size), means.split(size), strict=True):
        torch.mean(room[: len(maps)].copy_(maps), dim=positions, out=mean)
    return means


def _whole_maps(output: Tensor) -> Tensor:
    """(N, C, ...) -> (N, C x ...) in the dtype of the output, one copy whatever its memory format."""
    device = "cpu" if output.device.type == "mps" else output.device
    rows = torch.empty(output.shape, dtype=output.dtype, device=device)
    return rows.copy_(output).flatten(1)


def _spectrum(matrix: np.ndarray, images: int, dimensions: int, k: int) -> Spectrum:
    """Eigenvalues of the covariance, or of the Gram matrix over N."""
    if not np.isfinite(matrix).all():
        raise InputError(NOT_FINITE)
    values = np.linalg.eigvalsh(matrix)[::-1]
    # A covariance has no negative eigenvalue; rounding, of its products and in the solver, gives small ones.
    information = np.finfo(np.float64)
    rounding = 10 * max(images, dimensions) * max(information.eps * values[0], information.tiny)
    if values[-1] < -rounding:
        raise ArithmeticError(f"covariance with eigenvalue {values[-1]:g}, rounding explains {-rounding:g}")
    return Spectrum(values[:k].clip(min=0), float(np.trace(matrix)), images, dimensions)
