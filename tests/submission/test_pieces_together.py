"""A file of one piece never takes another piece away: pairs of pieces in one file and in one folder, in all forms."""

import json
from itertools import combinations, product

import pytest
from submission.written_forms import CLASSES, HINTS, RANKED, SCORES, SPLIT, write

from in4310.submission.discovery import Discovery
from in4310.submission.reader import load_tensors

EPOCHS = [
    {
        "epoch": e,
        "train_loss": 1 / e,
        "val_loss": 1.1 / e,
        "val_accuracy": 0.5 + e / 20,
        "val_map": 0.4 + e / 20,
    }
    for e in range(1, 7)  # as many as there are classes: a list of epochs is no list of classes
]
LISTS = {k: [e[k] for e in EPOCHS] for k in EPOCHS[0]}
SHARES = {"layer1": 41.0, "layer2": 52.0}
VALUES = {"layer1": [3.0, 2.0, 1.0], "layer2": [5.0, 4.0, 2.0]}
FOUND = {"largest_difference": 1e-6, "tolerance": 1e-4, "rows": 25}
OBJECTS = {
    "history": [{"history": EPOCHS}, LISTS, {"history": LISTS, "settings": {"layer4": 0.001}}, {"runs": [{"name": "n", "epochs": EPOCHS}]}],
    "metrics": [{"metrics": {"test": {"accuracy": 0.9, "map": 0.95}}}, {"test_accuracy": 0.9, "test_map": 0.95}],
    "ranking": [{"top_bottom": RANKED}, RANKED],
    "non_positive": [{"non_positive": SHARES}, {"percent": SHARES}, {"shares": {m: {"non_positive": v} for m, v in SHARES.items()}}],
    "eigenvalues": [{"eigenvalues": VALUES}],
    "resources": [{"peak_memory_bytes": 5e8}, {"resources": {"peak memory": "512 MiB"}}],
    "reproduction": [FOUND, {"reproduction": FOUND}],
    "split": [{"split": SPLIT}, {f"{name}_files": paths for name, paths in SPLIT.items()}],
    "scores": [{"scores": SCORES.round(6).tolist()}],
}  # fmt: skip


def lines(rows):
    return "\n".join(rows) + "\n"


TEXTS = {
    "history": [
        lines(f"Epoch {e['epoch']}/6 train loss: {e['train_loss']:.4f} val loss: {e['val_loss']:.4f} val mAP: {e['val_map']:.4f}" for e in EPOCHS),
        lines(["| epoch | train_loss | val_loss | val_map |", *(f"| {e['epoch']} | {e['train_loss']:.4f} | {e['val_loss']:.4f} | {e['val_map']:.4f} |" for e in EPOCHS)]),
        lines(x for e in EPOCHS for x in (f"Epoch {e['epoch']}", "-----", f" * train-loss: {e['train_loss']:.4f}", f" * val-loss: {e['val_loss']:.4f}")),
        lines(f"Epoch {e['epoch']} loss: {e['train_loss']:.4f} accuracy: {e['val_map']:.4f}" for e in EPOCHS),
    ],
    "metrics": [
        "Test accuracy: 0.9000\nTest mAP: 0.9500\n",
        "Test results\nAccuracy = 90.0 %\nmAP = 95.0 %\n" + lines(f"AP of {c}: 0.9{i}" for i, c in enumerate(CLASSES)),
        lines(["| class | test accuracy | test AP |", "|---|---|---|", *(f"| {c} | 0.8{i} | 0.9{i} |" for i, c in enumerate(CLASSES))]),
        "Test set: loss: 0.3000 accuracy: 0.9000\n",
    ],
    "non_positive": [
        "Module layer1.0.relu: Average non-positive values: 43.79%, Count: 200\nModule layer2.0.relu: Average non-positive values: 53.10%, Count: 200\n",
        "| module | non-positive [%] |\n|---|---|\n| layer1 | 43.2 |\n| layer2 | 51.0 |\n",
    ],
    "resources": ["Peak memory: 512 MiB\n"],
    "ranking": [lines(x for c, r in RANKED.items() for x in (f"Top images of {c}:", *r["top"], "", f"Bottom images of {c}:", *r["bottom"], ""))],
}  # fmt: skip


def notebook(*texts):
    return json.dumps({"cells": [
        {"cell_type": "code", "source": "run()", "metadata": {}, "execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": text}]}
        for text in texts
    ], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})  # fmt: skip


def found(folder, name, text):
    write(folder, name, text)
    candidates = Discovery(folder, HINTS, load_tensors).candidates
    (folder / name).unlink()
    return {piece: of_piece[0].value for piece, of_piece in candidates.items() if of_piece}


def plain(value):
    return json.dumps(value, default=lambda array: array.tolist(), sort_keys=True)


def test_two_pieces_in_one_object_are_what_they_are_alone(tmp_path):
    forms = [(piece, form) for piece, of_piece in OBJECTS.items() for form in of_piece]
    alone = {plain(form): found(tmp_path, "results.json", json.dumps(form)) for _, form in forms}
    for (piece, form), (other, beside) in combinations(forms, 2):
        if piece == other or form.keys() & beside.keys():
            continue
        both = found(tmp_path, "results.json", json.dumps(form | beside))
        for name, own in ((piece, form), (other, beside)):
            wanted = alone[plain(own)][name]
            same = plain(both.get(name)) == plain(wanted)
            # Records keep what stands beside them; the checks ask for keys.
            same = same or (
                isinstance(wanted, dict) and name in both and wanted.items() <= both[name].items()
            )
            assert same, (piece, other, name, both.get(name))
        assert both.keys() == {piece, other}


@pytest.mark.parametrize("name", ["results.txt", "job.out", "README.md", "oblig.ipynb"])
def test_two_pieces_in_one_text_are_what_they_are_alone(tmp_path, name):
    together = notebook if name.endswith("ipynb") else lambda *texts: "\n".join(texts)
    forms = [(piece, form) for piece, of_piece in TEXTS.items() for form in of_piece]
    alone = {form: found(tmp_path, name, together(form)) for _, form in forms}
    for (piece, form), (other, beside) in combinations(forms, 2):
        if piece == other:
            continue
        for order in ((form, beside), (beside, form)):
            both = found(tmp_path, name, together(*order))
            assert {p: plain(both.get(p)) for p in (piece, other)} == {
                piece: plain(alone[form][piece]),
                other: plain(alone[beside][other]),
            }


def pictures(folder):
    candidates = Discovery(folder, HINTS, load_tensors).candidates
    return {
        p: set(candidates[p][0].files) if candidates[p] else set()
        for p in ("plots", "feature_maps", "report")
    }


DRAWN = {
    "plots": [["loss.png", "map.png"], ["loss_10.png", "val_map_12.png"], [f"loss_{i}.png" for i in range(12)], ["curves.pdf", "spectra1.svg"]],
    "feature_maps": [["feature_maps_grid.png"], ["featuremap_layer1_0.png", "featuremap_layer2_0.png"], ["activations.png"]],
    "report": [["report.pdf"], ["rapport_kari.pdf"], ["IN4310_oblig1.docx"], ["report.html"]],
}  # fmt: skip


@pytest.mark.parametrize(
    "folders", [("figures", ""), ("", ""), ("figures", "figures"), ("report/img", "report")]
)
def test_pictures_maps_and_a_report_in_one_folder_are_each_their_own(tmp_path, folders):
    for number, forms in enumerate(product(*DRAWN.values())):
        root = tmp_path / str(number)
        wanted = {}
        for piece, names in zip(DRAWN, forms, strict=True):
            folder = folders[piece == "report"]
            wanted[piece] = {f"{folder}/{name}".strip("/") for name in names}
            for name in wanted[piece]:
                write(root, name, b"%PDF-1.4 content")
        assert pictures(root) == wanted


def test_photographs_of_the_best_and_worst_are_no_feature_maps(tmp_path):
    ranked = {f"best_worst/{c}_{s}_{i}.png" for c in CLASSES for s in ("best", "worst") for i in range(5)}
    for name in (*ranked, "feature_maps/layer1.png"):
        write(tmp_path, name, b"picture")
    assert pictures(tmp_path) == {
        "plots": ranked,
        "feature_maps": {"feature_maps/layer1.png"},
        "report": set(),
    }


def test_the_assignments_own_text_is_not_taken_for_the_report(tmp_path):
    for name in ("Mandatory1_IN4310.pdf", "report/report_kari.pdf"):
        write(tmp_path, name, b"%PDF-1.4 content")
    assert pictures(tmp_path)["report"] == {"report/report_kari.pdf"}
