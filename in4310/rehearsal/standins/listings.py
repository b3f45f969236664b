"""Listings come in the order of their names, or in one that is none: two rehearsals list alike, on whatever disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from in4310.rehearsal.events import Recorder


class Entries:
    """What `os.scandir` gives, sorted by the key of its names."""

    def __init__(self, entries: Any, key: Callable[[Any], bytes]):
        with entries:
            self._entries = iter(sorted(entries, key=lambda entry: key(entry.name)))

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """It is closed already."""


def stand_in(see: Recorder) -> None:
    """`os.listdir` and `os.scandir`, and so `os.walk`, `glob` and `pathlib`."""
    names, entries = os.listdir, os.scandir
    key = _mixed if see.mixed else os.fsencode
    os.listdir = lambda *given, **named: sorted(names(*given, **named), key=key)  # type: ignore[assignment]
    os.scandir = lambda *given, **named: Entries(entries(*given, **named), key)  # type: ignore[assignment]


def _mixed(name: Any) -> bytes:
    return hashlib.sha256(os.fsencode(name)).digest()
