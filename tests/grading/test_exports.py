"""All exports of the same marks say the same: a teacher's word, a class of nobody, the same text each time."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

from grading.importers import canvas_import, junit_root, moodle_import, rows
from grading.marks_by_hand import BY_HAND, CLASS, FAILED, NOW, mark, override

from in4310.grading.exports import (
    GradebookFile,
    canvas_csv,
    class_json,
    class_junit,
    gradescope_results,
    moodle_csv,
)


def test_overrides_count_everywhere() -> None:
    assert rows(canvas_csv([BY_HAND], "A", 1))[2][5] == "7.75"
    assert rows(moodle_csv([BY_HAND], "A", 1))[1][3] == "7.75"
    assert json.loads(gradescope_results(BY_HAND))["score"] == 7.75
    assert json.loads(class_json([BY_HAND], "demo", NOW))["students"][0]["points"] == 7.75
    assert 'name="points" value="7.75"' in class_junit([BY_HAND])


def test_overrides_are_shown_as_such() -> None:
    assert rows(moodle_csv([BY_HAND], "A", 1))[1][-1].split(";\n") == [
        "A: 7.75 of 8.75 points",
        "1a: 5 of 5 points, set by Berit: was right",
        "1b: 2.25 of 2.25 points, Berit: nice",
        "3a: 0.5 of 1.5 points, set by Berit",
    ]
    tests = json.loads(gradescope_results(BY_HAND))["tests"]
    words = [t["output"].splitlines()[0] for t in tests]
    assert words == ["set by Berit: was right", "Berit: nice", "set by Berit"]
    assert [t["score"] for t in tests] == [5, 2.25, 0.5]
    assert [t["status"] for t in tests] == ["passed", "passed", "failed"]
    root = ElementTree.fromstring(class_junit([BY_HAND]).encode())
    said = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert (said["teacher 1a"], said["points 1a"]) == ("set by Berit: was right", "5")


def test_an_override_of_the_whole_overrides_the_sum_and_needs_no_verdict() -> None:
    whole = (override("", 4, "orally"),)
    for one in (mark(overrides=whole), replace(FAILED, overrides=whole)):
        assert rows(canvas_csv([one], "A", 1))[2][5] == "4"
        found = json.loads(gradescope_results(one))
        assert found["score"] == 4
        assert "set by Berit: orally" in found["output"]
        assert "set by Berit: orally" in rows(moodle_csv([one], "A", 1))[1][-1]


def test_an_empty_class_is_well_formed() -> None:
    assert canvas_import(canvas_csv([], "A", 1)) == (1, {})
    assert moodle_import(moodle_csv([], "A", 1)) == {}
    assert len(junit_root([])) == 0
    assert GradebookFile.model_validate_json(class_json([], "demo", NOW)).students == []


def test_the_same_marks_give_the_same_text() -> None:
    for export in (lambda m: canvas_csv(m, "A", 1), lambda m: moodle_csv(m, "A", 1), class_junit,
                   lambda m: class_json(m, "demo", NOW), lambda m: gradescope_results(m[0])):  # fmt: skip
        assert export(CLASS) == export(list(CLASS))
