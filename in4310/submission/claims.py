"""Figures that a submission claims, from whatever table they stand in, brought to one form for the checks.

Each `as_...` function takes a parsed document (JSON object or list) or a Table and returns the house's form, or None
when the document is something else. They judge nothing: a wrong figure comes out as wrong as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from in4310.submission.formats import SET_NAMES
from in4310.submission.tables import Table, flatten, key, number, plain

Document = Any
Nested = dict[str, dict[str, Any]]
_LOSS = ("loss", "losses", "cost", "crossentropy")
_ACCURACY = ("accuracy", "acc", "accuracies", "top1")
_AP = ("ap", "average_precision", "avg_precision", "averageprecision")
_MAP = ("map", "mean_ap", "mean_average_precision", "m_ap", "macro_ap")


def words(text: str) -> list[str]:
    """'best_valLoss' -> ['best', 'val', 'loss']."""
    return [w for w in key(text).split("_") if w]


def set_of(text: str) -> str | None:
    """train, val or test, when a name says exactly one of them."""
    said = {SET_NAMES[w] for w in words(text) if w in SET_NAMES}
    return said.pop() if len(said) == 1 else None


def measure(text: str) -> str | None:
    """loss, accuracy, map or ap, when a name says it; else None."""
    said = words(text)
    rest = "_".join(w for w in said if w not in {*SET_NAMES, "epoch", "mean", "avg", "overall", "total"})
    average = "mean" in said and ("ap" in said or {"average", "precision"} <= set(said))
    if any(w in _LOSS for w in said):
        return "loss"
    if rest in _MAP or "map" in said or average:
        return "map"
    if rest in _AP or "ap" in said or "average_precision" in key(text):
        return "ap"
    if any(w in _ACCURACY for w in said):
        return "accuracy"
    return None


# -- metrics ---------------------------------------------------------------------------------------


def as_metrics(document: Document, name: str, classes: Sequence[str]) -> Nested | None:
    """set -> accuracy, accuracy_per_class, mean_accuracy, ap_per_class, map, as far as they are there; or None."""
    # Each number of the document comes to `put` with the names that lead to it. Their words say the set (else that of
    # the file), the class and the measure; what says no measure is left aside, and of two the first is kept.
    found: Nested = {}
    default = set_of(name) or "test"
    index = {key(c): c for c in classes}

    def put(path: Sequence[str], value: Any) -> None:
        figure = number(value)
        if figure is None:
            return
        said = [w for part in path for w in words(part)]
        table = found.setdefault(set_of(" ".join(path)) or default, {})
        own = [index[w] for w in said if w in index] or _numbered(said, classes)
        text = "_".join(w for w in said if w not in SET_NAMES and w not in index)
        kind = measure(text)
        if own and kind in ("accuracy", "ap", "map"):
            of_classes = "accuracy_per_class" if kind == "accuracy" else "ap_per_class"
            table.setdefault(of_classes, {})[own[0]] = figure
        elif kind == "accuracy":
            mean = "mean" in said or "average" in said or "avg" in said or "balanced" in said
            table.setdefault("mean_accuracy" if mean else "accuracy", figure)
        elif kind in ("map", "ap"):
            table.setdefault("map", figure)

    if isinstance(document, Table):
        _metrics_of_table(document, index, put)
    elif isinstance(document, Mapping):
        # The house's own names first: what else sounds like them is not taken in their place.
        for path, leaf in sorted(flatten(document), key=lambda item: item[0][-1:] not in _HOUSE):
            if isinstance(leaf, list) and len(leaf) == len(classes):
                for c, value in zip(classes, leaf, strict=True):
                    put((*path, c), value)
            else:
                put(path, leaf[0] if isinstance(leaf, list) and len(leaf) == 1 else leaf)
        _keep_odd_values(document, index, found)
    return {k: v for k, v in found.items() if v} or None


_HOUSE = (("accuracy",), ("mean_accuracy",), ("map",), ("accuracy_per_class",), ("ap_per_class",))


def _keep_odd_values(document: Mapping[str, Any], index: Mapping[str, str], found: Nested) -> None:
    """What the house's own names hold that is no number or of no class is kept, so that the checks can say it."""
    for name in ("val", "test"):
        table = document.get(name)
        for (kind,) in _HOUSE if isinstance(table, Mapping) else ():
            value = table.get(kind)  # type: ignore[union-attr]
            if isinstance(value, Mapping) and kind.endswith("per_class"):
                own = found.setdefault(name, {}).setdefault(kind, {})
                own |= {c: v for c, v in value.items() if number(v) is None or key(c) not in index} | own
            elif value is not None and not isinstance(value, list) and number(value) is None:
                found.setdefault(name, {})[kind] = value


def _numbered(said: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The class of 'AP_class3' or 'acc_c3'."""
    return [
        classes[int(number)]
        for word, number in pairwise(said)
        if word in ("class", "cls", "c", "klasse") and number.isdecimal() and int(number) < len(classes)
    ]


_MODEL_COLUMNS = ("model", "run", "experiment", "config", "setting", "checkpoint", "run_name", "name", "id")


def by_model(table: Table) -> dict[str, Table]:
    """model -> its rows, where a column names several models; {} for a table of one."""
    column = table.column(*_MODEL_COLUMNS)
    if column is None:
        return {}
    rows = [row for row in table.rows if column < len(row)]
    names = dict.fromkeys(row[column] for row in rows)
    if len(names) < 2 or len(rows) < len(table.rows):
        return {}
    header = table.header[:column] + table.header[column + 1 :]
    others = [(row[column], row[:column] + row[column + 1 :]) for row in rows]
    return {name: Table(header, tuple(rest for own, rest in others if own == name)) for name in names}


def _metrics_of_table(table: Table, index: Mapping[str, str], put: Any) -> None:
    """A row a class (columns accuracy, AP), a row a measure (columns value, or val and test), or one row in all."""
    rows = [table.header, *table.rows] if not table.header else table.rows
    for row in rows:
        texts = [cell for cell in row if number(cell) is None]
        for i, cell in enumerate(row):
            if number(cell) is not None:
                title = table.header[i] if i < len(table.header) else ""
                put([*texts, title if number(title) is None else ""], cell)


# -- ranking ---------------------------------------------------------------------------------------

_BESIDE = {
    "image",
    "images",
    "class",
    "score",
    "scores",
    "rank",
    "of",
    "for",
    "the",
    "bilder",
    "klasse",
    "test",
}
LINES = 200_000  # of a text
_APART = re.compile(r"[\s,;()\[\]'\"]+")
_TOP = {"top", "highest", "best", "most", "topp", "first"}
_BOTTOM = {"bottom", "lowest", "worst", "least", "bunn", "last", "low"}


def as_ranking(document: Document, name: str, classes: Sequence[str]) -> Nested | None:
    """class -> {'top': [[path, score], ...], 'bottom': [...]}, the form of the house; None when it is no ranking."""
    # Each list of images comes with words that stand near it, the nearer first. The first of these that name one class
    # and one side place it; a list that nothing places is no part of a ranking. The house's own form is looked at once
    # more, as there a list that is wrong in every entry must still be seen.
    found: Nested = {}
    index = {key(c): c for c in classes}
    if isinstance(document, Mapping) and all(str(k).isdecimal() and int(k) < len(classes) for k in document):
        document = {classes[int(k)]: table for k, table in document.items()}
    for entries, *said in _ranked(document, words(name)):
        for own in said:
            which = {"top" for w in own if w in _TOP} | {"bottom" for w in own if w in _BOTTOM}
            named = [index[w] for w in own if w in index]
            if len(which) == 1 and named:
                found.setdefault(named[0], {}).setdefault(which.pop(), []).extend(entries)
                break
    if isinstance(document, Mapping):
        for c, table in document.items():  # in the house's form, entries that are no paths are seen, too
            for side in ("top", "bottom") if isinstance(table, Mapping) else ():
                if isinstance(table.get(side), list):
                    sides = found.setdefault(index.get(key(c)) or c, {})
                    sides[side] = sides.get(side) or table[side]
    return found if any(map(any, (t.values() for t in found.values()))) else None


def ranking_of_text(text: str, classes: Sequence[str]) -> Nested | None:
    """As `as_ranking`, of what was printed: paths behind a heading that names a class and a side, or on its line."""
    found: Nested = {}
    index = {key(c): c for c in classes}
    own, side = "", ""
    for line in text.splitlines()[:LINES]:
        line = line[:4000]
        paths = [part for part in _APART.split(line) if _is_path(part)]
        before = words(line.partition(paths[0])[0] if paths else line)
        named = [index[w] for w in before if w in index]
        sides = {"top" for w in before if w in _TOP} | {"bottom" for w in before if w in _BOTTOM}
        other = {w for w in before if not w.isdecimal()} - index.keys() - _TOP - _BOTTOM - _BESIDE
        if (paths and other) or not (paths or named or sides or not line.strip()):
            own = side = ""  # a line about something else
            continue
        own = named[0] if named else own
        side = next(iter(sides)) if len(sides) == 1 else side
        if own and side and paths:
            scores = [number(part) for part in _APART.split(line.rpartition(paths[-1])[2])]
            score = next((v for v in scores if v is not None), None) if len(paths) == 1 else None
            found.setdefault(own, {}).setdefault(side, []).extend([path, score] for path in paths)
    return found or None


def _ranked(document: Document, name: list[str]) -> Iterator[tuple[list[Any], list[str], list[str]]]:
    """Lists of [path, score], each with words that may say its class and side, and more to look at if they do not."""
    # A table has one image a row: its last number is the score, its other cells are the words, and the file's name says
    # the rest. A document has a list at a leaf: the file's name and the keys on the way to it are the words.
    if isinstance(document, Table):
        for row in document.rows:
            paths = [cell for cell in row if _is_path(cell)]
            said = [w for cell in row if not _is_path(cell) and number(cell) is None for w in words(cell)]
            scores = [score for cell in row if (score := number(cell)) is not None]
            if paths:
                yield [[paths[0], scores[-1] if scores else None]], said, [*said, *name]
    elif isinstance(document, Mapping):
        for path, leaf in flatten(document):
            entries = [_entry(e) for e in leaf] if isinstance(leaf, list) else [None]
            if all(entries):
                said = [w for part in path for w in words(part)]
                yield entries, [*name, *said], said


def _entry(value: Any) -> list[Any] | None:
    """[path, score] from a path, a pair in either order, or an object with a path in it."""
    if isinstance(value, str):
        return [value, None] if _is_path(value) else None
    parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    paths = [p for p in parts if isinstance(p, str) and _is_path(p)]
    scores = [number(p) for p in parts if not isinstance(p, str) and number(p) is not None]
    return [paths[0], scores[-1] if scores else None] if paths else None


def _is_path(text: str) -> bool:
    return bool(re.search(r"\.(jpe?g|png|bmp|webp)$", text.strip(), re.IGNORECASE))


# -- non-positive share ----------------------------------------------------------------------------

_MODULE = re.compile(r"(conv1|bn1|relu|maxpool|layer[1-4]|stage[1-4]|avgpool|fc|conv\d|bn\d)(\.[\w.]+)?")


def is_module(name: str) -> bool:
    """Whether a name may be that of a module of a ResNet."""
    return bool(_MODULE.fullmatch(name.strip().removeprefix("model.").removeprefix("module.")))


_SHARE = {"positive", "nonpositive", "percent", "percentage", "share", "prosent", "zeros"}


def as_non_positive(document: Document) -> dict[str, Any] | None:
    """{'percent': {module: number}, 'images': [paths] when stated}; None when it is something else."""
    if isinstance(document, Table):
        percent = _shares_of_table(document)
        return {"percent": percent} if percent else None
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("percent"), Mapping):  # the house's form: what is no number is seen, too
        shares = {_module(str(m)): plain(v) for m, v in document["percent"].items()}
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
                found.setdefault(_module(module), value)
    return {"percent": found} | images if found else None


def _shares_of_table(table: Table) -> dict[str, Any]:
    """A row a module, with its share in a column of that name or the last number; or a column a module."""
    column = table.column("percent", "percentage", "non_positive", "nonpositive", "value", "share", "prosent")
    percent: dict[str, Any] = {}
    for row in table.rows:
        names = [cell for cell in row if is_module(cell)]
        values = [value for cell in row if (value := number(cell)) is not None]
        last = values[-1] if values else None
        value = last if column is None or column >= len(row) else number(row[column])
        if names and value is not None:
            percent[_module(names[0])] = value
    if not percent and table.header and len(table.rows) == 1:
        percent = {_module(t): number(c) for t, c in zip(table.header, table.rows[0], strict=False)
                   if is_module(t) and number(c) is not None}  # fmt: skip
    return percent


def _module(name: str) -> str:
    return re.sub(r"^stage(?=\d)", "layer", name.strip().removeprefix("model.").removeprefix("module."))


# -- records of one form only ---------------------------------------------------------------------

_RECORDS = {
    "resources": {"peak_memory_bytes", "batch_size"},
    "reproduction": {"largest_difference", "tolerance"},
}


def named_record(document: Any) -> str | None:
    """The piece that a JSON object is by its keys: 'resources' or 'reproduction'."""
    keys = set(document) if isinstance(document, Mapping) else set()
    return next((piece for piece, needed in _RECORDS.items() if needed <= keys), None)


# -- eigenvalues -----------------------------------------------------------------------------------

_DATA = {
    "course": "course", "scenes": "course", "mandatory": "course", "mandatory1": "course", "intel": "course",
    "own": "course", "imagenet": "imagenet", "ilsvrc": "imagenet", "cifar10": "cifar10", "cifar": "cifar10",
    "shapes": "shapes", "tiny": "tiny",
}  # fmt: skip
_UNTUNED = {"untuned", "pretrained", "initial", "before", "base", "original", "untrained", "raw"}
_TUNED = {"tuned", "finetuned", "trained", "fine", "best", "after", "ours"}


def as_eigenvalues(leaves: Iterable[tuple[Sequence[str], Any]], name: str) -> dict[str, Any] | None:
    """{'series': [{'model', 'data', 'paths', 'modules': {module: [numbers]}}]} from named lists of numbers.

    `leaves`: (names that lead to it, list of numbers). Which network and which data set, the names must say: without,
    a series is of the trained network on the course's images, and says so in 'assumed'.
    """
    series: dict[tuple[str, str], dict[str, Any]] = {}
    for path, leaf in leaves:
        if not isinstance(leaf, list) or not leaf or not all(isinstance(v, int | float) for v in leaf):
            continue
        module = module_in(path)
        if module is None:
            continue
        said = [w for p in (name, *path) for w in _tokens(p)]
        named = [_DATA[w] for w in said if w in _DATA]
        data = named[-1] if named else "course"
        model = "tuned" if data == "course" or _TUNED & set(said) else "untuned"
        model = "untuned" if _UNTUNED & set(said) else model
        one = series.setdefault((model, data), {"model": model, "data": data, "modules": {}})
        one["modules"].setdefault(module, leaf)
        if not named:
            one["assumed"] = "the names do not say which data set: taken as the course's"
    return {"series": list(series.values())} if series else None


def is_record_of_spectra(document: Any) -> bool:
    """Whether it is the reference's own form: {'series': [{'model', 'data', 'paths', 'modules': {...}}, ...]}."""
    series = document.get("series") if isinstance(document, Mapping) else None
    if not isinstance(series, list) or not series:
        return False
    return all(isinstance(one, Mapping) and isinstance(one.get("modules"), Mapping) for one in series)


def record_of_spectra(document: Mapping[str, Any]) -> dict[str, Any]:
    """That record with the house's names of modules, networks and data sets, where others are used that we know."""

    def renamed(one: Mapping[str, Any]) -> dict[str, Any]:
        found = {**one, "modules": {_module(str(m)): values for m, values in one["modules"].items()}}
        for name in ("model", "data"):
            said = _tokens(value) if isinstance(value := one.get(name), str) else []
            if name == "data":
                own = {_DATA[word] for word in said if word in _DATA}
            else:
                own = {"untuned"} if _UNTUNED & set(said) else {"tuned"} if _TUNED & set(said) else set()
            found |= {name: own.pop()} if len(own) == 1 else {}
        return found

    return {**document, "series": [renamed(one) for one in document["series"]]}


def module_in(names: Sequence[str]) -> str | None:
    """The module that one of the names is, or holds between spaces, dashes or underscores; the last of them."""
    cut = re.compile(r"[\s/|:,]+|__|-|(?<=[a-z0-9])_(?=[a-z])")
    parts = [part for name in names for part in (name, *cut.split(name))]
    return next((_module(part) for part in reversed(parts) if is_module(part)), None)


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
        names = tuple(cell for cell in row if cell and number(cell) is None)
        values = [v for cell in row if (v := number(cell)) is not None]
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


def _tokens(text: str) -> list[str]:
    spaced = re.sub(r"[^a-z0-9]+", " ", text.lower())
    return spaced.replace("cifar 10", "cifar10").replace("fine tuned", "finetuned").split()
