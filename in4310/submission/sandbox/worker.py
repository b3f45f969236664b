"""The judge's side of the sandbox: start a confined child, ask it, watch it, and end it with everything it started."""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from in4310.submission.names import shown
from in4310.submission.sandbox import messages
from in4310.submission.sandbox.messages import BadMessage, Message
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.zygote import descendants

WATCH = 0.05  # seconds between two looks at the memory
KEPT_OUTPUT = 2**16


class WorkerFailed(Exception):
    """A child that did not answer as asked. `kind`: died, timeout, memory, output, protocol, failed or refused."""

    def __init__(self, kind: str, message: str):
        self.kind = kind
        super().__init__(shown(message, 400))


@dataclass(frozen=True)
class Tier:
    """Which walls hold on this machine, found out by trying."""

    namespaces: bool
    landlock: bool
    why: str = ""

    @property
    def confined(self) -> bool:
        """Whether files, network and processes are confined, so that others' code may be run."""
        return self.landlock

    def describe(self) -> str:
        """One sentence for reports."""
        if self.namespaces and self.landlock:
            return "namespaces, Landlock, seccomp, limits: no network, no files but the submission, an ordinary user"
        if self.landlock:
            return "Landlock, seccomp and limits, without namespaces: no network, no files but the submission"
        return f"not isolated{f' ({self.why})' if self.why else ''}"


NONE = Tier(False, False, "no walls on this system")


@dataclass
class Answer:
    """What a task returned; `output`: what was printed meanwhile, bounded."""

    result: Any
    arrays: Mapping[str, np.ndarray]
    output: str = ""


@dataclass
class Sandbox:
    """One zygote and the children it forks. A context manager: at its end nothing of them is left."""

    limits: Limits = field(default_factory=Limits)
    _zygote: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None
    _tier: Tier | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote and all that it forked."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            if self._tier is None:
                self._zygote.kill()  # it was never asked for anything: there is nothing to clear away
            try:
                self._zygote.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None

    def _ask(self, request: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        self.start()
        assert self._control is not None
        socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
        raw = b""
        while not raw.endswith(b"\n"):
            part = self._control.recv(4096)
            if not part:
                raise WorkerFailed("died", "the process that starts workers has ended")
            raw += part
        answer: dict[str, Any] = json.loads(raw)
        return answer

    def start(self) -> None:
        """Start the zygote, without waiting until it is ready; it starts by itself on first use otherwise."""
        if self._control is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        keep = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "SYSTEMROOT")
        environment = {k: v for k, v in os.environ.items() if k in keep} | {
            "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        }  # fmt: skip
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-m", "in4310.submission.sandbox.zygote", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours

    @property
    def used(self) -> bool:
        """Whether any child was started."""
        return self._tier is not None

    @property
    def tier(self) -> Tier:
        """The strongest tier whose walls a child could really put up here; found out once."""
        if self._tier is None:
            self._tier = self._find_tier()
        return self._tier

    def _find_tier(self) -> Tier:
        if sys.platform != "linux":
            return NONE
        why = ""
        for candidate in (Tier(True, True), Tier(False, True)):
            try:
                with self._worker(None, candidate, self.limits) as worker:
                    worker.call("ping", {})
                return candidate
            except (WorkerFailed, OSError) as error:
                why = str(error)
        return Tier(False, False, why)

    @contextmanager
    def worker(self, folder: Path | None, limits: Limits | None = None) -> Iterator[Worker]:
        """A confined child that sees the folder, read-only, and nothing else of ours.

        Raises WorkerFailed('refused') where files, network and processes cannot be confined.
        """
        if not self.tier.confined:
            raise WorkerFailed("refused", f"code of a submission is not run here: {self.tier.describe()}")
        with (
            readable_by_others(folder) as visible,
            self._worker(visible, self.tier, limits or self.limits) as worker,
        ):
            yield worker

    @contextmanager
    def _worker(self, folder: Path | None, tier: Tier, limits: Limits) -> Iterator[Worker]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        out, into = os.pipe()
        try:
            request = {
                "do": "start",
                "folder": str(folder.resolve()) if folder else None,
                "limits": limits.as_dict(),
                "namespaces": tier.namespaces,
                "landlock": tier.landlock,
            }
            pid = self._ask(request, (theirs.fileno(), into))["pid"]
            theirs.close()
            os.close(into)
            into = -1
            try:
                assert self._zygote is not None
                yield Worker(ours, out, pid, limits, _private(self._zygote.pid))
            finally:
                if self._control is not None:
                    self._ask({"do": "kill", "pid": pid})
        finally:
            ours.close()
            theirs.close()
            os.close(out)
            if into >= 0:
                os.close(into)


@contextmanager
def readable_by_others(folder: Path | None) -> Iterator[Path | None]:
    """The folder itself, or where we are root and it is private, a copy that an ordinary user can read."""
    if folder is None or os.geteuid() != 0 or _public(folder):
        yield folder
        return
    home = Path(tempfile.mkdtemp(prefix="in4310-visible-"))
    try:
        copy = home / "submission"
        shutil.copytree(folder, copy, symlinks=True, ignore_dangling_symlinks=True)
        for place in [copy, *copy.rglob("*")]:
            if not place.is_symlink():
                place.chmod(0o755 if place.is_dir() else 0o644)
        yield copy
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _public(folder: Path) -> bool:
    for place in [folder, *folder.rglob("*")]:
        mode = place.lstat().st_mode
        needed = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        if not stat.S_ISLNK(mode) and mode & needed != needed:
            return False
    return True


class Worker:
    """A confined child. `call` asks it for a task; when it fails, it is of no further use."""

    def __init__(self, channel: socket.socket, output: int, pid: int, limits: Limits, inherited: int = 0):
        self._channel, self._output, self._pid, self._limits = channel, output, pid, limits
        self._channel.setblocking(False)
        os.set_blocking(output, False)
        self._printed = bytearray()
        self._printed_bytes = 0
        self._inherited = inherited
        self._looked = 0.0
        self._closed = False
        self._seconds = limits.seconds

    def call(
        self,
        task: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Do a task in the child. Raises WorkerFailed when it dies, hangs, floods, lies, or says that it failed."""
        self._seconds = self._limits.seconds if seconds is None else seconds
        end = time.monotonic() + self._seconds
        nonce = secrets.token_hex(16)
        request = Message(nonce, {"task": task, "arguments": dict(arguments)}, arrays or {})
        for part in messages.encode(request):
            self._send(part, end)
        try:
            message = messages.decode(lambda count: self._receive(count, end), self._limits.answer_bytes)
        except BadMessage as error:
            raise WorkerFailed("protocol", f"its answer {error}") from None
        if message.nonce != nonce:
            raise WorkerFailed("protocol", "its answer is to another question: it was forged or left over")
        document = message.document
        if type(document) is not dict or len(document) != 1:
            raise WorkerFailed("protocol", "its answer has another form than was asked for")
        if "result" in document:
            return Answer(document["result"], message.arrays, self._text())
        for kind in ("refused", "failed"):
            if kind in document:
                raise WorkerFailed(kind, str(document[kind]))
        raise WorkerFailed("protocol", "its answer has another form than was asked for")

    def _text(self) -> str:
        self._drain()
        return self._printed.decode("utf-8", "replace")

    def _send(self, part: bytes | memoryview, end: float) -> None:
        view = memoryview(part)
        while len(view):
            self._wait(end, write=True)
            try:
                view = view[self._channel.send(view[: 1 << 20]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._gone() from None

    def _receive(self, count: int, end: float) -> bytearray:
        taken = bytearray()
        while len(taken) < count:
            self._wait(end)
            try:
                part = self._channel.recv(min(1 << 20, count - len(taken)))
            except BlockingIOError:
                continue
            except OSError:
                part = b""
            if not part:
                raise self._gone()
            taken += part
        return taken

    def _wait(self, end: float, write: bool = False) -> None:
        """Until the channel is ready; meanwhile output is taken and memory looked at."""
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise WorkerFailed("timeout", f"no answer within {self._seconds:g} seconds")
            channel = self._channel.fileno()
            readers = [self._output] if write else [self._output, channel]
            ready, writable, _ = select.select(readers, [channel] if write else [], [], min(WATCH, left))
            if self._output in ready and not self._closed:
                self._drain()
            if time.monotonic() - self._looked > WATCH:
                self._look_at_memory()
            if writable or channel in ready:
                return

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while not self._closed:
                part = os.read(self._output, 1 << 16)
                self._closed = not part
                self._printed_bytes += len(part)
                room = KEPT_OUTPUT - len(self._printed)
                self._printed += part[: max(0, room)]
                if self._printed_bytes > self._limits.output_bytes:
                    raise WorkerFailed("output", f"printed more than {self._limits.output_bytes} bytes")

    def _look_at_memory(self) -> None:
        used = sum(_memory(pid, self._inherited) for pid in descendants(self._pid))
        if used > self._limits.memory_bytes:
            allowed = self._limits.memory_bytes // 2**20
            raise WorkerFailed(
                "memory", f"used {used // 2**20} MiB over all its processes, allowed are {allowed}"
            )
        self._looked = time.monotonic()

    def _gone(self) -> WorkerFailed:
        last = self._text().strip().splitlines()[-1:] or ["nothing"]
        return WorkerFailed("died", f"ended without an answer; the last it printed: {last[0]}")


def _memory(pid: int, inherited: int) -> int:
    """Bytes of a process that are its own share: Pss, or where that may not be read, private less what it inherited."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return max(0, _private(pid) - inherited)


def _private(pid: int) -> int:
    """Bytes of a process that no file backs: proc_pid_statm(5)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
