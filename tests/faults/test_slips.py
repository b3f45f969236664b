"""Every slip costs its own points and no others."""

import pytest
from faults import catalogue, slips

from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.session import Session
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers

assert slips  # they register
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("slip", catalogue.SLIPS, ids=lambda s: s.name)
def test_slip(slip, folder, world, edition, data, sandbox, run_check, record_property):
    slip.build(folder, world)
    session = Session(edition)
    names = [name for r in edition.requirements if r.id in slip.requirements for name in r.checks]
    with Readers(sandbox, folder) as readers:
        evidence = Evidence(Submission(folder, hints(edition, data), readers), data, edition)
        for name in names:
            try:
                judge = run_check(name, evidence)
            except Missing as missing:
                session.not_run(name, "", missing)
            else:
                marks = {m.name: m.kwargs for m in run_check.functions[name].pytestmark}
                session.decided(name, "", judge, bool(marks["in4310_requirement"].get("partial")), 0.0)
    lost = {n: c.max_points - c.points - c.open_points for n, c in session.checks.items()}
    total = round(sum(lost.values()), 2)
    noticed = any(c.points < c.max_points for c in session.checks.values())
    record_property("slip", {"name": slip.name, "lost": total, "budget": slip.max_lost})
    assert noticed
    assert total <= slip.max_lost, {n: (v, session.checks[n].reason) for n, v in lost.items() if v}


def test_there_are_as_many_slips_as_claimed():
    assert len(catalogue.SLIPS) >= 25
