"""One number, however people and programs write it, is read as that number; what is none stays none."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from in4310.submission import histories
from in4310.submission.tables import number

FINITE = st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: round(v, 6) + 0.0)
POINT = (
    st.decimals(-999_999_999, 999_999_999, places=3).map(lambda d: f"{d:f}").filter(lambda t: t != "-0.000")
)
DRESSED = [
    str,
    "{} %".format,
    "  {}\t".format,
    "np.float64({})".format,
    "numpy.float32({})".format,
    "float64({})".format,
    "tensor({})".format,
    "tensor({}, device='cuda:0')".format,
    "tensor([{}], device='cuda:0', dtype=torch.float64)".format,
    "tensor({}, grad_fn=<NllLossBackward0>)".format,
    "torch.tensor({})".format,
    "array({})".format,
    "array([{}], dtype=float32)".format,
    "[{}]".format,
    "[[{}]]".format,
    "[ {} ]".format,
    "{}±0.01".format,
    "{} ± 0.01".format,
    "{} +/- 0.01".format,
    "{} +- 0.01".format,
    "{} % ± 1 %".format,
]


@given(FINITE, st.sampled_from(DRESSED))
def test_a_number_reads_back_as_itself_in_each_dress(value, dress):
    assert number(dress(value)) == value
    assert number(dress(value).replace("-", "\N{MINUS SIGN}")) == value or "+" in dress("")


@given(POINT, st.sampled_from([".,", ",.", " ,", "\u00a0,", "\u2009,", "\u202f,", "\u2009.", "\u00a0."]))
def test_thousands_are_read_where_they_can_be_nothing_else(text, marks):
    grouped = f"{float(text):,.3f}"
    assume("," in grouped)
    written = grouped.translate({ord(","): marks[0], ord("."): marks[1]})
    assert number(written) == float(text)
    assert number(f"{written} %") == float(text)


@given(st.integers(1000, 10**9), st.sampled_from("\u00a0\u2009\u202f"))
def test_hard_spaces_group_whole_numbers(value, space):
    assert number(f"{value:,}".replace(",", space)) == value


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_what_numpy_and_torch_print_is_read(value):
    for printed in (repr(np.float64(value)), repr(np.float32(value)), repr(np.array(value)), repr([value])):
        assert np.float32(number(printed)) == pytest.approx(np.float32(value), rel=1e-6, abs=1e-7)
    assert number(repr(torch.tensor(value))) == pytest.approx(value, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "%", "2026-03-01", "12:30", "1.2.3", "0.1-0.2", "0.1\N{EN DASH}0.2", "192.168.0.1", "0.93f", "v1.2",
     "1 2", "1 234", "1 234.5", "1,2,3", "1.234.567", "1,234,567", "0.123,4", "0,123.4", "12.34,5", "1.234,567.8",
     "[0,93]", "[0.9 0.8]", "[0.9, 0.8]", "tensor([0.9, 0.8])", "array(0,93)", "tensor(0.93", "[]", "tensor()", "[1.2.3]",
     "size(0.93)", "print(0.93)", "mytensor(0.93)", "tensor(0.93, 0.1)", "±0.01", "0.93±", "0.9±0.1±0.1", "0.9 ± x",
     "nan", "inf", "np.float64(nan)", "tensor(inf)", "0.93 (0.01)", "~0.93", "1e5e3", "+-3", "0.93 ± -0.01", "5/7"],
)  # fmt: skip
def test_what_is_no_number_is_none(text):
    assert number(text) is None


def test_what_had_a_reading_keeps_it():
    assert (number("1,234"), number("1.234"), number("(1.5e+00+0.0e+00j)"), number("0,93 %")) == (
        1.234,
        1.234,
        1.5,
        0.93,
    )


@given(st.text(max_size=60))
def test_any_text_is_a_finite_number_or_none(text):
    value = number(text)
    assert value is None or np.isfinite(value)


def test_a_run_that_diverged_is_kept_in_each_dress():
    rows = [
        {"epoch": i, "train_loss": "np.float64(nan)", "val_loss": f"tensor({i}.5, device='cuda:0')"}
        for i in (1, 2)
    ]
    (run,) = histories.as_history(rows, "log").values()
    assert [str(e["train_loss"]) for e in run["epochs"]] == ["nan", "nan"]
    assert [e["val_loss"] for e in run["epochs"]] == [1.5, 2.5]
