"""Histories of training, from Keras' dict of lists to a table of ten runs, brought to one form for the checks."""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from in4310.submission.claims import Document, measure, set_of, words
from in4310.submission.epochs import Row, runs_of, trained
from in4310.submission.event_files import Scalar
from in4310.submission.formats import SET_NAMES
from in4310.submission.module_claims import is_module
from in4310.submission.tables import WRAPPED, Table, key, number, plain

Runs = dict[str, dict[str, Any]]
_STATED = ("settings", "config", "hyperparameters", "params", "args")
_INNER = ("epochs", "history", "log_history")  # the last is Hugging Face's
# Words of figures that lie beside lists of losses and are no hyperparameters.
_OF_OTHERS = {"memory", "mem", "vram", "rows", "difference", "tolerance", "percent", "share"}


def as_history(document: Document, name: str) -> Runs | None:
    """run -> {'settings': {...}, 'epochs': [{'epoch', 'train_loss', 'val_loss', ...}]}; None when it is no history."""
    # A table, or a list of records, is one run or several by a column that names them; a list of records that hold
    # epochs, and an object, are a run each, or runs by name at any depth.
    if isinstance(document, Table):
        if (chart := exported(document, name)) is not None:
            rows = [{"step": step, tag: value} for step, tag, value in chart]
            return history_of_records(rows, name, parts=True)
        if charts := _charts(document):
            found = [history_of_records(rows, run, parts=True) or {} for run, rows in charts.items()]
            return dict(ChainMap(*found)) or None
        return history_of_records(document.records(), name) if document.header else None
    if isinstance(document, list):
        if document and all(isinstance(d, Mapping) for d in document):
            if any(isinstance(d.get(k), Mapping | list) for d in document for k in ("epochs", "history")):
                return _runs({str(d.get("name", f"{name}-{i}")): d for i, d in enumerate(document, 1)})
            return history_of_records(document, name)
        return None
    if not isinstance(document, Mapping):
        return None
    return _run(document, name) or _runs(document)


def _runs(found: Mapping[str, Any], depth: int = 6) -> Runs | None:
    """Runs under the keys of an object at any depth; the second of a name is named after what it lies in, too."""
    runs: Runs = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            inner = _run(value, str(name)) or (_runs(value, depth - 1) if depth else None)
        else:
            inner = as_history(value, str(name)) if isinstance(value, list) else None
        for of, run in (inner or {}).items():
            runs[f"{name} {of}" if of in runs else of] = run
    return runs or None


def _run(document: Mapping[str, Any], name: str) -> Runs | None:
    """One run: the house's own form, a list of epochs under a name, or a dict of lists as Keras keeps it."""
    # What lies inside is read as its own form, and then takes what stands beside it: settings, the best epoch, whether
    # it was kept; of epochs that are records also what the history's columns do not have.
    settings = next((document[k] for k in _STATED if isinstance(document.get(k), Mapping)), None)
    for inner in _INNER:
        value = document.get(inner)
        if isinstance(value, list) and all(isinstance(e, Mapping) for e in value) and (value or settings):
            runs = history_of_records(value, name, settings or {}) if value else {name: {"epochs": []}}
        elif isinstance(value, Mapping):
            runs = _run(value, name) or _runs(value)
        else:
            continue
        for run in (runs or {}).values():
            run |= {k: document[k] for k in ("best_epoch", "kept") if k in document}
            run |= {"settings": dict(settings)} if settings is not None else {}
            if value and isinstance(value, list) and isinstance(run.get("best_epoch"), int):
                last = number(value[-1].get("epoch"))
                run["best_epoch"] += (
                    last is not None and run["epochs"][-1]["epoch"] == last + 1
                )  # from 0, too
        return runs
    return _of_lists(document, settings, name)


def _of_lists(document: Mapping[str, Any], settings: Mapping[str, Any] | None, name: str) -> Runs | None:
    """A dict of lists, an entry an epoch; perhaps one dict a set."""
    if all(key(k) in SET_NAMES and isinstance(v, Mapping) for k, v in document.items()):
        document = {f"{k}_{kk}": vv for k, v in document.items() for kk, vv in v.items()}
    lists = {
        k: v
        for k, v in document.items()
        if isinstance(v, list) and v and isinstance(_figure(v[0]), int | float)
    }
    lengths = [len(v) for v in lists.values()]
    if not lists or not any("loss" in words(k) or "losses" in words(k) for k in lists):
        return None
    length = Counter(lengths).most_common(1)[0][0]
    rows = [{k: v[i] for k, v in lists.items() if len(v) == length} for i in range(length)]
    runs = history_of_records(rows, name)
    plain_values = {k: v for k, v in document.items() if type(v) in (str, int, float)}
    rest = {
        k: v for k, v in plain_values.items() if not (measure(k) or _OF_OTHERS & {*words(k)} or is_module(k))
    }
    for run in (runs or {}).values() if settings or rest else ():
        run["settings"] = dict(settings) if settings is not None else rest
    return runs


def without_histories(document: Document) -> Document:
    """An object without what is read as a history, at any depth: lists of epochs, and what is stated beside them."""
    if isinstance(document, list):
        records = document and all(isinstance(d, Mapping) for d in document)
        return [] if records and as_history(document, "") else document
    if not isinstance(document, Mapping):
        return document
    inside = [k for k in _INNER if isinstance(document.get(k), Mapping | list)]
    if not as_history(document, ""):
        return document
    if not _run(document, ""):  # those under its keys
        return {k: without_histories(v) for k, v in document.items()}
    gone = {*_STATED, *(inside or (k for k, v in document.items() if isinstance(v, list) and _of_numbers(v)))}
    return {k: without_histories(v) for k, v in document.items() if k not in gone}


def _of_numbers(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(_figure(v), int | float) for v in values[:3])


def history_of_records(
    records: Sequence[Mapping[str, Any]],
    name: str,
    stated: Mapping[str, Any] | None = None,
    parts: bool = False,
) -> Runs | None:
    """Rows of a log as runs; a column that names the run or the setting cuts them into runs.

    `stated`: what is known of the hyperparameters of a record of epochs, of which all that an epoch has is kept;
    `parts`: also what holds no loss, as a chart of one figure does.
    """
    # What the columns are is told by their titles; without a loss there is no history.
    records = _sets_as_columns([r for r in records if "train_runtime" not in r])  # Hugging Face's last word
    titles = list(dict.fromkeys(t for record in records for t in record))
    columns = _columns(titles, name)
    known = {v for v in columns.values() if v}
    step = next((t for t in titles if key(t) in _STEP), None)
    # Of columns of one figure the plainest title's is taken: val_acc, and not val_mean_acc or val_acc_max.
    plainest = sorted(
        columns.items(), key=lambda item: (bool(_set_of(item[0])), -len({*words(item[0])} - {"metrics"}))
    )
    figures = {t: c for t, c in plainest if c and c != "epoch"}
    if not figures or (not parts and not any("loss" in v for v in known)):
        return None
    if "epoch" not in known and step is None and len(known) < 2:
        return None
    group = next((t for t in titles if key(t) in _RUN), None)
    settings = [t for t in titles if key(t) in _SETTINGS]
    counted = next((t for t, c in columns.items() if c == "epoch"), None)
    grouped: dict[str, list[Row]] = {}
    for record in records:
        given = {c: _figure(record[t]) for t, c in figures.items() if record.get(t) not in (None, "")}
        hyper = tuple(str(record.get(t, "")) for t in settings)
        of = str(record.get(group)) if group else name
        epoch, at = number(record.get(counted or "")), number(record.get(step or ""))
        grouped.setdefault(of, []).append(Row(epoch, at, given, hyper, record))
    runs: Runs = {}
    for of, rows in grouped.items():
        for found in runs_of(rows):
            # A schedule's rates are one setting: the highest.
            own = {
                key(t): max(stood, key=lambda v: number(v) or 0)
                for t in settings
                if (stood := [row.rest[t] for row in found if t in row.rest])
            }
            title = f"{of}: {', '.join(found[0].settings)}" if of in runs and own else of
            names = chain([title], (f"{title} ({i})" for i in count(2)))
            title = next(t for t in names if t not in runs)
            epochs = [
                {**(row.rest if stated is not None else {}), "epoch": _integer(row.epoch), **row.figures}
                for row in trained(found, stated or own)
            ]
            _percent_to_share(epochs)
            runs[title] = {"settings": own or {"run": of}, "epochs": epochs}
    return runs


_SETTINGS = ("lr", "learning_rate", "optimizer", "optimiser", "optim", "batch_size", "weight_decay", "momentum",
             "n_epochs", "num_epochs", "max_epochs")  # fmt: skip
_RUN = ("run", "setting", "config", "experiment", "model", "name", "run_name", "id")


def _integer(epoch: float | None) -> float | int | None:
    return int(epoch) if epoch is not None and float(epoch).is_integer() else epoch


def _figure(value: Any) -> Any:
    """A number, NaN and infinity among them: a run that diverged has them."""
    if isinstance(value, str) and (whole := WRAPPED.fullmatch(value.strip())):
        value = whole[1]
    if isinstance(value, str) and value.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(value)
    return plain(value)


def _sets_as_columns(records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A row for each epoch and set (columns epoch, phase, loss) becomes a row an epoch, as others write it."""
    if not records:
        return records
    named = next((t for t in records[0] if all(SET_NAMES.get(key(str(r.get(t)))) for r in records)), None)
    if named is None:
        return records
    epoch = next((t for t in records[0] if key(t) in _EPOCH), None)
    if epoch is None:
        return [{}]  # figures of the sets, once: no history
    return [
        {f"{SET_NAMES[key(str(r[named]))]}_{t}" if measure(t) else t: v for t, v in r.items() if t != named}
        for r in records
    ]


_EPOCH = ("epoch", "epochs", "epoke", "ep", "trainer_epoch", "train_epoch")
_STEP = ("step", "global_step", "trainer_global_step", "train_global_step", "iteration", "iter")


def _columns(titles: Sequence[str], name: str) -> dict[str, str | None]:
    """title -> 'epoch', 'val_map', ... or None for a column that is none of a history's."""
    found: dict[str, str | None] = {}
    unnamed: dict[str, str] = {}
    for title in titles:
        kind, which = measure(title), _set_of(title)
        kind = "map" if kind == "ap" else kind
        found[title] = "epoch" if key(title) in _EPOCH else None
        if found[title] or kind is None or any(w in _OTHER for w in words(title)):
            continue
        if which:
            found[title] = f"{which}_{kind}"
        else:
            unnamed[title] = kind
    default = default_set([t for t in titles if found[t] or t in unnamed], name)
    for title, kind in unnamed.items():
        taken = f"{default}_{kind}" in found.values()
        found[title] = f"{'train' if taken else default}_{kind}"
    # A column by its very name is not replaced by one that is named alike: test_map beside test_map_measured; nor is
    # the figure of an epoch by those of its steps.
    whole = {c for t, c in found.items() if "step" not in words(t)}
    return {
        t: c if t == c or (c not in titles and ("step" not in words(t) or c not in whole)) else None
        for t, c in found.items()
    }


def tested(table: Table) -> Table | None:
    """The one row of a history that holds figures of the test set alone, as loggers write it after training."""
    sets = [_set_of(title) if measure(title) else None for title in table.header]
    rows = [row for row in table.rows if {s for s, v in zip(sets, row, strict=False) if s and v} == {"test"}]
    if len(rows) != 1 or len(table.rows) < 2 or len(rows[0]) != len(sets):
        return None
    own = [i for i, of in enumerate(sets) if of == "test"]
    return Table(tuple(table.header[i] for i in own), (tuple(rows[0][i] for i in own),))


def _charts(table: Table) -> dict[str, list[dict[str, str]]]:
    """run -> its rows, of a chart as W&B exports it: a column of steps, then columns 'run - figure'."""
    cut = {i: title.rpartition(" - ")[::2] for i, title in enumerate(table.header) if " - " in title}
    cut = {i: (run, figure) for i, (run, figure) in cut.items() if not figure.endswith(("__MIN", "__MAX"))}
    if 0 in cut or not any(measure(figure) for _, figure in cut.values()):
        return {}
    runs: dict[str, list[dict[str, str]]] = {}
    for row in table.rows:
        of_row: dict[str, dict[str, str]] = {}
        for i, (run, figure) in cut.items():
            if i < len(row) and row[i]:
                of_row.setdefault(run, {key(table.header[0]): row[0]})[figure] = row[i]
        for run, record in of_row.items():
            runs.setdefault(run, []).append(record)
    return runs


def is_chart(document: Document) -> bool:
    """Whether it is a table as TensorBoard saves one chart: Wall time, Step, Value."""
    return isinstance(document, Table) and [*map(key, document.header)] == ["wall_time", "step", "value"]


def exported(document: Document, name: str) -> list[Scalar] | None:
    """What TensorBoard saved of one chart as a table (Wall time, Step, Value): the figure is in the name alone.

    'run-train-tag-epoch_loss' says it; None for another table, and for a name that says no figure.
    """
    if not is_chart(document):
        return None
    tag = re.split(r"[-_]?\btag-|_tag_", name)[-1]
    figures = [(number(row[1]), _figure(row[2])) for row in document.rows if len(row) == 3]
    found = [(s, tag, float(v)) for s, v in figures if s is not None and isinstance(v, int | float)]
    return found if measure(tag) else None


def of_charts(documents: Mapping[str, Document]) -> dict[str, tuple[str, list[Scalar]]]:
    """file -> (folder of its run, scalars), of charts that TensorBoard saved as tables."""
    found = {}
    for file, document in documents.items():
        path = PurePosixPath(file)
        run = re.match(r"run[-_](.{1,80}?)[-_]tag[-_]", path.stem)
        if (chart := exported(document, path.stem)) is not None:
            folder = path.parent / run[1] if run and run[1] != "." else path.parent
            found[file] = (str(folder), chart)
    return found


def of_scalars(
    files: Mapping[str, Sequence[Scalar]], folders: Mapping[str, str] = MappingProxyType({})
) -> dict[tuple[str, str], dict[str, Any]]:
    """(first file, folder) -> run, of TensorBoard's event files: all of a folder are of one run.

    Keras writes a folder a set, and add_scalars one a figure ('Loss_train' or 'Loss/train'): those are of the run
    around them. `folders`: of files that lie in another than that of their run.
    """
    runs: dict[str, list[dict[str, Any]]] = {}
    first: dict[str, str] = {}
    for file in sorted(files):
        folder = PurePosixPath(folders.get(file, str(PurePosixPath(file).parent)))
        for step, tag, value in files[file]:
            begin = re.sub(r"\W", "_", tag) + "_"
            part = folder.name if key(folder.name) in SET_NAMES else ""
            part = folder.name.removeprefix(begin) if folder.name.startswith(begin) else part
            around = folder.parent if part else folder
            if part and re.sub(r"\W", "_", around.name) + "_" == begin:
                around = around.parent  # tensorboardX: Loss/train
            of = str(around)
            first.setdefault(of, file)
            runs.setdefault(of, []).append({"step": step, f"{part} {tag}".strip(): value})
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for of, records in runs.items():
        name = PurePosixPath(of).name or "tensorboard"
        for run, history in (history_of_records(records, name) or {}).items():
            found[(first[of], run)] = history
    return found


def _set_of(title: str) -> str | None:
    """The set of a column; Hugging Face's eval_loss is of validation."""
    return set_of(title) or ("val" if words(title)[:1] == ["eval"] else None)


def default_set(titles: Iterable[str], name: str) -> str:
    """The set that figures without one are of: Keras' plain names are of training; beside val_loss, mAP is of val."""
    titles = [t for t in titles if measure(t)]
    sets = {_set_of(t) for t in titles} - {None}
    said = set_of(name)
    if said and (said != "train" or not sets):
        return said
    if any(measure(t) == "loss" and _set_of(t) is None for t in titles):
        return "train"
    return "val" if "val" in sets else "test" if sets == {"test"} else "train"


_OTHER = ("class", "per", "buildings", "forest", "glacier", "mountain", "sea", "street", "best", "max")


def _percent_to_share(epochs: Iterable[dict[str, Any]]) -> None:
    """Accuracy and mAP written in percent become shares, when any of a column lies above 1."""
    epochs = list(epochs)
    for column in {k for e in epochs for k in e if k.endswith(("accuracy", "_map"))}:
        given = [e for e in epochs if isinstance(e.get(column), int | float)]
        if given and 1 < max(e[column] for e in given) <= 100:
            for epoch in given:
                epoch[column] /= 100
