"""A record that was handed in with anything in the place of anything is a finding, never an error of the judge."""

import copy
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing

# Those that look at the record alone: what computes is asked with what these let through.
CHECKS = {
    "history": ["best_on_validation", "history_complete", "loss_curves", "three_settings"],
    "metrics": ["metrics_accuracy", "metrics_accuracy_per_class", "metrics_average_precision", "metrics_map"],
    "ranking": ["ranking_complete", "ranking_from_test_set", "ranking_order"],
    "non_positive": ["modules_named", "non_positive_in_range"],
    "eigenvalues": ["eigenvalues_valid", "comparison_complete"],
    "resources": ["memory_limit"],
    "reproduction": ["comparison_recorded"],
}
ODD = st.sampled_from(
    [None, True, -1, 10**17, math.nan, math.inf, 1e308, "", "0.5", "sea/1.jpg", [], {}, [[]], {"a": 1}, [None], [1, "a"], [{}]]
)  # fmt: skip


@st.composite
def changed(draw, value, levels=None):
    """A record with something odd so many levels down, something left out there, or something more."""
    levels = draw(st.integers(0, 4)) if levels is None else levels
    if not isinstance(value, dict | list) or not value:
        return copy.deepcopy(draw(ODD))
    value = copy.copy(value)
    place = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    if levels:
        value[place] = draw(changed(value[place], levels - 1))
        return value
    deed = draw(st.integers(0, 5))
    if deed == 0:
        del value[place]
    elif deed == 1 and isinstance(value, dict):
        value[draw(st.sampled_from(["", "val", "test", "epoch", "paths", "model"]))] = draw(ODD)
    else:
        value[place] = copy.deepcopy(draw(ODD))
    return value


@pytest.fixture(scope="module")
def judged(reference):
    edition = load_edition("demo")
    data = resolve_data(edition, None)
    submission = Submission(reference, hints(edition, data))
    return submission, Evidence(submission, data, edition)


@pytest.mark.slow
@pytest.mark.parametrize("piece", CHECKS)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_record_is_judged(piece, judged, run_check, data):
    value = data.draw(changed(judged[0].found.candidates[piece][0].value))
    if not isinstance(value, dict):
        return
    if piece == "history" and not all(
        isinstance(run, dict)
        and isinstance(run.get("settings", {}), dict)
        and isinstance(run.get("epochs"), list)
        and all(isinstance(epoch, dict) for epoch in run["epochs"])
        for run in value.values()
    ):
        return  # refused as it comes out of the child
    judge(CHECKS[piece], piece, value, judged, run_check)


@pytest.mark.parametrize(
    "series",
    [
        {"modules": 5},
        {"modules": {}, "model": []},
        {"modules": {}, "paths": 3},
        {"modules": None, "data": {}},
    ],
)
def test_a_series_of_another_form_is_said(series, judged, run_check):
    judge(CHECKS["eigenvalues"], "eigenvalues", {"series": [series]}, judged, run_check)


def judge(checks, piece, value, judged, run_check):
    """Run checks on the reference with another value of a piece."""
    submission, evidence = judged
    first = submission.found.candidates[piece][0]
    other = Submission(submission.folder, submission.hints)
    other.found = replace(
        submission.found, candidates={**submission.found.candidates, piece: [replace(first, value=value)]}
    )
    asked = Evidence(other, evidence.data, evidence.edition)
    for check in checks:
        try:
            run_check(check, asked)
        except Missing as why:
            assert "\n" not in str(why)  # noqa: PT017
