"""Figures that a submission claims, from whatever table they stand in, brought to one form for the checks.

Each `as_...` function takes a parsed document (JSON object or list) or a Table and returns the house's form, or None
when the document is something else. They judge nothing: a wrong figure comes out as wrong as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from in4310.submission.formats import SET_NAMES
from in4310.submission.tables import IMAGE, Table, flatten, key, number, numbers_in

Document = Any
Nested = dict[str, dict[str, Any]]
_LOSS = ("loss", "losses", "cost", "crossentropy")
_ACCURACY = ("accuracy", "acc", "accuracies", "top1")
_AP = ("ap", "average_precision", "avg_precision", "averageprecision")
_MAP = ("map", "mean_ap", "mean_average_precision", "m_ap", "macro_ap")


# What is written in Norwegian, and 'valideringstap' in one word.
_NORWEGIAN = {"tap": "loss", "tapet": "loss", "nøyaktighet": "accuracy", "nøyaktigheten": "accuracy",
              "noyaktighet": "accuracy", "treffsikkerhet": "accuracy", "presisjon": "precision", "epoke": "epoch",
              "klasse": "class", "gjennomsnittlig": "average", "gjennomsnitt": "average", "snitt": "average",
              "midlere": "mean", "middel": "mean", "modell": "model", "modul": "module", "beste": "best",
              "trenings": "train", "validerings": "val", "ikke": "non", "positiv": "positive",
              "andel": "share", "prosent": "percent", "kurve": "curve", "kurver": "curves", "tapskurve": "loss",
             "tapskurver": "loss", "egenverdi": "eigenvalues", "egenverdier": "eigenvalues", "spekter": "spectrum",
             "læringskurve": "curve", "læringskurver": "curves", "forvirringsmatrise": "confusion"}  # fmt: skip
_COMPOUND = re.compile(
    r"(trenings|validerings|test|snitt|middel|klasse)"
    r"(tap|tapet|nøyaktighet|nøyaktigheten|noyaktighet|treffsikkerhet|presisjon|sett|settet|data|mengde)"
)


def words(text: str) -> list[str]:
    """'best_valLoss' -> ['best', 'val', 'loss']; words of Norwegian in English: 'Valideringstap' -> ['val', 'loss']."""
    found: list[str] = []
    for word in key(text).split("_"):
        parts = whole.groups() if (whole := _COMPOUND.fullmatch(word)) else (word,)
        found += [_NORWEGIAN.get(part, part) for part in parts if part]
    return found


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
    if rest in _AP or "ap" in said or "average_precision" in "_".join(said):
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
    document = _named_classes(document, classes)

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
        _metrics_of_table(document, classes, put)
    elif isinstance(document, Mapping):
        # The house's own names first: what else sounds like them is not taken in their place. Then what says that it
        # is of the best network, beside which loggers leave the figures of the last epoch.
        for path, leaf in sorted(
            flatten(document), key=lambda item: (item[0][-1:] not in _HOUSE, _after_best(item[0]))
        ):
            leaf = numbers_in(leaf) or leaf
            if isinstance(leaf, list) and len(leaf) == len(classes):
                for c, value in zip(classes, leaf, strict=True):
                    put((*path, c), value)
            else:
                put(path, leaf[0] if isinstance(leaf, list) and len(leaf) == 1 else leaf)
        _keep_odd_values(document, index, found)
    return {k: v for k, v in found.items() if v} or None


_HOUSE = (("accuracy",), ("mean_accuracy",), ("map",), ("accuracy_per_class",), ("ap_per_class",))


def _after_best(path: Sequence[str]) -> int:
    """0 where names say that a figure is of the best network, 2 where of the best class, else 1."""
    said = {w for part in path for w in words(part)}
    return 1 if "best" not in said else 2 if said & {"class", "classes"} else 0


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


_NO_FIGURES = {"index", "id", "rank", "support", "count", "antall", "epoch", "step", "n", "time"}


def _named_classes(document: Document, classes: Sequence[str], depth: int = 8) -> Document:
    """A document in which figures by the numbers of all classes, from '0', stand under their names."""
    if not isinstance(document, Mapping) or not depth:
        return document
    numbered = [*document] == [str(i) for i in range(len(classes))]
    names = dict(zip(document, classes, strict=True)) if numbered else {}
    return {names.get(k, k): _named_classes(v, classes, depth - 1) for k, v in document.items()}


def _metrics_of_table(table: Table, classes: Sequence[str], put: Any) -> None:
    """A row a class (columns accuracy, AP), a row a measure (columns value, or val and test), or one row in all.

    A cell may hold an array, of a figure a class.
    """
    rows = [table.header, *table.rows] if not table.header else table.rows
    for row in rows:
        texts = [cell for cell in row if number(cell) is None]
        for i, cell in enumerate(row):
            title = table.header[i] if i < len(table.header) else ""
            if len(of_classes := numbers_in(cell) or ()) == len(classes) > 1:
                for own, value in zip(classes, of_classes, strict=True):
                    put([title, own], value)
            elif number(cell) is not None and not _NO_FIGURES.issuperset(words(title) or [""]):
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
_BOTTOM = {"bottom", "lowest", "worst", "least", "bunn", "last", "low", "verste", "dårligste"}


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
            which = sides_of(own)
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


def ranking_of_text(text: str, name: str, classes: Sequence[str]) -> Nested | None:
    """As `as_ranking`, of what was printed: paths behind a heading that names a class and a side, or on its line.

    `name`: of the file, which may say either.
    """
    found: Nested = {}
    index = {key(c): c for c in classes}
    of_file = [index[w] for w in words(name) if w in index], sides_of(words(name))
    file_own, file_side = (part[0] if len(part) == 1 else "" for part in of_file)
    own, side = file_own, file_side
    for line in text.splitlines()[:LINES]:
        line = line[:4000]
        paths = [part for part in _APART.split(line) if _is_path(part)]
        before = words(line.partition(paths[0])[0] if paths else line)
        named = [index[w] for w in before if w in index]
        sides = sides_of(before)
        other = {w for w in before if not w.isdecimal()} - index.keys() - _TOP - _BOTTOM - _BESIDE
        if (paths and other) or not (paths or named or sides or not line.strip()):
            own, side = file_own, file_side  # a line about something else
            continue
        own = named[0] if named else own
        side = sides[0] if len(sides) == 1 else side
        if own and side and paths:
            scores = [number(part) for part in _APART.split(line.rpartition(paths[-1])[2])]
            score = next((v for v in scores if v is not None), None) if len(paths) == 1 else None
            found.setdefault(own, {}).setdefault(side, []).extend([path, score] for path in paths)
    return found or None


def sides_of(said: Sequence[str]) -> list[str]:
    """'top' or 'bottom', or both, as words say it."""
    return [side for side, names in (("top", _TOP), ("bottom", _BOTTOM)) if not names.isdisjoint(said)]


def _ranked(document: Document, name: list[str]) -> Iterator[tuple[list[Any], *tuple[list[str], ...]]]:
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
                yield entries, [*name, *said], said, [w for part in path[1:] for w in words(part)]


def _entry(value: Any) -> list[Any] | None:
    """[path, score] from a path, a pair in either order, or an object with a path in it."""
    if isinstance(value, str):
        return [value, None] if _is_path(value) else None
    parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    paths = [p for p in parts if isinstance(p, str) and _is_path(p)]
    scores = [number(p) for p in parts if not isinstance(p, str) and number(p) is not None]
    return [paths[0], scores[-1] if scores else None] if paths else None


def _is_path(text: str) -> bool:
    return bool(IMAGE.search(text))


# -- records of one form only ---------------------------------------------------------------------

# Least and most bytes of a unit: programs that divide by 1024 say GB, too.
_UNITS = {"b": (1, 1), "byte": (1, 1), "bytes": (1, 1), "kb": (10**3, 2**10), "kib": (2**10,) * 2}
_UNITS |= {"mb": (10**6, 2**20), "mib": (2**20,) * 2, "gb": (10**9, 2**30), "gib": (2**30,) * 2}
_MEMORY = {"memory", "mem", "vram", "minne", "minnebruk"}
_PEAK = {"peak", "max", "maximum", "highest", "maks"}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:[.,][0-9]{1,15})?)\s{0,3}([A-Za-z]{0,5})")
_PRINTED = re.compile(
    r"([^\n:=]{0,60})[:=]\s{0,3}([0-9]{1,15}(?:[.,][0-9]{1,15})?(?:\s{0,3}(?:bytes|[KMG]i?B))?)\b",
    re.IGNORECASE,
)


def as_resources(document: Any) -> dict[str, Any] | None:
    """A record of the peak memory, in bytes, with the least and the most that the figure stands for; None when none.

    'peak_memory_bytes', 'max_memory_gb': 3.2 and 'Peak GPU memory': '3,2 GiB' are such names and figures.
    """
    if not isinstance(document, Mapping):
        return None
    if "peak_memory_bytes" in document:  # the form of the house
        return {str(k): v for k, v in document.items()}
    found: dict[str, Any] = {str(k): v for k, v in document.items() if not isinstance(v, Mapping | list)}
    for path, leaf in flatten(document):
        said = words(path[-1])
        if "batch" in said and number(leaf) is not None:
            found.setdefault("batch_size", number(leaf))
        elif _MEMORY & {*said} and _PEAK & {*said} and (peak := _bytes(leaf, said)):
            found = max(found, found | peak, key=lambda of: of.get("peak_memory_most", 0.0))
    return found if "peak_memory_least" in found else None


def resources_of_text(text: str) -> dict[str, Any] | None:
    """As `as_resources`, of what a program has printed: the last line that says so counts."""
    found = None
    for line in text.splitlines()[:LINES]:
        for name, amount in _PRINTED.findall(line[:2000]):
            found = as_resources({name: amount}) or found
    return found


def _bytes(value: Any, said: Sequence[str]) -> dict[str, float] | None:
    """What a figure with a unit, in its text or its name, stands for: half of its last digit is left open."""
    match = _AMOUNT.fullmatch(str(value).strip()) if isinstance(value, str | int | float) else None
    if match is None or isinstance(value, bool):
        return None
    figure = match[1].replace(",", ".")
    amount, half = float(figure), 0.5 * 10.0 ** -len(figure.partition(".")[2])
    unit = match[2].lower() or next((w for w in said if w in _UNITS), "b" if amount >= 10**6 else "")
    if unit not in _UNITS:
        return None
    least, most = _UNITS[unit]
    peak = {
        "peak_memory_bytes": amount * most,
        "peak_memory_least": max(0.0, amount - half) * least,
        "peak_memory_most": (amount + half) * most,
    }
    return peak if amount > 0 else None


def as_reproduction(document: Any, depth: int = 3) -> Mapping[str, Any] | None:
    """What a routine of comparison found, by its keys: the object, or the first in it that has them."""
    if not isinstance(document, Mapping):
        return None
    if {"largest_difference", "tolerance"} <= set(document):
        return document
    inner = (as_reproduction(value, depth - 1) for value in document.values() if depth)
    return next((found for found in inner if found), None)
