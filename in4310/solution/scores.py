"""Softmax scores: predicted, saved, and reproduced from the weights (task 1h)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.engine import distributed
from in4310.solution.engine.hardware import arithmetic, choose_precision, keep_large_buffers
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches
from in4310.solution.network import folded
from in4310.solution.saving import write_aside

# Softmax scores in fp32 move when the order of additions does: see tests/solution/test_scores.py, which
# measures it over batch sizes and memory layouts. The tolerance stands well above that.
TOLERANCE = 1e-4
# bfloat16 keeps 8 bits: each of some 20 layers rounds by up to 2**-9, as a random walk sqrt(20) * 2**-9 = 0.9 % of an
# output. Outputs of trained networks reach 15, and a score moves by a quarter of what its logit does, at most:
# 0.25 * 15 * 0.009 = 0.03, and twice that for the largest of thousands.
BF16_TOLERANCE = 0.06
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

    `precision`: scores to hand in are computed in 'fp32', which another machine gives again to 1e-4. 'bf16' is about
    twice as fast where the hardware multiplies it, and moves a score by up to `BF16_TOLERANCE`.
    The model is used in evaluation mode, and left in the mode it was in; under torchrun each process predicts
    its share and all get the whole.
    """
    with progress.task("predicting", len(images)) as bar:
        result = logits(model, images, preprocessing, batch_size, device, precision, bar.advance, progress)
    return torch.softmax(result, dim=1).numpy()


def logits(
    model: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    advance: Callable[[int], None] | None = None,
    progress: Progress = QUIET,
) -> Tensor:
    """Return the network's outputs float32 (N, classes) on the CPU; `advance(n)` follows each batch.

    A batch that does not fit into the device's memory is halved, and that is said; the outputs are the same.
    """
    device = distributed.setup(device)
    keep_large_buffers()
    precision = choose_precision(precision, device)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows = distributed.share(len(images))
    own = Images(images.paths[rows], images.pixels[rows], images.labels[rows], images.classes)
    network = folded(model) if precision == "bf16" else model
    training = network.training
    parts: list[Tensor] = []
    network.eval()
    try:
        with torch.inference_mode(), arithmetic(precision, device):
            for outputs in _outputs(network, own, preprocessing, batch_size, device, progress):
                parts.append(outputs.float())
                if advance is not None:
                    advance(len(outputs))
    finally:
        network.train(training)
    if distributed.count() == 1:
        return torch.cat(parts).cpu()
    width = distributed.from_main(parts[0].shape[1] if parts else 0, device)
    found = torch.cat(parts) if parts else torch.zeros(0, width, device=device)
    return distributed.gather(found.clone(), len(images)).cpu()


def _outputs(
    network: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    batch_size: int,
    device: torch.device,
    progress: Progress,
) -> Iterator[Tensor]:
    """Yield the network's outputs batch by batch, in halves from the first one on that is too large."""
    done = 0
    while done < len(images):
        rows = slice(done, None)
        rest = Images(images.paths[rows], images.pixels[rows], images.labels[rows], images.classes)
        try:
            for inputs, _ in batches(rest, preprocessing, batch_size, device):
                yield network(inputs)
                done += len(inputs)
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise InputError(
                    f"one image of {preprocessing.size} x {preprocessing.size} does not fit into the memory of"
                    f" {device}; use --device cpu or a smaller --size"
                ) from None
            batch_size //= 2
            progress.say(f"out of memory on {device}: predicting in batches of {batch_size} from here on")


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
