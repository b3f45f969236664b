"""What goes on inside the network under a mistake: outputs of modules over the named images, as hooks see them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from in4310.solution.feature_maps import Observer, capture, observe

BATCH = 64
Pixels = Callable[[np.ndarray], np.ndarray]  # (H, W, 3), to the same
Norm = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean and deviation of each channel
Also = Literal["", "reduced", "inputs"]
# (size, change, normalised) -> batches, float32 (n, 3, H, W)
Batches = Callable[[int, Pixels | None, bool | Norm], Iterable[Tensor]]
# Other numbers of a map than its mean: (n, C, positions) -> (n, C).
REDUCED: dict[str, Callable[[Tensor], Tensor]] = {
    "the largest value": lambda each: each.amax(dim=2),
    "the smallest value": lambda each: each.amin(dim=2),
    "the sum": lambda each: each.double().sum(dim=2),
    "the value at the first position": lambda each: each[:, :, 0],
    "the value at the middle position": lambda each: each[:, :, each.shape[2] // 2],
    "the value at the last position": lambda each: each[:, :, -1],
    "the median": lambda each: each.median(dim=2).values,
    "the deviation": lambda each: each.double().std(dim=2, unbiased=False),
    "the mean of positive values": lambda each: each.clamp(min=0).double().mean(dim=2),
    "the mean of absolute values": lambda each: each.abs().double().mean(dim=2),
    "the norm": lambda each: each.double().norm(dim=2),
}


def runs_of(model: nn.Module, modules: Sequence[str]) -> dict[str, int]:
    """How often each module runs in a forward pass, in the order in which they first do."""
    runs: dict[str, int] = {}

    def count(name: str, _output: Tensor) -> None:
        runs[name] = runs.get(name, 0) + 1

    observe(model, [_blank(model)], {m: [partial(count, m)] for m in modules})
    return runs


def outputs_of(model: nn.Module) -> list[str]:
    """Names of the modules that give one tensor of channels, the network itself ('') among them."""
    names: list[str] = []

    def seen(name: str, _module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim > 1 and name not in names:
            names.append(name)

    with ExitStack() as hooks, torch.inference_mode():
        for name, module in model.named_modules():
            hooks.enter_context(module.register_forward_hook(partial(seen, name)))
        model.eval()
        model(_blank(model))
    return names


def _blank(model: nn.Module) -> Tensor:
    """An image that says nothing, where the network is."""
    return torch.zeros(1, 3, 64, 64, device=next(model.parameters()).device)


def estimated_anew(model: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """A copy whose batch norms hold the mean over these batches, in eval mode."""
    copied = copy.deepcopy(model).train()
    for module in copied.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for batch in batches:
            copied(batch)
    return copied.eval()


@contextmanager
def statistics_kept(network: nn.Module, training: bool) -> Iterator[None]:
    """Training mode moves the running statistics of batch norms: they are put back whatever happens inside."""
    before = {n: b.clone() for n, b in network.named_buffers()} if training else {}
    try:
        yield
    finally:
        for name, buffer in network.named_buffers():
            if name in before:
                buffer.copy_(before[name])


@contextmanager
def inputs_seen(
    model: nn.Module, names: Sequence[str], take: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Show what each module is given, one tensor of channels, as long as the context is open; in eval mode."""

    def seen(name: str, _module: nn.Module, given: tuple[object, ...]) -> None:
        if given and isinstance(given[0], Tensor) and given[0].ndim > 1:
            take(name, given[0])

    modules = dict(model.named_modules())
    with ExitStack() as hooks:
        for name in names:
            hooks.enter_context(modules[name].register_forward_pre_hook(partial(seen, name)))
        model.eval()
        yield


class _Reached(Exception):
    """A pass has come to the module that it is made for."""


def observe_until(
    last: str, model: nn.Module, batches: Iterable[Tensor], observers: Mapping[str, Sequence[Observer]]
) -> None:
    """As `observe`; each pass ends when the module `last` has run for the first time, at a part of the cost."""

    def stop(_output: Tensor) -> None:
        raise _Reached

    with torch.inference_mode(), capture(model, {**observers, last: [*observers.get(last, ()), stop]}):
        for batch in batches:
            with suppress(_Reached):
                model(batch)


@dataclass(frozen=True)
class Maps:
    """Module -> float64 statistics over N images: `shares` (N,) of values <= 0 and < 0, `means` (N, C).

    `channels`: (N, C) shares of values <= 0. `reduced`: how -> module -> another number of each map than its mean,
    (N, C). `sizes`: what of a module's output is counted -> module -> how many there are. `whole` computes the same of
    all modules, where these are but those that run first.
    """

    shares: dict[str, np.ndarray]
    negative: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    sizes: dict[str, dict[str, float]] = field(default_factory=dict)
    channels: dict[str, np.ndarray] = field(default_factory=dict)
    reduced: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    whole: Callable[[], Maps] | None = None


@dataclass(frozen=True)
class Inside:
    """Modules of a network over images: those of a submission, or those that a live function is given.

    `batches(size, pixels, normalised)` gives the images, float32 (n, 3, H, W), as the network takes them: each changed
    by `pixels` ((H, W, 3) to the same) before, normalised, not, or by another mean and deviation; raises Missing for
    what cannot be done to them. `other`: the network before training, or after; raises Missing or InputError where it
    cannot be had. `norms`: other means and deviations that images may have been normalised by, with their names.
    `elsewhere`: other images, as (what they are, how many, their batches).
    """

    model: nn.Module
    modules: tuple[str, ...]
    images: int
    batches: Batches
    other: Callable[[], nn.Module] | None = None
    norms: Sequence[tuple[str, Norm]] = ()
    elsewhere: Callable[[], Iterable[tuple[str, int, Batches]]] = tuple

    @cached_property
    def right(self) -> Maps:
        """Without a mistake."""
        return self.maps()

    @cached_property
    def finite(self) -> bool:
        """Whether the network gives numbers: figures handed in with one that does not come from another."""
        return all(np.isfinite(means).all() for means in self.right.means.values())

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The modules, in the order in which they first run."""
        return tuple(runs_of(self.model, self.modules))

    def maps(
        self,
        training: int = 0,
        late: bool = False,
        model: nn.Module | None = None,
        pixels: Pixels | None = None,
        normalised: bool | Norm = True,
        until: str = "",
        also: Also = "",
    ) -> Maps:
        """One pass. `training`: in training mode with batches of that size; `late`: read after ReLU overwrote them.

        `until`: only of the modules that have run when this one has. `also`: with other numbers of each map
        ('reduced'), or of what each module is given, at its first run, in place of what it gives ('inputs').
        """
        # `observe` calls the hooks of the asked modules in each pass: `take` reads an output at once, `wait` puts it
        # aside until the pass has ended, when an in-place ReLU has written over it. `fed` gives the batches, and reads
        # what waits between them.
        network = model or self.model
        maps = Maps({}, {}, {})
        parts: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in self.modules}
        waiting: list[tuple[str, Tensor]] = []

        first: set[str] = set()

        def take(name: str, output: Tensor) -> None:
            if also == "inputs" and name in first:
                return
            first.add(name)
            each = output.flatten(2) if output.ndim > 2 else output[:, :, None]  # (n, C, positions)
            channels, below = ((side.double().mean(dim=2)) for side in (each <= 0, each < 0))
            taken = [channels.mean(dim=1), below.mean(dim=1), each.double().mean(dim=2), channels]
            taken += [of(each).double() for of in REDUCED.values()] if also == "reduced" else []
            parts[name].append(tuple(x.cpu() for x in taken))
            for what, number in (("channels", output.shape[1]), ("positions", output[0, 0].numel())):
                maps.sizes.setdefault(f"the number of {what} of the module", {})[name] = float(number)

        def wait(name: str, output: Tensor) -> None:
            waiting.append((name, output))

        def fed() -> Iterator[Tensor]:
            network.train(bool(training))  # `observe` has put it in eval mode, and puts back what was
            for batch in self.batches(training or BATCH, pixels, normalised):
                first.clear()
                yield batch
                for name, output in waiting:
                    take(name, output)
                waiting.clear()

        if also == "inputs":
            with inputs_seen(network, self.modules, take), torch.inference_mode():
                for batch in fed():
                    network(batch)
        else:
            look = partial(observe_until, until) if until else observe
            with statistics_kept(network, bool(training)):
                look(network, fed(), {m: [partial(wait if late else take, m)] for m in self.modules})
        for name, found in parts.items():
            if found:
                kept = [
                    np.concatenate([part.numpy() for part in column]) for column in zip(*found, strict=True)
                ]
                maps.shares[name], maps.negative[name], maps.means[name], maps.channels[name] = kept[:4]
                for how, values in zip(REDUCED, kept[4:], strict=False):
                    maps.reduced.setdefault(how, {})[name] = values
        return maps
