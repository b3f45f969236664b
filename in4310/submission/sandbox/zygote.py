"""The process that has imported torch and computes nothing: it forks a confined child for each request.

Run by the judge as `python -I -m in4310.submission.sandbox.zygote FD` with a minimal environment: it holds no secret.
It must not compute: a child forked after a backward pass or a multi-threaded operation would hang.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

from in4310.submission.sandbox import walls
from in4310.submission.sandbox.walls import Limits


def main(control: socket.socket) -> None:
    """Serve the judge until it hangs up: 'start' (with two descriptors) and 'kill'."""
    import numpy  # noqa: F401
    import torch  # noqa: F401
    import torchvision  # noqa: F401

    from in4310.submission.sandbox import tasks  # noqa: F401

    walls.adopt_orphans()
    base = tempfile.mkdtemp(prefix="in4310-root-")
    children: set[int] = set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the judge's to handle
    try:
        while True:
            raw, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
            if not raw:
                return
            request = json.loads(raw)
            _reap(children)
            if request["do"] == "start":
                pid = _fork(request, descriptors, base, control)
                children.add(pid)
                answer: dict[str, Any] = {"pid": pid}
            else:
                kill_tree(request["pid"])
                _reap(children, wait_for=request["pid"])
                # Without a pid namespace, a daemon that left its tree has come to us: nothing of ours is its parent.
                for stray in set(_children(os.getpid())) - children:
                    kill_tree(stray)
                    with suppress(ChildProcessError):
                        os.waitpid(stray, 0)
                answer = {"killed": request["pid"]}
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        for pid in children:
            kill_tree(pid)
        shutil.rmtree(base, ignore_errors=True)


def _reap(children: set[int], wait_for: int | None = None) -> None:
    for pid in list(children):
        with suppress(ChildProcessError):
            done, _ = os.waitpid(pid, 0 if pid == wait_for else os.WNOHANG)
            if not done:
                continue
        children.discard(pid)


def _fork(request: dict[str, Any], descriptors: list[int], base: str, control: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        walls.die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        control.close()
        os.setsid()
        _become(request, descriptors, base)
        status = 0
    except BaseException as error:
        with suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode()[:500])
    finally:
        os._exit(status)


def _become(request: dict[str, Any], descriptors: list[int], base: str) -> None:
    """In the forked process: namespaces, one more fork into the new pid namespace, the walls, then the tasks."""
    channel, output = descriptors
    limits = Limits(**request["limits"])
    if request["namespaces"]:
        walls.unshare_all()
        inner = os.fork()
        if inner:
            os.close(channel)
            os.close(output)
            os.waitpid(inner, 0)
            return
        walls.die_with_parent()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    walls.close_inherited([channel])
    private = "/tmp"
    if request["namespaces"]:
        walls.new_root(base, request["folder"], limits)
        readable = ["/"]
        folder = "/submission"
    else:
        private = tempfile.mkdtemp(prefix="in4310-private-")
        os.chmod(private, 0o777)
        folder = request["folder"] or private
        readable = [*walls.readable_places(), folder, "/dev/urandom", "/dev/null", "/dev/zero"]
    os.environ.update(HOME=private, TMPDIR=private, PWD=private)
    os.chdir(private)
    sys.path[:] = [p for p in sys.path if "-packages" in p or "python3" in p]
    walls.drop_privileges(hidden=not request["namespaces"])
    walls.limit_resources(limits)
    if request["landlock"]:
        writable = [private, "/dev/null", *(["/dev/shm"] if request["namespaces"] else [])]
        walls.landlock(readable, writable)
        walls.seccomp()
    from in4310.submission.sandbox import tasks

    tasks.serve(channel, folder, limits)


def _children(pid: int) -> list[int]:
    """Direct children of a process."""
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
    """Stop and kill a process and its descendants, until none is left. In a pid namespace the first kill is enough."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        alive = [p for p in descendants(pid) if _alive(p)]
        if not alive:
            return
        for sent in (signal.SIGSTOP, signal.SIGKILL):
            for process in alive:
                with suppress(OSError):
                    os.kill(process, sent)
        if alive == [pid]:
            return


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
