"""A control group for each confined child, where one can be made: memory with the kernel's own, processes, CPU.

Made beside or below the group that we are in, named after us, removed by us; no file of another group is written.
Everything here may be refused (an ordinary user without delegation, a container): the watch and rlimits are there too.
cgroups(7); Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from in4310.submission.sandbox.walls import Limits
from in4310.temporary import is_left_over

CONTROLLERS = ("memory", "pids", "cpu")
HUGE = 4 * 2**20
SLACK = 64 * 2**20  # the watch, which can say what was too much, comes first


def groups_of_ours(process: str = "/proc/self") -> dict[str, str]:
    """Controller -> the folder in which a group with it may be made, as far as can be seen without trying."""
    own: dict[str, str] = {}
    found: dict[str, str] = {}
    with suppress(OSError, ValueError, IndexError):
        with open(f"{process}/cgroup") as file:
            for line in file:
                _, names, path = line.rstrip("\n").split(":", 2)
                own |= dict.fromkeys(names.split(","), path)
        with open(f"{process}/mountinfo") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                root, point = (text.rstrip("/") for text in before.split()[3:5])
                kind, _, options = after.split()[:3]
                version = {"cgroup2": [""], "cgroup": [c for c in options.split(",") if c in CONTROLLERS]}
                for name in version.get(kind, ()):
                    if (own.get(name, "") + "/").startswith(root + "/"):
                        found[name] = os.path.join(point, own[name][len(root) :].strip("/")).rstrip("/")
    home = found.pop("", None)
    # Version 2 knows no process beside groups with controllers: below our own group only where it has none.
    for place in (home, os.path.dirname(home)) if home and "memory" not in found else ():
        with suppress(OSError), open(f"{place}/cgroup.subtree_control") as file:
            given = file.read().split()
            if "memory" in given:
                return found | {c: place for c in CONTROLLERS if c in given}
    return found


class Group:
    """The groups of one child: none where none can be made."""

    def __init__(self, name: str, limits: Limits, homes: dict[str, str]):
        self.places: dict[str, str] = {}
        for controller, home in homes.items():
            place = os.path.join(home, name)
            try:
                if place not in self.places.values():
                    os.mkdir(place)
                self.places[controller] = place
            except OSError:
                continue
        most = str(limits.memory_bytes + SLACK)
        for controller, file, value in (
            ("memory", "memory.max", most),
            ("memory", "memory.limit_in_bytes", most),
            ("memory", "memory.swap.max", "0"),
            ("memory", "memory.memsw.limit_in_bytes", most),
            ("memory", "memory.oom.group", "1"),
            ("pids", "pids.max", str(limits.processes)),
        ):
            if controller in self.places:
                with suppress(OSError), open(f"{self.places[controller]}/{file}", "r+") as opened:
                    opened.write(value)

    def doors(self) -> list[int]:
        """Descriptors to which a process writes '0' to enter; opened before a user namespace hides who we are."""
        found = []
        for place in dict.fromkeys(self.places.values()):
            with suppress(OSError):
                found.append(os.open(f"{place}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        return found

    def remove(self) -> None:
        """When the last process has gone, which takes the kernel a moment."""
        for place in set(self.places.values()):
            for _ in range(100):
                try:
                    os.rmdir(place)
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def step_back(place: str | None) -> None:
    """Let a cpu group have a tenth of what another has: as one against one, sixty processes would have half."""
    for name, tenth in (("cpu.weight", "10"), ("cpu.shares", "102")) if place else ():
        with suppress(OSError), open(f"{place}/{name}", "r+") as file:
            file.write(tenth)


def used(place: str | None) -> int | None:
    """Bytes that this memory group has, with what the kernel and its caches hold for it; None where nobody counts."""
    for name in ("memory.current", "memory.usage_in_bytes") if place else ():
        with suppress(OSError, ValueError), open(f"{place}/{name}") as file:
            return int(file.read())
    return None


def out_of_memory(place: str | None) -> bool | None:
    """Whether this memory group was at its own bound when the kernel killed a process of it for want of memory.

    None where it killed none. False: a group around it, or the machine, had too little.
    """
    # 'oom_kill' counts kills for whatever want; 'oom' (version 2) those tries that reached the bound of this group.
    # Version 1 has its highest use: 'failcnt' stays 0 where the kernel's own memory, page tables say, was too much.
    for name in ("memory.events", "memory.oom_control") if place else ():
        with suppress(OSError, ValueError), open(f"{place}/{name}") as file:
            found = dict(line.split() for line in file)
            if found.get("oom_kill", "0") == "0":
                return None
            bounds = ("memory", "memory.memsw") if "oom" not in found else ()
            return found.get("oom", "0") != "0" or any(_was_full(f"{place}/{bound}") for bound in bounds)
    return None


def _was_full(kind: str) -> bool:
    """Whether what was tried last, a huge page at most, can have been more than there was room for."""
    with (
        suppress(OSError, ValueError),
        open(f"{kind}.max_usage_in_bytes") as used,
        open(f"{kind}.limit_in_bytes") as limit,
    ):
        return int(used.read()) > int(limit.read()) - HUGE
    return False


def sweep(homes: dict[str, str]) -> None:
    """Remove groups of judges that were killed. One with a process in it cannot be removed."""
    for home in set(homes.values()):
        with suppress(OSError):
            for name in os.listdir(home):
                if is_left_over(name):
                    with suppress(OSError):
                        os.rmdir(os.path.join(home, name))
