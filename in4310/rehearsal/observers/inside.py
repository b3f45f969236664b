"""Looking inside: hooks on modules; of what the matrices are whose eigenvalues, singular values or PCA are taken."""

from __future__ import annotations

import functools
import weakref
from typing import Any

import numpy as np
import scipy.linalg
import sklearn.decomposition
import torch

from in4310.rehearsal.events import Recorder

SPECTRAL = ("eigh", "eigvalsh", "eig", "eigvals", "svd", "svdvals")
IMAGES = 512  # whose means are kept of each module
RIGHT = "right"
SAME, OTHER = 1 - 1e-7, 1 - 1e-4  # cosines between matrices: this one, surely not this one


class Hooked:
    """Channel means of the outputs of modules that the program has hooked."""

    def __init__(self) -> None:
        self._means: dict[int, list[np.ndarray]] = {}

    def take(self, module: Any, output: Any) -> None:
        """Those of a batch."""
        parts = self._means.setdefault(id(module), [])
        if isinstance(output, torch.Tensor) and output.ndim == 4 and sum(map(len, parts)) < IMAGES:
            parts.append(output.detach().double().mean((2, 3)).numpy())

    def features(self) -> list[np.ndarray]:
        """N x C, of each module."""
        return [np.concatenate(parts) for parts in self._means.values() if parts]


def observe(see: Recorder) -> None:
    """Events 'hook', 'changing' and 'spectrum'."""
    hooked, told = Hooked(), set[int]()
    register = torch.nn.Module.register_forward_hook
    numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    changed: set[str] = set()

    def registered(self: Any, hook: Any, *given: Any, **named: Any) -> Any:
        place = see.place()
        number = numbers.setdefault(self, len(numbers))
        see.note("hook", at=place, module=type(self).__name__, number=number)
        register(self, lambda module, _, output: see.at_rest(hooked.take, module, output))

        @functools.wraps(hook)
        def watched(module: Any, *rest: Any, **more: Any) -> Any:
            output = rest[-1]
            before = getattr(output, "_version", 0)
            result = hook(module, *rest, **more)
            if (
                place
                and place not in changed
                and (getattr(output, "_version", 0) != before or _other(result, output))
            ):
                changed.add(place)
                see.note("changing", at=place)
            return result

        return register(self, watched if callable(hook) else hook, *given, **named)

    torch.nn.Module.register_forward_hook = registered  # type: ignore[method-assign]

    def described(name: str) -> Any:
        def describe(result: Any, matrix: Any = None, *_: Any, **named: Any) -> dict[str, Any]:
            values = np.asarray(matrix.detach() if isinstance(matrix, torch.Tensor) else matrix, float)
            wrong = "" if id(matrix) in told else _wrong(name, values, named, hooked.features(), see.inputs)
            if wrong not in ("", RIGHT) and name == "cov":
                told.add(id(result))
            right = wrong == RIGHT
            return {"of": name, "shape": list(values.shape), "wrong": "" if right else wrong, "right": right}

        return describe

    for name in (*SPECTRAL, "cov"):
        for owner in (np.linalg, scipy.linalg) if name != "cov" else (np,):
            see.function(owner, name, described(name), "spectrum")
        for full in (name, f"linalg_{name}"):
            see.torch[full] = described(name)
            see.aliases[full] = "spectrum"
    for name in ("fit", "fit_transform"):
        see.function(
            sklearn.decomposition.PCA, name, lambda r, self, x, *_, **__: described("PCA")(r, x), "spectrum"
        )


def _other(result: Any, output: Any) -> bool:
    """Whether what a hook gives back are other values than the module's."""
    if result is output or not isinstance(result, torch.Tensor) or not isinstance(output, torch.Tensor):
        return False
    return result.shape != output.shape or not torch.equal(result, output)


def _wrong(name: str, x: np.ndarray, named: Any, features: list[np.ndarray], inputs: Any) -> str:
    """The registry's name of what was wrongly done to the means of a hooked module, or RIGHT; '' where none is seen."""
    if x.ndim != 2 or min(x.shape) < 2:
        return ""
    if name in ("PCA", "cov") and _pixels(
        x if name == "PCA" or named.get("rowvar") is False else x.T, inputs
    ):
        return "pixels"
    for f in features:
        if name in ("PCA", "cov"):
            across = name == "cov" and named.get("rowvar", True)
            if _same(x, f if across else f.T):
                return "transposed"
            if _same(x, f.T if across else f):
                return RIGHT
        elif name.startswith("svd") and (_same(x, f) or _same(x, f.T)) and not _same(f, f - f.mean(0)):
            return "not-centred"
        elif name.startswith("svd") and (_same(x, f - f.mean(0)) or _same(x, (f - f.mean(0)).T)):
            return RIGHT
        elif x.shape[0] == x.shape[1]:
            right, plain = np.cov(f, rowvar=False), f.T @ f
            if _same(x, plain) and not _same(x, right, OTHER):
                return "not-centred"
            if _same(x, np.cov(f)) and not _same(x, right, OTHER):
                return "transposed"
            if _same(x, right):
                return RIGHT
    return ""


def _same(one: np.ndarray, other: np.ndarray, least: float = SAME) -> bool:
    """Whether two matrices are multiples of each other."""
    if one.shape != other.shape:
        return False
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return size > 0 and float((one * other).sum()) / size > least


def _pixels(x: np.ndarray, inputs: Any) -> bool:
    """Whether each row is an image that a network was given."""
    known = [row for row, size in inputs if size == x.shape[1]]
    return bool(known) and all(
        any(np.allclose(row, k, atol=1e-4) for k in known) for row in x[-4:, : len(known[0])]
    )
