"""How rows are divided: splits of scikit-learn and torch, shuffles, and the listings they start from."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import sklearn.model_selection as selection
from torch.utils import data

from in4310.rehearsal.events import Recorder


def observe(see: Recorder) -> None:
    """Events 'split', 'shuffle' and 'listing'."""

    def parts(result: Any, *arrays: Any, **keywords: Any) -> dict[str, Any]:
        return {"by": "train_test_split", "sizes": [len(result[0]), len(result[1])],
                "seed": keywords.get("random_state"), "stratified": keywords.get("stratify") is not None,
                "shuffled": keywords.get("shuffle", True)}  # fmt: skip

    def subsets(result: Any, dataset: Any, lengths: Any, generator: Any = None) -> dict[str, Any]:
        seed = generator.initial_seed() if generator is not None else None
        return {"by": "random_split", "sizes": [len(part) for part in result], "seed": seed,
                "stratified": False, "shuffled": True}  # fmt: skip

    see.function(selection, "train_test_split", parts, "split")
    see.function(data, "random_split", subsets, "split")
    for owner, name in ((random, "shuffle"), (np.random, "shuffle"), (np.random, "permutation")):
        see.function(owner, name, lambda r, what=None, *_, **__: {"rows": _length(what)}, "shuffle")
    for name in ("listdir", "scandir", "walk"):
        see.function(os, name, _listed, "listing")
    for name in ("StratifiedShuffleSplit", "StratifiedKFold", "ShuffleSplit", "KFold"):
        see.function(getattr(selection, name), "__init__", _folds(name), "split")


def _listed(result: Any, place: Any = ".", *_: Any, **__: Any) -> dict[str, Any] | None:
    return None if "site-packages" in os.fsdecode(place) else {"place": os.fsdecode(place)}


def _folds(name: str) -> Any:
    return lambda r, self, *_, **keywords: {
        "by": name, "sizes": [], "seed": keywords.get("random_state"),
        "stratified": name.startswith("Stratified"), "shuffled": True}  # fmt: skip


def _length(what: Any) -> int:
    return len(what) if hasattr(what, "__len__") else int(what or 0)
