"""Unpack what was handed in: zip, tar, tar.gz, tar.bz2 and archives inside them, into plain files and folders.

The standard library parses the headers; every byte is copied by our own bounded loop, and no size, name or type that a
header states is believed. Left out, and noted: links, devices, names that lead outside, names that would collide.
"""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from in4310.errors import InputError, NotJudged
from in4310.shown import shown
from in4310.submission.containers import DAMAGED, SUFFIXES, Entry, Opener, opened_here
from in4310.submission.files import RUBBISH

CHUNK = 1 << 20
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}
NOTES = 50


@dataclass(frozen=True)
class Bounds:
    """What an archive may come to; `ratio`: bytes out for each byte of the archive, looked at beyond 64 MiB."""

    entries: int = 20_000
    total_bytes: int = 4 * 2**30
    file_bytes: int = 2 * 2**30
    ratio: int = 200
    depth: int = 3
    path_parts: int = 24
    name_bytes: int = 255
    nested: bool = True  # archives inside are unpacked, too,
    archives: int = 50  # so many of them


@dataclass(frozen=True)
class Unpacked:
    """Where the files are, and what was left out or unpacked inside what, one safe line each."""

    folder: Path
    notes: tuple[str, ...] = ()


@dataclass
class _Run:
    """Counters over an archive and all archives inside it."""

    archive: str  # its name, safe to show
    bounds: Bounds
    packed: int
    opener: Opener
    entries: int = 0
    archives: int = 0
    out: int = 0
    rubbish: int = 0
    notes: list[str] = field(default_factory=list)

    def refuse(self, why: str) -> InputError:
        return InputError(f"{self.archive}: {why}; hand in an archive of your own files only")

    def count_entry(self) -> None:
        self.entries += 1
        if self.entries > self.bounds.entries:
            raise self.refuse(f"expected at most {self.bounds.entries} files, found more")

    def count_bytes(self, count: int) -> None:
        self.out += count
        if self.out > self.bounds.total_bytes:
            raise self.refuse(f"expected at most {self.bounds.total_bytes} bytes unpacked, found more")
        if self.out > 64 * 2**20 and self.out > self.bounds.ratio * self.packed:
            raise self.refuse(f"unpacks to more than {self.bounds.ratio} times its size")


def unpack(archive: Path, target: Path, bounds: Bounds = Bounds(), opener: Opener = opened_here) -> Unpacked:
    """Unpack an archive into the new folder `target`, aside and then renamed; returns the folder of the files.

    A single folder at the top is entered. `opener`: who reads it, by default this process.

    Raises InputError, one line with the way out, for damaged, encrypted, empty
    and oversized archives, and when the disk is full; then nothing is left behind.
    """
    if target.exists() and any(target.iterdir()):
        raise InputError(
            f"{target}: expected a new or empty folder to unpack into, found files; choose another"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    run = _Run(shown(archive.name), bounds, max(1, archive.stat().st_size), opener)
    aside = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with opener(archive, bounds.total_bytes) as entries:
            if entries is None:
                raise InputError(
                    f"{run.archive}: expected a submission folder or an archive (zip, tar, tar.gz), found another file"
                )
            written = _fill(entries, aside, run)
        _unpack_inside(written, run, 1)
        if not any(p.is_file() for p in aside.rglob("*")):
            raise InputError(
                f"{run.archive}: expected files, found an empty archive; pack your submission again"
            )
        if target.exists():
            target.rmdir()
        aside.rename(target)
        target.chmod(0o755)
    except OSError as error:
        raise NotJudged(
            f"{target}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if run.rubbish:
        found = f"{run.rubbish} files that systems and tools leave (__MACOSX, .DS_Store and the like)"
        run.notes.append(f"left out: {found}")
    more = [f"and {len(run.notes) - NOTES} more"] if len(run.notes) > NOTES else []
    return Unpacked(_single_folder(target), (*run.notes[:NOTES], *more))


def _single_folder(folder: Path) -> Path:
    inside = list(folder.iterdir())
    return _single_folder(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder


def _fill(entries: Iterator[Entry], target: Path, run: _Run) -> list[Path]:
    """Copy the entries of an archive into a folder; returns the files that were written."""
    taken: dict[str, str] = {}
    written: list[Path] = []
    for entry in entries:
        run.count_entry()
        parts, why = _safe_parts(entry, run.bounds)
        if why == "rubbish":
            run.rubbish += 1
            continue
        if not why and not entry.folder:
            why = _claim(parts, taken)
        if why:
            run.notes.append(f"left out: {shown(repr(entry.name)[1:-1])}: {why}")
            continue
        place = target.joinpath(*parts)
        if entry.folder:
            # A file of that name may have come first: it is kept.
            with suppress(FileExistsError, NotADirectoryError):
                place.mkdir(parents=True, exist_ok=True)
            continue
        if not _make_parents(place):
            run.notes.append(f"left out: {shown(entry.name)}: lies inside a file of the same name")
            continue
        if _copy(entry, place, run):
            written.append(place)
    return written


def _unpack_inside(files: Iterable[Path], run: _Run, depth: int) -> None:
    for place in files if run.bounds.nested else ():
        if place.name.lower().endswith(SUFFIXES):
            _unpack_nested(place, run, depth)


def _unpack_nested(place: Path, run: _Run, depth: int) -> None:
    run.archives += 1
    if run.archives > run.bounds.archives:
        run.notes.append(f"left packed: {shown(place.name)}: more than {run.bounds.archives} archives inside")
        return
    inner: Path | None = None
    try:
        with run.opener(place, run.bounds.total_bytes) as entries:
            if entries is None:
                return
            if depth >= run.bounds.depth:
                raise run.refuse(f"archives lie more than {run.bounds.depth} deep in each other")
            inner = _beside(place)
            if inner is None:
                run.notes.append(f"left out: {shown(place.name)}: a folder of that name is there already")
                return
            inner.mkdir()
            written = _fill(entries, inner, run)
        _unpack_inside(written, run, depth + 1)
    except InputError as error:
        spent = run.out > run.bounds.total_bytes or run.entries > run.bounds.entries
        if spent or isinstance(error, NotJudged) or "deep" in str(error) or "times" in str(error):
            raise
        run.notes.append(f"left packed: {shown(place.name)}: {shown(str(error))}")
        return
    run.notes.append(f"unpacked inside: {shown(place.name)}")
    place.unlink()


def _beside(place: Path) -> Path | None:
    """The folder for what is inside an archive; None where both names for it are taken."""
    name = next(place.name[: -len(s)] for s in SUFFIXES if place.name.lower().endswith(s)) or "archive"
    names = (place.with_name(name), place.with_name(f"{name} (unpacked)"))
    return next((inner for inner in names if not inner.exists()), None)


def _make_parents(place: Path) -> bool:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not place.is_dir()


def _claim(parts: list[str], taken: dict[str, str]) -> str:
    """Why a name may not be used: another file has it already, in this or another spelling; '' when it may."""
    folded = unicodedata.normalize("NFC", "/".join(parts)).casefold()
    if folded in taken:
        return f"the name is taken by {shown(taken[folded])}"
    taken[folded] = "/".join(parts)
    return ""


def _safe_parts(entry: Entry, bounds: Bounds) -> tuple[list[str], str]:
    """The parts of an entry's path, and why it is left out ('' when it is not)."""
    name = entry.name.replace("\\", "/")
    parts = [p for p in name.split("/") if p not in ("", ".")]
    if any(p in RUBBISH or p.startswith("._") for p in parts):
        return parts, "rubbish"
    why = entry.problem
    sizes = [len(p.encode("utf-8", "surrogatepass")) for p in parts]
    if not parts:
        why = why or "has no name"
    elif name.startswith("/") or (len(name) > 1 and name[1] == ":") or ".." in parts:
        why = "leads outside the archive"
    elif any(ord(ch) < 32 or 0xD800 <= ord(ch) < 0xE000 for p in parts for ch in p):
        why = why or "has control characters in its name"
    elif any(p.split(".")[0].lower() in RESERVED or p != p.rstrip(". ") for p in parts):
        why = why or "has a name that some systems reserve"
    elif len(parts) > bounds.path_parts or max(sizes) > bounds.name_bytes or sum(sizes) + len(sizes) > 1000:
        why = why or "has a name that is too long or too deep"
    return parts, why


def wanted(entry: Entry) -> bool:
    """Whether a file of an archive is unpacked, unless its name is taken."""
    return not _safe_parts(entry, Bounds())[1]


def _copy(entry: Entry, place: Path, run: _Run) -> bool:
    """Copy an entry's bytes, counted as they come; a damaged one is left out and noted."""
    size = 0
    try:
        with place.open("xb") as file:
            source = entry.open()
            if source is None:
                raise ValueError("no content")
            with source:
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    if size > run.bounds.file_bytes:
                        raise run.refuse(f"{shown(entry.name)} is larger than {run.bounds.file_bytes} bytes")
                    run.count_bytes(len(chunk))
                    file.write(chunk)
    except DAMAGED as error:
        place.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk is full, not the archive damaged
        if "encrypted" in str(error) or "password" in str(error):
            raise InputError(f"{run.archive}: is encrypted; hand it in without a password") from None
        run.notes.append(f"left out: {shown(entry.name)}: damaged ({shown(str(error), 60)})")
        return False
    place.chmod(0o644)
    return True
