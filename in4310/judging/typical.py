"""Statistics that a submission reports without naming its images: how far may they lie from ours, over other images?

The spread from image to image is measured, not assumed. A figure over 200 unnamed images of the same data set lies
within a few standard errors of ours; one that was computed in another way usually does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor, nn

DRAWS = 40
WIDER = 0.25  # of its width, to each side: forty draws do not reach the ends of the distribution


def _outputs(
    model: nn.Module, batches: Iterable[Tensor], modules: Sequence[str]
) -> Iterable[dict[str, Tensor]]:
    """Outputs of the modules for each batch, as they were when the module returned them."""
    found: dict[str, Tensor] = {}
    named = dict(model.named_modules())

    def hook(name: str):  # type: ignore[no-untyped-def]
        # A copy: the layer after may change the tensor in place (ReLU does).
        return lambda module, inputs, output: found.__setitem__(name, output.detach().clone())

    handles = [named[name].register_forward_hook(hook(name)) for name in modules]
    training = model.training
    model.eval()
    try:
        for batch in batches:
            found.clear()
            model(batch)
            yield dict(found)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()


def non_positive(
    model: nn.Module, batches: Iterable[Tensor], modules: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Module -> mean over images of the percentage of values that are 0 or less, and its standard deviation."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in modules}
    for outputs in _outputs(model, batches, modules):
        for name, output in outputs.items():
            share = (output <= 0).flatten(1).double().mean(dim=1) * 100
            parts[name].append(share.cpu().numpy())
    values = {name: np.concatenate(found) for name, found in parts.items() if found}
    return {
        name: (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0) for name, v in values.items()
    }


def standard_error(deviation: float, ours: int, theirs: int) -> float:
    """Standard error of the difference of two means over `ours` and `theirs` images."""
    return deviation * (1 / max(1, ours) + 1 / max(1, theirs)) ** 0.5


def spectra(
    model: nn.Module, batches: Iterable[Tensor], modules: Sequence[str], images: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Module -> lowest and highest of each eigenvalue, descending order, over draws of `images` images, float64 (C,).

    Features are channel means over positions, as the assignment asks (3a).
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in modules}
    for outputs in _outputs(model, batches, modules):
        for name, output in outputs.items():
            means = output.flatten(2).mean(dim=2) if output.ndim > 2 else output
            parts[name].append(means.double().cpu().numpy())
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    generator = np.random.default_rng(0)
    for name, chunks in parts.items():
        if not chunks:
            continue
        features = np.concatenate(chunks)
        size = min(images, len(features))
        drawn = []
        for _ in range(DRAWS):
            # With replacement where nearly all are taken: without, every draw would be the same set.
            rows = generator.choice(len(features), size, replace=size > len(features) // 2)
            centred = features[rows] - features[rows].mean(axis=0)
            values = np.linalg.svd(centred, compute_uv=False) ** 2 / size
            drawn.append(np.pad(values, (0, max(0, features.shape[1] - len(values))))[: features.shape[1]])
        stack = np.stack(drawn)
        low, high = stack.min(axis=0), stack.max(axis=0)
        room = WIDER * (high - low)
        found[name] = (np.maximum(low - room, 0), high + room)
    return found
