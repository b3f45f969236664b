"""Passes through networks: in which mode, with gradients or not, on what batches of which loader; softmax, its axis."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.nn.modules import module as modules

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.observers.training import probabilities
from in4310.submission.state_dicts import find_networks

NOT_NETWORKS = (
    "torch.nn.modules.loss",
    "torchvision.transforms",
    "torchmetrics",
    "torch.nn.modules.activation",
)
PASSES, MOST = 12, 200  # passes and columns of outputs that are kept, to know them again in files
BATCH_DEPENDENT = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)


def observe(see: Recorder) -> None:
    """Events 'network', 'forward' and 'softmax'."""
    depth = [0]
    met: weakref.WeakSet[Any] = weakref.WeakSet()

    def meet(module: Any) -> None:
        met.add(module)
        found = find_networks({n: tuple(t.shape) for n, t in module.state_dict().items()})
        if len(found) == 1:
            see.note("network", network=type(module).__name__, depth=found[0].depth, outputs=found[0].outputs)

    last: dict[int, Any] = {}

    def before(module: Any, given: Any) -> None:
        depth[0] += 1
        if depth[0] > 1 or type(module).__module__.startswith(NOT_NETWORKS) or not given:
            return
        x = given[0]
        if not isinstance(x, torch.Tensor) or x.ndim != 4 or not x.is_floating_point():
            return
        if module not in met:
            see.at_rest(meet, module)
        with see.quiet():
            values = x.detach()
            digest = round(float(values.double().sum()), 3)
            same, last[id(module)] = last.get(id(module)) == digest, digest
            number = see.loader.get("number", -1)
            if number not in see.since:
                see.since.append(number)
            for row in values.flatten(1)[:, :8].tolist():
                see.inputs.append((row, values[0].numel()))
            see.note("forward", network=type(module).__name__, training=bool(module.training),
                     gradients=torch.is_grad_enabled(), loader=number, rows=int(x.shape[0]),
                     shape=[int(n) for n in x.shape[1:]], low=round(float(values.min()), 3),
                     high=round(float(values.max()), 3), same=same,
                     depends=any(isinstance(m, BATCH_DEPENDENT) for m in module.modules()))  # fmt: skip

    def after(module: Any, given: Any, result: Any) -> None:
        depth[0] -= 1
        found = getattr(result, "logits", result)
        if depth[0] or not isinstance(found, torch.Tensor) or found.ndim != 2 or found.shape[1] > MOST:
            return
        key = (id(module), see.loader.get("number", -1), see.loader.get("passes", 0))
        with see.quiet():
            see.outputs.setdefault(key, []).append(found.detach().float())
            see.outputs.move_to_end(key)
        while len(see.outputs) > PASSES:
            see.outputs.popitem(last=False)

    modules.register_module_forward_pre_hook(before)
    modules.register_module_forward_hook(after, always_call=True)

    def softmax(result: Any, given: Any, dim: Any = None, *_: Any, **__: Any) -> dict[str, Any] | None:
        if not isinstance(given, torch.Tensor):
            return None
        axis = None if dim is None else int(dim) % max(given.ndim, 1)
        return {"axis": axis, "shape": [int(n) for n in given.shape], "twice": probabilities(given),
                "whole": bool((result == result.round()).all())}  # fmt: skip

    see.torch["softmax"] = softmax
