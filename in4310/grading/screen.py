"""The class on the terminal: a live table while it is graded, and the marks at its end."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from in4310.grading.grade import Show, State
from in4310.grading.marks import Mark, Status
from in4310.grading.movement import Moving, clock
from in4310.reporting.language import ENGLISH, counted, number, totals, translated
from in4310.reporting.language_record import said
from in4310.shown import shown

NAMES = 6  # of those at work, on one line


def shows(moving: Moving) -> Show:
    """A function that shows a State: a table on a terminal, a line elsewhere."""

    def show(state: State) -> None:
        moving.show(lambda seconds: _state_table(state, seconds), _state_line(state))

    return show


def _state_line(state: State) -> str:
    ended = len(state.done) + len(state.failed)
    could_not = f", {len(state.failed)} could not be" if state.failed else ""
    return f"{state.before + ended} of {state.before + ended + len(state.waiting)} judged{could_not}"


def _state_table(state: State, seconds: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("waiting", "running", "done", "not judged", "time", "time left"):
        table.add_column(column, justify="right" if column != "running" else "left")
    ended = len(state.done) + len(state.failed)
    total = ended + len(state.waiting)
    left = clock(seconds / ended * (total - ended)) if ended else "..."
    running = ", ".join(shown(w, 20) for w in state.running[:NAMES])
    more = f" and {len(state.running) - NAMES} more" if len(state.running) > NAMES else ""
    waiting = max(0, len(state.waiting) - len(state.running))
    table.add_row(
        str(waiting),
        Text(running + more),
        str(len(state.done) + state.before),
        str(len(state.failed)),
        clock(seconds),
        left,
    )
    return table


def marks_table(marks: Sequence[Mark], language: str = ENGLISH) -> Table:
    """A row a student: points, whether late, and why there is no mark, where there is none."""
    judged = sum(m.status is Status.DONE for m in marks)
    in_all = counted("%(num)s student", "%(num)s students", len(marks), language)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column(
        translated("student", language),
        translated("%(students)s, %(num)s judged", language, students=in_all, num=number(judged, language)),
    )
    table.add_column(translated("attempt", language), justify="right")
    table.add_column(translated("points", language), justify="right")
    table.add_column(translated("what costs most, or why there is no mark", language))
    for mark in marks:
        points = ""
        if mark.points is not None and mark.max_points is None:
            points = f"{number(mark.points, language)} ({translated('set by hand', language)})"
        elif mark.points is not None:
            points = totals(mark.points, mark.max_points or 0.0, mark.open_points, language)
        late = translated(" (late)", language) if mark.late else ""
        table.add_row(Text(shown(mark.who, 40)), f"{mark.attempt}{late}", points, Text(_why(mark, language)))
    return table


def _why(mark: Mark, language: str) -> str:
    say = said(language)
    if mark.results is None:
        return shown(say(mark.error or mark.status), 100)
    if mark.results.doubt:
        return shown(say(mark.results.doubt), 100)
    lost = [(r.max_points - mark.points_of(r) - mark.open_of(r), r) for r in mark.results.requirements]
    most, requirement = max(lost, key=lambda pair: pair[0], default=(0.0, None))
    if requirement is None or most <= 1e-9:
        return ""
    return f"{requirement.id} {shown(say(requirement.title, mark.results.edition_language), 60)}"
