"""Which weights are kept: after how many steps, under which comparison, after evaluation of which loaders."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from in4310.rehearsal.events import Recorder


def observe(see: Recorder) -> None:
    """Event 'kept' of copies; that of files is told where they are written."""
    see.function(copy, "deepcopy", lambda r, value, *_, **__: kept(see, "copied", value), "kept")
    cloned = [-1]

    def clone(result: Any, value: Any, *_: Any, **__: Any) -> dict[str, Any] | None:
        if not see.steps or cloned[0] == see.steps or value.grad_fn is not None or not see.own():
            return None
        cloned[0] = see.steps
        return _when(see, "copied")

    see.torch["clone"] = clone
    see.aliases["clone"] = "kept"


def kept(see: Recorder, how: str, value: Any) -> dict[str, Any] | None:
    """Fields of the event; None for what has no weights in it."""
    return _when(see, how) if _weights(value) else None


def _when(see: Recorder, how: str) -> dict[str, Any]:
    under = see.under()
    return {"how": how, "steps": see.steps, "since": list(see.since), "under": under.test if under else "",
            "of": under.of if under else "",
            "reset": bool(under and under.reset)}  # fmt: skip


def _weights(value: Any, depth: int = 0) -> bool:
    if isinstance(value, torch.nn.Module):
        return True
    if isinstance(value, Mapping) and depth < 2:
        return any(isinstance(v, torch.Tensor) or _weights(v, depth + 1) for v in value.values())
    return False
