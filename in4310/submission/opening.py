"""Archives read by a confined child, which sends what is in them: the judge looks at names and sizes, and writes."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from in4310.errors import InputError, NotJudged
from in4310.shown import shown
from in4310.submission.containers import Entry, Opener, opened_here
from in4310.submission.files import put_at
from in4310.submission.plain import STRANGE, NotPlain, all_of, of, require, unpack
from in4310.submission.sandbox.worker import Sandbox, Worker, WorkerFailed
from in4310.temporary import ours

SECONDS = 600.0  # for one archive; 4 GiB take a minute
# What a child tells of an archive, and the types of what follows each.
KINDS: dict[str, tuple[type, ...]] = {"entry": (str, bool, str), "bytes": (int,), "damaged": (str,), "none": (),
                                      "refused": (str,), "end": ()}  # fmt: skip


def opener_of(sandbox: Sandbox | None, seconds: float = SECONDS) -> Opener:
    """Who reads archives: a child of the sandbox where it can be confined, else this process."""
    if sandbox is None or not sandbox.tier.confined:
        return opened_here

    @contextmanager
    def opened(path: Path, limit: int) -> Iterator[Iterator[Entry] | None]:
        with tempfile.TemporaryDirectory(prefix=ours("archive")) as home:
            alone = Path(home) / "alone" / path.name  # the child sees its folder, and nobody else's archive
            alone.parent.mkdir(mode=0o755)
            put_at(path, alone)
            try:
                with sandbox.worker(alone.parent, live=False) as worker:
                    yield Told(
                        partial(_ask, worker, path.name, limit, time.monotonic() + seconds), limit
                    ).entries()
            except WorkerFailed as failure:
                raise NotJudged(f"no process can be started to read what was handed in: {failure}") from None
            except NotPlain:
                raise _unread(path.name, STRANGE) from None

    return opened


def _ask(worker: Worker, name: str, limit: int, end: float) -> tuple[list[list[Any]], memoryview]:
    """The next batch. Raises InputError, and NotPlain."""
    try:
        answer = worker.call(
            "unpack", {"file": name, "limit": limit}, seconds=max(0.1, end - time.monotonic())
        )
    except WorkerFailed as failure:
        raise _unread(name, failure) from None
    content = answer.arrays.get("bytes")
    return all_of(list, unpack(answer.result, {})), memoryview(b"" if content is None else content.tobytes())


def _unread(name: str, why: object) -> InputError:
    return InputError(
        f"{shown(name)}: expected an archive that can be read, found one that ends its reader ({why});"
        " pack your submission again"
    )


class Told:
    """The entries that a child tells of an archive, in the judge. `ask` gives the next batch, of exact types."""

    def __init__(self, ask: Callable[[], tuple[list[list[Any]], memoryview]], limit: int):
        self._ask, self._left = ask, limit
        self._items: deque[tuple[str, list[Any], bytes]] = deque()

    def _next(self) -> tuple[str, list[Any], bytes]:
        if not self._items:
            told, content = self._ask()
            for item in told:
                require(bool(item) and of(str, item[0]) in KINDS)
                kind, *values = item
                require(tuple(map(type, values)) == KINDS[kind])
                size = values[0] if kind == "bytes" else 0
                require(0 <= size <= len(content))
                self._items.append((kind, values, bytes(content[:size])))
                content = content[size:]
            require(bool(self._items))
        return self._items[0]

    def entries(self) -> Iterator[Entry] | None:
        """The entries; None for what is no archive. Raises NotPlain, and InputError as the child's reader does."""
        kind, values, _ = self._next()
        if kind == "refused":
            raise InputError(shown(values[0], 400))
        return None if kind == "none" else self._entries()

    def _entries(self) -> Iterator[Entry]:
        while (item := self._next())[0] != "end":
            kind, values, content = item
            self._items.popleft()
            if kind == "refused":
                raise InputError(shown(values[0], 400))
            if kind == "entry":
                name, folder, problem = values
                yield Entry(name, folder, shown(problem), lambda: self)
            else:  # of an entry that was left out
                self._left -= len(content)
                require(self._left >= 0)

    def read(self, most: int) -> bytes:
        """The next bytes of the entry, at most as many as a child sends at a time; b'' at its end."""
        kind, values, content = self._next()
        if kind not in ("bytes", "damaged"):
            return b""
        self._items.popleft()
        if kind == "damaged":
            raise ValueError(values[0])
        return content

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        """What is left of the entry is passed over with the next one."""
