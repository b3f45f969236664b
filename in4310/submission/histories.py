"""Histories of training, from Keras' dict of lists to a table of ten runs, brought to one form for the checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from in4310.submission.claims import SETS, Document, measure, set_of, words
from in4310.submission.tables import Table, key, number


def as_history(document: Document, name: str) -> dict[str, dict[str, Any]] | None:
    """run -> {'settings': {...}, 'epochs': [{'epoch', 'train_loss', 'val_loss', ...}]}; None when it is no history."""
    if isinstance(document, Table):
        return _history_of_records(document.records(), name) if document.header else None
    if isinstance(document, list):
        if document and all(isinstance(d, Mapping) for d in document):
            if any("epochs" in d or "history" in d for d in document):
                return _runs({str(d.get("name", f"{name}-{i}")): d for i, d in enumerate(document, 1)})
            return _history_of_records(document, name)
        return None
    if not isinstance(document, Mapping):
        return None
    one = _run(document, name)
    if one is not None:
        return one
    nested = {k: v for k, v in document.items() if isinstance(v, Mapping | list)}
    return _runs(nested) if nested else None


def _runs(found: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    runs: dict[str, dict[str, Any]] = {}
    for name, value in found.items():
        inner = _run(value, str(name)) if isinstance(value, Mapping) else as_history(value, str(name))
        runs |= inner or {}
    return runs or None


def _run(document: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]] | None:
    """One run: the house's own form, a list of epochs under a name, or a dict of lists as Keras keeps it."""
    settings = next((document[k] for k in ("settings", "config", "hyperparameters", "params", "args")
                     if isinstance(document.get(k), Mapping)), None)  # fmt: skip
    for inner in ("epochs", "history"):
        value = document.get(inner)
        if isinstance(value, list) and value and all(isinstance(e, Mapping) for e in value):
            runs = _history_of_records(value, name)
        elif isinstance(value, Mapping):
            runs = _run(value, name)
        else:
            continue
        if runs and settings is not None:
            for run in runs.values():
                run["settings"] = dict(settings)
        for run in (runs or {}).values():
            run |= {k: document[k] for k in ("best_epoch", "kept") if k in document}
        return runs
    if all(SETS.get(key(k)) for k in document) and all(isinstance(v, Mapping) for v in document.values()):
        document = {f"{k}_{kk}": vv for k, v in document.items() for kk, vv in v.items()}
    lists = {k: v for k, v in document.items() if isinstance(v, list) and v and number(v[0]) is not None}
    lengths = [len(v) for v in lists.values()]
    if not lists or not any("loss" in words(k) or "losses" in words(k) for k in lists):
        return None
    length = max(set(lengths), key=lengths.count)
    rows = [{k: v[i] for k, v in lists.items() if len(v) == length} for i in range(length)]
    runs = _history_of_records(rows, name)
    rest = {k: v for k, v in document.items() if isinstance(v, str | int | float) and not isinstance(v, bool)}
    if runs and (settings or rest):
        for run in runs.values():
            run["settings"] = dict(settings) if settings is not None else rest
    return runs


def _history_of_records(records: Sequence[Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]] | None:
    """Epochs as rows; a column that names the run or the setting cuts them into runs."""
    if not records:
        return None
    columns = {title: _history_column(title) for title in records[0]}
    known = {v for v in columns.values() if v}
    if not any("loss" in v for v in known):
        return None
    if "epoch" not in known and len(known) < 2:
        return None
    group = next((t for t in records[0] if key(t) in
                  ("run", "setting", "config", "experiment", "model", "name", "run_name", "id")), None)  # fmt: skip
    settings = [t for t in records[0] if key(t) in _SETTINGS]
    runs: dict[str, dict[str, Any]] = {}
    for record in records:
        values = tuple(str(record.get(t)) for t in settings if group is None)
        run_name = str(record.get(group)) if group else name
        run = runs.setdefault(
            f"{run_name}",
            {"settings": {key(t): record.get(t) for t in settings} or {"run": run_name}, "epochs": []},
        )
        if values and run["epochs"] and run["_values"] != values and _constant_settings(records, settings):
            run_name = f"{name}: {', '.join(values)}"
            run = runs.setdefault(
                run_name, {"settings": {key(t): record.get(t) for t in settings}, "epochs": []}
            )
        run.setdefault("_values", values)
        epoch = {c: _plain(record.get(t)) for t, c in columns.items() if c}
        run["epochs"].append(epoch)
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


_SETTINGS = (
    "lr",
    "learning_rate",
    "optimizer",
    "optimiser",
    "optim",
    "batch_size",
    "weight_decay",
    "momentum",
)


def _constant_settings(records: Sequence[Mapping[str, Any]], settings: Sequence[str]) -> bool:
    """Whether the settings name runs: epochs start anew where they change (a schedule changes the rate within one)."""
    epochs = [number(r.get(next((t for t in r if key(t) == "epoch"), ""), None)) for r in records]
    starts = sum(b is not None and a is not None and b <= a for a, b in pairwise(epochs))
    return starts > 0


def _history_column(title: str) -> str | None:
    said = key(title)
    if said in ("epoch", "epochs", "step", "epoke", "ep"):
        return "epoch"
    kind, which = measure(title), set_of(title)
    if kind is None or any(w in ("class", "per", *_CLASS_WORDS) for w in words(title)):
        return None
    return f"{which or 'train'}_{'map' if kind == 'ap' else kind}"


_CLASS_WORDS = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def _plain(value: Any) -> Any:
    found = number(value)
    return value if found is None else found


def _percent_to_share(epochs: Iterable[dict[str, Any]]) -> None:
    """Accuracy and mAP written in percent become shares, when any of a column lies above 1."""
    epochs = list(epochs)
    for column in {k for e in epochs for k in e if k.endswith(("accuracy", "_map"))}:
        values = [e[column] for e in epochs if isinstance(e.get(column), int | float)]
        if values and 1 < max(values) <= 100:
            for epoch in epochs:
                if isinstance(epoch.get(column), int | float):
                    epoch[column] = epoch[column] / 100
