"""The files of a folder that was handed in: which of them count, and what they are together."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from itertools import chain
from pathlib import Path

FILES = 20_000
RUBBISH = {  # that systems and tools leave behind: nobody means to hand it in
    "__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", "__pycache__", ".ipynb_checkpoints", ".venv", "venv",
    "site-packages", "node_modules",
}  # fmt: skip


def walk(folder: Path, suffixes: tuple[str, ...] = ()) -> list[str]:
    """Regular files below a folder as sorted POSIX paths; links, hidden folders and tools' rubbish are left out."""
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in RUBBISH and not f.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if name in RUBBISH or name.startswith("._") or (suffixes and path.suffix not in suffixes):
                continue
            if path.is_symlink() or not path.is_file():
                continue
            found.append(path.relative_to(folder).as_posix())
            if len(found) >= FILES:
                return found
    return sorted(found)


def digest_of(place: Path) -> str:
    """SHA-256 of a file, or over the names and contents of all files of a folder, rubbish included; raises OSError.

    A link counts as where it leads in the end: what it leads to, if inside, has its content in the digest already.
    """
    if place.is_file():
        with place.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    total = hashlib.sha256()
    found = [
        Path(folder, name) for folder, *names in os.walk(place, onerror=_refuse) for name in chain(*names)
    ]
    for file in sorted(f for f in found if f.is_symlink() or f.is_file()):
        total.update(os.fsencode(file.relative_to(place).as_posix()) + b"\0")
        if file.is_symlink():
            total.update(b"\0" + hashlib.sha256(os.fsencode(_end_of(file, place.resolve()))).digest())
        else:
            total.update(bytes.fromhex(digest_of(file)))
    return total.hexdigest()


def _end_of(link: Path, place: Path) -> str:
    """Where a link leads, from `place`; for one that leads outside, nowhere or in a circle, what stands in it."""
    with suppress(OSError, RuntimeError, ValueError):
        return link.resolve(strict=True).relative_to(place).as_posix()
    return f"/{link.readlink()}"


def _refuse(error: OSError) -> None:
    raise error
