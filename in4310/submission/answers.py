"""What a reader's child answers, brought to its types: a field of any other type refuses the whole answer.

This and `plain` are all that the judge itself does with what was handed in: linear, and total for every answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from in4310.shown import shown
from in4310.submission.discovery import Candidate
from in4310.submission.documents import Stated
from in4310.submission.formats import SETS, SIDE
from in4310.submission.looks import Look
from in4310.submission.panels import MOST, Panels
from in4310.submission.panels import SIDE as PANEL
from in4310.submission.pieces import KINDS
from in4310.submission.plain import all_of, of, require, unpack
from in4310.submission.sandbox.worker import Answer
from in4310.submission.state_dicts import DEPTHS, Network

FIELDS = {"candidates", "places", "wrong", "notes", "networks", "saved", "values"}


@dataclass(frozen=True)
class Found:
    """What discovery found. `candidates`: piece -> candidates, best first, the first with its value; `places`: pieces
    read where they were stated or usually lie; `wrong`: piece -> why nothing in its place could be read; `networks`:
    'model' and 'untuned' -> all networks that may be it; `saved`: notebook -> names of pictures that it has saved."""

    candidates: Mapping[str, list[Candidate]]
    places: frozenset[str] = frozenset()
    wrong: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    networks: Mapping[str, list[Candidate]] = field(default_factory=dict)
    saved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def found_of(answer: Answer) -> Found:
    """What the task 'discover' answered. Raises NotPlain."""
    told = of(dict, answer.result)
    require(set(told) == FIELDS)
    told = {k: unpack(v, answer.arrays if k == "values" else {}) for k, v in told.items()}
    values = of(list, told["values"])

    def listed(name: str, pieces: Mapping[str, Any] | tuple[str, ...]) -> dict[str, list[Candidate]]:
        given = of(dict, told[name])
        return {p: [_candidate(p, one, values) for one in of(list, given.get(p, []))] for p in pieces}

    saved = {f: all_of(str, names) for f, names in of(dict, told["saved"]).items()}
    return Found(
        listed("candidates", KINDS),
        frozenset(all_of(str, told["places"])),
        {piece: shown(of(str, why)) for piece, why in of(dict, told["wrong"]).items()},
        tuple(map(shown, all_of(str, told["notes"]))),
        listed("networks", ("model", "untuned")),
        {_inside(f): tuple(name for name in names if _inside(f"{f}/{name}")) for f, names in saved.items()},
    )


def _candidate(piece: str, told: Any, values: list[Any]) -> Candidate:
    require(len(of(list, told)) == 4)
    files, why, strength, index = told
    require(bool(of(list, files)))
    value = None
    if index is not None:
        require(0 <= of(int, index) < len(values))
        value = _VALUES.get(piece, _nothing)(values[index])
    return Candidate(piece, tuple(map(_inside, files)), shown(of(str, why)), of(float, strength), value)


def _inside(file: Any) -> str:
    path = PurePosixPath(of(str, file))
    require(bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in file)
    return str(file)


def _split(value: Any) -> dict[str, tuple[str, ...]]:
    require(set(of(dict, value)) == set(SETS))
    return {name: tuple(all_of(str, value[name])) for name in SETS}


def _scores(value: Any) -> np.ndarray:
    return of(np.ndarray, value)


def _network(value: Any) -> Network | None:
    if value is None:
        return None
    require(len(of(list, value)) == 4)
    depth, outputs, names, how = value
    all_of(str, list(of(dict, names).values()))
    require(of(int, depth) in DEPTHS and of(int, outputs) >= 0)
    return Network(depth, outputs, names, shown(of(str, how)))


def _history(value: Any) -> dict[str, Any]:
    for run in of(dict, value).values():
        all_of(dict, of(dict, run).get("epochs"))
        of(dict, run.get("settings", {}))
    return _record(value)


def _record(value: Any) -> dict[str, Any]:
    """A table as JSON has it, without arrays."""
    level: list[Any] = [of(dict, value)]
    while level:
        require(not any(type(v) is np.ndarray for v in level))
        inner = [v.values() if type(v) is dict else v for v in level if type(v) in (dict, list)]
        level = [v for values in inner for v in values]
    return of(dict, value)


def _nothing(value: Any) -> None:
    require(value is None)


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "split": _split,
    **dict.fromkeys(("scores", "scores_val"), _scores),
    **dict.fromkeys(("model", "untuned"), _network),
    "history": _history,
    **dict.fromkeys(
        ("metrics", "ranking", "non_positive", "eigenvalues", "resources", "reproduction"), _record
    ),
}


def panels_of(answer: Answer) -> Panels:
    """What the task 'panels' answered. Raises NotPlain."""
    noise, small = of(bool, unpack(answer.result, {})), answer.arrays.get("panels")
    if small is None:
        return Panels(noise=noise)
    require(small.dtype == np.uint8 and small.shape[1:] == (PANEL, PANEL, 3) and len(small) <= MOST)
    return Panels(small, noise)


def look_of(answer: Answer) -> Look:
    """What the task 'look' answered. Raises NotPlain."""
    told = all_of(str, unpack(answer.result, {}))
    require(len(told) == 2)
    pixels = answer.arrays.get("pixels")
    if pixels is not None:
        require(pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3)
        require(pixels.size > 0 and max(pixels.shape) <= SIDE)
    return Look(pixels, shown(told[0], 200), told[1])


def seeds_of(answer: Answer) -> list[tuple[int, str]]:
    """What the task 'seeds' answered. Raises NotPlain."""
    told = all_of(list, unpack(answer.result, {}))
    require(all(len(one) == 2 and 0 <= of(int, one[0]) < 2**32 for one in told))
    return [(seed, _inside(file)) for seed, file in told]


def stated_of(answer: Answer) -> tuple[list[Stated], list[Stated]]:
    """What the task 'document' answered. Raises NotPlain."""
    told = of(list, unpack(answer.result, {}))
    require(len(told) == 2)
    figures, shares = ([_stated(one) for one in of(list, listed)] for listed in told)
    require(all(len(s.what) in (2, 3) for s in figures) and all(len(s.what) == 1 for s in shares))
    return figures, shares


def _stated(one: Any) -> Stated:
    require(len(of(list, one)) == 3)
    what, value, page = one
    require(math.isfinite(of(float, value)) and of(int, page) > 0)
    return Stated(tuple(all_of(str, what)), value, page)
