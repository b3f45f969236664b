"""A teacher's points and comments: checked before they are kept."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook


def check_override(book: Gradebook, who: str, requirement: str, points: float | None) -> None:
    """Raise InputError for a student or a requirement that does not exist, or for more points than there are."""
    if points is not None and not 0 <= points < math.inf:
        raise InputError(f"{who}: expected points from 0, found {points:g}")
    students = book.students()
    if who not in students:
        raise InputError(f"{who!r} is none of the {len(students)} students in {book.file}")
    results = next((m.results for m in book.marks() if m.who == who and m.results), None)
    if results is None:
        if requirement:
            raise InputError(
                f"{who!r} has no verdict yet: only the whole can be marked, without a requirement"
            )
        return
    limits = {r.id: r.max_points for r in results.requirements} | {"": results.max_points}
    if requirement not in limits:
        raise InputError(
            f"{requirement!r} is no requirement; expected one of {', '.join(k for k in limits if k)}"
        )
    if points is not None and points > limits[requirement]:
        raise InputError(
            f"{points:g} points: {requirement or 'the whole'} has {limits[requirement]:g} at most"
        )


def read_overrides(file: Path) -> list[tuple[str, str, float | None, str]]:
    """(who, requirement, points, comment) from a CSV with these columns. Raises InputError with the line."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{file}: cannot be read as a CSV ({getattr(error, 'strerror', None) or error})"
        ) from None
    found = []
    for line, row in enumerate(rows, 2):
        if not row.get("who"):
            raise InputError(f"{file}: line {line}: expected a column 'who', found none or nothing in it")
        text = (row.get("points") or "").strip().replace(",", ".")
        try:
            points = float(text) if text else None
        except ValueError:
            raise InputError(f"{file}: line {line}: expected points, found {text!r}") from None
        found.append((row["who"], (row.get("requirement") or "").strip(), points, row.get("comment") or ""))
    return found
