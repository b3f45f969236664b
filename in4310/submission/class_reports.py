"""scikit-learn's classification_report: a class's recall is its accuracy, the macro average their mean.

As a text, and as the object (`output_dict=True`) in JSON or in a table of pandas, which may lie on its side.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from in4310.submission.claims import set_of
from in4310.submission.tables import Table, key, number

_TITLES = re.compile(r"\bprecision\s{1,20}recall\s{1,20}f1-score\s{1,20}support\s*+$")
_TOTALS = ("accuracy", "macro avg")
_OTHERS = ("weighted avg", "micro avg", "samples avg")
MOST, LETTERS = 60, 400  # lines of a report, letters of one


def holds_report(text: str) -> bool:
    """Whether a text holds the heading of such a report."""
    return any(_TITLES.search(line[:LETTERS]) for line in text.splitlines()[:2000])


def with_reports(lines: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    """The lines; of a report of all `classes` those of a table of accuracies, with bars, of another report none."""
    at = 0
    while at < len(lines):
        titles = _TITLES.search(lines[at][:LETTERS])
        if titles is None:
            yield lines[at]
            at += 1
            continue
        yield lines[at][: titles.start()]  # 'Validation:   precision  recall ...'
        rows, at = _rows(lines, at + 1)
        yield from ("", *_accuracies(rows, classes), "")


def _rows(lines: Sequence[str], at: int) -> tuple[list[tuple[str, list[str]]], int]:
    """(name, figures) of each row from a line on, and the line behind the last."""
    rows: list[tuple[str, list[str]]] = []
    end = at
    for here, line in enumerate(lines[at : at + MOST], at):
        cells = line[:LETTERS].split()
        cut = 2 if cells[:1] == ["accuracy"] and len(cells) == 3 else 4  # the accuracy and its count alone
        name, figures = " ".join(cells[:-cut]), cells[-cut:]
        if cells and (not name or None in map(number, figures)):
            break
        if cells:
            rows.append((name, figures))
            end = here + 1
    return rows, end


def _accuracies(rows: Sequence[tuple[str, list[str]]], classes: Sequence[str]) -> Iterator[str]:
    """The rows of a table of accuracies; none where the report is of other classes, or names one twice."""
    names = [name for name, _ in rows]
    own = _classes_of(names, classes)
    if own is None or len({*names}) < len(names):
        return
    yield "| | accuracy |"
    for name, figures in rows:
        if name not in _OTHERS:
            yield f"| {own.get(name, name)} | {figures[0] if name == 'accuracy' else figures[1]} |"


def _classes_of(names: Collection[str], classes: Sequence[str]) -> dict[str, str] | None:
    """Row of a class -> the class; None where rows are not one of each, by name or by number.

    So where there is no accuracy: each image may have several classes then.
    """
    known = {key(c): c for c in classes} | {str(i): c for i, c in enumerate(classes)}
    own = {name: known.get(key(name), "") for name in names if name not in _TOTALS + _OTHERS}
    whole = sorted(own.values()) == sorted(classes) and len({name.isdecimal() for name in own}) == 1
    return own if whole and "accuracy" in names else None


def plain_of(document: Any, classes: Sequence[str]) -> Any:
    """A document with the reports of all `classes` in it, at its top or under the name of a set, as plain metrics."""
    if isinstance(document, Table):
        return _of_object(_object(document), classes) or document
    if not isinstance(document, Mapping):
        return document
    if found := _of_object(document, classes):
        return found
    return {
        name: (set_of(str(name)) and _of_object(inner, classes)) or inner for name, inner in document.items()
    }


def _object(table: Table) -> dict[str, dict[str, str]]:
    """What a table of pandas was made of: by rows, or by columns where the measures are the rows."""
    titles, *lines = [table.header, *table.rows] if table.header or not table.rows else table.rows
    rows = {line[0]: dict(zip(titles[1:], line[1:], strict=False)) for line in lines if line}
    if "recall" not in rows:
        return rows
    return {title: {name: row.get(title, "") for name, row in rows.items()} for title in titles[1:]}


def _of_object(report: Any, classes: Sequence[str]) -> dict[str, Any] | None:
    """The metrics of a report; None for anything else, and for one of other classes."""
    if not isinstance(report, Mapping) or "macro avg" not in report:
        return None
    rows = {str(name): row for name, row in report.items()}
    recalls = {c: _recall(rows[name]) for name, c in (_classes_of(rows, classes) or {}).items()}
    if not recalls or None in recalls.values():
        return None
    whole = report["accuracy"]
    return {
        "accuracy": number(next(iter(whole.values()), None) if isinstance(whole, Mapping) else whole),
        "mean_accuracy": _recall(report["macro avg"]),
        "accuracy_per_class": recalls,
    }


def _recall(row: Any) -> float | None:
    return number(row.get("recall")) if isinstance(row, Mapping) and "precision" in row else None
