"""The table as a terminal receives it."""

from __future__ import annotations

import io

from rich.console import Console

from in4310.judging.verdict import Results
from in4310.reporting.terminal import table


def printed(results: Results, width: int = 200, **how: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, **how).print(table(results))
    return stream.getvalue()


def test_a_row_a_requirement_and_the_total_below(results: Results) -> None:
    lines = printed(results).splitlines()
    rows = {line.split()[0]: line for line in lines if line.split() and line.split()[0] in ("1a", "1b", "3a")}
    assert [line.split()[0] for line in lines if line.strip()[:2] in rows] == ["1a", "1b", "3a"]
    assert "✗ failed" in rows["1a"]
    assert "3 of 5" in rows["1a"]
    assert "reason of sizes" in rows["1a"]
    assert "▲ warned" in rows["1b"]
    assert "○ not run" in rows["3a"]
    assert "reason of eigenvalues (and 1 more)" in rows["3a"]
    last = [line for line in lines if line.strip()][-1]
    assert "4 of 13.5" in last
    assert "1 warned, 1 failed, 1 not run" in last


def test_hostile_texts_neither_colour_nor_clear_nor_ring(hostile: Results) -> None:
    text = printed(hostile)
    assert not [ch for ch in text if ch != "\n" and not ch.isprintable()]
    assert text.count("[bold red]markup[/]") >= 3, "in the heading, the requirement and the reason"
    coloured = printed(hostile, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured, "the table's own colours"
    assert "\x1b[2J" not in coloured
    assert "\x1b[31mred" not in coloured


def test_fits_a_narrow_terminal(results: Results) -> None:
    assert max(map(len, printed(results, width=60).splitlines())) <= 60
