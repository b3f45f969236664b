"""Everything that is written for a class: the page, the feedback of each student, the exports."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from in4310.grading import exports
from in4310.grading.class_page import class_page
from in4310.grading.feedback import write_feedback
from in4310.grading.grade import STUDENTS
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Mark
from in4310.grading.override import rows_filled_in
from in4310.grading.queue import QUEUE, queue, queue_csv
from in4310.reporting.write import HANDED_OUT, TEACHERS, put, write_report


def write_class(marks: Sequence[Mark], out: Path, assignment: str, language: str = "en") -> Path:
    """Write index.html, the exports and the feedback bundles into `out`; returns the path of index.html.

    language: of the page, the feedback and the reports; those that are there in another one are written again.

    Each file is written aside and renamed. Raises InputError, one line, when the folder cannot be written to.
    """
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    judged = [m.results for m in marks if m.results]
    possible = max((r.max_points for r in judged), default=0.0)
    edition = judged[0].edition if judged else ""
    texts = {
        "canvas.csv": exports.canvas_csv(marks, assignment, possible),
        "moodle.csv": exports.moodle_csv(marks, assignment, possible),
        "junit.xml": exports.class_junit(marks),
        "gradebook.json": exports.class_json(marks, edition, made_at),
        "gradebook.schema.json": json.dumps(exports.GradebookFile.model_json_schema(), indent=2) + "\n",
    }
    for name, text in texts.items():
        write(out / "exports" / name, text)
    for mark in marks:
        if mark.results:
            _say_in(language, mark, out)
        theirs = out / "exports" / "gradescope" / mark.who / "results.json"
        write(theirs, exports.gradescope_results(mark), HANDED_OUT)
    write_feedback(marks, out, language)
    _write_queue(marks, out / QUEUE)
    return write(out / "index.html", class_page(marks, made_at, language, left_aside(out)))


def _write_queue(marks: Sequence[Mark], file: Path) -> None:
    """queue.csv: what a teacher has filled in there and not yet given to `in4310 mark` stays as it is."""
    filled = {said[:2]: said[2:] for said in rows_filled_in(file)} if file.is_file() else {}
    text = queue_csv(queue(marks), filled)
    if text or file.is_file():
        write(file, text or queue_csv([], {}, always=True))


def left_aside(out: Path) -> list[str]:
    """What lay in the class's folder and is nobody's hand-in, each with its reason."""
    if not (out / GRADEBOOK).is_file():
        return []
    with Gradebook(out / GRADEBOOK) as book:
        return book.meta("notes").splitlines()


def write(path: Path, text: str, mode: int = TEACHERS) -> Path:
    """Write a text whole or not at all, for the teacher alone where nothing else is said; raises InputError."""
    return put(path, text.encode("utf-8", "backslashreplace"), mode)


def _say_in(language: str, mark: Mark, out: Path) -> None:
    """Write a student's report again where it was made in another language; nothing is judged again for that."""
    page = out / STUDENTS / mark.who / "index.html"
    if mark.results and page.is_file():
        with page.open("rb") as stream:
            made_in = re.search(rb'<html lang="(\w+)">', stream.read(200))
        if made_in and made_in[1].decode() != language:
            write_report(mark.results, page.parent, None, language)
