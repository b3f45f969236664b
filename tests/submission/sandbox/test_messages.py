"""Messages between judge and worker: what is right comes through, everything else is BadMessage, within bounds."""

import json
import struct

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
     ["a", "|S4", [1]], ["a", "<f8", [2**62, 2**62]], ["a", "<f8", "1"], [1, "<f8", [1]], ["a", "<f8"], {"name": "a"}],
)  # fmt: skip
def test_claims_of_arrays_are_looked_at_first(entry):
    raw = json.dumps({"nonce": "n", "document": None, "arrays": [entry]}).encode()
    with pytest.raises(BadMessage):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


@pytest.mark.parametrize(
    "raw", [b"[" * 200_000, b'{"nonce":"n","document":NaN,"arrays":[]}', b"\xff\xfe", b"1" * 10_000]
)
def test_headers_that_are_traps(raw):
    with pytest.raises(BadMessage):
        decode(reader(struct.pack("<Q", len(raw)) + raw), 1000)


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
