"""The commands on a class, as a teaching assistant types them."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner

from in4310.cli import cli
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Status
from in4310.grading.write import write_class


@pytest.fixture
def graded(tmp_path, hand_in, engine):
    out = tmp_path / "out"
    marks = grade(Order(hand_in(kari=8, ola=3, per="broken"), "demo", out), engine())
    write_class(marks, out, "Mandatory 1")
    return out


def run(*arguments):
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_marking_by_hand_is_kept_and_explained(graded, tmp_path):
    assert (
        run("mark", "ola", "1a", "--points", 7, "--comment", "fair", "--by", "anne", "--out", graded)[0] == 0
    )
    code, text = run("explain", "ola", "1a", "--out", graded)
    assert code == 0
    assert "anne, 1a: 7 points; fair" in text
    table = tmp_path / "marks.csv"
    table.write_text("who,requirement,points,comment\nkari,1e,1,late\nnobody,1e,1,\n")
    code, text = run("mark", "--csv", table, "--out", graded)
    assert code == 2
    assert "'nobody' is none of the 3 students" in text
    with Gradebook(graded / GRADEBOOK) as book:
        assert book.overrides("kari") == ()  # all are looked at before one is kept
    table.write_text("who,requirement,points,comment\nkari,1e,1,late\n")
    assert run("mark", "--csv", table, "--out", graded)[0] == 0
    with Gradebook(graded / GRADEBOOK) as book:
        assert [m.points for m in book.marks()] == [9.0, 9.0, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mark", "kari"), "nothing to say"),
        (("mark",), "give a student, or a table"),
        (("mark", "siv", "--points", 1), "none of the 3"),
        (("explain", "siv", "1a"), "has no verdict"),
    ],
)
def test_what_makes_no_sense_is_one_line(graded, arguments, message):
    code, text = run(*arguments, "--out", graded)
    assert code == 2
    assert message in text
    assert len(text.strip().splitlines()) == 1


def test_commands_without_a_gradebook(tmp_path):
    for arguments in (("mark", "kari", "--points", 1), ("explain", "kari", "1a")):
        code, text = run(*arguments, "--out", tmp_path / "none")
        assert (code, "expected a gradebook, found nothing" in text) == (2, True)
        assert not (tmp_path / "none").exists()
    assert run("grade", tmp_path / "none", "--out", tmp_path / "x", "--quiet")[0] == 2


def test_two_gradings_are_compared(graded, tmp_path):
    assert run("compare", graded, graded) == (0, "no mark differs\n")
    other = tmp_path / "other"
    shutil.copytree(graded, other)
    run("mark", "ola", "--points", 1, "--by", "anne", "--out", other)
    code, text = run("compare", graded, other)
    assert code == 1
    assert "ola" in text
    assert "a teacher's word" in text


def test_what_is_handed_back_tells_nothing_of_the_others(graded):
    with zipfile.ZipFile(graded / "feedback" / "ola.zip") as bundle:
        contents = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert contents["index.html"] == "report of ola"
    assert "5 of 10 points" in contents["marks.txt"]
    assert not any("kari" in text for text in contents.values())
    with zipfile.ZipFile(graded / "feedback" / "per.zip") as bundle:
        assert bundle.namelist() == ["marks.txt"], "there is no report"
        said = bundle.read("marks.txt").decode()
    assert said.startswith("per\nNot judged: not gradable: it is empty\nWhat to do: hand in again")


def test_exports_are_written(graded):
    names = {
        p.relative_to(graded / "exports").as_posix() for p in (graded / "exports").rglob("*") if p.is_file()
    }
    assert {"canvas.csv", "moodle.csv", "junit.xml", "gradebook.json", "gradebook.schema.json"} <= names
    assert "gradescope/kari/results.json" in names
    with (graded / "exports" / "canvas.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {r["SIS Login ID"]: r["Mandatory 1"] for r in rows[1:]} == {"kari": "10", "ola": "5", "per": ""}


def test_the_process_that_grades_a_class_leaves_torch_to_those_that_judge():
    """It only waits for them: else each start, also where nothing is left to judge, took three seconds more."""
    code = (
        "import sys; from in4310.grading import engines, grade, screen, write\n"
        "print({'torch', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


# -- with the judge itself -----------------------------------------------------------------------------


@pytest.fixture
def real_class(reference, tmp_path):
    place = tmp_path / "class"
    shutil.copytree(reference, place / "bo")
    for who in ("ada", "eva"):  # of a network is enough in one
        shutil.copytree(reference, place / who, ignore=shutil.ignore_patterns("*.pth"))
    (place / "eva" / "scores_test.npy").unlink()
    (place / "per.zip").write_bytes(b"PK\x03\x04 broken")
    (place / "siv").mkdir()
    return place


def command(place, out):
    return [sys.executable, "-m", "in4310", "grade", str(place), "--edition", "demo", "--out", str(out), "--jobs", "2", "--quiet"]  # fmt: skip


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_nothing_is_lost_or_doubled(real_class, tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    done = subprocess.run(command(real_class, straight), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for verdicts in (0, 1, 2):
        process = subprocess.Popen(
            command(real_class, broken),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while count(broken) < verdicts + 1:
            try:
                process.wait(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command(real_class, broken), capture_output=True, check=False).returncode == 1
    with Gradebook(straight / GRADEBOOK) as one, Gradebook(broken / GRADEBOOK) as other:
        told = [[(m.who, m.status, m.points, m.error) for m in book.marks()] for book in (one, other)]
        assert told[0] == told[1]
        assert {who: points for who, _, points, _ in told[0]} == {
            "ada": told[0][0][2],
            "bo": 110,
            "eva": told[0][2][2],
            "per": None,
            "siv": 0,
        }
        assert [m.status for m in one.marks()].count(Status.FAILED) == 1
        assert len(other.verdicts()) == 5
    assert {p.name for p in (broken / "students").iterdir()} == {"ada", "bo", "eva", "siv"}
    results = json.loads((broken / "students" / "eva" / "results.json").read_text())
    assert results["submission"].endswith("eva")


def count(out):
    if not (out / GRADEBOOK).is_file():
        return 0
    try:
        with Gradebook(out / GRADEBOOK) as book:
            return len(book.verdicts())
    except Exception:  # it is being made
        return 0


@pytest.mark.parametrize(
    "command",
    [["mark", "kari", "--points", "1"], ["explain", "kari", "1a"], ["replay", "kari"], ["likeness"]],
)
def test_where_nobody_was_graded_every_later_command_says_so(tmp_path, command):
    Gradebook(tmp_path / GRADEBOOK).__exit__()
    code, text = run(*command, "--out", tmp_path)
    assert code == 2, text
    assert "nobody was graded there yet" in text
