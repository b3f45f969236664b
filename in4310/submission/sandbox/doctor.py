"""Which walls hold on this machine: each is tried for real, from inside a confined child."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from in4310.submission.sandbox.probes import traps
from in4310.submission.sandbox.tiers import TIERS, Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed
from in4310.temporary import ours

MIB = 2**20
HOG = """
import os, time
def hog(processes, size):
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    block = bytearray(os.urandom(1 << 20) * (size >> 20))
    time.sleep(60)
    return len(block)
def fill(size):
    for i in range(size >> 20):
        with open(os.environ["TMPDIR"] + f"/{i}", "wb") as file:
            file.write(bytes(1 << 20))
    time.sleep(60)
def hang():
    import signal
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass
def tables():
    import mmap
    area = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
    for place in range(0, 1 << 40, 1 << 21):  # of each page that is looked at, nothing counts but the way to it
        area[place]
    time.sleep(60)
def flood():
    while True:
        print("x" * 10000)
"""


@dataclass(frozen=True)
class Wall:
    """One attempt: what was tried, whether the wall held, and what happened."""

    tried: str
    holds: bool
    how: str


def examine(sandbox: Sandbox) -> list[Wall]:
    """Try every wall. Raises WorkerFailed('refused') where no child can be confined at all."""
    with tempfile.TemporaryDirectory(prefix=ours("doctor")) as name, traps() as arguments:
        home = Path(name)
        folder = home / "submission"
        folder.mkdir()
        home.chmod(0o755)
        folder.chmod(0o755)
        (folder / "hog.py").write_text(HOG)
        limits = Limits(processes=16, file_bytes=16 * MIB, tmp_bytes=64 * MIB, memory_bytes=1024 * MIB,
                        output_bytes=MIB // 4, seconds=30)  # fmt: skip
        with sandbox.worker(folder, limits) as worker:
            tried = worker.call("probe", arguments | {"limits": limits.as_dict()}).result
        walls = [Wall(name, not got, got or "refused") for name, got in tried.items()]
        for tried_name, function, given, kind in (
            (
                "use too much memory, in four processes",
                "hog:hog",
                {"processes": 4, "size": 512 * MIB},
                ("memory", "failed", "died"),
            ),
            ("use too much memory of the kernel's own", "hog:tables", {}, ("memory", "failed", "died")),
            ("fill the disk with many files", "hog:fill", {"size": 80 * MIB}, ("memory", "failed")),
            ("hang, deaf to polite signals", "hog:hang", {}, ("timeout",)),
            ("print without end", "hog:flood", {}, ("output",)),
        ):
            walls.append(_ended(sandbox, folder, limits, tried_name, function, given, kind))
        with sandbox.worker(folder, limits) as worker:
            worker.call("ping", {})
        walls.append(Wall("harm the worker that comes next", True, "it answers"))
    return walls


def examine_weaker(sandbox: Sandbox) -> Iterator[tuple[Tier, list[Wall]]]:
    """The same in each weaker tier that can be had here: what would hold where the stronger one cannot."""
    for tier in TIERS[1:] if sandbox.tier == TIERS[0] else ():
        with Sandbox(sandbox.limits, _tier=tier) as other, suppress(WorkerFailed):
            yield tier, examine(other)


def _ended(
    sandbox: Sandbox,
    folder: Path,
    limits: Limits,
    tried: str,
    function: str,
    given: dict[str, int],
    kinds: tuple[str, ...],
) -> Wall:
    try:
        with sandbox.worker(folder, limits) as worker:
            worker.call(
                "call", {"target": function, "arguments": given}, seconds=1 if "timeout" in kinds else 20
            )
    except WorkerFailed as failure:
        return Wall(tried, failure.kind in kinds, str(failure))
    return Wall(tried, False, "it was let do so")
