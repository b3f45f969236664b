"""Gradescope's results, JUnit's XML and our own JSON, each against the schema of its format."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from grading.importers import GRADESCOPE, gradescope, junit_root, problems, strict_json
from grading.marks_by_hand import BY_HAND, CLASS, FAILED, NOW, RUNNING, WAITING, mark, record
from PIL import Image

from in4310.grading.exports import GradebookFile, class_json
from in4310.grading.marks import Mark, Status
from in4310.grading.write import write_class
from in4310.reporting.write import write_report


def test_the_validator_sees_what_is_wrong() -> None:
    assert problems({"score": 1.5, "tests": [{"status": "passed"}]}, GRADESCOPE) == []
    for wrong in ({"score": "1"}, {"scores": 1}, {"tests": [{"status": "ok"}]}, {"tests": {}}, {"score": True},
                  {"leaderboard": [{"name": "a"}]}, {"tests": [{"tags": [1]}]}, {"output_format": "plain"}):  # fmt: skip
        assert problems(wrong, GRADESCOPE)


def test_gradescope_has_a_test_a_requirement() -> None:
    found = gradescope(CLASS[0])
    assert found["score"] == sum(t["score"] for t in found["tests"]) == 5.75
    assert found["execution_time"] == 12.5
    assert found["output"] == "5.75 of 8.75 points"
    assert found["stdout_visibility"] == "hidden"
    first, second, third = found["tests"]
    assert first == {
        "score": 3.5, "max_score": 5, "status": "failed", "name": "Split", "number": "1a", "tags": ["failed"],
        "visibility": "visible",
        "output": "passed: Title of covers.\n  reason: reason of covers\nfailed: Sizes are right.\n"
                  "  reason: 31 in test not 37\n  mistake: no strata\n  fix: stratify=labels",
    }  # fmt: skip
    assert (second["status"], second["tags"]) == ("passed", ["warned"])
    assert (third["status"], third["tags"]) == ("failed", ["not run"])
    assert found["extra_data"] == {
        "attempt": 1, "edition": "demo", "versions": {"torch": "2.15.0"},
        "digests": {"submission": "3f" * 32, "data": "ab" * 32},
    }  # fmt: skip


def test_pictures_go_to_the_student_in_the_report_and_not_through_gradescope(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, "PNG")
    write_report(record(), tmp_path / "students" / "kari", {"pictures/sizes.png": stream.getvalue()})
    write_class([mark()], tmp_path, "Mandatory 1")
    assert "pictures/sizes.png" not in (tmp_path / "exports/gradescope/kari/results.json").read_text()
    with zipfile.ZipFile(tmp_path / "feedback" / "kari.zip") as bundle:
        assert bundle.read("pictures/sizes.png") == stream.getvalue()
        page = bundle.read("index.html").decode()
    assert re.search(r'<img [^>]*alt="bars"', page)
    assert re.search(r"<figcaption[^>]*>\s*Sizes\b", page)


@pytest.mark.parametrize("one", [WAITING, RUNNING, FAILED])
def test_gradescope_gives_no_score_where_there_is_no_mark(one: Mark) -> None:
    found = gradescope(one)
    assert "score" not in found
    assert [(t["status"], "score" in t) for t in found["tests"]] == [("failed", False)]
    assert one.error in found["tests"][0]["output"]


def test_no_nan_reaches_json() -> None:
    broken = record().model_copy(update={"seconds": float("nan")})
    broken.requirements[0].checks[0].points = float("nan")
    one = mark(results=broken)
    found = gradescope(one)
    assert "score" not in found
    assert "score" not in found["tests"][0]
    assert found["tests"][1]["score"] == 2.25
    student = strict_json(class_json([one], "demo", NOW))["students"][0]
    assert student["points"] is None
    assert student["requirements"][0]["points"] is None


def test_junit_has_a_suite_a_student_and_a_case_a_check() -> None:
    root = junit_root(CLASS)
    assert {s.get("name"): s.get("tests") for s in root} == {"kari": "5", "ola": "1", "per": "1", "pia": "1"}
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "1", "2")
    cases = {(c.get("classname"), c.get("name")): [child.tag for child in c] for c in root.iter("testcase")}
    assert cases == {
        ("kari.1a", "covers"): [], ("kari.1a", "sizes"): ["failure"], ("kari.1b", "apart"): ["system-out"],
        ("kari.3a", "spectrum"): ["skipped"], ("kari.3a", "broke"): ["error"],
        ("ola", "judged"): ["skipped"], ("per", "judged"): ["error"], ("pia", "judged"): ["skipped"],
    }  # fmt: skip
    errors = [e.get("message") for e in root.findall("testsuite[@name='per']/testcase/error")]
    assert errors == ["not judged: per.zip: not a zip file"]
    points = {s.get("name"): s.find("properties/property[@name='points']").get("value") for s in root}
    assert points == {"kari": "5.75", "ola": "", "per": "", "pia": ""}


def test_json_reads_back_as_what_it_was_made_from() -> None:
    text = class_json([BY_HAND, *CLASS[1:]], "demo", NOW)
    file = GradebookFile.model_validate_json(text)
    assert (file.schema_version, file.edition, file.made_at) == (1, "demo", NOW)
    assert [(s.who, s.status, s.points, s.error) for s in file.students] == [
        ("kari", Status.DONE, 7.75, ""), ("ola", Status.WAITING, None, ""),
        ("per", Status.FAILED, None, "per.zip: not a zip file"), ("pia", Status.RUNNING, None, ""),
    ]  # fmt: skip
    first = file.students[0]
    assert [(r.id, r.judged_points, r.points, r.max_points) for r in first.requirements] == [
        ("1a", 3.5, 5, 5), ("1b", 2.25, 2.25, 2.25), ("3a", 0, 0.5, 1.5),
    ]  # fmt: skip
    said = [(o.requirement, o.points, o.comment) for o in first.overrides]
    assert said == [("1a", 1, ""), ("1a", 5, "was right"), ("1b", None, "nice"), ("3a", 0.5, "")]


def test_json_has_exactly_the_fields_of_its_schema() -> None:
    schema = GradebookFile.model_json_schema()
    assert schema["title"] == "GradebookFile"
    file = strict_json(class_json([BY_HAND], "demo", NOW))
    student = file["students"][0]
    for value, definition in (
        (file, schema),
        (student, schema["$defs"]["StudentMark"]),
        (student["requirements"][0], schema["$defs"]["RequirementMark"]),
        (student["overrides"][0], schema["$defs"]["TeacherWord"]),
    ):
        assert definition["additionalProperties"] is False
        assert value.keys() == definition["properties"].keys()
        assert set(definition["required"]) <= value.keys()
    assert json.loads(json.dumps(schema)) == schema
    if importlib.util.find_spec("jsonschema"):
        importlib.import_module("jsonschema").validate(file, schema)
