"""Judges each entry of the catalogue by every check, and prints how well the checks did."""

from pathlib import Path

import pytest

from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import Edition, load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.mistakes.budget import Budget
from in4310.judging.session import Session
from in4310.judging.verdict import Outcome
from in4310.reference import demo_plan, reference_submission
from in4310.submission.folder import Submission
from in4310.submission.live import Live
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Sandbox

HERE = Path(__file__).parent
SOON = 5.0  # seconds of processor time


def pytest_configure(config):
    """`pytest tests/faults` asks for the catalogue, which is slow: nothing of it is left out then."""
    asked = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    if all(path.is_relative_to(HERE) for path in asked) and "-m" not in config.invocation_params.args:
        config.option.markexpr = ""


@pytest.fixture(scope="session", autouse=True)
def _shared(computed_once):
    return computed_once


@pytest.fixture(scope="session")
def edition():
    return load_edition("demo")


@pytest.fixture(scope="session")
def data(edition):
    return resolve_data(edition, None)


@pytest.fixture(scope="session")
def reference(request, edition, data):
    """The reference submission; where a test asks for a precision, trained in that."""
    return reference_submission(edition, data, precision=getattr(request, "param", "auto"))


@pytest.fixture(scope="session")
def worlds():
    """reference -> World. Entries go from one reference to the other and back; what was made of each is kept."""
    return {}


@pytest.fixture
def world(worlds, reference, edition, data):
    from faults.world import World

    return worlds.setdefault(reference, World(reference, edition, data, demo_plan(edition, data)))


@pytest.fixture(scope="session")
def sandbox():
    """Also where nothing can be confined: faults are judged there, too."""
    with Sandbox() as opened:
        yield opened


@pytest.fixture(scope="session")
def soon():
    """Has mistakes searched for a few seconds alone: where it is asked what is earned or said, not what is named."""

    def limited(evidence):
        evidence.once(("budget",), lambda: Budget(seconds=SOON, source=lambda: evidence.source))

    return limited


class Verdict:
    """What one check said: outcome, share of its points, all its words."""

    def __init__(self, judge=None, missing=None, partial=False):
        self.outcome = Outcome.NOT_RUN if missing is not None else judge.outcome
        # What is left to the teacher is not lost.
        self.full = judge is not None and judge.outcome in (Outcome.PASSED, Outcome.WARNED, Outcome.OPEN)
        self.words = str(missing) if missing is not None else " ".join(
            [judge.reason, judge.mistake, judge.mend, *(f"{f.asked}: {f.found}" for f in judge.findings if f.outcome is not Outcome.PASSED)]
        )  # fmt: skip
        self.diagnoses = [name for d in (judge.diagnoses if judge else ()) for name in d.names]


@pytest.fixture
def judge_all(run_check, edition, data, sandbox):
    """Judge a folder by every check of the (changed) edition: check -> Verdict, and the notes of discovery."""

    def judge(folder, changes=None, photographs=None):
        asked, against = edition, resolve_data(edition, photographs) if photographs else data
        if changes:
            raw = edition.model_dump(by_alias=True)
            for table, values in changes.items():
                raw[table] = raw[table] | values
            asked = Edition.model_validate(raw)
        with Readers(sandbox, folder) as readers:
            submission = Submission(folder, hints(asked, against), readers)
            live = Live(sandbox, submission.folder, submission.table("adapters"))
            evidence = Evidence(submission, against, asked, live=live)
            found = {}
            for check in asked.points_of:
                try:
                    found[check] = Verdict(run_check(check, evidence))
                except Missing as missing:
                    found[check] = Verdict(missing=missing)
            return found, " ".join(submission.notes)

    return judge


@pytest.fixture(scope="session")
def marked(run_check, edition, data, sandbox, soon):
    """Judge a folder by some checks, in their order: check -> its record, with points."""

    def judge(folder, checks):
        session = Session(edition)
        with Readers(sandbox, folder) as readers:
            evidence = Evidence(Submission(folder, hints(edition, data), readers), data, edition)
            soon(evidence)
            for name in checks:
                try:
                    found = run_check(name, evidence)
                except Missing as missing:
                    session.not_run(name, name, missing)
                else:
                    marks = {m.name: m.kwargs for m in run_check.functions[name].pytestmark}
                    partial = bool(marks["in4310_requirement"].get("partial"))
                    session.decided(name, name, found, partial, 0.0)
        return session.checks

    return judge
