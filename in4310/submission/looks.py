"""A look at a picture that was handed in: decoded within bounds, so that no byte of it goes further."""

from __future__ import annotations

import hashlib
import os
import string
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from in4310.submission.formats import SIDE, read_picture
from in4310.submission.panels import Panels, panels_in

DRAWN_BYTES = 500  # the smallest PDF or SVG that draws something has more that are not blank
DRAWN_MOST = 2**20  # bytes of such a file that are looked at
PICTURE_BYTES = 64 * 2**20
PIXELS = 512 * 2**20  # of all pictures of one hand-in; 200 pictures of 1600 x 1600
LARGE = 1600  # px a side that a picture is cut into panels at


@dataclass(frozen=True)
class Look:
    """`pixels`: uint8 (H, W, 3) of at most SIDE px, None for what is not drawn (PDF, SVG) or cannot be read; `why` it
    shows nothing, '' when it does; `digest`: SHA-256 of the file."""

    pixels: np.ndarray | None
    why: str
    digest: str = ""


class Viewer:
    """Looks at the pictures of one hand-in, which share one bound on their pixels."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def look(self, file: BinaryIO, suffix: str) -> Look:
        """A look at an open picture, PNG or JPEG whatever it is called; a PDF or SVG is not drawn."""
        size, digest = _measured(file)
        if suffix in (".pdf", ".svg"):
            content = file.read(DRAWN_MOST)
            if suffix == ".pdf" and not content.startswith(b"%PDF-"):
                return Look(None, "not a PDF", digest)
            drawn = len(content.translate(None, string.whitespace.encode() + b"\0")) > DRAWN_BYTES
            return Look(None, "" if drawn else "almost no content", digest)
        if size > PICTURE_BYTES:
            return Look(None, f"is larger than {PICTURE_BYTES >> 20} MiB", digest)
        try:
            pixels = self._decoded(file, digest, SIDE)
        except ValueError as error:
            return Look(None, str(error), digest)
        grey = np.asarray(Image.fromarray(pixels).convert("L"))
        return Look(pixels, "one colour" if float(grey.std()) < 2 else "", digest)

    def panels(self, file: BinaryIO) -> Panels:
        """The panels of an open picture. Raises ValueError."""
        size, digest = _measured(file)
        if size > PICTURE_BYTES:
            raise ValueError(f"is larger than {PICTURE_BYTES >> 20} MiB")
        return panels_in(self._decoded(file, digest, LARGE))

    def _decoded(self, file: BinaryIO, digest: str, side: int) -> np.ndarray:
        others = sum(count for of, count in self._seen.items() if of != digest)
        pixels, self._seen[digest] = read_picture(file, PIXELS - others, side)
        return pixels


def _measured(file: BinaryIO) -> tuple[int, str]:
    """Bytes and SHA-256 of an open file, which is left at its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return size, digest
