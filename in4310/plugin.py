"""The pytest plugin: options, fixtures and hooks. The work is in modules that know no pytest.

Imported in every pytest run of an environment that has in4310, so it imports nothing heavy at the top.
PYTEST_DONT_REWRITE: nothing here asserts, and it is known under two names (guest/in4310_pytest.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from in4310.errors import InputError, of_the_machine
from in4310.judging.order import Order
from in4310.places import checks_folder, room_for
from in4310.plugin_options import pytest_addoption as pytest_addoption
from in4310.plugin_options import pytest_load_initial_conftests as pytest_load_initial_conftests

if TYPE_CHECKING:
    from in4310.judging.attachments import Attachments
    from in4310.judging.data import DataSet
    from in4310.judging.edition import Edition
    from in4310.judging.evidence import Evidence
    from in4310.judging.judge import Judge
    from in4310.judging.session import Session
    from in4310.judging.verdict import Check, Results
    from in4310.submission.intake import Taken
    from in4310.submission.sandbox.worker import Sandbox


@dataclass
class Run:
    """One run: what was asked, what its starter has at hand already, and what has become of it."""

    order: Order
    taken: Taken | None = None  # with the data: nothing is unpacked or listed twice
    data: DataSet | None = None
    sandbox: Sandbox | None = None
    session: Session | None = None
    error: str = ""  # why there is no verdict, or no report
    lost: bool = False  # whether points were lost in another process of this run (xdist)
    stack: ExitStack = field(default_factory=ExitStack)  # what must be undone when judging ends


RUN = pytest.StashKey[Run]()
MARKER = "in4310_requirement"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with --submission and no paths, run the requirement checks and nothing else."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(id, partial=False, follows=''): an executable check of a requirement of the assignment (in4310);"
        " partial: points by the share of findings that are good; follows: a check that this one's input comes from",
    )
    run = _run(config)
    config.add_cleanup(run.stack.close)
    if (run.order.submission or run.order.report) and getattr(config.option, "dist", "no") != "no":
        # xdist: one process judges, or the report would be parts.
        config.option.dist, config.option.tx, config.option.numprocesses = "no", [], None
    if run.order.report:  # what is wrong with it is said before anything is judged
        _language(config)
        if run.taken is None:  # else whoever started this run has looked
            with _usage():
                room_for(Path(run.order.report))
    judging = run.order.submission and not config.getoption("help") and not config.option.collectonly
    if judging and run.sandbox is None:
        from in4310.options import look_at_secret
        from in4310.submission.sandbox.worker import Sandbox

        look_at_secret()
        # It imports torch while pytest collects: two seconds that nobody waits for.
        run.sandbox = run.stack.enter_context(Sandbox())
        run.sandbox.start()
    if run.order.submission and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(checks_folder())]


def _run(config: pytest.Config) -> Run:
    if RUN not in config.stash:
        names = ("submission", "edition", "report", "data", "full", "trusted", "rehearsal", "language")
        config.stash[RUN] = Run(Order(**{name: config.getoption(f"in4310_{name}") for name in names}))
    return config.stash[RUN]


@contextmanager
def _usage() -> Iterator[None]:
    """An InputError is a usage error of pytest."""
    try:
        yield
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


@_usage()
def _language(config: pytest.Config) -> str:
    from in4310.reporting.language import chosen

    return chosen(_run(config).order.language or None)


@_usage()
def _session(config: pytest.Config) -> Session:
    run = _run(config)
    if run.session is None:
        from in4310.judging.session import Session
        from in4310.submission.intake import take_in
        from in4310.submission.sandbox.worker import Sandbox

        if run.order.submission and run.taken is None:
            run.sandbox = run.sandbox or run.stack.enter_context(Sandbox())
            run.taken = run.stack.enter_context(take_in(Path(run.order.submission), run.sandbox))
        run.session = Session.of(run.order, run.taken, run.sandbox, run.stack)
    return run.session


def _check_name(item: pytest.Item) -> str:
    return item.name.removeprefix("test_")


def _title(item: pytest.Item) -> str:
    lines = (getattr(getattr(item, "function", None), "__doc__", "") or "").strip().splitlines()
    return lines[0] if lines else _check_name(item)


class Checks(pytest.Module):
    """A file of checks. Its functions find the fixtures `edition`, `evidence` and `judge`; nobody else's do."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Tests of the file."""
        routines = [value for value in vars(self.obj).values() if inspect.isroutine(value)]
        if any(mark.name == MARKER for f in routines for mark in getattr(f, "pytestmark", ())):
            vars(self.obj).update({**FIXTURES, **vars(self.obj)})
        return super().collect()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Checks are ours where they come with in4310, or where a submission is judged; all else is left alone."""
    if _run(parent.config).order.submission or module_path.is_relative_to(checks_folder()):
        return Checks.from_parent(parent, path=module_path)
    return None


def _marker(item: pytest.Item) -> pytest.Mark | None:
    """The marker of a check of ours; None for any other test."""
    return item.get_closest_marker(MARKER) if item.getparent(Checks) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks that the edition asks for, in its order."""
    checks = [item for item in items if _marker(item)]
    if not checks:
        return
    order = list(_session(config).edition.points_of)
    dropped = [item for item in checks if _check_name(item) not in order]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    kept = sorted((i for i in checks if i not in dropped), key=lambda item: order.index(_check_name(item)))
    items[:] = kept + [item for item in items if item not in checks]


@pytest.fixture(scope="session")
def in4310_results(pytestconfig: pytest.Config) -> Callable[[], Results]:
    """Call it: the record of what has been judged so far, all of it in a test that stands after the checks.

    def test_my_own(in4310_results):
        assert in4310_results().points >= 60
    """
    return lambda: _session(pytestconfig).results()


@pytest.fixture(scope="session")
def in4310_report(pytestconfig: pytest.Config) -> Attachments:
    """What is attached to it appears in the report: a figure (matplotlib, or the bytes of a PNG) or a table.

    `in4310_report.path` is the folder that the report is written to, None without --report.

    def test_my_own(in4310_report):
        in4310_report.figure(figure, "Loss of our own run", alt="it falls from 2.1 to 0.4")
        in4310_report.table("Runs", ["seed", "accuracy"], [[1, 0.91], [2, 0.93]])
    """
    from in4310.judging.attachments import Attachments

    run, session = _run(pytestconfig), _session(pytestconfig)
    if session.attachments is None:
        session.attachments = Attachments(Path(run.order.report) if run.order.report else None)
    return session.attachments


def _edition(pytestconfig: pytest.Config) -> Edition:
    return _session(pytestconfig).edition


def _evidence(pytestconfig: pytest.Config) -> Evidence:
    from in4310.judging.data import resolve_data
    from in4310.submission.intake import Taken

    run, session = _run(pytestconfig), _session(pytestconfig)
    if session.evidence is not None:
        return session.evidence
    try:
        data = run.data or resolve_data(session.edition, run.order.data)
        if run.taken is None:
            from in4310.reference import reference_submission

            folder = reference_submission(session.edition, data)
            run.taken = Taken(folder, folder.name)
        return session.take_up(run.taken, data, run.sandbox, run.stack)
    except InputError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def _judge() -> Judge:
    from in4310.judging.judge import Judge

    return Judge()


# Not decorated, or every project would have them.
FIXTURES = {
    "edition": pytest.fixture(scope="session", name="edition")(_edition),
    "evidence": pytest.fixture(scope="session", name="evidence")(_evidence),
    "judge": pytest.fixture(name="judge")(_judge),
}


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Run a check and turn what it recorded into a verdict."""
    marker = _marker(pyfuncitem)
    if marker is None:
        return (yield)
    import time

    from in4310.judging.judge import Judge
    from in4310.judging.verdict import Outcome
    from in4310.shown import shown
    from in4310.submission.pieces import Missing

    session = _session(pyfuncitem.config)
    name, title = _check_name(pyfuncitem), _title(pyfuncitem)
    started = time.perf_counter()
    judge: Any = pyfuncitem.funcargs.get("judge") or Judge()
    try:
        result = yield
    except Missing as why:
        check = session.not_run(name, title, why, judge, str(marker.args[0]))
        judge, result = Judge(), True
        if not session.seen_run(check, why, judge):
            _properties(pyfuncitem, marker, check)
            pytest.skip(f"not run: {shown(check.reason, 600)}")
    except Exception as error:
        if of_the_machine(error):
            pytest.exit(f"not judged: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
        _properties(pyfuncitem, marker, session.broken(name, title, f"{type(error).__name__}: {error}"[:300]))
        raise
    check = session.decided(
        name,
        title,
        judge,
        partial=bool(marker.kwargs.get("partial")),
        seconds=time.perf_counter() - started,
        follows=str(marker.kwargs.get("follows", "")),
    )
    _properties(pyfuncitem, marker, check)
    if check.outcome is Outcome.FAILED:
        # What a submission says is shown, never obeyed: no control sequence of it reaches the terminal.
        lines = [
            f"{marker.args[0]} {title}",
            shown(check.reason, 600),
            shown(check.mistake or check.mend, 600),
        ]
        pytest.fail("\n  ".join(line for line in lines if line), pytrace=False)
    return result


def _properties(item: pytest.Item, marker: pytest.Mark, check: Check) -> None:
    """For pytest's own records (--junitxml, JSON reports): a check that is run again has the last ones only."""
    given = {"requirement": marker.args[0], "points": check.points, "max_points": check.max_points}
    more = {name: getattr(check, name) for name in ("open_points", "on_trust", "rests_on", "mistake")}
    given |= {name: value for name, value in more.items() if value}
    names = {*given, *more}
    item.user_properties[:] = [p for p in item.user_properties if p[0] not in names] + list(given.items())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of xdist is done: points that were lost there are lost."""
    run = _run(node.config)
    run.lost = run.lost or getattr(node, "workeroutput", {}).get("in4310_lost", False)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Points that were not earned make the run fail, also where a check could not be run; write the report."""
    run = _run(session.config)
    judged, report = run.session, run.order.report
    lost = run.lost or (judged is not None and not judged.full_marks)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["in4310_lost"] = lost
    if exitstatus == pytest.ExitCode.OK and lost:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if judged is None or not judged.checks:
        return
    if report:
        from in4310.reporting.write import write_report

        try:
            language = _language(session.config)
            pictures = judged.pictures | (judged.attachments.pictures if judged.attachments else {})
            write_report(judged.results(), Path(report), pictures, language)
        except InputError as error:
            run.error = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Points and the report's path, after pytest's own summary."""
    run = _run(config)
    judged = run.session
    if judged is None or not judged.checks:
        return
    from in4310.reporting.language import totals
    from in4310.shown import shown

    results = judged.results()
    terminalreporter.section("in4310")
    terminalreporter.write_line(
        f"{results.name}: {totals(results.points, results.max_points, results.open_points)} points ({results.edition})"
    )
    for said in results.standing:
        terminalreporter.write_line(said)
    for said in results.banners:
        terminalreporter.write_line(shown(said, 300), yellow=True)
    if run.error:
        terminalreporter.write_line(f"no report: {run.error}", red=True)
    elif run.order.report:
        terminalreporter.write_line(f"report: {Path(run.order.report) / 'index.html'}")
