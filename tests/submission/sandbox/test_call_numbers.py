"""The table of system calls on its two machines: the same names, rules that do not depend on the machine, numbers of the kernel's headers."""

import csv
import re
from pathlib import Path

import pytest

from in4310.submission.sandbox import filters, walls
from in4310.submission.sandbox.filters import ARCHITECTURES, calls

# Calls that aarch64 never had, and what its C library asks instead: the kernel leaves out of newer machines what a newer
# call can do. The rule must be that call's, else a program is let do on one machine what it is refused on the other.
ABSENT = {
    "open": "openat", "creat": "openat", "stat": "newfstatat", "lstat": "newfstatat", "access": "faccessat",
    "readlink": "readlinkat", "getdents": "getdents64", "rename": "renameat2", "mkdir": "mkdirat", "rmdir": "unlinkat",
    "unlink": "unlinkat", "link": "linkat", "symlink": "symlinkat", "mknod": "mknodat", "chmod": "fchmodat",
    "chown": "fchownat", "lchown": "fchownat", "utime": "utimensat", "utimes": "utimensat", "futimesat": "utimensat",
    "poll": "ppoll", "select": "pselect6", "epoll_create": "epoll_create1", "epoll_wait": "epoll_pwait", "pipe": "pipe2",
    "dup2": "dup3", "eventfd": "eventfd2", "signalfd": "signalfd4", "inotify_init": "inotify_init1", "getpgrp": "getpgid",
    "pause": "rt_sigsuspend", "alarm": "setitimer", "time": "clock_gettime",
}  # fmt: skip
# fork is clone without flags, the only one of its forms that stands without arguments; TLS has an instruction there.
ABSENT_WITHOUT_RULE = {"fork", "vfork", "arch_prctl"}
SAME_FROM = 424  # io_uring and later: one number on all machines
HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h",),
}


def rows():
    lines = Path(filters.__file__).with_name("calls.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_each_call_has_a_number_on_both_machines_or_is_known_to_be_absent():
    without = {row["name"] for row in rows() if not row["aarch64"]}
    assert without == set(ABSENT) | ABSENT_WITHOUT_RULE
    assert [row["name"] for row in rows() if not row["x86_64"]] == []
    assert {row["name"] for row in rows()} - without == set(calls("aarch64"))


def test_a_call_that_is_absent_has_the_rule_of_what_stands_for_it():
    known = calls("x86_64")
    differ = {(old, new) for old, new in ABSENT.items() if known[old][1] != known[new][1]}
    assert differ == set()
    assert known["fork"][1] == known["vfork"][1] == "allow"
    assert known["clone"][1] == "argument"


def test_no_number_stands_twice_and_late_ones_are_the_same():
    for machine in ARCHITECTURES:
        numbers = [number for number, _ in calls(machine).values()]
        assert len(set(numbers)) == len(numbers)
    x86, arm = calls("x86_64"), calls("aarch64")
    assert {
        n for n in set(x86) & set(arm) if max(x86[n][0], arm[n][0]) >= SAME_FROM and x86[n] != arm[n]
    } == set()
    assert {n for n in set(x86) & set(arm) if x86[n][1] != arm[n][1]} == set()


def test_the_walls_themselves_use_these_numbers():
    for machine in ARCHITECTURES:
        known = calls(machine)
        own = (walls.SYS_PIVOT_ROOT[machine], walls.SYS_MOUNT_SETATTR, walls.SYS_CLOSE_RANGE)
        assert own == tuple(known[name][0] for name in ("pivot_root", "mount_setattr", "close_range"))


def of_the_headers(machine):
    """Name -> number of the kernel's header; the generic one is aarch64's, in which a call of 64 bits has a name by halves."""
    for place in HEADERS[machine]:
        file = Path("/usr/include") / place
        if file.is_file():
            text = file.read_text()
            found = {
                name: int(number)
                for name, number in re.findall(r"^#define __NR_(\w+)\s+(\d+)$", text, re.MULTILINE)
            }
            halves = dict(re.findall(r"^#define (__NR3264_\w+)\s+(\d+)$", text, re.MULTILINE))
            named = re.findall(r"^#define __NR_(\w+)\s+(__NR3264_\w+)$", text, re.MULTILINE)
            for name, half in named:
                if half in halves:
                    found[name] = int(halves[half])
            return {
                name: number for name, number in found.items() if name != "syscalls"
            }  # how many there are
    pytest.skip(f"no header of the kernel for {machine} here")


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_numbers_are_those_of_the_kernels_headers(machine):
    header = of_the_headers(machine)
    newest = max(header.values())
    wrong = {
        n: (number, header.get(n))
        for n, (number, _) in calls(machine).items()
        if number <= newest and header.get(n) != number
    }
    assert wrong == {}
    assert len(header) > 250


# Called by nothing that honest work was seen to do, and answered as a kernel would that has it not.
UNKNOWN = """inotify_rm_watch io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents landlock_create_ruleset
    landlock_add_rule landlock_restrict_self nfsservctl openat2 remap_file_pages splice tee vmsplice sync syncfs"""
UP_TO = 450  # what headers of Linux 5.17 have; younger ones know more


def test_what_the_headers_have_and_the_table_lacks_is_known():
    x86, arm = of_the_headers("x86_64"), of_the_headers("aarch64")
    both = {name for name in set(x86) & set(arm) if x86[name] <= UP_TO}
    assert both - set(calls("x86_64")) == set(UNKNOWN.split())
