"""Names of an archive's entries, as others wrote them, made names inside one folder."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from in4310.submission.files import is_rubbish

PARTS = 24  # folders in each other
BYTES = 255  # of one name, as file systems have it
TOTAL = 1000  # bytes of a whole path
DRIVE = re.compile(r"[A-Za-z]:")
# Devices, and letters that a name may not have: there only; elsewhere they are names like others.
ON_WINDOWS = os.name == "nt"
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}
LETTERS = '<>:"|?*' if ON_WINDOWS else ""


@dataclass(frozen=True)
class Name:
    """Parts of a path inside the folder. `original`: what the archive says, by which entries of one name are known."""

    parts: tuple[str, ...]
    original: str
    rubbish: bool = False
    why: str = ""  # it is not taken
    altered: bool = False  # other letters than handed in: worth a note


def inside(name: str) -> Name:
    """An entry's name as one inside a folder: without drive, root, '.', and without spaces and dots at a part's end."""
    given = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    original = "/".join(given)
    if ".." in given:
        return Name((), original, why="leads outside the archive")
    parts = given[1:] if given and DRIVE.fullmatch(given[0]) else given
    ended = [p.rstrip(" .") or "_" for p in parts]
    fit = tuple(_cut(_plain(p)) for p in ended)
    why = ""
    if not fit:
        why = "has no name"
    elif len(fit) > PARTS or len("/".join(fit).encode()) > TOTAL:
        why = "lies in too many folders, or has a name that is too long"
    return Name(fit, original, any(map(is_rubbish, parts)), why, list(fit) != ended)


def _plain(part: str) -> str:
    """Without what is no letter on a screen or in a file system: controls, halves of letters."""
    part = "".join("_" if _strange(ch) else ch for ch in part)
    return f"_{part}" if ON_WINDOWS and part.split(".")[0].lower() in RESERVED else part


def _strange(ch: str) -> bool:
    return ord(ch) < 32 or 0x7F <= ord(ch) < 0xA0 or 0xD800 <= ord(ch) < 0xE000 or ch in LETTERS


def _cut(part: str, end: str = "") -> str:
    """A name with `end` before its suffix, cut in its middle to what a file system has room for."""
    stem, dot, suffix = part.rpartition(".")
    if not stem or len(suffix.encode()) > 20:
        stem, dot, suffix = part, "", ""
    room = BYTES - len(f"{end}{dot}{suffix}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{end}{dot}{suffix}"


@dataclass
class Places:
    """Where entries of one archive go: a place has one name, and what would lie in another one's gets a number."""

    folder: Path
    _names: set[Path] = field(default_factory=set)
    _last: Counter[Path] = field(default_factory=Counter)
    _numbered: dict[tuple[Path, str], Path] = field(default_factory=dict)

    def of(self, name: Name) -> tuple[Path, bool]:
        """Where a file goes, and whether one of exactly this name lies there already."""
        wanted = place = self.folder.joinpath(*name.parts)
        known = self._numbered.get((wanted, name.original))
        if known is not None:
            return known, True
        # One that lies there under another name: for some systems A and a are one.
        while place in self._names or os.path.lexists(place):
            self._last[wanted] += 1
            place = wanted.with_name(_cut(wanted.name, f" ({self._last[wanted] + 1})"))
        self._names.add(place)
        self._numbered[wanted, name.original] = place
        return place, False
