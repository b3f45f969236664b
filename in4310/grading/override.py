"""A teacher's points and comments: checked before they are kept."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from in4310.errors import InputError
from in4310.grading.exports import guarded
from in4310.grading.gradebook import Gradebook, Said
from in4310.judging.verdict import Results
from in4310.submission.formats import read_text


def check_overrides(book: Gradebook, said: Sequence[Said]) -> None:
    """Raise InputError for a row of nobody, of no requirement, of more points than there are, or that says nothing.

    The verdicts of the class are read once for all rows.
    """
    students = book.students()
    verdicts = {m.who: m.results for m in book.marks() if m.results}
    for who, requirement, points, comment in said:
        if points is None and not comment:
            raise InputError(f"{who}: nothing to say; give --points, --comment, or both")
        if points is not None and not 0 <= points < math.inf:
            raise InputError(f"{who}: expected points from 0, found {points:g}")
        if who not in students:
            raise InputError(f"{who!r} is none of the {len(students)} students in {book.file}")
        _check_limits(verdicts, who, requirement, points)


def _check_limits(verdicts: Mapping[str, Results], who: str, requirement: str, points: float | None) -> None:
    if requirement and who not in verdicts:
        raise InputError(f"{who!r} has no verdict yet: only the whole can be marked, without a requirement")
    results = verdicts.get(who) or next(iter(verdicts.values()), None)  # all are judged by one edition
    if results is None:
        return
    limits = {r.id: r.max_points for r in results.requirements} | {"": results.max_points}
    checks = {c.name: c.max_points for r in results.requirements for c in r.checks}
    if requirement not in limits | checks:
        raise InputError(
            f"{requirement!r} is no requirement and no check; expected one of {', '.join(k for k in limits if k)}"
        )
    limits |= checks
    if points is not None and points > limits[requirement]:
        raise InputError(
            f"{points:g} points: {requirement or 'the whole'} has {limits[requirement]:g} at most"
        )


def read_overrides(file: Path) -> list[Said]:
    """(who, requirement or check, points, comment) from a CSV with such columns, as editors and Excel in any language
    save it: by commas, semicolons or tabs, 11.5 or 11,5, headings in any case. A row of a check that says nothing is
    still to be marked, as in queue.csv. Raises InputError with the line, or where nothing is marked.
    """
    found = rows_filled_in(file)
    if not found:
        raise InputError(
            f"{file}: expected lines of who, requirement or check, points, comment, found none; nothing was marked"
        )
    return found


def rows_filled_in(file: Path) -> list[Said]:
    """The rows of such a table that say something; raises InputError as `read_overrides` does, but for none."""
    try:
        text = read_text(file)
        said, _, rest = text.partition("\n")
        if said.lower().startswith("sep="):  # a line that Excel itself reads and takes away
            text = rest
        heading = text.partition("\n")[0]
        rows = list(
            csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=heading.count), strict=True)
        )
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file}: cannot be read as a CSV ({reason})") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    found = []
    for line, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise InputError(
                f"{file}: line {line}: expected {len(names)} cells as in the first line, found {len(cells)};"
                ' put a text or number with a comma in quotes ("7,5")'
            )
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        what = row.get("check") or row.get("requirement", "")
        if row.get("check") and not row.get("points") and not row.get("comment"):
            continue
        if not row.get("who"):
            raise InputError(f"{file}: line {line}: expected a column 'who', found none or nothing in it")
        points = row.get("points", "")
        try:
            given = float(points.replace(",", ".")) if points else None
        except ValueError:
            raise InputError(f"{file}: line {line}: expected points, found {points!r}") from None
        who = row["who"]
        if (
            who.startswith("'") and guarded(who[1:]) == who
        ):  # as our own tables write what looks like a formula
            who = who[1:]
        found.append((who, what, given, row.get("comment", "")))
    return found
