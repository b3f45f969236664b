"""The set that a heading names holds for all figures below it, however either is written; what is unclear is not taken."""

import json

import pytest

from in4310.submission.discovery import Discovery
from in4310.submission.pieces import Hints
from in4310.submission.printed_figures import figures_in

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
OWN = {name: {c: round(0.5 + 0.01 * i + more, 4) for i, c in enumerate(CLASSES)}
       for name, more in (("val", 0.0), ("test", 0.3))}  # fmt: skip
NAMES = {"val": "Validation", "test": "Test"}
HEADINGS = [
    "{name} set\n",
    "{name} results\n",
    "===== {name} set =====\n",
    "===={name}====\n",
    "{name}\n----------\n",
    "------------------\n{NAME}\n------------------\n",
    "--- Evaluating best model (epoch 20) on {set} ---\n",
    "## 3. {name} results\n",
    "**{name} set**\n",
    "\\section{{{name} results}}\n",
    "RESULTS ON {NAME} DATA\n",
    "Results on the {set} set:\n",
    "Evaluating on {set}...\n",
    "2026-03-01 12:00:01,123 INFO ===== {name} =====\n",
    "──────── {name} metrics ────────\n",
]
BODIES = [
    lambda own: "Accuracy per class:\n" + "".join(f"{c:>12}: {v:.4f}\n" for c, v in own.items()),
    lambda own: (
        "Loaded 141 images\n\n" + "".join(f"  {c:<10} acc = {100 * v:6.2f}%\n" for c, v in own.items())
    ),
    lambda own: (
        "Per class\n\n           accuracy        AP\n"
        + "".join(f"{c:<10} {v:.6f}  0.900000\n" for c, v in own.items())
    ),
    lambda own: "| Class | Accuracy |\n|---|---|\n" + "".join(f"| {c} | {v} |\n" for c, v in own.items()),
    lambda own: f"Done.\nAccuracy per class: {own}\n",
    lambda own: report(own),
]


def report(own, digits=4, names=CLASSES, total="accuracy"):
    """As scikit-learn writes it."""
    width = 12
    text = " " * width + "  precision    recall  f1-score   support\n\n"
    text += "".join(f"{n:>{width}}     {0.9:.{digits}f}    {own[c]:.{digits}f}    {0.8:.{digits}f}        25\n"
                    for n, c in zip(names, CLASSES, strict=True))  # fmt: skip
    mean = sum(own.values()) / len(own)
    text += (
        f"\n{total:>{width}}                         {mean - 0.01:.{digits}f}       150\n" if total else "\n"
    )
    return text + "".join(
        f"{n:>{width}}     {0.7:.{digits}f}    {v:.{digits}f}    {0.6:.{digits}f}       150\n"
        for n, v in (("macro avg", mean), ("weighted avg", mean - 0.01))
    )


def per_class(figures):
    shares = {name: table["accuracy_per_class"] for name, table in figures.items()}
    return {n: {c: v / 100 if v > 1 else v for c, v in own.items()} for n, own in shares.items()}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("heading", HEADINGS)
def test_a_heading_holds_until_the_next(heading, body):
    parts = [
        heading.format(name=n, NAME=n.upper(), set=s) + body(OWN[s]) + "\nmAP: 0.9\n"
        for s, n in NAMES.items()
    ]
    for text in ("\n".join(parts), "\n".join(parts[:1])):  # of one set nothing is taken for the other
        found, unclear = figures_in(text, "out", CLASSES)
        assert unclear == []
        assert per_class(found) == {name: pytest.approx(OWN[name]) for name in found}
        assert {name: table["map"] for name, table in found.items()} == dict.fromkeys(found, 0.9)
        assert [*found] == [*NAMES][: text.count("mAP")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A line about another set leaves open whose the figures below it are.
        ("=== Validation ===\nTest accuracy: 0.9\nmAP: 0.7\n", {"test": {"accuracy": 0.9}}),
        ("=== Test ===\nRestored the weights with the best val loss\nmAP: 0.7\n", {}),
        # Headings of epochs and of the training say nothing of what follows the training.
        ("=== Validation ===\nEpoch 1/2\nval acc: 0.1\nTraining complete\nmAP: 0.7\n",
         {"val": {"accuracy": 0.1}, "test": {"map": 0.7}}),
        ("=== Training ===\nbest model saved\nAccuracy: 0.7\n", {"test": {"accuracy": 0.7}}),
        ("=== Validation ===\nLoaded the checkpoint of epoch 20\nmAP: 0.7\n", {"val": {"map": 0.7}}),
        # No headings: counts, options, progress, the end of a sentence.
        ("# val images: 141\nAccuracy: 0.7\n", {"test": {"accuracy": 0.7}}),
        ("We chose the model on the\nvalidation set.\nIt was saved.\nAccuracy: 0.7\n", {"test": {"accuracy": 0.7}}),
        ("val: 100%|#####| 3/3 [00:01<00:00, 4.2it/s]\nAccuracy: 0.7\n", {"test": {"accuracy": 0.7}}),
        # A table that names its sets keeps them below the heading of one.
        ("## Validation\n| Set | Accuracy |\n|---|---|\n| val | 0.8 |\n| test | 0.9 |\n",
         {"val": {"accuracy": 0.8}, "test": {"accuracy": 0.9}}),
        ("## Validation\n| Measure | Val | Test |\n|---|---|---|\n| Accuracy | 0.8 | 0.9 |\n",
         {"val": {"accuracy": 0.8}, "test": {"accuracy": 0.9}}),
    ],
)  # fmt: skip
def test_what_a_heading_says_and_what_it_does_not(text, expected):
    assert figures_in(text, "out", CLASSES)[0] == expected


def test_of_a_measure_by_class_with_two_figures_of_one_class_none_is_taken():
    rows = [f"sea accuracy: {v}\nforest accuracy: 1.0\n" for v in (0.7, 0.9)]
    assert figures_in("\n".join(rows), "out", CLASSES) == ({}, ["test accuracy_per_class sea"])


@pytest.mark.parametrize("names", [CLASSES, [*"012345"], [c.title() for c in CLASSES]])
@pytest.mark.parametrize(("digits", "before"), [(2, ""), (4, "Validation: "), (4, "Saved to out/\n")])
def test_a_classification_report_is_read(digits, before, names):
    found, unclear = figures_in(before + report(OWN["val"], digits, names), "report_val", CLASSES)
    assert (per_class(found), unclear) == ({"val": pytest.approx(OWN["val"])}, [])
    mean = pytest.approx(0.525, abs=0.51 * 10**-digits)
    assert (found["val"]["mean_accuracy"], found["val"]["accuracy"] + 0.01) == (mean, mean)
    assert found["val"].keys() == {"accuracy", "mean_accuracy", "accuracy_per_class"}


@pytest.mark.parametrize(
    "text",
    [
        report(OWN["test"], names=[*CLASSES[:-1], "cat"]),
        report(OWN["test"], names=[*CLASSES[:-1], "sea"]),
        report(OWN["test"], total="micro avg"),
        report(OWN["test"], total=""),
        report(OWN["test"]).replace("f1-score", "f2-score"),
        "\n".join(report(OWN["test"]).splitlines()[:6]),
    ],
)
def test_another_report_gives_no_figures(text):
    found = figures_in(text, "out", CLASSES)[0].get("test", {})
    assert found.keys() <= {"accuracy"}  # a row that was cut off from its report


def put_reports(folder, val=OWN["val"]):
    (folder / "results").mkdir()
    for name, own in (("val", val), ("test", OWN["test"])):
        (folder / "results" / f"classification_report_{name}.txt").write_text(report(own))


@pytest.mark.parametrize("beside", ["class,val_ap,test_ap\nsea,0.91,0.92\nmean,0.93,0.94\n", ""])
def test_files_of_reports_stand_beside_a_table(tmp_path, beside):
    put_reports(tmp_path)
    if beside:
        (tmp_path / "results" / "ap.csv").write_text(beside)
    (found,) = Discovery(tmp_path, Hints(CLASSES, frozenset({"sea/1.jpg"})), None).candidates["metrics"]
    assert per_class(found.value) == {name: pytest.approx(own) for name, own in OWN.items()}
    assert [table.get("map") for table in found.value.values()] == ([0.93, 0.94] if beside else [None, None])


def test_a_report_that_disagrees_with_a_table_is_not_read(tmp_path):
    put_reports(tmp_path)
    (tmp_path / "metrics.json").write_text('{"test": {"accuracy": 0.1}}')
    (found,) = Discovery(tmp_path, Hints(CLASSES, frozenset({"sea/1.jpg"})), None).candidates["metrics"]
    assert found.value["test"] == {"accuracy": 0.1}
    assert per_class({"val": found.value["val"]}) == {"val": pytest.approx(OWN["val"])}


@pytest.mark.parametrize(
    "heading", ["## {name} results", "**{name} set**", "{name}\n-----", "# A\n\ntext\n\n### {name}"]
)
def test_a_cell_of_text_heads_what_the_cells_below_it_print(tmp_path, heading):
    cells = [{"cell_type": "markdown", "source": "# Mandatory 1\n\nWe look at the validation set."}]
    for name, title in NAMES.items():
        rows = "           accuracy        AP\n" + "".join(
            f"{c:<10} {v:.6f}  0.900000\n" for c, v in OWN[name].items()
        )
        stream = {"output_type": "stream", "text": f"{title} accuracy: 0.8\n"}
        table = {
            "output_type": "execute_result",
            "data": {"text/plain": rows + "mean       0.700000  0.900000"},
        }
        cells.append(
            {"cell_type": "markdown", "source": heading.format(name=title).splitlines(keepends=True)}
        )
        cells.append({"cell_type": "code", "source": "", "outputs": [stream]})
        cells.append({"cell_type": "code", "source": "", "outputs": [table]})
    (tmp_path / "lab.ipynb").write_text(json.dumps({"cells": cells}))
    (found,) = Discovery(tmp_path, Hints(CLASSES, frozenset({"sea/1.jpg"})), None).candidates["metrics"]
    assert per_class(found.value) == {name: pytest.approx(own) for name, own in OWN.items()}
    assert [t["mean_accuracy"] for t in found.value.values()] == [0.7, 0.7]
