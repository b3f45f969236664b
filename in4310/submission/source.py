"""What a submission's own source says: calls with their literal arguments and places, read from the syntax tree only.

Nothing is imported or run. Reading is done in a confined child where there is one: a parser that is fed a stranger's
text can die.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from in4310.submission.calls import ARGV, BYTES, CALLS, DIFFERENCE, Call, Calls
from in4310.submission.files import walk
from in4310.submission.sandbox import notebooks
from in4310.submission.settings_files import SettingsFiles

FILES = 200
LITERALS = (type(None), bool, int, float, str)
Begin = Callable[[str], None]


def _quiet(file: str) -> None:
    """Nobody is told."""


def read_calls(folder: Path, begin: Begin = _quiet, without: Container[str] = ()) -> list[Call]:
    """All calls in the Python files and notebooks below a folder, in the order of files and lines; bounded.

    A constant of any file, a small file of settings among them, stands for its value where that is certain.
    `begin` is told each file before it is read; those in `without` are not.
    """
    calls = Calls()
    for file, cell, source in _sources(folder, begin, without):
        calls.read(file, cell, source)
        if calls.full:
            break
    return calls.found(SettingsFiles(folder, begin, without))


def read_code(folder: Path, most: int, begin: Begin = _quiet, without: Container[str] = ()) -> str:
    """The code in the Python files and notebooks below a folder, one after the other, cut at `most` characters."""
    found, size = [], 0
    for _, _, source in _sources(folder, begin, without):
        found.append(source[: most - size])
        size += len(found[-1]) + 1
        if size >= most:
            break
    return "\n".join(found)[:most]


def _sources(folder: Path, begin: Begin, without: Container[str]) -> Iterator[tuple[str, int, str]]:
    """(file, cell, text) of all code; files that are too large are left out."""
    for file in code_files(folder):
        if file in without:
            continue
        begin(file)
        path = folder / file
        try:
            if path.stat().st_size > BYTES * (16 if file.endswith(".ipynb") else 1):
                continue
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            continue
        for cell, source in _cells(file, text):
            yield file, cell, source


def as_document(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """As it comes out of a child."""
    return [asdict(call) for call in calls]


def from_document(document: Any) -> list[Call]:
    """Calls from what came out of a child, each field of its exact type; others are left out."""
    kinds = {"file": str, "line": int, "name": str, "arguments": list, "keywords": dict, "target": str,
             "inside": str, "cell": int, "means": str}  # fmt: skip
    entries = [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []
    exact = [entry for entry in entries if {k: type(v) for k, v in entry.items()} == kinds]
    exact = [e for e in exact if all(type(v) in LITERALS for v in (*e["arguments"], *e["keywords"].values()))]
    return [Call(**{**entry, "arguments": tuple(entry["arguments"])}) for entry in exact[:CALLS]]


def code_files(folder: Path) -> list[str]:
    """Python files and notebooks below a folder, relative to it; nothing hidden, nothing that links elsewhere."""
    return sorted(walk(folder, (".py", ".ipynb")), key=lambda f: (len(PurePosixPath(f).parts), f))[:FILES]


def _cells(file: str, text: str) -> Iterator[tuple[int, str]]:
    if not file.endswith(".ipynb"):
        yield 0, text
        return
    try:
        cells = json.loads(text)["cells"]
        for number, cell in enumerate(cells, 1):
            if cell.get("cell_type") == "code":
                yield number, notebooks.plain("".join(cell.get("source", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


# -- what the checks ask for ----------------------------------------------------------------------------


SEEDING = {"seed", "manual_seed", "manual_seed_all", "default_rng", "randomstate", "random", "set_seed",
           "seed_everything"}  # fmt: skip
BUILDERS = {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "get_model"}


def seeds(calls: Iterable[Call]) -> list[tuple[int, Call]]:
    """Seeds given as literals to generators and to functions that split, those of a split first."""
    found: list[tuple[int, int, Call]] = []
    for call in calls:
        name = call.last.lower()
        value = next((v for k, v in call.keywords.items() if k in ("random_state", "seed")), None)
        if value is None and name in SEEDING and call.arguments:
            value = call.arguments[0]
        if type(value) is int and 0 <= value < 2**32:
            about_split = "split" in f"{name} {call.inside} {call.file}".lower()
            found.append((0 if about_split else 1, value, call))
    found.sort(key=lambda item: item[0])
    return [(value, call) for _, value, call in found]


# Of an expression that is not resolved the words: `<ResNet18_Weights.DEFAULT>`, `<weights>` alone says nothing.
IMAGENET = re.compile(r"^[^<]|weights\.|imagenet|default", re.I)


def starts(calls: Iterable[Call]) -> list[tuple[str, Call]]:
    """'imagenet' or 'scratch' for each ResNet that the source builds, of torchvision, timm or Hugging Face."""
    found = []
    for call in calls:
        told = _of_hubs(call)
        if call.last.lower() in BUILDERS:
            weights = call.given("weights", 1 if call.last == "get_model" else None)
            pretrained = call.given("pretrained", 0 if call.last != "get_model" else None)
            if (
                any(isinstance(v, str) and IMAGENET.search(v) for v in (weights, pretrained))
                or pretrained is True
            ):
                told = "imagenet"
            elif weights is None and pretrained in (None, False):
                told = "scratch"
        if told:
            found.append((told, call))
    return found


def _of_hubs(call: Call) -> str:
    """What a ResNet starts from that timm, torch.hub or Hugging Face gives; '' for any other call."""
    texts = [a for a in call.arguments[:2] if isinstance(a, str) and not a.startswith("<")]
    if not texts or "resnet" not in texts[-1].lower():
        return ""
    if call.name in ("timm.create_model", "create_model", "torch.hub.load"):
        return {True: "imagenet", False: "scratch", None: "scratch"}.get(call.given("pretrained"), "")
    known = call.last == "from_pretrained" and texts[0].lower().startswith(
        ("microsoft/resnet", "timm/resnet")
    )
    return "imagenet" if known else ""


def needed_arguments(calls: Iterable[Call]) -> list[Call]:
    """Command-line arguments without a default: positional ones, those marked required, and elements of sys.argv."""
    found = []
    for call in calls:
        if call.name == ARGV:
            found.append(call)
        if call.last != "add_argument" or not call.arguments or not isinstance(call.arguments[0], str):
            continue
        positional = not call.arguments[0].startswith(("-", "<"))
        optional = call.given("nargs") in ("?", "*")
        if (positional and not optional) or call.given("required") is True:
            found.append(call)
    return found


def comparisons(calls: Iterable[Call]) -> list[tuple[float | None, Call]]:
    """Comparisons of arrays, each with the largest tolerance given as a number; None: the library's own."""
    found = []
    for call in calls:
        if call.last not in ("allclose", "isclose", "assert_allclose", "assert_close", "array_equal", "equal",
                             "assert_array_equal", "assert_array_almost_equal", DIFFERENCE):  # fmt: skip
            continue
        given = [call.given(keyword, place) for keyword, place in (("rtol", 2), ("atol", 3))]
        numbers = [float(v) for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
        exact = "equal" in call.last and "almost" not in call.last
        found.append((0.0 if exact else max(numbers) if numbers else None, call))
    return found


# Run by others.
NO_SCRIPTS = ("conftest.py", "setup.py", "sitecustomize.py", "usercustomize.py", "__init__.py")
MAIN = re.compile(r"main|run|train|oblig|mand|assign|in\d{4}")


def scripts(calls: Iterable[Call]) -> list[str]:
    """Python files and notebooks that do something when they are run: a call outside of any function.

    Where some are named like the main one ('main.py', 'oblig1.ipynb'), only those.
    """
    found = list(dict.fromkeys(call.file for call in calls if not call.inside))
    found = [f for f in found if PurePosixPath(f).name not in NO_SCRIPTS]
    return [f for f in found if MAIN.search(PurePosixPath(f).stem.lower())] or found
