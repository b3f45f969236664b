"""A verdict made again from the log: the same submission, edition, data and audit sample must give the same marks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook, Verdict
from in4310.grading.layouts import find_class
from in4310.grading.work import Done, Job, digest_of, judge
from in4310.judging.order import Order
from in4310.judging.verdict import Check, Results
from in4310.reporting.language import totals
from in4310.shown import shown
from in4310.temporary import ours


@dataclass(frozen=True)
class Replay:
    """A verdict of the log beside the one made now. `differences`: (check, or 'error' for why
    it could not be judged, then, now); `changed`: other versions."""

    logged: Verdict
    now: Results | None
    differences: tuple[tuple[str, str, str], ...]
    changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every check came out as it did then, with the same points; or nothing did, for the same reason."""
        return not self.differences


def replay(book: Gradebook, who: str, work: Callable[[Job], Done] = judge) -> Replay:
    """Judge a student's last judged attempt again. Raises InputError where it is no longer there, or was replaced."""
    logged = book.newest(who)
    if logged is None:
        raise book.none_of(who)
    with tempfile.TemporaryDirectory(prefix=ours("replay")) as folder:
        found = find_class(Path(book.meta("place")), Path(folder)).entries
        entry = next((e for e in found if (e.who, e.attempt) == (who, logged.attempt)), None)
        if entry is None:
            raise InputError(f"{book.meta('place')}: the submission of {who!r} is no longer there")
        digest = digest_of(entry.place)
        if digest != logged.record.get("submission"):
            raise InputError(f"{who!r} has handed in something else since: in4310 grade judges it")
        order = Order(
            submission=str(entry.place),
            edition=book.meta("edition_given"),
            report=str(Path(folder) / "report"),
            data=book.meta("data_given"),
            full=logged.record.get("full") == "True",
            rehearsal=logged.record.get("rehearsal") != "False",
            handed_out=True,
            whose=who,
        )
        done = work(Job(who, logged.attempt, digest, order, book.meta("secret")))
    now = Results.model_validate_json(done.results) if done.results else None
    then, again = (f"'{shown(error, 400)}'" if error else "none" for error in (logged.error, done.error))
    errors = (("error", then, again),) if then != again else ()
    return Replay(logged, now, (*errors, *_differences(logged.results, now)), _changed(logged, now))


def _differences(then: Results | None, now: Results | None) -> tuple[tuple[str, str, str], ...]:
    before, after = _checks(then), _checks(now)
    return tuple(
        (name, _told(before.get(name)), _told(after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if _told(before.get(name)) != _told(after.get(name))
    )


def _checks(results: Results | None) -> dict[str, Check]:
    return {c.name: c for r in results.requirements for c in r.checks} if results else {}


def _told(check: Check | None) -> str:
    return (
        f"{check.outcome}, {totals(check.points, check.max_points, check.open_points)}"
        if check
        else "no verdict"
    )


def _changed(logged: Verdict, now: Results | None) -> tuple[str, ...]:
    """Versions that differ from those of the log."""
    versions = {f"version {name}": version for name, version in now.versions.items()} if now else {}
    return tuple(
        f"{name.removeprefix('version ')} {then} then, {versions[name]} now"
        for name, then in logged.record.items()
        if name in versions and versions[name] != then
    )
