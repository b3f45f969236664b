"""What judge and worker say to each other: JSON and raw arrays, every size looked at before anything is allocated.

A message: 8 bytes length of the header, the header (JSON: nonce, document, list of [name, dtype, shape]), then the
bytes of the arrays one after the other. Never pickle; whatever a worker sends is data of a stranger.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

HEADER_BYTES = 32 * 2**20
ARRAYS = 20_000
DTYPES = {"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"}
DEPTH = 32


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
    listed, parts = [], []
    for name, array in message.arrays.items():
        # A subclass may answer differently each time it is asked: only the plain numbers go on.
        base = np.asarray(array)
        plain = (
            np.ascontiguousarray(base).astype(base.dtype.newbyteorder("<"), copy=False).reshape(base.shape)
        )
        if plain.dtype.str not in DTYPES:
            raise BadMessage(f"array {str(name)[:80]!r} holds {plain.dtype}, expected plain numbers")
        listed.append([str(name), plain.dtype.str, list(plain.shape)])
        parts.append(memoryview(plain.reshape(-1).view(np.uint8).data) if plain.size else memoryview(b""))
    try:
        header = json.dumps(
            {"nonce": message.nonce, "document": message.document, "arrays": listed}, allow_nan=False
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadMessage(f"is no JSON ({str(error)[:120]})") from None
    if len(header) > HEADER_BYTES:
        raise BadMessage(f"a document of {len(header)} bytes, expected at most {HEADER_BYTES}")
    return [struct.pack("<Q", len(header)), header, *parts]


def decode(read: Callable[[int], bytes | bytearray], limit: int) -> Message:
    """Read one message with `read(n)`, which returns exactly n bytes. `limit`: bytes of all arrays together.

    Raises BadMessage for anything that is not a message within the bounds.
    """
    (length,) = struct.unpack("<Q", read(8))
    if length > HEADER_BYTES:
        raise BadMessage(f"claims a header of {length} bytes, expected at most {HEADER_BYTES}")
    raw = bytes(read(length))
    if raw.count(b"[") + raw.count(b"{") > 100_000 and _depth(raw) > DEPTH:
        raise BadMessage("is nested too deeply")
    try:
        header = json.loads(raw, parse_constant=_refuse, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"has a header that is no JSON ({str(error)[:80]})") from None
    if type(header) is not dict or set(header) != {"nonce", "document", "arrays"}:
        raise BadMessage("has a header with other fields than nonce, document and arrays")
    if (
        type(header["nonce"]) is not str
        or type(header["arrays"]) is not list
        or len(header["arrays"]) > ARRAYS
    ):
        raise BadMessage("has a header with fields of the wrong kind")
    planned, total = [], 0
    for entry in header["arrays"]:
        name, dtype, shape, size = _planned(entry)
        total += size
        if total > limit:
            raise BadMessage(f"claims {total} bytes of arrays, expected at most {limit}")
        planned.append((name, dtype, shape, size))
    arrays = {}
    for name, dtype, shape, size in planned:
        arrays[name] = np.frombuffer(read(size), np.dtype(dtype)).reshape(shape)
    return Message(header["nonce"], header["document"], arrays)


def _planned(entry: Any) -> tuple[str, str, tuple[int, ...], int]:
    if type(entry) is not list or len(entry) != 3:
        raise BadMessage("lists an array in another form than name, dtype, shape")
    name, dtype, shape = entry
    if type(name) is not str or dtype not in DTYPES or type(shape) is not list or len(shape) > 8:
        raise BadMessage("lists an array of an unknown kind")
    if any(type(n) is not int or n < 0 or n > 2**40 for n in shape):
        raise BadMessage(f"lists an array of shape {str(shape)[:80]}")
    return name, dtype, tuple(shape), math.prod(shape) * np.dtype(dtype).itemsize


def _depth(raw: bytes) -> int:
    depth = most = 0
    for byte in raw:
        depth += (byte in b"[{") - (byte in b"]}")
        most = max(most, depth)
    return most


def _refuse(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


def _integer(digits: str) -> int | float:
    # CVE-2020-10735: long digit strings take quadratic time.
    return int(digits) if len(digits) <= 18 else float(digits)
