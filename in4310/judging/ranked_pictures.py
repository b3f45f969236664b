"""A ranking handed in as copies of the photographs: a folder or a name says class and side, a number the place."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from in4310.judging.data import DataSet
from in4310.judging.evidence import Evidence
from in4310.judging.photographs import photographs_like
from in4310.submission.claims import key, sides_of, words
from in4310.submission.files import walk
from in4310.submission.formats import IMAGE_FORMATS

PICTURES = (".jpg", ".jpeg", ".png")
MOST = 600  # pictures that are looked at
NEAR, TRIED = 14, 20  # bits of 64 that scaling and encoding change; photographs that are looked at
SIDE = 32  # pixels to which two pictures are brought, to see whether they are one
ALIKE = 6.0  # of 255, by which they may differ in the mean: encoded again, or scaled
_PLACE = re.compile(r"\d{1,4}")  # digits of a name


def handed_in(evidence: Evidence) -> Any:
    """class -> {'top': [...], 'bottom': [...]}, as a file says it; where none does, by copies of photographs.

    Raises Missing and Unreadable.
    """
    submission = evidence.submission
    if submission.candidates("ranking") or "ranking" in submission.placed:
        return submission.ranking
    return evidence.once(("ranked pictures",), lambda: _copied(evidence)) or submission.ranking


def _copied(evidence: Evidence) -> dict[str, dict[str, list[str]]]:
    """Class -> side -> paths in the data set, by their places; {} where no copies of photographs lie so."""
    folder = evidence.submission.folder
    found: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    named = [(file, said) for file in walk(folder, PICTURES) if (said := _said(file, evidence.classes))]
    for file, (name, side, place) in named[:MOST]:
        look = evidence.submission.look(folder / file)
        if look.pixels is not None and (photograph := _same(evidence.data, look.pixels)):
            found[name, side].append((place, photograph))
    ranking: dict[str, dict[str, list[str]]] = {}
    for (name, side), placed in found.items():
        ranking.setdefault(name, {"top": [], "bottom": []})[side] = [path for _, path in sorted(placed)]
    return ranking


def _said(file: str, classes: list[str]) -> tuple[str, str, int] | None:
    """(class, side, place) of a picture's path: 'top10/sea/1.jpg', 'sea/worst_03.png', 'ranked/bottom-sea-3.jpg'."""
    path = PurePosixPath(file)
    said = words(_PLACE.sub(" ", str(path.with_suffix(""))))
    names, sides = [c for c in classes if key(c) in said], sides_of(said)
    numbers = _PLACE.findall(path.stem)
    return (names[0], sides[0], int(numbers[-1])) if len(names) == len(sides) == 1 and numbers else None


def _same(data: DataSet, pixels: np.ndarray) -> str | None:
    """The photograph that a picture is, uint8 (H, W, 3); None for one that is none of the data set."""
    ours, nearest, off = _small(Image.fromarray(pixels)), None, ALIKE
    for path in photographs_like(data, pixels, NEAR)[:TRIED]:
        with Image.open(data.root / path, formats=IMAGE_FORMATS) as photograph:
            apart = float(np.abs(_small(photograph) - ours).mean())
        if apart < off:
            nearest, off = path, apart
    return nearest


def _small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
