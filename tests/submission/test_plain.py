"""What readers find comes out of a child as it was; what a child makes up comes out as a refusal, never as an error."""

import datetime
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from in4310.submission.plain import DEPTH, NotPlain, all_of, of, pack, unpack
from in4310.submission.sandbox.messages import Message, decode, encode

texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "v", "\udcff", "a\udce5b", "\\x41", "it's", '"']
)
leaves = st.none() | st.booleans() | st.integers(1 - 10**17, 10**17 - 1) | st.floats() | texts
arrays = arrays_of.arrays(
    st.sampled_from(["<f4", "<f8", "<i8", "|u1", "|b1"]),
    arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
)
values = st.recursive(
    leaves | arrays,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


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


def test_tuples_dates_and_large_numbers_come_out_as_their_nearest_kin():
    value = {
        "t": (1, (2,)),
        "d": datetime.date(2026, 1, 2),
        "n": 10**30,
        "m": -(10**400),
        "g": np.float32(0.5),
    }
    assert unpack(pack(value, {}), {}) == {
        "t": [1, [2]],
        "d": "2026-01-02",
        "n": 1e30,
        "m": -math.inf,
        "g": 0.5,
    }


@pytest.mark.parametrize("grow", [lambda v: [v], lambda v: {"a": v}, lambda v: {"": v}])
def test_what_nests_too_deep_is_refused_and_what_does_not_fits_a_message(grow):
    value = 1
    for _ in range(200):
        value, before = grow(value), value
        try:
            pack(value, {})
        except NotPlain:
            break
    assert unpack(*through_a_pipe(pack(before, {}), {})) == before
    assert value != before
    with pytest.raises(NotPlain, match=f"more than {DEPTH} deep"):
        pack(value, {})


made_up = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "v", "text", "int", "float", "array", "floats", "tuple", "table", "0", "0x1", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["", "v", "a"]), inner, max_size=3),
)  # fmt: skip


@given(made_up)
def test_what_a_child_makes_up_is_a_value_or_a_refusal(document):
    try:
        found = unpack(document, {"0": np.zeros(3)})
    except NotPlain:
        return
    json.dumps(pack(found, {}))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.array(["a"]), np.array([None])])
def test_other_kinds_are_refused(value):
    with pytest.raises(NotPlain):
        pack([value], {})


@given(values, st.sampled_from([dict, list, str, int, float, bool, np.ndarray]))
def test_a_field_is_of_its_exact_type_or_refused(value, kind):
    if type(value) is kind:
        assert of(kind, value) is value
        assert all_of(kind, [value])[0] is value
        return
    with pytest.raises(NotPlain):
        of(kind, value)
    with pytest.raises(NotPlain):
        all_of(kind, [value])
