"""A forgery earns at most its budget of the checks that it touches."""

import pytest
from faults import catalogue, forgeries

assert forgeries  # they register
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("forged", catalogue.FORGERIES, ids=lambda f: f.name)
def test_forgery(forged, folder, world, marked, record_property):
    forged.build(folder, world)
    earned = {name: check.points for name, check in marked(folder, forged.judged).items()}
    record_property("forgery", {"name": forged.name, "points": sum(earned.values()), "budget": forged.budget})
    assert sum(earned.values()) <= forged.budget + 1e-6, earned


def test_there_are_forgeries_of_many_kinds():
    assert len(catalogue.FORGERIES) >= 25
