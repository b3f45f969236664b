"""A copy of the reference, changed; and what was found of it."""

from faults.world import read, replace

from in4310.judging.verdict import Outcome
from in4310.submission.pieces import Missing

__all__ = ["failed", "missing", "read", "replace", "rows", "write_rows"]


def rows(folder, name):
    return (folder / "split" / f"{name}.csv").read_text().splitlines()[1:]


def write_rows(folder, name, lines):
    replace(folder / "split" / f"{name}.csv", "path,label\n" + "\n".join(lines) + "\n")


def failed(found):
    return {
        name
        for name, judge in found.items()
        if not isinstance(judge, Missing) and judge.outcome is Outcome.FAILED
    }


def missing(found):
    return {name: str(why) for name, why in found.items() if isinstance(why, Missing)}
