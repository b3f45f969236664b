"""What the tests of judging share: figures of the same network are computed once for all."""

import pytest

from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing


@pytest.fixture(scope="session", autouse=True)
def _shared(computed_once):
    return computed_once


@pytest.fixture(scope="session")
def edition():
    return load_edition("demo")


@pytest.fixture(scope="session")
def data(edition):
    return resolve_data(edition, None)


@pytest.fixture
def outcomes(run_check, edition, data):
    """Judge a changed folder by the named checks: check -> Judge, or the Missing that it raised."""

    def judge(folder, *checks):
        evidence = Evidence(Submission(folder), data, edition)
        found = {}
        for check in checks:
            try:
                found[check] = run_check(check, evidence)
            except Missing as missing:
                found[check] = missing
        return found

    return judge
