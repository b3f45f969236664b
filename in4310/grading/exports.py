"""The marks of a class as other systems read them: Canvas, Moodle, Gradescope, JUnit and JSON.

Pure functions from marks to text. What a submission or a name contains stays inert: hidden characters are spelt out,
no text cell of a table can run as a formula, and no text is taken for markup. A mark that does not exist is left out
or empty, never 0. An identity is the course system's own number: only the export for that system can use it.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat

from in4310.grading.marks import Mark, Status
from in4310.judging.verdict import GOOD, Check, Outcome, Record, Requirement
from in4310.reporting.junit import junit
from in4310.shown import shown

# The wide forms are taken for the narrow ones by spreadsheets set to Japanese or Chinese.
FORMULA = tuple("=+-@＝＋－＠")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
CANVAS_POINTS = "Points Possible"
MOODLE = (
    *("Identifier", "Full name", "Status", "Grade", "Maximum Grade", "Grade can be changed"),
    *("Last modified (grade)", "Feedback comments"),
)


def _number(points: float | None) -> float | None:
    """Points with at most two decimals; None where there are none, or no number."""
    return None if points is None or not math.isfinite(points) else round(points, 2) + 0.0


Shown = Annotated[str, BeforeValidator(lambda text: shown(text))]
Points = Annotated[FiniteFloat | None, BeforeValidator(_number)]


class TeacherWord(Record, from_attributes=True):
    """What a teacher said of a requirement, or of the whole."""

    requirement: Shown = Field(description="id of the requirement, or name of a check; empty for the whole")
    points: Points = Field(description="points in place of the judge's; null: a comment alone")
    comment: Shown
    by: Shown
    at: Shown = Field(description="ISO 8601, UTC")


class RequirementMark(Record):
    """Points for one requirement."""

    id: Shown
    title: Shown
    outcome: Outcome = Field(description="what the judge found")
    points: Points = Field(description="points that count: the teacher's where given")
    judged_points: Points = Field(description="points that the judge gave")
    open_points: Points = Field(0.0, description="points still left to the teacher: neither earned nor lost")
    max_points: Points


class StudentMark(Record):
    """One student's mark; where there is none, points is null and error may say why."""

    who: Shown
    name: Shown
    identity: Shown = Field(description="the student's number in the course system; empty when unknown")
    attempt: int
    late: bool | None = Field(description="null when unknown")
    status: Status
    error: Shown = Field(description="why the submission could not be judged")
    points: Points
    open_points: Points = Field(0.0, description="points still left to the teacher, not among points")
    max_points: Points
    requirements: list[RequirementMark]
    overrides: list[TeacherWord] = Field(description="in the order in which they were made; the last counts")
    submission_digest: Shown = Field(
        description="SHA-256 over the files of the submission; empty: not judged"
    )
    judged_at: Shown = Field(description="ISO 8601, UTC; empty: not judged")


class GradebookFile(Record):
    """The marks of a class. Schema version 1 of gradebook.json is this model's JSON schema."""

    schema_version: Literal[1] = 1
    edition: Shown
    made_at: Shown = Field(description="ISO 8601, UTC")
    students: list[StudentMark] = Field(description="sorted by who")


def canvas_csv(marks: Sequence[Mark], assignment: str, points_possible: float) -> str:
    """A table for Canvas' gradebook import: a row a student, after the header and the row 'Points Possible'.

    Assumed, from Canvas' own importer and exporter (instructure/canvas-lms, lib/gradebook_importer.rb and
    lib/gradebook_exporter.rb; in the Canvas Instructor Guide: 'How do I import grades in the Gradebook?'): a student
    is found by ID, SIS User ID, SIS Login ID or name, in that order; an empty cell changes no grade. The ID is
    there where the class came from Canvas. A user name stands under SIS Login ID; what Canvas and Moodle call a student
    in their downloads is none, and could be somebody else's: these are found by name. Canvas makes a new assignment
    where none has this name; 'Name (ID)', as in its own exports, picks one for certain. It does not import columns
    named like its totals ('Final Score', 'Current Grade').
    """
    rows = [[*CANVAS, cell(assignment)], [CANVAS_POINTS, "", "", "", "", points_text(points_possible)]]
    for mark in marks:
        known = _number_in(mark.number_in("Canvas"), "([0-9]{1,20})")
        login = "" if mark.system in ("Canvas", "Moodle") else cell(mark.who)
        # A name that holds these words would be taken for the row of points by Canvas.
        name = cell(mark.shown or mark.who).replace(CANVAS_POINTS, CANVAS_POINTS.replace(" ", "-"))
        rows.append([name, known, "", login, "", points_text(mark.points)])
    return table(rows)


def moodle_csv(marks: Sequence[Mark], assignment: str, max_points: float) -> str:
    """Moodle's offline grading worksheet: a row a student with grade and feedback.

    Assumed, from Moodle's source (mod/assign/gradingtable.php writes it; mod/assign/feedback/offline reads it) with
    the English words: a student is found by Identifier, 'Participant ' and a number, and a row without one is passed
    over; Grade, 'Last modified (grade)' and 'Feedback comments' are read, an empty grade changes nothing, a grade
    above the maximum is passed over. 'Last modified (grade)' is known to Moodle alone and left empty, so that grades
    newer than the worksheet are kept unless the teacher allows to update them. Feedback is stored there as HTML: here
    `&`, `<`, `>` are entities, so that no tag comes of it. A number that is not Moodle's is not given.
    """
    rows = [list(MOODLE)]
    for mark in marks:
        status = "Submitted for grading" + (" - Graded" if points_text(mark.points) else "")
        number = _number_in(mark.number_in("Moodle"), "(?:Participant )?([0-9]{1,20})")
        rows.append(
            [
                f"Participant {number}" if number else "",
                cell(mark.shown or mark.who),
                status,
                points_text(mark.points),
                points_text(max_points),
                "Yes",
                "",
                guarded(html.escape(";\n".join(_feedback(mark, assignment)), quote=False)),
            ]
        )
    return table(rows)


def gradescope_results(mark: Mark) -> str:
    """Gradescope's results.json for one student: a test a requirement, as text that is never taken for markup.

    Assumed, from Gradescope's 'Autograder Specifications', Output format
    (https://gradescope-autograders.readthedocs.io/en/latest/specs/): the top-level score overrides the sum of the
    tests, so a teacher's points for the whole count; a test without scores only informs. Without a mark there is no
    score at all, only one failed test that says why. Gradescope takes results.json alone: no pictures.
    """
    found = mark.results
    numbers = _known(score=_number(mark.points), execution_time=_number(found.seconds) if found else None)
    extra: dict[str, Any] = {"attempt": mark.attempt}
    if found is None:
        told = {"output": _obstacle_of(mark), "visibility": "visible"}
        tests = [{"name": "judged", "status": "failed"} | told]
    else:
        tests = [_gradescope_test(mark, requirement) for requirement in found.requirements]
        data = found.data.digest if found.data else ""
        extra["edition"] = shown(found.edition)
        extra["versions"] = {shown(name): shown(version) for name, version in found.versions.items()}
        extra["digests"] = {"submission": shown(found.submission_digest), "data": shown(data)}
    return _json(
        {
            **numbers,
            "output": "\n".join(_total(mark)),
            "output_format": "text",  # the default is a form of HTML
            "test_output_format": "text",
            "test_name_format": "text",
            "stdout_visibility": "hidden",
            "tests": tests,
            "extra_data": extra,
        }
    )


def class_junit(marks: Sequence[Mark]) -> str:
    """One JUnit XML for the class: a testsuite a student, a testcase a check, valid by Jenkins' schema.

    Assumed: junit-10.xsd of Jenkins' xUnit plugin (jenkinsci/xunit-plugin), which knows properties of a testsuite but
    not of a testcase: points stand at the suite. What could not be judged is a testcase with <error>, what has not been
    judged yet one with <skipped>. The outcome of a check is the judge's; points are those that count.
    """
    root = ElementTree.Element("testsuites", name="in4310 class")
    suites = [_suite(root, mark) for mark in marks]
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def class_json(marks: Sequence[Mark], edition: str, made_at: str) -> str:
    """The marks as JSON text, by the schema of `GradebookFile`, whose `model_validate_json` reads it back."""
    file = GradebookFile(edition=edition, made_at=made_at, students=[_student(mark) for mark in marks])
    return _json(file.model_dump(mode="json"))


def _known(**numbers: float | None) -> dict[str, Any]:
    return {name: number for name, number in numbers.items() if number is not None}


def points_text(points: float | None) -> str:
    """Points as in a cell: '.' before the decimals, no trailing zeros; empty when there are none."""
    number = _number(points)
    return "" if number is None else f"{number:.2f}".rstrip("0").rstrip(".")


def _of(points: float | None, possible: float | None, left: float = 0.0) -> str:
    judged = possible if possible is None else possible - left
    unit = "point" if (points if judged is None else judged) == 1 else "points"
    of = " of " if points_text(judged) else ""
    more = f", and {points_text(left)} for the teacher" if left else ""
    return f"{points_text(points) or 'no'}{of}{points_text(judged)} {unit}{more}"


def _number_in(text: str, form: str) -> str:
    """The digits that stand for the group of `form`; empty when the text is of another form."""
    found = re.fullmatch(form, text)
    return found[1] if found else ""


def guarded(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula; Excel hides the apostrophe."""
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def cell(text: str) -> str:
    """A text for a cell: hidden characters spelt out, and no formula."""
    return guarded(shown(text))


def table(rows: list[list[str]]) -> str:
    """Rows as the text of a CSV."""
    file = io.StringIO()
    # As RFC 4180 has it, every cell quoted: none ends where a spreadsheet set to another separator would end it.
    csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return file.getvalue()


def _json(value: object) -> str:
    """JSON text; NaN and infinity are no JSON, and would be an error here."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _said(mark: Mark, requirement: str) -> list[str]:
    """What teachers said of a requirement ('' is the whole) and still holds, a line each."""
    counts = mark.override(requirement)
    lines = []
    for word in (o for o in mark.overrides if o.requirement == requirement):
        comment = f": {shown(word.comment)}" if word.comment else ""
        if word is counts:
            lines.append(f"set by {shown(word.by)}{comment}")
        elif word.points is None and comment:
            lines.append(shown(word.by) + comment)
    return lines


def _said_of(mark: Mark, requirement: Requirement) -> list[str]:
    """The same of a requirement and of its checks, these with their names."""
    of_checks = ((c.name, line) for c in requirement.checks for line in _said(mark, c.name))
    return [*_said(mark, requirement.id), *(f"{shown(name)} {line}" for name, line in of_checks)]


def _obstacle_of(mark: Mark) -> str:
    """Why there is no verdict."""
    return f"not judged: {shown(mark.error)}" if mark.status is Status.FAILED else "not judged yet"


def _total(mark: Mark) -> list[str]:
    """Points in all, and what teachers said of the whole."""
    lines = [] if _number(mark.points) is None else [_of(mark.points, mark.max_points, mark.open_points)]
    if mark.results is None:
        lines.append(_obstacle_of(mark))
    return lines + _said(mark, "")


def _feedback(mark: Mark, assignment: str) -> list[str]:
    """A line in all and a line a requirement: points, the teacher's word, else what stands in the way."""
    first, *more = _total(mark)
    lines = [f"{shown(assignment)}: {first}", *more]
    for requirement in mark.results.requirements if mark.results else ():
        left = mark.open_of(requirement)
        line = f"{shown(requirement.id)}: {_of(mark.points_of(requirement), requirement.max_points, left)}"
        parts = _said_of(mark, requirement)
        if mark.override(requirement.id) is None and (obstacle := _obstacle(requirement)):
            parts.insert(0, obstacle)
        lines.append(", ".join([line, *parts]))
    return lines


def _obstacle(requirement: Requirement) -> str:
    """The first line of the reason why a requirement is not met; empty when it is."""
    for outcome in (Outcome.FAILED, Outcome.NOT_RUN):
        for check in (c for c in requirement.checks if c.outcome is outcome):
            said = next(filter(str.strip, check.reason.splitlines()), f"{check.name} {outcome}")
            return shown(said)
    return ""


def _gradescope_test(mark: Mark, requirement: Requirement) -> dict[str, Any]:
    given = any(o.points is not None for o in mark.words_on(requirement))
    points, possible = _number(mark.points_of(requirement)), _number(requirement.max_points)
    good = requirement.outcome in GOOD
    if given and points is not None and possible is not None:
        good = points >= possible
    left = mark.open_of(requirement)
    lines = [
        *([f"{points_text(left)} for the teacher: not judged yet"] if left else []),
        *_said_of(mark, requirement),
    ]
    for check in requirement.checks:
        lines += _check_lines(check)
    return _known(score=points, max_score=possible) | {
        "status": "passed" if good else "failed",
        "name": shown(requirement.title),
        "number": shown(requirement.id),
        "output": "\n".join(lines),
        "tags": [
            str(requirement.outcome),
            *(["set by a teacher"] if given else []),
            *(["points open"] if left else []),
        ],
        "visibility": "visible",
    }


def _check_lines(check: Check) -> list[str]:
    lines = [f"{check.outcome}: {shown(check.title)}"]
    for word, text in (("reason", check.reason), ("mistake", check.mistake), ("fix", check.mend)):
        if text:
            lines.append(f"  {word}: {shown(text)}")
    return lines


def _suite(root: ElementTree.Element, mark: Mark) -> ElementTree.Element:
    """Add the testsuite of a student."""
    who = shown(mark.who)
    suite = ElementTree.SubElement(root, "testsuite", name=who)
    _property(suite, "points", points_text(mark.points))
    _property(suite, "max_points", points_text(mark.max_points))
    if mark.open_points:
        _property(suite, "open_points", points_text(mark.open_points))
    for line in _said(mark, ""):
        _property(suite, "teacher", line)
    if mark.results is None:
        case = ElementTree.SubElement(suite, "testcase", name="judged", classname=who, time="0.000")
        tag = "error" if mark.status is Status.FAILED else "skipped"
        ElementTree.SubElement(case, tag, message=_obstacle_of(mark), type=str(mark.status))
    else:
        for requirement in mark.results.requirements:
            named = shown(requirement.id)
            _property(suite, f"points {named}", points_text(mark.points_of(requirement)))
            if left := mark.open_of(requirement):
                _property(suite, f"open points {named}", points_text(left))
            for line in _said_of(mark, requirement):
                _property(suite, f"teacher {named}", line)
        suite.set("time", f"{_number(mark.results.seconds) or 0:.3f}")
        suite.set("timestamp", shown(mark.results.made_at))
        for case in ElementTree.fromstring(junit(mark.results).encode()).iter("testcase"):
            for properties in case.findall("properties"):
                case.remove(properties)
            case.set("classname", f"{who}.{case.get('classname', '').removeprefix('in4310.')}")
            suite.append(case)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    return suite


def _property(suite: ElementTree.Element, name: str, value: str) -> None:
    properties = suite.find("properties")
    if properties is None:
        properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name=name, value=value)


def _student(mark: Mark) -> StudentMark:
    found = mark.results
    about = {name: getattr(mark, name) for name in StudentMark.model_fields if hasattr(mark, name)}
    return StudentMark(
        **about,
        name=mark.shown or mark.who,
        requirements=[_requirement(mark, requirement) for requirement in found.requirements] if found else [],
        submission_digest=found.submission_digest if found else "",
        judged_at=found.made_at if found else "",
    )


def _requirement(mark: Mark, judged: Requirement) -> RequirementMark:
    about = {name: getattr(judged, name) for name in ("id", "title", "outcome", "max_points")}
    points, left = mark.points_of(judged), mark.open_of(judged)
    return RequirementMark(**about, points=points, judged_points=judged.points, open_points=left)
