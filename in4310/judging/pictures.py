"""Pictures that prove a verdict: how they become bytes within bounds."""

from __future__ import annotations

from matplotlib.figure import Figure

from in4310.judging.judge import Judge
from in4310.solution.drawing.style import Kind, encoded

SVG_BYTES = 64_000  # what is larger becomes a PNG
PHOTO_BYTES = 300_000  # photographs larger than this are written with fewer pixels
PICTURES = 4  # of one check


def attach(judge: Judge, figure: Figure, caption: str, alt: str, photographs: bool = False) -> None:
    """Attach a figure to a check: as SVG where it is small, else PNG; one of photographs as JPEG.

    caption: what is seen and what it proves; alt: what it shows in words, with its figures. At most four of a check.
    """
    if len(judge.pictures) >= PICTURES:
        return
    kind: Kind = "jpg" if photographs else "svg"
    content = encoded(figure, kind)
    if photographs and len(content) > PHOTO_BYTES:
        content = encoded(figure, "jpg", dpi=75)
    elif not photographs and len(content) > SVG_BYTES:
        kind, content = "png", encoded(figure, "png")
    judge.picture(content, caption, alt, kind)
