"""What goes on inside the network under a mistake: outputs of modules over the named images, as hooks see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.solution.images import Images, batches
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

BATCH = 64


@dataclass(frozen=True)
class Maps:
    """Module -> float64 statistics over N images: `shares` (N,) of values <= 0 and < 0, `means` (N, C)."""

    shares: dict[str, np.ndarray]
    negative: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    detail: str = ""


class Inside:
    """Statistics of modules over images of the course (or of a comparison set), under a way of computing; kept."""

    def __init__(self, evidence: Evidence, loaded: Images, modules: Sequence[str], model: nn.Module):
        self.evidence, self.loaded, self.modules, self.model = evidence, loaded, tuple(modules), model

    def maps(
        self,
        training: int = 0,
        late: bool = False,
        model: nn.Module | None = None,
        pixels: Callable[[np.ndarray], np.ndarray] | None = None,
        normalised: bool = True,
        detail: str = "",
    ) -> Maps:
        """One pass. `training`: in training mode with batches of that size; `late`: read after ReLU overwrote them."""
        network = model or self.model
        loaded = self.loaded
        if pixels is not None:
            loaded = Images(
                loaded.paths, np.stack([pixels(p) for p in loaded.pixels]), loaded.labels, loaded.classes
            )
        stated = self.evidence.preprocessing
        if not normalised:
            stated = replace(stated, mean=(0.0,) * 3, std=(1.0,) * 3)
        shares: dict[str, list[np.ndarray]] = {m: [] for m in self.modules}
        negative: dict[str, list[np.ndarray]] = {m: [] for m in self.modules}
        means: dict[str, list[np.ndarray]] = {m: [] for m in self.modules}

        def take(name: str, output: Tensor) -> None:
            flat = output.flatten(1)
            shares[name].append((flat <= 0).double().mean(dim=1).cpu().numpy())
            negative[name].append((flat < 0).double().mean(dim=1).cpu().numpy())
            kept = output.double().flatten(2).mean(dim=2) if output.ndim > 2 else output.double()
            means[name].append(kept.cpu().numpy())

        waiting: list[tuple[str, Tensor]] = []

        def hook(name: str) -> Callable[..., None]:
            if late:
                return lambda _m, _i, output: waiting.append((name, output))
            return lambda _m, _i, output: take(name, output)

        named = dict(network.named_modules())
        buffers = {n: b.clone() for n, b in network.named_buffers()} if training else {}
        handles = [named[m].register_forward_hook(hook(m)) for m in self.modules]
        network.train(bool(training))
        try:
            with torch.inference_mode():
                for x, _ in batches(loaded, stated, training or BATCH, self.evidence.device):
                    network(x)
                    for name, output in waiting:
                        take(name, output)
                    waiting.clear()
        finally:
            for handle in handles:
                handle.remove()
            network.eval()
            for name, buffer in network.named_buffers():
                if name in buffers:
                    buffer.copy_(buffers[name])

        def whole(parts: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
            return {m: np.concatenate(p) for m, p in parts.items() if p}

        return Maps(whole(shares), whole(negative), whole(means), detail)


def sources(inside: Inside, tuned: bool = True) -> Iterator[tuple[str, Maps]]:
    """Name of the hypothesis -> statistics under it: what the network was, and what it was given."""
    yield "in-place", inside.maps(late=True)
    for size in (64, 32, 16, 100, 128, 200, 256, 8, 50, 1):
        if 1 < size <= max(2, len(inside.loaded)):
            yield "train-mode", inside.maps(training=size, detail=f"batches of {size}")
    with suppress(Missing, InputError):
        other = inside.evidence.untuned if tuned else inside.evidence.model
        if set(inside.modules) <= {n for n, _ in other.named_modules()}:
            yield "other-network", inside.maps(model=other)
    yield "not-normalised", inside.maps(normalised=False)
    yield "bgr", inside.maps(pixels=lambda p: p[:, :, ::-1])
    yield "hwc", inside.maps(pixels=lambda p: np.resize(p, (3, *p.shape[:2])).transpose(1, 2, 0))
