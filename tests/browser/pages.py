"""The pages under test: name -> how it is made. A further page is one line in PAGES."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from benchmarks.measured import measured
from benchmarks.page import render_benchmarks
from rehearsal.records import STOPPED, rehearsal

from browser.classes import AT, PAIRS, class_of
from browser.figures import plot
from in4310.grading.class_page import class_page
from in4310.grading.likeness import groups_of
from in4310.grading.likeness_page import likeness_page
from in4310.reporting.html import render
from in4310.reporting.rehearsal_page import rehearsal_page

PICTURES = {"pictures/sizes-1.png": plot()}


@cache
def fixtures_of(room):
    """The conftest of another room's tests, as a module."""
    path = Path(__file__).parents[1] / room / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"fixtures_of_{room}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Page:
    """How a page is made from pytest's request; slow: from submissions that are judged, or for a large class."""

    build: Callable[[pytest.FixtureRequest], str]
    slow: bool = False


def given(name):
    """A page whose HTML a fixture gives."""
    return lambda request: request.getfixturevalue(name)


PAGES = {
    "report": Page(lambda request: render(request.getfixturevalue("report_record"), PICTURES)),
    "report-hostile": Page(lambda request: render(request.getfixturevalue("hostile_record"))),
    "report-reference": Page(given("reference_report"), slow=True),
    "report-faulty": Page(given("faulty_report"), slow=True),
    "report-attack": Page(given("attack_report"), slow=True),
    "report-nb": Page(lambda request: render(request.getfixturevalue("report_record"), PICTURES, "nb")),
    "assignment": Page(given("assignment_report"), slow=True),
    "benchmarks": Page(lambda request: render_benchmarks(measured())),
    "class": Page(lambda request: class_page(class_of(7), AT)),
    "class-500": Page(lambda request: class_page(class_of(500), AT), slow=True),
    "class-empty": Page(lambda request: class_page([], AT)),
    "rehearsal": Page(lambda request: rehearsal_page(rehearsal([STOPPED], status=1), "kari")),
    "rehearsal-nb": Page(lambda request: rehearsal_page(rehearsal(), "kari", "nb")),
    "likeness-none": Page(lambda request: likeness_page([], 7, [])),
    "likeness": Page(lambda request: likeness_page(groups_of(PAIRS), 7, ["per: an empty zip"])),
}


def each(*but):
    """Run a test on every page of the registry, on slow ones when slow tests are asked for."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=[pytest.mark.slow] * page.slow)
            for name, page in PAGES.items()
            if name not in but
        ],
    )
