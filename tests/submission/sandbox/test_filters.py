"""The system-call filter, run by an interpreter of its instructions for both machines, and Landlock in a process."""

import ctypes
import fcntl
import os
import struct

import pytest

from in4310.submission.sandbox import filters
from in4310.submission.sandbox.filters import (
    ALLOW,
    ARCHITECTURES,
    ENOSYS,
    ENOTTY,
    EPERM,
    ERRNO,
    KILL,
    around,
    calls,
    program,
)

MACHINES = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


def decide(code, architecture, number, *arguments):
    """What a filter answers to a call: an interpreter of the instructions that are used."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    lines = list(struct.iter_unpack("<HBBI", code))
    place = value = 0
    while True:
        operation, yes, no, k = lines[place]
        place += 1
        if operation == filters.LOAD:
            (value,) = struct.unpack_from("<I", data, k)
        elif operation == filters.AND:
            value &= k
        elif operation == filters.EQUAL:
            place += yes if value == k else no
        elif operation == filters.AT_LEAST:
            place += yes if value >= k else no
        else:
            assert operation == filters.RETURN
            return k


def asking(machine, alone, abi):
    """What the filter says of a call, by its name or number, with these arguments."""
    code, own, known = program(machine, alone, abi), ARCHITECTURES[machine], calls(machine)
    return lambda call, *arguments: decide(code, own, known[call][0] if call in known else call, *arguments)


REFUSED, UNKNOWN = ERRNO | EPERM, ERRNO | ENOSYS


@MACHINES
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("abi", range(1, 8))
def test_what_the_filter_decides(machine, alone, abi):
    known, asked = calls(machine), asking(machine, alone, abi)
    granted = {
        "allow": True,
        "refuse": False,
        "alone": alone,
        "abi3": alone or abi >= 3,
        "abi6": alone or abi >= 6,
    }
    for name, (_, rule) in known.items():
        if rule in granted and name not in ("open", "openat"):
            assert asked(name) == (ALLOW if granted[rule] else REFUSED), name
        elif rule in ("quiet", "xattr"):  # nothing is done, as if it were; not supported
            assert asked(name) == (ALLOW if alone else ERRNO | (95 if rule == "xattr" else 0)), name
    numbers = {number for number, _ in known.values()}
    assert {asked(n) for n in set(range(1200)) - numbers} == {UNKNOWN}
    assert asked("clone3") == UNKNOWN
    for family in range(46):
        allowed = ALLOW if family == 1 else REFUSED
        assert asked("socketpair", family) == allowed
        assert asked("socket", family) == (allowed if alone else REFUSED)
    threads, fork = 0x3D0F00, 17
    for flags in (threads, fork):
        assert asked("clone", flags) == ALLOW
        for bit in (17, 25, 26, 27, 28, 29, 30):
            assert asked("clone", flags | 1 << bit) == REFUSED
    for name in (n for n, (_, rule) in known.items() if rule == "own"):
        assert asked(name, 0) == ALLOW
        assert asked(name, 4711) == (ALLOW if alone else REFUSED)
    assert asked("tgkill", os.getpid()) == ALLOW
    assert asked("tgkill", 1) == (ALLOW if granted["abi6"] else REFUSED)
    assert {asked(name) for name in ("read", "write", "exit_group", "futex", "openat")} == {ALLOW}


@MACHINES
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("abi", range(1, 8))
def test_arguments_that_reach_others_or_hold_memory(machine, alone, abi):
    known, asked = calls(machine), asking(machine, alone, abi)
    for command in (
        8,
        10,
        15,
        1024,
        1026,
        1031,
        1037,
        99,
    ):  # SETOWN, SETSIG, SETOWN_EX, LEASE, NOTIFY, SETPIPE_SZ
        assert asked("fcntl", 3, command, 0) == REFUSED
        assert asked("fcntl", 3, command | 1 << 32, 0) == REFUSED  # the kernel takes the lower half
    for command in (0, 1, 2, 3, 5, 6, 7, 1030):
        assert asked("fcntl", 3, command, 0o20000) == ALLOW
    assert asked("fcntl", 3, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND) == ALLOW
    assert asked("fcntl", 3, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC) == REFUSED
    for request in (
        0x5452,
        0x8901,
        0x8902,
        0x5412,
        0x541C,
        0x40049409,
    ):  # FIOASYNC, FIOSETOWN, SIOCSPGRP, TIOCSTI ...
        assert asked("ioctl", 0, request) == ERRNO | ENOTTY
    assert asked("ioctl", 0, 0x5401) == asked("ioctl", 0, 0x5421) == ALLOW
    for option in (7, 8, 32, 33):
        assert asked("setsockopt", 3, 1, option) == REFUSED
    assert asked("setsockopt", 3, 1, 16) == ALLOW
    assert asked("prctl", 1, 0) == asked("setsid") == ERRNO  # done without being done
    for option in (4, 22, 31, 35, 36, 59, 0x59616D61):  # SET_DUMPABLE, SECCOMP, TSC, MM, SUBREAPER, PTRACER
        assert asked("prctl", option) == REFUSED
    assert asked("prctl", 15) == asked("prctl", 38) == ALLOW
    assert asked("setpriority", 0, 0, 19) == ALLOW
    for which, who in ((0, 4711), (1, 0), (2, 0)):
        assert asked("setpriority", which, who, 19) == (ALLOW if alone else REFUSED)
    for name, place in (("open", 1), ("openat", 2)):
        if name in known:
            for flags in (
                os.O_RDONLY,
                os.O_RDWR | os.O_TRUNC,
                os.O_WRONLY | os.O_TRUNC | os.O_CREAT,
                os.O_PATH,
            ):
                assert asked(name, *[0] * place, flags) == ALLOW
            assert asked(name, *[0] * place, 3) == (ALLOW if alone else REFUSED)
            assert asked(name, *[0] * place, 3 | os.O_TRUNC) == (ALLOW if alone else REFUSED)
            emptied = REFUSED if not alone and abi < 3 else ALLOW
            assert asked(name, *[0] * place, os.O_RDONLY | os.O_TRUNC | os.O_CLOEXEC) == emptied


def test_the_numbers_are_those_of_libseccomp():
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("no libseccomp here")
    for machine, architecture in ARCHITECTURES.items():
        known = calls(machine)
        for name, (number, _) in known.items():
            said = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(architecture), name.encode())
            assert said in (number, -1), name  # -1: too new for it
        assert len({number for number, _ in known.values()}) == len(known)


def test_nothing_that_the_deny_list_had_is_allowed():
    """The list of what was refused by name before, each with its reason in a man page."""
    for machine in ARCHITECTURES:
        known = calls(machine)
        denied = """ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease mount umount2
            pivot_root chroot mount_setattr move_mount fsopen fsconfig fsmount fspick open_tree unshare setns bpf keyctl add_key
            request_key perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module delete_module
            io_uring_setup io_uring_enter io_uring_register open_by_handle_at name_to_handle_at fanotify_init personality acct
            swapon swapoff reboot sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex quotactl
            quotactl_fd syslog lookup_dcookie vhangup move_pages migrate_pages memfd_create memfd_secret shmget msgget semget"""
        assert {known[name][1] for name in denied.split()} == {"refuse"}


@MACHINES
def test_another_architecture_is_killed(machine):
    code = program(machine, True, 7)
    for other in (0x40000003, 0xC00000B7 if machine == "x86_64" else 0xC000003E, 0):  # i386
        assert decide(code, other, 1) == KILL


def test_the_numbers_of_x32_are_killed():
    assert decide(program("x86_64", True, 7), ARCHITECTURES["x86_64"], 0x40000000 | 101) == KILL


def test_an_unknown_machine_has_no_filter():
    with pytest.raises(OSError, match="riscv64"):
        program("riscv64", True, 7)


@pytest.fixture
def packages(tmp_path):
    for name in ("torch/nn", "in4310/judging", "numpy"):
        (tmp_path / "lib" / "packages" / name).mkdir(parents=True)
    for name in ("torch/nn/a.py", "in4310/__init__.py", "in4310/judging/labels.py", "single.py"):
        (tmp_path / "lib" / "packages" / name).write_text("x")
    return tmp_path / "lib"


def test_neighbours_of_a_hidden_folder_are_named(packages):
    hidden = [str(packages / "packages" / "in4310")]
    found = {os.path.relpath(place, packages): allowed for place, allowed in around(str(packages), hidden)}
    assert found == {
        ".": filters.LIST,
        "packages": filters.LIST,
        "packages/numpy": filters.READ,
        "packages/single.py": filters.READ,
        "packages/torch": filters.READ,
    }
    assert around(hidden[0] + "/judging", hidden) == []


@pytest.mark.skipif(filters.LIBC is None or filters.landlock_abi() < 1, reason="the kernel has no Landlock")
def test_a_hidden_folder_is_closed_and_its_neighbours_are_not(packages):
    folder = packages / "packages"
    hidden = folder / "in4310"
    pid = os.fork()
    if pid == 0:
        opened = 0
        try:
            filters.LIBC.prctl(38, 1, 0, 0, 0)
            filters.landlock([str(packages)], [], [str(hidden)], filters.landlock_abi())
            for bit, path in enumerate(
                [
                    folder / "torch/nn/a.py",
                    folder / "single.py",
                    hidden / "__init__.py",
                    hidden / "judging/labels.py",
                ]
            ):
                try:
                    os.close(os.open(path, os.O_RDONLY))
                    opened |= 1 << bit
                except PermissionError:
                    pass
            list(folder.iterdir())
        except BaseException:
            opened = 99
        os._exit(opened)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0b0011
