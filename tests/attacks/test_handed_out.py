"""What others get of a class: no path of the judge's machine, no seed of a sample, and nobody else's to read before."""

import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from in4310.cli import cli
from in4310.grading.autograder import write_autograder
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.write import write_class
from in4310.judging.verdict import Audit, Results
from in4310.places import cache_folder, placeless
from in4310.reporting.write import write_report

PROGRAM = Path(__file__).with_name("grade_program.py")
TELLS = """
import os, sys, tempfile
def tell(*arguments, **more):
    raise ValueError(f"{__file__} {os.getcwd()} {sys.prefix}/lib {sys.executable} {tempfile.gettempdir()} {os.__file__}")
"""
ADAPTERS = (
    "split",
    "overlap",
    "train_loader",
    "transform",
    "train",
    "metrics",
    "rank",
    "compare",
    "non_positive",
    "spectrum",
)


HAND_INS = {
    "kari": {"submission.toml": "[adapters]\n" + "".join(f"{a} = 'oblig1:tell'\n" for a in ADAPTERS), "oblig1.py": TELLS},
    "ola": {"submission.toml": "= no TOML", "scores_test.npy": "none"},
    "per": {"split/test.csv": "path\n" + "".join(f"x/{i}.jpg\n" for i in range(50)), "model.pth": "damaged",
            "metrics.json": "{", "run.ipynb": "{}", "history.csv": "\0"},
}  # fmt: skip
USERS = pytest.mark.parametrize("user", ["root", "ordinary"])


@pytest.fixture(scope="module")
def graded_by(run_as):
    """A class, graded by the command as 'root' (whoever we are) or as an 'ordinary' user: its folder, with what was written."""
    made = {}

    def grade(user):
        if user in made:
            return made[user]
        home = Path(tempfile.mkdtemp(prefix="in4310-course-"))  # where an ordinary user may enter
        made[user] = home
        for drawn in (*cache_folder().glob("embedded-*"), *cache_folder().glob("shapes-*")):
            shutil.copytree(drawn, home / ".cache" / drawn.name)
        for place in (home, home / ".cache"):
            place.mkdir(exist_ok=True)
            place.chmod(0o777)
        for who, files in HAND_INS.items():
            for name, text in files.items():
                path = home / "class" / who / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        with zipfile.ZipFile(home / "class" / "siv.zip", "w") as archive:
            archive.writestr("model.pth", b"damaged")
            archive.writestr("scores_test.npy", b"damaged")
        (home / "class" / "une.zip").write_bytes(b"PK is no archive")
        os.mkfifo(home / "class" / "pipe")
        euid, code = run_as(user, PROGRAM, home, seconds=600)
        assert (euid == 0) <= (user == "root")
        assert code in (0, 1)
        return home

    yield grade
    for home in made.values():
        shutil.rmtree(home)


@pytest.fixture
def graded(graded_by):
    return graded_by("root")


def texts(folder):
    """Every file below a folder, and those in archives: (name, text)."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (GRADEBOOK, ".lock")):
        yield path, path.read_text(encoding="utf-8", errors="replace")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield path / name, name + archive.read(name).decode(errors="replace")


def told_of(home, text):
    """Places of the judge's machine that a text names."""
    places = [home, home.parent, tempfile.gettempdir() + "/in4310", Path.home() / ".", sys.prefix, sys.base_prefix,
              cache_folder(), Path(write_class.__code__.co_filename).parents[2]]  # fmt: skip
    return [str(place) for place in places if f"{place}/" in text]


@pytest.mark.slow
@USERS
def test_no_path_of_the_judges_machine_is_in_what_is_written(user, graded_by):
    graded = graded_by(user)
    found = [(path, told_of(graded, text)) for path, text in texts(graded / "out")]
    assert [(path, places) for path, places in found if places] == []
    assert len(list((graded / "out" / "feedback").glob("*.zip"))) == 5
    record = json.loads((graded / "out" / "students" / "kari" / "results.json").read_text())
    assert (record["submission"], record["given"]["submission"]) == ("kari", "kari")


@pytest.mark.slow
def test_no_path_of_the_judges_machine_is_in_what_is_said_of_a_mark(graded, tmp_path):
    """A teacher quotes it to the student; what is judged again fails in the same words."""
    out = shutil.copytree(graded / "out", tmp_path / "out")
    for who in ("kari", "ola", "per", "siv", "une"):
        for command in (["mark", who, "--comment", "see me"], ["explain", who, "1h"], ["replay", who]):
            done = CliRunner().invoke(cli, [*command, "--out", str(out)])
            assert (done.exit_code, told_of(graded, done.output)) == (0, []), done.output
    done = CliRunner().invoke(cli, ["likeness", "--quiet", "--out", str(out)])
    page = (out / "likeness.html").read_text()
    assert "une.zip: " in page
    assert told_of(graded, page) == []


@pytest.mark.slow
def test_no_path_of_the_machine_is_in_what_an_autograder_says(tmp_path, monkeypatch):
    """Of each hand-in, and of settings that cannot be read."""
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # the command sets it, here in our own process
    root = tmp_path / "gradescope" / "autograder"
    write_autograder(root / "source", "demo")
    hand_ins = {
        "live.py": {
            "submission.toml": "[adapters]\n" + "".join(f"{a} = 'live:tell'\n" for a in ADAPTERS),
            "live.py": TELLS,
        },
        "no TOML": {"submission.toml": "= no TOML"},
        "no archive": {"oblig.zip": "PK is no archive"},
        "no settings": {"metrics.json": "{"},
    }
    for kind, files in hand_ins.items():
        for folder in ("submission", "results"):
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
        for name, text in files.items():
            (root / "submission" / name).write_text(text)
        if kind == "no settings":
            (root / "source" / "in4310.json").unlink()
        done = CliRunner().invoke(cli, ["autograder", "run", str(root)])
        said = (root / "results" / "results.json").read_text()
        assert json.loads(said)["tests"], kind
        assert told_of(tmp_path, done.output + said) == [], kind


@pytest.mark.slow
@USERS
def test_permissions_do_not_depend_on_the_umask(user, graded_by):
    graded = graded_by(user)
    modes = {
        p: stat.S_IMODE(p.stat().st_mode)
        for p in (graded / "out").rglob("*")
        if p.is_file() and p.name != ".lock"
    }
    handed = ("students", "feedback", "gradescope")
    assert {
        p for p, mode in modes.items() if mode != (0o644 if set(p.parts) & set(handed) else 0o600)
    } == set()
    assert len(modes) > 15


@pytest.mark.slow
def test_the_seed_of_the_sample_is_in_the_gradebook_alone(graded, tmp_path):
    """The teacher's record of it stays; reports in another language are written from that record."""
    seed = "5eed" * 16
    with Gradebook(graded / "out" / GRADEBOOK) as book:
        marks = [m for m in book.marks() if m.results]
        assert len(book.meta("secret")) == 32
        secret = book.meta("secret")
    audit = Audit(rows={"test": 128}, of={"test": 3000}, seed=seed, replayable=True, statement="128 of 3000")
    marks = [replace(m, results=m.results.model_copy(update={"audit": audit})) for m in marks]
    for mark in marks:
        write_report(mark.results, tmp_path / "students" / mark.who, {})
    write_class(marks, tmp_path, "Mandatory 1", "nb")
    assert "128 of 3000" in (tmp_path / "students" / "kari" / "results.json").read_text()
    for path, text in (*texts(tmp_path), *texts(graded / "out")):
        assert seed not in text, path
        assert secret not in text, path


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_a_report_is_written_with_permissions_of_its_own(umask, tmp_path):
    results = Results(
        name="x",
        edition="demo",
        edition_title="",
        isolation="",
        made_at="",
        submission="",
        submission_digest="",
    )
    (tmp_path / "report").mkdir()
    before = os.umask(umask)
    try:
        write_report(results, tmp_path / "report", {})
    finally:
        os.umask(before)
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "report").iterdir()} == {0o644}


PARTS = st.lists(
    st.sampled_from(["srv", "class 1", "kari.zip", "in4310", "æ", "a.b", "-x"]), min_size=2, max_size=4
)


@given(
    PARTS,
    st.sampled_from(["", "/x/y.npy", ": no archive", "'", ", and more"]),
    st.sampled_from(["", "in '", "x=", " "]),
)
def test_given_paths_are_said_by_their_last_part(parts, after, before):
    place = "/" + "/".join(parts)
    said = placeless(f"{before}{place}{after}", place)
    assert said == f"{before}{parts[-1]}{after}"
    assert placeless(said, place) == said
    assert placeless(f"{before}{place}x{after}", place) != f"{before}{parts[-1]}x{after}"


def test_a_given_path_is_said_alike_wherever_it_lies():
    """A class in an archive is unpacked beside its reports, and for a replay in a temporary folder."""
    lies = (
        f"{tempfile.gettempdir()}/in4310-replay-a_b1/oblig 1/ola",
        f"{tempfile.gettempdir()}/in4310-x/submission/ola",
        "/srv/reports/.class/ola",
    )
    assert {placeless(f"{lie}/submission.toml: no TOML", lie) for lie in lies} == {
        "ola/submission.toml: no TOML"
    }
