"""Figures of a network's modules that a submission claims, in one form: shares of non-positive values and spectra.

As in `claims`: None is returned when the document is something else, and nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from in4310.submission.claims import Document, words
from in4310.submission.tables import Table, flatten, number, numbers_in, plain

# -- non-positive share ----------------------------------------------------------------------------

_MODULE = re.compile(r"(conv1|bn1|relu|maxpool|layer[1-4]|stage[1-4]|avgpool|fc|conv\d|bn\d)(\.[\w.]+)?")


def is_module(name: str) -> bool:
    """Whether a name may be that of a module of a ResNet."""
    return bool(_MODULE.fullmatch(name.strip().removeprefix("model.").removeprefix("module.")))


_HINT = re.compile(r"pos|≤|<\s?=|\\le", re.IGNORECASE)


def says_non_positive(text: str) -> bool:
    """Whether a text speaks of values that are not positive."""
    if not _HINT.search(text):
        return False
    said = words(text)
    close = text.replace(" ", "")
    pairs = pairwise(said)
    return (
        bool({"nonpositive", "nonpos", "ikkepositive", "ikkepositiv"} & {*said})
        or any(a in ("non", "not") and b in ("positive", "pos") for a, b in pairs)
        or any(sign in close for sign in ("≤0", "<=0", "\\leq0", "\\le0"))
    )


def share_column(titles: Sequence[str]) -> int | None:
    """The column of such shares, where a table's headings name one: by what it counts, else by its unit."""
    units = [i for i, t in enumerate(titles) if "%" in t or {"percent", "percentage", "share"} & {*words(t)}]
    said = [i for i, title in enumerate(titles) if says_non_positive(title)] or units
    return said[0] if len(said) == 1 else None


_SHARE = {"positive", "nonpositive", "percent", "percentage", "share", "prosent", "zeros"}


def as_non_positive(document: Document) -> dict[str, Any] | None:
    """{'percent': {module: number}, 'images': [paths] when stated}; None when it is something else."""
    if isinstance(document, Table):
        percent = _shares_of_table(document)
        return {"percent": percent} if percent else None
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("percent"), Mapping):  # the house's form: what is no number is seen, too
        shares = {module_name(str(m)): plain(v) for m, v in document["percent"].items()}
        return {**document, "percent": shares}
    # Any other object: of each number the module is its own name, or, where that says that it is a share, one above it.
    found: dict[str, Any] = {}
    images: dict[str, Any] = {}
    for path, leaf in flatten(document):
        if path and path[-1] in ("images", "paths") and isinstance(leaf, list):
            images = {"images": leaf}
        elif path and isinstance(leaf, str | int | float) and not isinstance(leaf, bool):
            value = number(leaf) if isinstance(leaf, str) else leaf
            module = path[-1] if is_module(path[-1]) else None
            if module is None and _SHARE & set(words(path[-1])):
                module = next((p for p in reversed(path) if is_module(p)), None)
            if module and value is not None:
                found.setdefault(module_name(module), value)
    return {"percent": found} | images if found else None


def _shares_of_table(table: Table) -> dict[str, Any]:
    """A row a module, with its share in a column of that name or the last number; or a column a module."""
    column = share_column(table.header)
    column = table.column("value") if column is None else column
    percent: dict[str, Any] = {}
    for row in table.rows:
        names = [cell for cell in row if is_module(cell)]
        values = [value for cell in row if (value := number(cell)) is not None]
        last = values[-1] if values else None
        value = last if column is None or column >= len(row) else number(row[column])
        if names and value is not None:
            percent[module_name(names[0])] = value
    if not percent and table.header and len(table.rows) == 1:
        percent = {module_name(t): number(c) for t, c in zip(table.header, table.rows[0], strict=False)
                   if is_module(t) and number(c) is not None}  # fmt: skip
    return percent


def module_name(name: str) -> str:
    """The house's name of a module: stage1 is layer1, without what wraps the network."""
    return re.sub(r"^stage(?=\d)", "layer", name.strip().removeprefix("model.").removeprefix("module."))


# -- eigenvalues -----------------------------------------------------------------------------------

_DATA = {
    "course": "course", "scenes": "course", "mandatory": "course", "mandatory1": "course", "intel": "course",
    "own": "course", "imagenet": "imagenet", "ilsvrc": "imagenet", "cifar10": "cifar10", "cifar": "cifar10",
    "shapes": "shapes", "tiny": "tiny",
}  # fmt: skip
_UNTUNED = {"untuned", "pretrained", "initial", "before", "base", "original", "untrained", "raw", "utrent",
            "utunet"}  # fmt: skip
_TUNED = {"tuned", "finetuned", "trained", "fine", "best", "after", "ours", "trent", "finjustert", "etter"}
# Untuned, where a name does not say tuned as well.
_BEGUN = {"random", "init", "initialised", "initialized", "start"}


def _network(names: Iterable[str]) -> str | None:
    """Which network names speak of: what the innermost says that says it."""
    for said in (set(_tokens(name)) for name in reversed([*names])):
        if said & (_UNTUNED | _TUNED | _BEGUN):
            return "untuned" if said & _UNTUNED or not said & _TUNED else "tuned"
    return None


def as_eigenvalues(leaves: Iterable[tuple[Sequence[str], Any]], name: str) -> dict[str, Any] | None:
    """{'series': [{'model', 'data', 'paths', 'modules': {module: [numbers]}}]} from named lists of numbers.

    `leaves`: (names that lead to it, list of numbers). Which network and which data set, the names must say: without,
    a series is of the trained network on the course's images, and says so in 'assumed'. Lists whose names say which
    network come first; another for the same module is left out, its names in 'twice' where it differs.
    """
    series: dict[tuple[str, str], dict[str, Any]] = {}
    twice: list[str] = []
    networks = [(_network((name, *path)), path, leaf) for path, leaf in leaves]
    for network, path, leaf in sorted(networks, key=lambda one: one[0] is None):
        if not isinstance(leaf, list) or not leaf or not all(isinstance(v, int | float) for v in leaf):
            continue
        module = module_in(path)
        if module is None:
            continue
        said = [w for p in (name, *path) for w in _tokens(p)]
        named = [_DATA[w] for w in said if w in _DATA]
        data = named[-1] if named else "course"
        model = network or ("tuned" if data == "course" else "untuned")
        one = series.setdefault((model, data), {"model": model, "data": data, "modules": {}})
        if one["modules"].setdefault(module, leaf) != leaf:
            twice.append("/".join(filter(None, path)))
        if not named:
            one["assumed"] = "the names do not say which data set: taken as the course's"
    return {"series": list(series.values())} | ({"twice": twice} if twice else {}) if series else None


def records_of_spectra(document: Any, depth: int = 8) -> list[Mapping[str, Any]]:
    """The records of spectra in a document: itself, or those under its keys at any depth."""
    if is_record_of_spectra(document):
        return [document]
    inside = document.values() if isinstance(document, Mapping) and depth else ()
    return [record for value in inside for record in records_of_spectra(value, depth - 1)]


def is_record_of_spectra(document: Any) -> bool:
    """Whether it is the reference's own form: {'series': [{'model', 'data', 'paths', 'modules': {...}}, ...]}."""
    series = document.get("series") if isinstance(document, Mapping) else None
    if not isinstance(series, list) or not series:
        return False
    return all(isinstance(one, Mapping) and isinstance(one.get("modules"), Mapping) for one in series)


def record_of_spectra(document: Mapping[str, Any]) -> dict[str, Any]:
    """That record with the house's names of modules, networks and data sets, where others are used that we know."""

    def renamed(one: Mapping[str, Any]) -> dict[str, Any]:
        found = {**one, "modules": {module_name(str(m)): values for m, values in one["modules"].items()}}
        for name in ("model", "data"):
            said = _tokens(value) if isinstance(value := one.get(name), str) else []
            if name == "data":
                own = {_DATA[word] for word in said if word in _DATA}
            else:
                own = {network} if (network := _network(said)) else set()
            found |= {name: own.pop()} if len(own) == 1 else {}
        return found

    return {**document, "series": [renamed(one) for one in document["series"]]}


def module_in(names: Sequence[str]) -> str | None:
    """The module that one of the names is, or holds between spaces, dashes or underscores; the last of them."""
    cut = re.compile(r"[\s/|:,]+|__|-|(?<=[a-z0-9])_(?=[a-z])")
    parts = [part for name in names for part in (name, *cut.split(name))]
    return next((module_name(part) for part in reversed(parts) if is_module(part)), None)


def lists_in(table: Table) -> Iterable[tuple[tuple[str, ...], list[float]]]:
    """Named lists of numbers in a table: a column a module, a row a module, or a row a value ('long' form)."""
    # Headings that name modules decide for columns. Else the texts of a row are its name, and rows of one name are
    # gathered; a list of one number is no list, and is left out at the end.
    columns = {i: title for i, title in enumerate(table.header) if module_in([title])}
    if columns:
        for i, title in columns.items():
            values = [v for row in table.rows if i < len(row) and (v := number(row[i])) is not None]
            if len(values) > 1:
                yield (title,), values
        return
    if (alone := _one_column(table)) is not None:
        yield (), alone
        return
    grouped: dict[tuple[str, ...], list[float]] = {}
    for row in table.rows:
        names = tuple(cell for cell in row if cell and number(cell) is None and not numbers_in(cell))
        values = [v for cell in row if (v := number(cell)) is not None]
        values += [v for cell in row for v in numbers_in(cell) or () if number(cell) is None]
        if module_in(names) is None or not values:
            continue
        # Three numbers and more are the list itself; one or two are (an index and) one value of it.
        grouped.setdefault(names, []).extend(values if len(values) > 2 else values[-1:])
    for names, values in grouped.items():
        if len(values) > 1:
            yield names, values


def _one_column(table: Table) -> list[float] | None:
    """The numbers of a table that has nothing else but perhaps their index, 0, 1, 2 ... or 1, 2, 3 ..."""
    rows = [[number(cell) for cell in row] for row in table.rows]
    if len(rows) < 2 or any(None in row for row in rows) or len({len(row) for row in rows}) > 1:
        return None
    columns = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
    if len(columns) == 2 and columns[0] in ([*range(len(rows))], [*range(1, len(rows) + 1)]):
        return columns[1]
    return columns[0] if len(columns) == 1 else None


_NEGATED = {"un", "non", "not", "pre", "ikke"}


def _tokens(text: str) -> list[str]:
    spaced = re.sub(r"[^a-z0-9]+", " ", text.lower())
    said = spaced.replace("cifar 10", "cifar10").replace("fine tuned", "finetuned").split()
    negated = {b for a, b in pairwise(said) if a in _NEGATED and b in ("tuned", "finetuned", "trained")}
    return [*(w for w in said if w not in negated), *(["untuned"] if negated else [])]
