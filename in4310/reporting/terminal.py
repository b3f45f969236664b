"""The verdicts for the terminal: a line a requirement, and below what costs points and why, folded to its width."""

from __future__ import annotations

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from in4310.judging.verdict import Check, Outcome, Requirement, Results
from in4310.reporting.language import ENGLISH, counted, number, totals, translated
from in4310.reporting.language_record import reason, said
from in4310.reporting.page import SHORT, TALLY
from in4310.shown import shown

LOOK = {  # a mark and a colour beside the word: no verdict is told by its colour alone
    Outcome.PASSED: ("✓", "green"),
    Outcome.WARNED: ("▲", "yellow"),
    Outcome.OPEN: ("?", "cyan"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.NOT_RUN: ("○", "magenta"),
}
NARROW = 60  # columns below which the marks stand without their words, which the totals say once more


class Verdict:
    """What `check` prints, for rich. Results are English; `language` is that of the terminal.

    Texts of a submission cannot colour, move or clear the terminal: no markup is read, no control character passes.
    """

    def __init__(self, results: Results, language: str = ENGLISH):
        self.results, self.language = results, language
        self.said, self.reason = said(language), reason(language)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        results = self.results
        for banner in results.banners:
            yield Text(shown(self.said(banner), 300), style="bold yellow")
        heading = self.said(results.edition_title, results.edition_language)
        yield Text(shown(f"{results.name}: {heading}"), style="italic")
        yield self._table(options.max_width < NARROW)
        for line in results.standing:
            yield Text(shown(self.said(line), 300), style="cyan")
        for requirement in results.requirements:
            yield from self._details(requirement)
        for note in results.notes:
            if note.startswith(("rehearsal: ", "submission.toml: ")):
                yield Text(shown(self.said(note), 300))
        for line in results.unused_said:
            yield Text(shown(self.said(line), 600))
        for name, figure in results.facts.items():
            yield Text(shown(f"{self.said(name)}: {self.said(figure)}"))
        if results.audit and results.audit.rows != results.audit.of:
            audit = self.said(results.audit.statement)
            yield Text(translated("Audit sample: %(audit)s", self.language, audit=audit))

    def _table(self, narrow: bool) -> Table:
        results = self.results
        counts = (counted(*TALLY[o], n, self.language) for o in Outcome if (n := results.counts[o]))
        table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
        table.add_column("")
        if not narrow:
            table.add_column(translated("verdict", self.language))
        table.add_column(
            translated("points", self.language),
            self._points(results),
            justify="right",
            no_wrap=True,
        )
        if results.open_points:
            table.add_column(
                translated("for the teacher", self.language), self._left(results.open_points), justify="right"
            )
        table.add_column(translated("requirement", self.language), ", ".join(counts))
        for requirement in results.requirements:
            mark, colour = LOOK[requirement.outcome]
            row: list[RenderableType] = [Text(f"{mark} {shown(requirement.id, 20)}", style=colour)]
            if not narrow:
                row.append(Text(translated(SHORT[requirement.outcome], self.language), style=colour))
            row.append(self._points(requirement))
            if results.open_points:
                row.append(self._left(requirement.open_points))
            table.add_row(*row, Text(self._title(requirement), no_wrap=True, overflow="ellipsis"))
        return table

    def _details(self, requirement: Requirement) -> RenderResult:
        """The check that costs most, or the first warning, with its known mistake or the way out; else nothing."""
        apart = [c for c in requirement.checks if c.outcome is not Outcome.PASSED]
        if not apart:
            return
        first: Check = max(apart, key=lambda c: (c.lost, c.outcome is requirement.outcome, c.open_points))
        mark, colour = LOOK[first.outcome]
        more = self.said(f" (and {len(apart) - 1} more)") if len(apart) > 1 else ""
        yield Text(f"{mark} {shown(requirement.id, 20)}  {self._title(requirement)}", style=colour)
        for text in (
            shown(self.reason(first), 300) + more,
            shown(self.said(first.mistake or first.mend), 300),
        ):
            if text:
                yield Padding(Text(text), (0, 0, 0, 5), expand=False)
        yield ""

    def _title(self, requirement: Requirement) -> str:
        return shown(self.said(requirement.title, self.results.edition_language), 80)

    def _points(self, one: Requirement | Results) -> str:
        return totals(one.points, one.max_points - one.open_points, 0.0, self.language)

    def _left(self, points: float) -> str:
        return number(points, self.language) if points else ""
