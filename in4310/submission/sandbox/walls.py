"""The walls around a confined child, each one function, applied from inside it and never taken down.

Landlock and seccomp are in `filters`. Man pages: unshare(2), mount_namespaces(7), pid_namespaces(7), pivot_root(2),
mount_setattr(2), capabilities(7), prctl(2), setrlimit(2), close_range(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import stat
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from in4310.submission.sandbox.system import LIBC, check, inside, syscall

if sys.platform != "win32":
    import resource

NOBODY = 65534
UNPRIVILEGED = (
    0x60000000  # plus a process id: user ids that nothing else has, so that no limit or file is shared
)
PRIVATE = ("/tmp", "/dev/shm")  # what a child may write to
SIGNALS = 4096  # that wait, and timers, of a user

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18)  # fmt: skip
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = (
    1,
    4,
    24,
    38,
    36,
)
PR_SET_KEEPCAPS, CAP_DAC_READ_SEARCH = 8, 1 << 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_MOUNT_SETATTR, SYS_CLOSE_RANGE = 442, 436


@dataclass(frozen=True)
class Limits:
    """What one submission's code may use. Times in seconds, sizes in bytes; memory is the sum over its processes.

    `cpu_seconds`, `open_files` and `file_bytes` hold for each process and file, the others for all together.
    """

    seconds: float = 60.0
    cpu_seconds: int = 120
    memory_bytes: int = 3 * 2**30
    processes: int = 64
    file_bytes: int = 256 * 2**20
    tmp_bytes: int = 512 * 2**20
    open_files: int = 256
    output_bytes: int = 2**20
    answer_bytes: int = 2 * 2**30

    def as_dict(self) -> dict[str, float]:
        """As JSON for the zygote."""
        return asdict(self)


@dataclass(frozen=True)
class World:
    """What a child in a root of its own has beside its folder. `shown`: place -> a folder, read-only; `links`: place ->
    where it leads, made where nothing of the system lies; `imports`: modules that are imported before it is forked,
    which may add tasks of their own."""

    shown: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    imports: Sequence[str] = ()


NOWHERE = World()


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    result = LIBC.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    check(result, f"mount {target}")


def unshare_all() -> None:
    """New user (where we are not root), mount, pid, network, ipc and uts namespaces: unshare(2).

    The pid namespace holds the children of the caller, which must fork once more.
    """
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        check(LIBC.unshare(flags), "unshare")
        return
    check(LIBC.unshare(flags | CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")  # user_namespaces(7): before gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def readable_places() -> list[str]:
    """What of the system a child may read: libraries and Python, never homes, data, checks or other submissions."""
    places = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime",
              "/etc/ssl/openssl.cnf", "/etc/alternatives"]  # fmt: skip
    places += [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    places += [p for p in sys.path if "-packages" in p or "lib-dynload" in p]
    places += [os.path.realpath(p) for p in places]  # a prefix may be a link to where it really is
    found: list[str] = []
    for place in sorted(dict.fromkeys(places), key=len):
        if place not in ("", "/") and os.path.exists(place) and not any(inside(place, p) for p in found):
            found.append(place)
    return found


def hidden_places() -> list[str]:
    """in4310 itself, with the reference solution and the checks: closed wherever it lies in a readable place."""
    home = Path(__file__).resolve().parents[2]
    installed = [os.path.join(p, home.name) for p in sys.path if p]
    return [p for p in dict.fromkeys([str(home), *installed]) if os.path.isdir(p)]


def new_root(base: str, folder: str | None, limits: Limits, world: World = NOWHERE) -> None:
    """A root of our own: the system and the submission read-only, /tmp private and sized, our own /proc.

    The package in4310 is covered, so that code of a submission cannot call the reference solution or read the checks.
    """
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=0755")
    for private in PRIVATE:  # first: a Python in /tmp (a virtual environment of a test) is bound on top of it
        os.makedirs(base + private, exist_ok=True)
        options = f"size={limits.tmp_bytes},nr_inodes=20000,mode=1777"
        _mount("tmpfs", base + private, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for place in readable_places():
        target = base + place
        if os.path.islink(place):  # /bin -> usr/bin
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(place), target)
            continue
        _bind(place, target)
    for path in hidden_places():
        if os.path.isdir(base + path):
            _mount("tmpfs", base + path, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=0755")
    for device in ("null", "zero", "full", "random", "urandom"):
        _bind(f"/dev/{device}", f"{base}/dev/{device}")
    if folder is not None:
        _bind(folder, base + "/submission")
    for place, shown in world.shown.items():
        _bind(shown, base + place)
    for place, target in world.links.items():
        _link(base, place, target)
    _read_only(base)
    os.makedirs(base + "/proc", exist_ok=True)
    # Containers may forbid a new /proc (it is partly covered there); nothing here needs one.
    with contextlib.suppress(OSError):
        _mount("proc", base + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(base)
    machine = platform.machine()
    if machine not in SYS_PIVOT_ROOT:
        raise OSError(f"no number of pivot_root for {machine}")
    syscall(SYS_PIVOT_ROOT[machine], b".", b".")  # pivot_root(2): the old root lies under the new one
    check(LIBC.umount2(b".", 2), "umount2")  # MNT_DETACH
    os.chdir("/tmp")
    _mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a"):
            pass
    _mount(source, target, None, MS_BIND | MS_REC)


def _link(base: str, place: str, target: str) -> None:
    """A link in our own root, as far as the way to it leads through nothing that is mounted there or a link itself."""
    here, own = base, os.lstat(base).st_dev
    *above, last = [part for part in place.split("/") if part]
    if ".." in (*above, last):
        return
    for part in above:
        here = os.path.join(here, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(here, 0o755)
        found = os.lstat(here)
        if found.st_dev != own or not stat.S_ISDIR(found.st_mode):
            return
    with contextlib.suppress(OSError):  # something is there
        os.symlink(target, os.path.join(here, last))


def _read_only(base: str) -> None:
    """Everything mounted below, read-only, without set-user-id, and but for /dev without devices: mount_setattr(2)."""
    for entry in sorted(os.listdir(base)):
        place = os.path.join(base, entry)
        if os.path.islink(place):
            continue
        for mounted in _mounts_below(place):
            if mounted in [base + private for private in PRIVATE]:
                continue
            flags = 1 | 2 | (0 if inside(mounted, base + "/dev") else 4)  # MOUNT_ATTR_RDONLY, NOSUID, NODEV
            attributes = struct.pack("<QQQQ", flags, 0, 0, 0)
            path = os.fsencode(mounted)
            syscall(SYS_MOUNT_SETATTR, -100, path, 0x8000, attributes, ctypes.c_size_t(len(attributes)))


def _mounts_below(place: str) -> list[str]:
    found = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:  # proc_pid_mountinfo(5): blanks, tabs, newlines and backslashes in octal
            point = os.fsdecode(line.split()[4])
            for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
                point = point.replace(octal, character)
            if inside(point, place):
                found.append(point)
    return found


def drop_privileges(uid: int, hidden: bool, reading: bool = False) -> None:
    """An ordinary user without any capability: RLIMIT_NPROC does not bind uid 0, and root can undo most walls.

    `uid`: who to become where we are root. `hidden`: nobody of the same user may look into this process (its memory can
    then not be measured from outside either); needed only where no pid namespace separates it from others. `reading`:
    keep CAP_DAC_READ_SEARCH, with which root's own folders can be read; only where Landlock says which ones, or
    the code is trusted.
    """
    kept = CAP_DAC_READ_SEARCH if reading and os.geteuid() == 0 else 0
    if kept:
        check(LIBC.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps")
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    if os.geteuid() == 0:
        os.setgroups([])
        try:
            os.setresgid(uid, uid, uid)
        except OSError:  # a container may have fewer ids than that: user_namespaces(7)
            uid = NOBODY
            os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("<Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    check(LIBC.capset(header, struct.pack("<6I", kept, kept, 0, 0, 0, 0)), "capset")  # effective, permitted
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if hidden:
        check(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def limit_resources(limits: Limits, others: int = 0) -> None:
    """setrlimit(2), after the user id was dropped. Memory over all processes is watched from outside.

    `others`: threads that the user runs already and that count too where no user namespace is around.
    """
    pairs = (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes + others),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, limits.memory_bytes + 2**30),  # torch's own heaps are in it from the start
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, SIGNALS),  # half a kilobyte of the kernel's each, timers too
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_NICE, 0),
    )
    for which, most in pairs:
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))


def threads_of(uid: int) -> int:
    """How many threads a user runs, as far as /proc shows them."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{entry}/task"))
    return count


def close_inherited(keep: list[int]) -> None:
    """Close every descriptor but 0, 1, 2 and those to keep."""
    kept = sorted({0, 1, 2, *keep})
    for low, high in zip(kept, [*kept[1:], 2**32 - 1], strict=True):
        first, last = low + 1, high - 1 if high != 2**32 - 1 else high
        if first > last:
            continue
        try:
            syscall(SYS_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), 0)
        except OSError:
            os.closerange(first, min(last, 4096) + 1)


def enter(doors: list[int]) -> None:
    """Go into the control groups, first in line where the system runs out of memory: proc_pid_oom_score_adj(5)."""
    for door in doors:
        with contextlib.suppress(OSError):
            os.write(door, b"0")
        os.close(door)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends: prctl(2), PR_SET_CHILD_SUBREAPER."""
    check(LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")


def die_with_parent(signal: int = 9) -> None:
    """SIGKILL when the parent ends: nothing outlives the judge. A change of user id undoes this: prctl(2)."""
    check(LIBC.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "pdeathsig")
