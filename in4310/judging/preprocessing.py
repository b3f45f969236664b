"""Which preprocessing the scores were made with, when nobody says: the few that students use, tried on a few images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from in4310.errors import InputError
from in4310.judging.pipelines import FILLS, WORDS, peculiar, pipeline, said
from in4310.solution import scores
from in4310.solution.images import Preprocessing, load_images

ROWS = 8
# What misses on two images misses on all eight, and most candidates do: 0.35 to 0.86 where 0.005 is allowed (measured).
# Eight images of all 14 sizes took 2.9 processor seconds in fp32, 1.6 in bf16 with errors up to 0.005; two take 0.7.
SCREEN = 2
# Two runs of the right preprocessing differ by a grey level of the decoder or resizer: 5e-4 measured, see the edition's
# tolerance of scores. Half precision adds 2e-3. A wrong one misses by 0.05 and more on images that are not saturated.
FITS = 5e-3
OF_ONE_SUM = 0.05  # share by which rows of scores may miss the sum that they have in common
NEAR = 3
ODD = 4  # images of each peculiarity that are tried: of 17034 photographs of the course 55 are not square
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
        form = f"{said(p)}, {norm}"
        if not self.fits:
            return (
                f"not stated, and none of {self.tried} usual ones gives the scores handed in; assumed: {form}"
            )
        return (
            f"not stated; the scores of {ROWS} images are reproduced"
            f"{' as rows in another order' if self.shuffled else ''} with {form}"
            f" (largest difference {self.difference:.1e})"
        )


def candidates(squares: bool = True) -> Iterator[Preprocessing]:
    """Sizes and normalisations, the usual first; each squashed, too, unless all images that are tried are `squares`."""
    usual = [(*size, norm) for norm in NORMS.values() for size in SIZES[:5]]
    for size, resize, (mean, std) in [*usual, *((*s, norm) for s in SIZES[5:] for norm in NORMS.values())]:
        plain = Preprocessing(size=size, resize=resize, mean=mean, std=std)
        yield plain
        if not squares:
            yield pipeline(plain, fit="squash")


def variants(found: Preprocessing) -> Iterator[Preprocessing]:
    """Other ways of resizing to the same size: on tensors, by another filter, by OpenCV, of floats."""
    yield replace(found, antialias=False)
    for interpolation in ("bicubic", "nearest"):
        yield replace(found, interpolation=interpolation)
        yield replace(found, interpolation=interpolation, antialias=False)
    # OpenCV's bilinear and nearest are those of tensors without antialiasing, but for a level.
    yield pipeline(found, library="OpenCV", interpolation="area", antialias=False)
    yield pipeline(found, library="float", antialias=False)
    yield pipeline(found, library="float")
    yield replace(found, interpolation="lanczos", antialias=True)


def fits_of(found: Preprocessing) -> Iterator[Preprocessing]:
    """Other ways of making a square of what is none; on square images they are all one."""
    for fit in ("shorter", "squash", "cropped"):
        yield pipeline(found, fit=fit)
    for fit in ("longer", "padded"):
        for pad in (*FILLS, "edge", "reflect"):
            yield pipeline(found, fit=fit, pad=pad)
    yield pipeline(found, fit="none")


# What tells each peculiarity, and what is tried for it, the usual first.
ASPECTS: dict[str, Callable[[Preprocessing], Iterator[Preprocessing]]] = {
    "shape": fits_of,
    "exif": lambda found: (pipeline(found, exif=turned) for turned in (False, True)),
    "alpha": lambda found: (pipeline(found, alpha=word) for word in WORDS["alpha"]),
}


def settle(
    model: nn.Module,
    found: Preprocessing,
    sets: Sequence[tuple[np.ndarray, Sequence[str]]],
    root: Path,
    labels: Mapping[str, str],
    classes: Sequence[str],
    asked: Sequence[str] = tuple(ASPECTS),
) -> Preprocessing:
    """What a preprocessing does to images that are not square, turned or transparent, as scores of a few of them say.

    `sets`: scores handed in, float (N, classes), and their paths. A way that gives all of them holds: the usual one
    first, and another where it comes nearer; where none does, `found` stays. Without such images nothing is computed,
    but the header of each file is read.
    """
    rows: dict[str, list[tuple[int, str, np.ndarray]]] = {aspect: [] for aspect in asked}
    for claimed, paths in sets:
        for path, row in zip(paths, as_shares(claimed), strict=True):
            marks = peculiar(root, path)
            for aspect in marks & rows.keys():
                rows[aspect].append((len(marks), path, row))
    for aspect, those in rows.items():
        # One peculiarity at a time, and what is least certain says most.
        chosen = {path: row for _, path, row in sorted(those, key=lambda t: (t[0], float(t[2].max())))[:ODD]}
        if chosen:
            given = np.array(list(chosen.values()))
            best, nearest = found, FITS
            for other in ASPECTS[aspect](found):
                ours = _predicted(model, other, tuple(chosen), root, labels, classes)
                off = np.inf if ours is None else float(np.abs(ours - given).max())
                if off < nearest:
                    best, nearest = other, off
                if off <= FITS / 10:
                    break
            found = best
    return found


def _predicted(
    model: nn.Module,
    preprocessing: Preprocessing,
    paths: tuple[str, ...],
    root: Path,
    labels: Mapping[str, str],
    classes: Sequence[str],
) -> np.ndarray | None:
    """Scores of images, float64; None where they cannot be prepared in this way."""
    try:
        images, _ = load_images(root, paths, labels, classes, preprocessing)
    except InputError:
        return None
    if images.paths != paths:
        return None
    return scores.predict(model, images, preprocessing).astype(np.float64)


def as_shares(values: np.ndarray) -> np.ndarray:
    """Scores of any usual form as shares of 1, float (N, classes): what they are of says how images were prepared.

    Logits, and logarithms of a softmax, become its scores; per cent and bytes are scaled. What is near 1 in sum stays.
    """
    if not len(values) or not np.isfinite(values).all():
        return values
    sums = values.sum(axis=1, keepdims=True)
    middle = float(np.median(sums))
    if values.min() >= 0 and middle > 0 and np.abs(sums / middle - 1).max() < OF_ONE_SUM:
        return values if abs(middle - 1) < OF_ONE_SUM else values / middle
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def telling(claimed: np.ndarray, paths: Sequence[str], root: Path) -> np.ndarray:
    """Rows that say most of a preprocessing: the least certain ones, of images that every way of fitting treats alike.

    Where there are too few of those, of all.
    """
    order = np.argsort(np.nan_to_num(claimed, nan=1.0).max(axis=1), kind="stable")
    alike: list[int] = []
    for row in order[: 4 * ROWS]:
        if len(alike) < ROWS and not peculiar(root, paths[row]):
            alike.append(int(row))
    return np.array(alike) if len(alike) >= min(ROWS, len(order)) else order[:ROWS]


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
    handed_in = as_shares(handed_in)
    rows = telling(handed_in, paths, root)
    chosen = tuple(paths[i] for i in rows)
    squares = not any(peculiar(root, path) for path in chosen)
    tried: list[tuple[float, bool, Preprocessing]] = []
    nearness: list[tuple[float, Preprocessing]] = []

    def predicted(preprocessing: Preprocessing, count: int) -> np.ndarray | None:
        return _predicted(model, preprocessing, chosen[:count], root, labels, classes)

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
    for preprocessing in candidates(squares):
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
        others = list(variants(near))
        if not squares:
            others = [other for way in (near, *others) for other in fits_of(way)]
        fitting = []
        for preprocessing in others:
            if attempt(preprocessing):
                fitting.append(tried[-1])
                if tried[-1][0] <= FITS / 10:
                    break
        if fitting:
            tried.append(min(fitting, key=lambda t: t[0]))
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
