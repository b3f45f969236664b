"""Which of many like tests run by default."""

import pytest


def sampled(values, every):
    """All values of a parameter: one in so many runs by default, the others are slow, and run in CI."""
    return [
        value
        if i % every == 0
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for i, value in enumerate(values)
    ]
