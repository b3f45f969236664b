"""Weights that the judge reads where a child says that they lie: the same numbers, of this file only, and of no other size."""

import os
import zipfile

import numpy as np
import pytest
import torch
from faults import variants
from faults.catalogue import VARIANTS
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from in4310.submission.files import walk
from in4310.submission.placed import Changed, Source
from in4310.submission.plain import NotPlain
from in4310.submission.reader import Reader
from in4310.submission.reading import Readers

assert variants  # they register
LIMIT = 2**31
BASE = torch.arange(24.0).reshape(4, 6)
SPECIAL = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])
# What stands in a file, and the names of what the judge reads there itself.
FORMS = {
    "plain": ({"a": BASE, "b": BASE.double(), "c": torch.arange(5), "d": SPECIAL}, "abcd"),
    "kinds": ({k: torch.tensor([0, 1, 2]).to(getattr(torch, k)) for k in ("int8", "uint8", "int16", "int32", "bool")},
              ["int8", "uint8", "int16", "int32", "bool"]),
    "half": ({"a": BASE.half(), "b": BASE.bfloat16(), "c": BASE}, "c"),
    "strides": ({"a": BASE.t(), "b": BASE[:, ::2], "c": BASE[1:3], "d": torch.ones(1).expand(1, 1)}, "cd"),
    "shared": ({"a": BASE, "b": BASE, "c": BASE.flatten()[3:9]}, "abc"),
    "empty": ({"a": torch.zeros(0, 3), "b": torch.tensor(7.0)}, "b"),
    "parameters": ({"a": torch.nn.Parameter(BASE)}, "a"),
    "numpy": ({"a": BASE.numpy(), "b": BASE}, "b"),
    "nested": ({"epoch": 3, "state": {"a": BASE}, "optimizer": {"state": [BASE + 1]}}, ["state.a", "optimizer.state.0"]),
    "negative": ({"a": torch.imag(torch.complex(BASE, BASE).conj())}, ""),
}  # fmt: skip


def both_ways(folder, file):
    """What the child would send, what the judge makes of it where it reads itself, and the names that it reads."""
    reader = Reader(folder, lambda file: None)
    asked = {"what": "weights", "file": file, "without": {}}
    sent = reader.answer(asked, {})[1]
    with Source(folder / file, LIMIT) as source:
        rows, rest = reader.answer({**asked, "status": source.status}, {})
        found = source.arrays(rows, rest)
    return sent, found, [name for name in found if name not in rest]


def assert_same(sent, found):
    assert list(sent) == list(found)
    for name, array in sent.items():
        assert (array.dtype, array.shape) == (found[name].dtype, found[name].shape)
        assert array.tobytes() == found[name].tobytes(), name


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_both_ways(form, tmp_path):
    content, read = FORMS[form]
    torch.save(content, tmp_path / "model.pth")
    sent, found, names = both_ways(tmp_path, "model.pth")
    assert_same(sent, found)
    assert names == list(read)


def test_forms_that_are_not_mapped_are_sent(tmp_path):
    torch.save({"a": BASE}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    sent, found, names = both_ways(tmp_path, "old.pth")
    assert_same(sent, found)
    assert names == []


def test_numbers_in_the_other_order_of_bytes_are_sent(tmp_path):
    """torch turns them round in memory: the file's own bytes are other numbers."""
    torch.save({"a": BASE}, tmp_path / "little.pth")
    with zipfile.ZipFile(tmp_path / "little.pth") as old, zipfile.ZipFile(tmp_path / "model.pth", "w") as new:
        for member in old.infolist():
            raw = old.read(member)
            raw = np.frombuffer(raw, "<f4").astype(">f4").tobytes() if "/data/" in member.filename else raw
            new.writestr(member.filename, raw.replace(b"little", b"big"))
    sent, found, names = both_ways(tmp_path, "model.pth")
    assert sent["a"].tolist() == found["a"].tolist() == BASE.tolist()
    assert names == []


@pytest.mark.parametrize("parts", [1, 2])
def test_safetensors_and_parts(parts, tmp_path):
    for i in range(parts):
        name = f"model-{i + 1:05}-of-{parts:05}.safetensors"
        save_file({f"odd{i}": torch.arange(3, dtype=torch.uint8), f"a{i}": BASE + i, f"h{i}": BASE.half()}, tmp_path / name)  # fmt: skip
    sent, found, names = both_ways(tmp_path, "model-00001-of-0000" + f"{parts}.safetensors")
    assert_same(sent, found)
    assert len(found) == 3 * parts
    assert sorted(names) == ["a0", "odd0"], "of other parts nothing: the judge has the first file open"


WEIGHTS = [v for v in VARIANTS if "weights" in v.name and v.build.__module__.endswith("variants_network")]


@pytest.mark.parametrize("variant", WEIGHTS, ids=lambda v: v.name)
def test_each_form_of_the_catalogue_is_the_same_both_ways(variant, world, folder):
    judged = variant.build(folder, world) or folder
    files = [f for f in walk(judged) if f.endswith((".pth", ".tar", ".safetensors"))]
    assert files
    for file in files:
        sent, found, names = both_ways(judged, file)
        assert_same(sent, found)
        read = sum(found[name].nbytes for name in names)
        half = any(row[1].endswith("float16") for row in Reader(judged, print).answer({"what": "weights", "file": file, "without": {}}, {})[0])  # fmt: skip
        assert half or read == sum(array.nbytes for array in found.values())


shapes = st.lists(st.integers(-1, 5) | st.sampled_from([2**40, True, 1.0, "2", None]), max_size=3)
rows = st.tuples(
    st.sampled_from(["a", "b", "sent", 1, None]),
    st.just("float32"),
    st.sampled_from(["<f4", "<f8", "|b1", "|u1", ">f4", "|O", "", 4, None]),
    shapes | st.none(),
    st.integers(-3, 70) | st.sampled_from([2**62, -(2**62), True, 1.0, "0", None]),
).map(list)
others = st.lists(st.lists(st.sampled_from(["a", "sent", 1, None]), max_size=6) | rows, max_size=3)


@given(st.lists(rows, max_size=3) | others | st.none() | st.text(), st.booleans())
@settings(max_examples=150)
def test_whatever_a_child_says_only_bytes_of_this_file_are_read(tmp_path_factory, told, more):
    path = tmp_path_factory.getbasetemp() / "placed.bin"
    raw = bytes(range(64))
    path.write_bytes(raw)
    sent = {"sent": np.zeros(2, np.float32)} if more else {}
    with Source(path, 96) as source:
        try:
            found = source.arrays(told, sent)
        except NotPlain:
            return
    assert sum(array.nbytes for array in found.values()) <= 96
    for (name, _, *place), array in zip(told, found.values(), strict=True):
        if not place:
            assert array is sent[name]
        elif array.dtype == bool:
            assert array.size <= len(raw)
        else:
            assert raw[place[2] :].startswith(array.tobytes())


def refused(source, *more_rows, sent=None):
    with pytest.raises(NotPlain):
        source.arrays([*more_rows], sent or {})


def test_more_than_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    with path.open("wb") as file:
        file.truncate(2**40)  # holes
    monkeypatch.setattr(os, "preadv", None)
    with Source(path, 2**20) as source:
        refused(source, ["a", "f", "|u1", [2**20 + 1], 0])
        refused(source, ["a", "f", "|u1", [2**39], 0])
        refused(source, *(["abcdefgh"[i], "f", "|u1", [2**18], 0] for i in range(5)))  # one place, five times
        refused(source, ["a", "f", "|u1", [2**18], 0], ["b", "f"], sent={"b": np.zeros(2**20, np.uint8)})
        refused(source, ["a", "f", "|u1", [2, 0], 0], ["a", "f", "|u1", [2, 0], 0])


@pytest.mark.parametrize(
    ("size", "offset"), [(10, 91), (101, 0), (1, 100), (1, -1), (1, 2**62), (1, True), (1, 1.0)]
)
def test_a_place_outside_of_the_file_is_refused(size, offset, tmp_path):
    (tmp_path / "model.pth").write_bytes(bytes(100))
    with Source(tmp_path / "model.pth", 1000) as source:
        refused(source, ["a", "f", "|u1", [size], offset])
        assert source.arrays([["a", "f", "|u1", [10], 90]], {})["a"].tolist() == [0] * 10


@pytest.mark.parametrize("change", ["grown", "cut", "touched"])
def test_a_file_that_changes_meanwhile_is_not_read_here(change, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(bytes(100))
    with Source(path, 1000) as source:
        if change == "touched":
            os.utime(path, ns=(1, 1))
        else:
            os.truncate(path, 200 if change == "grown" else 50)
        with pytest.raises(Changed):
            source.arrays([["a", "f", "|u1", [100], 0]], {})


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "nothing"])
def test_what_is_no_file_is_not_opened(what, tmp_path):
    path = tmp_path / "model.pth"
    (tmp_path / "secret").write_bytes(bytes(100))
    {"link": lambda: path.symlink_to("secret"), "fifo": lambda: os.mkfifo(path), "folder": path.mkdir, "nothing": lambda: None}[what]()  # fmt: skip
    with Source(path, 1000) as source:
        assert source.status == []
        refused(source, ["a", "f", "|u1", [10], 0])


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_in_a_child_all_of_it_is_the_same_and_nothing_is_sent(mode, sandbox, tmp_path, monkeypatch):
    """Of a private folder a child of root sees a copy; it is the same file by its size and time."""
    torch.save(FORMS["plain"][0], tmp_path / "model.pth")
    tmp_path.chmod(mode)
    told = []
    arrays = Source.arrays
    monkeypatch.setattr(
        Source, "arrays", lambda source, rows, sent: told.append(len(sent)) or arrays(source, rows, sent)
    )
    with Readers(sandbox, tmp_path) as readers:
        found = readers.tensors("model.pth")
        os.utime(tmp_path / "model.pth")  # another time: as after a change
        again = readers.tensors("model.pth")
    assert told == [0, len(found)]
    for name, tensor in FORMS["plain"][0].items():
        assert torch.equal(found[name], tensor) or name == "d"
        assert found[name].numpy().tobytes() == again[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_a_file_that_changes_while_it_is_read_is_sent_then(sandbox, tmp_path, monkeypatch):
    torch.save({"a": BASE}, tmp_path / "model.pth")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(Source, "_read", lambda *plan: (_ for _ in ()).throw(Changed()))
    with Readers(sandbox, tmp_path) as readers:
        assert torch.equal(readers.tensors("model.pth")["a"], BASE)
