"""Canvas' and Moodle's tables against what their importers read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from grading.importers import canvas_import, moodle_import, rows
from grading.marks_by_hand import CLASS, FAILED, WAITING, check, mark, override, record

from in4310.grading.exports import canvas_csv, moodle_csv
from in4310.grading.marks import Mark
from in4310.judging.verdict import Outcome


def test_canvas_reads_the_grades() -> None:
    grades = {"4711": "5.75", "ola": "", "per": "", "pia": ""}
    assert canvas_import(canvas_csv(CLASS, "Mandatory 1", 8.75)) == (8.75, grades)
    table = rows(canvas_csv(CLASS, "Mandatory 1", 20))
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Mandatory 1"]
    assert table[1] == ["Points Possible", "", "", "", "", "20"]
    assert table[2] == ["Kari Nordmann", "4711", "", "", "", "5.75"]
    assert table[3] == ["ola", "", "", "ola", "", ""]


@pytest.mark.parametrize("identity", ["", "Participant 3", "abc", "-5", "=1", "٣"])
def test_canvas_id_is_a_number_or_empty(identity: str) -> None:
    assert rows(canvas_csv([mark("kari", identity=identity, system="Canvas")], "A", 1))[2][1:4] == [
        "",
        "",
        "",
    ]


@pytest.mark.parametrize("system", ["", "Canvas", "Moodle", "Devilry", "Gradescope"])
def test_a_number_goes_to_the_system_whose_it_is_and_a_user_name_to_canvas_logins(system: str) -> None:
    one = mark("kari", identity="4711", system=system, shown="Kari N")
    assert rows(canvas_csv([one], "A", 1))[2][1:4] == [
        "4711" if system == "Canvas" else "", "", "" if system in ("Canvas", "Moodle") else "kari",
    ]  # fmt: skip
    assert rows(moodle_csv([one], "A", 1))[1][0] == ("Participant 4711" if system == "Moodle" else "")


def test_a_student_cannot_pose_as_the_row_of_points() -> None:
    for name in ("Points Possible", "x\nPoints Possible", "Points\tPossible"):
        assert canvas_import(canvas_csv([mark("kari", shown=name)], "A", 20)) == (20, {"kari": "5.75"})


@pytest.mark.parametrize(
    ("points", "cell"),
    [(0, "0"), (10, "10"), (2.5, "2.5"), (1 / 3, "0.33"), (2.999, "3"), (-0.001, "0"), (-1, "-1"), (100.0, "100"),
     (float("nan"), ""), (float("inf"), "")],
)  # fmt: skip
def test_points_have_at_most_two_decimals(points: float, cell: str) -> None:
    given_points = [mark(overrides=(override("", points),))]
    assert rows(canvas_csv(given_points, "A", 1))[2][5] == cell
    assert rows(moodle_csv(given_points, "A", 1))[1][3] == cell


def test_moodle_reads_grades_and_feedback() -> None:
    class_ = [replace(CLASS[0], identity="Participant 12345"), replace(FAILED, identity="7"), WAITING,
              Mark("Participant-9", identity="9"), mark("siv")]  # fmt: skip
    class_ = [replace(m, system="Moodle") for m in class_]
    taken = moodle_import(moodle_csv(class_, "Mandatory 1", 8.75))
    assert taken == {
        12345: (
            "5.75",
            "Mandatory 1: 5.75 of 8.75 points;\n1a: 3.5 of 5 points, 31 in test;\n1b: 2.25 of 2.25 points;\n"
            "3a: 0 of 1.5 points, nothing handed in",
        ),
        7: ("", "Mandatory 1: not judged: per.zip: not a zip file"),
        9: ("", "Mandatory 1: not judged yet"),
    }


def test_moodle_columns() -> None:
    table = rows(moodle_csv([replace(m, system="Moodle") for m in CLASS], "A", 8.75))
    assert table[0] == ["Identifier", "Full name", "Status", "Grade", "Maximum Grade", "Grade can be changed",
                        "Last modified (grade)", "Feedback comments"]  # fmt: skip
    done = ["Participant 4711", "Kari Nordmann", "Submitted for grading - Graded", "5.75", "8.75", "Yes", ""]
    assert table[1][:-1] == done
    assert table[2][:-1] == ["", "ola", "Submitted for grading", "", "8.75", "Yes", ""]


def test_feedback_names_a_failure_before_what_did_not_run() -> None:
    found = record()
    found.requirements[2].checks.append(check("late", Outcome.FAILED, 0, 1, reason=" \n"))
    feedback = rows(moodle_csv([mark(results=found)], "A", 1))[1][-1]
    assert feedback.endswith("3a: 0 of 2.5 points, late failed")


def test_moodle_feedback_is_no_markup() -> None:
    feedback = rows(moodle_csv([mark(results=record("<img src=x>&lt;"))], "A", 1))[1][-1]
    assert "<" not in feedback
    assert "&lt;img src=x&gt;&amp;lt;" in feedback
