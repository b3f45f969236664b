"""The pytest plugin as its users meet it: in a folder that has nothing to do with this repository."""

import json

# pytester forgets the modules that a run inside this process imports; these must not come into being twice.
import pytest

import in4310.judging.evidence
import in4310.reporting.write
import in4310.solution.pipeline  # noqa: F401
from in4310.runner import judge_submission

pytestmark = pytest.mark.usefixtures("in_one_child")


@pytest.fixture
def handed_in(pytester):
    """An empty submission in a folder of its own."""
    return pytester.mkdir("handed in")


def checks_of(report):
    results = json.loads((report / "results.json").read_text())
    return {check["name"]: check for r in results["requirements"] for check in r["checks"]}


def test_options_and_marker_are_in_pytests_own_help(pytester):
    shown = pytester.runpytest("--help").stdout.str()
    for option in (
        "--in4310-submission=PATH",
        "--in4310-data=PATH",
        "--in4310-edition=NAME",
        "--in4310-report=DIR",
    ):
        assert option in shown
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.in4310_requirement(id*in4310*"])


def test_a_submission_is_judged_by_the_requirements_alone(pytester, handed_in):
    pytester.makepyfile("def test_of_somebody_else(): assert False, 'must not be run'")
    result = pytester.runpytest("--submission", handed_in, "--report", "report", "--strict-markers")
    assert result.ret == pytest.ExitCode.TESTS_FAILED, "nothing handed in is not full marks"
    assert "must not be run" not in result.stdout.str()
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"skipped"}
    assert outcomes["skipped"] == len(checks_of(pytester.path / "report"))
    result.stdout.fnmatch_lines(["handed in: 0 of 110 points (demo)", "report: report/index.html"])
    assert {"index.html", "results.json", "junit.xml"} <= {
        f.name for f in (pytester.path / "report").iterdir()
    }


def test_one_check_is_chosen_with_pytests_own_option(pytester, handed_in):
    assert pytester.runpytest("--submission", handed_in, "-k", "split_sizes").parseoutcomes()["skipped"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--submission", "nowhere"),
            "nowhere: expected a submission (folder, zip or tar.gz), found nothing",
        ),
        (("--submission", "handed in", "--edition", "1999"), "1999"),
        (
            ("--submission", "handed in", "--data", "no-photographs"),
            "no-photographs: expected the data folder",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_4(pytester, handed_in, arguments, says):
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    printed = result.stdout.str() + result.stderr.str()
    assert says in printed
    assert "Traceback" not in printed


@pytest.fixture
def check_file(pytester, reference):
    """Write one check under the name of a real one, and judge the reference by it; returns result and verdict."""

    def run(body):
        marked = "import pytest\n@pytest.mark.in4310_requirement('1a')\n"
        path = pytester.makepyfile(test_own=f"{marked}def test_split_sizes(evidence, judge):\n    {body}\n")
        result = pytester.runpytest(path, "--submission", reference, "--report", "report")
        return result, checks_of(pytester.path / "report")["split_sizes"]

    return run


def test_a_check_that_looks_at_something_passes(check_file):
    result, verdict = check_file("judge.expect(1 + 1 == 2, 'the sum', 2, 2)")
    assert result.parseoutcomes() == {"passed": 1}
    assert (verdict["outcome"], verdict["points"]) == ("passed", verdict["max_points"])


def test_a_check_that_records_nothing_earns_nothing(check_file):
    result, verdict = check_file("pass")
    assert "passed" not in result.parseoutcomes()
    assert verdict["outcome"] != "passed"
    assert verdict["points"] == 0


@pytest.mark.slow
def test_a_failed_expectation_fails_the_test_without_a_traceback(check_file):
    result, verdict = check_file(
        "judge.expect(False, 'the sum', 3, 2, mistake='one too many', mend='subtract one')"
    )
    assert result.parseoutcomes() == {"failed": 1}
    assert verdict["outcome"] == "failed"
    assert "one too many" in result.stdout.str()
    assert "judge.expect" not in result.stdout.str()


@pytest.mark.slow
def test_an_error_of_the_judge_is_called_that(check_file):
    result, verdict = check_file("judge.expect(True, 'the sum', 2, 2); raise RuntimeError('our own fault')")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdict["outcome"] == "not run"
    assert "RuntimeError: our own fault" in verdict["reason"]
    assert verdict["points"] == 0


@pytest.mark.slow
def test_neither_pytest_files_nor_the_environment_change_what_in4310_check_does(
    pytester, handed_in, monkeypatch
):
    """Files that configure pytest, in the working folder and in the submission, and variables that add options."""
    for folder in (pytester.path, handed_in):
        (folder / "pytest.ini").write_text("[pytest]\naddopts = -k nothing_at_all --collect-only\n")
        (folder / "pyproject.toml").write_text(
            '[tool.pytest.ini_options]\naddopts = "--deselect everything"\n'
        )
        (folder / "conftest.py").write_text("raise SystemExit('executed')\n")
        (folder / "sitecustomize.py").write_text("raise SystemExit('executed')\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing_at_all")
    monkeypatch.setenv("PYTEST_PLUGINS", "conftest")
    results = judge_submission(handed_in, "demo")
    assert results.points == 0
    assert {c.outcome for r in results.requirements for c in r.checks} == {"not run"}
    assert sum(len(r.checks) for r in results.requirements) == 39


@pytest.mark.slow
def test_a_secret_that_could_be_guessed_is_said_by_pytest_too(pytester, handed_in, monkeypatch):
    monkeypatch.setenv("IN4310_SECRET", "in4310")
    result = pytester.runpytest_subprocess("--submission", handed_in, "-k", "split_sizes")
    result.stderr.fnmatch_lines(["IN4310_SECRET could be guessed*"])
