"""Files are written whole or not at all: aside in the same folder, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from in4310.errors import InputError


def write_aside(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Call `write` with a file beside `path`, then rename it to `path`; an old file stays intact on failure.

    The folder is made where it is missing. Raises InputError, naming the file, when the disk is full, the
    folder is read-only, or the like.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            write(file)
        aside.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):  # where the folder itself is a file, say: the first error is to be reported
            aside.unlink(missing_ok=True)
    return path
