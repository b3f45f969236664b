"""The system-call filter, run by an interpreter of its instructions for both machines, and Landlock in a process."""

import os
import struct

import pytest

from in4310.submission.sandbox import filters
from in4310.submission.sandbox.filters import (
    ALLOW,
    ARCHITECTURES,
    ENOSYS,
    EPERM,
    ERRNO,
    KILL,
    around,
    program,
)

MACHINES = pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])


def decide(code, architecture, number, argument=0):
    """What a filter answers to a call: an interpreter of the instructions that are used."""
    data = struct.pack("<IIQQ", number, architecture, 0, argument)
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


@MACHINES
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("signals", [True, False])
def test_what_the_filter_decides(machine, column, alone, signals):
    code, own = program(machine, alone, signals), ARCHITECTURES[machine]
    refused = {**filters.DENIED, **({} if alone else filters.SHARED), **({} if signals else filters.SIGNALS)}
    for name, numbers in refused.items():
        assert decide(code, own, numbers[column]) == ERRNO | EPERM, name
    assert decide(code, own, filters.CLONE3[column]) == ERRNO | ENOSYS
    for family in range(46):
        allowed = ALLOW if family == 1 else ERRNO | EPERM
        assert decide(code, own, filters.SOCKETPAIR[column], family) == allowed
        assert decide(code, own, filters.SOCKET[column], family) == (allowed if alone else ERRNO | EPERM)
    threads, fork = 0x3D0F00, 17
    for flags in (threads, fork):
        assert decide(code, own, filters.CLONE[column], flags) == ALLOW
        for bit in (17, 25, 26, 27, 28, 29, 30):
            assert decide(code, own, filters.CLONE[column], flags | 1 << bit) == ERRNO | EPERM
    for numbers in filters.OWN_ONLY.values():
        assert decide(code, own, numbers[column], 0) == ALLOW
        assert decide(code, own, numbers[column], 4711) == (ALLOW if alone else ERRNO | EPERM)
    assert decide(code, own, filters.TGKILL[column], os.getpid()) == ALLOW
    assert decide(code, own, filters.TGKILL[column], 1) == (ALLOW if signals else ERRNO | EPERM)
    read, write, openat = ((0, 1, 257), (63, 64, 56))[column]
    assert {decide(code, own, number) for number in (read, write, openat)} == {ALLOW}


@MACHINES
def test_another_architecture_is_killed(machine, column):
    code = program(machine, True, True)
    for other in (0x40000003, 0xC00000B7 if column == 0 else 0xC000003E, 0):  # i386
        assert decide(code, other, 1) == KILL


def test_the_numbers_of_x32_are_killed():
    assert decide(program("x86_64", True, True), ARCHITECTURES["x86_64"], 0x40000000 | 101) == KILL


def test_an_unknown_machine_has_no_filter():
    with pytest.raises(OSError, match="riscv64"):
        program("riscv64", True, True)


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
            filters.landlock([str(packages)], [], [str(hidden)])
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
