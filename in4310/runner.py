"""Runs the requirement checks on one submission with pytest, sealed off from whatever configures pytest here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from in4310.errors import NotJudged
from in4310.judging.data import DataSet, resolve_data
from in4310.judging.edition import checks_folder, load_edition
from in4310.judging.verdict import Results
from in4310.plugin import REPORT_ERROR, SANDBOX, SESSION, TAKEN
from in4310.progress import QUIET, Progress, Task
from in4310.submission.folder import Submission
from in4310.submission.intake import Taken, take_in
from in4310.submission.sandbox.worker import Sandbox


class _Collector:
    """A pytest plugin of one run: moves the bar, and keeps the record when the run ends."""

    def __init__(self, bar: Task, ready: tuple[Taken, DataSet], sandbox: Sandbox | None = None):
        self.bar = bar
        self.ready = ready
        self.sandbox = sandbox
        self.results: Results | None = None
        self.error = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[TAKEN] = self.ready
        if self.sandbox is not None:
            config.stash[SANDBOX] = self.sandbox

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.bar.advance(1, report.nodeid.rpartition("::test_")[2])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.error = session.config.stash.get(REPORT_ERROR, self.error)
        judged = session.config.stash.get(SESSION, None)
        if judged is not None and judged.complete:
            self.results = judged.results()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.error = str(getattr(excinfo.value, "msg", "")) or "interrupted"


def judge_submission(
    submission: Path,
    edition: str,
    data: str | None = None,
    report: Path | None = None,
    progress: Progress = QUIET,
    full: bool = False,
    trusted: bool = False,
    sandbox: Sandbox | None = None,
    language: str = "",
) -> Results:
    """Judge a submission and return the record; writes the report when asked to.

    sandbox: one to use and to leave open, for who judges many; without, one is opened for this submission.
    language: of the report; '' for the environment's, or English.

    Raises InputError when it could not be judged: no such folder, edition or data; NotJudged when that has nothing
    to do with what was handed in.
    """
    asked = load_edition(edition)
    with take_in(submission) as taken:  # what is wrong with the input is said before a bar is drawn
        Submission(taken.folder)
        ready = taken, resolve_data(asked, data, progress)
        arguments = _arguments(submission, edition, data, report, full, trusted, language)
        with progress.task("judging", len(asked.points_of)) as bar, _sealed():
            collector = _Collector(bar, ready, sandbox)
            pytest.main(arguments, plugins=[collector])
    if collector.results is None or collector.error:
        raise NotJudged(collector.error or f"{submission}: the judging run did not finish")
    return collector.results


def _arguments(
    submission: Path,
    edition: str,
    data: str | None,
    report: Path | None,
    full: bool,
    trusted: bool,
    language: str,
) -> list[str]:
    """Of the pytest run."""
    arguments = [
        str(checks_folder()),
        f"--submission={submission}",
        f"--edition={edition}",
        # Neither a pytest.ini or conftest.py nearby, nor a cache, nor other plugins have a say.
        f"--config-file={os.devnull}",
        f"--rootdir={checks_folder()}",
        "--noconftest",
        "--import-mode=importlib",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:terminal",
        "-p",
        "no:unraisableexception",  # it collects garbage of all that torch has, half a second a submission
        "-p",
        "in4310.plugin",
    ]
    if data:
        arguments.append(f"--data={data}")
    if report:
        arguments.append(f"--report={report}")
    if language:
        arguments.append(f"--language={language}")
    if full:
        arguments.append("--full")
    if trusted:
        arguments.append("--trust-submissions")
    return arguments


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
