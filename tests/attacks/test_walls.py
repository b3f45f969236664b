"""What a confined child does to others' files, to the judge and to the machine: as root, as an ordinary user, in each tier."""

import os
from pathlib import Path

import pytest

from in4310.submission.sandbox.cgroups import groups_of_ours

pytestmark = pytest.mark.slow  # all of them run in CI
HERE = Path(__file__).parent
USERS = pytest.mark.parametrize("user", ["root", "ordinary"])
MIB = 2**20


@USERS
def test_nothing_of_others_is_changed_in_any_tier(user, sandbox, run_as):
    """L1 to L4 and their kin: two tiers with namespaces, and Landlock alone as of each of its versions, 1 to 7."""
    said = run_as(user, HERE / "walls_program.py")
    assert len(said) == 9
    assert {tier: found for tier, found in said.items() if found != {"changed": [], "done": []}} == {}


def test_without_walls_the_same_does_harm(sandbox, run_as):
    """What changes nothing where nothing is in its way would prove nothing."""
    (said,) = run_as("ordinary", HERE / "walls_program.py", "none").values()
    assert {"gradebook", "neighbour"} <= {Path(place).name for place in said["changed"]}
    done = {"chmod", "chmod by a shell", "chmod of the hand-in", "chown", "lchown", "fchownat by O_PATH", "utime", "unlink",
            "watch by dnotify", "large buffers", "large pipes", "a segment", "a semaphore", "dumps of itself"}  # fmt: skip
    assert done <= set(said["done"])


@USERS
def test_kernel_memory_is_bounded(user, sandbox, run_as):
    """H2 and its kin, with control groups (root, where they can be had) and without (an ordinary user)."""
    for tier, found in run_as(user, HERE / "limits_program.py").items():
        assert found["sockets"] < 32 * MIB, tier
        assert found["pipes"] < 16 * MIB, tier
        assert found["in_flight"] == "memory" or found["in_flight"] < 64 * MIB, tier
        assert found["waiting"] == ("memory" if tier.startswith("True") else "failed"), (
            tier
        )  # there no socket is made
        assert max(found["timers"], found["signals"]) <= 4096, tier
        assert found["sockets_of_many"] == found["page_tables"] == "memory", tier
        # Without namespaces there is no /dev/shm, and the disk's own bound comes first.
        assert found["files_in_memory"] == ("memory" if tier.startswith("True") else "failed"), tier


@USERS
def test_busy_processes_do_not_slow_a_neighbour(user, sandbox, run_as):
    """D7: sixty, beside an honest call on one processor. Counted is what both were given, not how long it took."""
    for tier, found in run_as(user, HERE / "limits_program.py", "busy").items():
        assert found["processes"] == 61, tier
        assert min(found["shares"][-3:]) > 1 / 1.2, (tier, found)


def test_control_groups_are_removed(sandbox):
    with sandbox.worker(None) as worker:
        worker.call("ping", {})
    left = [
        n
        for home in set(groups_of_ours().values())
        for n in os.listdir(home)
        if f"-{sandbox._zygote.pid}-" in n
    ]
    assert left == []
