"""The verdicts as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from in4310.judging.verdict import Check, Outcome, Requirement, Results
from in4310.shown import shown

LOOK = {  # a mark, a word and a colour: no verdict is told by its colour alone
    Outcome.PASSED: ("✓", "passed", "green"),
    Outcome.WARNED: ("▲", "warned", "yellow"),
    Outcome.FAILED: ("✗", "failed", "red"),
    Outcome.NOT_RUN: ("○", "not run", "magenta"),
}


def table(results: Results) -> Table:
    """A row a requirement: id, title, verdict, points, and the reason why it is not a plain pass; the total below.

    Texts of a submission cannot colour, move or clear the terminal: no markup is read, no control character passes.
    """
    found = Table(
        title=Text(shown(f"{results.name}: {results.edition_title}", 120)),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_footer=True,
        pad_edge=False,
    )
    found.add_column("id", no_wrap=True)
    found.add_column("requirement", footer=_counts(results), ratio=2)
    found.add_column("verdict", no_wrap=True)
    found.add_column(
        "points", justify="right", no_wrap=True, footer=f"{results.points:g} of {results.max_points:g}"
    )
    found.add_column("why", ratio=3)
    for requirement in results.requirements:
        mark, word, colour = LOOK[requirement.outcome]
        found.add_row(
            Text(shown(requirement.id, 20)),
            Text(shown(requirement.title, 80)),
            Text(f"{mark} {word}", style=colour),
            Text(f"{requirement.points:g} of {requirement.max_points:g}"),
            Text(_why(requirement)),
        )
    return found


def _counts(results: Results) -> Text:
    return Text(", ".join(f"{results.counts[o]} {LOOK[o][1]}" for o in Outcome if results.counts[o]))


def _why(requirement: Requirement) -> str:
    """The reason of the check that costs most, or of the first warning; nothing where all is right."""
    apart = [c for c in requirement.checks if c.outcome is not Outcome.PASSED]
    if not apart:
        return ""
    first: Check = max(apart, key=lambda c: (c.max_points - c.points, c.outcome is requirement.outcome))
    more = f" (and {len(apart) - 1} more)" if len(apart) > 1 else ""
    return shown(first.reason, 140) + more
