"""Pictures inside a page: as data URIs, bounded in their sum, and only of kinds that run nothing."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping

from PIL import Image

from in4310.submission.formats import PICTURE_FORMATS

BYTES = 1_900_000  # of all pictures in a page; base64 makes a third more of them: 2.6 MB
LARGE = 120_000  # bytes from which a picture is tried as JPEG; photographs shrink, plots do not
FORMATS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
SVG = "image/svg+xml"
# A drawing in an <img> runs no script and loads nothing; one that tries is none of ours (matplotlib's) and stays out.
FOREIGN = re.compile(
    rb"<script|<foreignObject|\son[a-z]+\s*=|<!ENTITY|href\s*=\s*[\"'](?!#|data:image/png)", re.IGNORECASE
)


def inlined(files: Iterable[str], pictures: Mapping[str, bytes]) -> dict[str, str]:
    """file -> data URI, in the order of `files` as far as the limit goes.

    pictures: file -> PNG, JPEG or SVG bytes. What is missing, of another kind or beyond the limit is left out.
    """
    found: dict[str, str] = {}
    left = BYTES
    for file in files:
        content = _smaller(pictures.get(file, b""))
        kind = _kind(content)
        if kind and len(content) <= left and file not in found:
            left -= len(content)
            found[file] = data_uri(content, kind)
    return found


def data_uri(content: bytes, kind: str) -> str:
    """The content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in RGB, white where it is transparent."""
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture.convert("RGB"), mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return flat


def _kind(content: bytes) -> str:
    """The media type; empty for what is no picture, or a drawing that is not only a drawing."""
    if content.startswith((b"<svg", b"<?xml")):
        return SVG if b"<svg" in content[:2000] and not FOREIGN.search(content) else ""
    return next((kind for start, kind in FORMATS.items() if content.startswith(start)), "")


def _smaller(content: bytes) -> bytes:
    """A large PNG as JPEG where that takes less than half the space: it holds photographs."""
    if len(content) <= LARGE or not content.startswith(b"\x89PNG"):
        return content
    stream = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content), formats=PICTURE_FORMATS) as picture:
            flat = on_white(picture)
    except (OSError, ValueError, Image.DecompressionBombError):
        return content
    flat.save(stream, "JPEG", quality=88, optimize=True)
    return stream.getvalue() if stream.tell() * 2 < len(content) else content
