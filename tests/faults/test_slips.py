"""Every slip costs its own points and no others."""

import pytest
from faults import catalogue, slips

assert slips  # they register
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("slip", catalogue.SLIPS, ids=lambda s: s.name)
def test_slip(slip, folder, world, edition, marked, record_property):
    slip.build(folder, world)
    checks = marked(folder, [name for r in edition.requirements if r.id in slip.judged for name in r.checks])
    lost = {name: c.max_points - c.points - c.open_points for name, c in checks.items()}
    total = round(sum(lost.values()), 2)
    noticed = any(c.points < c.max_points for c in checks.values())
    record_property("slip", {"name": slip.name, "points": total, "budget": slip.budget})
    assert noticed
    assert total <= slip.budget, {n: (v, checks[n].reason) for n, v in lost.items() if v}


def test_there_are_as_many_slips_as_claimed():
    assert len(catalogue.SLIPS) >= 25
