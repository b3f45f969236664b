"""A forgery earns at most its budget of the checks that it touches."""

import pytest
from faults.forgeries import FORGERIES

from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.session import Session
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("forged", FORGERIES, ids=lambda f: f.name)
def test_forgery(forged, folder, world, run_check, edition, data, sandbox):
    forged.build(folder, world)
    session = Session(edition)
    with Readers(sandbox, folder) as readers:
        submission = Submission(folder, hints(edition, data), readers)
        evidence = Evidence(submission, data, edition)
        for name in forged.checks:
            marks = run_check.functions[name].pytestmark
            partial = any(mark.kwargs.get("partial") for mark in marks)
            try:
                session.decided(name, name, run_check(name, evidence), partial, 0.0)
            except Missing as missing:
                session.not_run(name, name, missing)
    earned = {name: check.points for name, check in session.checks.items()}
    assert sum(earned.values()) <= forged.max_points + 1e-6, earned


def test_there_are_forgeries_of_many_kinds():
    assert len(FORGERIES) >= 25
