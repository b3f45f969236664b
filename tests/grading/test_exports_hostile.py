"""Texts that try to be more than text stay text in every export, and harmless ones come back as they were."""

from __future__ import annotations

import json
import re
import unicodedata

from grading.importers import gradescope, junit_root, rows
from grading.marks_by_hand import NOW, mark, override, record
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.grading.exports import (
    GradebookFile,
    canvas_csv,
    class_json,
    class_junit,
    gradescope_results,
    moodle_csv,
)
from in4310.grading.marks import Mark, Status
from in4310.reporting.html import render

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


def inert(cell: str) -> bool:
    """No spreadsheet runs it and nothing in it is hidden; a number may have a sign."""
    if re.fullmatch(r"-?\d+(\.\d{1,2})?", cell):
        return True
    hidden = [ch for ch in cell if unicodedata.category(ch) in HIDDEN and ch != "\n"]
    return not hidden and not cell.lstrip().startswith(tuple("=+-@＝＋－＠"))


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
