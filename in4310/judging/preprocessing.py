"""Which preprocessing the scores were made with, when nobody says: the few that students use, tried on a few images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from in4310.errors import InputError
from in4310.shown import shown
from in4310.solution import scores
from in4310.solution.images import Preprocessing, load_images
from in4310.submission.formats import finite

LARGEST = 640  # pixels of a side: what is stated is carried out, and must not cost the judge its memory
ROWS = 8
# What misses on two images misses on all eight, and most candidates do: 0.35 to 0.86 where 0.005 is allowed (measured).
# Eight images of all 14 sizes took 2.9 processor seconds in fp32, 1.6 in bf16 with errors up to 0.005; two take 0.7.
SCREEN = 2
# Two runs of the right preprocessing differ by a grey level of the decoder or resizer: 5e-4 measured, see the edition's
# tolerance of scores. Half precision adds 2e-3. A wrong one misses by 0.05 and more on images that are not saturated.
FITS = 5e-3
NEAR = 3
SIZES = ((224, 224), (224, 256), (150, 150), (128, 128), (64, 64), (96, 96), (112, 112), (160, 160), (192, 192),
         (256, 256), (299, 299), (100, 100), (32, 32), (224, 232))  # fmt: skip
NORMS = {
    "ImageNet's mean and deviation": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "values 0 to 1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "values -1 to 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class Inference:
    """The preprocessing found, and how well it reproduces the scores handed in."""

    preprocessing: Preprocessing
    difference: float
    tried: int
    fits: bool
    shuffled: bool = False

    @property
    def how(self) -> str:
        """One sentence for the report."""
        p = self.preprocessing
        norm = next(
            (n for n, (m, s) in NORMS.items() if (m, s) == (p.mean, p.std)), f"mean {p.mean}, std {p.std}"
        )
        how = f"{p.interpolation}{'' if p.antialias else ' without antialiasing'}"
        form = f"resize {p.resize}, crop {p.size}, {how}, {norm}"
        if not self.fits:
            return (
                f"not stated, and none of {self.tried} usual ones gives the scores handed in; assumed: {form}"
            )
        return (
            f"not stated; the scores of {ROWS} images are reproduced"
            f"{' as rows in another order' if self.shuffled else ''} with {form}"
            f" (largest difference {self.difference:.1e})"
        )


def candidates() -> Iterator[Preprocessing]:
    """Sizes and normalisations, the usual first."""
    for mean, std in NORMS.values():
        for size, resize in SIZES[:5]:
            yield Preprocessing(size=size, resize=resize, mean=mean, std=std)
    for size, resize in SIZES[5:]:
        for mean, std in NORMS.values():
            yield Preprocessing(size=size, resize=resize, mean=mean, std=std)


def variants(found: Preprocessing) -> Iterator[Preprocessing]:
    """Other ways of resizing to the same size."""
    yield replace(found, antialias=False)
    for interpolation in ("bicubic", "nearest"):
        yield replace(found, interpolation=interpolation)
        yield replace(found, interpolation=interpolation, antialias=False)


def infer(
    model: nn.Module,
    handed_in: np.ndarray,
    paths: Sequence[str],
    root: Path,
    labels: Mapping[str, str],
    classes: Sequence[str],
) -> Inference:
    """Try preprocessings until one reproduces the scores of a few images; else the first, marked as assumed.

    `handed_in`: float (N, classes), rows in the order of `paths`. The images are those whose scores say most: the least
    certain ones. Rows found elsewhere in the matrix count too: a shuffled loader does not hide the preprocessing.
    """
    # Each candidate is screened on two images (`possible`), and what is left tried on all eight (`attempt`): the first
    # that fits is refined. Where none does, all are tried on eight, for how near they come; of the three nearest the
    # other ways of resizing are tried last. `tried` keeps what came of each attempt, `nearness` the mean difference.
    certain = np.nan_to_num(handed_in, nan=1.0).max(axis=1)
    rows = np.argsort(certain, kind="stable")[:ROWS]
    chosen = tuple(paths[i] for i in rows)
    tried: list[tuple[float, bool, Preprocessing]] = []
    nearness: list[tuple[float, Preprocessing]] = []

    def predicted(preprocessing: Preprocessing, count: int) -> np.ndarray | None:
        try:
            images, _ = load_images(root, chosen[:count], labels, classes, preprocessing)
        except InputError:
            return None
        if images.paths != chosen[:count]:
            return None
        return scores.predict(model, images, preprocessing).astype(np.float64)

    def possible(preprocessing: Preprocessing) -> bool:
        ours = predicted(preprocessing, SCREEN)
        if ours is None:
            return False
        same = np.abs(ours - handed_in[rows[: len(ours)]]).max()
        anywhere = max(np.abs(handed_in - row).max(axis=1).min() for row in ours)
        # Twice: a batch of another size rounds otherwise.
        return bool(same <= 2 * FITS or anywhere <= 2 * FITS / 10)

    def attempt(preprocessing: Preprocessing) -> bool:
        ours = predicted(preprocessing, ROWS)
        if ours is None:
            return False
        same = float(np.abs(ours - handed_in[rows]).max())
        nearness.append((float(np.abs(ours - handed_in[rows]).mean()), preprocessing))
        apart = [np.abs(handed_in - row).max(axis=1) for row in ours]
        anywhere = float(max(off.min() for off in apart))
        # Among many rows some are alike by chance: a match elsewhere must be ten times closer. A network that is sure
        # of everything gives the same few rows again and again: each must have a place of its own.
        places = {int(off.argmin()) for off in apart}
        shuffled = same > FITS and anywhere <= FITS / 10 and len(places) == len(ours)
        tried.append((anywhere if shuffled else same, shuffled, preprocessing))
        return same <= FITS or shuffled

    def result(fits: bool) -> Inference:
        difference, shuffled, preprocessing = tried[-1] if fits else (np.inf, False, Preprocessing())
        return Inference(preprocessing, difference, len(tried), fits, shuffled)

    left = []
    for preprocessing in candidates():
        if possible(preprocessing) and attempt(preprocessing):
            return _refined(tried, attempt)
        left.append(preprocessing)
    # None: which are the nearest is seen on all images.
    tried.clear()
    nearness.clear()
    for preprocessing in left:
        if attempt(preprocessing):
            return _refined(tried, attempt)
    # Another way of resizing changes all scores a little, another size or normalisation changes some a lot.
    for _, near in sorted(nearness, key=lambda t: t[0])[:NEAR]:
        for preprocessing in variants(near):
            if attempt(preprocessing):
                return result(True)
    return result(False)


def _refined(tried: list[tuple[float, bool, Preprocessing]], attempt: object) -> Inference:
    """The fit found, or a variant of it that fits better: antialiasing may change little on smooth images."""
    difference, shuffled, found = tried[-1]
    if difference > FITS / 10 and callable(attempt):
        for variant in variants(found):
            attempt(variant)
            if tried[-1][0] < difference / 4:
                difference, shuffled, found = tried[-1]
    return Inference(found, difference, len(tried), True, shuffled)


def unlikely(stated: dict[str, Any]) -> str:
    """Why a stated preprocessing is not carried out: what it would cost, or make of the pixels; '' when it may be."""
    for key in ("size", "resize"):
        value = stated.get(key, 224)
        if type(value) is not int or not 1 <= value <= LARGEST:
            return f"{key} = {shown(str(value), 40)}, expected 1 to {LARGEST} pixels"
    for key in ("mean", "std"):
        values = stated.get(key, (1.0, 1.0, 1.0))
        numbers = [finite(v) for v in values] if isinstance(values, tuple) else []
        if (
            len(numbers) != 3
            or any(v is None or abs(v) > 1000 for v in numbers)
            or (key == "std" and 0 in numbers)
        ):
            return f"{key} = {shown(str(values), 60)}, expected three numbers"
    return ""
