"""A submission with one fault, judged the way strangers' work is: unpacked, confined, and by the real checks."""

import functools
import hashlib
import importlib.util
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from in4310.judging.audit import FULL
from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import checks_folder, load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.live import Live
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers
from in4310.submission.sandbox.walls import Limits

SMALL = Limits(
    seconds=10, memory_bytes=2**30, processes=24, file_bytes=2**24, tmp_bytes=2**25, output_bytes=2**18
)


@pytest.fixture(scope="session", autouse=True)
def _shared(computed_once):
    return computed_once


@pytest.fixture(scope="session")
def sandbox(sandbox_of):
    return sandbox_of(SMALL)


@pytest.fixture(scope="session")
def edition():
    return load_edition("demo")


@pytest.fixture(scope="session")
def data(edition):
    return resolve_data(edition, None)


@pytest.fixture(scope="session")
def checks():
    found = {}
    for file in checks_folder().glob("test_*.py"):
        spec = importlib.util.spec_from_file_location(f"attacked_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= {
            n.removeprefix("test_"): f
            for n, f in vars(module).items()
            if n.startswith("test_") and inspect.isfunction(f)
        }
    return found


def fingerprint(folder):
    """Names and contents below a folder, in one hash."""
    total = hashlib.sha256()
    for file in sorted(p for p in Path(folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        about = file.stat()
        # Whoever changes what is in a file changes the last of these, which nobody can set.
        total.update(digest(file, about.st_ino, about.st_size, about.st_ctime_ns))
    return total.digest()


@functools.cache
def digest(file, *_):
    return hashlib.sha256(str(file).encode() + file.read_bytes()).digest()


@pytest.fixture(scope="session")
def guarded(reference, data):
    """What no attack may change: checks, labels and images, another submission; folder -> its fingerprint."""
    return {folder: fingerprint(folder) for folder in (checks_folder(), data.root / "sea", reference)}


@pytest.fixture(autouse=True)
def unharmed(guarded, tmp_path, request):
    """After every attack: nothing guarded was changed, nothing was written that an attack tries to write."""
    environment = dict(os.environ)
    yield
    assert {folder: fingerprint(folder) for folder in guarded} == guarded
    changed = {k for k in set(environment) | set(os.environ) if environment.get(k) != os.environ.get(k)}
    assert changed <= {"PYTEST_CURRENT_TEST"}
    assert not Path("/tmp/in4310-pwned").exists()
    assert not list(tmp_path.glob("pwned*"))


@pytest.fixture
def folder(reference, tmp_path):
    """A copy of the reference with random scores: it must not get the points of reproduction."""
    target = tmp_path / "attack"
    shutil.copytree(reference, target, copy_function=os.link)
    (target / "scores_test.npy").unlink()
    np.save(
        target / "scores_test.npy", np.random.RandomState(0).dirichlet(np.ones(6), 211).astype(np.float32)
    )
    return target


@pytest.fixture
def verdicts(sandbox, edition, data, checks):
    """Judge by the named checks: check -> (outcome, reason and mistake)."""

    def judge(path, *names):
        found = {}
        with take_in(path, sandbox) as taken, Readers(sandbox, taken.folder) as readers:
            submission = Submission(taken.folder, hints(edition, data), readers, taken.name)
            live = Live(sandbox, submission.folder, submission.table("adapters"), SMALL)
            evidence = Evidence(submission, data, edition, audit=FULL, live=live)
            for name in names:
                recorder = Judge()
                given = {"evidence": evidence, "edition": edition, "judge": recorder}
                try:
                    checks[name](**{p: given[p] for p in inspect.signature(checks[name]).parameters})
                    outcome = recorder.outcome if recorder.findings else Outcome.FAILED
                    found[name] = (outcome, f"{recorder.reason} {recorder.mistake}")
                except Missing as why:
                    found[name] = (Outcome.NOT_RUN, str(why))
        return found

    return judge


REPOSITORY = Path(__file__).parents[2]
USER = 1_000_000 + os.getpid()  # whom nobody else is: RLIMIT_NPROC counts all that a user runs
# In a mount namespace of its own, a folder that an ordinary user may not enter holds nothing but the way to Python.
BECOME = """
import ctypes, os, sys, tempfile
program, user, *arguments = sys.argv[1:]
sys.argv[1:] = arguments
if os.geteuid() == 0 and int(user):
    from in4310.submission.sandbox import walls
    from in4310.submission.sandbox.visible import unreachable
    from in4310.submission.sandbox.system import LIBC, check
    check(LIBC.unshare(walls.CLONE_NEWNS), "unshare")
    walls._mount("none", "/", None, walls.MS_REC | walls.MS_PRIVATE)
    for place in dict.fromkeys(map(os.path.realpath, [sys.base_prefix, sys.prefix])):
        closed = unreachable([place])
        if closed:
            aside = tempfile.mkdtemp()
            walls._mount(place, aside, None, walls.MS_BIND | walls.MS_REC)
            walls._mount("tmpfs", closed, "tmpfs", 0, "mode=0755")
            os.makedirs(place, exist_ok=True)
            walls._mount(aside, place, None, walls.MS_BIND | walls.MS_REC)
            check(LIBC.umount2(os.fsencode(aside), 2), "umount2")
            os.rmdir(aside)
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), int(user))
    os.environ.update(HOME="/tmp", USER="student")
exec(compile(open(program).read(), program, "exec"), {"__name__": "__main__", "__file__": program})
"""


@pytest.fixture(scope="session")
def run_as():
    """Run a Python program as root (whoever we are) or as an 'ordinary' user: what it printed last, as JSON."""
    return _run_as


def _run_as(user, program, *arguments, seconds=300):
    number = USER if user == "ordinary" else 0
    environment = {k: v for k, v in os.environ.items() if k not in ("TMPDIR", "IN4310_CACHE")}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *(p for p in sys.path if "-packages" in p)])
    done = subprocess.run(
        [sys.executable, "-c", BECOME, str(program), str(number), *map(str, arguments)],
        capture_output=True, text=True, timeout=seconds, env=environment, cwd="/", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
