"""A cluster gives the marks that one machine gives, also when a worker is lost in the middle."""

import os
import shutil
import signal

import pytest

from in4310.errors import InputError
from in4310.grading.engines import DaskEngine, LocalEngine, SlurmEngine
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Status
from in4310.grading.work import Job, judge_apart
from in4310.judging.order import Order as Judging

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'in4310[dask]'")


def test_no_scheduler_is_one_line():
    with pytest.raises(InputError, match="no Dask scheduler answers there"):
        DaskEngine("not an address")


@pytest.mark.slow
def test_a_job_that_cannot_be_judged_is_told_from_one_that_takes_too_long(tmp_path):
    order = Judging(tmp_path / "none", "demo", tmp_path / "report")
    job = Job("kari", 1, "", order, secret="s" * 32)
    assert "found nothing" in judge_apart(job, 120).error
    assert judge_apart(job, 0.01).error == "judging took longer than 0 seconds and was ended"


def test_no_slurm_is_one_line(monkeypatch, tmp_path):
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue: pip install 'in4310[slurm]'")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="expected Slurm's command sbatch"):
        SlurmEngine()


@pytest.mark.slow
def test_slurm_jobs_judge_a_class(tmp_path, slurm):
    place = tmp_path / "class"
    for who in ("ada", "bo", "eva"):
        (place / who).mkdir(parents=True)
        (place / who / "metrics.json").write_text('{"test": {"accuracy": 0.9}}')
    far = grade(Order(place, "demo", tmp_path / "far"), SlurmEngine(2))
    near = grade(Order(place, "demo", tmp_path / "near"), LocalEngine(1))
    assert [(m.who, m.status, m.points, m.error) for m in far] == [
        (m.who, m.status, m.points, m.error) for m in near
    ]
    assert {m.status for m in far} == {Status.DONE}
    assert len(list(slurm.glob("sbatch.*.sh"))) >= 2
    assert "#SBATCH --mem" in next(iter(slurm.glob("sbatch.*.sh"))).read_text()


@pytest.mark.slow
def test_a_cluster_of_two_gives_the_same_marks_and_survives_the_loss_of_a_worker(reference, tmp_path):
    place = tmp_path / "class"
    shutil.copytree(reference, place / "kim")
    for who in ("ada", "bo", "eva"):  # of a network is enough in one
        shutil.copytree(reference, place / who, ignore=shutil.ignore_patterns("*.pth"))
    (place / "eva" / "metrics.json").unlink()
    (place / "per.zip").write_bytes(b"PK\x03\x04 broken")
    local = grade(Order(place, "demo", tmp_path / "local"), LocalEngine(2))
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster:
        killed = []

        def lose_one(state):
            if len(state.done) == 1 and not killed:
                worker = next(iter(cluster.workers.values()))
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)

        far = grade(Order(place, "demo", tmp_path / "far"), DaskEngine(cluster.scheduler_address), lose_one)
    assert killed
    assert [(m.who, m.status, m.points, m.error) for m in far] == [
        (m.who, m.status, m.points, m.error) for m in local
    ]
    assert {m.who: m.points for m in far}["kim"] == 110
    with Gradebook(tmp_path / "far" / GRADEBOOK) as book:
        assert len(book.verdicts()) == 5
    assert {p.name for p in (tmp_path / "far" / "students").iterdir()} == {"ada", "bo", "eva", "kim"}
