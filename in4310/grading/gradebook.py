"""The gradebook: one SQLite file that holds who handed in what, every verdict ever made, and what teachers said.

Only the process that grades writes to it. A verdict is one transaction: after a kill or a power loss it is there as a
whole, or not at all. Verdicts are never changed; a newer one is added, and order is by their number, not by the clock.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from in4310.errors import InputError
from in4310.grading.layouts import Entry
from in4310.grading.marks import Mark, Override, Status
from in4310.judging.verdict import Results

GRADEBOOK = "gradebook.db"
VERSION = "1"
_SCHEMA = Path(__file__).with_suffix(".sql")
Said = tuple[str, str, float | None, str]  # by a teacher: who, requirement, points, comment


@dataclass(frozen=True)
class Verdict:
    """One judging of one attempt as it was logged; `key` says what it was made from, `record` by what."""

    id: int
    who: str
    attempt: int
    key: str
    status: Status
    error: str
    results: Results | None
    seconds: float
    memory: int  # bytes, the most that the judging process held
    record: dict[str, str]
    made_at: str
    stale: bool


class Gradebook:
    """Opened for as long as a command lasts; a context manager. Raises InputError for what is no gradebook."""

    def __init__(self, file: Path, must_exist: bool = False):
        self.file = file
        if must_exist and not file.is_file():
            raise InputError(f"{file}: expected a gradebook, found nothing; in4310 grade makes one")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Nobody else's to read, from its first byte: it holds marks, and the secret of the audit samples.
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._base = sqlite3.connect(file, isolation_level=None, timeout=30)
            self._base.execute("PRAGMA synchronous = FULL")
            with self._writing():
                known = self._base.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchone()
                if known is None:
                    for statement in _SCHEMA.read_text(encoding="utf-8").split(";"):
                        self._base.execute(statement)
                    self._base.execute("INSERT INTO meta VALUES ('version', ?)", (VERSION,))
            version = self.meta("version")
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{file}: cannot be used as a gradebook ({error})") from None
        if version != VERSION:
            raise InputError(
                f"{file}: a gradebook of version {version}, expected {VERSION}; use another --out"
            )

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction: all of it or nothing. A full disk is one clear line, and loses nothing that was there."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._base.in_transaction:  # on a full disk SQLite has taken it back itself
                    self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise InputError(
                f"{self.file}: cannot be written ({error}); what was graded is kept, the same command goes on"
            ) from None

    # -- what the class is graded by -----------------------------------------------------------------

    def meta(self, name: str) -> str:
        """A remembered value; '' when there is none."""
        row = self._base.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return os.fsdecode(row[0]) if row else ""

    def remember(self, **values: str) -> None:
        """Keep values under their names."""
        with self._writing():
            for name, value in values.items():
                self._base.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, _column(value)))

    # -- submissions ---------------------------------------------------------------------------------

    def register(self, entries: Iterable[Entry], graded: Iterable[Entry]) -> None:
        """Replace the list of who handed in what; verdicts and overrides of those no longer listed are kept."""
        chosen = {(e.who, e.attempt) for e in graded}
        about = [(e.who, e.attempt, _column(str(e.place)), e.shown, e.identity, e.late) for e in entries]
        rows = [(*row, row[:2] in chosen) for row in about]
        with self._writing():
            self._base.execute("DELETE FROM submission")
            self._base.executemany("INSERT INTO submission VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def students(self) -> list[str]:
        """All that handed in, sorted."""
        return [row[0] for row in self._base.execute("SELECT DISTINCT who FROM submission ORDER BY who")]

    # -- verdicts ------------------------------------------------------------------------------------

    def record(
        self,
        who: str,
        attempt: int,
        key: str,
        results: Results | None,
        error: str,
        seconds: float,
        memory: int,
        record: dict[str, str],
    ) -> bool:
        """Add a verdict; False when there is one already that was made from the same."""
        status, packed = Status.FAILED, None
        if results is not None:
            status = Status.DONE
            packed = zlib.compress(results.model_dump_json().encode("utf-8", "backslashreplace"))
        with self._writing():
            done = self._base.execute(
                "INSERT OR IGNORE INTO verdict"
                " (who, attempt, key, status, error, results, seconds, memory, record, made_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (who, attempt, key, status, error, packed, seconds, memory, json.dumps(record), _now()),
            )
        return done.rowcount == 1

    def has(self, who: str, attempt: int, key: str) -> bool:
        """Whether a verdict made from exactly this stands."""
        found = self._base.execute(
            "SELECT 1 FROM verdict WHERE who = ? AND attempt = ? AND key = ? AND NOT stale",
            (who, attempt, key),
        )
        return found.fetchone() is not None

    def regrade(self, who: str) -> int:
        """Verdicts of a student no longer stand, though they stay in the log; returns how many stood."""
        with self._writing():
            done = self._base.execute("UPDATE verdict SET stale = 1 WHERE who = ? AND NOT stale", (who,))
        return done.rowcount

    def verdicts(self, who: str | None = None) -> list[Verdict]:
        """The log of verdicts, oldest first, of one student or of all."""
        rows = self._base.execute("SELECT * FROM verdict WHERE who = coalesce(?, who) ORDER BY id", (who,))
        return [_verdict(row) for row in rows]

    def none_of(self, who: str) -> InputError:
        """What to raise where a student has no verdict."""
        return InputError(f"{who!r} has no verdict in {self.file}; known: {', '.join(self.students()[:8])}")

    def newest(self, who: str) -> Verdict | None:
        """A student's last verdict that stands."""
        return next((v for v in reversed(self.verdicts(who)) if not v.stale), None)

    # -- a teacher's word ----------------------------------------------------------------------------

    def override(self, who: str, requirement: str, points: float | None, comment: str, by: str) -> None:
        """Add a teacher's points or comment; what was said before stays in the log."""
        self.override_all([(who, requirement, points, comment)], by)

    def override_all(self, said: Iterable[Said], by: str) -> None:
        """Add (who, requirement, points, comment) of several: all, or none where the disk or the user stops it."""
        with self._writing():
            self._base.executemany(
                "INSERT INTO override (who, requirement, points, comment, author, made_at) VALUES (?, ?, ?, ?, ?, ?)",
                [(*one, by, _now()) for one in said],
            )

    def overrides(self, who: str) -> tuple[Override, ...]:
        """What teachers said of a student, oldest first."""
        rows = self._base.execute(
            "SELECT requirement, points, comment, author, made_at FROM override WHERE who = ? ORDER BY id",
            (who,),
        )
        return tuple(Override(*row) for row in rows)

    def marks(self, keys: dict[tuple[str, int], str] | None = None) -> list[Mark]:
        """A mark for each attempt that is graded, sorted by student.

        keys: (who, attempt) -> what a verdict must have been made from to count; without, the newest one counts.
        """
        rows = self._base.execute(
            "SELECT who, attempt, shown, identity, late FROM submission WHERE graded ORDER BY who, attempt"
        ).fetchall()
        return [self._mark(row, None if keys is None else keys.get(row[:2], "")) for row in rows]

    def _mark(self, submission: tuple[str, int, str, str, int | None], key: str | None) -> Mark:
        who, attempt, shown, identity, late = submission
        row = self._base.execute(
            "SELECT * FROM verdict"
            " WHERE who = ? AND attempt = ? AND NOT stale AND key = coalesce(?, key) ORDER BY id DESC LIMIT 1",
            (who, attempt, key),
        ).fetchone()
        about = (who, attempt, shown, identity, None if late is None else bool(late))
        if row is None:
            return Mark(*about, overrides=self.overrides(who), system=self.meta("layout"))
        verdict = _verdict(row)
        judged = (verdict.status, verdict.results, verdict.error)
        return Mark(*about, *judged, self.overrides(who), self.meta("layout"))


def _verdict(row: tuple[Any, ...]) -> Verdict:
    id_, who, attempt, key, status, error, packed, seconds, memory, record, made_at, stale = row
    results = Results.model_validate_json(zlib.decompress(packed)) if packed is not None else None
    parts = (Status(status), error, results, seconds, memory, json.loads(record), made_at, bool(stale))
    return Verdict(id_, who, attempt, key, *parts)


def _column(text: str) -> str | bytes:
    """As SQLite takes it: a path whose bytes are no UTF-8 as these bytes."""
    raw = os.fsencode(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
