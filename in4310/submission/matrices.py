"""Matrices of scores, from .npy, .npz, tables and JSON; sizes are looked at before anything is allocated."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from in4310.submission.claims import measure
from in4310.submission.formats import ARRAY_BYTES, parse_npy
from in4310.submission.module_claims import is_module
from in4310.submission.tables import Table, key, number

MEMBERS = 1000
KINDS = "fiubUSc"  # numbers, booleans, texts; complex numbers that are real


def is_array_file(path: Path) -> bool:
    """Whether a file starts as .npy and .npz files do."""
    with path.open("rb") as file:
        return file.read(6) == b"\x93NUMPY" or zipfile.is_zipfile(path)


def read_arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name, array) of a .npy file (name '') or each member of an .npz; numbers, booleans and texts only.

    Raises ValueError for pickled objects, and for claims larger than what is there or than 256 MiB.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            file.seek(0)
            yield "", real(parse_npy(file, path.stat().st_size, KINDS))
            return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if len(members) > MEMBERS:
                raise ValueError(f"holds {len(members)} arrays, expected at most {MEMBERS}")
            total = 0
            for member in members:
                total += member.file_size
                if total > ARRAY_BYTES:
                    raise ValueError(f"claims more than {ARRAY_BYTES} bytes of arrays")
                with archive.open(member) as stream:
                    content = stream.read(member.file_size + 1)
                array = real(parse_npy(io.BytesIO(content), len(content), KINDS))
                yield member.filename.removesuffix(".npy"), array
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"is not a readable .npz archive ({error})") from None


def real(array: np.ndarray) -> np.ndarray:
    """An array without the imaginary part that torch.linalg.eigvals gives to real eigenvalues. Raises ValueError."""
    if array.dtype.kind != "c":
        return array
    with np.errstate(all="ignore"):
        real = bool(np.abs(array.imag).max(initial=0) <= 1e-6 * np.abs(array.real).max(initial=0))
    if not real:
        raise ValueError(f"holds {array.dtype} with imaginary parts, expected real numbers")
    return array.real


def as_scores(array: np.ndarray, classes: int) -> str:
    """What a matrix of N x classes looks like, in words; '' when it is no matrix of scores."""
    if array.ndim != 2 or array.shape[1] != classes or not len(array) or array.dtype.kind not in "fiu":
        return ""
    with np.errstate(all="ignore"):
        sums = array.astype(np.float64).sum(axis=1)
        close = float((np.abs(sums - 1) < 0.02).mean())
    if close > 0.98:
        return "rows sum to 1"
    return "rows do not sum to 1" if np.isfinite(sums).mean() > 0.5 else "not finite"


def _of_table(table: Table, classes: Sequence[str]) -> np.ndarray | None:
    """Scores in a table: the columns named after the classes, or the columns of numbers whose rows sum to 1."""
    # Headings that name every class once decide, in the order of the classes. Else each run of neighbouring columns of
    # numbers as long as there are classes is tried, and the first whose rows sum to 1 is it; a table of nothing but as
    # many columns is taken as it stands, for the checks to judge.
    if len(table.rows) < 12:  # a table of metrics has one row a class, not one an image
        return None
    if table.header and all(map(is_module, table.header)):
        return None  # eigenvalues, a column a module
    keys = [key(t) for t in table.header]
    # 'score_sea' and 'sea' alike
    named = [
        next((i for i, k in enumerate(keys) if k == c or (k.split("_")[-1] == c and not measure(k))), None)
        for c in map(key, classes)
    ]
    if keys and all(i is not None for i in named) and len(set(named)) == len(classes):
        return _numbers(table, [i for i in named if i is not None])
    width = min(len(row) for row in table.rows)
    numeric = [i for i in range(width) if number(table.rows[0][i]) is not None]
    if len(numeric) < len(classes):
        return None
    runs = (numeric[i : i + len(classes)] for i in range(len(numeric) - len(classes) + 1))
    for columns in (run for run in runs if run[-1] - run[0] == len(classes) - 1):
        matrix = _numbers(table, columns)
        if matrix is not None and as_scores(matrix, len(classes)) == "rows sum to 1":
            return matrix
    return _numbers(table, numeric) if len(numeric) == len(classes) and width == len(classes) else None


def _numbers(table: Table, columns: Sequence[int]) -> np.ndarray | None:
    rows = [[number(row[i]) if i < len(row) else None for i in columns] for row in table.rows]
    if any(v is None for v in rows[0]):
        return None
    return np.array([[math.nan if v is None else v for v in row] for row in rows], dtype=np.float64)


def of_document(document: Any, classes: Sequence[str]) -> np.ndarray | None:
    """Scores in a table, or in a JSON document: a list of N lists of numbers, perhaps under one name."""
    if isinstance(document, Table):
        return _of_table(document, classes)
    if isinstance(document, dict):
        rows = list(document.values())  # image: its scores
        if len(rows) >= 12 and (matrix := of_document(rows, classes)) is not None:
            return matrix
    if isinstance(document, list) and document and all(isinstance(record, dict) for record in document):
        lists = [[value for value in record.values() if isinstance(value, list)] for record in document]
        document = [found[0] if len(found) == 1 else None for found in lists]
    if isinstance(document, dict):
        found = [m for value in document.values() if (m := of_document(value, classes)) is not None]
        return found[0] if len(found) == 1 else None
    if not isinstance(document, list) or len(document) < 12:
        return None
    if not all(isinstance(r, list) and len(r) == len(classes) for r in document):
        return None
    if not all(type(v) in (int, float) for r in document for v in r):
        return None
    return np.array(document, dtype=np.float64)


def several(document: Any, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """name -> scores, of what `of_document` reads alone ('' as its name), or in each entry of an object."""
    if (alone := of_document(document, classes)) is not None:
        return {"": alone}
    inside = document.items() if isinstance(document, dict) else ()
    found = {str(name): of_document(value, classes) for name, value in inside}
    return {name: matrix for name, matrix in found.items() if matrix is not None}
