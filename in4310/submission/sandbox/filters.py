"""The two walls that a process builds around itself in the kernel: Landlock for files, seccomp for system calls.

By ctypes on libc: the Python bindings for Landlock are development releases, those for seccomp need a system library.
Man pages: landlock(7), landlock_add_rule(2), seccomp(2), bpf(4) of the BSDs for the instructions.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

from in4310.submission.sandbox.system import LIBC, check, inside, syscall

# -- Landlock ---------------------------------------------------------------------------------------------------------

SYS_CREATE, SYS_ADD, SYS_RESTRICT = 444, 445, 446  # the same on x86_64 and aarch64
LIST = 1 << 3
READ = 1 | (1 << 2) | LIST  # execute, read a file, read a folder
OF_FILES = 1 | 2 | 4 | (1 << 14) | (1 << 15)  # rights of folders are refused on files
ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
SCOPED_ABI = 6  # from here on signals and abstract sockets stay inside


def landlock_abi() -> int:
    """Version of the kernel's Landlock, 0 where there is none."""
    result = LIBC.syscall(ctypes.c_long(SYS_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, int(result))


def landlock(readable: list[str], writable: list[str], hidden: list[str]) -> None:
    """From here on only these places can be read, or read and written; no TCP, signals and abstract sockets inside.

    `hidden`: folders inside readable places that stay closed. Rules can only add, so their neighbours are named one by
    one, and the folders on the way to them can be listed but not read. Raises OSError where the kernel has no Landlock.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError("the kernel has no Landlock")
    handled = ALL_BY_ABI[min(abi, 5)]
    network = 3 if abi >= 4 else 0  # bind and connect of TCP: no rule allows any
    scoped = 3 if abi >= SCOPED_ABI else 0
    attributes = struct.pack("<QQQ", handled, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = syscall(SYS_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for place in readable:
            for path, allowed in around(place, hidden):
                _allow(ruleset, path, allowed)
        for place in writable:
            _allow(ruleset, place, handled)
        syscall(SYS_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def around(place: str, hidden: list[str]) -> list[tuple[str, int]]:
    """Places and their rights that together open `place` but nothing inside the hidden folders."""
    if any(inside(place, folder) for folder in hidden):
        return []
    if not any(inside(folder, place) for folder in hidden):
        return [(place, READ)]
    found = [(place, LIST)]
    for name in sorted(os.listdir(place)):
        entry = os.path.join(place, name)
        if not os.path.islink(entry):  # what it leads to has a rule of its own, or none
            found += around(entry, hidden)
    return found


def _allow(ruleset: int, place: str, allowed: int) -> None:
    try:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(place):
            allowed &= OF_FILES
        rule = struct.pack("<Qi", allowed, descriptor)
        syscall(SYS_ADD, ruleset, 1, rule, 0)
    finally:
        os.close(descriptor)


# -- seccomp: a classic BPF program by hand ----------------------------------------------------------------------------

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
DENIED = {  # name: (x86_64, aarch64)
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "open_tree": (428, 428), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262), "personality": (135, 92), "acct": (163, 89), "swapon": (167, 224),
    "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116), "lookup_dcookie": (212, 18),
    "vhangup": (153, 58), "move_pages": (279, 239), "migrate_pages": (256, 238),
    # Memory that no process maps is counted by no watchdog: memfd_create(2), shmget(2), msgget(2).
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190),
}  # fmt: skip
# Where no namespace stands between a child and the other processes and message queues of its user:
SHARED = {"setpriority": (141, 140), "ioprio_set": (251, 30), "mq_open": (240, 180)}
SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
           "pidfd_send_signal": (424, 424)}  # fmt: skip
OWN_ONLY = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
            "sched_setparam": (142, 118), "sched_setattr": (314, 274)}  # fmt: skip
SOCKET, SOCKETPAIR, CLONE, CLONE3, TGKILL = (41, 198), (53, 199), (56, 220), (435, 435), (234, 131)
NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
EPERM, ENOSYS = 1, 38
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
PR_SET_SECCOMP = 22


def seccomp(alone: bool, signals: bool = True) -> None:
    """Refuse what no honest code calls: other processes' memory, mounts, new namespaces, sockets but AF_UNIX.

    `alone`: a network and a pid namespace surround the process. Without them no socket can be made at all, as Landlock
    lets a process connect to any UNIX socket of its user (the session bus, a container daemon); socketpair(2) stays.
    `signals`: whether signals may be sent. Raises OSError on another machine than x86_64 and aarch64.
    """
    code = program(platform.machine(), alone, signals)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(filter_, len(filter_))
    check(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(holder)), 0, 0), "seccomp")


def program(machine: str, alone: bool, signals: bool) -> bytes:
    """The filter as instructions of 8 bytes. Raises OSError for a machine whose numbers are not known here."""
    if machine not in ARCHITECTURES:
        raise OSError(f"no seccomp filter for {machine}")
    column = 0 if machine == "x86_64" else 1
    lines: list[bytes] = []

    def emit(code: int, jump_true: int, jump_false: int, value: int) -> None:
        lines.append(struct.pack("<HBBI", code, jump_true, jump_false, value))

    def first_argument(numbers: tuple[int, int], value: int, mask: int = 0xFFFFFFFF) -> None:
        """Allow a call only where its first argument, masked, is `value`. Its lower half: the kernel takes an int."""
        emit(EQUAL, 0, 5, numbers[column])
        emit(LOAD, 0, 0, 16)
        emit(AND, 0, 0, mask)
        emit(EQUAL, 1, 0, value)
        emit(RETURN, 0, 0, ERRNO | EPERM)
        emit(RETURN, 0, 0, ALLOW)

    emit(LOAD, 0, 0, 4)  # architecture: another one has other numbers
    emit(EQUAL, 1, 0, ARCHITECTURES[machine])
    emit(RETURN, 0, 0, KILL)
    emit(LOAD, 0, 0, 0)  # number of the call
    if column == 0:
        emit(AT_LEAST, 0, 1, 0x40000000)  # x32
        emit(RETURN, 0, 0, KILL)
    denied = DENIED if alone else DENIED | SHARED | {"socket": SOCKET}
    for numbers in (denied if signals else denied | SIGNALS).values():
        emit(EQUAL, 0, 1, numbers[column])
        emit(RETURN, 0, 0, ERRNO | EPERM)
    emit(
        EQUAL, 0, 1, CLONE3[column]
    )  # its flags lie in memory, where no filter can look; libc falls back on clone
    emit(RETURN, 0, 0, ERRNO | ENOSYS)
    for numbers in (SOCKET, SOCKETPAIR):
        first_argument(numbers, 1)  # AF_UNIX
    first_argument(CLONE, 0, NAMESPACES)
    if not signals:
        first_argument(TGKILL, os.getpid())  # raise(3) and abort(3)
    for numbers in () if alone else OWN_ONLY.values():
        first_argument(numbers, 0)
    emit(RETURN, 0, 0, ALLOW)
    return b"".join(lines)
