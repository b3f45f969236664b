"""Small files of settings that a program opens: JSON, and the plain part of YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from in4310.submission.files import walk
from in4310.submission.formats import parse_json, read_text
from in4310.submission.values import UNKNOWN

BYTES, LINES = 64 * 2**10, 1000
SUFFIXES = (".json", ".yaml", ".yml")
FILES, NODES = 100, 10_000  # that are looked through for a seed; values of one of them
_SEED = re.compile(r"(?:.{0,30}[_. -])?(?:seed|random_?state)|frø", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{0,18})?(?:[eE][+-]?\d{1,3})?|[+-]?\.\d{1,18}")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": UNKNOWN}


class SettingsFiles:
    """Call it with a path as the program has it: what stands in the only file that it may be; else UNKNOWN."""

    def __init__(self, folder: Path, begin: Callable[[str], None], without: Container[str]):
        self._folder, self._begin, self._without = folder, begin, without
        self._read: dict[str, Any] = {}

    def __call__(self, path: str) -> Any:
        """Plain values, nested; UNKNOWN for a file that is not there, large, or of another format."""
        name = PurePosixPath(path.replace("\\", "/")).name
        if name not in self._read:
            self._read[name] = self._content(name)
        return self._read[name]

    def _content(self, name: str) -> Any:
        suffix = PurePosixPath(name).suffix
        if suffix not in SUFFIXES:
            return UNKNOWN
        found = [f for f in walk(self._folder, (suffix,)) if PurePosixPath(f).name == name]
        if len(found) != 1 or found[0] in self._without:
            return UNKNOWN
        self._begin(found[0])
        return _plain(self._folder / found[0])


def stated_seeds(
    folder: Path, begin: Callable[[str], None], without: Container[str]
) -> list[tuple[int, str]]:
    """(seed, file) of each file of settings that states one, what stands alone in its file before what is nested."""
    found = []
    for file in [f for f in walk(folder, SUFFIXES) if f not in without][:FILES]:
        begin(file)
        found += [(depth, seed, file) for depth, seed in _seeds(_plain(folder / file))]
    found.sort(key=lambda item: item[0])
    return [(seed, file) for _, seed, file in found]


def _seeds(whole: Any) -> Iterator[tuple[int, int]]:
    """(depth, seed), each number once."""
    level, depth, nodes, said = [whole], 0, 0, set[int]()
    while level and nodes < NODES:
        named = [(k, v) for table in level if isinstance(table, dict) for k, v in table.items()]
        for name, value in named:
            if (
                type(value) is int
                and 0 <= value < 2**32
                and value not in said
                and _SEED.fullmatch(str(name)[:60])
            ):
                said.add(value)
                yield depth, value
        inside = [v for _, v in named] + [v for values in level if isinstance(values, list) for v in values]
        level, depth, nodes = (
            [v for v in inside if isinstance(v, dict | list)],
            depth + 1,
            nodes + len(inside),
        )


def _plain(path: Path) -> Any:
    """What stands in a file of settings; UNKNOWN where it cannot be read, or is large."""
    try:
        if path.stat().st_size > BYTES:
            return UNKNOWN
        text = read_text(path)
        return parse_json(text) if path.suffix == ".json" else nested_settings(text)
    except (ValueError, OSError):
        return UNKNOWN


def nested_settings(text: str) -> dict[str, Any]:
    """'name: value' of a YAML file, nested by indentation; what is written in any other form is left out."""
    whole: dict[str, Any] = {}
    open_tables = [(-1, whole)]  # with the indentation of the name that each stands under
    for line in text.splitlines()[:LINES]:
        indent = len(line) - len(line.lstrip(" "))
        name, mark, rest = line.strip().partition(":")
        if not mark or name.startswith(("#", "-", "?", "<<")) or (rest and rest[0] not in " \t"):
            continue
        while indent <= open_tables[-1][0]:
            open_tables.pop()
        table, name = open_tables[-1][1], name.strip().strip("\"'")
        value = _scalar(rest.partition(" #")[0].strip())
        if not rest.partition(" #")[0].strip():
            value = {}
            open_tables.append((indent, value))
        if name in table:
            value = UNKNOWN  # twice
        table[name] = value
    return whole


def flat_settings(text: str) -> dict[str, str]:
    """The scalars at the top of a YAML file of hyperparameters, as texts; of W&B's the 'value' below each name."""
    found = {n: v.get("value") if isinstance(v, dict) else v for n, v in nested_settings(text).items()}
    return {
        name: str(value)
        for name, value in found.items()
        if value is not UNKNOWN and value is not None and not isinstance(value, dict)
        and not name.startswith(("_", "wandb"))
    }  # fmt: skip


def _scalar(text: str) -> Any:
    if text[:1] in ("'", '"') and text[-1:] == text[:1]:
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    return UNKNOWN if text[:1] in "!&*{[|>@`%" else text
