"""Lists of numbers that may be eigenvalues, in whichever file, and the names that their places give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from in4310.submission import module_claims, tables
from in4310.submission.tables import Table

Named = tuple[str, tuple[str, ...], list[float]]  # file, names, the numbers


def lists_of(document: Any) -> Iterable[tuple[tuple[str, ...], list[float]]]:
    """Named lists of numbers in a document or table: what eigenvalues are looked for in."""
    if isinstance(document, Mapping):
        for names, leaf in tables.flatten(document):
            if isinstance(leaf, list) and leaf and all(type(v) in (int, float) for v in leaf):
                yield names, leaf
    elif isinstance(document, Table):
        yield from module_claims.lists_in(document)


def named_by_place(lists: Sequence[Named]) -> list[Named]:
    """The same with the names of the folders and the file that each lies in before its own.

    A folder that all of them lie in does not tell them apart, but for the innermost.
    """
    folders = {file: PurePosixPath(file).parent.parts for file, _, _ in lists}
    named = {
        folders[f]
        for f, names, _ in lists
        if module_claims.module_in((*folders[f], PurePosixPath(f).stem, *names))
    }
    shared = sum(1 for _ in takewhile(lambda at: len({*at}) == 1, zip(*named, strict=False)))
    return [
        (file, (*(folders[file][shared:] or folders[file][-1:]), PurePosixPath(file).stem, *names), leaf)
        for file, names, leaf in lists
    ]
