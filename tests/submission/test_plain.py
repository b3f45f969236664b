"""What readers find comes out of a child as it was; what a child makes up comes out as a refusal, never as an error."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from in4310.submission.plain import NotPlain, pack, unpack
from in4310.submission.sandbox.messages import Message, decode, encode
from in4310.submission.state_dicts import Network

texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "v", "\udcff", "a\udce5b", "\\x41", "it's", '"']
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
arrays = arrays_of.arrays(
    st.sampled_from(["<f4", "<f8", "<i8", "|u1", "|b1"]),
    arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
)
networks = st.builds(
    Network, st.integers(18, 152), st.integers(1, 1000), st.dictionaries(texts, texts, max_size=3), texts
)
values = st.recursive(
    leaves | arrays | networks,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.lists(st.floats(), min_size=60, max_size=70)
    | st.dictionaries(texts | st.integers(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def through_a_pipe(document, given):
    raw = b"".join(bytes(part) for part in encode(Message("n", document, given)))
    stream = memoryview(raw)

    def read(count):
        nonlocal stream
        taken, stream = stream[:count], stream[count:]
        return bytes(taken)

    message = decode(read, 2**30)
    return message.document, message.arrays


def same(a, b):
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(values)
def test_what_is_packed_comes_out_as_it_was(value):
    given = {}
    document = pack(value, given)
    assert same(unpack(*through_a_pipe(document, given)), value)


made_up = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "v", "text", "int", "float", "array", "floats", "tuple", "table", "network", "plain 0", "0x1", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["", "v", "a"]), inner, max_size=3),
)  # fmt: skip


@given(made_up)
def test_what_a_child_makes_up_is_a_value_or_a_refusal(document):
    try:
        found = unpack(document, {"plain 0": np.zeros(3)})
    except NotPlain:
        return
    json.dumps(pack(found, {}))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.array(["a"]), np.array([None])])
def test_other_kinds_are_refused(value):
    with pytest.raises(NotPlain):
        pack([value], {})
