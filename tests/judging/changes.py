"""A copy of the reference, changed; and what was found of it."""

import json

import numpy as np

from in4310.judging.verdict import Outcome
from in4310.submission.pieces import Missing


def replace(path, content):
    path.unlink()
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


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
