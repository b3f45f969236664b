"""One table, as spreadsheets, loggers and pandas write it, in English or Norwegian, is read as the same figures."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission import claims, histories, tables
from in4310.submission.discovery import Discovery
from in4310.submission.pieces import Hints

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
HINTS = Hints(CLASSES, frozenset({"sea/1.jpg"}))
ENGLISH = ("epoch", "train_loss", "val_loss", "val_accuracy")
TITLES = [
    ENGLISH,
    ("Epoch", "Train Loss", "Validation Loss", "Validation Accuracy"),
    ("Epoke", "Treningstap", "Valideringstap", "Valideringsnøyaktighet"),
    ("epoch", "train/loss", "val/loss", "val/acc"),
    ("Epoch", "Loss/train", "Loss/validation", "Accuracy/validation"),
    ("epoch", "train.loss", "val.loss", "val.acc"),
    ("epoke", "tap (trening)", "tap (validering)", "nøyaktighet (validering)"),
]
share = st.floats(0.001, 0.999).map(lambda v: round(v, 4))
rows_of = st.lists(st.tuples(share, share, share), min_size=2, max_size=9)


def delimited(titles, rows, mark, decimal):
    lines = [mark.join(titles), *(mark.join(str(v).replace(".", decimal) for v in row) for row in rows)]
    return "\n".join(lines) + "\n"


def csv_forms(titles, rows):
    plain = delimited(titles, rows, ",", ".")
    norwegian = delimited(titles, rows, ";", ",")
    indexed = [(i, *row) for i, row in enumerate(rows)]
    yield plain
    yield norwegian
    yield "sep=;\n" + norwegian
    yield "SEP=,\r\n" + plain.replace("\n", "\r\n")
    yield f"Run 1{',' * (len(titles) - 1)}\n{plain}"
    yield f"Training of ResNet18\n\n{plain}"
    yield f"Training of ResNet18\nMarch 2026\n{norwegian}"
    yield delimited(("", *titles), indexed, ",", ".")  # pandas' to_csv
    yield delimited(("", *titles), indexed, "\t", ".")
    yield delimited(("Unnamed: 0", *titles), indexed, ",", ".")


def json_forms(titles, rows):
    """Orients of pandas' to_json, and to_dict('list')."""
    records = [dict(zip(titles, row, strict=True)) for row in rows]
    columns = dict(zip(titles, map(list, zip(*rows, strict=True)), strict=True))
    yield json.dumps(records)
    yield json.dumps({name: {str(i): v for i, v in enumerate(values)} for name, values in columns.items()})
    yield json.dumps({str(i): record for i, record in enumerate(records)})
    yield json.dumps({"columns": titles, "index": list(range(len(rows))), "data": rows})
    yield json.dumps({"schema": {"fields": []}, "data": [{"index": i} | r for i, r in enumerate(records)]})
    yield json.dumps(columns)


def read_history(document):
    (run,) = histories.as_history(document, "log").values()
    return run["epochs"]


@given(rows_of, st.sampled_from(TITLES))
def test_a_history_is_the_same_in_each_form_of_a_table(figures, titles):
    rows = [(i, *row) for i, row in enumerate(figures, 1)]
    wanted = [dict(zip(ENGLISH, row, strict=True)) for row in rows]
    for text in csv_forms(titles, rows):
        assert read_history(tables.parse_table(text)) == wanted, text
    for text in json_forms(titles, rows):
        document = json.loads(text)
        assert read_history(tables.framed(document) or document) == wanted, text


@pytest.mark.parametrize(
    "titles", [("class", "accuracy", "AP"), ("klasse", "nøyaktighet", "gjennomsnittlig presisjon")]
)
@pytest.mark.parametrize("order", [1, -1])
def test_figures_of_classes_are_the_same_in_each_form(tmp_path, titles, order):
    rows = [(c, 0.5 + i / 100, 0.7 + i / 100) for i, c in enumerate(CLASSES)][::order]
    wanted = {
        "accuracy_per_class": {c: accuracy for c, accuracy, _ in rows},
        "ap_per_class": {c: ap for c, _, ap in rows},
    }
    texts = [(t, "csv") for t in csv_forms(titles, rows)] + [(t, "json") for t in json_forms(titles, rows)]
    for i, (text, suffix) in enumerate(texts):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / f"figures_test.{suffix}").write_text(text, encoding="utf-8")
        (found,) = Discovery(tmp_path / str(i), HINTS, None).candidates["metrics"]
        assert found.value == {"test": wanted}, text


VALUES = [0.91, 0.82, 0.73, 0.64, 0.55, 0.46]


@pytest.mark.parametrize("cell", [str, np.array, repr])
def test_an_array_in_a_cell_is_a_figure_a_class(cell):
    for written in (f'"{cell(VALUES)}"', f'"{np.array(VALUES)!r}"', f'"{[np.float64(v) for v in VALUES]}"'):
        table = tables.parse_table(f"set,AP per class,mAP\ntest,{written},0.7\n")
        found = claims.as_metrics(table, "x", CLASSES)
        assert found == {"test": {"ap_per_class": dict(zip(CLASSES, VALUES, strict=True)), "map": 0.7}}


@pytest.mark.parametrize("cell", ["[0.9, 0.8]", "[]", "[0.9, x]", "[[1,2],[3,4]]", "[1,2,3,4,5,6,7]"])
def test_an_array_of_another_length_is_no_figure(cell):
    assert claims.as_metrics(tables.parse_table(f'set,AP\ntest,"{cell}"\n'), "x", CLASSES) is None


def test_a_column_of_row_numbers_or_of_counts_is_no_figure():
    for text in (
        ",metric,value\n0,test accuracy,0.9\n1,test mAP,0.8\n",
        "index,metric,value\n3,test accuracy,0.9\n4,test mAP,0.8\n",
    ):
        assert claims.as_metrics(tables.parse_table(text), "x", CLASSES) == {
            "test": {"accuracy": 0.9, "map": 0.8}
        }


def test_figures_by_the_number_of_the_class_are_those_of_the_class():
    document = {"test_accuracy": {str(i): v for i, v in enumerate(VALUES)}, "test_map": 0.7}
    assert claims.as_metrics(tables.framed(document) or document, "x", CLASSES) == {
        "test": {"accuracy_per_class": dict(zip(CLASSES, VALUES, strict=True)), "map": 0.7}
    }


@pytest.mark.parametrize(
    "document",
    [
        {"train": ["a/1.jpg"], "val": ["b/2.jpg"], "test": ["b/3.jpg"]},
        {"sea": {"accuracy": 0.9}, "forest": {"accuracy": 0.8}},
        {"0": {"top": [["a/1.jpg", 0.9]], "bottom": []}, "1": {"top": [], "bottom": []}},
        {"accuracy": {"0": 0.9, "1": 0.8}},
        {"loss": [0.9, 0.8], "accuracy": [0.7, 0.8]},
        {"columns": 3, "data": [[1]]},
        {"percent": {"layer1": 40.0}},
        {},
        [],
        None,
    ],
)
def test_an_object_that_may_be_something_else_is_no_table(document):
    assert tables.framed(document) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "1", "columns", "data", "schema", "a"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_any_object_is_a_table_or_none(document):
    table = tables.framed(document)
    assert table is None or all(isinstance(cell, str) for row in table.rows for cell in row)


def chart(values):
    return "Wall time,Step,Value\n" + "".join(f"17e8,{i},{v}\n" for i, v in enumerate(values))


@pytest.mark.parametrize(
    "names",
    [
        ("run-resnet-tag-Loss_train.csv", "run-resnet-tag-Loss_val.csv", "run-resnet-tag-Accuracy_val.csv"),
        ("run-.-tag-train_loss.csv", "run-.-tag-val_loss.csv", "run-.-tag-val_acc.csv"),
        (
            "run-train-tag-epoch_loss.csv",
            "run-validation-tag-epoch_loss.csv",
            "run-validation-tag-epoch_accuracy.csv",
        ),
        ("train_loss.csv", "val_loss.csv", "val_acc.csv"),
    ],
)
def test_charts_that_tensorboard_saved_are_one_run(tmp_path, names):
    wanted = ([0.9, 0.6, 0.5], [0.8, 0.7, 0.6], [0.5, 0.6, 0.7])
    for name, values in zip(names, wanted, strict=True):
        (tmp_path / name).write_text(chart(values))
    (found,) = Discovery(tmp_path, HINTS, None).candidates["history"]
    ((_, run),) = found.value.items()
    columns = ("train_loss", "val_loss", "val_accuracy")
    assert [[e[c] for e in run["epochs"]] for c in columns] == [*map(list, wanted)]


def test_a_chart_whose_name_says_nothing_is_named_and_not_read(tmp_path):
    (tmp_path / "export.csv").write_text(chart([0.9, 0.8]))
    found = Discovery(tmp_path, HINTS, None)
    assert not found.candidates["history"]
    assert "export.csv: a chart that TensorBoard saved" in found.notes[0]


@pytest.mark.parametrize("line", ["{p} {y}", "{y} {p}", "{p}\t{y}", "{p} {y} 0.5"])
def test_paths_and_labels_apart_by_spaces_are_columns(line):
    table = tables.parse_table("".join(line.format(p=f"sea/{i}.jpg", y=4) + "\n" for i in range(3)))
    assert all(any(cell == f"sea/{i}.jpg" for cell in row) for i, row in enumerate(table.rows))
    assert len(table.rows) == 3


@pytest.mark.parametrize(
    "lines",
    [
        ["sea/1,3", "sea/2,4"],
        ["sea/1.jpg,0.9", "0.8,0.7"],
        ["4,sea\\1", "3,sea\\2"],
        ["sea,n/a", "forest,0.4"],
        ["a/b", "c/d"],
    ],
)
def test_a_path_is_no_title(lines):
    table = tables.parse_table("\n".join(lines) + "\n")
    assert (table.header, len(table.rows)) == ((), len(lines))


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({"val/acc": 0.8, "best_val/accuracy": 0.9, "test/acc": 0.7}, {"val": 0.9, "test": 0.7}),
        ({"val_acc": 0.8, "val_acc_best": 0.9}, {"val": 0.9}),
        ({"last": {"val": {"accuracy": 0.8}}, "best": {"val": {"accuracy": 0.9}}}, {"val": 0.9}),
        ({"val_acc": 0.8, "best_class_val_acc": 0.9}, {"val": 0.8}),
        ({"val": {"accuracy": 0.8, "best_accuracy": 0.9}}, {"val": 0.8}),
    ],
)
def test_what_is_said_to_be_of_the_best_stands_above_the_last(document, wanted):
    for one in (document, dict(reversed(document.items()))):
        found = claims.as_metrics(one, "wandb-summary", CLASSES)
        assert {name: table["accuracy"] for name, table in found.items()} == wanted


@pytest.mark.parametrize("printed", ["", "Validation accuracy: 0.75\n"])
@pytest.mark.parametrize("tests", [0, 1, 2])
def test_the_row_of_the_test_in_a_log_is_the_metrics(tmp_path, tests, printed):
    """Of two such rows nothing tells which is of the network handed in."""
    lines = ["epoch,step,train_loss,val_loss,val_acc,test_acc,test_mean_acc,test_acc_sea,test_map"]
    lines += [f"{i},{i * 7 + 6},0.{9 - i},0.{8 - i},0.{5 + i},,,," for i in range(3)]
    lines += [f"{3 + i},{21 + i},,,,0.6{i},0.65,0.7,0.8" for i in range(tests)]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "out.txt").write_text(printed)
    found = {}
    for candidate in Discovery(tmp_path, HINTS, None).candidates["metrics"]:
        found |= candidate.value
    of_test = {"accuracy": 0.6, "mean_accuracy": 0.65, "accuracy_per_class": {"sea": 0.7}, "map": 0.8}
    assert found.get("test") == (of_test if tests == 1 else None)
    assert found.get("val") == ({"accuracy": 0.75} if printed else None)
