"""The page of a rehearsal: mistakes with their lines, what stopped a program, the timeline; texts of the hand-in as text."""

import json

import pytest
from click.testing import CliRunner
from rehearsal.records import STOPPED, rehearsal

from in4310.cli import cli
from in4310.reporting.rehearsal_page import rehearsal_page


def test_mistakes_and_what_stopped_it_are_told_with_their_lines():
    page = rehearsal_page(rehearsal([STOPPED], status=1), "kari")
    assert "<code>train.py:12</code> The test loader is shuffled" in page
    assert "Give the test loader shuffle=False." in page
    assert "stopped at train.py:41: FileNotFoundError" in page
    assert "0 of 1 program ran to its end" in page
    assert "<dt>validation</dt><dd>2 images</dd>" in page


def test_the_timeline_has_each_line_with_its_stage():
    page = rehearsal_page(rehearsal(), "kari")
    row = '<code>train.py:20</code></th><td role="cell" data-label="Stage">training</td>'
    assert row in page
    assert "ResNet computes batches 3 x 24 x 24 in training mode, with gradients" in page
    assert "Ran to its end." in page


def test_texts_of_the_program_are_text():
    hostile = {"kind": "written", "at": "<script>alert(1)</script>:1", "file": "<img src=x>", "type": "text"}
    page = rehearsal_page(rehearsal([hostile, STOPPED], status=1, file="<b>.py"), "<i>name</i>")
    assert "<script>" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_nothing_wrong_and_nothing_at_all_are_said():
    seen = rehearsal()
    seen.mistakes.clear()
    assert "Nothing known to be wrong was seen" in rehearsal_page(seen, "kari")
    seen.programs.clear()
    assert "No program was found" in rehearsal_page(seen, "kari")


def test_in_norwegian():
    page = rehearsal_page(rehearsal([STOPPED], status=1), "kari", "nb")
    assert '<html lang="nb">' in page
    assert "1 feil ble sett mens programmene kjørte" in page
    assert "Dataloaderen for testsettet stokker" in page
    assert "Hvor" in page


@pytest.mark.slow
def test_the_command_writes_both(tmp_path, sandbox):
    """Where namespaces hold, a page and its data; else a line that says why not."""
    (tmp_path / "in").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    (tmp_path / "in" / "main.py").write_text("print(missing)\n")
    out = tmp_path / "report"
    done = CliRunner().invoke(cli, ["rehearse", str(tmp_path / "in"), "--report", str(out)])
    if not sandbox.tier.namespaces:
        assert done.exit_code == 2
        return
    assert done.exit_code == 1
    told = json.loads((out / "rehearsal.json").read_text())
    assert [p["status"] for p in told["programs"]] == [1]
    assert "NameError" in (out / "rehearsal.html").read_text()
