"""Split files: which images a file or folder names, and of which set, in every form that students use."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from in4310.submission.claims import set_of, words
from in4310.submission.formats import SET_NAMES, SETS, last_two_parts
from in4310.submission.tables import Table, flatten, key, number

_IMAGE = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# Words of what lists images, too, and says of none that it is in a set.
_OTHERS = {"positive", "nonpositive", "eigenvalue", "eigenvalues", "eig", "eigs", "eigvals", "spectrum", "spectra",
           "covariance", "activation", "activations", "aktiveringer", "featuremap", "featuremaps", "maps",
           "ranking", "rankings", "ranked", "rangering", "top", "topp", "bottom", "bunn", "statistics", "stats",
           "statistikk", "misclassified", "wrong", "errors", "mistakes", "feilklassifiserte"}  # fmt: skip
NEAR = 0.05  # of the size asked for that a list may differ by, where only its size says of which set it is
WHOLE = 0.95  # of all images that lists without a name have together, where they are a split of another size


def is_image(text: str) -> bool:
    """Whether a text names an image file."""
    return text.strip().strip("\"'").lower().endswith(_IMAGE)


def _is_place(text: str) -> bool:
    """Whether a text among paths may be one, of an image or not: a wrong path must be seen, a heading not."""
    return is_image(text) or (bool(re.search(r"[/\\.]", text.rstrip()[:-1])) and number(text) is None)


def is_of_another_piece(text: str) -> bool:
    """Whether a name is of something else that lists images: of statistics, a ranking, maps, mistakes."""
    said = {word.rstrip("0123456789") for word in words(text)}
    return not _OTHERS.isdisjoint(said)


def set_listed(text: str) -> str:
    """The set that a name says of a list below it; '' for none, and for one that is of another piece."""
    return "" if is_of_another_piece(text) else set_of(text) or ""


@dataclass
class Listing:
    """Entries of one file: set -> paths as written; '' where the file does not say the set."""

    sets: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def entries(self) -> int:
        """Entries in all."""
        return sum(map(len, self.sets.values()))

    def ordered(self, rows: np.ndarray, paths: Sequence[str]) -> np.ndarray:
        """Rows that lie beside the entries, in the order of `paths`; as they are where an image of these has no row."""
        (entries,) = self.sets.values() if len(self.sets) == 1 else ([],)
        row_of = {last_two_parts(entry): i for i, entry in enumerate(entries)}
        if not paths or not len(rows) == len(row_of) == len(entries) or not row_of.keys() >= set(paths):
            return rows
        return rows[[row_of[path] for path in paths]]


class Resolver:
    """Finds the image of the data set that an entry means: by its last two parts, by label and name, by name."""

    def __init__(self, classes: Sequence[str], images: Iterable[str]):
        self.classes = tuple(classes)
        self.images = frozenset(images)
        self.listed = sorted(self.images, key=lambda path: path.split("/"))
        self.by_name: dict[str, set[str]] = defaultdict(set)
        for path in self.images:
            self.by_name[path.rpartition("/")[2]].add(path)

    def __call__(self, entry: str, label: str = "") -> str:
        """'class/file' where the entry can be resolved, else the entry as it was written."""
        short = last_two_parts(entry)
        if short in self.images:
            return entry
        name = short.rpartition("/")[2]
        if label.isdigit() and int(label) < len(self.classes):
            label = self.classes[int(label)]
        if f"{label}/{name}" in self.images:
            return f"{label}/{name}"
        unique = self.by_name.get(name, set())
        return next(iter(unique)) if len(unique) == 1 and "/" not in short else entry


def of_document(document: Any, resolve: Resolver) -> Listing | None:
    """Paths of a table or JSON document: lists under the names of sets, rows or objects with a path, perhaps a set."""
    # Four forms: a table, a list of records (one an image), a plain list, and an object with lists or paths as keys.
    # Of a record the first text that is an image's path is taken; any other text may be its set or its class.
    found = Listing()
    if isinstance(document, Table):
        _add_table(found, document, resolve)
    elif isinstance(document, list) and document and all(isinstance(d, Mapping) for d in document):
        for record in document:
            texts = [v for v in record.values() if isinstance(v, str)]
            path = next((t for t in texts if is_image(t)), None)
            name = next((SET_NAMES[t.lower()] for t in texts if t.lower() in SET_NAMES), "")
            label = next((t for t in texts if t in resolve.classes), "")
            if path:
                found.sets[name].append(resolve(path, label))
    elif isinstance(document, list):
        found.sets[""] += _entries(document, resolve, "")
    elif isinstance(document, Mapping):
        _add_object(found, document, resolve)
    return found if found.entries else None


def _add_table(found: Listing, table: Table, resolve: Resolver) -> None:
    """A column of paths, perhaps one of labels and one of sets; or one column for each set.

    Which column is which is told by what most of its cells are: headers are missing or in any language.
    """
    # Two headings of sets, and the columns below them are the lists. Else the column with most paths is the list; the
    # one whose cells are all classes (or with a usual heading) says the class, the one of names of sets says the set.
    columns = {i: SET_NAMES[key(t)] for i, t in enumerate(table.header) if key(t) in SET_NAMES}
    if len(columns) >= 2:
        for row in table.rows:
            for i, name in columns.items():
                if i < len(row) and is_image(row[i]):
                    found.sets[name].append(resolve(row[i]))
        return
    width = max((len(row) for row in table.rows), default=0)
    paths = Counter({i: sum(i < len(r) and is_image(r[i]) for r in table.rows[:200]) for i in range(width)})
    if not paths or not paths.most_common(1)[0][1]:
        return
    column = paths.most_common(1)[0][0]
    label = _column_of(table, width, set(resolve.classes))
    if label is None:
        label = table.column("label", "class", "target", "y", "category", "klasse")
    sets = _column_of(table, width, set(SET_NAMES), fold=True)
    for row in table.rows:
        if column < len(row) and _is_place(row[column]):
            said = row[label] if label is not None and label < len(row) and label != column else ""
            word = row[sets] if sets is not None and sets < len(row) else ""
            name = SET_NAMES.get(word.strip().lower(), "")
            found.sets[name].append(resolve(row[column], said))


def _column_of(table: Table, width: int, values: set[str], fold: bool = False) -> int | None:
    """The column whose cells all are among `values`."""
    rows = table.rows[:500]
    for i in range(width):
        cells = [row[i].strip() for row in rows if i < len(row)]
        if cells and all((c.lower() if fold else c) in values for c in cells):
            return i
    return None


def _add_object(found: Listing, document: Mapping[str, Any], resolve: Resolver) -> None:
    """Lists under the names of sets and perhaps classes; or path: set."""
    for names, leaf in flatten(document):
        if isinstance(leaf, list) and names and is_image(names[-1]):  # an image: its scores
            found.sets[set_listed(" ".join(names[:-1]))].append(resolve(names[-1]))
            continue
        name = set_listed(" ".join(names))
        label = next((part for part in names if part in resolve.classes), "")
        if isinstance(leaf, list):
            found.sets[name] += _entries(leaf, resolve, label)
        elif isinstance(leaf, str) and names and is_image(names[-1]) and leaf.lower() in SET_NAMES:
            found.sets[SET_NAMES[leaf.lower()]].append(resolve(names[-1]))


def _entries(values: list[Any], resolve: Resolver, label: str) -> list[str]:
    """The paths of a list; [] where none of them is of an image."""
    # An entry is a text, or a list or object around one: of its texts the first that ends as an image does, else the
    # first that looks like a place. What stands beside it is the class, where it is one of ours or a number.
    entries, images = [], False
    for value in values:
        parts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        parts = list(value.values()) if isinstance(value, Mapping) else parts
        texts = [p for p in parts if isinstance(p, str)]
        path = next((p for p in texts if is_image(p)), next((p for p in texts if _is_place(p)), None))
        if path is not None:
            images = images or is_image(path)
            said = next((str(p) for p in parts if p is not path and not isinstance(p, float)), label)
            entries.append(resolve(path, said if said in resolve.classes or said.isdigit() else label))
    return entries if images else []


def of_rows(document: Any, resolve: Resolver) -> Listing | None:
    """Sets that are stored as row numbers, of the sorted listing of all images: what ImageFolder and `sorted` give.

    A list of numbers under the name of each set, or one list. Whether the author's listing was that one is not told
    here. None for anything else.
    """
    if isinstance(document, Table):
        document = [number(row[0]) if len(row) == 1 else None for row in document.rows]
        document = [int(n) if n is not None and n.is_integer() else None for n in document]
    found = Listing()
    for name, rows in (document if isinstance(document, Mapping) else {"": document}).items():
        if name and set_of(str(name)) is None:
            continue
        if not isinstance(rows, list) or not rows or len(set(map(str, rows))) < len(rows):
            return None
        if not all(type(row) is int and 0 <= row < len(resolve.listed) for row in rows):
            return None
        found.sets[set_of(str(name)) or ""] = [resolve.listed[row] for row in rows]
    return found if found.entries >= 12 and ("" in found.sets or len(found.sets) >= 2) else None


def of_folders(files: Iterable[str], classes: Sequence[str]) -> dict[str, Listing]:
    """Folders of images by set: top folder -> listing, from '<...>/train/<class>/<file>'."""
    found: dict[str, Listing] = defaultdict(Listing)
    for file in files:
        parts = Path(file).parts
        if len(parts) >= 3 and is_image(file) and parts[-2] in classes and parts[-3].lower() in SET_NAMES:
            found["/".join(parts[:-3])].sets[SET_NAMES[parts[-3].lower()]].append("/".join(parts[-2:]))
    return dict(found)


def settle(
    listings: Mapping[str, Listing], asked: Mapping[str, int], images: int
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Sets from several files of one folder: by what the files say, else by their names, else by their sizes.

    The file that states most sets comes first: the split is there, and lists beside scores are of some of it.
    `asked`: sizes of sets, `images`: of the data set. Returns set -> paths and the files used.
    """
    sets: dict[str, list[str]] = {}
    used: list[str] = []
    silent: dict[str, list[str]] = {}
    fullest = sorted(
        listings.items(), key=lambda one: -sum(bool(name and of) for name, of in one[1].sets.items())
    )
    for file, listing in fullest:
        said = {name: paths for name, paths in listing.sets.items() if name and paths}
        unsaid = listing.sets.get("", [])
        own = set_of(Path(file).stem) or set_of(Path(file).parent.name)
        if said and all(name not in sets for name in said):
            sets |= said
            used.append(file)
        elif unsaid and own and own not in sets:
            sets[own] = unsaid
            used.append(file)
        elif unsaid and not own:
            silent[file] = unsaid
    absent = [name for name in SETS if name not in sets]
    if silent and len(silent) == len(absent) and (len(absent) == 3 or len(sets) == 2):
        ordered = sorted(silent, key=lambda f: -len(silent[f]))
        sizes = _sizes(sets, asked, images)
        by_size = sorted(absent, key=lambda n: -sizes.get(n, 10**9))
        told = dict(zip(by_size, (silent[file] for file in ordered), strict=True))
        if _fit(told, sizes) or _is_whole([*sets.values(), *told.values()], images):
            sets |= told
            used += ordered
    return {name: tuple(paths) for name, paths in sets.items()}, used


def _sizes(sets: Mapping[str, list[str]], asked: Mapping[str, int], images: int) -> dict[str, int]:
    """Sizes asked for, of train what the others leave."""
    left = images - sum(len(sets.get(name, ())) or size for name, size in asked.items())
    return {**({"train": left} if asked and left > 0 else {}), **asked}


def _fit(told: Mapping[str, list[str]], sizes: Mapping[str, int]) -> bool:
    """Whether lists are as long as the sets that they are taken for."""
    return all(n in sizes and abs(len(paths) - sizes[n]) <= NEAR * sizes[n] for n, paths in told.items())


def _is_whole(lists: Sequence[list[str]], images: int) -> bool:
    """Whether lists share no image and have nearly all: they are parts of one whole, whatever their sizes."""
    entries = [last_two_parts(path) for paths in lists for path in paths]
    return len(set(entries)) == len(entries) >= WHOLE * images
