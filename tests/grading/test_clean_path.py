"""G1: nothing of a hand-in can be imported by the judge, on any engine: the class lies in the current folder, and its students' folders are
named as the modules that the judge and its processes import."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from attacks.test_costs import ends

from in4310.grading.autograder import write_autograder
from in4310.grading.engines import DaskEngine, SlurmEngine
from in4310.grading.grade import Order, grade
from in4310.grading.marks import Status

NAMES = (
    "in4310",
    "random",
    "multiprocessing",
    "torch",
    "numpy",
    "pebble",
    "sitecustomize",
    "conftest",
    "encodings",
)
COMMAND = (
    "import sys; sys.path.pop(0); from in4310.cli import main; main()"  # as the installed command starts
)


def write_class(place, ran):
    spoilt = f"open({str(ran)!r}, 'a').write(__name__ + chr(10))\n"
    for name in NAMES:
        (place / name / "grading").mkdir(parents=True)
        for file in (
            "__init__.py",
            "__main__.py",
            "conftest.py",
            "grading/__init__.py",
            "grading/warm.py",
            "grading/work.py",
        ):
            (place / name / file).write_text(spoilt)
    return place


@pytest.mark.slow
def test_a_class_in_the_current_folder_is_graded_and_not_run(tmp_path):
    ran = tmp_path / "ran"
    place = write_class(tmp_path / "class", ran)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "grade", ".", "--out", str(tmp_path / "out"), "--jobs", "1", "--quiet"],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not ran.exists(), ran.read_text()
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert name in done.stdout


@pytest.mark.parametrize("entries", ["{x}:", ":{x}", ".:{x}", "{x}:../class", "{x}:torch/.."])
def test_an_entry_of_the_path_that_is_the_current_folder_is_dropped(entries, tmp_path):
    """PYTHONPATH may be empty at an end by accident; what it names for certain stays."""
    place = write_class(tmp_path / "class", tmp_path / "ran")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "kept.py").touch()
    says = "import kept, importlib.util as u; print([u.find_spec(n).origin for n in ('pebble', 'multiprocessing')])"
    code = (
        "from in4310.places import keep_current_folder_off_the_path as keep; keep()\n"
        f"import subprocess, sys; says = {says!r}; exec(says); sys.stdout.flush()\n"
        "subprocess.run([sys.executable, '-c', says], check=True)"
    )
    for early in (
        "in4310",
        "random",
        "multiprocessing",
        "sitecustomize",
        "encodings",
    ):  # are imported before us
        shutil.rmtree(place / early)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = entries.format(x=tmp_path / "x")
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=place, env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(place) not in done.stdout
    assert len(done.stdout.splitlines()) == 2


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A class in the current folder, and the file that is written where a student's code is run."""
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    ran = tmp_path / "ran"
    monkeypatch.chdir(write_class(tmp_path / "class", ran))
    return ran


def judged_by(engine, out):
    """The status of one whom an engine judges in the current folder; the others lie beside."""
    marks = grade(Order(".", "demo", out, only=("in4310",)), engine)
    return next(mark.status for mark in marks if mark.who == "in4310")


@pytest.mark.slow
def test_a_dask_worker_in_the_class_runs_nothing_of_it(inside, tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'in4310[dask]'")
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        assert judged_by(DaskEngine(cluster.scheduler_address), tmp_path / "out") is Status.DONE
    assert not inside.exists(), inside.read_text()


@pytest.mark.slow
def test_a_slurm_job_in_the_class_runs_nothing_of_it(inside, tmp_path, slurm):
    with ends(300, signal.ITIMER_REAL):  # a job that a student's code ends is waited for without end
        assert judged_by(SlurmEngine(1), tmp_path / "out") is Status.DONE
    assert not inside.exists(), inside.read_text()


@pytest.mark.slow
def test_an_autograder_in_the_hand_in_runs_nothing_of_it(tmp_path):
    root, ran = tmp_path / "autograder", tmp_path / "ran"
    write_autograder(root / "source", "demo")
    write_class(root / "submission", ran)
    (root / "results").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        ["bash", str(root / "source" / "run_autograder")], cwd=root / "submission", check=False, capture_output=True,
        env={**environment, "AUTOGRADER_ROOT": str(root), "IN4310_PYTHON": sys.executable}, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not ran.exists(), ran.read_text()
    assert '"score"' in (root / "results" / "results.json").read_text()
