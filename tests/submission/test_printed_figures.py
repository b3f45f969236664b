"""Figures of evaluation are read in each form in which programs print them, from every file of text; nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission.discovery import Discovery
from in4310.submission.pieces import Hints
from in4310.submission.printed_figures import figures_in

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
HINTS = Hints(CLASSES, frozenset({"sea/1.jpg"}))
share = st.floats(0.01, 0.99).map(lambda v: round(v, 4))
FORMS = [
    "Test Accuracy: {a}\nTest mAP: {m}\n",
    "Test accuracy = {a}, test mAP = {m}\n",
    "Test accuracy: {a} | mAP: {m}\n",
    "Test loss: 0.45 acc: {a} mAP: {m}\n",
    "Results on the test set:\n  Accuracy: {a}\n  Mean average precision: {m}\n",
    "{{'test_acc': {a}, 'test_map': {m}}}\n",
    "Test: {{'accuracy': np.float64({a}), 'mAP': tensor({m}, device='cuda:0')}}\n",
    "2026-03-01 12:00:01,123 INFO test accuracy: {a}\n2026-03-01 12:00:02,123 INFO test mAP: {m}\n",
    "\x1b[32mTest acc\x1b[0m: {a}\nTest mAP: \x1b[1m{m}\x1b[0m\n",
    "Accuracy on the test images: {a}\nmAP on the test images: {m}\n",
    "Test accuracy {a}\nTest mAP {m}\n",
    "Testnøyaktighet: {a}\nTest mAP: {m}\n",
    "| Measure | Test |\n|---|---|\n| Accuracy | {a} |\n| mAP | {m} |\n",
    "## Test\n\n| Accuracy | mAP |\n|:-:|:-:|\n| **{a}** | {m} |\n",
    "+-----+-----+\n| test accuracy | test mAP |\n+-----+-----+\n| {a} | {m} |\n+-----+-----+\n",
    "Measure      Test\n-----------------\nAccuracy     {a}\nmAP          {m}\n",
    "        Test accuracy  Test mAP\n0  best       {a}      {m}\n",
    "┏━━━━┳━━━━┓\n┃ Test metric ┃ DataLoader 0 ┃\n┡━━━━╇━━━━┩\n│ test_acc │ {a} │\n│ test_map │ {m} │\n└────┴────┘\n",
    "\\begin{{table}}\n\\begin{{tabular}}{{lcc}}\n\\toprule\nModel & Accuracy & mAP \\\\\n\\midrule\nours & {a} & {m} \\\\\n"
    "\\end{{tabular}}\n\\caption{{On the \\emph{{test}} set.}}\n\\end{{table}}\n",
    "\\begin{{tabular}}{{lcc}}\n\\toprule\nMeasure & Test \\\\ \\midrule\nAccuracy & {a} \\\\\nmAP & \\textbf{{{m}}} \\\\\n\\bottomrule\n",
]


@given(share, share, st.sampled_from(FORMS))
def test_figures_are_read_in_each_form(accuracy, mean, form):
    stray = "Using device cuda:0\nEpoch 1/2: val acc: 0.1, test acc: 0.2\nlearning rate: 0.001\nSaved 300 images\n"
    text = f"{stray}\n{form.format(a=accuracy, m=mean)}\nElapsed: 12.5 s\n"
    assert figures_in(text, "out", CLASSES) == ({"test": {"accuracy": accuracy, "map": mean}}, [])


@given(st.lists(share, min_size=6, max_size=6))
@pytest.mark.parametrize(
    "form",
    [
        lambda rows: "".join(f"Accuracy of {c:15}: {v}\n" for c, v in rows),
        lambda rows: "Accuracy per class:\n" + "".join(f"  {c}: {v}\n" for c, v in rows),
        lambda rows: f"Accuracy per class: {dict(rows)}\n",
        lambda rows: f"Accuracy per class: {[v for _, v in rows]}\n",
        lambda rows: "| Class | Accuracy |\n|---|---|\n" + "".join(f"| {c} | {v} |\n" for c, v in rows[::-1]),
        lambda rows: "Class & Accuracy \\\\ \\hline\n" + "".join(f"{c} & {v} \\\\\n" for c, v in rows),
        lambda rows: "".join(f"{c} accuracy: {100 * v:.2f} %\n" for c, v in rows),
        lambda rows: "Klasse     Nøyaktighet\n" + "".join(f"{c:<14}{v}\n" for c, v in rows),
    ],
)
def test_figures_of_classes_are_read_in_each_form(form, values):
    found, unclear = figures_in(form(list(zip(CLASSES, values, strict=True))), "out", CLASSES)
    assert (unclear, [*found], [*found["test"]]) == ([], ["test"], ["accuracy_per_class"])
    own = found["test"]["accuracy_per_class"]
    assert all(own[c] in (v, round(100 * v, 2)) for c, v in zip(CLASSES, values, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "Test accuracy: 280/300\n",
        "Test accuracy: 280 of 300\n",
        "Test accuracy: 0.8-0.9\n",
        "Test accuracy: 2026-03-01\n",
        "Epoch 3: test accuracy: 0.9\n",
        "test accuracy:  50%|#####     | 5/10 [00:01<00:01, 4.2it/s]\n",
        "Computing test accuracy for 300 images\n",
        "Test accuracy: 0.9\nTest accuracy: 0.8\n",
        "| Model | Test accuracy |\n|---|---|\n| A | 0.9 |\n| B | 0.8 |\n",
        "| epoch | test accuracy |\n|---|---|\n| 1 | 0.9 |\n",
        "There is no accuracy here: see page 3\n",
    ],
)
def test_what_may_be_something_else_is_no_figure(text):
    assert figures_in(text, "out", CLASSES)[0] == {}


def test_one_figure_to_several_digits_is_one():
    text = "Test accuracy: 0.8677\nSummary\nTest accuracy: 86.77 %\nTest accuracy: 0.87\n"
    assert figures_in(text, "out", CLASSES) == ({"test": {"accuracy": 0.8677}}, [])


def test_a_heading_says_the_set_of_what_stands_below():
    text = "Validation results:\nAccuracy: 0.8\nTest results:\nAccuracy: 0.9\n"
    assert figures_in(text, "out", CLASSES)[0] == {"val": {"accuracy": 0.8}, "test": {"accuracy": 0.9}}


def put(folder, file, text):
    if file.endswith(".ipynb"):
        output = {"output_type": "stream", "text": text}
        text = json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]})
    (folder / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "file", ["f.txt", "f.log", "slurm-1.out", "README.md", "report.tex", "lab.ipynb", "results"]
)
def test_each_file_of_text_is_read_alike(tmp_path, file):
    put(tmp_path, file, "Done.\nTest accuracy: 0.8677\nTest mAP: 94.02 %\n")
    (found,) = Discovery(tmp_path, HINTS, None).candidates["metrics"]
    assert (found.files, found.value) == ((file,), {"test": {"accuracy": 0.8677, "map": 94.02}})


def test_a_file_of_metrics_stands_above_what_was_printed(tmp_path):
    (tmp_path / "metrics.json").write_text('{"test": {"accuracy": 0.9}}')
    put(tmp_path, "out.log", "Test accuracy: 0.8\nTest mAP: 0.7\n")
    (found,) = Discovery(tmp_path, HINTS, None).candidates["metrics"]
    assert found.value == {"test": {"accuracy": 0.9}}


def test_files_that_disagree_are_named_and_not_read(tmp_path):
    put(tmp_path, "a.log", "Test accuracy: 0.8\n")
    put(tmp_path, "b.log", "Test accuracy: 0.9\n")
    found = Discovery(tmp_path, HINTS, None)
    assert not found.candidates["metrics"]
    assert any("a.log, b.log" in note and "none is taken" in note for note in found.notes)


def test_a_measure_with_two_figures_is_said(tmp_path):
    put(tmp_path, "a.log", "Test accuracy: 0.8\nTest accuracy: 0.9\nTest mAP: 0.7\n")
    found = Discovery(tmp_path, HINTS, None)
    assert found.candidates["metrics"][0].value == {"test": {"map": 0.7}}
    assert any("several figures of test accuracy" in note for note in found.notes)


@given(st.text(alphabet="test acurymAP:=|&.%0189\n[]{}", max_size=200))
def test_any_text_gives_figures_or_none(text):
    figures, unclear = figures_in(text, "out", CLASSES)
    assert all(isinstance(table, dict) for table in figures.values())
    assert all(isinstance(slot, str) for slot in unclear)


@pytest.mark.parametrize(
    "titles",
    ["Class Val acc Val AP Test acc Test AP", "Class Accuracy (val) AP (val) Accuracy (test) AP (test)",
     "Class  Val acc  Val AP  Test acc  Test AP",
     "\\multicolumn{1}{c}{} & \\multicolumn{2}{c}{Validation} & \\multicolumn{2}{c}{Test} \\\\\nClass & Accuracy & AP & Accuracy & AP \\\\",
     "| | Validation | | Test | |\n|---|---|---|---|---|\n| Class | Accuracy | AP | Accuracy | AP |"],
)  # fmt: skip
def test_columns_of_two_sets_are_told_by_their_headings(titles):
    mark = " & " if "&" in titles else " | " if "|" in titles else " "
    rows = [mark.join([c, f"0.1{i}", f"0.2{i}", f"0.3{i}", f"0.4{i}"]) for i, c in enumerate(CLASSES)]
    rows = [f"| {row} |" if mark == " | " else row for row in rows]
    found, unclear = figures_in("\n".join([*titles.split("\n"), *rows, ""]), "out", CLASSES)
    sea = {
        name: [table[k]["sea"] for k in ("accuracy_per_class", "ap_per_class")]
        for name, table in found.items()
    }
    assert (sea, unclear) == ({"val": [0.14, 0.24], "test": [0.34, 0.44]}, [])


def test_a_class_stands_for_all_figures_of_its_line():
    text = "--- Test ---\n" + "".join(f"  {c:<10} acc: 0.8{i}   AP: 0.9{i}\n" for i, c in enumerate(CLASSES))
    found, unclear = figures_in(text, "out", CLASSES)
    assert (found["test"]["ap_per_class"]["sea"], unclear) == (0.94, [])
    assert found["test"]["accuracy_per_class"]["sea"] == 0.84
