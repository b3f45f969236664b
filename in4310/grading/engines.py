"""Engines that carry jobs out: processes of this machine, or a Dask cluster. All give the same answers."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import Any, Protocol

from in4310.errors import InputError
from in4310.grading.work import DIED, KILLED, TOO_LONG, Done, Job, ended, judge, judge_apart, prepare
from in4310.places import keep_current_folder_off_the_path

LIMIT_SECONDS = 1800.0  # for one submission; the longest that we have seen took 3 minutes on two cores
JOBS_A_PROCESS = 40  # then a fresh one takes over: what a library leaks does not add up over a class
Watch = Callable[[list[Job]], None]


class Engine(Protocol):
    """Carries jobs out in any order. Ends when all are done; what it has not begun is dropped when it is closed."""

    def carry_out(self, jobs: Sequence[Job], watch: Watch) -> Iterator[Done]:
        """Yield each job's outcome as it comes; `watch` is told now and then which jobs are running."""
        ...


class LocalEngine:
    """Processes of this machine, which share torch's pages; one that dies takes only its own submission with it.

    pebble, because concurrent.futures gives up the whole pool when one process dies, and cannot end a job that hangs.
    """

    def __init__(self, jobs: int = 0, limit: float = LIMIT_SECONDS, work: Callable[[Job], Done] = judge):
        self.jobs = jobs or max(1, (os.cpu_count() or 2) // 2)
        self.limit = limit
        self.work = work

    def carry_out(self, jobs: Sequence[Job], watch: Watch) -> Iterator[Done]:
        """Yield each job's outcome as it comes.

        Where the process died the job is tried once more, then given up; where it was killed, the next run tries again.
        """
        from pebble import ProcessPool

        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        pool = ProcessPool(
            max_workers=min(self.jobs, max(1, len(jobs))),
            max_tasks=JOBS_A_PROCESS,
            initializer=prepare,
            initargs=[threads],
            context=_context(),
        )
        try:
            begin = partial(pool.schedule, self.work, timeout=self.limit)
            pending: dict[Future[Any], Job] = {begin(args=(job,)): job for job in jobs}
            tried: set[Job] = set()
            while pending:
                ready, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                watch([job for future, job in pending.items() if future.running()])
                for future in ready:
                    job = pending.pop(future)
                    done = self._outcome(future, job)
                    if done.error.startswith((DIED, KILLED)) and job not in tried:
                        tried.add(job)
                        pending[begin(args=(job,))] = job
                    else:
                        yield done
        finally:
            pool.stop()
            pool.join()

    def _outcome(self, future: Future[Any], job: Job) -> Done:
        from pebble import ProcessExpired

        try:
            done = future.result()
        except FutureTimeout:
            return Done(job, error=TOO_LONG.format(self.limit))
        except ProcessExpired as error:
            return ended(job, error.exitcode, ", twice")
        except Exception as error:  # an error of the judge itself, which is no verdict on the submission
            return Done(job, error=f"the judge failed: {type(error).__name__}: {error}"[:500], again=True)
        return done if isinstance(done, Done) else Done(job, error="the judge gave no answer", again=True)


class DaskEngine:
    """An existing Dask cluster: `in4310 grade --engine dask --scheduler ADDRESS`.

    Workers must see the submissions, the data and the output folder under the same paths (a shared file system), and
    have in4310 in the same version. A worker that is lost has its submission judged by another, up to three times.
    """

    def __init__(self, scheduler: str, limit: float = LIMIT_SECONDS):
        try:
            from distributed import Client
        except ImportError:
            raise InputError("--engine dask needs Dask: python -m pip install 'in4310[dask]'") from None
        try:
            self._client = Client(scheduler, timeout=20)
        except (OSError, ValueError) as error:
            raise InputError(f"{scheduler}: no Dask scheduler answers there ({error})") from None
        self.limit = limit

    def carry_out(self, jobs: Sequence[Job], watch: Watch) -> Iterator[Done]:
        """Yield each job's outcome as it comes."""
        from distributed import as_completed

        # Not pure: the same job again is judged again.
        futures = {self._client.submit(judge_apart, job, self.limit, pure=False): job for job in jobs}
        waiting = dict(futures)
        try:
            for future in as_completed(list(futures)):
                job = waiting.pop(future)
                at_work = {key for keys in self._client.processing().values() for key in keys}
                watch([j for f, j in waiting.items() if f.key in at_work])
                if future.status == "finished":
                    yield future.result()
                else:  # the cluster gave it up: its workers were lost, which says nothing of the submission
                    yield Done(job, error=f"{DIED}: {future.exception()!r}"[:500], again=True)
                future.release()
        finally:
            self._client.cancel(list(waiting))
            self._client.close()


class SlurmEngine:
    """A Slurm cluster: each worker is a Slurm job, which Dask starts and which works as in `DaskEngine`.

    dask-jobqueue, because it is kept by the Dask project and gives the loss of workers and the retries that the Dask
    engine has; submitit starts single jobs well, and would need a queue of our own. Queue, account, time, memory come
    from Dask's own configuration (jobqueue.slurm in ~/.config/dask/jobqueue.yaml).
    """

    def __init__(self, jobs: int = 0, limit: float = LIMIT_SECONDS):
        try:
            from dask_jobqueue import SLURMCluster
        except ImportError:
            raise InputError(
                "--engine slurm needs dask-jobqueue: python -m pip install 'in4310[slurm]'"
            ) from None
        if shutil.which("sbatch") is None:
            raise InputError("--engine slurm: expected Slurm's command sbatch on this machine, found none")
        usual = {"cores": 2, "memory": "8GB"}
        given: dict[str, Any] = {name: value for name, value in usual.items() if _configured(name) is None}
        try:
            # A job starts where the command was given: in the folder of the class, as a rule.
            prologue = [*(_configured("job-script-prologue") or ()), "export PYTHONSAFEPATH=1"]
            given["job_script_prologue"] = prologue
            self._cluster = SLURMCluster(processes=1, **given)
            self._cluster.scale(jobs=jobs or 2)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"--engine slurm: {str(error).splitlines()[0]}") from None
        self._dask = DaskEngine(self._cluster.scheduler_address, limit)

    def carry_out(self, jobs: Sequence[Job], watch: Watch) -> Iterator[Done]:
        """Yield each job's outcome as it comes; the Slurm jobs are ended with it."""
        try:
            yield from self._dask.carry_out(jobs, watch)
        finally:
            self._cluster.close()


def _configured(name: str) -> Any:
    import dask

    return dask.config.get(f"jobqueue.slurm.{name}", None)


def _context() -> Any:
    """Processes that share what is imported once, where the system can; never a copy of a process that has threads."""
    keep_current_folder_off_the_path()
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["in4310.grading.warm"])
    return context
