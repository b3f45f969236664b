"""The totals, 'earned of judged, and so many for the teacher': the same on every rendering."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from in4310.judging.verdict import Outcome, Requirement, Results
from in4310.reporting.html import bar, render
from in4310.reporting.junit import junit
from in4310.reporting.language import totals
from in4310.reporting.terminal import Verdict

from .conftest import check, record


@pytest.fixture
def open_results() -> Results:
    """7 of 8 judged points earned, 2 of them on trust, and 3 for the teacher."""
    asked = [
        check("covers", Outcome.PASSED, 3, 3, rests_on="recomputed"),
        check("sizes", Outcome.FAILED, 2, 3),
        check("plots", Outcome.OPEN, 0, 2, open_points=2),
        check("start", Outcome.OPEN, 2, 3, open_points=1, on_trust=2, rests_on="stated only"),
    ]
    return record([Requirement(id="1a", title="Split", text="Split it.", checks=asked)])


def printed(results: Results, width: int = 100) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(Verdict(results))
    return console.export_text()


def test_the_record_adds_up(open_results):
    assert (open_results.points, open_results.judged_points, open_results.open_points) == (7, 8, 3)
    assert (open_results.lost, open_results.on_trust, open_results.max_points) == (1, 2, 11)
    written = json.loads(open_results.model_dump_json())
    assert {name: written[name] for name in ("schema_version", "points", "judged_points", "open_points")} == {
        "schema_version": 2, "points": 7, "judged_points": 8, "open_points": 3
    }  # fmt: skip
    assert Results.model_validate_json(open_results.model_dump_json()) == open_results


def test_a_record_of_version_1_is_read(results):
    old = json.loads(results.model_dump_json())
    for name in ("points", "judged_points", "open_points"):
        del old[name]
    for one in (c for r in old["requirements"] for c in r["checks"]):
        for name in ("open_points", "on_trust", "rests_on"):
            del one[name]
    read = Results.model_validate_json(json.dumps(old | {"schema_version": 1}))
    assert read == results
    assert (read.schema_version, read.open_points, read.judged_points) == (2, 0, read.max_points)


def test_totals_that_a_file_states_are_not_believed(open_results):
    lie = open_results.model_dump() | {"points": 110.0, "open_points": 0.0, "judged_points": 110.0}
    assert Results.model_validate(lie).points == 7


def test_a_record_of_a_version_to_come_is_refused(results):
    with pytest.raises(ValueError, match="schema_version"):
        Results.model_validate(results.model_dump() | {"schema_version": 3})


def test_every_rendering_says_them(open_results):
    text = printed(open_results)
    assert "7 of 8" in text
    assert "Left to the teacher: 3." in text
    assert "On trust: 2." in text
    page = render(open_results)
    assert "of 8 points, and 3 for the teacher" in page
    assert "2 for the teacher" in page
    assert "2 on trust" in page
    assert "The verdict rests on: stated only" in page
    suite = ElementTree.fromstring(junit(open_results).encode())
    said = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert said["points"]
    cases = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in suite.iter("testcase")
    }
    assert cases["start"] == {
        "title": "Title of start", "points": "2", "max_points": "3", "open_points": "1", "on_trust": "2",
        "rests_on": "stated only",
    }  # fmt: skip
    assert cases["covers"].keys() == {"title", "points", "max_points", "rests_on"}


def test_nothing_is_said_of_the_teacher_where_nothing_is_open(results):
    assert "teacher" not in printed(results)
    assert "for the teacher:" not in render(results).lower()
    assert "and 0 for" not in render(results)


def test_what_is_open_is_no_gap_and_has_its_own_piece_of_the_bar(open_results):
    pieces = bar(open_results)
    assert [kind for _, _, kind in pieces] == ["earned", "failed", "for-the-teacher"]
    assert sum(width for _, width, _ in pieces) == pytest.approx(1000, abs=0.1)
    only = open_results.model_copy(deep=True)
    only.requirements[0].checks[1] = check("sizes", Outcome.PASSED, 3, 3)
    page = render(only)
    assert "No point is lost" in page
    assert "Every point that was judged is earned." in page
    assert "Full marks" not in page


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_totals_name_the_teacher_only_where_there_is_something_left(earned, lost, left):
    said = totals(earned, earned + lost + left, left)
    assert ("for the teacher" in said) == (left > 1e-9)


@pytest.mark.parametrize(
    ("figures", "english", "norwegian"),
    [
        ((7, 11, 3), "7 of 8, and 3 for the teacher", "7 av 8, og 3 til underviseren"),
        ((7, 8, 0), "7 of 8", "7 av 8"),
        ((0, 2.5, 2.5), "2.5 for the teacher", "2,5 til underviseren"),
    ],
)
def test_totals_in_both_languages(figures, english, norwegian):
    assert (totals(*figures), totals(*figures, "nb")) == (english, norwegian)
