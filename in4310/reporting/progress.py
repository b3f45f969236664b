"""Progress: this run beside the one before it on the same submission."""

from __future__ import annotations

from collections.abc import Iterator

from in4310.judging.verdict import Change, Check, Outcome, Progress, Results, Turn
from in4310.reporting.gaps import JUDGE

BADNESS = {
    Outcome.PASSED: 0,
    Outcome.WARNED: 1,
    Outcome.OPEN: 2,
    Outcome.FAILED: 3,
    Outcome.NOT_RUN: 4,
}


def same_work(before: Results, now: Results) -> bool:
    """Whether both judged one submission, by its path or its name, by one edition; its files may differ."""
    named = bool(now.name) and before.name == now.name
    return before.edition == now.edition and (named or before.submission == now.submission)


def same_run(before: Results, now: Results) -> bool:
    """Whether they are one run: a report that is written again is no progress."""
    return (before.made_at, before.submission_digest) == (now.made_at, now.submission_digest)


def progress(before: Results, now: Results) -> Progress | None:
    """What changed since an earlier run; None where nothing did, or where it was another submission or edition."""
    if not same_work(before, now) or same_run(before, now):
        return None
    found = list(_changes(before, now))
    if not found:
        return None
    same_files = bool(now.submission_digest) and before.submission_digest == now.submission_digest
    return Progress(since=before.made_at, same_files=same_files, changes=found)


def _changes(before: Results, now: Results) -> Iterator[Change]:
    """In the order of the edition. Checks that this run did not select, or the judge failed at, are left out."""
    then = {c.name: c for r in before.requirements for c in r.checks}
    for check in (c for r in now.requirements for c in r.checks):
        old = then.get(check.name)
        if JUDGE in (check.missing, old.missing if old else ""):
            continue
        turn = _turn(old, check)
        if turn is not None:
            yield Change(
                check=check.name,
                turn=turn,
                before=old.points if old else 0.0,
                now=check.points,
                was=old.outcome if old else None,
                outcome=check.outcome,
            )


def _turn(old: Check | None, check: Check) -> Turn | None:
    if old is None or (old.outcome is Outcome.NOT_RUN and check.outcome is not Outcome.NOT_RUN):
        return Turn.NEW
    gain = check.points - old.points
    worse = BADNESS[check.outcome] - BADNESS[old.outcome]
    if abs(gain) < 1e-9 and not worse:
        return None
    if abs(gain) < 1e-9 and (old.outcome, check.outcome) == (Outcome.PASSED, Outcome.WARNED):
        return Turn.WARNED
    return Turn.MENDED if gain > 1e-9 or (abs(gain) < 1e-9 and worse < 0) else Turn.BROKEN
