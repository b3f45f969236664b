"""Everything that is written for a class: the page, the feedback of each student, the exports."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from in4310.grading import exports
from in4310.grading.class_page import class_page
from in4310.grading.grade import STUDENTS
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Mark
from in4310.grading.override import rows_filled_in
from in4310.grading.queue import QUEUE, queue, queue_csv
from in4310.reporting.language import counted, number, totals, translated
from in4310.reporting.language_record import said
from in4310.reporting.write import HANDED_OUT, TEACHERS, put, write_report

FEEDBACK = "feedback"


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
            _bundle(mark, out, language)
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


def _bundle(mark: Mark, out: Path, language: str) -> None:
    """feedback/<who>.zip: the student's own report and what a teacher said, and nothing of the others."""
    report = out / STUDENTS / mark.who
    files = sorted(f for f in report.rglob("*") if f.is_file()) if report.is_dir() else []

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            # A fixed date: the same feedback gives the same bytes.
            info = zipfile.ZipInfo(file.relative_to(report).as_posix(), (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())
        archive.writestr(zipfile.ZipInfo("marks.txt", (1980, 1, 1, 0, 0, 0)), _words(mark, language))
    put(out / FEEDBACK / f"{mark.who}.zip", packed.getvalue())


def _words(mark: Mark, language: str) -> str:
    """Points in all and a line a requirement, in that language, and what a teacher said."""
    lines = [""]
    if mark.points is not None and mark.max_points:
        earned = number(mark.points, language)
        of = ("%(earned)s of %(num)s point", "%(earned)s of %(num)s points")
        lines = [counted(*of, mark.max_points - mark.open_points, language, earned=earned)]
        if left := mark.open_points:
            lines[0] += ", " + translated(
                "and %(left)s for the teacher", language, left=number(left, language)
            )
    for requirement in mark.results.requirements if mark.results else ():
        title = said(language)(requirement.title, mark.results.edition_language if mark.results else "en")
        left = mark.open_of(requirement)
        of_most = totals(mark.points_of(requirement), requirement.max_points, left, language)
        whole = mark.override(requirement.id)
        given = [whole] if whole else [o for c in requirement.checks if (o := mark.override(c.name))]
        by = [translated("set by %(teacher)s", language, teacher=o.by) + f": {o.comment}" for o in given]
        lines.append(f"{requirement.id} {title}: {of_most}" + (f" ({'; '.join(by)})" if by else ""))
    lines += [f"{o.by}: {o.comment}" for o in mark.overrides if o.points is None and o.comment]
    return "\n".join(lines) + "\n"
