"""The commands of a report: the right checks, safe in a shell, and true."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from in4310.judging.edition import checks_folder, load_edition, stock_editions
from in4310.judging.order import Order
from in4310.judging.verdict import Check, Given, Outcome, Requirement, Results
from in4310.reporting.reproduce import check_again, judge_again, selection


def of_edition(name: str, **more: object) -> Results:
    edition = load_edition(name)
    requirements = [
        Requirement(id=r.id, title=r.title, text=r.text, checks=[
            Check(name=c, title=c, outcome=Outcome.PASSED, points=1, max_points=1, reason="") for c in r.checks
        ])
        for r in edition.requirements
    ]  # fmt: skip
    given = {"name": "x", "submission": "x", "submission_digest": "", "edition": name, "edition_title": "",
             "isolation": "", "made_at": "", "requirements": requirements}  # fmt: skip
    return Results(**(given | more))


@pytest.fixture
def stand_ins(pytester: pytest.Pytester) -> pytest.Pytester:
    """Tests with the names of all checks, in files with the names of theirs, in no time."""
    folder = pytester.mkdir("stand_ins_of_checks")  # a name of its own: modules of the checks may be loaded
    for file in checks_folder().glob("test_*.py"):
        tests = re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
        (folder / file.name).write_text("\n".join(f"def {test}(): pass" for test in tests))
    return pytester


def test_each_selection_picks_its_checks_and_no_other(stand_ins: pytest.Pytester) -> None:
    results = of_edition("2026")
    every = [c.name for r in results.requirements for c in r.checks]
    wanted = [[c.name for c in r.checks] for r in results.requirements]
    # One by one where a name is part of another's; for the others their requirement's selection is proof enough.
    wanted += [[name] for name in every if any(name != other and name in other for other in every)]
    assert len(wanted) > len(results.requirements), "this edition has no such name: look for one"
    for checks in wanted:
        found = stand_ins.runpytest_inprocess(
            "--collect-only",
            "-q",
            "--import-mode=importlib",
            "-p",
            "no:in4310",
            "-k",
            selection(results, checks),
        )
        names = [line.rpartition("::test_")[2] for line in found.outlines if "::test_" in line]
        assert sorted(set(names) & set(every)) == sorted(checks)


def test_a_selection_names_what_it_must_not_find() -> None:
    for name in stock_editions():
        results = of_edition(name)
        every = {c.name for r in results.requirements for c in r.checks}
        for check in every:
            _, *taken_out = selection(results, [check]).split(" and not ")
            assert {n for n in every if check in n} - set(taken_out) == {check}


GIVEN = Given(
    submission="it's; rm -rf $HOME/`x`.zip",
    edition="my 2027.toml",
    data="/data/a b",
    full=True,
    trusted=True,
    rehearsal=False,
)


def test_the_words_are_what_a_shell_reads() -> None:
    results = of_edition("demo", given=GIVEN)
    assert shlex.split(" ".join(judge_again(results))) == [
        "in4310", "check", GIVEN.submission, "--edition", "my 2027.toml", "--data", "/data/a b", "--full",
        "--trust-submissions", "--no-rehearsal",
    ]  # fmt: skip
    words = shlex.split(" ".join(check_again(results, ["split_seed"])))
    assert words[:3] == ["pytest", "--submission", GIVEN.submission]
    assert words[-2:] == ["-k", "split_seed"]


def test_a_path_that_cannot_be_shown_is_left_to_the_reader() -> None:
    odd = Given.of(Order("a\u202eb\n.zip", "demo", data="\udce8"))
    assert Results.model_validate_json(of_edition("demo", given=odd).model_dump_json())
    words = judge_again(of_edition("demo", given=odd))
    assert words == ["in4310", "check", "SUBMISSION", "--edition", "demo", "--data", "DATA"]


def test_a_record_of_before_there_were_options_names_what_it_knows() -> None:
    assert judge_again(of_edition("demo", submission="a/b.zip")) == [
        "in4310",
        "check",
        "a/b.zip",
        "--edition",
        "demo",
    ]


@pytest.mark.slow
def test_the_command_in_a_page_runs_that_check(reference: Path, tmp_path: Path) -> None:
    """From the page of a real run to a shell: the check that failed there fails again, alone."""
    from in4310.runner import judge_submission

    hand_in = tmp_path / "o'hara 1"
    shutil.copytree(reference, hand_in)
    (hand_in / "metrics.json").write_text(
        (hand_in / "metrics.json").read_text().replace('"accuracy": 0.', '"accuracy": 0.1')
    )
    judge_submission(hand_in, "demo", report=tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    card = page[page.index('id="c-metrics-accuracy"') :]
    command = html.unescape(re.sub(r"<[^>]+>", "", re.search(r"<code>(.*?)</code><button", card)[1]))
    assert command.startswith("pytest --submission")
    tool = Path(sys.executable).with_name("pytest")
    run = subprocess.run(
        command.replace("pytest", shlex.quote(str(tool)), 1), shell=True, cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "200", "IN4310_DATA": "/nowhere"}, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert re.search(r"1 failed, \d+ deselected", run.stdout), run.stdout
    assert "FAILED" in run.stdout
    assert "test_metrics_accuracy" in run.stdout
