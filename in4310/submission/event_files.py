"""TensorBoard's event files: the scalars that a run wrote, and nothing else of them.

A file is a row of records, each a length, its checksum, an Event and its checksum. Of an Event (a protocol buffer) the
step and the summary's values are read; pictures, graphs and histograms are passed over. What is read are numbers that
the checks doubt as any others: checksums are not computed, and a record cut off in the middle ends the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

RECORD_BYTES = 64 * 1024  # of a record of scalars; larger ones hold pictures or graphs
SCALARS = 200_000
Scalar = tuple[float, str, float]  # step, tag, value
Field = tuple[int, int, bytes]  # number, varint or 0, bytes
_NUMBERS = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # TensorProto.dtype -> struct's
_FIELDS = {5: "<f", 6: "<d"}  # TensorProto.float_val, double_val


def read_scalars(path: Path) -> list[Scalar]:
    """(step, tag, value) in the order written. Raises ValueError where no record is whole."""
    found: list[Scalar] = []
    with path.open("rb") as file:
        size = path.stat().st_size
        begun = False
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack_from("<Q", head)
            if file.tell() + length + 4 > size:
                break
            begun = True
            if length > RECORD_BYTES:
                file.seek(length + 4, 1)
                continue
            found += _scalars(file.read(length))
            file.seek(4, 1)
            if len(found) > SCALARS:
                raise ValueError(f"holds more than {SCALARS} scalars; log them once an epoch")
    if not begun:
        raise ValueError("is not an event file of TensorBoard, or is cut off in its first record")
    return found


def _scalars(event: bytes) -> Iterator[Scalar]:
    step, summaries = 0, []
    for number, value, content in _fields(event):
        if number == 2:
            step = value
        elif number == 5:
            summaries.append(content)
    for summary in summaries:
        for number, _, content in _fields(summary):
            if number == 1 and (scalar := _value(content)):
                yield float(step), *scalar


def _value(content: bytes) -> tuple[str, float] | None:
    tag, found = "", None
    for number, _, inner in _fields(content):
        if number == 1:
            tag = inner.decode("utf-8", "replace")
        elif number == 2 and len(inner) == 4:
            (found,) = struct.unpack("<f", inner)
        elif number == 8:
            found = _of_tensor(inner)
    return (tag, float(found)) if found is not None else None


def _of_tensor(content: bytes) -> float | None:
    """The number of a tensor of one; None for any other."""
    form, held = "", b""
    for number, value, inner in _fields(content):
        if number == 1:
            form = form or _NUMBERS.get(value, "")
        elif number == 4:
            held = inner
        elif number in _FIELDS:
            form, held = _FIELDS[number], inner
    return struct.unpack(form, held)[0] if form and len(held) == struct.calcsize(form) else None


def _fields(message: bytes) -> Iterator[Field]:
    """The fields of a protocol buffer. Raises ValueError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        value, content = 0, b""
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 5, 2):
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, at = _varint(message, at)
            content, at = message[at : at + length], at + length
        if kind not in (0, 1, 2, 5) or at > len(message):
            raise ValueError("holds a record that is no event")
        yield key >> 3, value, content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise ValueError("holds a record that is no event")
