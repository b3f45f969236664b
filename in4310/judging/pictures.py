"""Pictures that prove a verdict: how they become bytes within bounds, each drawn once."""

from __future__ import annotations

import hashlib
import pickle
from functools import partial

from matplotlib.figure import Figure

from in4310.judging.judge import Judge
from in4310.solution.drawing.style import Kind, encoded

SVG_BYTES = 64_000  # what is larger becomes a PNG
PHOTO_BYTES = 300_000  # photographs larger than this are written with fewer pixels
PICTURES = 4  # of one check
REMEMBERED = 64  # pictures of a process, 20 MB at most

_drawn: dict[bytes, tuple[bytes, Kind]] = {}


def attach(judge: Judge, figure: partial[Figure], caption: str, alt: str, photographs: bool = False) -> None:
    """Attach a figure to a check: as SVG where it is small, else PNG; one of photographs as JPEG.

    figure: the function that draws it, with all that it draws; caption: what is seen and what it proves; alt: what it
    shows in words, with its figures. At most four of a check.

    Drawing is most of what a hand-in without weights costs, and the same is drawn again: by two checks, of right splits
    of the same data, of a hand-in that changed in one piece. What was drawn stands where the data are equal.
    """
    if len(judge.pictures) >= PICTURES:
        return
    key = hashlib.sha256(pickle.dumps((figure, photographs))).digest()
    if key not in _drawn:
        if len(_drawn) >= REMEMBERED:
            del _drawn[next(iter(_drawn))]
        _drawn[key] = _encoded(figure(), photographs)
    content, kind = _drawn[key] = _drawn.pop(key)  # last to be forgotten
    judge.picture(content, caption, alt, kind)


def _encoded(figure: Figure, photographs: bool) -> tuple[bytes, Kind]:
    if photographs:
        content = encoded(figure, "jpg")
        return content if len(content) <= PHOTO_BYTES else encoded(figure, "jpg", dpi=75), "jpg"
    content = encoded(figure, "svg")
    return (content, "svg") if len(content) <= SVG_BYTES else (encoded(figure, "png"), "png")
