"""The pytest plugin: options, fixtures and hooks. The work is in modules that know no pytest.

Imported in every pytest run of an environment that has in4310, so it imports nothing heavy at the top.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from in4310.judging.order import Order

if TYPE_CHECKING:
    from in4310.judging.data import DataSet
    from in4310.judging.edition import Edition
    from in4310.judging.evidence import Evidence
    from in4310.judging.judge import Judge
    from in4310.judging.session import Session
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


RUN = pytest.StashKey[Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a judging run."""
    group = parser.getgroup("in4310", "in4310: judge a submission of the assignment")
    group.addoption(
        "--submission",
        dest="in4310_submission",
        metavar="PATH",
        help="folder or archive to judge; runs the requirement checks on it",
    )
    group.addoption(
        "--data",
        dest="in4310_data",
        metavar="PATH",
        help="data set: a folder of class folders (default: IN4310_DATA)",
    )
    group.addoption(
        "--edition",
        dest="in4310_edition",
        metavar="NAME",
        help="2022, 2023, 2026, demo, or a .toml file (default: demo)",
    )
    group.addoption(
        "--full",
        dest="in4310_full",
        action="store_true",
        help="recompute all scores, not only an audit sample of them",
    )
    group.addoption(
        "--trust-submissions",
        dest="in4310_trusted",
        action="store_true",
        help="call the functions that a submission names also where nothing can be confined (in4310 doctor);"
        " the report says 'not isolated'",
    )
    group.addoption(
        "--report",
        dest="in4310_report",
        metavar="DIR",
        help="write index.html, results.json and junit.xml into DIR",
    )
    group.addoption(
        "--language",
        dest="in4310_language",
        metavar="NAME",
        help="language of the report, en or nb (default: IN4310_LANGUAGE, else en)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with --submission and no paths, run the requirement checks and nothing else."""
    config.addinivalue_line(
        "markers",
        "requirement(id, partial=False): an executable check of a requirement of the assignment (in4310)",
    )
    run = _run(config)
    if run.order.report:  # what is wrong with it is said before anything is judged
        _language(config)
        _room(config)
    judging = run.order.submission and not config.getoption("help") and not config.option.collectonly
    if judging and run.sandbox is None:
        from in4310.submission.sandbox.worker import Sandbox

        # It imports torch while pytest collects: two seconds that nobody waits for.
        run.sandbox = Sandbox()
        run.sandbox.start()
        config.add_cleanup(run.sandbox.close)
    if run.order.submission and config.args_source is not pytest.Config.ArgsSource.ARGS:
        from in4310.judging.edition import checks_folder

        config.args = [str(checks_folder())]


def _run(config: pytest.Config) -> Run:
    if RUN not in config.stash:
        names = ("submission", "edition", "report", "data", "full", "trusted", "language")
        config.stash[RUN] = Run(Order(**{name: config.getoption(f"in4310_{name}") for name in names}))
    return config.stash[RUN]


def _language(config: pytest.Config) -> str:
    from in4310.errors import InputError
    from in4310.reporting.language import chosen

    try:
        return chosen(_run(config).order.language or None)
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _room(config: pytest.Config) -> None:
    from in4310.errors import InputError
    from in4310.places import room_for

    run = _run(config)
    try:
        if run.taken is None:  # else whoever started this run has looked
            room_for(Path(run.order.report))
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _session(config: pytest.Config) -> Session:
    run = _run(config)
    if run.session is None:
        from in4310.errors import InputError
        from in4310.judging.edition import load_edition
        from in4310.judging.session import Session

        try:
            run.session = Session(load_edition(run.order.edition or "demo"))
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
    return run.session


def _check_name(item: pytest.Item) -> str:
    return item.name.removeprefix("test_")


def _title(item: pytest.Item) -> str:
    lines = (getattr(getattr(item, "function", None), "__doc__", "") or "").strip().splitlines()
    return lines[0] if lines else _check_name(item)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks that the edition asks for, in its order."""
    checks = [item for item in items if item.get_closest_marker("requirement")]
    if not checks:
        return
    order = list(_session(config).edition.points_of)
    dropped = [item for item in checks if _check_name(item) not in order]
    config.hook.pytest_deselected(items=dropped)
    kept = sorted((i for i in checks if i not in dropped), key=lambda item: order.index(_check_name(item)))
    items[:] = kept + [item for item in items if item not in checks]


@pytest.fixture(scope="session")
def edition(pytestconfig: pytest.Config) -> Edition:
    """The edition that is judged by."""
    return _session(pytestconfig).edition


@pytest.fixture(scope="session")
def judging_stack() -> Generator[ExitStack, None, None]:
    """What must be undone when judging ends: unpacked archives are removed."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def evidence(pytestconfig: pytest.Config, edition: Edition, judging_stack: ExitStack) -> Evidence:
    """The submission judged, the trusted data, and all that is recomputed from them."""
    from in4310.errors import InputError
    from in4310.judging.audit import draw
    from in4310.judging.data import hints, resolve_data
    from in4310.judging.edition import given_data
    from in4310.judging.evidence import Evidence
    from in4310.judging.verdict import Given
    from in4310.places import audit_secret
    from in4310.submission.folder import Submission
    from in4310.submission.intake import Taken, take_in
    from in4310.submission.live import ConfinedLoader, Live
    from in4310.submission.sandbox.worker import Sandbox

    session, run = _session(pytestconfig), _run(pytestconfig)
    order = run.order
    try:
        data = run.data or resolve_data(edition, order.data)
        if run.taken:
            taken = run.taken
        elif order.submission:
            taken = judging_stack.enter_context(take_in(Path(order.submission)))
        else:
            from in4310.reference import reference_submission

            folder = reference_submission(edition, data)
            taken = Taken(folder, folder.name)
        sandbox = run.sandbox or judging_stack.enter_context(Sandbox())
        loader = judging_stack.enter_context(ConfinedLoader(sandbox, taken.folder))
        submission = Submission(taken.folder, hints(edition, data), loader, taken.name)
        live = Live(sandbox, submission.folder, submission.table("adapters"), trusted=order.trusted)
        rows = 0 if order.full else edition.audit.rows
        audit = draw(rows, audit_secret(), submission.digest)
        session.notes = list(taken.notes)
        session.given = order.submission or str(taken.folder)
        session.started_with = Given.of(
            replace(
                order,
                submission=session.given,
                edition=order.edition or edition.name,
                data=given_data(edition, order.data),
            )
        )
        session.evidence = Evidence(submission, data, edition, audit=audit, live=live)
    except InputError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    return session.evidence


@pytest.fixture
def judge() -> Judge:
    """Records what one check looks at."""
    from in4310.judging.judge import Judge

    return Judge()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Run a check and turn what it recorded into a verdict."""
    marker = pyfuncitem.get_closest_marker("requirement")
    if marker is None:
        return (yield)
    import time

    from in4310.errors import of_the_machine
    from in4310.judging.verdict import Outcome
    from in4310.shown import shown
    from in4310.submission.pieces import Missing

    session = _session(pyfuncitem.config)
    name, title = _check_name(pyfuncitem), _title(pyfuncitem)
    started = time.perf_counter()
    judge: Any = pyfuncitem.funcargs["judge"]
    try:
        result = yield
    except Missing as why:
        check = session.not_run(name, title, why, judge)
        pytest.skip(f"not run: {shown(check.reason, 600)}")
    except Exception as error:
        if of_the_machine(error):
            pytest.exit(f"not judged: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
        session.broken(name, title, f"{type(error).__name__}: {error}"[:300])
        raise
    check = session.decided(
        name,
        title,
        judge,
        partial=bool(marker.kwargs.get("partial")),
        seconds=time.perf_counter() - started,
    )
    if check.outcome is Outcome.FAILED:
        # What a submission says is shown, never obeyed: no control sequence of it reaches the terminal.
        lines = [
            f"{marker.args[0]} {title}",
            shown(check.reason, 600),
            shown(check.mistake or check.mend, 600),
        ]
        pytest.fail("\n  ".join(line for line in lines if line), pytrace=False)
    return result


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Points that were not earned make the run fail, also where a check could not be run; write the report."""
    run = _run(session.config)
    judged, report = run.session, run.order.report
    if judged is None or not judged.checks:
        return
    if exitstatus == pytest.ExitCode.OK and not judged.full_marks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if report:
        from in4310.errors import InputError
        from in4310.reporting.write import write_report

        try:
            language = _language(session.config)
            write_report(judged.results(), Path(report), judged.pictures, language)
        except InputError as error:
            run.error = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Points and the report's path, after pytest's own summary."""
    run = _run(config)
    judged = run.session
    if judged is None or not judged.checks:
        return
    results = judged.results()
    terminalreporter.section("in4310")
    if results.doubt:
        terminalreporter.write_line(results.doubt, yellow=True)
    terminalreporter.write_line(
        f"{results.name}: {results.points:g} of {results.max_points:g} points ({results.edition})"
    )
    if run.error:
        terminalreporter.write_line(f"no report: {run.error}", red=True)
    elif run.order.report:
        terminalreporter.write_line(f"report: {Path(run.order.report) / 'index.html'}")
