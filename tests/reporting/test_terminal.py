"""The verdicts as a terminal receives them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from in4310.judging.verdict import Results
from in4310.reporting.terminal import Verdict


def printed(results: Results, width: int = 200, language: str = "en", **how: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, **how).print(Verdict(results, language))
    return stream.getvalue()


def rows(text: str) -> list[str]:
    """The lines of the table: between its head and its foot."""
    lines = [line.strip() for line in text.splitlines()]
    head = next(i for i, line in enumerate(lines) if line.startswith("──"))
    return lines[head + 1 : lines.index("", head)]


@pytest.mark.parametrize("width", [200, 80, 40])
def test_a_line_a_requirement_and_the_total_below(results: Results, width: int) -> None:
    text = printed(results, width)
    first, second, third = rows(text)
    assert first.startswith("✗ 1a")
    assert second.startswith("▲ 1b")
    assert third.startswith("○ 3a")
    assert "3 of 5   Split" in first
    if width > 40:
        assert "failed" in first
        assert "not run" in third
    assert "4 of 13.5" in text
    assert "1 warned, 1 failed, 1 not run" in " ".join(text.split())


@pytest.mark.parametrize("width", [200, 80, 40])
def test_what_costs_points_stands_below_with_the_mistake_or_the_way_out(results: Results, width: int) -> None:
    below = " ".join(printed(results, width).partition("13.5")[2].split())
    assert "✗ 1a Split reason of sizes an unstratified draw" in below
    assert "○ 3a Spectrum reason of eigenvalues (and 1 more) hand in eigenvalues.json" in below


def test_in_norwegian_numbers_and_words_are_norwegian(results: Results) -> None:
    text = printed(results, language="nb")
    assert "4 av 13,5" in text
    assert "ikke bestått" in text
    assert "(og 1 til)" in text
    assert not {"failed", "warned", "points", "requirement", "of", "verdict"} & set(text.split())


def test_hostile_texts_neither_colour_nor_clear_nor_ring(hostile: Results) -> None:
    text = printed(hostile)
    assert not [ch for ch in text if ch != "\n" and not ch.isprintable()]
    assert text.count("[bold red]markup[/]") >= 3, "in the heading, the requirement and the reason"
    coloured = printed(hostile, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured, "the table's own colours"
    assert "\x1b[2J" not in coloured
    assert "\x1b[31mred" not in coloured


@pytest.mark.parametrize("width", [60, 40, 25])
def test_fits_a_narrow_terminal(results: Results, hostile: Results, width: int) -> None:
    for record in (results, hostile):
        assert max(map(len, printed(record, width).splitlines())) <= width
