"""What is written and read: arrays, weights, tables, pictures; and comparisons, of which file with what."""

from __future__ import annotations

import builtins
import json
import os
import pickle
from collections import OrderedDict
from typing import Any

import matplotlib.figure
import numpy as np
import torch

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.observers.keeping import kept
from in4310.rehearsal.observers.training import probabilities

KEPT = 32  # loaded things whose file is known
COPIED = (".jpg", ".jpeg")  # images into folders of the program's own: one by one, they are no story


def observe(see: Recorder) -> None:
    """Events 'written', 'read', 'restored' and 'compared'."""
    loaded: OrderedDict[int, tuple[Any, str]] = OrderedDict()  # by identity, held so that it stays theirs

    def file_of(value: Any) -> str:
        return loaded.get(id(value), (None, ""))[1]

    def read(result: Any, file: Any, *_: Any, **__: Any) -> dict[str, Any]:
        name = _name(file)
        for part in [result, *(result.values() if type(result) is dict else ())]:
            loaded[id(part)] = part, name
        while len(loaded) > KEPT:
            loaded.popitem(last=False)
        told = see.place() in see.sites.told
        return {"file": name, **_about(result), "scores": probabilities(_tensor(result)), "told": told}

    def written(place: int, what: int) -> Any:
        return lambda r, *given, **__: {
            "file": _name(given[place]), **_about(given[what]), **_source(see, given[what])}  # fmt: skip

    see.function(np, "load", read, "read")
    see.function(np, "loadtxt", read, "read")
    see.function(torch, "load", read, "read")
    see.function(np, "save", written(0, 1), "written")
    see.function(np, "savetxt", written(0, 1), "written")
    see.function(np, "savez", lambda r, file, *_, **k: {"file": _name(file), "names": list(k),
                 **next((s for v in k.values() if (s := _source(see, v))), {})}, "written")  # fmt: skip

    def saved(result: Any, value: Any, file: Any = "", *_: Any, **__: Any) -> dict[str, Any]:
        if (fields := kept(see, "saved", value)) is not None:
            see.note("kept", file=_name(file), **fields)
        return {"file": _name(file), **_about(value), **_source(see, value)}

    see.function(torch, "save", saved, "written")
    see.function(json, "dump", written(1, 0), "written")
    see.function(pickle, "dump", written(1, 0), "written")
    see.function(matplotlib.figure.Figure, "savefig", _figure, "written")

    def opened(result: Any, file: Any, mode: str = "r", *_: Any, **__: Any) -> dict[str, Any] | None:
        name = _name(file)
        return (
            {"file": name, "type": "text"}
            if set("wax") & set(mode) and not name.lower().endswith(COPIED)
            else None
        )

    see.function(builtins, "open", opened, "written")

    def restored(result: Any, self: Any, state: Any, *_: Any, **__: Any) -> dict[str, Any]:
        return {"file": file_of(state), "network": type(self).__name__}

    load_state = torch.nn.Module.load_state_dict

    def restoring(self: Any, state: Any, *arguments: Any, **keywords: Any) -> Any:
        with see.quiet() as outermost:
            own = {t.data_ptr() for t in self.state_dict().values() if t.numel()}
            alias = any(isinstance(t, torch.Tensor) and t.data_ptr() in own for t in dict(state).values())
            result = load_state(self, state, *arguments, **keywords)
        if outermost and (
            see.own() or file_of(state)
        ):  # else a library gives a network that it builds its weights
            see.note("restored", **restored(result, self, state), alias=alias)
        return result

    torch.nn.Module.load_state_dict = restoring  # type: ignore[method-assign,assignment]

    def compared(
        result: Any, one: Any = None, other: Any = None, *rest: Any, **keywords: Any
    ) -> dict[str, Any] | None:
        if not hasattr(one, "shape") or not hasattr(other, "shape") or not see.own():
            return None
        files = [file_of(one), file_of(other)]
        if not any(files):
            files[0] = next((name for part, name in loaded.values() if _alike(part, one)), "")
        equal = bool(result) if isinstance(result, bool | np.bool_) else None
        itself = one is other or (files[0] != "" and files[0] == files[1])
        tolerance = max(
            [t for t in (*rest, keywords.get("atol"), keywords.get("rtol")) if isinstance(t, float)],
            default=None,
        )
        return {
            "files": files,
            "itself": itself,
            "tolerance": tolerance,
            "equal": equal,
            "shape": list(one.shape),
        }

    for name in ("allclose", "isclose", "array_equal"):
        see.function(np, name, compared, "compared")
    for name in ("assert_allclose", "assert_array_equal", "assert_array_almost_equal"):
        see.function(np.testing, name, compared, "compared")
    for name in ("allclose", "isclose", "equal"):
        see.torch[name] = compared
    see.aliases.update(allclose="compared", isclose="compared", equal="compared", cross_entropy="loss",
                       nll_loss="loss", binary_cross_entropy_with_logits="loss")  # fmt: skip


def _alike(part: Any, value: Any) -> bool:
    """Whether an array that was loaded has these values: one that came of it by a copy or in another type."""
    if not hasattr(part, "shape") or tuple(part.shape) != tuple(value.shape):
        return False
    one, other = (np.asarray(v.detach() if isinstance(v, torch.Tensor) else v) for v in (part, value))
    return one.dtype.kind == "f" and other.dtype.kind == "f" and bool(np.allclose(one, other, atol=1e-3))


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def _source(see: Recorder, value: Any) -> dict[str, Any]:
    """Which loader's batches a matrix of scores was computed of, and after how many steps; empty: not known."""
    value = _tensor(value)
    if not isinstance(value, torch.Tensor) or value.ndim != 2:
        return {}
    for (_, loader, _), parts in reversed(see.outputs.items()):
        outputs = torch.cat([p for p in parts if p.shape[1] == value.shape[1]] or parts)
        if outputs.shape == value.shape and any(
            torch.allclose(form.double(), value.detach().double(), atol=1e-3)
            for form in (outputs.softmax(1), outputs)
        ):
            return {"loader": loader, "steps": see.steps}
    return {}


def _figure(result: Any, self: Any, file: Any = "", *_: Any, **__: Any) -> dict[str, Any]:
    axes = [
        {"title": a.get_title(), "x": a.get_xlabel(), "y": a.get_ylabel(), "lines": len(a.lines)}
        for a in self.axes
    ]
    return {"file": _name(file), "type": "picture", "axes": axes[:4]}


def _name(file: Any) -> str:
    found = file if isinstance(file, str | os.PathLike) else getattr(file, "name", "")
    text = os.fspath(found) if isinstance(found, str | os.PathLike) else ""
    return os.path.relpath(text) if text.startswith("/tmp/") else text


def _about(value: Any) -> dict[str, Any]:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return {"type": "array", "shape": [int(n) for n in shape]}
    if isinstance(value, dict):
        weights = any(isinstance(v, torch.Tensor) for v in value.values())
        return {"type": "weights" if weights else "table", "size": len(value)}
    return {"type": type(value).__name__}
