"""Looks at the memory and the disk that a child and all its processes use, and ends them when it is too much.

A thread, as a child may go on while the judge is busy with something else. Ordinary users have no cgroup to leave this
to. What no process maps is bounded elsewhere: by the size of /tmp and /dev/shm, and by system calls that are refused.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.zygote import descendants, kill_tree

WATCH = 0.05  # seconds between two looks
ENTRIES = 20_000


class Watch:
    """Watches the process `pid` and its descendants until `stop`. `found`: why it ended them, None where it did not."""

    def __init__(self, pid: int, limits: Limits, zygote: int, private: str | None):
        self.pid = pid
        self.found: str | None = None
        self._limits, self._private = limits, private
        self._inherited = anonymous(zygote)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="in4310-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when no look is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause = WATCH
        while not self._stopped.wait(pause):
            start = time.monotonic()
            self.found = self._look()
            if self.found is not None:
                kill_tree(self.pid)
                return
            # On a server with thousands of processes a look takes long: never more than a tenth of the time.
            pause = max(WATCH, 10 * (time.monotonic() - start))

    def _look(self) -> str | None:
        used = sum(memory(pid, self._inherited) for pid in descendants(self.pid)[1:])
        if used > self._limits.memory_bytes:
            allowed = self._limits.memory_bytes // 2**20
            return f"used {used // 2**20} MiB over all its processes, allowed are {allowed}"
        if self._private is not None:
            written = disk(self._private)
            if written > self._limits.tmp_bytes:
                allowed = self._limits.tmp_bytes // 2**20
                return f"wrote {written // 2**20} MiB of files or too many of them, allowed are {allowed}"
        return None


def memory(pid: int, inherited: int) -> int:
    """Bytes of a process that are its own share: Pss, or where that may not be read, private less what it inherited."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return max(0, anonymous(pid) - inherited)


def anonymous(pid: int) -> int:
    """Bytes of a process that no file backs: proc_pid_statm(5)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def disk(folder: str) -> int:
    """Bytes of the files below a folder; more than 20000 entries count as endlessly many. No link is followed."""
    total = entries = 0
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as found:
            for entry in found:
                entries += 1
                if entries > ENTRIES:
                    return 2**62
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total
