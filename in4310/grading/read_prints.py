"""Reads what is compared for likeness out of the submissions that a gradebook lists; in a confined process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook
from in4310.grading.layouts import find_class, latest
from in4310.grading.likeness import Print, print_of
from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import load_edition
from in4310.places import placeless
from in4310.progress import QUIET, Progress
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Sandbox
from in4310.temporary import ours

CODE = 200_000  # characters of a hand-in's code that are compared


def read_prints(book: Gradebook, progress: Progress = QUIET) -> tuple[list[Print], list[str]]:
    """Prints of the last attempts of all students, and who could not be read and why.

    Raises InputError where the class that was graded is no longer there.
    """
    edition = load_edition(book.meta("edition_given"))
    data = resolve_data(edition, book.meta("data_given") or None, progress)
    found, left = [], []
    with tempfile.TemporaryDirectory(prefix=ours("likeness")) as folder, Sandbox() as sandbox:
        entries = latest(find_class(Path(book.meta("place")), Path(folder)).entries)
        with progress.task("reading", len(entries)) as bar:
            for entry in entries:
                try:
                    with take_in(entry.place, sandbox) as taken, Readers(sandbox, taken.folder) as readers:
                        submission = Submission(taken.folder, hints(edition, data), readers, taken.name)
                        found.append(_print(entry.who, submission))
                except InputError as error:
                    left.append(f"{entry.who}: {placeless(str(error), str(entry.place))}")
                bar.advance(1, entry.who)
    return found, left


def _print(who: str, submission: Submission) -> Print:
    return print_of(
        who,
        _or_none(lambda: submission.network("model")[1]),
        _or_none(lambda: submission.network("untuned")[1]),
        _or_none(lambda: submission.scores),
        _or_none(lambda: submission.split),
        submission.readers.code(CODE),
    )


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Missing:
        return None
