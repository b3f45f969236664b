"""Unpack what was handed in: zip, tar, compressed tar and archives inside them, into plain files and folders.

The standard library parses the headers; every byte is copied by our own bounded loop, and no size, name or type that a
header states is believed. Left out, and noted: links, devices, names that lead outside by '..'.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from in4310.errors import InputError, NotJudged
from in4310.shown import shown
from in4310.submission.closed import ENCRYPTED, closed, is_closed_name
from in4310.submission.containers import (
    DAMAGED,
    Entry,
    Opener,
    begins_as_archive,
    begins_as_weights,
    compressed,
    is_named_packed,
    opened_here,
    without_suffix,
)
from in4310.submission.entry_names import Name, Places, inside
from in4310.submission.unpacked_weights import put_together

CHUNK = 1 << 20
NOTES = 50
LOOKED = 50  # times as many entries as are taken may be looked at: rubbish of tools is no file of a hand-in
PACK_AGAIN = "pack your submission again"
WEIGHTS = ".pth"
PACKED = "left packed: "


class Bomb(InputError):
    """What nobody packs who hands in work: nothing of it is taken, wherever it lies."""


class Large(InputError):
    """More than the bounds allow: refused as a whole, left packed inside other archives, as a data set is."""


@dataclass(frozen=True)
class Bounds:
    """What an archive may come to; `ratio`: bytes out for each byte of the archive, looked at beyond 64 MiB."""

    entries: int = 20_000
    total_bytes: int = 4 * 2**30
    file_bytes: int = 2 * 2**30
    ratio: int = 200
    depth: int = 3
    nested: bool = True  # archives inside are unpacked, too,
    archives: int = 50  # so many of them


@dataclass(frozen=True)
class Unpacked:
    """Where the files are, and what was left out or unpacked inside what, one safe line each.

    `inner`: folders that archives inside became.
    """

    folder: Path
    notes: tuple[str, ...] = ()
    inner: tuple[Path, ...] = ()


@dataclass
class _Run:
    """Counters over an archive and all archives inside it."""

    archive: str  # its name, safe to show
    bounds: Bounds
    packed: int
    opener: Opener
    spare: Path  # where a file is written before it lies where it belongs
    looked: int = 0
    entries: int = 0
    archives: int = 0
    out: int = 0
    rubbish: int = 0
    notes: list[str] = field(default_factory=list)
    inner: list[Path] = field(default_factory=list)

    def refuse(self, why: str, kind: type[InputError] = Bomb) -> InputError:
        return kind(f"{self.archive}: {why}; hand in an archive of your own files only")

    def count_look(self) -> None:
        self.looked += 1
        if self.looked > LOOKED * self.bounds.entries:
            raise self.refuse(f"expected at most {LOOKED * self.bounds.entries} entries, found more")

    def count_entry(self) -> None:
        self.entries += 1
        if self.entries > self.bounds.entries:
            raise self.refuse(f"expected at most {self.bounds.entries} files, found more", Large)

    def count_bytes(self, count: int) -> None:
        self.out += count
        if self.out > self.bounds.total_bytes:
            raise self.refuse(f"expected at most {self.bounds.total_bytes} bytes unpacked, found more", Large)
        if self.out > 64 * 2**20 and self.out > self.bounds.ratio * self.packed:
            raise self.refuse(f"unpacks to more than {self.bounds.ratio} times its size")

    def told(self) -> tuple[str, ...]:
        if self.rubbish:
            found = f"{self.rubbish} files that systems and tools leave (__MACOSX, .DS_Store and the like)"
            self.notes.append(f"left out: {found}")
        more = [f"and {len(self.notes) - NOTES} more"] if len(self.notes) > NOTES else []
        return (*self.notes[:NOTES], *more)


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
    home = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    run = _Run(shown(archive.name), bounds, max(1, archive.stat().st_size), opener, home / "spare")
    aside = home / "files"
    try:
        aside.mkdir()
        with opener(archive, bounds.total_bytes) as entries:
            if entries is None:
                raise InputError(f"{run.archive}: {_no_archive(archive)}")
            written = _fill(entries, aside, run)
        _unpack_inside(written, run, 1)
        _require_files(aside, run)
        run.notes += put_together(aside)
        if target.exists():
            target.rmdir()
        aside.rename(target)
        target.chmod(0o755)
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    inner = tuple(target / folder.relative_to(aside) for folder in run.inner)
    return Unpacked(_single_folder(target), run.told(), inner)


def unpack_within(folder: Path, bounds: Bounds = Bounds(), opener: Opener = opened_here) -> Unpacked:
    """Unpack the archives that lie in a folder, each in its place; what cannot be opened stays, and is noted.

    The folder is one's own, and is altered. The bounds are of all its archives together. Raises InputError as `unpack`.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    packed = [p for p in files if _is_named_archive(p)]
    size = max(1, sum(p.stat().st_size for p in packed))
    home = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    name = shown(packed[0].name) if len(packed) == 1 else "its archives"
    run = _Run(name, bounds, size, opener, home / "spare")
    try:
        _unpack_inside(files, run, 0)
        _require_files(folder, run)
        run.notes += put_together(folder)
    except OSError as error:
        raise _unwritten(folder, error) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Unpacked(folder, run.told(), tuple(run.inner))


def _is_named_archive(place: Path) -> bool:
    """By its name; what is named as another kind, and begins as a zip, is a zip. So is one compressed file."""
    return is_named_packed(place.name) or (is_closed_name(place.name) and begins_as_archive(place))


def _unwritten(place: Path, error: OSError) -> NotJudged:
    why = error.strerror or error
    return NotJudged(f"{place}: cannot be written ({why}); free some space or choose another folder")


def _no_archive(file: Path) -> str:
    if why := closed(file, whole=True):
        return why
    if begins_as_weights(file):
        return "is a weights file of PyTorch; hand in a folder or an archive that holds it, and all other files with it"
    return "expected a submission folder or an archive (zip, tar, tar.gz), found another file"


def _require_files(folder: Path, run: _Run) -> None:
    """Raise InputError where nothing can be read, with the first reason."""
    left = [p for p in folder.rglob("*") if p.is_file()]
    if any(not (_is_named_archive(p) or closed(p)) for p in left) or (left and not run.bounds.nested):
        return
    packed = [note for note in run.notes if note.startswith(PACKED)]
    if left and not packed:  # what is named as an archive, and is none
        return
    if left:
        raise InputError(packed[0].removeprefix(PACKED))
    if run.notes:
        raise InputError(f"{run.archive}: nothing in it could be taken ({run.notes[0]}); {PACK_AGAIN}")
    rubbish = "only files that systems and tools leave" if run.rubbish else "an empty archive"
    raise InputError(f"{run.archive}: expected files, found {rubbish}; {PACK_AGAIN}")


def _single_folder(folder: Path) -> Path:
    inside = list(folder.iterdir())
    return _single_folder(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder


def _fill(entries: Iterator[Entry], target: Path, run: _Run) -> list[Path]:
    """Copy the entries of an archive into a folder; returns the files that were written."""
    places = Places(target)
    written: dict[Path, None] = {}
    for entry in entries:
        run.count_look()
        name = inside(entry.name)
        if name.rubbish:
            run.rubbish += 1
            continue
        run.count_entry()
        if entry.folder and not entry.problem and not name.why:
            # A file of that name may have come first: it is kept.
            with suppress(FileExistsError, NotADirectoryError):
                target.joinpath(*name.parts).mkdir(parents=True, exist_ok=True)
            continue
        if entry.folder and not name.original:
            continue  # './', the folder itself
        if why := name.why or entry.problem:
            run.notes.append(f"left out: {shown(repr(entry.name)[1:-1])}: {why}")
            continue
        if place := _taken(entry, name, places, run):
            written[place] = None
    return list(written)


def _taken(entry: Entry, name: Name, places: Places, run: _Run) -> Path | None:
    """Write one file of an archive where its name says; None where that cannot be."""
    place, again = places.of(name)
    if not _make_parents(place):
        run.notes.append(f"left out: {shown(entry.name)}: lies inside a file of the same name")
        return None
    if not _copy(entry, run):
        return None
    run.spare.replace(place)
    if again:
        run.notes.append(
            f"taken again: {shown(entry.name)}: the archive holds two of this name, the later counts"
        )
    elif name.altered or place.name != name.parts[-1]:
        run.notes.append(
            f"renamed: {shown(repr(entry.name)[1:-1])} to {shown(place.relative_to(places.folder))}"
        )
    return place


def _unpack_inside(files: Iterable[Path], run: _Run, depth: int) -> None:
    # The smallest first: where there is more than is taken, a data set stays packed, and not the work beside it.
    for place in sorted(files, key=lambda p: (p.stat().st_size, p)) if run.bounds.nested else ():
        if why := closed(place):
            run.notes.append(f"{PACKED}{shown(place.name)}: {why}")
        elif _is_named_archive(place):
            _unpack_nested(place, run, depth)


def _unpack_nested(place: Path, run: _Run, depth: int) -> None:
    run.archives += 1
    if run.archives > run.bounds.archives:
        run.notes.append(f"{PACKED}{shown(place.name)}: more than {run.bounds.archives} archives inside")
        return
    inner: Path | None = None
    try:
        with run.opener(place, run.bounds.total_bytes) as entries:
            if entries is None:
                _name_as_weights(place, run)
                return
            if depth >= run.bounds.depth:
                raise run.refuse(f"archives lie more than {run.bounds.depth} deep in each other")
            alone = compressed(place.name)
            target = _beside(place) if alone is None else place.parent
            if target is None or (alone is not None and target.joinpath(alone).exists()):
                what = "folder" if alone is None else "file"
                run.notes.append(f"left out: {shown(place.name)}: a {what} of that name is there already")
                return
            if alone is None:
                inner = target
                inner.mkdir()
                run.inner.append(inner)
            written = _fill(entries, target, run)
        _unpack_inside(written, run, depth + 1)
    except InputError as error:
        if isinstance(error, NotJudged | Bomb):
            raise
        if inner:
            shutil.rmtree(
                inner, ignore_errors=True
            )  # half of it may be misread: a split without its last rows
        named = str(error).startswith(f"{shown(place.name)}: ")
        run.notes.append(f"{PACKED}{'' if named else f'{shown(place.name)}: '}{shown(str(error), 400)}")
        return
    run.notes.append(f"unpacked inside: {shown(place.name)}")
    place.unlink()


def _name_as_weights(place: Path, run: _Run) -> None:
    """Weights that a browser or a system took for a zip get the suffix back by which they are known."""
    named = place.with_suffix("" if place.name.endswith(".pth.tar") else WEIGHTS)
    if begins_as_weights(place) and not named.exists():
        place.rename(named)
        run.notes.append(
            f"renamed: {shown(place.name)} to {shown(named.name)}: it is a weights file of PyTorch"
        )


def _beside(place: Path) -> Path | None:
    """The folder for what is inside an archive; None where both names for it are taken."""
    bare = without_suffix(place.name)
    name = (place.stem if bare is None else bare) or "archive"
    names = (place.with_name(name), place.with_name(f"{name} (unpacked)"))
    return next((inner for inner in names if not inner.exists()), None)


def _make_parents(place: Path) -> bool:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not place.is_dir()


def wanted(entry: Entry) -> bool:
    """Whether a file of an archive is unpacked."""
    name = inside(entry.name)
    return not (name.rubbish or name.why or entry.problem)


def _copy(entry: Entry, run: _Run) -> bool:
    """Copy an entry's bytes to the spare place, counted as they come; a damaged one is left out and noted."""
    size = 0
    try:
        with run.spare.open("wb") as file:
            source = entry.open()
            if source is None:
                raise ValueError("no content")
            with source:
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    if size > run.bounds.file_bytes:
                        raise run.refuse(
                            f"{shown(entry.name)} is larger than {run.bounds.file_bytes} bytes", Large
                        )
                    run.count_bytes(len(chunk))
                    file.write(chunk)
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk is full, not the archive damaged
        if "encrypted" in str(error) or "password" in str(error):
            raise InputError(f"{run.archive}: {ENCRYPTED}") from None
        run.notes.append(f"left out: {shown(entry.name)}: damaged ({shown(str(error), 60)})")
        return False
    run.spare.chmod(0o644)
    return True
