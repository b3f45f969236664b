"""Honest code of every kind runs behind the walls, in each tier: no call that it needs is missing in the list."""

from pathlib import Path

import pytest

from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

SOURCE = Path(__file__).with_name("honest.py").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "tier", [Tier(True, True), Tier(True, False), Tier(False, True), Tier(False, True, abi=1)], ids=str
)
def test_honest_code_runs(tier, sandbox, submission):
    folder = submission(SOURCE, "honest.py")
    with Sandbox(Limits(), _tier=tier) as other:
        try:
            with other.worker(folder) as worker:
                found = worker.call("call", {"target": "honest:failures"}).result
        except WorkerFailed as failure:
            if failure.kind == "refused" or "no worker" in str(failure):
                pytest.skip(f"not to be had here: {failure}")
            raise
    # Without namespaces there is no /dev/shm, so that no semaphore can be made.
    expected = {} if tier.namespaces else {"processes": "PermissionError: [Errno 13] Permission denied"}
    assert found == expected
