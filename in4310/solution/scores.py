"""Softmax scores: predicted, saved, and reproduced from the weights (task 1h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution import distributed
from in4310.solution.hardware import arithmetic, choose_precision, keep_large_buffers
from in4310.solution.images import Images, Preprocessing, batches
from in4310.solution.saving import write_aside

# Softmax scores in fp32 move when the order of additions does: see tests/solution/test_scores.py, which
# measures it over batch sizes and memory layouts. The tolerance stands well above that.
TOLERANCE = 1e-4
BATCH_SIZE = 64


def predict(
    model: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "cpu",
    progress: Progress = QUIET,
    precision: str = "fp32",
) -> np.ndarray:
    """Return softmax scores float32 (N, classes), rows in the order of `images.paths` (1h).

    The model is used in evaluation mode, and left in the mode it was in; under torchrun each process predicts
    its share and all get the whole.
    """
    with progress.task("predicting", len(images)) as bar:
        result = logits(model, images, preprocessing, batch_size, device, precision, bar.advance)
    return torch.softmax(result, dim=1).numpy()


def logits(
    model: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Return the network's outputs float32 (N, classes) on the CPU; `advance(n)` follows each batch."""
    device = distributed.setup(device)
    keep_large_buffers()
    precision = choose_precision(precision, device)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = model.training
    rows = distributed.share(len(images))
    own = Images(images.paths[rows], images.pixels[rows], images.labels[rows], images.classes)
    parts: list[Tensor] = []
    model.eval()
    try:
        with torch.inference_mode(), arithmetic(precision, device):
            for inputs, _ in batches(own, preprocessing, batch_size, device):
                parts.append(model(inputs).float())
                if advance is not None:
                    advance(len(inputs))
    finally:
        model.train(training)
    if distributed.count() == 1:
        return torch.cat(parts).cpu()
    width = distributed.from_main(parts[0].shape[1] if parts else 0, device)
    found = torch.cat(parts) if parts else torch.zeros(0, width, device=device)
    return distributed.gather(found.clone(), len(images)).cpu()


def save_scores(path: str | Path, scores: np.ndarray) -> Path:
    """Write the scores as float32 .npy, rows in the order of the test split; written aside, then renamed."""
    return write_aside(Path(path), lambda file: np.save(file, scores.astype(np.float32), allow_pickle=False))


def load_scores(path: str | Path) -> np.ndarray:
    """Read a score matrix, float (N, classes), as `save_scores` writes it; InputError for any other."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected saved scores (.npy), found nothing; predict and save them first")
    try:
        scores = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"{path}: expected a .npy array of numbers, found {' '.join(str(error).split())[:80]};"
            " save it with numpy.save, no objects"
        ) from error
    if not isinstance(scores, np.ndarray) or scores.ndim != 2 or not np.issubdtype(scores.dtype, np.floating):
        found = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else "an archive of arrays"
        raise InputError(
            f"{path}: expected floating-point scores (images, classes), found {found}; save softmax"
        )
    return scores


@dataclass(frozen=True)
class Reproduction:
    """How well saved scores are reproduced: the largest absolute difference and where it is."""

    largest_difference: float
    row: int
    column: int
    path: str
    rows: int
    tolerance: float
    agrees: bool


def reproduce(
    model: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    path: str | Path,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "cpu",
    progress: Progress = QUIET,
    tolerance: float = TOLERANCE,
) -> Reproduction:
    """Predict again and compare with the saved scores (1h); a NaN on either side counts as infinitely far.

    Raises InputError when the saved file is not a score matrix of the right shape.
    """
    saved = load_scores(path)
    if len(saved) != len(images):
        raise InputError(
            f"{path}: expected {len(images)} rows, one for each image, found {len(saved)};"
            " use the split that the scores were made with"
        )
    scores = predict(model, images, preprocessing, batch_size, device, progress)
    if saved.shape != scores.shape:
        raise InputError(
            f"{path}: expected {scores.shape[1]} columns, one for each output, found {saved.shape[1]};"
            " use the network that the scores were made with"
        )
    return compare(saved, scores, images.paths, tolerance)


def compare(saved: np.ndarray, scores: np.ndarray, paths: tuple[str, ...], tolerance: float) -> Reproduction:
    """Return the largest absolute difference of two score matrices of one shape, and where it is."""
    difference = np.abs(saved.astype(np.float64) - scores.astype(np.float64))
    difference[~np.isfinite(difference)] = np.inf
    row, column = (int(place) for place in np.unravel_index(int(difference.argmax()), difference.shape))
    largest = float(difference[row, column])
    return Reproduction(largest, row, column, paths[row], len(paths), tolerance, largest <= tolerance)
