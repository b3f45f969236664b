"""The page of benchmarks: what was measured is told as it was, and what it grows to is the line's."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from benchmarks.measured import measured
from benchmarks.page import _figures, render_benchmarks
from benchmarks.scale import duration, fit, serial_share, speed_up
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def record() -> dict:
    return measured()


def test_every_claim_is_there_with_goal_and_verdict_in_words(record: dict):
    page = unescape(render_benchmarks(record))
    assert "1" in page.split("of 2 goals met")[0][-80:]
    for text in (
        "3.14 times",
        "31.2 images/s",
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
    assert "600: 0.7 s, 6,000: 6.1 s (images)" in page
    assert "1,000,000 images: 17 min" in page  # 0.1 + 0.001 a piece
    assert "83.3 %" in page  # 10 s against 6 s
    assert "64 processes: 4.71 times" in page  # a fifth of the work does not divide


def test_a_single_growth_without_a_name_has_that_of_its_claim(record: dict):
    info = {"claim": "a class of any size", "ratio": 1.0, "unit": "seconds each",
            "scale": {"x": "submissions", "points": [[10, 12.0], [500, 502.0]]}}  # fmt: skip
    record["benchmarks"].append({"group": "grading", "extra_info": info})
    page = unescape(render_benchmarks(record))
    assert "a class of any size" in page
    assert "5,000 submissions: 83 min" in page  # 2 s and 1 s a piece


@pytest.mark.slow
def test_the_page_is_written_beside_the_measurements(pytester, monkeypatch):
    """pytest --benchmark-json FILE --report DIR, as a user gives it: the hook makes the page of what was measured."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the run inside is nobody's worker
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(
        "def test_it(benchmark, claim):\n"
        "    claim('a sum', 3.0, 'times', at_least=2, seconds={'ours': 0.5, 'theirs': 1.5})\n"
        "    benchmark.pedantic(lambda: None, rounds=1)\n"
    )
    found = pytester.runpytest_subprocess(
        "--benchmark-only",
        "--benchmark-json=found.json",
        "--report=pages",
        "-o",
        f"pythonpath={Path(__file__).parents[1]}",
    )
    assert found.ret == 0, found.stdout.str()
    found.stdout.fnmatch_lines(["benchmarks: pages*index.html"])
    page = unescape((pytester.path / "pages" / "index.html").read_text())
    for text in (
        "a sum",
        "3 times",
        "at least 2 times",
        "1.5 s (3 times ours)",
        "1</strong> <span>of 1 goals met",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("images_per_second", 31.25, {"": "31.2 images/s"}),
        ("their_images_per_second", 1234.5, {"their": "1,234 images/s"}),
        ("seconds", {"ours": 0.5, "full": 20.0}, {"ours": "0.5 s", "full": "20 s (40 times ours)"}),
        ("seconds in all, and processor seconds", [130.0, 1.5], {"in all, and processor": "2.2 min, 1.5 s"}),
        ("times_the_fastest_peer", 2.5, {"the fastest peer": "2.5 times"}),
        ("percent_of_the_epoch_waiting", 0.25, {"the epoch waiting": "0.25 %"}),
        ("data_mib", 1531.25, {"data": "1,531 MiB"}),
        ("errors", {"ours": 2.5e-9}, {"errors, ours": "2.5e-09"}),
        ("precision", "bf16", {"precision": "bf16"}),
        ("chosen", {"device": "cpu"}, {"chosen, device": "cpu"}),
    ],
)
def test_figures_have_units(key, value, said):
    assert dict(_figures(key, value)) == said


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
