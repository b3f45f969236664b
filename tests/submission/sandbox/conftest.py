"""One sandbox for all tests of it, and submissions made of one Python file."""

import pytest

from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

SMALL = Limits(
    seconds=20, memory_bytes=2**30, processes=24, file_bytes=2**23, tmp_bytes=2**24, output_bytes=2**18
)


@pytest.fixture(scope="session")
def sandbox(sandbox_of):
    return sandbox_of(SMALL)


@pytest.fixture(scope="session")
def landlocked(sandbox):
    """A sandbox as where no namespaces can be had."""
    with Sandbox(SMALL) as opened:
        opened._tier = Tier(namespaces=False, landlock=True)
        try:
            with opened.worker(None) as worker:
                worker.call("ping", {})
        except WorkerFailed as failure:
            pytest.skip(f"no Landlock here: {failure}")
        yield opened


@pytest.fixture(params=["namespaces", "landlock"])
def either(request):
    """Each tier in turn: the strongest that is to be had, and the one without namespaces."""
    return request.getfixturevalue("sandbox" if request.param == "namespaces" else "landlocked")


@pytest.fixture
def namespaces(sandbox):
    if not sandbox.tier.namespaces:
        pytest.skip("namespaces cannot be had here")


@pytest.fixture
def submission(tmp_path):
    """Write a Python file of a submission; returns its folder."""
    folder = tmp_path / "a submission"
    folder.mkdir()
    folder.chmod(0o755)

    def write(source, name="code.py"):
        (folder / name).write_text(source)
        return folder

    return write


def runner(sandbox, submission):
    def call(source, seconds=None, limits=None, **arrays):
        folder = submission(source, "mycode.py")
        try:
            with sandbox.worker(folder, limits) as worker:
                return worker.call("call", {"target": "mycode:f"}, arrays, seconds).result
        except WorkerFailed as failure:
            return failure

    return call


@pytest.fixture
def run(sandbox, submission):
    """Run a function `f` of a source in a child of its own: its result, or the WorkerFailed."""
    return runner(sandbox, submission)


@pytest.fixture
def run_either(either, submission):
    """As `run`, in each tier."""
    return runner(either, submission)
