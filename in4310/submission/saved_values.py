"""Figures that numpy.savez and torch.save keep, as JSON would have them: any reader of documents reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from in4310.submission.inert import Inert, numbers_of
from in4310.submission.matrices import real

LENGTH = 4096  # numbers of one array: a spectrum has as many as there are images, or channels
VALUES = 1_000_000  # in one file, each as often as it is found: lists may share what they hold
TEXT, NAME, DEPTH = 4096, 200, 12
_LAYERS = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The small arrays of an .npz file by name; 'tuned/layer1' is layer1 in tuned, as archives write it."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        if (value := of_array(array)) is None:
            continue
        *outer, last = name.split("/")[-DEPTH:]
        table = found
        for part in outer:
            table = table.setdefault(part, {}) if isinstance(table.get(part, {}), dict) else {}
        table.setdefault(last, value)
    return found


def of_array(array: np.ndarray) -> Any:
    """A number, a text, or lists of them; None for a large array, and for one of anything else."""
    return array.tolist() if array.size <= LENGTH and array.ndim <= 2 and array.dtype.kind in "fiuU" else None


def are_weights(tensors: Mapping[str, Tensor]) -> bool:
    """Whether tensors are those of layers: the biases of a network's modules would pass for their eigenvalues."""
    return any(len(t.shape) > 2 or name.rpartition(".")[2] in _LAYERS for name, t in tensors.items())


def of_saved(content: Any) -> Any:
    """What torch.save wrote as plain values, without what JSON has no form for; None when nothing is left.

    Raises ValueError when there are more than a million values.
    """
    return _plain(content, 0, iter(range(VALUES)))


def _plain(content: Any, depth: int, left: Iterator[int]) -> Any:
    if next(left, None) is None:
        raise ValueError(f"holds more than {VALUES} values")
    if isinstance(content, Inert):
        content = numbers_of(content)
    elif isinstance(content, Tensor):
        content = _numbers(content)
    if isinstance(content, np.ndarray):
        value = of_array(content)
        size = content.size if value is not None else 0
        return _plain(None, depth, left) if sum(1 for _ in islice(left, size)) < size else value
    if isinstance(content, Mapping) and depth < DEPTH:
        inside = {str(k)[:NAME]: _plain(v, depth + 1, left) for k, v in content.items()}
        return {k: v for k, v in inside.items() if v is not None} or None
    if isinstance(content, list | tuple) and depth < DEPTH:
        return _all([_plain(v, depth + 1, left) for v in content])
    fits = isinstance(content, float) or (type(content) is int and abs(content) < 2**63)
    return (
        content if fits or type(content) is bool or (type(content) is str and len(content) <= TEXT) else None
    )


def _all(values: Sequence[Any]) -> list[Any] | None:
    """The values where there is each of them: a list with one left out would shift those behind it."""
    return list(values) if values and all(v is not None for v in values) else None


def _numbers(tensor: Tensor) -> np.ndarray | None:
    """The numbers of a small tensor that holds what it claims, real ones."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return None
    stored = tensor.untyped_storage().nbytes()
    if tensor.numel() > LENGTH or tensor.numel() * tensor.element_size() > stored:
        return None
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return real((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())
