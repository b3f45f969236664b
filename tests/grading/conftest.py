"""Records of verdicts made by hand, and engines that judge in no time: the queue is tested here, not the judge."""

import json
import os
from pathlib import Path

import pytest

from in4310.errors import InputError
from in4310.grading.work import Done
from in4310.judging.verdict import Check, Outcome, Requirement, Results


def make_results(points=6.0, name="kari", edition="demo", mistake=""):
    check = Check(name="split_sizes", title="The sets have the sizes asked for.", points=points, max_points=8.0,
                  outcome=Outcome.PASSED if points == 8 else Outcome.FAILED, reason="images in the test set: 210",
                  mistake=mistake)  # fmt: skip
    other = Check(
        name="metrics_map",
        title="mAP is right.",
        outcome=Outcome.PASSED,
        points=2.0,
        max_points=2.0,
        reason="",
    )
    requirements = [
        Requirement(id="1a", title="Split", text="Split it.", checks=[check]),
        Requirement(id="1e", title="Metrics", text="Evaluate it.", checks=[other]),
    ]
    return Results(
        name=name, submission=f"/x/{name}", submission_digest="d" * 64, edition=edition, edition_title="Demo",
        isolation="", requirements=requirements, made_at="2026-11-23T12:00:00+00:00", seconds=2.0,
        facts={"Test accuracy, recomputed": "0.9289 (95 %: 0.886 to 0.956)"},
    )  # fmt: skip


def judge_by_file(job):
    """Judges a submission by what its file points.json says: points, or an error."""
    said = json.loads((Path(job.order.submission) / "points.json").read_text())
    if said == "broken":
        return Done(job, error="not gradable: it is empty")
    report = Path(job.order.report)
    report.mkdir(parents=True)
    (report / "index.html").write_text(f"report of {job.who}")
    return Done(job, make_results(said, job.who).model_dump_json(), seconds=0.1, memory=1000)


class InProcess:
    """An engine that judges one after the other, here; `stop_after` cuts it off as a kill would."""

    def __init__(self, stop_after=None, judge=judge_by_file):
        self.stop_after, self.judge = stop_after, judge
        self.judged = []

    def carry_out(self, jobs, watch):
        for job in jobs:
            if self.stop_after is not None and len(self.judged) >= self.stop_after:
                raise KeyboardInterrupt
            watch([job])
            try:
                done = self.judge(job)
            except InputError as error:
                done = Done(job, error=str(error))
            self.judged.append(job.who)
            yield done


@pytest.fixture
def results():
    return make_results


@pytest.fixture
def engine():
    return InProcess


@pytest.fixture
def hand_in(tmp_path):
    """Make a class folder: hand_in(kari=8, ola=3, per='broken')."""

    def make(**points):
        for who, said in points.items():
            place = tmp_path / "class" / who
            place.mkdir(parents=True, exist_ok=True)
            (place / "points.json").write_text(json.dumps(said))
        return tmp_path / "class"

    return make


SBATCH = """#!/bin/sh
# Stands for Slurm: runs the job script at once, on this machine, and prints a number as sbatch does.
cp "$1" "$0.$$.sh"
setsid sh "$0.$$.sh" > "$0.$$.log" 2>&1 < /dev/null &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do kill -- "-$job" 2> /dev/null; done
exit 0
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of commands that stand for Slurm's, which are found first."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue: pip install 'in4310[slurm]'")
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    with dask.config.set({"jobqueue.slurm.interface": None, "distributed.scheduler.dashboard.link": ""}):
        yield commands
