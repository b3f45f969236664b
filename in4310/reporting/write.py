"""Writes a report: index.html, results.json and junit.xml, each whole or not at all; keeps the run before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import ValidationError

from in4310.errors import InputError
from in4310.judging.verdict import Results
from in4310.reporting.html import render
from in4310.reporting.junit import junit
from in4310.reporting.progress import progress, same_run, same_work
from in4310.shown import shown
from in4310.solution.saving import write_aside

RECORD = "results.json"
PREVIOUS = "previous.json"
TEACHERS, HANDED_OUT = 0o600, 0o644  # permissions of a file, whatever the umask
LARGEST = 50_000_000  # bytes of an earlier record that is read


def write_report(
    results: Results, folder: Path, pictures: Mapping[str, bytes] | None = None, language: str = "en"
) -> Path:
    """Write the report of one judging run into `folder` and return the path of its index.html.

    language: of index.html; results.json and junit.xml are English always.

    pictures: file as in `Picture.file` -> its bytes; they are written beside results.json and into the HTML. Without
    them, pictures that lie in the folder already are taken. index.html is written last.

    Where the folder holds an earlier run on the same submission by the same edition, its record is kept as
    previous.json, and the report says what has changed since (`Results.progress`).
    Raises InputError, one line, when the folder cannot be written to; files of an earlier report stay whole.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: expected a folder for the report, it cannot be made ({error.strerror}); choose another folder"
        ) from None
    if pictures is None:
        pictures = _pictures_there(results, folder)
    else:
        for name, content in pictures.items():
            put(folder / _inside(name, folder), content)
    results = _compared(results, folder)
    put(folder / RECORD, record_json(results).encode())
    put(folder / "junit.xml", junit(results).encode())
    return put(folder / "index.html", render(results, pictures, language).encode())


def _compared(results: Results, folder: Path) -> Results:
    """The record with its progress since the one that lies in the folder, which is put aside."""
    before = _earlier(folder / RECORD)
    if before is not None and same_run(before, results):  # written again
        return results if results.progress else results.model_copy(update={"progress": before.progress})
    if before is None:
        return results
    if not same_work(before, results):
        with suppress(OSError):  # the run before of another submission has no place here
            (folder / PREVIOUS).unlink()
        return results
    put(folder / PREVIOUS, record_json(before).encode())
    return results.model_copy(update={"progress": progress(before, results)})


def _earlier(path: Path) -> Results | None:
    """The record of an earlier run; None where there is none, or what lies there is no record that we can read."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        return Results.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def record_json(results: Results) -> str:
    """results.json as text, by the schema `Results.model_json_schema(mode="serialization")`.

    Without the seed of the audit sample, which the gradebook keeps: it says which rows nobody computes again.
    A file name that is no valid Unicode reaches us with lone surrogates, which no JSON in UTF-8 can hold: spelt out.
    """
    if results.audit:
        results = results.model_copy(update={"audit": results.audit.model_copy(update={"seed": ""})})
    text = json.dumps(results.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda found: shown(found[0]), text)


def put(path: Path, content: bytes, mode: int = HANDED_OUT) -> Path:
    """Write a file whole or not at all, for its readers only from its first byte; raises InputError."""

    def fill(file: BinaryIO) -> None:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode)
        file.write(content)

    return write_aside(path, fill)


def _inside(name: str, folder: Path) -> PurePosixPath:
    """The relative path of a picture; raises InputError when it would lie outside the report."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.name:
        raise InputError(
            f"{folder}: expected a picture inside the report, found {name!r}; name it 'pictures/...'"
        )
    return path


def _pictures_there(results: Results, folder: Path) -> dict[str, bytes]:
    files = [p.file for r in results.requirements for check in r.checks for p in check.pictures]
    files += [one.picture.file for one in results.attached if one.picture]
    found = {}
    for name in files:
        path = folder / _inside(name, folder)
        if path.is_file():
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"{path}: cannot be read ({error.strerror or error}); change its permissions or remove it"
                ) from error
    return found
