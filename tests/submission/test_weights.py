"""Weights files as they are saved: what stands beside the weights is neither opened nor in their way."""

import argparse
import collections
import datetime
import os
import pickle
import subprocess
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from in4310.submission.weights import load_tensors

STATE = {"conv1.weight": torch.arange(12.0).reshape(3, 4), "bn1.num_batches_tracked": torch.tensor(7)}


class AttributeDict(dict):
    """As configurations are kept in."""


class Own:
    """A class of the author's own."""

    def __init__(self):
        self.rate, self.kept = 0.1, {"weights": torch.ones(2)}


BESIDE = {
    "a numpy number": np.float64(0.9),
    "a short numpy number": np.float32(0.9),
    "numpy texts": np.array(["a", "b"]),
    "a path": Path("data"),
    "a path of Windows": PureWindowsPath("C:/data"),
    "arguments": argparse.Namespace(lr=0.1, data=PurePosixPath("/data")),
    "a dict with a default": collections.defaultdict(list, {"loss": [1.0]}),
    "a deque": collections.deque([1.0], maxlen=3),
    "a time": datetime.datetime(2026, 1, 1),
    "a duration": datetime.timedelta(hours=1),
    "a dict of a class": AttributeDict(lr=0.1),
    "an object of a class": Own(),
    "a function": np.mean,
    "a numpy generator": np.random.RandomState(0).get_state(),
    "a type of number": np.dtype("f4"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_beside_the_weights_is_not_in_their_way(tmp_path, what):
    torch.save({"state_dict": STATE, "more": {"value": BESIDE[what]}}, tmp_path / "model.pth")
    found = load_tensors(tmp_path / "model.pth")
    for name, tensor in STATE.items():
        assert torch.equal(found[f"state_dict.{name}"], tensor)
    assert not any("weights" in name for name in found), "of an object nothing is taken"


@settings(max_examples=60)
@given(
    arrays.arrays(
        st.sampled_from(["<f2", "<f4", ">f8", "|i1", "<i4", ">i8", "|u1", "|b1"]),
        arrays.array_shapes(min_dims=0, max_dims=3, max_side=4),
    ),
    st.booleans(),
)
def test_numpy_arrays_are_read_as_tensors(tmp_path_factory, array, by_columns):
    file = tmp_path_factory.mktemp("arrays") / "model.pth"
    torch.save({"a": np.asfortranarray(array) if by_columns else array}, file)
    found = load_tensors(file)["a"].numpy()
    assert found.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)


class Calls:
    """Is made by calling something."""

    def __init__(self, function, *arguments):
        self._made = function, arguments

    def __reduce__(self):
        return self._made


@pytest.mark.parametrize(
    "function", [subprocess.Popen, subprocess.check_output, eval, exec, open, __import__]
)
def test_nothing_in_a_weights_file_is_called(tmp_path, function):
    mark = tmp_path / "called"
    text = f"open({str(mark)!r}, 'w')"
    given = {eval: text, exec: text, open: str(mark), __import__: "antigravity"}.get(
        function, ["touch", str(mark)]
    )
    more = ("w",) if function is open else ()
    torch.save({"state_dict": STATE, "more": Calls(function, given, *more)}, tmp_path / "model.pth")
    assert set(load_tensors(tmp_path / "model.pth")) == {f"state_dict.{name}" for name in STATE}
    torch.save({"state_dict": Calls(function, given, *more)}, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=f"holds no tensors but an object of .*{function.__name__}"):
        load_tensors(tmp_path / "model.pth")
    assert not mark.exists()


@pytest.mark.parametrize(
    "function", [os.system, Path.touch]
)  # torch blocks `os`; a method is the result of a call
def test_what_torch_blocks_and_what_calls_a_result_is_refused(tmp_path, function):
    mark = tmp_path / "called"
    given = mark if function is Path.touch else f"touch {mark}"
    torch.save({"state_dict": STATE, "more": Calls(function, given)}, tmp_path / "model.pth")
    with pytest.raises(ValueError, match="never unpickled"):
        load_tensors(tmp_path / "model.pth")
    assert not mark.exists()


class Claims:
    """A numpy array that claims to be what its bytes are not."""

    def __init__(self, shape, kind, raw):
        self._state = (1, shape, np.dtype(kind), False, raw)

    def __reduce__(self):
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self._state


@pytest.mark.parametrize(
    ("shape", "kind", "raw"),
    [((10**12,), "f8", bytes(8)), ((-1, 10**9), "f8", bytes(8)), (("a",), "f4", bytes(4)), ((1,), "O", [print]), ((2,), "f8", None)],
)  # fmt: skip
def test_arrays_that_are_not_what_they_claim_are_left_out(tmp_path, shape, kind, raw):
    torch.save({"state_dict": STATE, "a": Claims(shape, kind, raw)}, tmp_path / "model.pth")
    assert "a" not in load_tensors(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 44786035\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>Virus scan warning</title>", "web page"),
        (pickle.dumps({"conv1.weight": np.ones(3)}), "never unpickled"),
    ],
)
def test_a_file_that_is_no_weights_is_named_for_what_it_is(tmp_path, content, said):
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        load_tensors(tmp_path / "model.pth")
    assert "\n" not in str(error.value)


def test_a_whole_network_is_refused_and_its_class_named(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(ValueError, match=r"Linear; save model\.state_dict\(\)"):
        load_tensors(tmp_path / "model.pth")
    torch.save({"model": torch.nn.Linear(2, 2), "epoch": 3}, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=r"Linear.*save model\.state_dict\(\)"):
        load_tensors(tmp_path / "model.pth")
