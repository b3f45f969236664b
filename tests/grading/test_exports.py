"""Each export against the definition of its own format, and with texts that try to be more than text."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from in4310.grading.exports import (
    GradebookFile,
    canvas_csv,
    class_json,
    class_junit,
    gradescope_results,
    moodle_csv,
)
from in4310.grading.marks import Mark, Override, Status
from in4310.grading.write import write_class
from in4310.judging.verdict import Check, Data, Outcome, Picture, Requirement, Results
from in4310.reporting.html import render
from in4310.reporting.write import write_report

NOW = "2026-07-01T12:00:00+00:00"
DEFINED = Path(__file__).parent / "data"
GRADESCOPE = json.loads((DEFINED / "gradescope.schema.json").read_text())
JUNIT = json.loads((DEFINED / "junit-10.json").read_text())["elements"]
HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
HOSTILE = (
    '=HYPERLINK("http://evil","x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "  =1", "＝1", '"a","b"\r\nc,d',
    "nul\x00 esc\x1b[31m", "rtl\u202egnp", "\ud800lone", "<script>alert(1)</script>&amp;", "    Points Possible", "]]>",
    ";=1", "'", "", "\ufffe\uffff", "x" * 5000,
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.builds(
        str.__add__, st.sampled_from(["=", "+", "-", "@", "\t=", "\r\n@", "＠", "\x00=", ","]), st.text()
    ),
    st.text(st.characters(codec=None), max_size=40),
)


def check(name: str, outcome: Outcome, points: float, of: float, **more: Any) -> Check:
    told = {"title": f"Title of {name}.", "reason": f"reason of {name}", "seconds": 0.25}
    return Check(name=name, outcome=outcome, points=points, max_points=of, **(told | more))


def record(text: str = "") -> Results:
    """1a: 3.5 of 5, 1b: 2.25 of 2.25, 3a: 0 of 1.5. With a text, every text that is a submission's holds it."""
    picture = Picture(file="pictures/sizes.png", caption=text or "Sizes", alt=text or "bars")
    requirements = [
        Requirement(id="1a" + text, title=text or "Split", text="Split it.", checks=[
            check("covers", Outcome.PASSED, 2, 2),
            check("sizes", Outcome.FAILED, 1.5, 3, reason=text or "31 in test\nnot 37", mistake=text or "no strata",
                  mend=text or "stratify=labels", title=text or "Sizes are right.", pictures=[picture]),
        ]),
        Requirement(id="1b" + text, title="Disjoint", text="", checks=[check("apart", Outcome.WARNED, 2.25, 2.25)]),
        Requirement(id="3a" + text, title="Spectrum", text="", checks=[
            check("spectrum", Outcome.NOT_RUN, 0, 1, missing="eigenvalues", reason=text or "nothing handed in"),
            check("broke", Outcome.NOT_RUN, 0, 0.5, missing="judge"),
        ]),
    ]  # fmt: skip
    return Results(
        name="x", submission="x", submission_digest="3f" * 32, edition="demo" + text, edition_title="Demo",
        data=Data(root="r", images=3, classes=["a"], digest="ab" * 32), isolation="", made_at=NOW, seconds=12.5,
        requirements=requirements, versions={"torch" + text: "2.15.0" + text},
    )  # fmt: skip


def override(requirement: str, points: float | None, comment: str = "", by: str = "Berit") -> Override:
    return Override(requirement, points, comment, by, NOW)


def mark(who: str = "kari", **more: Any) -> Mark:
    return Mark(**({"who": who, "status": Status.DONE, "results": record()} | more))


WAITING = Mark("ola")
RUNNING = Mark("pia", status=Status.RUNNING)
FAILED = Mark("per", status=Status.FAILED, error="per.zip: not a zip file")
CLASS = [mark(identity="4711", shown="Kari Nordmann"), WAITING, FAILED, RUNNING]


def rows(text: str) -> list[list[str]]:
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in found}) == 1, "as many cells in each row"
    return found


def inert(cell: str) -> bool:
    """No spreadsheet runs it and nothing in it is hidden; a number may have a sign."""
    if re.fullmatch(r"-?\d+(\.\d{1,2})?", cell):
        return True
    hidden = [ch for ch in cell if unicodedata.category(ch) in HIDDEN and ch != "\n"]
    return not hidden and not cell.lstrip().startswith(tuple("=+-@＝＋－＠"))


def canvas_import(text: str) -> tuple[float, dict[str, str]]:
    """What Canvas' importer takes from a table: points possible, and ID, login or name -> grade."""
    header, *found = rows(text)
    assert "Student" in header[0]
    assert "ID" in header[1]
    assert re.search(r"SIS\s+User\s+ID", header[2])
    assert re.search(r"SIS\s+Login\s+ID", header[3])
    assert "Section" in header[4]
    possible, grades = [], {}
    for row in found:
        if "Points Possible" in row[0]:
            possible.append(float(row[5]))
        else:
            grades[row[1] or row[2] or row[3] or row[0]] = row[5]
    assert len(possible) == 1, "one row of points, and no student taken for one"
    assert len(grades) == len(found) - 1
    return possible[0], grades


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
    assert rows(canvas_csv([mark("kari", identity=identity)], "A", 1))[2][1:4] == ["", "", "kari"]


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


def moodle_import(text: str) -> dict[int, tuple[str, str]]:
    """What Moodle's importer takes from a worksheet: participant -> grade, feedback."""
    header, *found = rows(text)
    at = {name: header.index(name) for name in
          ("Identifier", "Grade", "Last modified (grade)", "Feedback comments")}  # fmt: skip
    assert at["Feedback comments"] > 0, "the importer does not read a first column"
    taken = {}
    for row in found:
        number = row[at["Identifier"]][len("Participant ") :]
        if number:
            taken[int(number)] = (row[at["Grade"]], row[at["Feedback comments"]])
    return taken


def test_moodle_reads_grades_and_feedback() -> None:
    class_ = [replace(CLASS[0], identity="Participant 12345"), replace(FAILED, identity="7"), WAITING,
              Mark("Participant 9")]  # fmt: skip
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
    table = rows(moodle_csv(CLASS, "A", 8.75))
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


BY_HAND = mark(overrides=(override("1a", 1), override("1a", 5, "was right"), override("1b", None, "nice"),
                          override("3a", 0.5, "")))  # fmt: skip


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


def problems(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """The part of JSON Schema that gradescope.schema.json uses."""
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float)}
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and (isinstance(value, bool) or not any(isinstance(value, kinds[kind]) for kind in wanted)):
        return [*found, f"{place}: {value!r} is no {wanted}"]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{place}: {name} is unknown" for name in value if name not in known]
        for name in value.keys() & known.keys():
            found += problems(value[name], known[name], f"{place}.{name}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            found += problems(item, schema.get("items", {}), f"{place}[{i}]")
    return found


def strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def gradescope(one: Mark) -> Any:
    found = strict_json(gradescope_results(one))
    assert problems(found, GRADESCOPE) == []
    # "score": optional, but required if not on each test case; "tests": optional, but required if no top-level score.
    assert "score" in found or "tests" in found
    return found


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


def junit_root(marks: list[Mark]) -> ElementTree.Element:
    """The parsed file, after it was found to follow the schema and to count its own cases."""
    root = ElementTree.fromstring(class_junit(marks).encode())
    assert root.tag == "testsuites"
    for node in root.iter():
        needed, allowed, children = map(set, JUNIT[node.tag])
        assert needed <= set(node.keys()) <= needed | allowed, node.tag
        assert {child.tag for child in node} <= children, node.tag
        assert re.fullmatch(r"(\d+\.\d{3})?", node.get("time", "")), "SUREFIRE_TIME"
        if node.tag in ("testsuites", "testsuite"):
            tags = {"tests": "", "failures": "/failure", "errors": "/error", "skipped": "/skipped"}
            for name in tags.keys() & set(node.keys()):
                assert int(node.get(name, "")) == len(node.findall(f".//testcase{tags[name]}")), name
    return root


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


def test_an_empty_class_is_well_formed() -> None:
    assert canvas_import(canvas_csv([], "A", 1)) == (1, {})
    assert moodle_import(moodle_csv([], "A", 1)) == {}
    assert len(junit_root([])) == 0
    assert GradebookFile.model_validate_json(class_json([], "demo", NOW)).students == []


def test_the_same_marks_give_the_same_text() -> None:
    for export in (lambda m: canvas_csv(m, "A", 1), lambda m: moodle_csv(m, "A", 1), class_junit,
                   lambda m: class_json(m, "demo", NOW), lambda m: gradescope_results(m[0])):  # fmt: skip
        assert export(CLASS) == export(list(CLASS))


def hostile_class(text: str) -> list[Mark]:
    said = (override("1a" + text, 4, text, text), override("", None, text, text))
    return [
        mark(text, shown=text, identity=text, results=record(text), overrides=said),
        Mark(text, status=Status.FAILED, error=text),
    ]


@settings(max_examples=150, deadline=None)
@given(texts)
def test_tables_stay_inert(text: str) -> None:
    for table in (canvas_csv(hostile_class(text), text, 20), moodle_csv(hostile_class(text), text, 20)):
        found = rows(table)
        assert len(found) == (4 if found[0][0] == "Student" else 3), "no text makes a row"
        assert all(inert(cell) for row in found for cell in row)
        table.encode()


@settings(max_examples=100, deadline=None)
@given(texts)
def test_json_and_xml_stay_inert(text: str) -> None:
    hostile = hostile_class(text)
    written = [gradescope_results(one) for one in hostile]
    written += [class_json(hostile, text, text), class_junit(hostile)]
    for one in written:
        one.encode()
        assert not [ch for ch in one if unicodedata.category(ch) in HIDDEN and ch != "\n"]
    formats = ("output_format", "test_output_format", "test_name_format")
    assert {gradescope(one)[name] for one in hostile for name in formats} == {"text"}
    assert len(GradebookFile.model_validate_json(written[2]).students) == 2
    assert [suite.get("tests") for suite in junit_root(hostile)] == ["5", "1"]


@settings(max_examples=25, deadline=None)
@given(texts)
def test_what_is_said_of_a_picture_stays_inert(text: str) -> None:
    page = render(record(text), {})
    assert not [ch for ch in page if unicodedata.category(ch) in HIDDEN and ch != "\n"]
    assert page.count("<script") == 1


# Variation selectors and fillers are letters and marks by their category, and drawn as nothing.
UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
SEEN = st.characters(exclude_categories=sorted(HIDDEN), exclude_characters=UNSEEN)


@settings(max_examples=100, deadline=None)
@given(st.text(SEEN, min_size=1, max_size=40))
def test_harmless_names_come_back_as_they_were(name: str) -> None:
    one = [mark(name)]
    cell = rows(canvas_csv(one, "A", 1))[2][3]
    guarded = name.lstrip().startswith(tuple("=+-@＝＋－＠"))
    assert cell == ("'" + name if guarded else name)
    assert json.loads(class_json(one, "demo", NOW))["students"][0]["who"] == name
    assert junit_root(one)[0].get("name") == name
