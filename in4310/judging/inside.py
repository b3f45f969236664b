"""What goes on inside the network under a mistake: outputs of modules over the named images, as hooks see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from torch import Tensor, nn

from in4310.solution.feature_maps import observe

BATCH = 64
Pixels = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Maps:
    """Module -> float64 statistics over N images: `shares` (N,) of values <= 0 and < 0, `means` (N, C)."""

    shares: dict[str, np.ndarray]
    negative: dict[str, np.ndarray]
    means: dict[str, np.ndarray]


@dataclass(frozen=True)
class Inside:
    """Modules of a network over images: those of a submission, or those that a live function is given.

    `batches(size, pixels, normalised)` gives the images, float32 (n, 3, H, W), as the network takes them: each changed
    by `pixels` ((H, W, 3) to the same) before, normalised or not; raises Missing for what cannot be done to them.
    `other`: the network before training, or after; raises Missing or InputError where it cannot be had.
    """

    model: nn.Module
    modules: tuple[str, ...]
    images: int
    batches: Callable[[int, Pixels | None, bool], Iterable[Tensor]]
    other: Callable[[], nn.Module] | None = None

    @cached_property
    def right(self) -> Maps:
        """Without a mistake."""
        return self.maps()

    def maps(
        self,
        training: int = 0,
        late: bool = False,
        model: nn.Module | None = None,
        pixels: Pixels | None = None,
        normalised: bool = True,
    ) -> Maps:
        """One pass. `training`: in training mode with batches of that size; `late`: read after ReLU overwrote them."""
        # `observe` calls the hooks of the asked modules in each pass: `take` reads an output at once, `wait` puts it
        # aside until the pass has ended, when an in-place ReLU has written over it. `fed` gives the batches, and reads
        # what waits between them. Training mode moves the running statistics: they are put back whatever happens.
        network = model or self.model
        maps = Maps({}, {}, {})
        parts: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in self.modules}
        waiting: list[tuple[str, Tensor]] = []
        buffers = {n: b.clone() for n, b in network.named_buffers()} if training else {}

        def take(name: str, output: Tensor) -> None:
            flat = output.flatten(1)
            shares = [(side.double().mean(dim=1)) for side in (flat <= 0, flat < 0)]
            means = output.double().flatten(2).mean(dim=2) if output.ndim > 2 else output.double()
            parts[name].append(tuple(x.cpu() for x in (*shares, means)))

        def wait(name: str, output: Tensor) -> None:
            waiting.append((name, output))

        def fed() -> Iterator[Tensor]:
            network.train(bool(training))  # `observe` has put it in eval mode, and puts back what was
            for batch in self.batches(training or BATCH, pixels, normalised):
                yield batch
                for name, output in waiting:
                    take(name, output)
                waiting.clear()

        try:
            observe(network, fed(), {m: [partial(wait if late else take, m)] for m in self.modules})
        finally:
            for name, buffer in network.named_buffers():
                if name in buffers:
                    buffer.copy_(buffers[name])
        for name, found in parts.items():
            if found:
                kept = [
                    np.concatenate([part.numpy() for part in column]) for column in zip(*found, strict=True)
                ]
                maps.shares[name], maps.negative[name], maps.means[name] = kept
        return maps
