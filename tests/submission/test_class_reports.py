"""scikit-learn's report as an object gives the figures that it gives as a text; a report of other classes gives none."""

import json

import numpy as np
import pytest
from sklearn.metrics import classification_report

from in4310.submission.class_reports import plain_of
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints
from in4310.submission.tables import Table

CLASSES = ("sea", "street", "forest")
HINTS = Hints(CLASSES, frozenset(f"{c}/{i}.jpg" for c in CLASSES for i in range(9)), {"val": 9, "test": 12})
LABELS = np.repeat(np.arange(3), 20)
CHOSEN = np.random.default_rng(2).integers(0, 3, 60)
RECALLS = {c: float((CHOSEN[i == LABELS] == i).mean()) for i, c in enumerate(CLASSES)}


def report(names=CLASSES):
    return classification_report(LABELS, CHOSEN, target_names=names, output_dict=True)


def framed(found):
    """Columns of what pandas makes of a report: the accuracy stands beside each measure."""
    measures = ("precision", "recall", "f1-score", "support")
    return {n: {m: v[m] if isinstance(v, dict) else v for m in measures} for n, v in found.items()}


def csv(columns, on_its_side=False):
    rows = {m: {n: column[m] for n, column in columns.items()} for m in next(iter(columns.values()))}
    inside = columns if on_its_side else rows
    lines = [["", *next(iter(inside.values()))], *([name, *row.values()] for name, row in inside.items())]
    return "".join(",".join(map(str, line)) + "\n" for line in lines)


FORMS = {
    "json": lambda folder, found: (folder / "report_test.json").write_text(json.dumps(found)),
    "under the set": lambda folder, found: (folder / "results.json").write_text(json.dumps({"test": found})),
    "csv": lambda folder, found: (folder / "report_test.csv").write_text(csv(framed(found))),
    "csv, a row a class": lambda folder, found: (folder / "report_test.csv").write_text(
        csv(framed(found), True)
    ),
    "frame": lambda folder, found: (folder / "report_test.json").write_text(json.dumps(framed(found))),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [CLASSES, ("0", "1", "2")], ids=("names", "numbers"))
def test_recalls_are_the_accuracies(tmp_path, form, names):
    FORMS[form](tmp_path, report(names))
    (found, *_) = Submission(tmp_path, HINTS).found.candidates["metrics"]
    test = found.value["test"]
    assert test["accuracy_per_class"] == pytest.approx(RECALLS)
    assert test["accuracy"] == pytest.approx((CHOSEN == LABELS).mean())
    assert test["mean_accuracy"] == pytest.approx(np.mean(list(RECALLS.values())))
    assert "ap_per_class" not in test


@pytest.mark.parametrize("form", FORMS)
def test_a_report_of_other_classes_has_none_of_them(tmp_path, form):
    FORMS[form](tmp_path, report(("cat", "dog", "bird")))
    for found in Submission(tmp_path, HINTS).found.candidates["metrics"]:
        assert "accuracy_per_class" not in found.value.get("test", {})


@pytest.mark.parametrize("text", ["", "a", "a,b", ",", "a,b\n1", "0,1\n2", "recall\nrecall", ",a\nrecall"])
def test_a_table_of_nearly_nothing_is_none(tmp_path, text):
    (tmp_path / "report_test.csv").write_text(text)
    assert not Submission(tmp_path, HINTS).found.candidates["metrics"]
    for header in ((), ("a",)):
        assert plain_of(Table(header, ()), CLASSES) == Table(header, ())


def test_beside_figures_of_its_own_a_report_changes_nothing(tmp_path):
    own = {"test": {"accuracy": 0.5, "accuracy_per_class": dict.fromkeys(CLASSES, 0.25), "report": report()}}
    (tmp_path / "metrics.json").write_text(json.dumps(own))
    assert Submission(tmp_path, HINTS).metrics["test"]["accuracy_per_class"] == dict.fromkeys(CLASSES, 0.25)


@pytest.mark.parametrize("orient", ["columns", "index"])
def test_scores_in_a_frame_whose_index_are_images(tmp_path, orient):
    paths = [f"{c}/{i}.jpg" for c in CLASSES for i in range(5)]
    scores = np.random.default_rng(1).dirichlet(np.ones(3), len(paths))
    names = [f"prob_{c}" for c in CLASSES]
    rows = {
        path: dict(zip(names, row.tolist(), strict=True)) for path, row in zip(paths, scores, strict=True)
    }
    columns = {name: {path: row[name] for path, row in rows.items()} for name in names}
    (tmp_path / "test_predictions.json").write_text(json.dumps(rows if orient == "index" else columns))
    (found, *_) = Submission(tmp_path, HINTS).found.candidates["scores"]
    assert np.allclose(found.value, scores)
