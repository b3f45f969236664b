"""The two walls that a process builds around itself in the kernel: Landlock for files, seccomp for system calls.

By ctypes on libc: the Python bindings for Landlock are development releases, those for seccomp need a system library.
Man pages: landlock(7), landlock_add_rule(2), seccomp(2), bpf(4) of the BSDs for the instructions. The list of calls is
calls.csv; Landlock is documented not to cover mode, owner, times, attributes, locks and notices of files, and no socket
but TCP: these are refused where no namespace covers them. It covers no question either: stat(2) and access(2) say
whether a file exists whose name is guessed.
"""

from __future__ import annotations

import csv
import ctypes
import os
import platform
import struct
from functools import cache
from pathlib import Path

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


def landlock(readable: list[str], writable: list[str], hidden: list[str], abi: int) -> None:
    """From here on only these places can be read, or read and written; no TCP, signals and abstract sockets inside.

    `hidden`: folders inside readable places that stay closed. Rules can only add, so their neighbours are named one by
    one, and the folders on the way to them can be listed but not read. `abi`: what this version knows is asked for, at
    most the kernel's own. Raises OSError where the kernel has no Landlock.
    """
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
NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
EPERM, ENOTTY, ENOSYS, ENOTSUP = 1, 25, 38, 95
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NOTHING = ERRNO  # without a number: the call is answered with 0, and nothing is done
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
PR_SET_SECCOMP = 22
ANY = 0xFFFFFFFF
F_SETFL, O_ASYNC, O_TRUNC, O_ACCMODE = 4, 0o20000, 0o1000, 3
# DUPFD, GETFD, SETFD, GETFL, SETFL, GETLK, SETLK, SETLKW, OFD_GETLK, OFD_SETLK, OFD_SETLKW, DUPFD_CLOEXEC, GETPIPE_SZ,
# ADD_SEALS, GET_SEALS. Not SETOWN, SETSIG, SETLEASE, NOTIFY, which signal to others or watch them, nor SETPIPE_SZ.
FCNTL = (0, 1, 2, 3, F_SETFL, 5, 6, 7, 36, 37, 38, 1030, 1032, 1033, 1034)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2. Not FIOASYNC, FIOSETOWN, TIOCSTI, nor any device's.
IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)
# GET_PDEATHSIG, GET_DUMPABLE, SET_NAME, GET_NAME, CAPBSET_READ, SET_TIMERSLACK, GET_TIMERSLACK, GET_CHILD_SUBREAPER,
# SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS, GET_TID_ADDRESS, SET_THP_DISABLE, GET_THP_DISABLE, SVE_SET_VL, SVE_GET_VL,
# GET_SPECULATION_CTRL, SET_VMA, GET_AUXV.
PRCTL = (2, 3, 15, 16, 23, 29, 30, 37, 38, 39, 40, 41, 42, 50, 51, 52, 0x53564D41, 0x41555856)
PR_SET_PDEATHSIG = 1
BUFFERS = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF and their FORCE forms
Test = tuple[int, int, int]  # index of an argument, mask, value


def seccomp(alone: bool, abi: int) -> None:
    """Allow what honest code calls, refuse the rest: others' memory, mounts, namespaces, sockets but AF_UNIX.

    `alone`: network, pid and mount namespaces surround the process. Without them Landlock says which files can be
    opened, and this what else could be done to others: mode, owner, times and attributes of their files, priorities,
    queues. No socket can be made at all, as Landlock lets a process connect to any UNIX socket of its user;
    socketpair(2) stays.
    `abi`: the version of Landlock in force. Raises OSError on another machine than x86_64 and aarch64.
    """
    code = program(platform.machine(), alone, abi)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(filter_, len(filter_))
    check(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(holder)), 0, 0), "seccomp")


@cache
def calls(machine: str) -> dict[str, tuple[int, str]]:
    """Name -> number and rule of calls.csv. Raises OSError for a machine whose numbers are not known here."""
    if machine not in ARCHITECTURES:
        raise OSError(f"no seccomp filter for {machine}")
    lines = Path(__file__).with_name("calls.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["name"]: (int(row[machine]), row["rule"]) for row in rows if row[machine]}


def program(machine: str, alone: bool, abi: int) -> bytes:
    """The filter as instructions of 8 bytes. Raises OSError for a machine whose numbers are not known here."""
    # The kernel runs it from above with the number of the call at hand: `when` compares that, and where arguments count
    # loads, masks and compares each, jumping over its verdict at the first that differs. Special cases come first, then
    # every call by its kind in the table; what is left at the end is unknown: ENOSYS, on which libraries fall back.
    known = calls(machine)
    refused = ERRNO | EPERM
    verdicts = {
        "allow": ALLOW,
        "alone": ALLOW if alone else refused,
        "own": ALLOW if alone else refused,
        "abi3": ALLOW if alone or abi >= 3 else refused,
        "abi6": ALLOW if alone or abi >= SCOPED_ABI else refused,
        "quiet": ALLOW if alone else NOTHING,
        "xattr": ALLOW if alone else ERRNO | ENOTSUP,
    }
    lines: list[bytes] = []

    def emit(code: int, jump_true: int, jump_false: int, value: int) -> None:
        lines.append(struct.pack("<HBBI", code, jump_true, jump_false, value))

    def when(name: str, verdict: int, *tests: Test) -> None:
        """Decide on a call where all tests of its arguments hold. Lower halves: the kernel takes them for int."""
        if name not in known:
            return
        emit(EQUAL, 0, 3 * len(tests) + 1 + bool(tests), known[name][0])
        for left, (index, mask, value) in zip(range(len(tests), 0, -1), tests, strict=True):
            emit(LOAD, 0, 0, 16 + 8 * index)
            emit(AND, 0, 0, mask)
            emit(EQUAL, 0, 3 * (left - 1) + 1, value)
        emit(RETURN, 0, 0, verdict)
        if tests:
            emit(LOAD, 0, 0, 0)  # the number again, for what follows

    def only(name: str, refusal: int, index: int, values: tuple[int, ...]) -> None:
        for value in values:
            when(name, ALLOW, (index, ANY, value))
        when(name, refusal)

    emit(LOAD, 0, 0, 4)  # architecture: another one has other numbers
    emit(EQUAL, 1, 0, ARCHITECTURES[machine])
    emit(RETURN, 0, 0, KILL)
    emit(LOAD, 0, 0, 0)  # number of the call
    if machine == "x86_64":
        emit(AT_LEAST, 0, 1, 0x40000000)  # x32
        emit(RETURN, 0, 0, KILL)
    if not alone:
        for name, flags in (("open", 1), ("openat", 2)):
            # Opened neither to read nor to write, but to lock and the like; below ABI 3 also to truncate: open(2).
            when(name, refused, (flags, O_ACCMODE, O_ACCMODE))
            if abi < 3:
                when(name, refused, (flags, O_ACCMODE | O_TRUNC, O_TRUNC))
        only("socket", refused, 0, ())
        when("setpriority", ALLOW, (0, ANY, 0), (1, ANY, 0))  # one's own, as nice(3) asks for
        for name, (_, rule) in known.items():
            if rule == "own":
                only(name, refused, 0, (0,))
    when("setpriority", ALLOW if alone else refused)
    # Its flags lie in memory, where no filter can look; libc falls back on clone.
    when("clone3", ERRNO | ENOSYS)
    when("clone", ALLOW, (0, NAMESPACES, 0))
    when("clone", refused)
    only("socket", refused, 0, (1,))  # AF_UNIX
    only("socketpair", refused, 0, (1,))
    for option in BUFFERS:  # kernel memory that no process maps
        when("setsockopt", refused, (2, ANY, option))
    when("setsockopt", ALLOW)
    when("fcntl", refused, (1, ANY, F_SETFL), (2, O_ASYNC, O_ASYNC))
    only("fcntl", refused, 1, FCNTL)
    only("ioctl", ERRNO | ENOTTY, 1, IOCTL)
    # Each session is weighed like a whole user by sched(7), and who is deaf to its parent's end outlives the judge.
    when("setsid", NOTHING)
    when("prctl", NOTHING, (0, ANY, PR_SET_PDEATHSIG))
    only("prctl", refused, 0, PRCTL)
    if verdicts["abi6"] == ALLOW:
        when("tgkill", ALLOW)
    only("tgkill", refused, 0, (os.getpid(),))  # raise(3) and abort(3)
    for first, last, verdict in _ranges({n: verdicts.get(rule, refused) for n, rule in known.values()}):
        emit(AT_LEAST, 0, 2, first)
        emit(AT_LEAST, 1, 0, last + 1)
        emit(RETURN, 0, 0, verdict)
    emit(RETURN, 0, 0, ERRNO | ENOSYS)
    return b"".join(lines)


def _ranges(verdicts: dict[int, int]) -> list[tuple[int, int, int]]:
    """First and last number of each run with one verdict."""
    found: list[tuple[int, int, int]] = []
    for number, verdict in sorted(verdicts.items()):
        if found and found[-1][1:] == (number - 1, verdict):
            found[-1] = found[-1][0], number, verdict
        else:
            found.append((number, number, verdict))
    return found
