"""Archives read by a confined child, which sends what is in them: the judge looks at names and sizes, and writes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from in4310.errors import InputError, NotJudged
from in4310.shown import shown
from in4310.submission.containers import Entry, Opener, Told, opened_here
from in4310.submission.files import put_at
from in4310.submission.plain import STRANGE, NotPlain, all_of, unpack
from in4310.submission.sandbox.worker import Sandbox, Worker, WorkerFailed
from in4310.temporary import ours

SECONDS = 600.0  # for one archive; 4 GiB take a minute


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
