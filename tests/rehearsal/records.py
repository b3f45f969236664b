"""A rehearsal as it is told, without a program: events as they come from a child."""

from in4310.rehearsal.facts import facts_of
from in4310.rehearsal.rehearse import Rehearsal, Started

FILES = [f"{folder}/{n}.jpg" for folder in ("forest", "sea") for n in range(6)]


def loader(number, name, rows, at, **more):
    told = {
        "kind": "loader",
        "at": at,
        "name": name,
        "loader": number,
        "rows": len(rows),
        "batch": 4,
        "files": True,
    }
    return [
        {**told, "shuffle": False, "transforms": ["Resize(size=(24, 24))", "ToTensor()"], **more},
        {"kind": "rows", "at": at, "name": "", "loader": number, "rows": rows},
        {"kind": "pass", "at": at, "name": "", "loader": number},
    ]


def rehearsal(events=(), status=0, file="train.py", **more):
    """One program that gave these events after three loaders; the test loader is shuffled."""
    seen = [{"kind": "start", "at": "", "name": "", "program": 0}]
    seen += loader(0, "train_loader", [0, 1, 2, 6, 7, 8], "train.py:10", shuffle=True)
    seen += [
        {"kind": "forward", "at": "train.py:20", "name": "", "loader": 0, "training": True, "gradients": True,
         "shape": [3, 24, 24], "network": "ResNet", "depends": True, "rows": 4},
        {"kind": "step", "at": "train.py:22", "name": ""},
    ]  # fmt: skip
    seen += loader(1, "val_loader", [3, 9], "train.py:11")
    seen += loader(2, "test_loader", [4, 5, 10, 11], "train.py:12", shuffle=True)
    seen += [{"name": "", **e} for e in events]
    started = [Started(file, "it has a __main__ guard", "ended", status)]
    return Rehearsal(started, seen, facts_of(seen, len(FILES)), FILES, **more)


STOPPED = {"kind": "stopped", "at": "train.py:41", "error": "FileNotFoundError", "text": "no file <b>'x'</b>"}
