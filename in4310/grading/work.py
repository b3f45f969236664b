"""Judging of one submission of a class: what a worker is told, and what it gives back. Runs in a worker's process."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from in4310.errors import InputError, NotJudged
from in4310.judging.order import Order
from in4310.memory import forget_peak, peak
from in4310.places import SECRET_VARIABLE
from in4310.submission import files
from in4310.temporary import ours

REPLACED = "was replaced while it was judged"
DIED = "the process that judged it died"
KILLED = "the process that judged it was killed from outside, as where the machine runs short of memory"
# No code of a submission runs in such a process: only the machine and its users send it these. 255: the process that
# multiprocessing forks from was killed, and with it went what is known of its children.
FROM_OUTSIDE = {255} | {
    -getattr(signal, n) for n in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, n)
}
TOO_LONG = "judging took longer than {:.0f} seconds and was ended"


@dataclass(frozen=True)
class Job:
    """One attempt to judge, in plain values that travel to any process or machine."""

    who: str
    attempt: int
    digest: str  # of what is to be judged, as it was when the job was made
    order: Order  # its report is moved into place by the process that grades
    secret: str = field(default="", repr=False)  # of the audit sample; the same for the whole class


@dataclass(frozen=True)
class Done:
    """What became of a job: the record as JSON, or why there is none."""

    job: Job
    results: str = ""
    error: str = ""
    seconds: float = 0.0
    memory: int = 0  # bytes, the most that the process held: meanwhile on Linux, since its start elsewhere
    again: bool = False  # the submission is not to blame: it may be tried once more

    def __post_init__(self) -> None:
        """Of an error, students are told; each is made here, so none leaves with a path of this machine."""
        object.__setattr__(self, "error", self.job.order.placeless(self.error))


def digest_of(place: Path) -> str:
    """SHA-256 of an archive, or over the names and contents of a folder; raises InputError when it cannot be read."""
    try:
        return files.digest_of(place)
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error.strerror or error})") from None


def ended(job: Job, code: int | None, tries: str = "") -> Done:
    """Of a judging process that gave no answer: one that was killed says nothing of the submission."""
    if code in FROM_OUTSIDE:
        return Done(job, error=KILLED, again=True)
    return Done(job, error=f"{DIED}{tries} (exit code {code})")


_shared: dict[str, object] = {}


def prepare(threads: int) -> None:
    """Make a process ready for many jobs: torch on so many threads, one sandbox for all of them."""
    import torch

    from in4310.submission.sandbox.worker import Sandbox

    torch.set_num_threads(max(1, threads))
    sandbox = _shared["sandbox"] = Sandbox()
    sandbox.start()


def judge(job: Job) -> Done:
    """Judge a submission and write its report. What is wrong with the submission is in the answer, never raised."""
    from in4310 import runner
    from in4310.submission.sandbox.worker import Sandbox

    began = time.perf_counter()
    forget_peak()
    before, os.environ[SECRET_VARIABLE] = os.environ.get(SECRET_VARIABLE), job.secret
    place = Path(job.order.submission)
    shutil.rmtree(job.order.report, ignore_errors=True)
    sandbox = _shared.get("sandbox")
    error, again = "", False
    try:
        results = runner.judge(job.order, sandbox=sandbox if isinstance(sandbox, Sandbox) else None)
        text = results.model_dump_json()
        if digest_of(place) != job.digest:
            raise NotJudged(f"{place.name} {REPLACED}")
    except InputError as reason:
        text, error, again = "", str(reason), isinstance(reason, NotJudged)
    finally:
        del os.environ[SECRET_VARIABLE]
        if before is not None:
            os.environ[SECRET_VARIABLE] = before
    done = Done(job, text, error, time.perf_counter() - began, peak(), again)
    if _shared:
        _spare_what_is_loaded()
    return done


@cache
def _spare_what_is_loaded() -> None:
    """Leave what the first job has loaded, and all others use, out of the garbage collector's rounds."""
    gc.collect()
    gc.freeze()


def judge_apart(job: Job, limit: float) -> Done:
    """As `judge`, in a process of its own that may die or hang: for engines that call it from a thread."""
    with tempfile.TemporaryDirectory(prefix=ours("job")) as folder:
        told, answer = Path(folder) / "job.json", Path(folder) / "done.json"
        told.write_text(json.dumps(asdict(job)), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "in4310.grading.work", str(told), str(answer)]
        try:
            code = subprocess.run(command, timeout=limit, stdin=subprocess.DEVNULL, check=False).returncode
        except subprocess.TimeoutExpired:
            return Done(job, error=TOO_LONG.format(limit))
        if code != 0 or not answer.is_file():
            return ended(job, code)
        found = json.loads(answer.read_text(encoding="utf-8"))
    return Done(**{**found, "job": job})


def _main(told: str, answer: str) -> None:
    found = json.loads(Path(told).read_text(encoding="utf-8"))
    job = Job(**{**found, "order": Order(**found["order"])})
    Path(answer).write_text(json.dumps(asdict(judge(job))), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
