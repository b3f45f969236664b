"""What a worker gives back: a verdict, or that there is none and whether the submission is the reason."""

import errno
import os
import select
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from in4310.errors import InputError, NotJudged, of_the_machine
from in4310.grading.work import DIED, KILLED, Job, digest_of, judge, judge_apart
from in4310.judging.order import Order
from in4310.submission.reading import Readers
from in4310.submission.sandbox import worker
from in4310.submission.sandbox.zygote import children_of


@pytest.fixture
def job(tmp_path):
    place = tmp_path / "kari"
    place.mkdir()
    (place / "metrics.json").write_text('{"test": {"accuracy": 0.9}}')
    return Job("kari", 1, digest_of(place), Order(place, "demo", tmp_path / "report"), secret="s" * 32)


def test_a_verdict_has_its_report(job):
    done = judge(job)
    assert (done.error, done.again) == ("", False)
    assert (Path(job.order.report) / "index.html").is_file()


def test_a_report_that_cannot_be_written_is_not_the_students_fault(job, tmp_path):
    (tmp_path / "file").write_text("a file where a folder should be")
    done = judge(replace(job, order=replace(job.order, report=str(tmp_path / "file" / "report"))))
    assert done.again
    assert "cannot be" in done.error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EMFILE, "Too many open files"), MemoryError("x")])  # fmt: skip
def test_what_the_machine_lacks_is_not_the_students_fault(job, monkeypatch, error):
    def fails(self, *_):
        raise error

    monkeypatch.setattr(Readers, "discover", fails)
    done = judge(job)
    assert done.again
    assert done.results == ""
    assert "not judged" in done.error


@pytest.mark.parametrize("whom", ["reader", "keeper", "zygote"])
def test_a_reader_that_the_machine_kills_is_not_the_students_fault(job, monkeypatch, whom):
    """As the kernel does where memory runs short, before anything was read: another time the same is judged."""
    real, killed = worker.Worker.call, []

    def call(self, task, *more):
        if task == "read" and not killed:
            real(self, "ping", {})  # all of them are there
            keeper = self._watch.pid
            status = Path(f"/proc/{keeper}/status").read_text()
            zygote = int(status.partition("PPid:")[2].split()[0])
            killed.append({"reader": children_of(keeper)[0], "keeper": keeper, "zygote": zygote}[whom])
            os.kill(killed[0], signal.SIGKILL)
            select.select([self._channel], [], [])  # until it has hung up
        return real(self, task, *more)

    monkeypatch.setattr(worker.Worker, "call", call)
    done = judge(job)
    assert len(killed) == 1
    assert (done.again, done.results) == (True, "")
    assert done.error == f"not judged: {worker.OUTSIDE}"
    if whom == "reader":
        assert judge(job).error == ""


@pytest.mark.parametrize(
    ("ends", "error"),
    [("kill -9 $$", KILLED), ("kill -15 $$", KILLED), ("kill -11 $$", f"{DIED} (exit code -11)"), ("exit 3", f"{DIED} (exit code 3)"),
     ("exit 0", f"{DIED} (exit code 0)")],
)  # fmt: skip
def test_a_judge_that_the_machine_kills_is_not_the_students_fault(job, monkeypatch, tmp_path, ends, error):
    """In the process that a worker of a cluster starts; that of this machine's engine is killed in test_grade."""
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\n{ends}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    done = judge_apart(job, 60)
    assert (done.error, done.again) == (error, error == KILLED)


def test_an_error_of_a_file_is_told_from_one_of_the_machine():
    assert of_the_machine(OSError(errno.ENOSPC, ""))
    assert of_the_machine(NotJudged("x"))
    assert not of_the_machine(InputError("x"))
    assert not of_the_machine(OSError(errno.ENOENT, ""))
    assert not of_the_machine(FileNotFoundError("x"))
    assert not of_the_machine(ValueError("x"))
