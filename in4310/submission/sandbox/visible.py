"""A submission made readable for the ordinary user that its code runs as."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from in4310.temporary import ours


@contextmanager
def readable_by_others(folder: Path | None, parents: bool) -> Iterator[Path | None]:
    """The folder itself, or where we are root and it is private, a copy that an ordinary user can read.

    `parents`: whether the folders above count too, as they do where no new root is made.
    """
    if folder is None or os.geteuid() != 0 or _public(folder, parents):
        yield folder
        return
    home = Path(tempfile.mkdtemp(prefix=ours("visible")))
    try:
        home.chmod(0o755)
        copy = home / "submission"
        shutil.copytree(folder, copy, symlinks=True, ignore=_special)
        for path, _, names in os.walk(copy):  # does not follow links: what they lead to is not ours to open
            os.chmod(path, 0o755)
            for name in names:
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o644)
        yield copy
    finally:
        shutil.rmtree(home, ignore_errors=True)


def unreachable(places: list[str]) -> str:
    """The innermost folder at or above one of these places that an ordinary user may not enter, or ''."""
    for place in map(Path, places):
        for folder in (place.resolve(), *place.resolve().parents):
            if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
                return str(folder)
    return ""


def _special(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices: nothing that can be copied."""
    found = []
    for name in names:
        mode = os.lstat(os.path.join(folder, name)).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            found.append(name)
    return found


def _public(folder: Path, parents: bool) -> bool:
    if parents and unreachable([os.fspath(folder)]):
        return False
    waiting = [os.fspath(folder)]
    while waiting:
        place = waiting.pop()
        if os.stat(place).st_mode & 0o005 != 0o005:
            return False
        with suppress(NotADirectoryError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and entry.stat().st_mode & stat.S_IROTH == 0:
                    return False
    return True
