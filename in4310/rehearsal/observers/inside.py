"""Looking inside: hooks on modules, covariances, eigenvalues, PCA."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import sklearn.decomposition
import torch

from in4310.rehearsal.events import Recorder

SPECTRAL = ("eigh", "eigvalsh", "eig", "eigvals", "svd", "svdvals")


def observe(see: Recorder) -> None:
    """Events 'hook' and 'spectrum'."""
    see.function(
        torch.nn.Module,
        "register_forward_hook",
        lambda r, self, *_, **__: {"module": type(self).__name__},
        "hook",
    )
    for name in (*SPECTRAL, "cov"):
        for owner in (np.linalg, scipy.linalg) if name != "cov" else (np,):
            see.function(owner, name, _matrix(name), "spectrum")
        for full in (name, f"linalg_{name}"):
            see.torch[full] = _matrix(name)
            see.aliases[full] = "spectrum"
    see.function(sklearn.decomposition.PCA, "fit", lambda r, self, x, *_, **__: _shape("PCA", x), "spectrum")
    see.function(
        sklearn.decomposition.PCA, "fit_transform", lambda r, self, x, *_, **__: _shape("PCA", x), "spectrum"
    )


def _matrix(name: str) -> Any:
    return lambda result, matrix=None, *_, **__: _shape(name, matrix)


def _shape(name: str, matrix: Any) -> dict[str, Any]:
    return {"of": name, "shape": [int(n) for n in np.shape(matrix)]}
