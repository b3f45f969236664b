"""Weights files that were unpacked on their way, as some browsers do with any zip: put together again."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from in4310.shown import shown
from in4310.submission.containers import SAVED

WEIGHTS = (".pth", ".pt", ".ckpt", ".bin")
INSIDE = "data.pkl", "version"  # by which the inside of a weights file is known


def is_unpacked(file: Path) -> bool:
    """Whether a file is the one by which the inside of a weights file is known, where that was unpacked."""
    return file.name == INSIDE[0] and file.with_name(INSIDE[1]).is_file()


def put_together(folder: Path) -> list[str]:
    """Make the weights files again whose insides lie in a folder of one's own; returns what was done, for a reader.

    Each gets the name of the folder that held it. Nothing is written over: where that name is taken, it stays apart.
    Raises OSError where it cannot be written.
    """
    notes = []
    for file in sorted(p for p in folder.rglob(INSIDE[0]) if is_unpacked(p)):
        inside = file.parent
        named = inside != folder and inside.name.lower().endswith(WEIGHTS)
        place = (
            inside / f"model{WEIGHTS[0]}" if inside == folder else inside.with_name(inside.name + WEIGHTS[0])
        )
        if place.exists():
            notes.append(
                f"left out: {shown(inside.name)}: the inside of a weights file; hand in the .pth itself"
            )
            continue
        parts = [part for part in sorted(inside.iterdir()) if part.name in SAVED and not part.is_symlink()]
        aside = place.with_name(f".{place.name}.partial")
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
            for path in (p for part in parts for p in _files(part)):
                archive.write(path, f"archive/{path.relative_to(inside).as_posix()}")
        for part in parts:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        if inside != folder and not any(inside.iterdir()):
            inside.rmdir()
            place = inside if named else place
        aside.rename(place)
        notes.append(f"put together: {shown(place.name)}, a weights file of PyTorch that had been unpacked")
    return notes


def _files(part: Path) -> Iterator[Path]:
    if part.is_file():
        yield part
    else:
        yield from sorted(p for p in part.rglob("*") if p.is_file() and not p.is_symlink())
