"""Which walls hold on this machine: each is tried for real, from inside a confined child."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

HOG = """
import os, time
def hog(processes, size):
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    block = bytearray(os.urandom(1 << 20) * (size >> 20))
    time.sleep(60)
    return len(block)
def hang():
    import signal
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass
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
    with (
        tempfile.TemporaryDirectory(prefix="in4310-doctor-") as name,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        home = Path(name)
        secret = home / "secret"
        secret.write_text("not for you")
        folder = home / "submission"
        folder.mkdir()
        home.chmod(0o755)
        folder.chmod(0o755)
        (folder / "hog.py").write_text(HOG)
        limits = Limits(
            processes=16, file_bytes=16 * 2**20, memory_bytes=2**30, output_bytes=2**18, seconds=30
        )
        with sandbox.worker(folder, limits) as worker:
            arguments = {
                "secret": str(secret),
                "tcp": server.getsockname()[1],
                "judge": os.getpid(),
                "limits": limits.as_dict(),
            }
            tried = worker.call("probe", arguments).result
        walls = [Wall(name, not got, got or "refused") for name, got in tried.items()]
        for tried_name, function, given, kind in (
            (
                "use too much memory, in four processes",
                "hog:hog",
                {"processes": 4, "size": 2**29},
                ("memory", "failed", "died"),
            ),
            ("hang, deaf to polite signals", "hog:hang", {}, ("timeout",)),
            ("print without end", "hog:flood", {}, ("output",)),
        ):
            walls.append(_ended(sandbox, folder, limits, tried_name, function, given, kind))
        with sandbox.worker(folder, limits) as worker:
            worker.call("ping", {})
        walls.append(Wall("harm the worker that comes next", True, "it answers"))
    return walls


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
                "call", {"target": function, "arguments": given}, seconds=3 if "timeout" in kinds else 20
            )
    except WorkerFailed as failure:
        return Wall(tried, failure.kind in kinds, str(failure))
    return Wall(tried, False, "it was let do so")
