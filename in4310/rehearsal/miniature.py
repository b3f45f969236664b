"""Each loader and its data set get a few rows: spread over their own order, every class twice, first and last."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch.utils import data

from in4310.rehearsal.events import Recorder

ROWS = 12  # at least, where there are as many
BATCH = 4
COLUMNS = 20  # of a table that are looked at
LOOKED = 3  # rows of a data set that are compared with their files
TWICE = 2  # epochs of all rows; after these a training loader gives one small batch
ARGUMENTS = (
    "dataset",
    "batch_size",
    "shuffle",
    "sampler",
    "batch_sampler",
    "num_workers",
    "collate_fn",
    "pin_memory",
)


class Rows:
    """Which of the `files` the world's data set is behind each row of a data set of the program's."""

    def __init__(self, files: Sequence[str]):
        self._known: dict[str, int] = {}
        self.files = files
        names: dict[str, list[int]] = defaultdict(list)
        for number, file in enumerate(files):
            self._known[file] = number
            names[file.rpartition("/")[2]].append(number)
        self._known |= {name: found[0] for name, found in names.items() if len(found) == 1}
        self.classes = [file.rpartition("/")[0] for file in files]

    def of(self, dataset: Any, depth: int = 0) -> list[int] | None:
        """Numbers of files in row order, None where the data set does not say it."""
        # From a list of its own with as many paths, from one it is a subset of, or from one that it wraps.
        if depth > 4:
            return None
        try:
            count, own = len(dataset), vars(dataset)
        except TypeError:
            return None
        for value in own.values():
            if (found := self._listed(value, count)) is not None:
                return found
            if (found := self._joined(value, depth)) is not None and len(found) == count:
                return found
        for value in own.values():
            if isinstance(value, data.Dataset) and (below := self.of(value, depth + 1)) is not None:
                for chosen in own.values():
                    if _indices(chosen, count, len(below)):
                        return [below[int(i)] for i in chosen]
                if len(below) == count:
                    return below
        return None

    def _joined(self, value: Any, depth: int) -> list[int] | None:
        """Of data sets one after the other."""
        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(isinstance(v, data.Dataset) for v in value)
        ):
            return None
        parts = [self.of(part, depth + 1) for part in value]
        return [row for part in parts if part is not None for row in part] if None not in parts else None

    def _listed(self, value: Any, count: int) -> list[int] | None:
        if hasattr(value, "columns") and hasattr(value, "iloc"):
            value = {name: list(value[name]) for name in value.columns}
        if isinstance(value, Mapping):
            columns = (self._listed(column, count) for column in list(value.values())[:COLUMNS])
            return next((found for found in columns if found is not None), None)
        if not isinstance(value, list | tuple | np.ndarray) or len(value) != count or not count:
            return None
        found = []
        for entry in value:
            number = self._number(entry)
            if number is None:
                return None
            found.append(number)
        return found

    def _number(self, entry: Any) -> int | None:
        if isinstance(entry, Mapping):
            entry = list(entry.values())
        if isinstance(entry, list | tuple | np.ndarray):
            found = (self._number(e) for e in list(entry)[:4] if isinstance(e, str | PurePath))
            return next((n for n in found if n is not None), None)
        if not isinstance(entry, str | PurePath):
            return None
        parts = str(entry).replace("\\", "/").split("/")
        return self._known.get("/".join(parts[-2:]), self._known.get(parts[-1]))


def _indices(value: Any, count: int, most: int) -> bool:
    """Whether these are numbers of as many rows, each once, of a data set of `most`: labels come again and again."""
    if not isinstance(value, list | tuple | range | np.ndarray | torch.Tensor) or len(value) != count:
        return False
    numbers = np.asarray(value)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not count:
        return False
    return bool(numbers.min() >= 0 and numbers.max() < most and len(np.unique(numbers)) == count)


def chosen(classes: Sequence[Any], count: int) -> list[int]:
    """Rows of a miniature, ascending, of a data set of `count` rows; `classes`: of each row, empty where not known."""
    picked = {0, count - 1} if count else set()
    places: dict[Any, list[int]] = defaultdict(list)
    for row, name in enumerate(classes):
        places[name].append(row)
    for rows in places.values() if len(places) <= 2 * ROWS else ():
        picked |= {rows[len(rows) // 3], rows[2 * len(rows) // 3], *rows[:1]}
    for row in np.linspace(0, max(count - 1, 0), min(count, ROWS)).round().astype(int).tolist():
        if len(picked) < ROWS:
            picked.add(row)
    # A last batch of a single row has no variance, which batch normalisation refuses.
    while len(picked) % BATCH == 1 and len(picked) < count:
        picked.add(next(row for row in range(count) if row not in picked))
    return sorted(picked)


def shrink(dataset: Any, rows: Rows, see: Recorder) -> tuple[Any, list[int] | None, int]:
    """A data set of a few of its rows, what files all its rows are, and how many they were."""
    if hasattr(dataset, "_rehearsed"):
        return dataset, *dataset._rehearsed
    count, files = len(dataset), rows.of(dataset)
    classes = [rows.classes[f] for f in files] if files is not None else _labels(dataset, count)
    kept = chosen(classes, count)
    kind, place, looked = type(dataset), see.place(), [LOOKED]

    class Miniature(kind):  # type: ignore[misc,valid-type]
        def __len__(self) -> int:
            return len(kept)

        def __getitem__(self, index: Any) -> Any:
            item = kind.__getitem__(self, kept[index])
            if files is not None and see.look is not None:
                file = rows.files[files[kept[index]]]
                see.look(item, file, place, looked[0] > 0)
                looked[0] -= 1
            return item

        def __iter__(self) -> Iterator[Any]:
            return (self[i] for i in range(len(kept)))

    Miniature.__name__, Miniature.__qualname__, Miniature.__module__ = (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    if hasattr(kind, "__getitems__"):
        Miniature.__getitems__ = lambda self, many: [self[i] for i in many]
    try:
        dataset.__class__ = Miniature
        dataset._rehearsed = files, count
    except (TypeError, AttributeError):
        dataset = data.Subset(dataset, kept)
    return dataset, files, count


def _labels(dataset: Any, count: int) -> list[Any]:
    for name in ("targets", "labels", "y", "classes_of_rows", "label"):
        value = getattr(dataset, name, None)
        if (
            value is not None
            and not isinstance(value, str)
            and hasattr(value, "__len__")
            and len(value) == count
        ):
            return [v.item() if hasattr(v, "item") else str(v) for v in value]
    tensors = getattr(dataset, "tensors", None)
    return [int(v) for v in tensors[-1]] if tensors and tensors[-1].ndim == 1 else []


class Part(data.Subset[Any]):
    """Rows of a data set that a sampler chooses; what else the data set has, it has, too."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def sampled(dataset: Any, sampler: Any) -> Any:
    """The rows that are drawn from, where a sampler knows them by their numbers; else the data set."""
    chosen = getattr(sampler, "indices", None)
    if chosen is None and sampler is not None and type(sampler).__module__.partition(".")[0] != "torch":
        chosen = next((v for v in vars(sampler).values() if _indices(v, len(sampler), len(dataset))), None)
    if chosen is None or not _indices(chosen, len(chosen), len(dataset)):
        return dataset
    return Part(dataset, [int(i) for i in chosen])


class Batches:
    """Makes loaders small as they are made, and says which one gave the batch that is at work."""

    def __init__(self, see: Recorder, rows: Rows):
        self._see, self._rows = see, rows
        self.made = 0

    def install(self) -> None:
        """For every loader made from now on."""
        make, iterate = data.DataLoader.__init__, data.DataLoader.__iter__
        batches = self

        def init(loader: Any, *arguments: Any, **keywords: Any) -> None:
            given = {**dict(zip(ARGUMENTS, arguments, strict=False)), **keywords}
            small, stated = batches._smaller(given)
            with batches._see.quiet():
                make(loader, **small)
            loader._rehearsal = {**stated, "number": batches.made, "passes": 0}
            batches.made += 1

        def iterated(loader: Any) -> Iterator[Any]:
            about = getattr(loader, "_rehearsal", {"number": -1, "passes": 0, "shuffle": False})
            about["passes"] += 1
            batches._see.passes += 1
            batches._see.note("pass", loader=about["number"])
            few = about["shuffle"] and (about["passes"] > TWICE or batches._see.late)
            before, seen = batches._see.loader, about.setdefault("sums", [])
            for number, batch in enumerate(iterate(loader)):
                batches._see.loader = about
                total = None if about["shuffle"] else _sum(batch)
                if number == len(seen):
                    seen.append(total)
                elif seen[number] != total:
                    batches._see.note("changed", loader=about["number"])
                yield _first(batch, 2) if few else batch
                if few:
                    return
            batches._see.note("passed", loader=about["number"])
            batches._see.loader = before

        data.DataLoader.__init__ = init  # type: ignore[method-assign,assignment]
        data.DataLoader.__iter__ = iterated  # type: ignore[method-assign,assignment]

    def _smaller(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments of the small loader, and what is told of the one that was asked for."""
        sampler, batch_sampler = given.pop("sampler", None), given.pop("batch_sampler", None)
        dataset = sampled(given["dataset"], sampler or getattr(batch_sampler, "sampler", None))
        if dataset is given["dataset"] and len(dataset) >= len(self._rows.files):
            with suppress(
                Exception
            ):  # all images: they may be divided afterwards, and are not to be few then
                dataset = copy.copy(dataset)
        dataset, files, count = shrink(dataset, self._rows, self._see)
        batch = getattr(batch_sampler, "batch_size", None) or given.get("batch_size", 1)
        shuffle = bool(given.get("shuffle")) or "Random" in type(sampler or batch_sampler).__name__
        if batch_sampler is not None:
            shuffle = shuffle or "Random" in type(getattr(batch_sampler, "sampler", None)).__name__
        for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout"):
            given.pop(name, None)
        small = {**given, "dataset": dataset, "num_workers": 0, "pin_memory": False, "shuffle": shuffle,
                 "batch_size": batch and max(1, min(int(batch), BATCH, len(dataset)))}  # fmt: skip
        if batch is None:
            small["batch_size"] = None
        steps = transforms_of(dataset)
        stated = {"shuffle": shuffle, "batch": batch}
        number = self.made
        self._see.note("loader", loader=number, rows=count, files=files is not None, data=type(dataset).__name__,
                       sampler=type(sampler).__name__ if sampler is not None else "", transforms=steps,
                       drop_last=bool(given.get("drop_last")), **stated)  # fmt: skip
        if files is not None:
            self._see.rows("rows", files, loader=number)
        return small, {**stated, "few": len(dataset)}


def _sum(batch: Any) -> float | None:
    """Of all pixels of a batch, None where there are none."""
    if isinstance(batch, torch.Tensor):
        return float(batch.double().sum()) if batch.ndim == 4 and batch.is_floating_point() else None
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((found for part in parts if (found := _sum(part)) is not None), None)


def _first(batch: Any, count: int) -> Any:
    """The first rows of a batch of any form."""
    if isinstance(batch, Mapping):
        return {k: _first(v, count) for k, v in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_first(v, count) for v in batch))
    if isinstance(batch, list | tuple) and batch and not isinstance(batch[0], str | int | float):
        return type(batch)(_first(v, count) for v in batch)
    return batch[:count] if hasattr(batch, "__getitem__") else batch


def transforms_of(dataset: Any, depth: int = 0) -> list[str]:
    """What is done to each image of it, by the transforms that it or what it wraps holds."""
    found: list[str] = []
    if depth > 4 or not hasattr(dataset, "__dict__"):
        return found
    for name, value in vars(dataset).items():
        if "transform" in name.lower() or name in ("tf", "tfms", "augment", "augmentation", "preprocess"):
            if isinstance(value, bool):
                continue  # whether there are any
            steps = getattr(value, "transforms", value if isinstance(value, list | tuple) else [value])
            found += [_step(s) for s in steps if s is not None and type(s).__name__ != "StandardTransform"]
        elif isinstance(value, data.Dataset):
            found += transforms_of(value, depth + 1)
    return list(dict.fromkeys(found))


def _step(step: Any) -> str:
    text = getattr(step, "__name__", None) or repr(step)
    return " ".join(text.split())[:80]
