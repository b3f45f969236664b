"""One sandbox for all tests of it, and submissions made of one Python file."""

import pytest

from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

SMALL = Limits(
    seconds=20, memory_bytes=2**30, processes=24, file_bytes=2**23, tmp_bytes=2**24, output_bytes=2**18
)


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(SMALL) as opened:
        if not opened.tier.confined:
            pytest.skip(f"nothing can be confined here: {opened.tier.describe()}")
        yield opened


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


@pytest.fixture
def run(sandbox, submission):
    """Run a function `f` of a source in a child of its own: its result, or the WorkerFailed."""

    def call(source, seconds=None, limits=None, **arrays):
        folder = submission(source, "mycode.py")
        try:
            with sandbox.worker(folder, limits) as worker:
                return worker.call("call", {"target": "mycode:f"}, arrays, seconds).result
        except WorkerFailed as failure:
            return failure

    return call
