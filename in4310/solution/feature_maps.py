"""What named modules put out (task 2): hooks, the share of non-positive values, pictures."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.solution.drawing.style import panels, save, styled, titled
from in4310.solution.engine.hardware import arithmetic, choose_precision
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches

Observer = Callable[[Tensor], None]
CHANNELS = 16
"""Channels shown of each module in a picture: a grid of 4 x 4."""
PANELS = 6
"""Most panels in a row of a picture."""
NOT_RUN = "expected it to run in the forward pass, found that it does not; name a module that does"


@contextmanager
def capture(model: nn.Module, observers: Mapping[str, Sequence[Observer]]) -> Iterator[None]:
    """Show the output of each named module to its observers, as long as the context is open (2a).

    observers: module name, as in `model.named_modules()` -> functions called with the output, (N, C, ...), on
    the model's device. They are called inside the hook, before anything downstream runs: an in-place ReLU
    that follows overwrites the very tensor, so an observer takes all it needs at once, as a copy.
    The model is in eval mode inside; hooks and mode are undone at the end, also after an error.
    Raises InputError for a name that the model does not have, and an output that is not one tensor.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    for name in observers:
        if name not in modules:
            near = difflib.get_close_matches(name, modules, n=3, cutoff=0.5)
            near = near or [child for child, _ in model.named_children()]
            raise InputError(
                f"module {name!r}: expected a module of the network, found none of that name; "
                f"near it: {', '.join(near)}"
            )
    modes = [(module, module.training) for module in model.modules()]
    handles = [modules[name].register_forward_hook(_hook(name, list(observers[name]))) for name in observers]
    try:
        model.eval()
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training


def _hook(name: str, observers: Sequence[Observer]) -> Callable[[nn.Module, object, object], None]:
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim < 2:
            found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(f"module {name!r}: expected one tensor (N, C, ...) as its output, found {found}")
        for observer in observers:
            observer(output)

    return hook


def observe(
    model: nn.Module,
    batches: Iterable[Tensor],
    observers: Mapping[str, Sequence[Observer]],
    precision: str = "fp32",
) -> int:
    """Run all batches through the model once, without gradients, observed; returns the number of images.

    batches: float (N, C, H, W), moved to the model's device; the last may be short. Any number of statistics
    share the pass, which costs far more than they do. `precision`: 'bf16' is about twice as fast, and rounds each value
    by up to 2**-9 of itself: for a look, not for figures to hand in.
    Raises InputError as `capture`, and when there is no image at all.
    """
    device = _device(model)
    images = 0
    with (
        torch.inference_mode(),
        arithmetic(choose_precision(precision, device), device),
        capture(model, observers),
    ):
        for batch in batches:
            model(batch.to(device))
            images += len(batch)
    if not images:
        raise InputError("feature maps: expected at least 1 image, found none; give a set with images")
    return images


def _device(model: nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


class NonPositive:
    """Observer: percentage of values <= 0 over channels and positions, a running mean over images (2b).

    A module that runs several times in one pass (a ReLU shared by a block) has the mean over all its runs.
    """

    def __init__(self) -> None:
        self._counts: list[tuple[Tensor, int, int]] = []
        self.images = 0

    def __call__(self, output: Tensor) -> None:
        """Count at once; the count, one number a batch, stays on the device so that a GPU need not wait."""
        self._counts.append((torch.count_nonzero(output <= 0), output.numel(), len(output)))
        self.images += len(output)

    def percent(self) -> float:
        """The running mean m' = (m n + u k) / (n + k) over batches of k images and share u, in 0..100."""
        mean, images = 0.0, 0
        for count, values, size in self._counts:
            mean = (mean * images + 100 * (int(count) / values) * size) / (images + size)
            images += size
        if not images:
            raise InputError(f"non-positive share: {NOT_RUN}")
        return mean


def non_positive(model: nn.Module, batches: Iterable[Tensor], modules: Sequence[str]) -> dict[str, float]:
    """Percentage (0..100) of non-positive values in the output of each module, mean over images (2b).

    batches: float (N, C, H, W). One pass; no feature map is kept. Raises InputError as `observe`.
    """
    counters = {name: NonPositive() for name in modules}
    observe(model, batches, {name: [counter] for name, counter in counters.items()})
    for name, counter in counters.items():
        if not counter.images:
            raise InputError(f"module {name!r}: {NOT_RUN}")
    return {name: counter.percent() for name, counter in counters.items()}


def save_pictures(
    model: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    modules: Sequence[str],
    folder: Path,
    count: int = 10,
) -> list[Path]:
    """One PNG for each of the first `count` images, 000.png, 001.png, ...: image and feature maps (2c).

    Of each module the first 16 channels are shown, each by itself, on one colour scale; of a module that runs
    several times, the last output. Returns the paths.
    Raises InputError as `observe`, for a module that does not run, and when a file cannot be written.
    """
    chosen = images.subset(images.paths[:count])
    maps: dict[str, np.ndarray] = {}

    def keep(name: str, output: Tensor) -> None:
        maps[name] = output[0, :CHANNELS].float().cpu().clone().numpy()

    folder = Path(folder)
    written = []
    # One image at a time: most of the work is the drawing, and the maps of one image are all that is held.
    for index, (batch, _) in enumerate(batches(chosen, preprocessing, 1, _device(model))):
        observe(model, [batch], {name: [partial(keep, name)] for name in modules})
        if idle := [name for name in modules if name not in maps]:
            raise InputError(f"module {idle[0]!r}: {NOT_RUN}")
        grids = {name: _grid(maps[name]) for name in modules}
        picture = _picture(np.asarray(chosen.pixels[index]), chosen.paths[index], grids)
        written.append(save(picture, folder / f"{index:03d}.png"))
    return written


def _grid(channels: np.ndarray) -> np.ndarray:
    """(C, ...) -> one image of up to 4 x 4 tiles, a gap (NaN, drawn blank) between them."""
    count = len(channels)
    height, width = channels.shape[1:] if channels.ndim == 3 else (1, channels[0].size)
    gap = 1 if height > 1 else 0
    side = int(np.ceil(np.sqrt(count)))
    grid = np.full((-(-count // side), height + gap, side, width + gap), np.nan)
    for i, channel in enumerate(channels):
        grid[i // side, :height, i % side, :width] = channel.reshape(height, width)
    rows, tile_height, columns, tile_width = grid.shape
    return grid.reshape(rows * tile_height, columns * tile_width)[
        : rows * tile_height - gap, : columns * tile_width - gap
    ]


@styled
def _picture(pixels: np.ndarray, title: str, grids: Mapping[str, np.ndarray]) -> Figure:
    rows = -(-(len(grids) + 1) // PANELS)
    columns = -(-(len(grids) + 1) // rows)
    figure, found = panels(len(grids) + 1, columns, (2.2, 2.5), (0.06, 0.06, 0.3, 0.04))
    for axes in found:
        axes.set_axis_off()
    found[0].imshow(pixels)
    titled(found[0], title, 8.5, width=30)
    for axes, (name, grid) in zip(found[1:], grids.items(), strict=True):
        axes.imshow(grid, cmap="viridis", interpolation="nearest", aspect="equal")
        titled(axes, f"{name}: {np.nanmin(grid):.2g} to {np.nanmax(grid):.2g}", 8.5, width=34)
    return figure
