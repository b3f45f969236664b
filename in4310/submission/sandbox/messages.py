"""What judge and worker say to each other: JSON and raw arrays, every size looked at before anything is allocated.

A message: 8 bytes length of the header, the header (JSON: nonce, document, list of [name, dtype, shape]), then the
bytes of the arrays one after the other. Before it there may be notes, each 8 bytes NOTE + length, and a name: what the
worker has begun to read. Never pickle; whatever a worker sends is data of a stranger.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

HEADER_BYTES = 16 * 2**20
VALUES = 2_000_000  # commas and brackets of a header: `[],` is three bytes, and 64 bytes in memory
ARRAYS = 20_000
DTYPES = {"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"}
DEPTH = 32
NOTE, NOTE_BYTES, NOTES = 1 << 63, 4096, 1 << 18  # 20000 files, each looked at for a few pieces


class BadMessage(ValueError):
    """Bytes that are no message, or that claim more than they may."""


@dataclass(frozen=True)
class Message:
    """A nonce that ties an answer to its question, a JSON document, and arrays by name."""

    nonce: str
    document: Any
    arrays: Mapping[str, np.ndarray]


def encode(message: Message) -> list[bytes | memoryview]:
    """The parts of a message, to be sent one after the other. Raises BadMessage for arrays that cannot be sent."""
    shapes, parts = [], []
    for name, array in message.arrays.items():
        # A subclass may answer differently each time it is asked: only the plain numbers go on.
        base = np.asarray(array)
        plain = (
            np.ascontiguousarray(base).astype(base.dtype.newbyteorder("<"), copy=False).reshape(base.shape)
        )
        if plain.dtype.str not in DTYPES:
            raise BadMessage(f"array {str(name)[:80]!r} holds {plain.dtype}, expected plain numbers")
        shapes.append([str(name), plain.dtype.str, list(plain.shape)])
        parts.append(memoryview(plain.reshape(-1).view(np.uint8).data) if plain.size else memoryview(b""))
    try:
        header = json.dumps(
            {"nonce": message.nonce, "document": message.document, "arrays": shapes}, allow_nan=False
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadMessage(f"is not JSON ({str(error)[:120]})") from None
    if len(header) > HEADER_BYTES:
        raise BadMessage(f"a document of {len(header)} bytes, expected at most {HEADER_BYTES}")
    return [struct.pack("<Q", len(header)), header, *parts]


def note(name: str) -> bytes:
    """A note, to be sent before a message."""
    raw = os.fsencode(name)[:NOTE_BYTES]
    return struct.pack("<Q", NOTE + len(raw)) + raw


def decode(
    read: Callable[[int], bytes | bytearray | memoryview],
    limit: int,
    strict: bool = True,
    noted: Callable[[str], None] = lambda name: None,
) -> Message:
    """Read one message with `read(n)`, which returns exactly n bytes. `limit`: bytes of all arrays together.

    `noted` is told the notes before it.

    Raises BadMessage for anything that is not a message within the bounds: numbers that are not finite, nesting beyond
    DEPTH, and where `strict`, texts with lone surrogates, which no report could be written with. Arrays may hold NaN.
    """
    notes = size = 0
    while (length := struct.unpack("<Q", read(8))[0]) >= NOTE:
        notes, size = notes + 1, size + length - NOTE
        if length > NOTE + NOTE_BYTES or notes > NOTES or size > HEADER_BYTES:
            raise BadMessage("has more or longer notes than there are files")
        noted(os.fsdecode(bytes(read(length - NOTE))))
    if length > HEADER_BYTES:
        raise BadMessage(f"claims a header of {length} bytes, expected at most {HEADER_BYTES}")
    raw = bytes(read(length))
    if listed(raw) > VALUES:
        raise BadMessage(f"lists more than {VALUES} values")
    try:
        header = json.loads(raw, parse_constant=_refuse, parse_int=_integer, parse_float=_real)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"has a header that is not JSON ({str(error)[:80]})") from None
    if type(header) is not dict or set(header) != {"nonce", "document", "arrays"}:
        raise BadMessage("has a header with other fields than nonce, document and arrays")
    if (
        type(header["nonce"]) is not str
        or type(header["arrays"]) is not list
        or len(header["arrays"]) > ARRAYS
    ):
        raise BadMessage("has a header with fields of the wrong kind")
    _walk(header["document"], strict)
    planned, total = [], 0
    for entry in header["arrays"]:
        name, dtype, shape, size = plan(entry)
        _walk(name, strict)
        total += size
        if total > limit:
            raise BadMessage(f"claims {total} bytes of arrays, expected at most {limit}")
        planned.append((name, dtype, shape, size))
    if len({name for name, *_ in planned}) < len(planned):
        raise BadMessage("lists two arrays of one name")
    arrays = {name: array(read(size) if size else b"", dtype, shape) for name, dtype, shape, size in planned}
    return Message(header["nonce"], header["document"], arrays)


def listed(raw: bytes) -> int:
    """Upper bound of the values in JSON."""
    return sum(raw.count(mark) for mark in (b"[", b"{", b","))


def plan(entry: Any) -> tuple[str, str, tuple[int, ...], int]:
    """Name, dtype, shape and bytes of an array, from [name, dtype, shape]. Raises BadMessage."""
    if type(entry) is not list or len(entry) != 3:
        raise BadMessage("lists an array in another form than name, dtype, shape")
    name, dtype, shape = entry
    if type(name) is not str or type(dtype) is not str or dtype not in DTYPES:
        raise BadMessage("lists an array of an unknown kind")
    if type(shape) is not list or len(shape) > 8 or any(type(n) is not int or n < 0 for n in shape):
        raise BadMessage(f"lists an array of shape {str(shape)[:80]}")
    if math.prod(max(n, 1) for n in shape) > 2**56:  # numpy refuses these even where one extent is 0
        raise BadMessage(f"lists an array of shape {str(shape)[:80]}")
    return name, dtype, tuple(shape), math.prod(shape) * np.dtype(dtype).itemsize


def array(raw: bytes | bytearray | memoryview, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of a plan, in the memory of its bytes."""
    if not raw:
        return np.empty(shape, dtype)
    if dtype == "|b1":  # a byte of 2 is a truth value that equals neither True nor False
        return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)
    return np.frombuffer(raw, dtype).reshape(shape)


def _walk(document: Any, strict: bool) -> None:
    """Look at every value, without recursion: a reader that recurses must be able to rely on DEPTH."""
    level, depth = [document], 0
    while level:
        if depth > DEPTH:
            raise BadMessage("is nested too deeply")
        below: list[Any] = []
        for value in level:
            if type(value) is dict:
                below += value.keys()
                below += value.values()
            elif type(value) is list:
                below += value
            elif strict and type(value) is str and not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise BadMessage("holds a text that is not Unicode") from None
        level, depth = below, depth + 1


def _refuse(token: str) -> float:
    raise ValueError(f"{token[:40]} is not a finite number")


def _real(digits: str) -> float:
    number = float(digits) if len(digits) <= 400 else math.inf
    return number if math.isfinite(number) else _refuse(digits)  # 1e999 is infinity


def _integer(digits: str) -> int | float:
    # CVE-2020-10735: long digit strings take quadratic time. Up to 18 digits fit an int64.
    return int(digits) if len(digits) <= 18 else _real(digits)
