"""Reads what is compared for likeness out of the submissions that a gradebook lists; in a confined process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from in4310.errors import InputError
from in4310.grading.gathering import is_packed
from in4310.grading.gradebook import Gradebook
from in4310.grading.layouts import find_class, latest
from in4310.grading.likeness import Print, print_of
from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import load_edition
from in4310.places import placeless
from in4310.progress import QUIET, Progress
from in4310.submission.files import put_at
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Sandbox
from in4310.temporary import ours

CODE = 200_000  # characters of a hand-in's code that are compared


def read_prints(
    book: Gradebook, progress: Progress = QUIET, template: Path | None = None
) -> tuple[list[Print], list[str], Print]:
    """Prints of the last attempts of all students, who could not be read and why, and the print of what was handed out.

    template: a folder, an archive or one file of what was handed out: code, weights, scores. Raises InputError where it
    cannot be read, or the class that was graded is no longer there.
    """
    edition = load_edition(book.meta("edition_given"))
    data = resolve_data(edition, book.meta("data_given") or None, progress)
    found, left, given = [], [], Print("")

    def read(who: str, place: Path, sandbox: Sandbox, handed_out: bool = False) -> Print:
        with take_in(place, sandbox) as taken, Readers(sandbox, taken.folder) as readers:
            submission = Submission(taken.folder, hints(edition, data), readers, taken.name)
            return _print(who, submission, handed_out)

    with tempfile.TemporaryDirectory(prefix=ours("likeness")) as folder, Sandbox() as sandbox:
        if template is not None:
            given = read("", _in_a_folder(template, Path(folder) / "handed out"), sandbox, handed_out=True)
        aside = Path(folder) / "class"
        aside.mkdir()
        entries = latest(find_class(Path(book.meta("place")), aside).entries)
        with progress.task("reading", len(entries)) as bar:
            for entry in entries:
                try:
                    found.append(read(entry.who, entry.place, sandbox))
                except InputError as error:
                    left.append(f"{entry.who}: {placeless(str(error), str(entry.place))}")
                bar.advance(1, entry.who)
    return found, left, given


def _in_a_folder(template: Path, place: Path) -> Path:
    """What was handed out as a hand-in's reader takes it: a single file in a folder of its own."""
    if template.is_dir() or is_packed(template):
        return template
    place.mkdir()
    try:
        put_at(template, place / template.name)
    except OSError as error:
        raise InputError(f"{template}: cannot be read ({error.strerror or error})") from None
    return place


def _print(who: str, submission: Submission, handed_out: bool) -> Print:
    state = _or_none(lambda: submission.network("model")[1])
    untuned = _or_none(lambda: submission.network("untuned")[1])
    scores, split = _or_none(lambda: submission.scores), _or_none(lambda: submission.split)
    found = print_of(who, state, untuned, scores, split, submission.readers.code(CODE))
    if handed_out and untuned:  # neither network is anybody's own
        both = (print_of(who, one, None, None, None, "").tensors for one in (state, untuned))
        found = replace(found, tensors=frozenset().union(*both))
    return found


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Missing:
        return None
