"""Take in what was handed in: a folder as it is, what is packed in a private folder for as long as needed."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from in4310.errors import InputError, NotJudged
from in4310.shown import shown
from in4310.submission.archives import unpack, unpack_within
from in4310.submission.closed import closed
from in4310.submission.containers import is_named_packed, without_suffix
from in4310.submission.files import RUBBISH, everything, put_at, walk
from in4310.submission.opening import opener_of
from in4310.submission.pieces import KINDS
from in4310.submission.sandbox.worker import Sandbox
from in4310.submission.unpacked_weights import is_unpacked
from in4310.temporary import ours

WRAPPINGS = 8  # folders around a submission
PLACES = {place for kind in KINDS.values() for place in kind.places}
DOCUMENTS = {".pdf", ".html", ".docx"}  # that are handed in apart, and in the archive once more
KNOWN = {*PLACES, "submission.toml"}  # at the top of a submission these names mean something


@dataclass(frozen=True)
class Taken:
    """A folder to judge, the name to call it by, and what was left out while unpacking."""

    folder: Path
    name: str
    notes: tuple[str, ...] = ()


def _innermost(folder: Path) -> Path:
    """The folder that holds the files, where one folder is all that another one holds: 'oblig1.zip/oblig1/...'."""
    for _ in range(WRAPPINGS):
        items = [i for i in folder.iterdir() if i.name not in RUBBISH and not i.name.startswith(".")]
        if len(items) != 1 or items[0].is_symlink() or not items[0].is_dir() or items[0].name in PLACES:
            break
        folder = items[0]
    return folder


@contextmanager
def take_in(path: Path, sandbox: Sandbox | None = None) -> Iterator[Taken]:
    """The folder of a submission, for as long as the context lasts. Raises InputError for anything else.

    Archives in a folder are unpacked in a copy of it, as if they had been before. `sandbox`: whose children read
    archives, where they can be confined; else this process does.
    """
    if path.is_dir():
        files = _files(path)
        if not any(is_named_packed(Path(f).name) or is_unpacked(path / f) or closed(path / f) for f in files):
            yield Taken(_innermost(path), path.resolve().name)
            return
    elif not path.is_file():
        raise InputError(f"{shown(str(path))}: expected a submission (folder, zip or tar.gz), found nothing")
    home = Path(tempfile.mkdtemp(prefix=ours("intake")))
    try:
        if path.is_dir():
            copy = home / "submission"
            _copy(path, files, copy)
            unpacked = unpack_within(copy, opener=opener_of(sandbox))
            name = path.resolve().name
        else:
            unpacked = unpack(path, home / "submission", opener=opener_of(sandbox))
            bare = without_suffix(path.name)
            name = shown(path.name if bare is None else bare)
        _put_beside(unpacked.folder, unpacked.inner)
        yield Taken(_innermost(unpacked.folder), name, unpacked.notes)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _files(folder: Path) -> list[str]:
    try:
        everything(folder)
    except OSError as error:
        raise InputError(f"{shown(str(folder))}: cannot be read ({error.strerror or error})") from None
    return walk(folder)


def _copy(folder: Path, files: Iterable[str], copy: Path) -> None:
    """The files of a folder in another one, as hard links where the system has them: none of them is written to."""
    copy.mkdir()
    try:
        for file in files:
            place = copy / file
            place.parent.mkdir(parents=True, exist_ok=True)
            put_at(folder / file, place)
    except OSError as error:
        raise NotJudged(f"{shown(folder.name)}: cannot be copied ({error.strerror or error})") from error


def _put_beside(folder: Path, inner: Iterable[Path]) -> None:
    """What archives held, beside what lay beside them: where a name at the top of a submission means something.

    A file that lies there already stays; of two documents with the same name and bytes one is enough.
    """
    folders = [p for p in inner if p.is_dir()]
    for place in reversed(folders):  # what lies inside comes first
        target, held = place.parent, _innermost(place)
        tops = {_innermost(p) for p in (folder, *folders) if p.is_dir() and p != place}
        known = not KNOWN.isdisjoint(i.name for i in held.iterdir())
        if known and target in tops and place.name not in PLACES:
            _move_up(place, held)
            continue
        for file in held.iterdir():
            if file.suffix.lower() in DOCUMENTS and _same(file, target / file.name):
                file.unlink()


def _move_up(place: Path, held: Path) -> None:
    """Move what a folder holds into the one around it, except what has the name of another file there."""
    target = place.parent
    aside = Path(tempfile.mkdtemp(dir=target, prefix="."))  # out of the way of a file in it that has its name
    moved = held.rename(aside / "held")
    shutil.rmtree(place, ignore_errors=True)  # the folders around it, and rubbish
    for item in sorted(moved.iterdir()):
        there = target / item.name
        if not os.path.lexists(there):
            item.rename(there)
        elif _same(item, there):
            item.unlink()
    if any(moved.iterdir()):
        free = not os.path.lexists(place)
        moved.rename(place if free else tempfile.mkdtemp(dir=target, prefix="rest-"))
    shutil.rmtree(aside)


def _same(file: Path, other: Path) -> bool:
    return file.is_file() and other.is_file() and filecmp.cmp(file, other, shallow=False)
