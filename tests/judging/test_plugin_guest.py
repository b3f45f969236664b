"""The plugin as a guest: in projects that have nothing to do with it, beside other plugins, in parts of a run."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from sampled import sampled

# pytester forgets the modules that a run inside this process imports; these must not come into being twice.
import in4310.judging.attachments
import in4310.judging.evidence
import in4310.judging.exhibits
import in4310.reporting.write
import in4310.solution.pipeline  # noqa: F401
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.solution.splits import stratified_split

pytestmark = pytest.mark.usefixtures("in_one_child")
SHORT = ("submission", "data", "edition", "full", "no-rehearsal", "trust-submissions", "report", "language")
GUESTS = (
    "xdist",
    "pytest_randomly",
    "pytest_rerunfailures",
    "pytest_html",
    "pytest_jsonreport",
    "pytest_cov",
    "allure_pytest",
)
BESIDE = (
    "-n2",
    "--randomly-seed=1",
    "--reruns=1",
    "--html=a.html",
    "--json-report",
    "--cov=.",
    "--alluredir=allure",
)
STRANGERS = """
import pytest

@pytest.mark.requirement("1a")
def test_split_sizes(judge, edition, evidence):
    assert (judge, edition, evidence) == ("their judge", "their edition", "their evidence")

def test_fails():
    assert False

@pytest.mark.requirement
def test_of_no_name(): pass
"""
THEIR_FIXTURES = """
import pytest

@pytest.fixture
def judge(): return "their judge"
@pytest.fixture(scope="session")
def edition(): return "their edition"
@pytest.fixture
def evidence(judge): return "their evidence"
"""
THEIR_OPTIONS = "def pytest_addoption(parser):\n" + "".join(
    f"    parser.addoption('--{name}', default='unset')\n" for name in SHORT
)


@pytest.fixture
def handed_in(pytester):
    return pytester.mkdir("handed in")


@pytest.fixture
def stranger(pytester):
    """A project that uses the words that checks use."""
    pytester.makeini("[pytest]\nmarkers = requirement: a requirement of theirs\naddopts = --strict-markers\n")
    pytester.makeconftest(THEIR_OPTIONS + THEIR_FIXTURES)
    pytester.makepyfile(test_theirs=STRANGERS)
    return pytester


def record(folder):
    return json.loads((folder / "results.json").read_text())


def verdicts(folder):
    return {
        c["name"]: (c["outcome"], c["points"]) for r in record(folder)["requirements"] for c in r["checks"]
    }


@pytest.mark.parametrize("without", [("-p", "no:in4310"), ()])
def test_a_project_with_the_same_marker_fixtures_and_options_runs_as_without_us(stranger, without):
    result = stranger.runpytest(*without, "--data=d", "--report", "r", "--language=la", "--full=x", "-rA")
    result.assert_outcomes(passed=2, failed=1)
    assert "in4310 ==" not in result.stdout.str()
    assert not (stranger.path / "r").exists()


def test_options_of_a_plugin_that_comes_before_or_after_are_its_own(pytester, handed_in, monkeypatch):
    monkeypatch.delenv("IN4310_DATA", raising=False)
    pytester.makepyfile(early=THEIR_OPTIONS, late=THEIR_OPTIONS.replace("'--", "'--x"))
    pytester.makepyfile(
        test_it="def test_it(pytestconfig): assert pytestconfig.getoption('--data') == 'theirs'"
    )
    pytester.syspathinsert()
    pytester.runpytest("-p", "early", "--data", "theirs").assert_outcomes(passed=1)
    pytester.makeconftest("pytest_plugins = ['early']")
    pytester.runpytest("--data", "theirs").assert_outcomes(passed=1)
    judged = pytester.runpytest(
        "--in4310-submission", handed_in, "--in4310-edition=2022", "-k", "split_sizes"
    )
    judged.stdout.fnmatch_lines(["*edition 2022 needs the course's photographs*"])


def test_a_name_that_nobody_has_stays_unknown(pytester):
    pytester.makepyfile("def test_it(): pass")
    assert pytester.runpytest("--submision", "x").ret == pytest.ExitCode.USAGE_ERROR


def test_nobody_sees_the_fixtures_of_checks_without_being_one(pytester):
    pytester.makepyfile("def test_it(evidence): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'evidence' not found"])
    names = pytester.runpytest("--fixtures").stdout
    names.fnmatch_lines(["in4310_results *", "in4310_report *"])
    names.no_fnmatch_line("evidence *")


@pytest.mark.parametrize("option", ["--report", "--data", "--submission", "--in4310-report"])
def test_a_folder_outside_decides_on_neither_rootdir_nor_ini_file(pytester, tmp_path_factory, option):
    outside = tmp_path_factory.mktemp("outside")
    pytester.makeini(
        "[pytest]\nmarkers = theirs: a marker\naddopts = --strict-markers -p some_plugin\ntestpaths = own\n"
    )
    pytester.makepyfile(some_plugin="def pytest_report_header(): return 'some plugin is here'")
    (pytester.path / "own").mkdir()
    (pytester.path / "own" / "test_it.py").write_text(
        "import pytest\n@pytest.mark.theirs\ndef test_it(): pass\n"
    )
    pytester.syspathinsert()
    spaced = pytester.runpytest(option, outside, "--co", "-q", "-v").stdout.lines
    joined = pytester.runpytest(f"{option}={outside}", "--co", "-q", "-v").stdout.lines

    def told(lines):
        return sorted(line for line in lines if " in " not in line)

    assert told(spaced) == told(joined)
    assert f"rootdir: {pytester.path}" in spaced
    assert "configfile: tox.ini" in spaced
    assert "some plugin is here" in spaced


@pytest.mark.slow
def test_a_part_of_the_checks_says_so_everywhere(pytester, handed_in):
    result = pytester.runpytest("--submission", handed_in, "--report", "report", "-k", "split_sizes")
    said = "A part of the checks only: 1 of 39 were run"
    assert said in result.stdout.str()
    report = pytester.path / "report"
    assert len(record(report)["left_out"]) == 38
    assert "split_sizes" not in record(report)["left_out"]
    for file in ("index.html", "junit.xml"):
        assert said in (report / file).read_text(), file


@pytest.mark.slow
def test_the_whole_says_nothing_of_parts(pytester, handed_in):
    result = pytester.runpytest("--submission", handed_in, "--report", "report")
    assert "A part of" not in result.stdout.str()
    assert record(pytester.path / "report")["left_out"] == []


@pytest.mark.parametrize(
    ("stated", "asked", "edition", "says"),
    sampled([
        ("edition = '2022'", (), "2022", "judged by the edition 2022, which submission.toml states"),
        ("edition = 2022", (), "2022", "judged by the edition 2022"),
        ("edition = '2022'", ("--edition", "2022"), "2022", ""),
        ("edition = '2022'", ("--edition", "demo"), "demo", "submission.toml states the edition 2022; it was judged by demo"),
        ("", (), "demo", ""),
    ], every=5),
)  # fmt: skip
def test_the_edition_that_a_submission_states_is_taken_where_none_is_asked(
    pytester, handed_in, monkeypatch, stated, asked, edition, says
):
    (handed_in / "submission.toml").write_text(f"[submission]\n{stated}\n")
    result = pytester.runpytest(
        "--submission", handed_in, "--report", "report", *asked, "-k", "audit_nothing or split_sizes"
    )
    if edition == "2022" and not (pytester.path / "report").exists():
        result.stdout.fnmatch_lines(["*needs the course's photographs*"])  # taken: demo has its own
        return
    found = record(pytester.path / "report")
    assert found["edition"] == edition
    assert found["edition_said"].startswith(says) if says else found["edition_said"] == ""
    assert says in result.stdout.str()


@pytest.mark.slow
def test_an_edition_of_the_submissions_own_is_not_taken(pytester, handed_in):
    (handed_in / "submission.toml").write_text("[submission]\nedition = 'mine.toml'\n")
    (handed_in / "mine.toml").write_text("")
    result = pytester.runpytest("--submission", handed_in)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "edition 'mine.toml' is none of" in result.stdout.str() + result.stderr.str()


@pytest.mark.slow
def test_points_stand_in_pytests_own_record(pytester, handed_in):
    pytester.runpytest("--submission", handed_in, "-k", "split_sizes", "--junitxml=own.xml")
    (case,) = ElementTree.parse(pytester.path / "own.xml").iter("testcase")
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties == {"requirement": "1a", "points": "0.0", "max_points": "2.0"}


def test_a_known_mistake_stands_in_pytests_own_record(pytester, handed_in):
    edition = load_edition("demo")
    labels = resolve_data(edition, None).labels
    sizes = edition.sizes(len(labels))
    sets = stratified_split(labels, sizes["test"], sizes["val"]).sets()
    (handed_in / "split").mkdir()
    for name, other in (("train", "train"), ("val", "test"), ("test", "val")):
        (handed_in / "split" / f"{name}.txt").write_text("\n".join(sets[other]))
    pytester.runpytest("--submission", handed_in, "-k", "split_sizes", "--junitxml=own.xml")
    (case,) = ElementTree.parse(pytester.path / "own.xml").iter("testcase")
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties.pop("mistake") == "validation and test are swapped"
    assert properties == {
        "requirement": "1a",
        "points": "0.67",
        "max_points": "2.0",
        "rests_on": "recomputed",
    }


OWN = """
import pytest

@pytest.mark.in4310_requirement("1a")
def test_split_sizes(judge):
    judge.expect(True, "the sum", 2, 2)

def test_more(in4310_results, in4310_report):
    assert in4310_results().points == 2
    assert in4310_report.path.name == "report"
    from matplotlib.figure import Figure
    in4310_report.figure(Figure(), "Loss of our own", alt="it falls")
    in4310_report.table("Runs & more", ["seed", "accuracy"], [[1, 0.25], [2, "<b>"]])
"""


def test_what_other_tests_attach_appears_in_the_page(pytester, handed_in):
    path = pytester.makepyfile(test_own=OWN)
    pytester.runpytest(path, "--submission", handed_in, "--report", "report").assert_outcomes(passed=2)
    page = (pytester.path / "report" / "index.html").read_text()
    assert "Loss of our own" in page
    assert 'alt="it falls"' in page
    assert "Runs &amp; more" in page
    assert "&lt;b&gt;" in page
    assert (pytester.path / "report" / "pictures" / "attached-1.png").read_bytes().startswith(b"\x89PNG")


def test_two_processes_give_the_same_marks_report_and_status(pytester, handed_in):
    pytest.importorskip("xdist", reason="needs pytest-xdist")
    results = {}
    for name, more in (("one", ()), ("two", ("-n", "2"))):
        run = pytester.runpytest("--submission", handed_in, "--report", name, *more)
        results[name] = (run.ret, run.parseoutcomes(), verdicts(pytester.path / name))
    assert results["one"] == results["two"]
    assert len(results["two"][2]) == 39


@pytest.mark.slow
def test_points_lost_in_a_process_of_xdist_are_lost(pytester, tmp_path):
    """Without --submission checks are judged beside other tests: what was not run is skipped there, yet no full marks."""
    pytest.importorskip("xdist", reason="needs pytest-xdist")
    pytester.makepyfile(test_ok="def test_ok(): pass")
    pytester.makeconftest(
        "def pytest_sessionfinish(session):\n"
        "    from in4310.plugin import RUN\n"
        "    from types import SimpleNamespace as S\n"
        "    if hasattr(session.config, 'workeroutput'):\n"
        "        session.config.stash[RUN].session = S(full_marks=False, checks={})\n"
    )
    assert pytester.runpytest("-n", "1").ret == pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def guests():
    for name in GUESTS:
        pytest.importorskip(name, reason=f"needs {', '.join(GUESTS)}: .ci/run installs them")


@pytest.mark.slow
def test_beside_the_plugins_that_many_have_marks_and_status_are_the_same(
    guests, pytester, handed_in, monkeypatch
):
    judge = ("--submission", handed_in, "--in4310-report")
    beside = pytester.runpytest_subprocess(*judge, "beside", *BESIDE)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    alone = pytester.runpytest_subprocess("-p", "in4310.plugin", *judge, "alone")
    assert (beside.ret, beside.parseoutcomes()) == (alone.ret, alone.parseoutcomes())
    assert verdicts(pytester.path / "beside") == verdicts(pytester.path / "alone")
    told = json.loads((pytester.path / ".report.json").read_text())["tests"]
    assert len(told) == 39
    assert {tuple(name for p in test["user_properties"] for name in p) for test in told} == {
        ("requirement", "points", "max_points")
    }


@pytest.mark.slow
@pytest.mark.parametrize("more", [BESIDE, ("--json-report", "--randomly-seed=1")])
def test_a_project_of_others_runs_the_same_with_and_without_us(guests, stranger, more):
    order = sorted if "-n2" in more else list  # two processes end in any order
    found = []
    for without in (("-p", "no:in4310"), ()):
        run = stranger.runpytest_subprocess(*without, *more, "--data=d", "--report", "r")
        told = json.loads((stranger.path / ".report.json").read_text())
        tests = order((test["nodeid"], test["outcome"]) for test in told["tests"])
        found.append((run.ret, run.parseoutcomes(), told["exitcode"], told["summary"], tests))
    assert found[0] == found[1]
    assert {name for name, _ in tests} == {
        f"test_theirs.py::{name}" for name in ("test_split_sizes", "test_fails", "test_of_no_name")
    }


@pytest.mark.parametrize("module", ["in4310.py", "in4310/__init__.py"])
def test_a_project_with_a_module_of_our_name_runs_as_without_us(pytester, module):
    path = pytester.path / module
    path.parent.mkdir(exist_ok=True)
    path.write_text("ours = 'their own'\nprint('their module was imported')\n")
    pytester.makepyfile("import in4310\ndef test_theirs(): assert in4310.ours == 'their own'")
    run = pytester.run(sys.executable, "-m", "pytest", "-q")  # with the current folder first on the path
    run.assert_outcomes(passed=1)
    assert "Traceback" not in run.stderr.str()
    empty = pytester.mkdir("empty")
    alone = pytester.run(sys.executable, "-m", "pytest", empty, "-q")
    assert alone.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "their module was imported" not in alone.stdout.str()


def test_a_run_that_judges_nothing_imports_nothing_heavy():
    code = "import sys, in4310.plugin; print(*{'torch', 'numpy', 'pydantic', 'jinja2', 'rich', 'click'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "\n"
    )
