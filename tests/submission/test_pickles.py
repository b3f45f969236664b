"""Pickles of plain values are read as what they hold, and nothing of a class is looked up or called."""

import os
import pickle
import tracemalloc
from collections import OrderedDict, defaultdict
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission.folder import Submission
from in4310.submission.pickles import read_pickle
from in4310.submission.pieces import Hints

CLASSES = ("sea", "street")
SETS = {name: [f"{c}/{name}{i}.jpg" for c in CLASSES for i in range(6)] for name in ("train", "val", "test")}
HINTS = Hints(CLASSES, frozenset(p for paths in SETS.values() for p in paths), dict.fromkeys(SETS, 12))
ROWS = np.tile(np.array([[0.75, 0.25]], np.float32), (12, 1))
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(tmp_path, value, protocol=4):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol))
    return read_pickle(tmp_path / "x.pkl")


@given(PLAIN, st.sampled_from(PROTOCOLS))
def test_plain_values_are_what_was_saved(tmp_path_factory, value, protocol):
    assert read(tmp_path_factory.mktemp("p"), value, protocol) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.arange(6.0).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        ({"a": np.float32([0.5]), "b": (1, 2)}, {"a": [0.5], "b": [1, 2]}),
        ([(Path("/home/kari/sea/1.jpg"), 0), (PureWindowsPath("D:/x"), 1)], [["/home/kari/sea/1.jpg", 0], ["D:/x", 1]]),
        ({"accuracy": np.float64(0.75), "n": np.int64(3)}, {"accuracy": 0.75, "n": 3}),
        (OrderedDict(a=[1]), {"a": [1]}),
        (defaultdict(list, {"train": ["a"]}), {"train": ["a"]}),
        ({"set": {3}}, {"set": [3]}),
        ({"net": torch.nn.ReLU, "n": 1}, {"net": None, "n": 1}),
    ],
    ids=("array", "arrays", "paths", "scalars", "ordered", "default", "set", "class"),
)  # fmt: skip
def test_arrays_and_paths_become_plain(tmp_path, value, expected, protocol):
    assert read(tmp_path, value, protocol) == expected


class Trap:
    def __reduce__(self):
        return os.mkdir, ("/tmp/in4310-pwned-by-a-pickle",)


@pytest.mark.parametrize("value", [Trap(), [Trap(), 1], {"a": Trap()}, {Path("a"): Trap()}])
def test_nothing_is_called(tmp_path, value):
    found = read(tmp_path, value)
    assert not Path("/tmp/in4310-pwned-by-a-pickle").exists()
    assert "mkdir" not in repr(found)


def refused(file):
    """Why a file is not read; '' where it is."""
    try:
        read_pickle(file)
    except ValueError as error:
        return str(error)
    return ""


def test_what_is_no_pickle_or_too_much_is_one_line(tmp_path):
    nested = ["x"] * 100
    for _ in range(5):
        nested = [nested] * 100
    for content in (b"", b"no pickle", pickle.dumps([1])[:-3], pickle.dumps(nested)):
        (tmp_path / "x.pkl").write_bytes(content)
        assert refused(tmp_path / "x.pkl")
        assert "\n" not in refused(tmp_path / "x.pkl")


@pytest.mark.parametrize(
    "claims", [b"]r\xff\xff\xff\x7f.", b"\x8d" + b"\xff" * 7 + b"\x7f", b"\x8b\xff\xff\xff\x7f"]
)
def test_what_a_number_in_it_claims_takes_no_memory(tmp_path, claims):
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04" + claims)
    tracemalloc.start()
    refused(tmp_path / "x.pkl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("p") / "x.pkl"
    file.write_bytes(b"\x80\x04" + content)
    assert "\n" not in refused(file)


SPLITS = {
    "lists by set": SETS,
    "pairs": {n: [(p, CLASSES.index(p.split("/")[0])) for p in paths] for n, paths in SETS.items()},
    "paths": {n: [PurePosixPath("/data") / p for p in paths] for n, paths in SETS.items()},
    "numpy": {n: np.array(paths, dtype=object).tolist() for n, paths in SETS.items()},
}


@pytest.mark.parametrize("form", SPLITS)
def test_a_split_and_scores_in_a_pickle_are_pieces(tmp_path, form):
    (tmp_path / "splits.pkl").write_bytes(pickle.dumps(SPLITS[form]))
    (tmp_path / "scores_test.pickle").write_bytes(pickle.dumps(ROWS))
    found = Submission(tmp_path, HINTS).found.candidates
    assert {
        n: [p[-len(s) :] for p, s in zip(found["split"][0].value[n], SETS[n], strict=True)] for n in SETS
    } == SETS
    assert np.array_equal(found["scores"][0].value, ROWS)


def test_what_is_not_opened_is_said(tmp_path):
    for name in ("scores.parquet", "results.xlsx", "x.h5"):
        (tmp_path / name).write_bytes(b"x")
    submission = Submission(tmp_path, HINTS)
    assert not submission.found.candidates["scores"]
    said = " ".join(submission.notes)
    assert said.count("is in a form that is not opened here; save it as .csv, .npy or .json") == 3
