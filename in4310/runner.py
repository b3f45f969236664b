"""Runs the requirement checks on one submission with pytest, sealed off from whatever configures pytest here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.markup import escape

from in4310.errors import NotJudged
from in4310.judging.data import resolve_data
from in4310.judging.order import Order
from in4310.judging.session import Session
from in4310.judging.verdict import Results
from in4310.places import checks_folder
from in4310.plugin import RUN, Run
from in4310.progress import QUIET, Progress, Task
from in4310.submission.intake import take_in
from in4310.submission.sandbox.worker import Sandbox


class Unreported(NotJudged):
    """Judged, but the report could not be written; `results` are the verdict."""

    def __init__(self, reason: str, results: Results):
        super().__init__(reason)
        self.results = results


class _Collector:
    """A pytest plugin of one run: says what is judged, moves the bar, and keeps the record when the run ends."""

    def __init__(self, bar: Task, run: Run):
        self.bar = bar
        self.run = run
        self.results: Results | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUN] = self.run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.bar.advance(1, report.nodeid.rpartition("::test_")[2])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        judged = self.run.session
        if judged is not None and judged.complete:
            self.results = judged.results()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.run.error = str(getattr(excinfo.value, "msg", "")) or "interrupted"


def judge(order: Order, progress: Progress = QUIET, sandbox: Sandbox | None = None) -> Results:
    """Judge a submission and return the record; writes the report when the order says where.

    sandbox: one to use and to leave open, for who judges many; without, one is opened for this submission.

    Raises InputError when it could not be judged: no such folder, edition or data; NotJudged when that has nothing
    to do with what was handed in.
    """
    with ExitStack() as stack:
        sandbox = sandbox or stack.enter_context(Sandbox())
        sandbox.start()  # first: it imports torch, and reads what was handed in
        taken = stack.enter_context(
            take_in(Path(order.submission), sandbox)
        )  # what is wrong is said before a bar is drawn
        session = Session.of(order, taken, sandbox, stack)
        data = resolve_data(session.edition, order.data, progress)
        run = Run(order, taken, data, sandbox, session)
        session.whole = True
        with progress.task("judging", len(session.edition.points_of)) as bar, _sealed():
            session.tell = lambda at: bar.advance(0, f"rehearsing {escape(at)}" if at else "rehearsing")
            collector = _Collector(bar, run)
            pytest.main(_arguments(), plugins=[collector])
    if collector.results is not None and run.error:
        raise Unreported(run.error, collector.results)
    if collector.results is None:
        raise NotJudged(run.error or f"{order.submission}: the judging run did not finish")
    return collector.results


def judge_submission(
    submission: str | Path,
    edition: str = "",
    data: str | Path | None = None,
    *,
    progress: Progress = QUIET,
    sandbox: Sandbox | None = None,
    **more: Any,
) -> Results:
    """As `judge`, for who has no order yet; `more`: report, full, trusted, language, as in `Order`."""
    order = Order(str(submission), edition, data=str(data or ""), **more)
    return judge(order, progress, sandbox)


def _arguments() -> list[str]:
    """Of the pytest run: neither a pytest.ini or conftest.py nearby, nor a cache, nor other plugins have a say."""
    return [
        str(checks_folder()),
        f"--config-file={os.devnull}",
        f"--rootdir={checks_folder()}",
        "--noconftest",
        "--import-mode=importlib",
        "--strict-markers",
        *("-p", "no:cacheprovider"),
        *("-p", "no:terminal"),
        *("-p", "no:logging"),
        *("-p", "no:unraisableexception"),  # it collects garbage of all that torch has, half a second
        *("-p", "in4310.plugin"),
    ]


@contextmanager
def _sealed() -> Iterator[None]:
    """Environment variables that would add options or plugins to pytest are out of the way."""
    names = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update({name: value for name, value in before.items() if value is not None})
