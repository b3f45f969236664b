"""What a student handed in, in one place: an archive, a folder, or loose files that are gathered in one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from in4310.shown import shown
from in4310.submission.closed import closed, is_closed_name, volume_of
from in4310.submission.containers import begins_as_archive, without_suffix
from in4310.submission.files import everything, put_at, walk


def is_packed(file: Path) -> bool:
    """Whether a file is a hand-in by itself: an archive, also of a kind that is not opened: told so, as a row."""
    return begins_as_archive(file) or (file.is_file() and bool(closed(file)))


def further_volumes(items: Sequence[Path]) -> dict[Path, str]:
    """Volumes of split archives but the first of each, which stands for all of them: one student, one row."""
    volumes = {i: volume for i in items if i.is_file() and (volume := volume_of(i.name))}
    first = {stem(i): i for i in items if i.is_file() and i not in volumes}  # kari.zip, beside kari.z01
    for item in sorted(volumes, key=lambda i: (volumes[i][1], i.name)):
        first.setdefault(stem(item), item)
    return {i: f"a volume of {shown(first[stem(i)].name)}" for i in volumes if first[stem(i)] != i}


def inner(folder: Path) -> Path:
    """An archive that is all a student's folder holds, else the folder."""
    if folder.is_file():
        return folder
    files = [folder / file for file in walk(folder)]
    return files[0] if len(files) == 1 and is_packed(files[0]) else folder


def gather(place: Path, files: Sequence[tuple[Path, str]], notes: list[str]) -> None:
    """One folder of loose files; hard links where the system has them. Of two with one name, both are kept."""
    place.mkdir(parents=True, exist_ok=True)
    for item, name in files:
        plain = re.sub(r"[/\\\0]", "_", name)
        plain = "file" if plain in ("", ".", "..") else plain
        target, count = place / plain, 1
        while os.path.lexists(target):  # never written through: it is a link to a teacher's own file
            count += 1
            target = place / f"{Path(plain).stem}-{count}{Path(plain).suffix}"
        try:
            put_at(item, target)
        except OSError as error:  # missing from this hand-in, and from no other
            leave([item], notes, {item: f"cannot be read ({error.strerror or error})"})


def stem(item: Path) -> str:
    """The name of a folder, of an archive without its suffix: most often whose it is."""
    if not item.is_file():
        return item.name
    if volume := volume_of(item.name):
        return volume[0]
    if (name := without_suffix(item.name)) is not None:
        return name
    return item.stem.removesuffix(".tar") if is_closed_name(item.name) else item.name


def leave(items: Iterable[Path], notes: list[str], why: Mapping[Path, str] | None = None) -> None:
    """Note what is no submission, with its reason where there is one."""
    left = sorted(items)
    notes += [f"{shown(i.name)}: left aside, {why[i] if why else 'no submission'}" for i in left]


def gathered(items: Sequence[Path], place: Path, notes: list[str]) -> Path:
    """The items in one folder, of hard links where the system has them; links are left out."""
    for item in items:
        try:
            found = everything(item) if item.is_dir() else [item]
        except OSError as error:
            leave([item], notes, {item: f"cannot be read ({error.strerror or error})"})
            continue
        for file in (f for f in found if not f.is_symlink()):
            gather((place / file.relative_to(item.parent)).parent, [(file, file.name)], notes)
    place.mkdir(parents=True, exist_ok=True)
    return place
