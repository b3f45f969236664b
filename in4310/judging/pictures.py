"""Pictures that prove a verdict: how they become bytes within bounds, and a look at pictures that were handed in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from in4310.judging.judge import Judge
from in4310.solution.drawing.style import Kind, encoded
from in4310.submission.formats import read_picture

PDF_BYTES = 500  # the smallest PDF that draws something is larger
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


def look(path: Path) -> tuple[np.ndarray | None, str]:
    """A picture handed in, as pixels (H, W, 3) uint8 of at most 512 px, and why it shows nothing: '' when it does.

    The pixels are decoded within bounds and encoded anew by whoever shows them; no byte of the file goes further. A PDF
    or SVG has none: it is not drawn.
    """
    if path.suffix.lower() == ".pdf":
        head = path.read_bytes()[:5]
        good = head == b"%PDF-" and path.stat().st_size > PDF_BYTES
        return None, "" if good else "not a PDF"
    if path.suffix.lower() == ".svg":
        return None, "" if path.stat().st_size > PDF_BYTES else "almost no content"
    try:
        pixels = read_picture(path, colour=True)
    except ValueError as error:
        return None, str(error)
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    return pixels, "one colour" if float(grey.std()) < 2 else ""
