"""Figures of the same network are computed once for all tests of judging."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _shared(computed_once):
    return computed_once
