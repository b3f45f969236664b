"""Rows of a data set: whether each is the image that its file holds, and which label each class has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.programs import DATA
from in4310.submission.formats import IMAGE_FORMATS

ALIKE, UNLIKE = 0.95, 0.6  # correlations
LABELS = 36  # pairs of a class and its label that are told


def observe(see: Recorder) -> None:
    """Events 'label', and 'pixels', at the only line that reshapes to three planes, else where the loader is made."""
    known: set[tuple[str, int]] = set()

    def look(item: Any, file: str, place: str, pixels: bool) -> None:
        of_class, label = file.rpartition("/")[0], _label(item)
        if label is not None and (of_class, label) not in known and len(known) < LABELS:
            known.add((of_class, label))
            see.note("label", at=place, of=of_class, label=label)
        try:
            with see.quiet():
                like = _like(item, file) if pixels else ""
        except Exception:
            return  # an image that cannot be read is the program's to find
        if like:
            sites = see.sites.reshaped
            see.note("pixels", at=sites[0] if len(sites) == 1 else place, like=like)

    see.look = look


def _like(item: Any, file: str) -> str:
    found = _planes(item)
    if found is None:
        return ""
    _, height, width = found.shape
    with Image.open(f"{DATA}/{file}", formats=IMAGE_FORMATS) as image:
        right = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR), float)
    if _correlation(found, right.transpose(2, 0, 1)) > UNLIKE:
        return ""
    return "hwc" if _correlation(found, right.reshape(3, height, width)) > ALIKE else ""


def _label(item: Any) -> int | None:
    """The only whole number beside an image in a row of a data set; None where there is none, or are several."""
    parts = (
        list(item.values()) if isinstance(item, Mapping) else item if isinstance(item, list | tuple) else []
    )
    found = [
        p for p in parts if type(p) is int or (getattr(p, "shape", None) == () and not hasattr(p, "keys"))
    ]
    whole = [int(p) for p in found if float(p).is_integer()]
    return whole[0] if len(whole) == 1 else None


def _planes(item: Any) -> np.ndarray | None:
    """The first 3 x H x W of numbers in a row of a data set."""
    if isinstance(item, torch.Tensor | np.ndarray):
        return np.asarray(item, float) if item.ndim == 3 and item.shape[0] == 3 else None
    parts = item.values() if isinstance(item, Mapping) else item if isinstance(item, list | tuple) else ()
    return next((found for part in parts if (found := _planes(part)) is not None), None)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
