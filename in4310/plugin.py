"""The pytest plugin: options, fixtures and hooks. The work is in modules that know no pytest.

Imported in every pytest run of an environment that has in4310, so it imports nothing heavy at the top.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from in4310.judging.edition import Edition
    from in4310.judging.evidence import Evidence
    from in4310.judging.judge import Judge
    from in4310.judging.session import Session

SESSION = pytest.StashKey["Session"]()
REPORT_ERROR = pytest.StashKey[str]()
SANDBOX = pytest.StashKey[Any]()
TAKEN = pytest.StashKey[Any]()
"""A submission that was taken in and the data, by who started this run: nothing is unpacked or listed twice."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a judging run."""
    group = parser.getgroup("in4310", "in4310: judge a submission of the assignment")
    group.addoption(
        "--submission", metavar="PATH", help="folder or archive to judge; runs the requirement checks on it"
    )
    group.addoption(
        "--data", metavar="PATH", help="data set: a folder of class folders (default: IN4310_DATA)"
    )
    group.addoption(
        "--edition", metavar="NAME", help="2022, 2023, 2026, demo, or a .toml file (default: demo)"
    )
    group.addoption(
        "--full", action="store_true", help="recompute all scores, not only an audit sample of them"
    )
    group.addoption(
        "--trust-submissions",
        action="store_true",
        help="call the functions that a submission names also where nothing can be confined (in4310 doctor);"
        " the report says 'not isolated'",
    )
    group.addoption("--report", metavar="DIR", help="write index.html, results.json and junit.xml into DIR")
    group.addoption(
        "--language",
        metavar="NAME",
        help="language of the report, en or nb (default: IN4310_LANGUAGE, else en)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with --submission and no paths, run the requirement checks and nothing else."""
    config.addinivalue_line(
        "markers",
        "requirement(id, partial=False): an executable check of a requirement of the assignment (in4310)",
    )
    if config.getoption("report"):
        _language(config)  # a wrong one is said before anything is judged
    judging = (
        config.getoption("submission") and not config.getoption("help") and not config.option.collectonly
    )
    if judging and SANDBOX not in config.stash:
        from in4310.submission.sandbox.worker import Sandbox

        # It imports torch while pytest collects: two seconds that nobody waits for.
        sandbox = config.stash[SANDBOX] = Sandbox()
        sandbox.start()
        config.add_cleanup(sandbox.close)
    if config.getoption("submission") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        from in4310.judging.edition import checks_folder

        config.args = [str(checks_folder())]


def _language(config: pytest.Config) -> str:
    from in4310.errors import InputError
    from in4310.reporting.language import chosen

    try:
        return chosen(config.getoption("language"))
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        from in4310.errors import InputError
        from in4310.judging.edition import load_edition
        from in4310.judging.session import Session

        try:
            config.stash[SESSION] = Session(load_edition(config.getoption("edition") or "demo"))
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[SESSION]


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
    from in4310.judging.data import given_data, hints, resolve_data
    from in4310.judging.evidence import Evidence
    from in4310.judging.verdict import Given
    from in4310.places import audit_secret
    from in4310.submission.folder import Submission
    from in4310.submission.intake import Taken, take_in
    from in4310.submission.live import ConfinedLoader, Live
    from in4310.submission.sandbox.worker import Sandbox

    session = _session(pytestconfig)
    try:
        given = pytestconfig.getoption("submission")
        ready = pytestconfig.stash.get(TAKEN, None)
        data = ready[1] if ready else resolve_data(edition, pytestconfig.getoption("data"))
        if ready:
            taken = ready[0]
        elif given:
            taken = judging_stack.enter_context(take_in(Path(given)))
        else:
            from in4310.reference import reference_submission

            folder = reference_submission(edition, data)
            taken = Taken(folder, folder.name)
        sandbox = pytestconfig.stash.get(SANDBOX, None) or judging_stack.enter_context(Sandbox())
        loader = judging_stack.enter_context(ConfinedLoader(sandbox, taken.folder))
        submission = Submission(taken.folder, hints(edition, data), loader, taken.name)
        trusted = pytestconfig.getoption("trust_submissions")
        live = Live(sandbox, submission.folder, submission.table("adapters"), trusted=trusted)
        rows = 0 if pytestconfig.getoption("full") else edition.audit.rows
        audit = draw(rows, audit_secret(), submission.digest)
        session.notes = list(taken.notes)
        session.given = str(given or taken.folder)
        session.started_with = Given.of(
            submission=session.given,
            edition=pytestconfig.getoption("edition") or edition.name,
            data=given_data(edition, pytestconfig.getoption("data")),
            full=pytestconfig.getoption("full"),
            trusted=trusted,
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
    judged = session.config.stash.get(SESSION, None)
    if judged is None or not judged.checks:
        return
    if exitstatus == pytest.ExitCode.OK and not judged.full_marks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    report = session.config.getoption("report")
    if report:
        from in4310.errors import InputError
        from in4310.reporting.write import write_report

        try:
            language = _language(session.config)
            write_report(judged.results(), Path(report), judged.pictures, language)
        except InputError as error:
            session.config.stash[REPORT_ERROR] = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Points and the report's path, after pytest's own summary."""
    judged = config.stash.get(SESSION, None)
    if judged is None or not judged.checks:
        return
    results = judged.results()
    terminalreporter.section("in4310")
    terminalreporter.write_line(
        f"{results.name}: {results.points:g} of {results.max_points:g} points ({results.edition})"
    )
    if REPORT_ERROR in config.stash:
        terminalreporter.write_line(f"no report: {config.stash[REPORT_ERROR]}", red=True)
    elif config.getoption("report"):
        terminalreporter.write_line(f"report: {Path(config.getoption('report')) / 'index.html'}")
