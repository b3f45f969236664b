"""Where control groups may be made: read from /proc as it looks on the systems that there are."""

import os
import sys

import pytest

from in4310.submission.sandbox.cgroups import Group, groups_of_ours, out_of_memory, sweep
from in4310.submission.sandbox.walls import Limits
from in4310.temporary import ours

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of Linux only")


@pytest.fixture
def proc(tmp_path):
    """/proc/self with these lines; `{at}` stands for a folder of the test."""
    tmp_path = tmp_path.resolve()

    def write(cgroup, mountinfo, **subtree):
        for place, controllers in subtree.items():
            folder = tmp_path / place.replace("__", "/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.subtree_control").write_text(controllers)
        (tmp_path / "cgroup").write_text(cgroup)
        (tmp_path / "mountinfo").write_text(mountinfo.replace("{at}", str(tmp_path)))
        return {
            name: os.path.relpath(place, tmp_path) for name, place in groups_of_ours(str(tmp_path)).items()
        }

    return write


V2 = "30 23 0:26 {root} {at}/fs rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("own", "root", "given", "expected"),
    [
        (
            "/user/app/run.scope",
            "/",
            {"fs__user__app": "cpu memory pids", "fs__user__app__run.scope": ""},
            "fs/user/app",
        ),
        ("/user/app", "/", {"fs__user": "", "fs__user__app": "memory"}, "fs/user/app"),
        ("/user/app", "/", {"fs__user": "cpu", "fs__user__app": ""}, None),  # no memory to be had
        ("/docker/1/x", "/docker/1", {"fs": "memory", "fs__x": ""}, "fs"),
        ("/other", "/docker/1", {"fs": "memory"}, None),  # ours is not to be seen
    ],
)
def test_version_2(proc, own, root, given, expected):
    found = proc(f"0::{own}\n", V2.replace("{root}", root), **given)
    assert found.get("memory") == expected
    assert set(found) <= {"memory", "pids", "cpu"}


def test_version_1_and_both(proc):
    mounts = "".join(
        f"3{i} 23 0:2{i} / {{at}}/{names.replace(',', '_')} rw - cgroup cgroup rw,{names}\n"
        for i, names in enumerate(("memory", "cpu,cpuacct", "pids", "freezer"))
    )
    own = "9:name=systemd:/\n4:memory:/api/1\n2:cpu,cpuacct:/\n3:pids:/a b\n0::/\n"
    found = proc(own, mounts + V2.replace("{root}", "/"), fs="hugetlb")
    assert found == {"memory": "memory/api/1", "cpu": "cpu_cpuacct", "pids": "pids/a b"}


@pytest.mark.parametrize("lines", ["", "nonsense\n", "0::\n", ":::::\n"])
def test_what_cannot_be_read_gives_none(proc, lines):
    assert proc(lines, lines) == {}


def test_a_group_is_made_once_and_removed_and_nothing_else_is(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "in4310-group-1-2-3-").mkdir()  # of another pid namespace
    group = Group(ours("group") + "1", Limits(), dict.fromkeys(("memory", "pids", "cpu"), str(tmp_path)))
    assert len(set(group.places.values())) == 1
    assert group.doors() == []  # no kernel behind it
    sweep(dict.fromkeys(("memory", "cpu"), str(tmp_path)))
    assert len(list(tmp_path.iterdir())) == 3
    group.remove()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in4310-group-1-2-3-", "theirs"]
    assert Group("x", Limits(), {"memory": str(tmp_path / "not there")}).places == {}


def v1(kills, **used):
    """Files of version 1: how many were killed, and the most that was used of 1 GiB."""
    files = {"memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n"}
    for kind, most in used.items():
        files |= {f"{kind}.max_usage_in_bytes": f"{most}\n", f"{kind}.limit_in_bytes": f"{2**30}\n"}
    return files


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.events": "low 0\noom 3\noom_kill 2\n"}, True),
        (
            {"memory.events": "low 0\noom 0\noom_kill 2\n"},
            False,
        ),  # the machine's want, or of a group around it
        ({"memory.events": "oom 1\noom_kill 0\n"}, None),
        ({"memory.events": "oom_kill 0\n"}, None),
        (v1(1, memory=2**30), True),
        (v1(1, memory=2**30 - 2**20), True),
        (v1(1, memory=2**29), False),
        (v1(1, memory=2**29) | v1(1, **{"memory.memsw": 2**30}), True),
        (v1(0, memory=2**30), None),
        ({"memory.events": "nonsense\n"}, None),
        ({}, None),
    ],
)
def test_what_the_kernel_ended(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert out_of_memory(str(tmp_path)) is expected
    assert out_of_memory(None) is None
