"""Forward passes that need not be made twice: statistics that share one, and spectra that a class asks for again.

What comes out is the same to the last digit: the same batches, the same observers, one pass fewer.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from in4310 import solution
from in4310.errors import InputError
from in4310.solution.feature_maps import NOT_RUN, NonPositive, Observer, observe
from in4310.solution.images import Preprocessing
from in4310.solution.saving import write_aside
from in4310.solution.spectrum import FeatureCovariance, Spectrum

Spectra = dict[str, Spectrum]


def shares_and_spectra(
    model: nn.Module, batches: Iterable[Tensor], shares: Sequence[str], spectra: Sequence[str]
) -> tuple[dict[str, float], Spectra]:
    """Non-positive percentages and spectra of channel means of modules, in one pass over the images (2b, 3a).

    Raises InputError where one of them cannot be computed; by themselves the others may be.
    """
    counters = {name: NonPositive() for name in shares}
    features = {name: FeatureCovariance() for name in spectra}
    observers: dict[str, list[Observer]] = {name: [] for name in (*shares, *spectra)}
    for name, counter in counters.items():
        observers[name].append(counter)
    for name, feature in features.items():
        observers[name].append(feature)
    images = observe(model, batches, observers)
    if any(not counter.images for counter in counters.values()):
        raise InputError(f"non-positive share: {NOT_RUN}")
    if any(feature.images != images for feature in features.values()):
        raise InputError("spectrum: expected one output an image")
    return (
        {name: counter.percent() for name, counter in counters.items()},
        {name: feature.spectrum() for name, feature in features.items()},
    )


def kept_spectra(folder: Path, key: str, compute: Callable[[], Spectra]) -> Spectra:
    """The spectra kept under a key, or computed and kept. A file that is damaged is written again.

    For networks that were not trained: many of a class start from the same weights and look at the same images.
    """
    file = folder / f"{key}.npz"
    with (
        suppress(OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile),
        np.load(file, allow_pickle=False) as kept,
    ):
        about = json.loads(str(kept["about"]))
        return {name: Spectrum(kept[f"values{i}"], *facts) for i, (name, facts) in enumerate(about.items())}
    found = compute()
    about = {name: [s.total_variance, s.images, s.dimensions] for name, s in found.items()}
    arrays: dict[str, Any] = {f"values{i}": s.values for i, s in enumerate(found.values())}
    arrays["about"] = np.array(json.dumps(about))
    with suppress(OSError, InputError):  # no room for it: it is computed again next time
        folder.mkdir(parents=True, exist_ok=True)
        write_aside(file, lambda out: np.savez(out, **arrays))
    return found


def key_of(
    model: nn.Module, root: Path, paths: Sequence[str], preprocessing: Preprocessing, asked: Sequence[str]
) -> str:
    """SHA-256 over all that a spectrum depends on: weights, files (size, time), preprocessing, modules, our code."""
    key = hashlib.sha256(
        f"{torch.__version__}\n{_code()}\n{root.resolve()}\n".encode("utf-8", "surrogateescape")
    )
    key.update(json.dumps([asdict(preprocessing), list(asked)]).encode())
    for name, tensor in model.state_dict().items():
        key.update(f"\n{name}\t{tuple(tensor.shape)}\t{tensor.dtype}\n".encode())
        key.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    for path in paths:
        try:
            status = (root / path).stat()
            key.update(f"\n{path}\t{status.st_size}\t{status.st_mtime_ns}".encode("utf-8", "surrogateescape"))
        except OSError:  # inside one of CIFAR-10's batch files
            key.update(f"\n{path}".encode("utf-8", "surrogateescape"))
    return key.hexdigest()


@cache
def _code() -> str:
    """SHA-256 over the code that computes: another version computes anew."""
    total = hashlib.sha256()
    for file in sorted(Path(solution.__file__).parent.rglob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()
