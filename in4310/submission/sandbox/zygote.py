"""The process that has imported torch and computes nothing: it forks a confined child for each request.

Run by the judge in Python's isolated mode (-I) with a minimal environment: it holds no secret. It must not compute: a
child forked after a backward pass or a multi-threaded operation would hang.

For each request it forks a keeper, which stays outside the walls, adopts what the child leaves behind, and ends it; the
keeper forks the child: pid_namespaces(7) take effect for children only.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import platform
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from in4310.submission.sandbox import cgroups, filters, walls
from in4310.submission.sandbox.visible import unreachable
from in4310.submission.sandbox.walls import Limits, World
from in4310.temporary import ours, remove

KILLED = 9  # a keeper's exit status
EXITING = 4  # PF_EXITING of the kernel's flags of a process: proc_pid_stat(5)
HUGE, MADV_COLLAPSE = 2 * 2**20, 25  # bytes; madvise(2)
MANY = 8  # children: more will come
EXIT_SECONDS = 20.0  # for a process on its way out, which frees its memory


def main(control: socket.socket, imports: Iterable[str] = ()) -> None:
    """Serve the judge until it hangs up: 'start' (with two descriptors), 'why' it ended, and 'kill'."""
    import numpy  # noqa: F401
    import torch  # noqa: F401

    from in4310.submission.sandbox import tasks  # noqa: F401

    for module in imports:
        importlib.import_module(module)
    with suppress(OSError):
        filters.calls(platform.machine())  # kept: behind the walls its table is hidden
    gc.freeze()  # a child's collector would write to every page of them, and so copy it
    walls.adopt_orphans()
    homes = cgroups.groups_of_ours()
    cgroups.sweep(homes)
    base = tempfile.mkdtemp(prefix=ours("root"))
    # Keeper -> the folder that its child writes to, where it is on disk, and the control groups that it is in.
    children: dict[int, tuple[str | None, cgroups.Group]] = {}
    started = 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the judge's to handle
    try:
        while True:
            raw, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
            if not raw:
                return
            request = json.loads(raw)
            started += request["do"] == "start"
            if request["do"] == "start" and started == MANY:
                _in_huge_pages()
            try:
                answer = _answer(request, descriptors, base, control, children, homes)
            except OSError as error:  # no more processes, no more room: this worker only
                answer = {"error": str(error)[:200]}
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(json.dumps(answer | {"id": request.get("id")}).encode() + b"\n")
    except ConnectionError:  # the judge ended before it read all answers: nobody is left to be told
        pass
    finally:
        for pid, (private, group) in children.items():
            kill_tree(pid)
            remove(private)
            group.remove()
        shutil.rmtree(base, ignore_errors=True)


def _in_huge_pages() -> None:
    """Move our memory into huge pages where the kernel can (6.1): each fork copies a table of all pages.

    It takes as long as half a dozen children are then started faster.
    """
    with suppress(OSError), open("/proc/self/maps") as file:
        for line in file.readlines():  # proc_pid_maps(5)
            where, kind, _, _, inode, *_ = line.split()
            first, last = (int(bound, 16) for bound in where.split("-"))
            first, last = -(-first // HUGE) * HUGE, last // HUGE * HUGE
            if kind == "rw-p" and inode == "0" and first < last:
                walls.LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_COLLAPSE)


def _answer(
    request: dict[str, Any],
    descriptors: list[int],
    base: str,
    control: socket.socket,
    children: dict[int, tuple[str | None, cgroups.Group]],
    homes: dict[str, str],
) -> dict[str, Any]:
    if request["do"] == "start":
        if request[
            "live"
        ]:  # its code will ask for it; it takes as long to import as torch, and readers need it not
            import torchvision  # noqa: F401
        for module in request["world"]["imports"]:
            importlib.import_module(module)
        private = None if request["namespaces"] else tempfile.mkdtemp(prefix=ours("private"))
        group = cgroups.Group(ours("group") + str(request["id"]), Limits(**request["limits"]), homes)
        try:
            pid = _fork(request, descriptors, base, private, control, group)
        except OSError:
            remove(private)
            group.remove()
            raise
        children[pid] = private, group
        return {"pid": pid, "private": private, "groups": group.places}
    pid = request["pid"]
    if request["do"] == "why":
        return {"killed": pid in children and _killed(pid)}
    if pid in children:  # not waited for until now, so that no other process can have got its number
        kill_tree(pid)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        private, group = children.pop(pid)
        # Where a keeper was ended first, its child's daemons have come to us: nothing of ours is their parent.
        while strays := set(children_of(os.getpid())) - set(children):
            for stray in strays:
                kill_tree(stray)
                with suppress(ChildProcessError):
                    os.waitpid(stray, 0)
        remove(private)
        group.remove()
    return {"killed": pid}


def _fork(
    request: dict[str, Any],
    descriptors: list[int],
    base: str,
    private: str | None,
    control: socket.socket,
    group: cgroups.Group,
) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        walls.die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        control.close()
        os.setsid()
        status = _keep(request, descriptors, base, private, group)
    except BaseException as error:
        with suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode()[:500])
    finally:
        os._exit(status)


def _keep(
    request: dict[str, Any], descriptors: list[int], base: str, private: str | None, group: cgroups.Group
) -> int:
    """The keeper: new namespaces, one more fork, and when the child has ended, nothing of it stays.

    Returns its own exit status, which says whether the child was killed.
    """
    channel, output = descriptors
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    walls.close_inherited([channel])
    doors = group.doors()
    uid = os.geteuid() or walls.UNPRIVILEGED + os.getpid()
    if request["namespaces"]:
        walls.unshare_all()
    walls.adopt_orphans()
    child = os.fork()
    if child == 0:
        os.setpgid(
            0, 0
        )  # kill(0) reaches no one else; its session is the keeper's, by which it can be weighed
        walls.die_with_parent()
        walls.enter(doors)
        _become(request, channel, base, private, uid)
        return 0
    walls.close_inherited([])  # the judge must see the end of the channel and of the output
    os.dup2(0, 1)
    os.dup2(0, 2)
    seconds = Limits(**request["limits"]).cpu_seconds
    if private is None:  # the end of the first process of a pid namespace is the end of all
        return _end_of(child, seconds)
    try:
        signal.signal(signal.SIGTERM, _end)
        walls.die_with_parent(signal.SIGTERM)  # not at once: daemons of the child would stay
        return _end_of(child, seconds)
    finally:
        end_descendants(os.getpid())
        remove(private)


def _end_of(child: int, seconds: int) -> int:
    """Wait for the child. KILLED where SIGKILL ended it before the CPU time was up that it may use, else 0."""
    while True:
        pid, status, used = os.wait4(-1, 0)
        if pid == child:
            early = (
                used.ru_utime + used.ru_stime < 0.9 * seconds
            )  # the kernel's two ways of counting differ a little
            return KILLED if early and os.waitstatus_to_exitcode(status) == -signal.SIGKILL else 0


def _killed(keeper: int) -> bool:
    """Whether a child that hung up, or its keeper, was killed, and did not end by itself. Reaps neither."""
    end = time.monotonic() + EXIT_SECONDS
    while time.monotonic() < end:
        if ended := os.waitid(os.P_PID, keeper, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return ended.si_code != os.CLD_EXITED or ended.si_status == KILLED
        for child in children_of(keeper)[:1]:
            with suppress(OSError, IndexError), open(f"/proc/{child}/stat", "rb") as file:
                state, *fields = file.read().rpartition(b")")[2].split()
                if state != b"Z" and not int(fields[5]) & EXITING:  # it closed its end itself, and lives
                    return False
        time.sleep(0.002)
    return True  # a process that takes so long to go is none that a file has ended


def _end(*_: object) -> None:
    raise SystemExit


def _become(request: dict[str, Any], channel: int, base: str, private: str | None, uid: int) -> None:
    """The child: the walls, then the tasks."""
    limits = Limits(**request["limits"])
    folder = request["folder"]
    if len(os.listdir("/proc/self/task")) > 1:  # seccomp(2) and landlock(7) bind the calling thread
        raise OSError("the process has more than one thread before the walls stand")
    alone = private is None
    others = 0
    if private is None:
        walls.new_root(base, folder, limits, World(**request["world"]))
        private, folder = "/tmp", "/submission"
        readable, writable, hidden = ["/"], ["/tmp", "/dev/shm", "/dev/null"], []
    else:
        if os.geteuid() == 0:
            os.chown(private, uid, uid)
        others = walls.threads_of(uid)
        readable = [
            *walls.readable_places(),
            "/dev/urandom",
            "/dev/null",
            "/dev/zero",
            *([folder] if folder else []),
        ]
        writable, hidden = [private, "/dev/null"], walls.hidden_places()
        folder = folder or private
    os.environ.update(HOME=private, TMPDIR=private, PWD=private, USER="nobody", LOGNAME="nobody")
    tempfile.tempdir = None  # the zygote has asked for it already
    os.chdir(private)
    sys.path[:] = [p for p in sys.path if "-packages" in p or "python3" in p]
    # A container's root without namespaces: Python often lies in root's home, which an ordinary user cannot enter.
    reading = not alone and bool(unreachable(readable))
    walls.drop_privileges(uid, hidden=not alone, reading=reading)
    walls.die_with_parent()  # again: the new user id has undone it
    walls.limit_resources(limits, others)
    abi = min(request["abi"], filters.landlock_abi())
    if request["landlock"]:
        filters.landlock(readable, writable, hidden, abi)
    if alone or request["landlock"]:
        filters.seccomp(alone, abi)
    from in4310.submission.sandbox import tasks

    tasks.serve(channel, folder, limits)


def children_of(pid: int) -> list[int]:
    """Direct children of a process with one thread."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
    return []


def descendants(pid: int) -> list[int]:
    """A process and all that descend from it, as this process sees them in /proc."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as file:
                parents.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting += parents.get(current, [])
    return found


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants, and wait until none is left; itself last, as it adopts what they leave."""
    end_descendants(pid)
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def end_descendants(pid: int) -> None:
    """Stop and kill all that descend from a process but itself. In a pid namespace the first kill is enough."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = [p for p in descendants(pid)[1:] if _alive(p)]
        if not found:
            return
        for sent in (
            signal.SIGSTOP,
            signal.SIGKILL,
        ):  # a fork bomb that is stopped first has no time to go on
            for process in found:
                with suppress(OSError):
                    os.kill(process, sent)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
