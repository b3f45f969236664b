"""Each field of a hand-in, read off its files: what it is called, and how it is taken away."""

import copy
import csv
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from faults.world import replace

ANY = "*"  # each element of a list, each of the tables that are alike


@dataclass(frozen=True)
class Field:
    """`files`: of one kind, with ANY for digits and names of runs; `take` makes a copy of the hand-in lack the field."""

    files: str
    name: str
    take: Callable[[Path], None]

    def __str__(self):
        return f"{self.files}: {self.name}" if self.name else self.files


def kinds(folder):
    """Kind of file -> the files of it: pictures by number and runs of a history are one kind, the others their own."""
    found = {}
    for file in sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()):
        kind = f"history/{ANY}.json" if file.startswith("history/") else re.sub(r"\d+(?=\.\w+$)", ANY, file)
        found.setdefault(kind, []).append(file)
    return found


def whole(kind, files):
    """All files of a kind; and one of several."""
    yield Field(kind, "", lambda folder: [(folder / f).unlink() for f in files] and None)
    if len(files) > 1:
        yield Field(kind, "one of them", lambda folder: (folder / files[0]).unlink())


def fields(folder, kind, files) -> Iterator[Field]:
    """The fields inside files of a kind, each once."""
    form = FORMS.get(Path(files[0]).suffix)
    if form is None:
        return
    load, save = form
    documents = {file: load(folder / file) for file in files}
    names = dict.fromkeys(name for document in documents.values() for name in walk(document))
    for name in names:

        def take(folder, name=name):
            for file in files:
                save(folder / file, without(load(folder / file), name))

        yield Field(kind, ".".join(map(str, name)), take)


def walk(value, at=()):
    """Paths to the fields of a document. Of three tables or more that are alike one is taken away, and each field of all."""
    if isinstance(value, dict):
        many = alike(value.values())
        alone = {key: inner for key, inner in value.items() if form(inner) not in many}
        first = {form(inner): key for key, inner in reversed(value.items()) if form(inner) in many}
        for key in value:
            if key in alone or key in first.values():
                yield (*at, key)
        for key, inner in alone.items():
            yield from walk(inner, (*at, key))
        for key in first.values():
            yield from walk(value[key], (*at, ANY))
    elif isinstance(value, list) and value:
        yield (*at, 0)
        if isinstance(value[0], dict | list):
            yield from walk(value[0], (*at, ANY))


def form(value):
    return frozenset(value) if isinstance(value, dict) else None


def alike(values):
    """Forms that three tables or more have."""
    return {f for f, count in Counter(map(form, values)).items() if f and count > 2}


def without(document, name):
    """A copy of a document that lacks a field."""
    document = copy.copy(document)
    first, *rest = name
    if not rest:
        if isinstance(document, list) or first in document:
            del document[first]
    elif first == ANY:
        for key in range(len(document)) if isinstance(document, list) else list(document):
            if isinstance(document[key], dict | list):
                document[key] = without(document[key], rest)
    elif isinstance(document, list) or first in document:
        document[first] = without(document[first], rest)
    return document


def read_json(file):
    return json.loads(file.read_text(encoding="utf-8"))


def read_toml(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))


def write_toml(file, document):
    lines = []
    for table, values in document.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    replace(file, "\n".join(lines) + "\n")


def read_columns(file):
    """Column -> its values: a column is a field."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: tuple(row[name] for row in rows) for name in rows[0]}


def write_columns(file, columns):
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    replace(file, stream.getvalue())


def read_tensors(file):
    """Kind of tensor -> name -> tensor: one of a kind stands for all."""
    found = {}
    for name, tensor in torch.load(file, weights_only=True).items():
        kind = re.sub(r"\d+", "", ".".join(name.split(".")[-2:]))
        found[kind] = (*found.get(kind, ()), (name, tensor))
    return found


def write_tensors(file, kinds):
    file.unlink()
    torch.save({name: tensor for kind in kinds.values() for name, tensor in kind}, file)


FORMS = {
    ".json": (read_json, replace),
    ".toml": (read_toml, write_toml),
    ".csv": (read_columns, write_columns),
    ".pth": (read_tensors, write_tensors),
}
