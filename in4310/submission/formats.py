"""Readers of the file formats that pieces come in. Nothing here runs code from a file.

Every reader bounds the size before it reads, and raises `ValueError` with one line for anything unexpected.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

TEXT_BYTES = 16 * 2**20  # 17034 paths of 200 characters are 3.4 MB
# Scores of 17034 images in six columns are 0.1 million; a value takes up to 100 bytes.
TEXT_VALUES = 3_000_000
ARRAY_BYTES = 256 * 2**20  # 100 000 rows of 1000 classes in float16
PICTURE_PIXELS = 64 * 2**20
SIDE = 512  # what a picture is shrunk to
PICTURE_FORMATS = ("PNG", "JPEG")
IMAGE_FORMATS = (*PICTURE_FORMATS, "BMP", "WEBP")  # of a data set
SETS = ("train", "val", "test")
SET_NAMES = {
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "validering": "val",
    "test": "test", "testing": "test",
    "train": "train", "training": "train", "trening": "train",
}  # fmt: skip


def count_values(text: str) -> int:
    """Upper bound of the values in a text, whatever its format: each costs a reader far more memory than its letters.

    Raises ValueError where there are more than any table of results has.
    """
    values = sum(text.count(mark) for mark in ",;[{\t\n ")
    if values > TEXT_VALUES:
        raise ValueError(f"holds about {values} values, expected at most {TEXT_VALUES}")
    return values


def read_text(path: Path) -> str:
    """Text of a file, at most 16 MiB and 3 million values: UTF-8, UTF-16 with a BOM, else Latin-1 (Excel's)."""
    size = path.stat().st_size
    if size > TEXT_BYTES:
        raise ValueError(f"is {size} bytes large, expected at most {TEXT_BYTES}")
    content = path.read_bytes()
    utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if utf16 else ["utf-8-sig", "latin-1"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise ValueError("holds NUL bytes: it is not text")
        count_values(text)
        return text
    raise ValueError("is not text in UTF-8, UTF-16 or Latin-1")


def read_json(path: Path) -> Any:
    """A JSON document; NaN and Infinity come as floats and are left to the checks to find. Raises ValueError."""
    return parse_json(read_text(path))


def parse_json(text: str, lines: bool = False) -> Any:
    """As `read_json`, from the text itself; `lines`: the list of its lines, each a document."""
    try:
        if lines:
            return [json.loads(line, parse_int=_integer) for line in text.splitlines() if line.strip()]
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise ValueError("is nested too deeply for a table of results") from None


def parse_lists(text: str) -> dict[str, list[str]]:
    """name -> texts, of a YAML file: 'name:' at the margin and lines '- text' below it; no more of YAML."""
    found: dict[str, list[str]] = {}
    below: list[str] | None = None
    for line in text.splitlines():
        inner = line.strip()
        if inner.startswith("- "):
            if below is not None:
                below.append(inner[2:].strip().strip("\"'"))
        elif inner and not inner.startswith("#"):
            alone = inner.endswith(":") and not line[:1].isspace()
            below = found.setdefault(inner[:-1].strip("\"'"), []) if alone else None
    return {name: values for name, values in found.items() if values}


def _integer(digits: str) -> int | float:
    # CVE-2020-10735: conversion of long digit strings is quadratic; no figure here has more than 18 digits.
    return int(digits) if len(digits) <= 18 else float(digits)


def parse_npy(file: Any, size: int, kinds: str = "fiu") -> np.ndarray:
    """The array of an open .npy file of `size` bytes, of one of numpy's dtype kinds; read-only.

    Raises ValueError for pickled objects, and for claims larger than what is there or than 256 MiB.
    """
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"is of .npy version {version}, expected 1.0 or 2.0")
        shape, order, dtype = readers[version](file)
    except Exception as error:  # the header is a Python expression: numpy's reader fails in many ways
        raise ValueError(f"is not a .npy array ({' '.join(str(error).split())[:120]})") from None
    if dtype.hasobject:
        raise ValueError(
            "holds pickled Python objects, which are never opened; save plain numbers with numpy.save"
        )
    if dtype.kind not in kinds:
        raise ValueError(f"holds {dtype}, expected real numbers")
    if any(type(extent) is not int or extent < 0 for extent in shape):
        raise ValueError(f"claims the shape {str(shape)[:80]}, expected whole numbers of 0 or more")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > ARRAY_BYTES or claimed > size:
        raise ValueError(f"claims {claimed} bytes of numbers, the file has {size}")
    content = file.read(claimed)
    if len(content) != claimed:
        raise ValueError(f"claims {claimed} bytes of numbers, {len(content)} are there")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if order else "C")


def last_two_parts(path: str) -> str:
    """'C:\\\\Users\\\\me\\\\data\\\\sea\\\\1.jpg' -> 'sea/1.jpg': what is the same on every machine."""
    return "/".join(path.replace("\\", "/").rstrip("/").split("/")[-2:])


def is_absolute(path: str) -> bool:
    """Whether a path names a place on one machine: '/home/...', 'C:\\\\...', '~/...', '../...'."""
    path = path.replace("\\", "/")
    return path.startswith(("/", "~", "../")) or path[1:3] == ":/" or "/../" in path


def read_picture(
    file: Path | IO[bytes], most: int = PICTURE_PIXELS, side: int = SIDE
) -> tuple[np.ndarray, int]:
    """A PNG or JPEG as uint8 (H, W, 3) on white, shrunk to `side` px, and how many pixels it has.

    More than `most`, or than 64 million, are refused before decoding. No other format is tried: some are read by
    starting a program. Raises ValueError.
    """
    most = min(most, PICTURE_PIXELS)
    try:
        with Image.open(file, formats=PICTURE_FORMATS) as picture:
            width, height = picture.size
            pixels = _on_white(picture, side) if width * height <= most else None
    except MemoryError:
        raise
    except Exception as error:  # a damaged picture makes its reader fail in any way
        raise ValueError(f"is not a readable picture ({str(error) or type(error).__name__})") from None
    if pixels is None:
        raise ValueError(f"has {width} x {height} pixels, expected at most {most} in all")
    return pixels, width * height


def _on_white(picture: Image.Image, side: int) -> np.ndarray:
    picture.draft("RGB", (side, side))
    if "A" in picture.getbands() or "transparency" in picture.info:
        shrunk = picture.convert("RGBA")
        shrunk.thumbnail((side, side))
        seen = Image.new("RGB", shrunk.size, "white")
        seen.paste(shrunk, mask=shrunk.getchannel("A"))
    else:
        seen = picture.copy() if picture.mode == "L" else picture.convert("RGB")
        seen.thumbnail((side, side))
    return np.asarray(seen.convert("RGB"))


def finite(value: Any) -> float | None:
    """A finite real number, or None: NaN, infinity, text, True and containers are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
