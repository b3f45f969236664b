"""Optimisers and their settings, losses, backward passes, steps: whether gradients are zeroed between them."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.weak import WeakTensorKeyDictionary

from in4310.rehearsal.events import Recorder

SETTINGS = ("lr", "momentum", "weight_decay", "betas", "nesterov")


def observe(see: Recorder) -> None:
    """Events 'optimizer', 'scheduler', 'loss', 'backward', 'step'."""
    stepped: dict[int, Any] = {}  # optimizers that made a step since the last backward pass
    made: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    ended = WeakTensorKeyDictionary()  # weights -> as a step left them
    counts: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def created(result: Any, self: Any, *_: Any, **__: Any) -> dict[str, Any]:
        made[self] = len(made)
        group = self.param_groups[0]
        through = any(ended.get(p) == p._version for p in group["params"][:1])
        return {"optimizer": made[self], "type": type(self).__name__, "through": through,
                "settings": {k: group[k] for k in SETTINGS if k in group},
                "parameters": sum(len(g["params"]) for g in self.param_groups)}  # fmt: skip

    see.function(Optimizer, "__init__", created, "optimizer")
    backward = torch.Tensor.backward

    def watched(self: Any, *arguments: Any, **keywords: Any) -> Any:
        with see.quiet() as outermost:
            if outermost:
                kept = [n for n, optimizer in stepped.items() if _gradients(optimizer)]
                see.note("backward", kept=kept, stepped=bool(stepped), steps=see.steps)
                stepped.clear()
            return backward(self, *arguments, **keywords)

    torch.Tensor.backward = watched  # type: ignore[method-assign]

    def after(optimizer: Any, *_: Any) -> None:
        stepped[made.get(optimizer, -1)] = optimizer
        see.steps += 1
        if see.enough is not None:
            raise see.enough
        see.since.clear()
        ended.update((p, p._version) for p in optimizer.param_groups[0]["params"][:1])
        counts[optimizer] = counts.get(optimizer, 0) + 1
        see.note("step", optimizer=made.get(optimizer, -1), rate=optimizer.param_groups[0]["lr"])

    register_optimizer_step_post_hook(after)

    def moved(result: Any, self: Any, *_: Any, **__: Any) -> dict[str, Any] | None:
        if sys._getframe(3).f_code.co_name == "_initial_step":
            return None
        return {"type": type(self).__name__, "steps": counts.get(getattr(self, "optimizer", None), 0),
                "per_batch": type(self).__name__ in ("OneCycleLR", "CyclicLR"),
                "total": getattr(self, "total_steps", 0), "calls": getattr(self, "last_epoch", 0)}  # fmt: skip

    plans = [c for c in vars(lr_scheduler).values() if isinstance(c, type) and "step" in vars(c)]
    for plan in plans:
        see.function(plan, "step", moved, "scheduler")

    def loss(result: Any, given: Any, target: Any = None, *_: Any, **__: Any) -> dict[str, Any]:
        return {"probabilities": probabilities(given), "rows": int(given.shape[0]) if given.ndim else 0}

    for name in ("cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"):
        see.torch[name] = loss


def probabilities(values: Any) -> bool:
    """Whether each row of a matrix is a distribution: what a softmax gives."""
    if not isinstance(values, torch.Tensor) or values.ndim != 2 or values.shape[1] < 2:
        return False
    values = values.detach()
    return bool((values >= 0).all()) and bool((values.sum(1) - 1).abs().max() < 1e-4)


def _gradients(optimizer: Any) -> bool:
    grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return any(bool((g != 0).any()) for g in grads[:4])
