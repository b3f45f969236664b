"""Pictures that prove a verdict, as bytes, and a look at pictures that were handed in."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from in4310.submission.formats import read_picture

PDF_BYTES = 500  # the smallest PDF that draws something is larger


def png(figure: Figure, dpi: int = 100) -> bytes:
    """A figure as PNG bytes, without metadata, so that the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def blank(path: Path) -> str:
    """Why a picture shows nothing: 'one colour', 'not readable ...'; empty when it shows something."""
    if path.suffix.lower() == ".pdf":
        head = path.read_bytes()[:5]
        return "" if head == b"%PDF-" and path.stat().st_size > PDF_BYTES else "not a PDF"
    if path.suffix.lower() == ".svg":
        return "" if path.stat().st_size > PDF_BYTES else "almost no content"
    try:
        grey = read_picture(path)
    except ValueError as error:
        return str(error)
    return "one colour" if float(grey.std()) < 2 else ""
