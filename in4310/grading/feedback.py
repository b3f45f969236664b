"""What is handed back: a bundle a student, and one archive of all that Canvas or Moodle takes back in one go."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from in4310.grading.grade import STUDENTS
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Mark, Status
from in4310.reporting.language import counted, number, totals, translated
from in4310.reporting.language_record import said
from in4310.reporting.write import HANDED_OUT, TEACHERS, put
from in4310.shown import shown

FEEDBACK = "feedback"
WORDS, REPORT = "marks.txt", "report.html"
SYSTEMS = ("Canvas", "Moodle")  # that take feedback files of a whole class
DAY_ONE = (1980, 1, 1, 0, 0, 0)  # the same feedback gives the same bytes


def write_feedback(marks: Sequence[Mark], out: Path, language: str) -> None:
    """feedback/<who>.zip for each student, exports/<system>_feedback.zip where the class came from one of SYSTEMS."""
    for mark in marks:
        put(out / FEEDBACK / f"{mark.who}.zip", bundle(mark, out, language), HANDED_OUT)
    system, returns = _where_it_goes(out)
    if system not in SYSTEMS:
        return
    place = out / "exports" / f"{system.lower()}_feedback.zip"
    content, left = upload(marks, returns, out, language)
    put(place, content, TEACHERS)
    lines = [f"{shown(who)}: {why}" for who, why in left] or ["nobody: the archive has all students"]
    put(place.with_suffix(".left_out.txt"), ("\n".join(lines) + "\n").encode("utf-8", "replace"), TEACHERS)


def _where_it_goes(out: Path) -> tuple[str, dict[str, str]]:
    """The class's system, and student -> what the names of files begin with that it gives back to them."""
    if not (out / GRADEBOOK).is_file():
        return "", {}
    with Gradebook(out / GRADEBOOK) as book:
        return book.meta("layout"), json.loads(book.meta("returns") or "{}")


def bundle(mark: Mark, out: Path, language: str) -> bytes:
    """A zip of the student's own report and what a teacher said, and nothing of the others."""
    report = out / STUDENTS / mark.who
    there = report.is_dir() and mark.results is not None
    files = sorted(f for f in report.rglob("*") if f.is_file()) if there else []
    entries = {f.relative_to(report).as_posix(): f.read_bytes() for f in files}
    return _zipped(entries | {WORDS: words_for(mark, language).encode("utf-8", "replace")})


def upload(
    marks: Sequence[Mark], returns: Mapping[str, str], out: Path, language: str
) -> tuple[bytes, list[tuple[str, str]]]:
    """(a zip that the system takes back, (student, why) for who is not in it).

    Canvas, 'Upload Submissions' of an assignment, as canvas-lms reads it (generate_comments_from_files): the first two
    numbers between '_' are the user and a file that this user handed in; each file becomes an attachment of a comment.
    Moodle, 'Upload multiple feedback files in a zip' (mod/assign/feedback/file/importziplib.php): the participant is
    the second part between '_', the third and fourth say that the file was handed in. Who has no mark is told why,
    and what to do; who has not been looked at yet is told nothing.
    """
    entries, left = {}, []
    for mark in marks:
        head = returns.get(mark.who, "")
        if not head:
            left.append((mark.who, "the download gives no number for them; hand back their feedback by hand"))
        elif mark.points is None and mark.status is not Status.FAILED:
            left.append((mark.who, "not judged yet; in4310 grade goes on"))
        else:
            page = out / STUDENTS / mark.who / "index.html"
            if mark.results is not None and page.is_file():
                entries[head + REPORT] = page.read_bytes()
            entries[head + WORDS] = words_for(mark, language).encode("utf-8", "replace")
    return _zipped(entries), left


def _zipped(entries: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, DAY_ONE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()


def words_for(mark: Mark, language: str) -> str:
    """Whose it is, points in all and a line a requirement, in that language, and what a teacher said.

    Without a verdict: why there is none, and what to do.
    """
    lines = [shown(mark.who) + (f" ({shown(mark.shown)})" if mark.shown not in ("", mark.who) else "")]
    if mark.points is not None:
        lines.append(_total(mark, language))
    if mark.results is None:
        lines += _why_not(mark, language)
    for requirement in mark.results.requirements if mark.results else ():
        title = said(language)(requirement.title, mark.results.edition_language if mark.results else "en")
        left = mark.open_of(requirement)
        of_most = totals(mark.points_of(requirement), requirement.max_points, left, language)
        whole = mark.override(requirement.id)
        given = [whole] if whole else [o for c in requirement.checks if (o := mark.override(c.name))]
        by = [translated("set by %(teacher)s", language, teacher=o.by) + f": {o.comment}" for o in given]
        lines.append(f"{requirement.id} {title}: {of_most}" + (f" ({'; '.join(by)})" if by else ""))
    lines += [
        f"{o.by}: {o.comment}"
        for o in mark.overrides
        if o.comment and (o.points is None or not o.requirement)
    ]
    return "\n".join(lines) + "\n"


def _total(mark: Mark, language: str) -> str:
    """Points in all, of those that were judged; of a mark by hand alone nobody knows of how many."""
    earned = number(mark.points or 0.0, language)
    if mark.max_points is None:
        by = translated("set by hand", language)
        return f"{counted('%(num)s point', '%(num)s points', mark.points or 0.0, language)} ({by})"
    of = ("%(earned)s of %(num)s point", "%(earned)s of %(num)s points")
    line = counted(*of, mark.max_points - mark.open_points, language, earned=earned)
    if left := mark.open_points:
        line += ", " + translated("and %(left)s for the teacher", language, left=number(left, language))
    return line


def _why_not(mark: Mark, language: str) -> list[str]:
    if mark.status is not Status.FAILED:
        return [translated("Not judged yet: there is nothing for you to do.", language)]
    why = shown(said(language)(mark.error), 300)
    lines = [translated("Not judged: %(why)s", language, why=why)]
    if mark.points is None:
        lines.append(
            translated(
                "What to do: hand in again, as a folder or a zip that opens on another machine; "
                "in4310 check FILE says there whether it can be read. Ask your teacher if you cannot.",
                language,
            )
        )
    return lines
