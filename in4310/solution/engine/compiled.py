"""The training pass with fewer launches: CUDA graphs on a GPU, torch.compile on a CPU; kept only where it is right.

A ResNet-18 on a fast GPU waits for Python between its kernels. A graph replays them all at once. Whether that works and
pays depends on GPU, driver and batch, so it is tried on the run's own first batch: outputs and gradients must be those
of the plain pass, and with 'auto' it must be faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.engine.hardware import arithmetic

COMPILE = ("auto", "off", "on")
WORTH = 1.05
"""How many times faster it must be for 'auto' to keep it: below that, a timing of a few passes cannot tell."""
PASSES = 5
AGREEMENT = 1e-4
"""Largest relative difference (Euclidean norm) of outputs and of gradients to the plain pass in float32."""
NOISY = 0.5
"""In bfloat16 batch norm makes rounding grow over the layers, to a fifth of the gradients on 32 images of 64 x 64: what
differs no more than bfloat16 and float32 do, twice over, is rounding; beyond one half nothing could be told apart."""

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Chosen:
    """`forward`: the pass to train with; `name`: 'plain', 'CUDA graphs' or 'torch.compile'; `why`: one sentence."""

    forward: Forward
    name: str
    why: str


def choose_forward(
    model: nn.Module, inputs: Tensor, precision: str, compile_: str = "auto", progress: Progress = QUIET
) -> Chosen:
    """Return the forward pass to train with; the model, its gradients and statistics are left as they were.

    inputs: a first batch, float32 (N, 3, S, S), on the device. 'auto' tries graphs on a GPU, and nothing on a CPU,
    where compiling takes 10 to 50 s and the time is spent in matrix products either way.
    Raises InputError for another word, and with 'on' where it does not work or gives other numbers.
    """
    if compile_ not in COMPILE:
        raise InputError(f"compile {compile_!r}: expected one of {', '.join(COMPILE)}; choose one of these")
    on_gpu = inputs.device.type == "cuda"
    if compile_ == "off" or (compile_ == "auto" and not on_gpu):
        return Chosen(model, "plain", "asked for" if compile_ == "off" else "does not pay on a CPU")
    name, build = ("CUDA graphs", graphed) if on_gpu else ("torch.compile", _compiled)
    try:
        with progress.task(f"preparing {name}", 1), _as_it_was(model):
            forward = build(model, inputs, precision)
            difference, gain = _compare(model, forward, inputs, precision)
            allowed = AGREEMENT if precision == "fp32" else min(NOISY, 2 * _rounding(model, inputs))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # compilers raise what they like: none of it may end a run that works without
        why = " ".join(str(error).split())[:160] or type(error).__name__
        if compile_ == "on":
            raise InputError(
                f"compile 'on': {name} does not work here ({why}); leave it out, or say off"
            ) from None
        return Chosen(model, "plain", f"{name} does not work here ({why})")
    if not difference <= allowed:
        why = f"{name} differs from the plain pass by {difference:.1e}, allowed is {allowed:.1e}"
        if compile_ == "on":
            raise InputError(f"compile 'on': {why}; leave it out, or say off")
        return Chosen(model, "plain", why)
    if compile_ == "auto" and gain < WORTH:
        return Chosen(model, "plain", f"{name} is no faster here ({gain:.2f} times)")
    return Chosen(forward, name, f"{gain:.2f} times the plain pass, differs from it by {difference:.1e}")


def graphed(model: nn.Module, inputs: Tensor, precision: str) -> Forward:
    """Capture forward and backward pass for this shape as CUDA graphs; other shapes run as they are.

    Epochs have batches of two sizes at most, n and n - 1 (`loaders.training_batches`): both are captured.
    """
    by_shape: dict[torch.Size, Any] = {}
    for sample in (inputs, inputs[:-1]):
        # The graph reads its input from here ever after.
        own = sample.clone(memory_format=torch.channels_last)
        by_shape[sample.shape] = torch.cuda.make_graphed_callables(_Whole(model, precision), (own,))

    def forward(batch: Tensor) -> Tensor:
        return by_shape.get(batch.shape, model)(batch)

    return forward


class _Whole(nn.Module):
    """The model with its arithmetic inside, so that the casts are captured too; autocast must not cache in a graph."""

    def __init__(self, model: nn.Module, precision: str):
        super().__init__()
        self.model, self.precision = model, precision

    def forward(self, batch: Tensor) -> Tensor:
        if self.precision == "bf16":
            with torch.autocast(batch.device.type, dtype=torch.bfloat16, cache_enabled=False):
                return self.model(batch)
        with arithmetic(self.precision, batch.device):
            return self.model(batch)


def _compiled(model: nn.Module, _inputs: Tensor, _precision: str) -> Forward:
    return torch.compile(model)


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Trying moves the statistics of batch norm and leaves gradients: both are undone."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(before[name])
        model.zero_grad(set_to_none=True)


def _compare(model: nn.Module, forward: Forward, inputs: Tensor, precision: str) -> tuple[float, float]:
    """Return the largest relative difference of outputs and gradients, and how many times faster `forward` is."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    found: dict[bool, tuple[Tensor, Tensor]] = {}
    for _ in range(PASSES + 1):  # in turn, so that what else happens falls on both; the first warms up
        for other in (False, True):
            begun = _now(inputs.device)
            found[other] = _pass(model, forward if other else model, inputs, precision)
            seconds[other].append(_now(inputs.device) - begun)
    return _difference(found[False], found[True]), min(seconds[False][1:]) / min(seconds[True][1:])


def _rounding(model: nn.Module, inputs: Tensor) -> float:
    """Return how far outputs and gradients in bfloat16 are from those in float32."""
    return _difference(*(_pass(model, model, inputs, precision) for precision in ("fp32", "bf16")))


def _pass(model: nn.Module, forward: Forward, inputs: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Return the outputs, and the gradients of all parameters as one vector."""
    model.zero_grad(set_to_none=True)
    with arithmetic(precision, inputs.device):
        outputs = forward(inputs)
    outputs.float().logsumexp(dim=1).sum().backward()
    gradients = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()]
    return outputs.detach().float(), torch.cat(gradients)


def _difference(plain: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    return max(_relative(a, b) for a, b in zip(plain, other, strict=True))


def _relative(plain: Tensor, other: Tensor) -> float:
    size = float(torch.linalg.vector_norm(plain))
    difference = float(torch.linalg.vector_norm(plain - other))
    return difference / size if size else difference


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
