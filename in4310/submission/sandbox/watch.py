"""Looks at the memory and the disk that a child and all its processes use, and ends them when it is too much.

A thread, as a child may go on while the judge is busy with something else. It can say what was too much; where there
is a control group too, the kernel holds the bound in between. What no process maps counts: pages of /tmp and /dev/shm
(those mapped as well count twice), page tables, and each descriptor for what a socket or pipe behind it can hold.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from in4310.submission.sandbox import cgroups
from in4310.submission.sandbox.walls import PRIVATE, Limits
from in4310.submission.sandbox.zygote import children_of, descendants, kill_tree

WATCH = 0.05  # seconds between two looks
ENTRIES = 20_000
# A full buffer of a socket, net.core.wmem_default and what is above it; a pipe has 64 KiB.
DESCRIPTOR = 256 * 2**10
FEW = 8 + 2 * (os.cpu_count() or 1)  # processes and threads that take their turns like anyone's


class Watch:
    """Watches the process `pid` and its descendants until `stop`. `found`: why it ended them, None where it did not;
    `outside`: whether that was no limit of theirs, but the machine's want of memory."""

    def __init__(self, pid: int, limits: Limits, zygote: int, private: str | None, groups: Mapping[str, str]):
        self.pid, self._group, self._cpu = pid, groups.get("memory"), groups.get("cpu")
        self.found: str | None = None
        self.outside = False
        self._own_doing: float | None = None  # what it had waited when it became so many
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

    def reason(self) -> str | None:
        """Why it was ended, by this watch or by the kernel, None where it ended by itself."""
        return self.found or self._ended_by_the_kernel()

    def _ended_by_the_kernel(self) -> str | None:
        own = cgroups.out_of_memory(self._group)
        if own is None:
            return None
        self.outside = not own
        return f"needed more than {self._limits.memory_bytes // 2**20} MiB over all its processes"

    def waited(self) -> float:
        """Seconds that the child, its first thread, was ready to run and others had the processors.

        Not from when it became so many that each of them has little: no time is granted for that.
        """
        if self._own_doing is not None:
            return self._own_doing
        for pid in children_of(self.pid)[:1]:
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/schedstat") as file:
                return int(file.read().split()[1]) / 1e9
        return 0.0

    def _look(self) -> str | None:
        found = descendants(self.pid)[1:]
        self._step_back(found)
        held = sum(descriptors(pid) for pid in found)
        used = self._memory(found)
        if self._private is None and found:  # the first is the one whose root and network the others have too
            used += sum(filled(f"/proc/{found[0]}/root", place) for place in PRIVATE)
            held = max(held, sockets(found[0]))
        used += DESCRIPTOR * held
        if used > self._limits.memory_bytes:
            allowed = self._limits.memory_bytes // 2**20
            return f"used {used // 2**20} MiB over all its processes, allowed are {allowed}"
        if (ended := self._ended_by_the_kernel()) is not None:  # one of them: the others would wait for it
            return ended
        if self._private is not None:
            written = disk(self._private)
            if written > self._limits.tmp_bytes:
                allowed = self._limits.tmp_bytes // 2**20
                return f"wrote {written // 2**20} MiB of files or too many of them, allowed are {allowed}"
        return None

    def _memory(self, pids: list[int]) -> int:
        # The group counts caches, too, which are no use of theirs. While all is little, whose it is need not be asked,
        # which takes the kernel a walk over all pages.
        together = cgroups.used(self._group)
        if together is not None and together < self._limits.memory_bytes // 2:
            return together
        return sum(memory(pid, self._inherited) for pid in pids)

    def _step_back(self, pids: list[int]) -> None:
        """Where there are many, they have little beside others, and do not starve: no neighbour is to wait for them."""
        threads = []
        for pid in pids:
            with suppress(OSError):
                threads += [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]
        if len(threads) <= FEW:
            return
        if self._own_doing is None:
            self._own_doing = self.waited()
        # By what the kernel weighs here: groups, else sessions (the keeper's, as none can be made), else threads.
        cgroups.step_back(self._cpu)
        with (
            suppress(OSError),
            open(f"/proc/{self.pid}/autogroup", "r+") as file,
        ):  # sched(7): 10 stands for a tenth
            if not file.read().endswith(" 10\n"):
                file.write("10")
        # The first thread keeps its turn, one against one: in a rehearsal it is ours, and is to end the others.
        for thread in set(threads).difference(children_of(self.pid)[:1]):
            with suppress(OSError):
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))


def memory(pid: int, inherited: int) -> int:
    """Bytes of a process that are its own share: Pss, or where that may not be read, private less what it inherited.

    And its page tables, of which a process that maps little may have many: proc_pid_status(5).
    """
    share = _kilobytes(f"/proc/{pid}/smaps_rollup", (b"Pss:", b"SwapPss:"))
    return (share or max(0, anonymous(pid) - inherited)) + _kilobytes(f"/proc/{pid}/status", (b"VmPTE:",))


def _kilobytes(path: str, names: tuple[bytes, ...]) -> int:
    total = 0
    with suppress(OSError, ValueError, IndexError), open(path, "rb") as file:
        for line in file:
            if line.startswith(names):
                total += int(line.split()[1]) * 1024
    return total


def descriptors(pid: int) -> int:
    """How many descriptors a process has open, 0 where that may not be asked."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/fd").st_size or len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def sockets(pid: int) -> int:
    """How many UNIX sockets its network namespace has: those that wait to be accepted are no process's descriptors."""
    with suppress(OSError), open(f"/proc/{pid}/net/unix", "rb") as file:  # unix(7)
        return sum(1 for _ in file) - 1
    return 0


def filled(root: str, place: str) -> int:
    """Bytes in use of a file system in memory, 0 before it is there or where its user may not be looked into."""
    with suppress(OSError):
        if os.stat(root + place).st_dev != os.stat(place).st_dev:  # else it has our root still
            found = os.statvfs(root + place)
            return (found.f_blocks - found.f_bfree) * found.f_frsize
    return 0


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
