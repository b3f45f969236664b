"""Attempts to get over each wall, made for real from inside a confined child: what `in4310 doctor` shows."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np


def _attempt(action: Callable[[], Any]) -> str:
    """'' when the wall held (an OSError, as the kernel says it), else what was got over it."""
    try:
        result = action()
    except (OSError, ValueError, PermissionError) as error:
        return "" if not isinstance(error, AssertionError) else str(error)
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
                time.sleep(30)
                os._exit(0)
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
    return f"started {count} processes"


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


def _kill_parent() -> str:
    parent = os.getppid()
    if parent <= 1:
        raise OSError("the parent is in another namespace")
    os.kill(parent, 0)
    return f"may signal process {parent}"


def probe(
    folder: str, arguments: Any, arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Try every wall; returns wall -> '' where it held, else what was got over it.

    `arguments`: 'secret', a file of the judge outside; 'tcp', a port that listens; 'limits'.
    """
    limits = arguments["limits"]
    tries: dict[str, Callable[[], Any]] = {
        "read a file of the judge": lambda: _read(arguments["secret"]),
        "read the system's secrets": lambda: _read("/etc/shadow"),
        "read the judge's environment": lambda: _read(f"/proc/{arguments['judge']}/environ"),
        "write into the submission": lambda: _write(os.path.join(folder, "written")),
        "write into the system": lambda: _write("/usr/written"),
        "connect over TCP": lambda: _connect(socket.SOCK_STREAM, ("127.0.0.1", arguments["tcp"])),
        "send over UDP": lambda: _connect(socket.SOCK_DGRAM, ("127.0.0.1", 53)),
        "see other processes": _other_processes,
        "signal the parent": _kill_parent,
        "trace the parent": _ptrace,
        "make a user namespace": _namespace,
        "become root": _root,
        "start too many processes": lambda: _fork_many(int(limits["processes"]) + 8),
        "write too large a file": lambda: _fill(os.environ["TMPDIR"], int(limits["file_bytes"]) + 2**21),
        "find an inherited descriptor": _descriptors,
    }
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return {name: _attempt(action) for name, action in tries.items()}, {}
