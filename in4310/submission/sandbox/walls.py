"""The walls around a confined child, each one function, applied from inside it and never taken down.

By ctypes on libc: the Python bindings for Landlock are development releases, those for seccomp need a system library.
Man pages: unshare(2), mount_namespaces(7), pid_namespaces(7), pivot_root(2), mount_setattr(2), landlock(7), seccomp(2),
capabilities(7), prctl(2), setrlimit(2), close_range(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
PRIVATE = ("/tmp", "/dev/shm")  # what a child may write to

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18)  # fmt: skip
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 4, 24, 38, 22
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_MOUNT_SETATTR, SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT, SYS_CLOSE_RANGE = (
    442,
    444,
    445,
    446,
    436,
)


@dataclass(frozen=True)
class Limits:
    """What one submission's code may use. Times in seconds, sizes in bytes; memory is the sum over its processes."""

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


def _check(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(number: int, *arguments: object) -> int:
    return _check(LIBC.syscall(ctypes.c_long(number), *arguments), f"syscall {number}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, options)]
    result = LIBC.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    _check(result, f"mount {target}")


def unshare_all() -> None:
    """New user (where we are not root), mount, pid, network, ipc and uts namespaces: unshare(2).

    The pid namespace holds the children of the caller, which must fork once more.
    """
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        _check(LIBC.unshare(flags), "unshare")
        return
    _check(LIBC.unshare(flags | CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")  # user_namespaces(7): before gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def readable_places() -> list[str]:
    """What of the system a child may read: libraries and Python, never homes, data, checks or other submissions."""
    places = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime",
              "/etc/ssl/openssl.cnf", "/etc/alternatives"]  # fmt: skip
    places += [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    places += [p for p in sys.path if "site-packages" in p or "dist-packages" in p or "lib-dynload" in p]
    found: list[str] = []
    for place in dict.fromkeys(places):
        if place and os.path.exists(place) and not any(_inside(place, other) for other in found):
            found.append(place)
    return found


def _inside(place: str, other: str) -> bool:
    return place == other or place.startswith(other.rstrip("/") + "/")


def new_root(base: str, folder: str | None, limits: Limits) -> None:
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
    for path in (os.path.join(p, "in4310") for p in sys.path if "-packages" in p):
        if os.path.isdir(base + path):
            _mount("tmpfs", base + path, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=0755")
    for device in ("null", "zero", "full", "random", "urandom"):
        _bind(f"/dev/{device}", f"{base}/dev/{device}")
    if folder is not None:
        _bind(folder, base + "/submission")
    _read_only(base)
    os.makedirs(base + "/proc", exist_ok=True)
    # Containers may forbid a new /proc (it is partly covered there); nothing here needs one.
    with contextlib.suppress(OSError):
        _mount("proc", base + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(base)
    machine = platform.machine()
    _syscall(SYS_PIVOT_ROOT[machine], b".", b".")  # pivot_root(2): the old root lies under the new one
    _check(LIBC.umount2(b".", 2), "umount2")  # MNT_DETACH
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


def _read_only(base: str) -> None:
    """Everything mounted below, read-only and without set-user-id: mount_setattr(2), recursively."""
    attributes = struct.pack("<QQQQ", 1 | 2, 0, 0, 0)  # MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID
    for entry in sorted(os.listdir(base)):
        place = os.path.join(base, entry)
        if os.path.islink(place):
            continue
        for mounted in _mounts_below(place):
            if mounted in [base + private for private in PRIVATE]:
                continue
            _syscall(SYS_MOUNT_SETATTR, -100, mounted.encode(), 0x8000, attributes, len(attributes))


def _mounts_below(place: str) -> list[str]:
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            point = line.split()[4].replace("\\040", " ")
            if _inside(point, place):
                found.append(point)
    return found


def drop_privileges(hidden: bool) -> None:
    """An ordinary user without any capability: RLIMIT_NPROC does not bind uid 0, and root can undo most walls.

    `hidden`: nobody of the same user may look into this process (its memory can then not be measured from outside
    either); needed only where no pid namespace separates it from others.
    """
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header = struct.pack("<Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _check(LIBC.capset(header, struct.pack("<6I", *[0] * 6)), "capset")
    _check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if hidden:
        _check(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def limit_resources(limits: Limits) -> None:
    """setrlimit(2), after the user id was dropped. Memory over all processes is watched from outside."""
    pairs = (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, limits.memory_bytes + 2**30),  # torch's own heaps are in it from the start
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )
    for which, most in pairs:
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))


def close_inherited(keep: list[int]) -> None:
    """Close every descriptor but 0, 1, 2 and those to keep."""
    kept = sorted({0, 1, 2, *keep})
    for low, high in zip(kept, [*kept[1:], 2**32 - 1], strict=True):
        first, last = low + 1, high - 1 if high != 2**32 - 1 else high
        if first > last:
            continue
        try:
            _syscall(SYS_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), 0)
        except OSError:
            os.closerange(first, min(last, 4096) + 1)


# -- Landlock: landlock(7) --------------------------------------------------------------------------

READ = 1 | (1 << 2) | (1 << 3)  # execute, read a file, read a folder
ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}


def landlock_abi() -> int:
    """Version of the kernel's Landlock, 0 where there is none."""
    result = LIBC.syscall(ctypes.c_long(SYS_LANDLOCK_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, int(result))


def landlock(readable: list[str], writable: list[str]) -> None:
    """From here on only these places can be read, or read and written; no TCP, signals and abstract sockets inside."""
    abi = landlock_abi()
    if abi < 1:
        raise OSError("the kernel has no Landlock")
    handled = ALL_BY_ABI[min(abi, 5)]
    network = 3 if abi >= 4 else 0  # bind and connect of TCP: no rule allows any
    scoped = 3 if abi >= 6 else 0  # abstract UNIX sockets and signals stay inside
    attributes = struct.pack("<QQQ", handled, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = _syscall(SYS_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for places, allowed in ((readable, READ), (writable, handled)):
            for place in places:
                _landlock_allow(ruleset, place, allowed & handled)
        _syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _landlock_allow(ruleset: int, place: str, allowed: int) -> None:
    try:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(place):
            allowed &= 1 | 2 | 4 | (1 << 14) | (1 << 15)  # rules of folders are refused on files
        rule = struct.pack("<Qi", allowed, descriptor)
        _syscall(SYS_LANDLOCK_ADD, ruleset, 1, rule, 0)
    finally:
        os.close(descriptor)


# -- seccomp: seccomp(2), a classic BPF program by hand ----------------------------------------------

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
DENIED = {  # name: (x86_64, aarch64)
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "kexec_load": (246, 104), "init_module": (175, 105),
    "finit_module": (313, 273), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "personality": (135, 92), "acct": (163, 89),
    "swapon": (167, 224), "reboot": (169, 142), "sethostname": (170, 161), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "mount_setattr": (442, 442), "move_mount": (429, 429), "fsopen": (430, 430),
    "open_tree": (428, 428), "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "quotactl": (179, 60),
    "syslog": (103, 116), "lookup_dcookie": (212, 18), "vhangup": (153, 58), "memfd_secret": (447, 447),
}  # fmt: skip
SOCKET, SOCKETPAIR, CLONE, CLONE3 = (41, 198), (53, 199), (56, 220), (435, 435)
EPERM, ENOSYS = 1, 38
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000


def seccomp() -> None:
    """Refuse what no honest code calls: other processes' memory, mounts, new namespaces, sockets but AF_UNIX."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(f"no seccomp filter for {machine}")
    column = 0 if machine == "x86_64" else 1
    program: list[bytes] = []

    def emit(code: int, jump_true: int, jump_false: int, value: int) -> None:
        program.append(struct.pack("<HBBI", code, jump_true, jump_false, value))

    load, equal, at_least, and_, give = 0x20, 0x15, 0x35, 0x54, 0x06
    emit(load, 0, 0, 4)  # architecture: another one has other numbers
    emit(equal, 1, 0, ARCHITECTURES[machine])
    emit(give, 0, 0, RET_KILL)
    emit(load, 0, 0, 0)  # number of the call
    if column == 0:
        emit(at_least, 0, 1, 0x40000000)  # x32
        emit(give, 0, 0, RET_KILL)
    for numbers in DENIED.values():
        emit(equal, 0, 1, numbers[column])
        emit(give, 0, 0, RET_ERRNO | EPERM)
    emit(
        equal, 0, 1, CLONE3[column]
    )  # its flags lie in memory, where no filter can look; libc falls back on clone
    emit(give, 0, 0, RET_ERRNO | ENOSYS)
    for numbers in (SOCKET, SOCKETPAIR):
        emit(equal, 0, 4, numbers[column])
        emit(load, 0, 0, 16)  # first argument: the family
        emit(equal, 1, 0, 1)  # AF_UNIX
        emit(give, 0, 0, RET_ERRNO | EPERM)
        emit(give, 0, 0, RET_ALLOW)
    emit(equal, 0, 4, CLONE[column])
    emit(load, 0, 0, 16)
    emit(and_, 0, 0, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
    emit(equal, 1, 0, 0)
    emit(give, 0, 0, RET_ERRNO | EPERM)
    emit(give, 0, 0, RET_ALLOW)
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(filter_, len(filter_))
    _check(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(holder)), 0, 0), "seccomp")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends: prctl(2), PR_SET_CHILD_SUBREAPER."""
    _check(LIBC.prctl(36, 1, 0, 0, 0), "subreaper")


def die_with_parent() -> None:
    """SIGKILL when the parent ends: nothing outlives the judge."""
    _check(LIBC.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0), "pdeathsig")
