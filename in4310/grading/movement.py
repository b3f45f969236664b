"""What a long command shows from its first second to its last. Imports nothing heavy: importing is what takes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

PAUSE = 5.0  # seconds between lines where there is no terminal
Draw = Callable[[float], RenderableType]  # seconds since it began -> what to show


class Moving:
    """On a terminal what `draw` gives, drawn again four times a second; elsewhere a line now and then."""

    def __init__(self, console: Console | None, first: str):
        self._console = console
        self._began = self._told = time.monotonic()
        spinner = Spinner("dots")
        self._draw: Draw = lambda seconds: _beside(spinner, f"{first} {clock(seconds)}")
        self._line = first
        if console is not None and not console.is_terminal:
            console.print(first, highlight=False)

    def show(self, draw: Draw, line: str) -> None:
        """From now on `draw`; or the line, where it is news and the last one is a while ago."""
        self._draw = draw
        now = time.monotonic()
        if self._console is None or self._console.is_terminal:
            return
        if line != self._line and now - self._told >= PAUSE:
            self._line, self._told = line, now
            self._console.print(line, highlight=False)

    def drawn(self) -> RenderableType:
        """What stands on the terminal now."""
        return self._draw(time.monotonic() - self._began)


@contextmanager
def moving(console: Console, quiet: bool, first: str) -> Iterator[Moving]:
    """Show what goes on for as long as the context lasts; `first` until `show` is called. `quiet`: nothing."""
    shown = Moving(None if quiet else console, first)
    if quiet or not console.is_terminal:
        yield shown
        return
    with Live(console=console, get_renderable=shown.drawn, refresh_per_second=4, transient=True):
        yield shown


def _beside(spinner: Spinner, text: str) -> Spinner:
    spinner.update(text=Text(text))
    return spinner


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 0:01:07."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
