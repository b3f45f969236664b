"""The source of a submission is read, never run: calls, their literal arguments, and where they stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission import source
from in4310.submission.source import read_calls

CODE = """
import torch
from torch.utils.data import DataLoader
SEED = 7
raise SystemExit("never run")

def loaders(batch):
    test_loader: DataLoader = DataLoader(test_set, batch_size=batch, shuffle=True)
    return {"train": torch.utils.data.DataLoader(train_set, 64, shuffle=False), "x": -1.5}

torch.manual_seed(SEED)
"""


@pytest.fixture
def calls(tmp_path):
    def read(text=CODE, name="train.py"):
        (tmp_path / name).write_text(text)
        return read_calls(tmp_path)

    return read


def notebook(*cells):
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})


def test_calls_with_place_target_and_literals(calls):
    loader, other = (c for c in calls() if c.last == "DataLoader")
    assert loader.place == "train.py:8"
    assert (loader.target, loader.inside) == ("test_loader", "loaders")
    assert loader.given("shuffle") is True
    assert loader.given("batch_size") == "<batch>"
    assert loader.text == "DataLoader(<test_set>, batch_size=<batch>, shuffle=True)".replace("<", "").replace(
        ">", ""
    )
    assert (other.target, other.given("batch_size", 1)) == ("train", 64)


def test_a_constant_at_the_top_stands_for_its_value(calls):
    assert [(value, call.place) for value, call in source.seeds(calls())] == [(7, "train.py:11")]


def test_a_seed_of_the_split_comes_first(calls):
    text = "np.random.seed(1)\ntrain_test_split(x, random_state=2)\nrandom.Random(3).shuffle(x)"
    assert [value for value, _ in source.seeds(calls(text))] == [2, 1, 3]


def test_cells_of_a_notebook(calls):
    found = calls(
        notebook("%matplotlib inline\nimport torch", ["!pip install x\n", "torch.manual_seed(3)"]),
        "lab.ipynb",
    )
    assert [c.place for c in found] == ["lab.ipynb, cell 2, line 2"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("resnet18(pretrained=True)", "imagenet"),
        ("models.resnet18(weights=ResNet18_Weights.DEFAULT)", "imagenet"),
        ("resnet18(weights='IMAGENET1K_V1')", "imagenet"),
        ("resnet18(True)", "imagenet"),
        ("resnet18()", "scratch"),
        ("resnet18(weights=None, num_classes=6)", "scratch"),
        ("resnet18(pretrained=False)", "scratch"),
        ("torchvision.models.get_model('resnet18', weights='DEFAULT')", "imagenet"),
    ],
)
def test_what_training_starts_from(calls, text, start):
    assert [s for s, _ in source.starts(calls(text))] == [start]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("p.add_argument('data')", 1),
        ("p.add_argument('--data', required=True)", 1),
        ("p.add_argument('--data', default='x')", 0),
        ("p.add_argument('data', nargs='?', default='x')", 0),
        ("p.add_argument('files', nargs='*')", 0),
        ("p.add_argument('files', nargs='+')", 1),
        ("import sys\nroot = sys.argv[1]", 1),
        ("from sys import argv\ndef main():\n    return open(argv[2])", 1),
        (
            "if len(sys.argv) < 2:\n    print('usage:', sys.argv[0], 'FOLDER')\n    sys.exit(1)\nroot = sys.argv[1]",
            1,
        ),
        ("if len(sys.argv) != 2:\n    raise SystemExit('one folder')\nroot = sys.argv[1]", 1),
        ("print(sys.argv[0], sys.argv[-1], sys.argv[1:], table[1])", 0),
        ("root = sys.argv[1] if len(sys.argv) > 1 else 'data'", 0),
        ("root = 'data'\nif len(sys.argv) > 1:\n    root = sys.argv[1]", 0),
        ("if len(sys.argv) > 1:\n    sys.exit(main(sys.argv[1]))\nmain('data')", 0),
        ("if len(sys.argv) < 2:\n    sys.argv.append('data')\nroot = sys.argv[1]", 0),
        ("if len(sys.argv) < 2:\n    sys.argv += ['data']\nroot = sys.argv[1]", 0),
        ("debug = len(sys.argv) > 1 and sys.argv[1] == 'debug'", 0),
        ("try:\n    root = sys.argv[1]\nexcept IndexError:\n    root = 'data'", 0),
    ],
)
def test_required_arguments(calls, text, count):
    assert len(source.needed_arguments(calls(text))) == count


def test_the_script_that_is_meant(calls):
    calls("set_up()", "conftest.py")
    calls("torch.manual_seed(1)", "helpers.py")
    assert source.scripts(calls("def f():\n    g()", "layers.py")) == ["helpers.py"]
    assert source.scripts(calls("if __name__ == '__main__':\n    train()", "main.py")) == ["main.py"]


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [("np.allclose(a, b, atol=1e-4)", 1e-4), ("np.allclose(a, b)", None), ("np.array_equal(a, b)", 0.0),
     ("d = np.abs(a - b).max()\nassert d < 1e-4, d", 1e-4), ("ok = torch.all((a - b).abs() <= 1e-5)", 1e-5),
     ("EPS = 1e-3\nif torch.max(torch.abs(a - b)) > EPS:\n    raise ValueError", 1e-3),
     ("def f(a, b):\n    d = (a - b).abs().max()\n    return d.item() < 0.001", 1e-3),
     ("torch.allclose(a, b, 1e-3, 0.1)", 0.1), ("torch.allclose(a, b, atol=EPS)", None)],
)  # fmt: skip
def test_tolerances(calls, text, tolerance):
    assert [t for t, _ in source.comparisons(calls(text))] == [tolerance]


@pytest.mark.parametrize(
    "text",
    [
        "def broken(:",
        "\0",
        "(" * 10_000,
        "f(" * 3000 + ")" * 3000,
        "-" * 50_000 + "1",
        "x = " + "[" * 200 + "]" * 200,
    ],
)
def test_what_cannot_be_parsed_is_left_out(calls, text):
    assert isinstance(calls(text), list)


def test_what_a_child_says_is_taken_by_exact_types(calls):
    found = calls()
    document = json.loads(json.dumps(source.as_document(found)))
    assert source.from_document(document) == found
    document[0]["line"] = True
    document[1]["keywords"] = []
    assert source.from_document([*document, 7, None]) == found[2:]
    assert source.from_document("text") == []


@given(st.text(max_size=400))
def test_any_text_is_read_or_left_out(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("source")
    (folder / "a.py").write_text(text, encoding="utf-8", errors="replace")
    (folder / "b.ipynb").write_text(text, encoding="utf-8", errors="replace")
    for call in read_calls(folder):
        assert call.place.isprintable()
        assert call.text.isprintable()
