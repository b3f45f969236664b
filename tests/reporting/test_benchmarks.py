"""The page of benchmarks: what was measured is told as it was, and what it grows to is the line's."""

from __future__ import annotations

import json
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting.measured import measured

from in4310.errors import InputError
from in4310.reporting.benchmarks import read_benchmarks, render_benchmarks, write_benchmarks
from in4310.reporting.scale import duration, fit, serial_share, speed_up


@pytest.fixture
def record() -> dict:
    return measured()


def test_every_claim_is_there_with_goal_and_verdict_in_words(record: dict):
    page = unescape(render_benchmarks(record))
    assert "1" in page.split("of 2 goals met")[0][-80:]
    for text in (
        "3.14 times",
        "images per second 31.2",
        "2.5 % over",
        "at most 1 % over",
        "not met",
        "no goal",
    ):
        assert text in page
    assert "not a claim" not in page
    assert "A <fast> one" in page
    assert "A <fast> one" not in render_benchmarks(record), "a text of the record is not escaped"


def test_growth_and_processes_are_carried_on(record: dict):
    page = unescape(render_benchmarks(record))
    assert "600: 0.7 s, 6 000: 6.1 s (images)" in page
    assert "1 000 000 images: 17 min" in page  # 0.1 + 0.001 a piece
    assert "83.3 %" in page  # 10 s against 6 s
    assert "64 processes: 4.71 times" in page  # a fifth of the work does not divide


def test_a_single_growth_without_a_name_has_that_of_its_claim(record: dict):
    info = {"claim": "a class of any size", "ratio": 1.0, "unit": "seconds each",
            "scale": {"x": "submissions", "points": [[10, 12.0], [500, 502.0]]}}  # fmt: skip
    record["benchmarks"].append({"group": "grading", "extra_info": info})
    page = unescape(render_benchmarks(record))
    assert "a class of any size" in page
    assert "5 000 submissions: 83 min" in page  # 2 s and 1 s a piece


def test_the_page_is_written_and_read_again(record: dict, tmp_path):
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(record))
    path = write_benchmarks(read_benchmarks(file), tmp_path / "report")
    assert path.read_text() == render_benchmarks(record)


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": 3}'])
def test_another_file_is_one_line(tmp_path, text: str):
    file = tmp_path / "some.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"some.json: expected the file of pytest --benchmark-only"):
        read_benchmarks(file)


# --- scale ---


@given(st.floats(0.01, 100), st.floats(1e-4, 10), st.lists(st.integers(1, 20000), min_size=2, unique=True))
def test_a_line_is_found_again(fixed: float, each: float, numbers: list[int]):
    found = fit([(n, fixed + each * n) for n in numbers])
    assert found.worst < 1e-6
    assert found.at(max(numbers)) == pytest.approx(fixed + each * max(numbers), rel=1e-6)


def test_neither_part_is_below_zero_and_the_worst_point_is_told():
    found = fit([(10, 10.0), (100, 90.0), (1000, 1100.0)])
    assert found.fixed >= 0
    assert found.each >= 0
    assert found.worst == pytest.approx(
        max(abs(found.at(n) / s - 1) for n, s in ((10, 10), (100, 90), (1000, 1100)))
    )
    with pytest.raises(ValueError, match="two points"):
        fit([(10, 1.0)])


@given(st.floats(0, 1), st.floats(0.1, 1000))
def test_amdahls_law_is_turned_around(serial: float, one_process: float):
    two = one_process / speed_up(2, serial)
    assert serial_share(one_process, two) == pytest.approx(serial, abs=1e-9)


def test_durations():
    wanted = {0.032: "0.032 s", 5: "5 s", 60: "60 s", 600: "10 min", 7300: "2 h", 200000: "2.3 days"}
    assert {seconds: duration(seconds) for seconds in wanted} == wanted
