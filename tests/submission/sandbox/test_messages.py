"""Messages between judge and worker: what is right comes through, everything else is BadMessage, within bounds."""

import json
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from in4310.submission.sandbox.messages import BadMessage, Message, decode, encode


class Ended(Exception):
    pass


def reader(content):
    place = 0

    def read(count):
        nonlocal place
        if place + count > len(content):
            raise Ended
        place += count
        return content[place - count : place]

    return read


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ARRAYS = st.dictionaries(
    st.text(max_size=4),
    arrays_of.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, np.float16]),
        arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=3,
)


@given(JSON, ARRAYS)
def test_what_is_sent_is_received(document, arrays):
    content = b"".join(bytes(part) for part in encode(Message("n", document, arrays)))
    found = decode(reader(content), 10_000)
    assert found.document == document
    assert found.nonce == "n"
    assert list(found.arrays) == list(arrays)
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_message(content):
    with pytest.raises((BadMessage, Ended)):
        decode(reader(content), 1000)


@given(JSON, ARRAYS, st.integers(8, 400), st.integers(0, 255))
def test_an_altered_message_is_refused_or_plain(document, arrays, place, byte):
    content = bytearray(b"".join(bytes(part) for part in encode(Message("n", document, arrays))))
    content[place % len(content)] = byte
    try:
        found = decode(reader(bytes(content)), 10_000)
    except (BadMessage, Ended):
        return
    assert all(type(a) is np.ndarray and not a.dtype.hasobject for a in found.arrays.values())


@given(JSON)
def test_any_header_is_refused_or_a_message(header):
    raw = json.dumps(header).encode()
    with pytest.raises(BadMessage):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


@pytest.mark.parametrize(
    "entry",
    [["a", "<f8", [200]], ["a", "O", [1]], ["a", "<f8", [-1]], ["a", "<f8", [True]], ["a", "<f8", [1.0]],
     ["a", "|S4", [1]], ["a", "<f8", [2**62, 2**62]], ["a", "<f8", "1"], [1, "<f8", [1]], ["a", "<f8"], {"name": "a"},
     ["a", ["<f8"], [1]], ["a", {}, [1]], ["a", "<f8", [0, 2**40, 2**40]], ["a", "<f8", [0] + [2**30] * 7],
     ["a", "<f8", [1] * 9], ["\ud800", "<f8", [0]], [None, None, None]],
)  # fmt: skip
def test_claims_of_arrays_are_looked_at_first(entry):
    raw = json.dumps({"nonce": "n", "document": None, "arrays": [entry]}).encode()
    with pytest.raises(BadMessage):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"nonce":"n","document":NaN,"arrays":[]}',
        b"\xff\xfe",
        b"1" * 10_000,
        b'{"nonce":"n","document":1e999,"arrays":[]}',
        b'{"nonce":"n","document":' + b"9" * 400 + b',"arrays":[]}',
        b'{"nonce":"n","document":' + b"[" * 40 + b"]" * 40 + b',"arrays":[]}',
        b'{"nonce":"n","document":"\\ud800","arrays":[]}',
        b'{"nonce":"n","document":{"\\udfff":1},"arrays":[]}',
        b'{"nonce":"n","document":1,"arrays":[["a","<f8",[0]],["a","<f8",[0]]]}',
        b'{"nonce":"n","document":[' + b"[]," * 3_000_000 + b'1],"arrays":[]}',
    ],
)
def test_headers_that_are_traps(raw):
    with pytest.raises(BadMessage):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


def test_what_is_refused_takes_no_memory():
    raw = b'{"nonce":"n","document":[' + b"[]," * 5_000_000 + b'1],"arrays":[]}'
    tracemalloc.start()
    try:
        with pytest.raises(BadMessage, match="values"):
            decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(raw)
    finally:
        tracemalloc.stop()


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["<f8", "|b1", "O"])
ENTRIES = st.lists(
    st.tuples(
        ODD | st.lists(ODD, max_size=2), ODD | st.lists(ODD, max_size=2), ODD | st.lists(st.integers() | ODD)
    )
    | ODD,
    max_size=3,
)


@given(ENTRIES, JSON)
def test_odd_lists_of_arrays_are_refused_or_a_message(entries, document):
    raw = json.dumps({"nonce": "n", "document": document, "arrays": entries}).encode()
    with suppress(BadMessage, Ended):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


def test_truth_values_are_true_or_false():
    raw = json.dumps({"nonce": "n", "document": None, "arrays": [["a", "|b1", [3]]]}).encode()
    found = decode(reader(struct.pack("<Q", len(raw)) + raw + b"\x00\x01\x02"), 1000)
    assert found.arrays["a"].view(np.uint8).tolist() == [0, 1, 1]


def test_names_of_files_that_are_not_unicode_reach_the_child():
    content = b"".join(bytes(part) for part in encode(Message("n", ["\udce6.jpg"], {})))
    assert decode(reader(content), 0, strict=False).document == ["\udce6.jpg"]


def test_objects_cannot_be_sent():
    with pytest.raises(BadMessage):
        encode(Message("n", None, {"a": np.array([object()])}))
    with pytest.raises(BadMessage):
        encode(Message("n", {"a": float("nan")}, {}))


class Liar(np.ndarray):
    def __array__(self, *arguments, **options):
        raise AssertionError("asked")

    @property
    def shape(self):
        return (10**9,)


def test_a_subclass_is_sent_as_the_plain_numbers_it_is():
    liar = np.zeros(3).view(Liar)
    content = b"".join(bytes(part) for part in encode(Message("n", None, {"a": liar})))
    assert decode(reader(content), 1000).arrays["a"].tolist() == [0, 0, 0]
