"""Histories of training, from Keras' dict of lists to a table of ten runs, brought to one form for the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from in4310.submission.claims import Document, measure, set_of, words
from in4310.submission.formats import SET_NAMES
from in4310.submission.tables import Table, key, number, plain

Runs = dict[str, dict[str, Any]]


def as_history(document: Document, name: str) -> Runs | None:
    """run -> {'settings': {...}, 'epochs': [{'epoch', 'train_loss', 'val_loss', ...}]}; None when it is no history."""
    # A table, or a list of records, is one run or several by a column that names them; a list of records that hold
    # epochs, and an object, are a run each, or runs by name at any depth.
    if isinstance(document, Table):
        return history_of_records(document.records(), name) if document.header else None
    if isinstance(document, list):
        if document and all(isinstance(d, Mapping) for d in document):
            if any("epochs" in d or "history" in d for d in document):
                return _runs({str(d.get("name", f"{name}-{i}")): d for i, d in enumerate(document, 1)})
            return history_of_records(document, name)
        return None
    if not isinstance(document, Mapping):
        return None
    nested = {k: v for k, v in document.items() if isinstance(v, Mapping | list)}
    return _run(document, name) or _runs(nested)


def _runs(found: Mapping[str, Any]) -> Runs | None:
    runs: Runs = {}
    for name, value in found.items():
        inner = _run(value, str(name)) if isinstance(value, Mapping) else as_history(value, str(name))
        runs |= inner or {}
    return runs or None


def _run(document: Mapping[str, Any], name: str) -> Runs | None:
    """One run: the house's own form, a list of epochs under a name, or a dict of lists as Keras keeps it."""
    # What lies inside is read as its own form, and then takes what stands beside it: settings, the best epoch, whether
    # it was kept; of epochs that are records also what the history's columns do not have.
    settings = next((document[k] for k in ("settings", "config", "hyperparameters", "params", "args")
                     if isinstance(document.get(k), Mapping)), None)  # fmt: skip
    for inner in ("epochs", "history"):
        value = document.get(inner)
        if isinstance(value, list) and all(isinstance(e, Mapping) for e in value) and (value or settings):
            runs = history_of_records(value, name) if value else {name: {"epochs": []}}
        elif isinstance(value, Mapping):
            runs = _run(value, name)
        else:
            continue
        for run in (runs or {}).values():
            run |= {k: document[k] for k in ("best_epoch", "kept") if k in document}
            run |= {"settings": dict(settings)} if settings is not None else {}
            if value and isinstance(value, list) and len(value) == len(run["epochs"]):
                if value[0].get("epoch") == 0 and isinstance(run.get("best_epoch"), int):
                    run["best_epoch"] += 1  # counted from 0, as the epochs are
                run["epochs"] = [given | epoch for given, epoch in zip(value, run["epochs"], strict=True)]
        return runs
    return _of_lists(document, settings, name)


def _of_lists(document: Mapping[str, Any], settings: Mapping[str, Any] | None, name: str) -> Runs | None:
    """A dict of lists, an entry an epoch; perhaps one dict a set."""
    if all(key(k) in SET_NAMES and isinstance(v, Mapping) for k, v in document.items()):
        document = {f"{k}_{kk}": vv for k, v in document.items() for kk, vv in v.items()}
    lists = {k: v for k, v in document.items() if isinstance(v, list) and v and number(v[0]) is not None}
    lengths = [len(v) for v in lists.values()]
    if not lists or not any("loss" in words(k) or "losses" in words(k) for k in lists):
        return None
    length = Counter(lengths).most_common(1)[0][0]
    rows = [{k: v[i] for k, v in lists.items() if len(v) == length} for i in range(length)]
    runs = history_of_records(rows, name)
    rest = {k: v for k, v in document.items() if isinstance(v, str | int | float) and not isinstance(v, bool)}
    for run in (runs or {}).values() if settings or rest else ():
        run["settings"] = dict(settings) if settings is not None else rest
    return runs


def history_of_records(records: Sequence[Mapping[str, Any]], name: str) -> Runs | None:
    """Epochs as rows; a column that names the run or the setting cuts them into runs."""
    # What the columns are is told by their titles; without a loss there is no history. Each row is an epoch of the run
    # that its group names; where none does, of another run whenever the settings change and the epochs start anew.
    if not records:
        return None
    records = _sets_as_columns(records)
    columns = _columns(list(records[0]), name)
    known = {v for v in columns.values() if v}
    if not any("loss" in v for v in known) or ("epoch" not in known and len(known) < 2):
        return None
    group = next((t for t in records[0] if key(t) in
                  ("run", "setting", "config", "experiment", "model", "name", "run_name", "id")), None)  # fmt: skip
    settings = [t for t in records[0] if key(t) in _SETTINGS]
    runs: Runs = {}
    for record in records:
        values = tuple(str(record.get(t)) for t in settings if group is None)
        run_name = str(record.get(group)) if group else name
        own = {key(t): record.get(t) for t in settings}
        run = runs.setdefault(run_name, {"settings": own or {"run": run_name}, "epochs": []})
        if values and run["epochs"] and run["_values"] != values and _constant_settings(records, settings):
            run_name = f"{name}: {', '.join(values)}"
            run = runs.setdefault(run_name, {"settings": own, "epochs": []})
        run.setdefault("_values", values)
        run["epochs"].append({c: plain(record[t]) for t, c in columns.items() if c and t in record})
    for run in runs.values():
        run.pop("_values", None)
        first = run["epochs"][0].get("epoch")
        for i, epoch in enumerate(run["epochs"]):
            # Epochs counted from 0, or not at all, are the same epochs.
            given = epoch.get("epoch")
            epoch["epoch"] = i + 1 if given is None else (given + 1 if first == 0 else given)
            if isinstance(epoch["epoch"], float) and epoch["epoch"].is_integer():
                epoch["epoch"] = int(epoch["epoch"])
        _percent_to_share(run["epochs"])
    return runs


_SETTINGS = ("lr", "learning_rate", "optimizer", "optimiser", "optim", "batch_size", "weight_decay",
             "momentum")  # fmt: skip


def _constant_settings(records: Sequence[Mapping[str, Any]], settings: Sequence[str]) -> bool:
    """Whether the settings name runs: epochs start anew where they change (a schedule changes the rate within one)."""
    epochs = [number(r.get(next((t for t in r if key(t) == "epoch"), ""), None)) for r in records]
    return any(b is not None and a is not None and b <= a for a, b in pairwise(epochs))


def _sets_as_columns(records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A row for each epoch and set (columns epoch, phase, loss) becomes a row an epoch, as others write it."""
    named = next((t for t in records[0] if all(SET_NAMES.get(key(str(r.get(t)))) for r in records)), None)
    if named is None:
        return records
    epoch = next((t for t in records[0] if key(t) in _EPOCH), None)
    if epoch is None:
        return [{}]  # figures of the sets, once: no history
    rows: list[dict[str, Any]] = []
    for record in records:
        which = SET_NAMES[key(str(record[named]))]
        own = {f"{which}_{t}" if measure(t) else t: v for t, v in record.items() if t != named}
        again = not rows or rows[-1][epoch] != record[epoch] or set(own) <= set(rows[-1])
        rows.append(own) if again else rows[-1].update(own)
    titles = dict.fromkeys(t for row in rows for t in row)
    return [{t: row.get(t) for t in titles} for row in rows]


_EPOCH = ("epoch", "epochs", "step", "epoke", "ep")


def _columns(titles: Sequence[str], name: str) -> dict[str, str | None]:
    """title -> 'epoch', 'val_map', ... or None for a column that is none of a history's."""
    found: dict[str, str | None] = {}
    unnamed: dict[str, str] = {}
    for title in titles:
        kind, which = measure(title), set_of(title)
        kind = "map" if kind == "ap" else kind
        found[title] = "epoch" if key(title) in _EPOCH else None
        if found[title] or kind is None or any(w in ("class", "per", *_CLASS_WORDS) for w in words(title)):
            continue
        if which:
            found[title] = f"{which}_{kind}"
        else:
            unnamed[title] = kind
    default = default_set([t for t in titles if found[t] or t in unnamed], name)
    for title, kind in unnamed.items():
        taken = f"{default}_{kind}" in found.values()
        found[title] = f"{'train' if taken else default}_{kind}"
    # A column by its very name is not replaced by one that is named alike: test_map beside test_map_measured.
    return {t: c if t == c or c not in titles else None for t, c in found.items()}


def default_set(titles: Iterable[str], name: str) -> str:
    """The set that figures without one are of: Keras' plain names are of training; beside val_loss, mAP is of val."""
    titles = [t for t in titles if measure(t)]
    sets = {set_of(t) for t in titles} - {None}
    said = set_of(name)
    if said and (said != "train" or not sets):
        return said
    if any(measure(t) == "loss" and set_of(t) is None for t in titles):
        return "train"
    return "val" if "val" in sets else "test" if sets == {"test"} else "train"


def merged(runs: Mapping[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """(file, run) -> run, with what was logged of one run in two files (log.csv and test_log.csv) put together.

    Two files are of one run when they lie in one folder, their names differ in the set alone, and they give other
    figures of the same epochs.
    """
    whole: dict[tuple[str, str], dict[str, Any]] = {}
    place: dict[tuple[str, str, tuple[str, ...]], tuple[str, str]] = {}
    for (file, name), run in sorted(runs.items(), key=lambda item: (len(item[0][0]), item[0])):
        path = PurePosixPath(file)
        stem = tuple(w for w in words(path.stem) if w not in SET_NAMES)
        here = (str(path.parent), "" if name == path.stem else name, stem)
        first = place.setdefault(here, (file, name))
        if first == (file, name):
            whole[first] = run
            continue
        ours, theirs = whole[first]["epochs"], run["epochs"]
        same = [e.get("epoch") for e in ours] == [e.get("epoch") for e in theirs]
        both = {k for e in ours for k in e} & {k for e in theirs for k in e} - {"epoch"}
        if same and not both:
            whole[first]["epochs"] = [a | b for a, b in zip(ours, theirs, strict=True)]
        else:
            whole[(file, name)] = run
    return whole


_CLASS_WORDS = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def _percent_to_share(epochs: Iterable[dict[str, Any]]) -> None:
    """Accuracy and mAP written in percent become shares, when any of a column lies above 1."""
    epochs = list(epochs)
    for column in {k for e in epochs for k in e if k.endswith(("accuracy", "_map"))}:
        given = [e for e in epochs if isinstance(e.get(column), int | float)]
        if given and 1 < max(e[column] for e in given) <= 100:
            for epoch in given:
                epoch[column] /= 100
