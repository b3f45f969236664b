"""Attempts to get over each wall, made for real from inside a confined child: what `in4310 doctor` shows."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from in4310.submission.sandbox.system import LIBC, check
from in4310.submission.sandbox.walls import CAP_DAC_READ_SEARCH, hidden_places, readable_places
from in4310.temporary import ours


@contextmanager
def traps() -> Iterator[dict[str, Any]]:
    """What the judge lays out for a child to reach: a file, listeners, itself. Gives the arguments of `probe`."""
    with (
        tempfile.TemporaryDirectory(prefix=ours("traps")) as home,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        os.chmod(home, 0o755)
        secret = os.path.join(home, "secret")
        with open(secret, "w") as file:
            file.write("not for you")
        abstract.bind("")  # unix(7): the kernel chooses an abstract name
        abstract.listen()
        named.bind(os.path.join(home, "socket"))
        os.chmod(os.path.join(home, "socket"), 0o777)
        named.listen()
        yield {
            "secret": secret,
            "tcp": tcp.getsockname()[1],
            "abstract": os.fsdecode(abstract.getsockname()),
            "socket": os.path.join(home, "socket"),
            "judge": os.getpid(),
        }


def _attempt(action: Callable[[], Any]) -> str:
    """'' when the wall held (an OSError, as the kernel says it), else what was got over it."""
    try:
        result = action()
    except (OSError, MemoryError):
        return ""
    return str(result)[:100] or "done"


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return f"read {len(file.read(64))} bytes of {path}"


def _write(path: str) -> str:
    with open(path, "wb") as file:
        file.write(b"x")
    return f"wrote {path}"


def _connect(kind: int, address: tuple[str, int]) -> str:
    with socket.socket(socket.AF_INET, kind) as connection:
        connection.settimeout(1)
        connection.connect(address)
        connection.send(b"x")
    return f"sent to {address[0]}:{address[1]}"


def _connect_unix(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(address)
    return "connected"


def _other_processes() -> str:
    seen = [p for p in os.listdir("/proc") if p.isdigit()]
    own = {str(os.getpid()), "1"}
    readable = []
    for process in set(seen) - own:
        with suppress(OSError), open(f"/proc/{process}/environ", "rb") as file:
            readable.append(f"{process}: {len(file.read(100))} bytes")
    if readable:
        return f"read the environment of process {readable[0]}"
    raise OSError("none")


def _fork_many(count: int) -> str:
    children: list[int] = []
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
    return f"started {count} processes"


def _fill_all(place: str, size: int, most: int) -> str:
    """Several files, each within the limit of one."""
    written = 0
    paths: list[str] = []
    try:
        while written < size:
            paths.append(os.path.join(place, f"fill{len(paths)}"))
            with open(paths[-1], "wb") as file:
                for _ in range(max(1, most // 2**20 // 2)):
                    written += file.write(bytes(2**20))
    finally:
        for path in paths:
            os.unlink(path)
    return f"wrote {written} bytes in {len(paths)} files"


def _list_root() -> str:
    strange = set(os.listdir("/")) - {"usr", "lib", "lib64", "lib32", "bin", "sbin", "etc", "dev", "proc", "tmp",
                                      "submission", *(p.split("/")[1] for p in readable_places())}  # fmt: skip
    if not strange:
        raise OSError("nothing of others")
    return f"saw {', '.join(sorted(strange))[:80]}"


def _own_package() -> str:
    for place in hidden_places():
        with suppress(OSError):
            names = [n for n in os.listdir(place) if not n.startswith("__pycache__")]
            if names:
                return _read(os.path.join(place, "__init__.py"))
    raise OSError("closed")


def _capabilities() -> str:
    header, data = struct.pack("<Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    check(LIBC.capget(header, data), "capget")  # not from /proc, which may be closed
    effective, permitted, *_ = struct.unpack("<6I", data.raw)
    # Reading root's own folders, within what Landlock opens: whether more can be read with it is tried by others above.
    if not (effective | permitted) & ~CAP_DAC_READ_SEARCH:
        raise OSError("none")
    return f"holds {effective:#x}"


def _hide_memory() -> str:
    """Memory that no process maps, which a watchdog could not count."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "memfd_create") and libc.memfd_create(b"hidden", 0) != -1:
        return "made a file in memory"
    if libc.shmget(0, ctypes.c_size_t(4096), 0o1600) != -1:
        return "made a shared segment"
    raise OSError("refused")


def _of_judge(action: Callable[[], Any]) -> str:
    if os.getppid() == 0:  # pid_namespaces(7): the judge's number is another process here, or none
        raise OSError("another namespace")
    return str(action() or "reached it")


def _fill(place: str, size: int) -> str:
    path = os.path.join(place, "fill")
    try:
        with open(path, "wb") as file:
            for _ in range(size // 2**20):
                file.write(bytes(2**20))
    finally:
        with suppress(OSError):
            os.unlink(path)
    return f"wrote {size} bytes"


def _descriptors() -> str:
    found = [d for d in range(3, 256) if _is_open(d)]
    if len(found) > 1:  # one is the channel
        return f"{len(found)} descriptors are open"
    raise OSError("none")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _ptrace() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid() or 1, None, None) == -1:  # PTRACE_ATTACH
        raise OSError("refused")
    return "attached to the parent"


def _namespace() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) == -1:  # CLONE_NEWUSER
        raise OSError("refused")
    return "made a user namespace"


def _root() -> str:
    os.setresuid(0, 0, 0)
    return "became root"


def _libc(name: str, *arguments: object) -> str:
    """A function of libc that says by -1 that it was refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return f"{name} was done"


def _seen(action: Callable[[], object], path: str, field: str, value: int) -> str:
    """Whether what was answered as done was done."""
    action()
    if getattr(os.stat(path), field) != value:
        raise OSError("nothing was done")
    return f"set {field} of {path}"


def _open_by(flags: int, path: str) -> str:
    os.close(os.open(path, flags))
    return f"opened {path} with flags {flags:#o}"


def _socket_signal(judge: int) -> str:
    """SIGKILL for the judge, sent by the kernel when something arrives: Landlock covers it from version 6 on."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = []
        # F_SETOWN, F_SETSIG, F_SETFL
        for command, value in ((8, judge), (10, 0), (4, os.O_NONBLOCK | 0o20000)):
            with suppress(OSError):  # signal 0: SIGIO, which is sent only where nothing refuses
                fcntl.fcntl(ours, command, value)
                done.append(command)
        if 8 in done or 4 in done:
            with suppress(OSError):
                fcntl.fcntl(ours, 4, 0)
            return f"fcntl {done} was done"
    raise OSError("refused")


def _on_socket(action: Callable[[socket.socket], Any]) -> str:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return f"done: {action(ours)}"


def _widen_pipe() -> str:
    ends = os.pipe()
    try:
        return f"a pipe of {fcntl.fcntl(ends[0], 1031, 2**19)} bytes"
    finally:
        for end in ends:
            os.close(end)


def _uncovered(path: str, judge: int) -> dict[str, Callable[[], Any]]:
    """What Landlock is documented not to cover, at one version or at all: landlock(7), "Current limitations"."""
    raw, at = os.fsencode(path), -100  # AT_FDCWD
    return {
        "change the mode of a file of the judge": lambda: _seen(
            lambda: os.chmod(path, 0o640), path, "st_mode", 0o100640
        ),
        "give a file of the judge to a group": lambda: os.chown(path, -1, os.getgid()),
        "change the times of a file of the judge": lambda: _seen(
            lambda: os.utime(path, (1, 1)), path, "st_mtime", 1
        ),
        "mark a file of the judge": lambda: os.setxattr(path, "user.in4310", b"x"),
        "read the marks of a file of the judge": lambda: os.listxattr(path),
        "truncate a file of the judge": lambda: _libc("truncate", raw, ctypes.c_long(3)),
        "empty a file of the judge by opening it": lambda: _open_by(os.O_RDONLY | os.O_TRUNC, path),
        "open a file of the judge for locks alone": lambda: _open_by(3, path),
        "watch a folder of the judge": lambda: _libc(
            "inotify_add_watch", ctypes.CDLL(None).inotify_init1(0), os.path.dirname(raw), 0x100
        ),
        "have the kernel signal the judge": lambda: _of_judge(lambda: _socket_signal(judge)),
        "own the signals of a socket": lambda: _on_socket(
            lambda s: fcntl.ioctl(s, 0x5452, struct.pack("i", 1))
        ),
        "widen the buffers of a socket": lambda: _on_socket(
            lambda s: s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        ),
        "widen a pipe": _widen_pipe,
        "lower the judge's priority": lambda: _of_judge(lambda: os.setpriority(os.PRIO_PROCESS, judge, 1)),
        "change the mode by a newer call": lambda: _seen(  # fchmodat2
            lambda: _libc("syscall", ctypes.c_long(452), at, raw, 0o600, 0), path, "st_mode", 0o100600
        ),
        "make a ring of calls": lambda: _libc(
            "syscall", ctypes.c_long(425), 1, ctypes.create_string_buffer(120)
        ),
    }


def probe(
    folder: str, arguments: Any, arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Try every wall; returns wall -> '' where it held, else what was got over it.

    `arguments`: those of `traps`; where 'limits' are given too, these are tried, which takes longer.
    """
    private, judge = os.environ["TMPDIR"], arguments["judge"]
    tries: dict[str, Callable[[], Any]] = {
        "read a file of the judge": lambda: _read(arguments["secret"]),
        "read the system's secrets": lambda: _read("/etc/shadow"),
        "list the files of others": _list_root,
        "read the checks or the reference": _own_package,
        "read the judge's environment": lambda: _of_judge(lambda: _read(f"/proc/{judge}/environ")),
        "write into the system": lambda: _write("/usr/written"),
        "connect over TCP": lambda: _connect(socket.SOCK_STREAM, ("127.0.0.1", arguments["tcp"])),
        "send over UDP": lambda: _connect(socket.SOCK_DGRAM, ("127.0.0.1", 53)),
        "reach the judge's abstract socket": lambda: _connect_unix(arguments["abstract"]),
        "reach the judge's named socket": lambda: _connect_unix(arguments["socket"]),
        "see other processes": _other_processes,
        "signal the judge": lambda: _of_judge(lambda: os.kill(judge, 0)),
        "signal the parent": lambda: _of_judge(lambda: os.kill(os.getppid(), 0)),
        "trace the parent": _ptrace,
        "change the judge's limits": lambda: _of_judge(lambda: resource.prlimit(judge, resource.RLIMIT_CORE)),
        "make a user namespace": _namespace,
        "become root": _root,
        "hold a capability": _capabilities,
        "find an inherited descriptor": _descriptors,
        "hide memory from the watch": _hide_memory,
        **_uncovered(arguments["secret"], judge),
    }
    if folder != private:
        tries["write into the submission"] = lambda: _write(os.path.join(folder, "written"))
    limits = arguments.get("limits")
    if limits:
        most = int(limits["file_bytes"])
        tries["start too many processes"] = lambda: _fork_many(int(limits["processes"]) + 8)
        tries["write too large a file"] = lambda: _fill(private, most + 2**21)
        if os.getppid() == 0:  # else there is no disk of its own, and the watch ends it
            tries["fill the disk"] = lambda: _fill_all(private, int(limits["tmp_bytes"]) + 2**21, most)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return {name: _attempt(action) for name, action in tries.items()}, {}
