"""How many digits a figure was handed in with, in double and in single precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.judging import digits


@given(st.floats(0, 1), st.integers(0, 6))
def test_a_share_that_was_rounded_has_no_more_decimals_in_single_precision(value, decimals):
    rounded = round(value, decimals)
    assert digits.decimals(rounded) == digits.decimals(float(np.float32(rounded))) <= decimals


@given(st.floats(0, 100), st.integers(0, 4))
def test_nor_has_a_percentage(value, decimals):
    assert digits.decimals(float(np.float32(round(value, decimals)))) <= decimals


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_was_not_rounded_has_no_room(kind):
    values = np.random.default_rng(0).random(100).astype(kind).astype(float)
    assert digits.room(values) == 0.0
    assert digits.room(np.round(values, 4).astype(kind).astype(float)) == pytest.approx(0.51e-4)
