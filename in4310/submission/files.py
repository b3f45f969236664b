"""The files of a folder that was handed in: which of them count, and what they are together."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

FILES = 20_000
BYTES = 2**34  # of a hand-in that is given as a folder; an archive has a fourth
DEPTH = 100  # of folders in each other; an archive has at most 24
RUBBISH = {  # that systems and tools leave behind: nobody means to hand it in
    "__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", "__pycache__", ".ipynb_checkpoints", ".venv", "venv",
    "site-packages", "node_modules", ".svn", ".hg", ".tox", ".nox", ".idea", ".vscode", ".cache", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".Trashes", ".Spotlight-V100", ".fseventsd", "Icon\r",
}  # fmt: skip


def is_rubbish(name: str) -> bool:
    """Whether a file or folder of this name is one that systems and tools leave behind."""
    return name in RUBBISH or name.startswith("._")


def put_at(file: Path, place: Path) -> None:
    """A file at another place, too: a hard link where the system has them, else a copy. Raises OSError."""
    try:
        os.link(file, place)
    except OSError:  # another disk, another owner
        shutil.copyfile(file, place)


def walk(folder: Path, suffixes: tuple[str, ...] = ()) -> list[str]:
    """Regular files below a folder as sorted POSIX paths; links, hidden folders and tools' rubbish are left out."""
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        deep = _depth(root, folder) >= DEPTH
        folders[:] = [] if deep else sorted(f for f in folders if f not in RUBBISH and not f.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if is_rubbish(name) or (suffixes and path.suffix not in suffixes):
                continue
            if path.is_symlink() or not path.is_file():
                continue
            found.append(path.relative_to(folder).as_posix())
            if len(found) >= FILES:
                return found
    return sorted(found)


def everything(folder: Path) -> list[Path]:
    """All files and links below a folder, rubbish included, sorted; no link is followed.

    Raises OSError where a folder cannot be read, and where there is more than can be read in bounded time.
    """
    found: list[Path] = []
    size = 0
    for root, folders, files in os.walk(folder, onerror=_refuse):
        if _depth(root, folder) > DEPTH:  # deeper ones have no path, and no walk ends
            raise OSError(errno.ENAMETOOLONG, f"folders lie more than {DEPTH} deep in each other")
        for file in (Path(root, name) for name in (*folders, *files)):
            if file.is_symlink() or file.is_file():
                found.append(file)
                size += file.lstat().st_size
        _require_size(size)
    return sorted(found)


def digest_of(place: Path) -> str:
    """SHA-256 of a file, or over the names and contents of all files of a folder, rubbish included; raises OSError.

    A link counts as where it leads in the end: what it leads to, if inside, has its content in the digest already.
    """
    if place.is_file():
        _require_size(place.stat().st_size)
        with place.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    total = hashlib.sha256()
    for file in everything(place):
        total.update(os.fsencode(file.relative_to(place).as_posix()) + b"\0")
        if file.is_symlink():
            total.update(b"\0" + hashlib.sha256(os.fsencode(_end_of(file, place.resolve()))).digest())
        else:
            total.update(bytes.fromhex(digest_of(file)))
    return total.hexdigest()


def _depth(root: str, folder: Path) -> int:
    return len(Path(root).parts) - len(folder.parts)


def _require_size(size: int) -> None:
    if size > BYTES:  # a terabyte of holes takes no room
        raise OSError(errno.EFBIG, f"holds more than {BYTES >> 30} GiB")


def _end_of(link: Path, place: Path) -> str:
    """Where a link leads, from `place`; for one that leads outside, nowhere or in a circle, what stands in it."""
    with suppress(OSError, RuntimeError, ValueError):
        return link.resolve(strict=True).relative_to(place).as_posix()
    return f"/{link.readlink()}"


def _refuse(error: OSError) -> None:
    raise error


MANIFEST = "submission.toml"
_AGAIN = re.compile(
    r"submission( ?\(\d{1,3}\)|-\d{1,3})\.toml"
)  # as course systems and browsers number a further upload


def manifest_in(folder: Path) -> tuple[str, str]:
    """(name of the file that is submission.toml, what a further upload put behind names); the file may not be there."""
    if not (folder / MANIFEST).is_file():
        found = [
            m for file in sorted(folder.iterdir()) if (m := _AGAIN.fullmatch(file.name)) and file.is_file()
        ]
        if len(found) == 1:
            return found[0][0], found[0][1]
    return MANIFEST, ""
