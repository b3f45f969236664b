"""Take in what was handed in: a folder as it is, an archive unpacked into a private folder for as long as needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from in4310.errors import InputError
from in4310.shown import shown
from in4310.submission.archives import unpack
from in4310.submission.containers import SUFFIXES
from in4310.submission.files import RUBBISH, everything
from in4310.submission.opening import opener_of
from in4310.submission.pieces import KINDS
from in4310.submission.sandbox.worker import Sandbox
from in4310.temporary import ours

WRAPPINGS = 8  # folders around a submission
PLACES = {place for kind in KINDS.values() for place in kind.places}


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

    `sandbox`: whose children read archives, where they can be confined; else this process does.
    """
    if path.is_dir():
        try:
            everything(path)
        except OSError as error:
            raise InputError(f"{shown(str(path))}: cannot be read ({error.strerror or error})") from None
        yield Taken(_innermost(path), path.resolve().name)
        return
    if not path.is_file():
        raise InputError(f"{shown(str(path))}: expected a submission (folder, zip or tar.gz), found nothing")
    home = Path(tempfile.mkdtemp(prefix=ours("intake")))
    try:
        unpacked = unpack(path, home / "submission", opener=opener_of(sandbox))
        name = next((path.name[: -len(s)] for s in SUFFIXES if path.name.lower().endswith(s)), path.name)
        yield Taken(_innermost(unpacked.folder), shown(name), unpacked.notes)
    finally:
        shutil.rmtree(home, ignore_errors=True)
