"""From events to what they mean: loaders and the sets they are, the split in row order, which loader fed what.

Pure functions of the events; the program's own process sent them, so that each field is looked at before it counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from in4310.shown import shown

Kind = TypeVar("Kind")
Event = Mapping[str, Any]
SETS = ("train", "val", "test")
MOST = 10_000  # events of a whole rehearsal
WORDS = (
    ("test", re.compile("test", re.I)),
    ("val", re.compile("val|dev(?!ice)", re.I)),
    ("train", re.compile("train|trn", re.I)),
)


def event_of(note: str) -> dict[str, Any] | None:
    """An event from a note of the child; None for what is none."""
    try:
        told = json.loads(note, parse_constant=lambda token: None)
    except (ValueError, RecursionError):
        return None
    if type(told) is not dict or type(told.get("kind")) is not str:
        return None
    at, name = told.get("at", ""), told.get("name", "")
    if type(at) is not str or type(name) is not str:
        return None
    return {**told, "kind": shown(told["kind"], 40), "at": shown(at, 200), "name": shown(name, 80)}


def of(kind: type[Kind], event: Event, key: str, default: Kind) -> Kind:
    """A field, where it is of exactly this type; else the default."""
    value = event.get(key)
    return value if type(value) is kind else default


def numbers(event: Event, key: str) -> list[int]:
    """A list of whole numbers, not negative; empty for anything else."""
    values = event.get(key)
    return values if type(values) is list and all(type(v) is int and v >= 0 for v in values) else []


@dataclass
class Loader:
    """A loader as it was asked for. `files`: which file of the data set each row is, None where that is not known."""

    program: int
    number: int
    at: str
    name: str
    rows: int
    shuffle: bool
    batch: int
    drop_last: bool
    transforms: list[str]
    files: list[int] | None = None
    trained: bool = False  # a step followed on one of its batches
    passes: int = 0
    first: int = 0  # which event began its first pass
    forwards: list[Event] = field(default_factory=list)

    @property
    def stated(self) -> str:
        """The set that its name says it is, '' for none."""
        return next((s for s, words in WORDS if words.search(self.name)), "")


@dataclass
class Facts:
    """What a rehearsal has shown. `sets`: what each loader is of SETS; `split`: set -> files in row order.

    `again`: the split of a second rehearsal: 'same', other with the 'listing', or 'other'; '' none to compare.
    """

    loaders: list[Loader] = field(default_factory=list)
    sets: dict[tuple[int, int], str] = field(default_factory=dict)
    split: dict[str, list[int]] = field(default_factory=dict)
    optimizers: list[dict[str, Any]] = field(default_factory=list)
    pretrained: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    again: str = ""

    def as_document(self, files: list[str]) -> dict[str, Any]:
        """As JSON; files by their names."""
        return {
            "split": {name: [files[row] for row in rows] for name, rows in self.split.items()},
            "loaders": [
                {"at": x.at, "name": x.name, "set": self.sets.get((x.program, x.number), ""), "rows": x.rows,
                 "batch": x.batch, "shuffle": x.shuffle, "drop_last": x.drop_last, "transforms": x.transforms,
                 "trained": x.trained, "passes": x.passes}
                for x in self.loaders
            ],
            "optimizers": self.optimizers, "pretrained": self.pretrained, "seeds": self.seeds,
        }  # fmt: skip


def facts_of(events: Iterable[Event], images: int) -> Facts:
    """What the events of all programs say. `images`: how many there are; rows beyond them are forgotten."""
    found = Facts()
    known: dict[tuple[int, int], Loader] = {}
    fed: tuple[int, int] = (-1, -1)
    program = -1
    for number, event in enumerate(events, 1):
        kind = event["kind"]
        if kind == "start":
            program = of(int, event, "program", program)
        key = (program, of(int, event, "loader", -1))
        if kind == "loader":
            known[key] = _loader(program, event)
        elif kind == "rows" and key in known:
            loader = known[key]
            loader.files = (loader.files or []) + [n for n in numbers(event, "rows") if n < images]
        elif kind == "pass" and key in known:
            known[key].passes += 1
            known[key].first = known[key].first or number
        elif kind == "forward":
            fed = key
            if key in known:
                known[key].forwards.append(event)
        elif kind == "step" and fed in known:
            known[fed].trained = True
        elif kind == "optimizer":
            about = {"at": event["at"], "type": shown(event.get("type", ""), 40)}
            settings = event.get("settings")
            found.optimizers.append(about | {"settings": settings if type(settings) is dict else {}})
        elif kind == "pretrained":
            found.pretrained.append(shown(event.get("what", ""), 80))
        elif kind == "seed" and type(event.get("seed")) is int:
            found.seeds.append(event["seed"])
    found.loaders = list(known.values())
    found.sets = sets_of(found.loaders)
    found.split = split_of(found)
    return found


def _loader(program: int, event: Event) -> Loader:
    steps = [shown(s, 80) for s in of(list, event, "transforms", []) if type(s) is str]
    return Loader(program, of(int, event, "loader", -1), event["at"], event["name"], of(int, event, "rows", 0),
                  of(bool, event, "shuffle", False), of(int, event, "batch", 0), of(bool, event, "drop_last", False),
                  steps, [] if event.get("files") is True else None)  # fmt: skip


def sets_of(loaders: list[Loader]) -> dict[tuple[int, int], str]:
    """Which set each loader is of: by its name; else trained on is 'train', of two others the first used is 'val'."""
    found: dict[tuple[int, int], str] = {}
    named = {x.stated for x in loaders}
    for x in loaders:
        if x.stated:
            found[x.program, x.number] = x.stated
        elif x.trained:
            found[x.program, x.number] = "train"
    # The same rows are the same set, also where another program loads them under another name.
    rows = {
        tuple(x.files): found[x.program, x.number]
        for x in loaders
        if x.files and (x.program, x.number) in found
    }
    others: dict[object, str] = {}
    for x in sorted(loaders, key=lambda x: (x.program, x.first or math.inf)):
        key = (x.program, x.number)
        if key in found:
            continue
        if x.files and (listed := tuple(x.files)) in rows:
            found[key] = rows[listed]
            continue
        same: object = tuple(x.files) if x.files else (x.at, x.rows)
        free = [s for s in ("val", "test") if s not in named and s not in others.values()]
        if same not in others and free:
            others[same] = free[0]
        found[key] = others.get(same, "")
    return found


def split_of(facts: Facts) -> dict[str, list[int]]:
    """The three sets in row order, where every loader of a set has the same files and no file is in two sets."""
    split: dict[str, list[int]] = {}
    for x in facts.loaders:
        name = facts.sets.get((x.program, x.number), "")
        if not name or not x.files or len(x.files) != x.rows:
            continue
        if name in split and split[name] != x.files:
            if sorted(split[name]) != sorted(x.files):
                return {}
            continue
        split[name] = x.files
    listed = [n for rows in split.values() for n in rows]
    return split if len(set(listed)) == len(listed) and len(split) > 1 else {}
