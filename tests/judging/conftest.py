"""Figures of the same network are computed once for all tests of judging, and live functions share one sandbox."""

import pytest

from in4310.submission.sandbox.worker import Sandbox


@pytest.fixture(scope="session", autouse=True)
def _shared(computed_once):
    return computed_once


@pytest.fixture(scope="session")
def sandbox():
    """One sandbox for all live functions; skips where nothing can be confined."""
    with Sandbox() as opened:
        if not opened.tier.confined:
            pytest.skip(f"nothing can be confined here: {opened.tier.describe()}")
        yield opened
