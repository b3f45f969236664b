"""Shares of non-positive values, in each form in which programs print them and reports set them; nothing else is one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission.discovery import Discovery
from in4310.submission.pieces import Hints
from in4310.submission.printed_shares import shares_in

HINTS = Hints(("forest", "sea"), frozenset({"sea/1.jpg"}))
NAMES = ("conv1", "relu", "layer1", "layer2.0.conv1", "layer3.1.relu", "layer4", "bn1", "model.layer1.0.bn2")
MODULES = st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True)
SHARE = st.floats(0.01, 99.99).map(lambda v: round(v, 4))
LINES = [  # say themselves what they are
    "Module {m}: {v} % non-positive",
    "Module {m}: {v}% non-positive values",
    "Module {m}: Average non-positive values: {v}%, Count: 200",
    "{m}: average share of non-positive values = {v} %",
    "Percentage of non-positive values in {m}: {v}%",
    "Andel ikke-positive verdier i {m}: {c} %",
    "{m} (<= 0): {v} %",
    "{m} non_positive={v}",
    "{m} - non-positive: {v} ± 0.5 %",
    "2026-03-01 12:00:01,123 INFO {m}: {v} % non-positive",
    "[INFO] {m} -> {v} % not positive",
    "non-positive {m} tensor({v}, device='cuda:0')",
]
ROWS = [  # do so below a heading that does, or alone in a file
    "{m} {v}%",
    "{m}: {v}%",
    "{m}: {c} %",
    "{m} = {v}",
    "{m}\t{v}",
    "{m} | {v}%",
    "| {m} | {v} |",
    "| `{m}` | {v} % |",
    "| **{m}** | {v} |",
    "Module {m}: {v}",
    "{m} np.float64({v})",
    "'{m}': {v},",
    "{m} & {v}\\% \\\\",
    "\\texttt{{{m}}} & ${v}$ \\\\ \\hline",
]
HEADINGS = [
    "Non-positive values:",
    "Module Name | Avg. % of Non-Positive Values\n" + "-" * 40,
    "| Module | Non-positive (%) |\n|---|---:|",
    "## Share of non-positive values\n\n| Module | Percent |\n|:--|--:|",
    "module avg % non-positive",
    "\\caption{Non-positive values}\n\\begin{tabular}{lr}\n\\toprule\nModule & Share \\\\ \\midrule",
    "Andel ikke-positive verdier",
]


def house(name):
    return name.removeprefix("model.")


def written(form, shares):
    return "".join(form.format(m=m, v=v, c=str(v).replace(".", ",")) + "\n" for m, v in shares.items())


@given(st.dictionaries(st.sampled_from(NAMES), SHARE, min_size=1, max_size=5), st.sampled_from(LINES))
def test_a_line_that_says_so_is_read_in_any_text(shares, form):
    text = f"Epoch 3/5\nlayer1 learning rate: 0.001\n{written(form, shares)}Finished in 12 s\nlayer4: 7 % frozen\n"
    assert shares_in(text, told=False).percent == {house(m): v for m, v in shares.items()}


@given(
    st.dictionaries(st.sampled_from(NAMES), SHARE, min_size=2, max_size=5),
    st.sampled_from(ROWS),
    st.sampled_from(HEADINGS),
)
def test_rows_below_a_heading_are_read_and_those_above_and_beyond_are_not(shares, row, heading):
    stray = "Training: done\nlayer1: 12 %\nrate of layer2: 0.1\n"
    text = f"{stray}Computing statistics\n{heading}\n{written(row, shares)}done, all saved\n{stray}"
    assert shares_in(text, told=False).percent == {house(m): v for m, v in shares.items()}


@given(st.dictionaries(st.sampled_from(NAMES), SHARE, min_size=2, max_size=5), st.sampled_from(ROWS))
def test_rows_alone_in_a_file_are_read(shares, row):
    assert shares_in(written(row, shares), told=False).percent == {house(m): v for m, v in shares.items()}


@pytest.mark.parametrize(
    ("row", "before", "read"),
    [
        ("{m}: {v} %", "accuracy: 0.91\n", True),
        ("{m}: {v}", "accuracy: 0.91\n", False),  # of figures that no one names a notebook has many
        ("{m}: {v} %", "accuracy: 0.91\nExplained variance:\n", False),
    ],
)
def test_rows_alone_in_a_cell_of_a_notebook_are_read_where_they_are_percentages(tmp_path, row, before, read):
    rows, cut = written(row, {"layer1": 43.5, "layer2": 51.25}), before.index("\n") + 1
    cells = [
        {"cell_type": "code", "source": "", "outputs": [{"output_type": "stream", "text": text}]}
        for text in (before[:cut], before[cut:] + rows, "done\n")
    ]
    (tmp_path / "lab.ipynb").write_text(json.dumps({"cells": cells}))
    found = Discovery(tmp_path, HINTS, None).candidates["non_positive"]
    assert [c.value for c in found] == [{"percent": {"layer1": 43.5, "layer2": 51.25}}] * read


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("| Module | Parameters | Non-positive (%) |", "| {m} | 9408 | {v} |"),
        ("Module | Non-positive | Count", "{m} | {v} | 200"),
        ("Module & Share & Images & Non-positive values \\\\", "{m} & 0.1 & 200 & {v} \\\\"),
    ],
)  # fmt: skip
def test_of_several_columns_the_one_that_says_so_is_taken(heading, row):
    text = heading + "\n" + written(row, {"conv1": 40.5, "layer1": 61.25})
    assert shares_in(text, told=False).percent == {"conv1": 40.5, "layer1": 61.25}


@pytest.mark.parametrize(
    "text",
    [
        "layer1: 56.8 % positive\nlayer2: 40 % positive values\n",
        "layer1 accuracy 93 %\nlayer2 accuracy 94 %\n",
        "Freezing layer1 (12 % of all weights)\nFreezing layer2 (22 % of all weights)\n",
        "Non-positive values:\ndone, nothing to see\nlayer1: 43 %\nstop\n",
        "Module | Parameters | Gradients\nlayer1 | 12 | 13\nlayer2 | 14 | 15\n",
        "| Non-positive | |\n| Layer | Learning rate |\n|---|---|\n| layer1 | 0.1 |\n| layer2 | 0.2 |\n",
        "layer1 and layer2: 43 % non-positive\n",
        "non-positive values of layer1: between 40-45 %\n",
        "non-positive values of layer1: 40 % before, 45 % after\n",
        "conv1: 9408\nlayer1: 147968\n",
    ],
)
def test_what_may_be_something_else_is_no_share(text):
    assert shares_in(text, told=False).percent == {}


def test_two_figures_of_one_module_are_none_and_said(tmp_path):
    (tmp_path / "out.log").write_text(
        "layer1: 43 % non-positive\nlayer2: 5 % non-positive\nlayer1: 44 % non-positive\n"
    )
    found = Discovery(tmp_path, HINTS, None)
    assert not found.candidates["non_positive"]
    assert any("out.log" in n and "layer1" in n and "none is taken" in n for n in found.notes)


@pytest.mark.parametrize(
    "file", ["out.txt", "out.log", "slurm-12.out", "README.md", "report.tex", "lab.ipynb"]
)
def test_each_file_that_holds_text_is_read(tmp_path, file):
    text = "## Results\n\n| Module | Non-positive |\n|---|---|\n| layer1 | 43.5 % |\n| layer2 | 51,25 % |\n\nThat is all.\n"
    if file.endswith(".ipynb"):
        output = {"output_type": "stream", "text": text}
        text = json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]})
    (tmp_path / file).write_text(text, encoding="utf-8")
    (found,) = Discovery(tmp_path, HINTS, None).candidates["non_positive"]
    assert (found.files, found.value) == ((file,), {"percent": {"layer1": 43.5, "layer2": 51.25}})


def test_a_column_beside_a_count_is_the_one_of_the_shares(tmp_path):
    (tmp_path / "stats.csv").write_text("module,avg_non_positive,count\nlayer1,43.5,200\nlayer2,51.25,200\n")
    (found,) = Discovery(tmp_path, HINTS, None).candidates["non_positive"]
    assert found.value == {"percent": {"layer1": 43.5, "layer2": 51.25}}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("stats.txt", "Feature map statistics: [0.83070284 0.7725036  0.5197449  0.5063782  0.4611779 ]"),
        ("out.log", "Non-positive shares: [43.1, 42.0, 60.5, 70.5, 80.1]\n"),
        ("non_positive.txt", "tensor([0.4, 0.5, 0.6, 0.7, 0.8])\n"),
    ],
)
def test_shares_without_names_are_named_and_not_read(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    found = Discovery(tmp_path, HINTS, None)
    assert not found.candidates["non_positive"]
    assert any(n.startswith(f"{file}: 5 numbers") and "layer1: 43.2 %" in n for n in found.notes)


def test_other_arrays_are_not_spoken_of(tmp_path):
    (tmp_path / "out.log").write_text("Learning rates: [0.1, 0.2, 0.3]\n")
    assert Discovery(tmp_path, HINTS, None).notes == []


@given(st.text(alphabet="layer1conv|&:% .0-9\nnpositv", max_size=200), st.booleans())
def test_any_text_gives_shares_or_none(text, told):
    assert all(isinstance(value, float) for value in shares_in(text, told).percent.values())


def test_a_table_of_pandas_is_read_without_the_numbers_of_its_rows():
    text = "     layer  non-positive (%)\n0  maxpool             36.07\n1   layer1             28.68\n"
    assert shares_in(text, False).percent == {"maxpool": 36.07, "layer1": 28.68}


def test_a_table_of_latex_is_read_with_its_caption_below():
    text = (
        "\\begin{table}\n\\begin{tabular}{lr}\nModule & Non-positive values \\\\ \\hline\n"
        "\\texttt{maxpool} & 36.07\\,\\% \\\\\n\\texttt{layer1} & 28.68\\,\\% \\\\\n\\end{tabular}\n"
        "\\caption{Shares over 200 images.}\n\\end{table}\n"
    )
    assert shares_in(text, True).percent == {"maxpool": 36.07, "layer1": 28.68}
