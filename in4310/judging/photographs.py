"""Photographs of the data set among pictures that were handed in as drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from in4310.errors import InputError
from in4310.judging.data import DataSet
from in4310.judging.judge import Judge
from in4310.places import cache_folder
from in4310.shown import shown
from in4310.solution.saving import write_aside
from in4310.submission.claims import words
from in4310.submission.formats import IMAGE_FORMATS
from in4310.submission.looks import Look

GROUND = 0.05  # of a drawing's pixels have the colour of its ground, to the last bit; of a photograph's 0.01
NOT_DRAWN = "a PDF or SVG, which is not drawn here"
NEAR = 3  # bits of 64 that differ where a photograph was scaled and encoded again


def photograph_of(data: DataSet, pixels: np.ndarray) -> str | None:
    """The photograph that a picture shows, 'class/name.jpg', however it was scaled or encoded; None for another.

    pixels: uint8 (H, W, 3). The data set is decoded once, and only for a picture without a plain ground.
    """
    flat = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    if np.unique(flat, return_counts=True)[1].max() > GROUND * len(flat):
        return None
    return next(iter(photographs_like(data, pixels)), None)


def photographs_like(data: DataSet, pixels: np.ndarray, near: int = NEAR) -> list[str]:
    """Photographs whose patches are lighter and darker as a picture's are, but for `near` of 64; the nearest first.

    pixels: uint8 (H, W, 3). The data set is decoded once.
    """
    paths = sorted(data.labels)
    far = np.unpackbits(_hashes(data, paths) ^ _hash(Image.fromarray(pixels)), axis=1).sum(axis=1)
    return [paths[i] for i in np.argsort(far, kind="stable") if far[i] <= near]


def seen_in(data: DataSet, look: Look) -> str:
    """That a picture is a photograph of the data set, in words; '' for any other, and for what is not drawn here."""
    photograph = None if look.pixels is None else photograph_of(data, look.pixels)
    return f"{shown(photograph, 60)}, a photograph of the data set" if photograph else ""


def expect_drawing(judge: Judge, data: DataSet, name: str, look: Look) -> None:
    """Expect a picture, a file of that name, to show something that is no photograph of the data set.

    What a PDF or an SVG shows is the teacher's to say: it is not drawn here.
    """
    why = look.why
    if not why and look.pixels is None:
        judge.leave(f"{name} shows something", NOT_DRAWN, "drawn", mend="save it as PNG, too")
        return
    why = why or seen_in(data, look)
    judge.expect(not why, f"{name} shows something", why or "drawn", "drawn")


def called(pictures: Sequence[Path], *topics: str) -> list[Path]:
    """The pictures in whose names a topic stands, in English or Norwegian."""
    names = {picture: f"{picture.stem.lower()} {' '.join(words(picture.stem))}" for picture in pictures}
    return [picture for picture, name in names.items() if any(topic in name for topic in topics)]


def expect_plots(
    judge: Judge, data: DataSet, what: str, plots: Sequence[Path], looks: Mapping[Path, Look], place: str
) -> None:
    """Expect at least one plot, and each to show something; `what`: 'plots of the loss'.

    `looks`: of the plots, or where no picture is called so of all that are there: then those are the teacher's.
    """
    mend = f"save it as {place}"
    if not plots and any(not seen.why for seen in looks.values()):
        names = ", ".join(shown(p.name, 40) for p in [*looks][:6])
        there = f"none; {len(looks)} other pictures are there, look at them: {names}"
        judge.leave(f"{what}, by name", there, "at least one", mend=mend)
        return
    judge.expect(bool(plots), what, len(plots), "at least one", mend=mend)
    for plot in plots:
        expect_drawing(judge, data, plot.name, looks[plot])


def _hash(picture: Image.Image) -> np.ndarray:
    """64 bits, uint8 (8,): whether each of 8 x 8 patches is brighter than its neighbour to the left."""
    patches = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    return np.packbits(np.diff(patches) > 0)


def _hashes(data: DataSet, paths: list[str]) -> np.ndarray:
    """Of each path, uint8 (N, 8), from the cache where they were computed before."""
    file = cache_folder() / "photographs" / f"{data.digest}.npy"
    with suppress(OSError, ValueError, EOFError):
        kept = np.load(file, allow_pickle=False)
        if kept.shape == (len(paths), 8) and kept.dtype == np.uint8:
            return kept
    found = np.array([_hash_of(data.root / path) for path in paths], np.uint8).reshape(-1, 8)
    with suppress(OSError, InputError):  # no room for it: it is computed again next time
        write_aside(file, lambda out: np.save(out, found))
    return found


def _hash_of(path: Path) -> np.ndarray:
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as picture:
            return _hash(picture)
    except OSError:
        return np.zeros(8, np.uint8)
