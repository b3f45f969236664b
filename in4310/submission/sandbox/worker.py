"""The judge's side of the sandbox: start a confined child, ask it, watch it, and end it with everything it started."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from in4310.errors import NotJudged
from in4310.shown import shown
from in4310.submission.sandbox import messages
from in4310.submission.sandbox.messages import BadMessage, Message
from in4310.submission.sandbox.probes import traps
from in4310.submission.sandbox.tiers import NONE, TIERS, Tier
from in4310.submission.sandbox.visible import readable_by_others
from in4310.submission.sandbox.walls import NOWHERE, Limits, World
from in4310.submission.sandbox.watch import WATCH, Watch
from in4310.submission.sandbox.zygote import kill_tree
from in4310.temporary import sweep

KEPT_OUTPUT = 2**16
OUTSIDE = (
    "the process that reads it or runs its code was killed from outside, as where the machine runs short of memory;"
    " free some, or judge fewer at a time"
)


class WorkerFailed(Exception):
    """A child that did not answer as asked. `kind`: died, timeout, memory, output, protocol, failed or refused."""

    def __init__(self, kind: str, message: str):
        self.kind = kind
        super().__init__(shown(message, 400))


GRANTED = 3  # times the seconds of a call may be added for waiting behind others
ANSWER_SECONDS = 30.0  # for the zygote, which does little
START_SECONDS = 300.0  # where it may import torch or torchvision first
# Runs the zygote in isolated mode, from the same files as the judge: -I leaves out a user's own packages and the folder
# that the judge was started in. They come after the standard library, which nothing may hide.
BOOT = """
import os, socket, sys
place = next((i for i, p in enumerate(sys.path) if "-packages" in p), len(sys.path))
sys.path[place:place] = sys.argv[3:]
from in4310.submission.sandbox.zygote import main
main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2].split())
os._exit(0)  # what torch does on its way out takes most of a second, and the judge waits
"""


@dataclass
class Answer:
    """What a task returned; `output`: what was printed meanwhile, bounded, as it was printed: escape before showing."""

    result: Any
    arrays: Mapping[str, np.ndarray]
    output: str = ""

    def array(self, value: Any) -> np.ndarray | None:
        """The array that a part of the result stands for, {"array": its name}; None where it stands for none."""
        name = value["array"] if type(value) is dict and set(value) == {"array"} else None
        return self.arrays.get(name) if type(name) is str else None


@dataclass
class Sandbox:
    """One zygote and the children it forks. A context manager: at its end nothing of them is left."""

    limits: Limits = field(default_factory=Limits)
    imports: tuple[str, ...] = ()  # modules that all of its children will want: imported at once
    _zygote: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None
    _tier: Tier | None = None
    _asked: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote and all that it forked."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            if self._tier is None and self._asked == 0:
                self._zygote.kill()  # it was never asked for anything: there is nothing to clear away
            try:
                self._zygote.wait(timeout=10)
            except subprocess.TimeoutExpired:
                kill_tree(self._zygote.pid)
                self._zygote.wait()
            self._zygote = None

    def _ask(self, request: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        """One request to the zygote and its answer. A zygote that is gone or silent is replaced at the next request."""
        with self._lock:
            self.start()
            if self._control is None:
                raise WorkerFailed("refused", f"code of a submission is not run here: {NONE.describe()}")
            imports = not self._asked or request.get("live")
            self._control.settimeout(START_SECONDS if imports else ANSWER_SECONDS)
            self._asked += 1
            try:
                raw = json.dumps({**request, "id": self._asked}).encode()
                socket.send_fds(self._control, [raw], list(descriptors))
                while True:
                    answer = _line(self._control)
                    if answer.get("id") == self._asked:  # else to a request that Ctrl-C cut short
                        break
            except (OSError, ValueError):
                self.close()
                raise WorkerFailed("died", "the process that starts workers has ended") from None
            if "error" in answer:
                raise WorkerFailed("died", f"no worker could be started: {answer['error']}")
            return answer

    def start(self) -> None:
        """Start the zygote, without waiting until it is ready; it starts by itself on first use otherwise."""
        if self._control is not None or sys.platform != "linux":
            return
        sweep()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        keep = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
        environment = {k: v for k, v in os.environ.items() if k in keep} | {
            "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",  # numpy would start threads when it is imported, and walls bind one thread
        }  # fmt: skip
        paths = [str(Path(__file__).resolve().parents[3]), *(p for p in sys.path if "-packages" in p)]
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-c", BOOT, str(theirs.fileno()), " ".join(self.imports), *paths],
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control, self._asked = ours, 0

    @property
    def used(self) -> bool:
        """Whether any child was started."""
        return self._tier is not None

    @property
    def tier(self) -> Tier:
        """The strongest tier whose walls held here when a child tried to get over them; found out once."""
        with self._lock:
            if self._tier is None:
                self._tier = self._find_tier()
            return self._tier

    def _find_tier(self) -> Tier:
        if sys.platform != "linux":
            return NONE
        why = []
        for candidate in TIERS:
            try:
                with traps() as arguments, self._worker(None, candidate, self.limits) as worker:
                    got = {k: v for k, v in worker.call("probe", arguments).result.items() if v}
                if not got:
                    return candidate
                why.append("; ".join(f"{k}: {v}" for k, v in got.items()))
            except (WorkerFailed, OSError) as error:
                why.append(str(error))
        return Tier(False, False, " / ".join(dict.fromkeys(why)))

    @contextmanager
    def worker(
        self, folder: Path | None, limits: Limits | None = None, trusted: bool = False, live: bool = True,
        world: World = NOWHERE,
    ) -> Iterator[Worker]:  # fmt: skip
        """A confined child that sees the folder, read-only, and nothing else of ours; not `live`: it only reads.

        Raises WorkerFailed('refused') where files, network and processes cannot be confined, unless `trusted`: then
        the code is run with what walls there are, on Linux at least with limits. A call raises NotJudged where the
        child was killed, and neither by itself nor for a limit of its own.
        """
        if not self.tier.confined and not (trusted and sys.platform == "linux"):
            raise WorkerFailed("refused", f"code of a submission is not run here: {self.tier.describe()}")
        with (
            readable_by_others(folder, parents=not self.tier.namespaces) as visible,
            self._worker(visible, self.tier, limits or self.limits, live, world) as worker,
        ):
            yield worker

    @contextmanager
    def _worker(
        self, folder: Path | None, tier: Tier, limits: Limits, live: bool = False, world: World = NOWHERE
    ) -> Iterator[Worker]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        out, into = os.pipe()
        try:
            request = {
                "do": "start",
                "folder": str(folder.resolve()) if folder else None,
                "limits": limits.as_dict(),
                "namespaces": tier.namespaces,
                "landlock": tier.landlock,
                "abi": tier.abi,
                "live": live,
                "world": asdict(world),
            }
            started = self._ask(request, (theirs.fileno(), into))
            pid, zygote = started["pid"], self._zygote
            theirs.close()
            os.close(into)
            into = -1
            assert zygote is not None
            watch = Watch(pid, limits, zygote.pid, started["private"], started["groups"])
            try:
                # Behind no pid namespace of its own, code that is run can kill itself.
                outside = partial(self._killed, pid, zygote) if tier.namespaces or not live else lambda: False
                yield Worker(ours, out, watch, limits, outside)
            finally:
                watch.stop()  # first: the number of the process may be given to another one afterwards
                if self._zygote is zygote:  # else it ended, and its children with it
                    with suppress(WorkerFailed):
                        self._ask({"do": "kill", "pid": pid})
        finally:
            ours.close()
            theirs.close()
            os.close(out)
            if into >= 0:
                os.close(into)

    def _killed(self, pid: int, zygote: subprocess.Popen[bytes]) -> bool:
        """Whether a child that hung up was killed, or the zygote was, and it with that."""
        try:
            return self._zygote is not zygote or bool(self._ask({"do": "why", "pid": pid})["killed"])
        except WorkerFailed:
            return True


def _line(control: socket.socket) -> dict[str, Any]:
    raw = b""
    while not raw.endswith(b"\n"):
        part = control.recv(4096)
        if not part:
            raise OSError("closed")
        raw += part
    answer: dict[str, Any] = json.loads(raw.splitlines()[-1])
    return answer


class Worker:
    """A confined child. `call` asks it for a task; when it fails, it is of no further use."""

    def __init__(
        self, channel: socket.socket, output: int, watch: Watch, limits: Limits, killed: Callable[[], bool]
    ):
        self._killed = killed  # asked when it has hung up: whether that was done to it
        self._channel, self._output, self._watch, self._limits = channel, output, watch, limits
        self._channel.setblocking(False)
        os.set_blocking(output, False)
        self._printed = bytearray()
        self._printed_bytes = 0
        self._closed = False
        self._seconds = limits.seconds
        self._waited = self._granted = 0.0

    def call(
        self,
        task: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        seconds: float | None = None,
        noted: Callable[[str], None] = lambda name: None,
    ) -> Answer:
        """Do a task in the child. Raises WorkerFailed when it dies, hangs, floods, lies, or says that it failed;
        NotJudged where the machine ended it.

        `noted` is told each thing that the child says it begins to read.
        """
        self._seconds = self._limits.seconds if seconds is None else seconds
        end = time.monotonic() + self._seconds
        self._waited, self._granted = self._watch.waited(), 0.0
        nonce = secrets.token_hex(16)
        request = Message(nonce, {"task": task, "arguments": dict(arguments)}, arrays or {})
        for part in messages.encode(request):
            self._send(part, end)
        try:
            message = messages.decode(
                lambda count: self._receive(count, end), self._limits.answer_bytes, noted=noted
            )
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

    def _receive(self, count: int, end: float) -> memoryview:
        try:
            taken = np.empty(count, np.uint8).data  # of which the system gives what is written to
        except MemoryError:
            raise WorkerFailed("memory", f"its answer has {count} bytes, more than there is memory") from None
        left = taken
        while len(left):
            self._wait(end)
            try:
                received = self._channel.recv_into(left[: 1 << 20])
            except BlockingIOError:
                continue
            except OSError:
                received = 0
            if not received:
                raise self._gone()
            left = left[received:]
        return taken

    def _wait(self, end: float, write: bool = False) -> None:
        """Until the channel is ready; meanwhile output is taken and the watch listened to."""
        channel = self._channel.fileno()
        while True:
            left = end + self._granted - time.monotonic()
            if left <= 0:
                # Time in which it could have run and its neighbours did is not its own.
                granted = min(self._watch.waited() - self._waited, GRANTED * self._seconds)
                if granted > self._granted + 0.01:
                    self._granted = granted
                    continue
                raise WorkerFailed("timeout", f"no answer within {self._seconds:g} seconds")
            poll = select.poll()  # select(2) knows descriptors below 1024 only
            poll.register(channel, select.POLLOUT if write else select.POLLIN)
            if not self._closed:
                poll.register(self._output, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll(min(WATCH, left) * 1000)}
            if channel in ready:  # first: what it noted last is known before it is ended
                return
            self._check()
            if self._output in ready:
                self._drain()

    def _check(self) -> None:
        if self._watch.found is not None:  # not `reason`, which opens a file: this is asked all the time
            raise self._too_much(self._watch.found)

    def _too_much(self, why: str) -> Exception:
        return NotJudged(OUTSIDE) if self._watch.outside else WorkerFailed("memory", why)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while not self._closed:
                part = os.read(self._output, 1 << 16)
                self._closed = not part  # closed by the child: it would be ready for ever
                self._printed_bytes += len(part)
                room = KEPT_OUTPUT - len(self._printed)
                self._printed += part[: max(0, room)]
                if self._printed_bytes > self._limits.output_bytes:
                    raise WorkerFailed("output", f"printed more than {self._limits.output_bytes} bytes")

    def _gone(self) -> Exception:
        reason = self._watch.reason()
        if reason is not None:
            return self._too_much(reason)
        if self._killed():
            return NotJudged(OUTSIDE)
        last = self._text().strip().splitlines()[-1:] or ["nothing"]
        return WorkerFailed("died", f"ended without an answer; the last it printed: {last[0]}")
