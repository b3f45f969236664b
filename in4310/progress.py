"""Progress bars for long work, silent where there is no terminal to draw on.

rich is imported when the first bar is drawn: `in4310 --help` draws none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

Item = TypeVar("Item")


class Task:
    """One bar: `advance` moves it and may change the note beside it (loss, accuracy)."""

    def __init__(self, bars: RichProgress | None, total: int, description: str):
        self._bars = bars
        self._id = bars.add_task(description, total=total, note="") if bars else None

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Move the bar by some steps; `note` replaces the text beside it."""
        if self._bars is None or self._id is None:
            return
        if note is not None:
            self._bars.update(self._id, note=note)
        self._bars.advance(self._id, steps)


class Progress:
    """Draws the bars of a command. `Progress(console)` shows them, `QUIET` shows nothing.

    On a terminal the bars are live; elsewhere (a log file, CI) each task is one line when it ends.
    """

    def __init__(self, console: Console | None = None):
        self._console = console
        self._bars: RichProgress | None = None

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._console is not None:
            self._console.print(text, highlight=False)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Task]:
        """Open a bar of `total` steps; bars may be nested (epoch inside setting)."""
        if self._console is None:
            yield Task(None, total, description)
            return
        outermost = self._bars is None
        if self._bars is None:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as RichProgress

            self._bars = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
            )
            self._bars.start()
        task = Task(self._bars, total, description)
        try:
            yield task
        finally:
            if outermost:
                self._bars.stop()
                self._bars = None
            elif self._console.is_terminal and task._id is not None:
                self._bars.remove_task(task._id)

    def track(self, items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
        """Yield the items, moving a bar by one for each."""
        with self.task(description, total) as bar:
            for item in items:
                yield item
                bar.advance()


QUIET = Progress(None)
