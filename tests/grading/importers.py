"""What the systems that import our exports take from them, by the definition of each format; it fails where they would."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from in4310.grading.exports import class_junit, gradescope_results
from in4310.grading.marks import Mark

DEFINED = Path(__file__).parent / "data"
GRADESCOPE = json.loads((DEFINED / "gradescope.schema.json").read_text())
JUNIT = json.loads((DEFINED / "junit-10.json").read_text())["elements"]


def rows(text: str) -> list[list[str]]:
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in found}) == 1, "as many cells in each row"
    return found


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
