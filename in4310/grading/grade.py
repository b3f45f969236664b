"""Grade a class: what is waiting is judged, each verdict is written down as it comes, and what stands is left alone."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from filelock import FileLock, Timeout

from in4310 import __version__
from in4310.errors import InputError
from in4310.grading.engines import Engine
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.layouts import Class, Entry, find_class, latest
from in4310.grading.marks import Mark
from in4310.grading.work import Done, Job, digest_of
from in4310.judging import order as order_of_one
from in4310.judging.data import DataSet, resolve_data
from in4310.judging.edition import Edition, load_edition
from in4310.judging.verdict import Results, versions
from in4310.places import SECRET_VARIABLE
from in4310.progress import QUIET, Progress
from in4310.submission.files import everything
from in4310.temporary import sweep_partial

STUDENTS = "students"
ROOM = 4 * 2**20  # bytes: less cannot take a report


@dataclass(frozen=True)
class Order(order_of_one.Order):
    """What to grade, and by what: an order whose submission is a class and whose report is that of the class.

    `only`: these students; `since`: what was changed later; `regrade`: students whose verdicts are made anew.
    """

    all_attempts: bool = False
    only: tuple[str, ...] = ()
    since: float | None = None  # seconds since 1970: what was changed later
    regrade: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        """The folder or archive of the class."""
        return Path(self.submission)

    @property
    def out(self) -> Path:
        """The folder of the gradebook and the reports."""
        return Path(self.report)

    def one(self, who: str, place: Path, report: Path) -> order_of_one.Order:
        """The order to judge somebody's hand-in, which lies at `place`."""
        shared = {f.name: getattr(self, f.name) for f in fields(order_of_one.Order)}
        shared |= {"submission": str(place), "report": str(report), "handed_out": True, "whose": who}
        return order_of_one.Order(**shared).absolute()


@dataclass
class State:
    """How far the class is: names of those waiting, running, judged and not gradable."""

    waiting: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    before: int = 0  # verdicts that stood when this run began


Show = Callable[[State], None]


def grade(
    order: Order, engine: Engine, show: Show = lambda state: None, progress: Progress = QUIET
) -> list[Mark]:
    """Grade what has no verdict yet and return the marks of all, sorted by student.

    Raises InputError where nothing can be graded: no submissions, edition or data, another run on the same folder, a
    full disk, or data that vanishes meanwhile. All verdicts that were made by then are kept.
    """
    edition = load_edition(order.edition)
    data = resolve_data(edition, order.data, progress)
    with _alone(order.out), Gradebook(order.out / GRADEBOOK) as book:
        secret = _secret(book)
        unpacked = order.out / ".class"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        try:
            found = find_class(order.place, unpacked)
            chosen = found.entries if order.all_attempts else latest(found.entries)
            book.register(found.entries, chosen)
            book.remember(
                place=str(order.place.resolve()),
                edition_given=order.absolute().edition,
                data_given=order.absolute().data,
                layout=found.layout,
                returns=json.dumps({e.who: e.returns for e in chosen if e.returns}),
                notes="\n".join(found.notes),
            )
            basis = Basis(edition, data, order.full, order.rehearsal)
            for who in _chosen(order, edition, found, book):
                book.regrade(who)
            keys: dict[tuple[str, int], str] = {}
            jobs, state, unread = [], State(), {}
            for entry in chosen:
                try:
                    job = _job(entry, order, secret)
                except InputError as error:  # it costs this hand-in, and no other
                    one = order.one(entry.who, entry.place, order.out)
                    keys[entry.who, entry.attempt], unread[entry.who] = "", one.placeless(str(error))
                    continue
                key = keys[entry.who, entry.attempt] = basis.key(job)
                if book.has(entry.who, entry.attempt, key):
                    state.before += 1
                elif (not order.only or entry.who in order.only) and _later(entry.place, order.since):
                    jobs.append(job)
            state.waiting = [job.who for job in jobs]
            show(state)
            put_off = unread | _carry_out(jobs, engine, book, basis, state, show)
            marks = book.marks(keys)
            return [replace(m, error=put_off[m.who]) if m.who in put_off else m for m in marks]
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


@dataclass(frozen=True)
class Basis:
    """What a verdict follows from, beside the submission."""

    edition: Edition
    data: DataSet
    full: bool
    rehearsal: bool

    def record(self, job: Job) -> dict[str, str]:
        """All that a verdict was made from, for the log."""
        return {
            "submission": job.digest,
            "edition": self.edition.name,
            "edition_digest": hashlib.sha256(self.edition.model_dump_json().encode()).hexdigest(),
            "data_digest": self.data.digest,
            "full": str(self.full),
            "rehearsal": str(self.rehearsal),
            **{f"version {name}": version for name, version in versions().items()},
        }

    def key(self, job: Job) -> str:
        """The same for the same submission, edition, data and version of in4310: it need not be judged again."""
        parts = self.record(job)
        names = ("submission", "edition_digest", "data_digest", "full", "rehearsal")
        return hashlib.sha256("\n".join([__version__, *(parts[n] for n in names)]).encode()).hexdigest()


def _carry_out(
    jobs: Sequence[Job], engine: Engine, book: Gradebook, basis: Basis, state: State, show: Show
) -> dict[str, str]:
    """Judge the jobs and keep the verdicts; returns who has none because of us, and why: the next run tries them."""
    put_off: dict[str, str] = {}

    def watch(running: list[Job]) -> None:
        state.running = [job.who for job in running]
        show(state)

    for done in engine.carry_out(jobs, watch):
        root = basis.data.root
        if done.error and not root.is_dir():
            raise InputError(
                f"{root}: the data set is gone; what was graded is kept, the same command goes on when it is back"
            )
        if done.again and shutil.disk_usage(book.file.parent).free < ROOM:
            raise InputError(
                f"{book.file.parent}: the disk is full; what was graded is kept, the same command goes on"
            )
        _keep(done, book, basis)
        who = done.job.who
        state.waiting = [w for w in state.waiting if w != who]
        state.running = [w for w in state.running if w != who]
        (state.failed if done.error else state.done).append(who)
        if done.again:
            put_off[who] = f"{done.error}; the same command tries it again"
        show(state)
    return put_off


def _keep(done: Done, book: Gradebook, basis: Basis) -> None:
    """Put the report into its place, then write the verdict down: a verdict never lacks its report."""
    job = done.job
    results = Results.model_validate_json(done.results) if done.results else None
    aside = Path(job.order.report)
    if results is not None and aside.is_dir():
        place = aside.with_name(aside.name.removeprefix("."))
        before = aside.with_name(f"{aside.name}.before")
        shutil.rmtree(before, ignore_errors=True)
        try:
            if place.exists():
                place.rename(before)
            aside.rename(place)
        except OSError as error:
            raise InputError(f"{place}: the report cannot be put there ({error.strerror or error})") from None
        shutil.rmtree(before, ignore_errors=True)
    else:
        shutil.rmtree(aside, ignore_errors=True)
    if done.again:
        return  # nothing is known of the submission: it stays waiting, and the next run tries it
    key = basis.key(job)
    book.record(job.who, job.attempt, key, results, done.error, done.seconds, done.memory, basis.record(job))


def _job(entry: Entry, order: Order, secret: str) -> Job:
    name = entry.who if not order.all_attempts else f"{entry.who}-{entry.attempt}"
    one = order.one(entry.who, entry.place, order.out / STUDENTS / f".{name}")
    return Job(entry.who, entry.attempt, digest_of(entry.place), one, secret)


def _later(place: Path, since: float | None) -> bool:
    """Whether a submission was changed at or after a time; a folder by the newest of its files."""
    if since is None:
        return True
    return max([place, *everything(place)], key=lambda f: f.lstat().st_mtime).lstat().st_mtime >= since


def _chosen(order: Order, edition: Edition, found: Class, book: Gradebook) -> list[str]:
    """Students to judge again: named, or who lost points on a requirement named. Raises InputError for other names."""
    known = {e.who for e in found.entries}
    requirements = {r.id for r in edition.requirements}
    for who in (*order.only, *(w for w in order.regrade if w not in requirements)):
        if who not in known:
            near = ", ".join(sorted(known)[:5])
            raise InputError(
                f"{who!r} is neither one of the {len(known)} who handed in ({near}, ...) nor a requirement"
            )
    chosen = {w for w in order.regrade if w in known}
    for mark in book.marks():
        lost = {r.id for r in (mark.results.requirements if mark.results else ()) if r.lost}
        if lost & set(order.regrade):
            chosen.add(mark.who)
    return sorted(chosen)


def _secret(book: Gradebook) -> str:
    """Audit samples of a class are drawn from one secret: a mark depends on no order, worker or restart."""
    secret = os.environ.get(SECRET_VARIABLE) or book.meta("secret") or secrets.token_hex(16)
    if book.meta("secret") != secret:
        book.remember(secret=secret)
    return secret


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One run at a time on a folder; the lock is the system's, and gone with the process that held it."""
    try:
        (out / STUDENTS).mkdir(parents=True, exist_ok=True)
        with FileLock(out / ".lock", timeout=0):
            sweep_partial(out.rglob("*.partial"))
            yield
    except Timeout:
        raise InputError(
            f"{out}: another in4310 grade is at work there; wait for it, or give another --out"
        ) from None
    except OSError as error:
        raise InputError(
            f"{out}: expected a folder that can be written to ({error.strerror or error})"
        ) from None
