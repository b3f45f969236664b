"""The child's side: plans, lays out the world, runs each program in a process of its own, passes on its events."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Imported here, before the walls stand and the child is forked: what programs use need not be read again.
import matplotlib.pyplot  # noqa: F401
import numpy as np
import sklearn.decomposition
import sklearn.metrics
import sklearn.model_selection  # noqa: F401
import torch  # noqa: F401
import torchvision.datasets  # noqa: F401

from in4310.rehearsal import programs, stage
from in4310.rehearsal.events import LINE
from in4310.rehearsal.programs import DATA, Program
from in4310.rehearsal.sites import Sites, sites
from in4310.submission.sandbox import tasks

with contextlib.suppress(ImportError):
    importlib.import_module("pandas")

HOME = "/tmp/home/student/course"  # deep enough for '../../data'
WORLD_BYTES = 256 * 2**20  # of a hand-in's files that are copied
SHARE = 0.7  # of the time that is left, where other programs follow
MOST = 8000  # events of a program
JUNK = 200  # lines that are no events, after which no more are read


def plan(folder: str, arguments: Any, arrays: Any) -> tasks.Answer:
    """What starts, and where it seeks the data set."""
    place = Path(folder)
    codes = programs.read(place)
    found = [asdict(p) | {"arguments": list(p.arguments)} for p in programs.programs(place, codes)]
    broken = [[code.file, code.error] for code in codes if code.error]
    return {
        "programs": found,
        "roots": programs.roots(place, codes, arguments["classes"]),
        "broken": broken,
    }, {}


def rehearse(folder: str, arguments: Any, arrays: Mapping[str, np.ndarray]) -> tasks.Answer:
    """Run the programs one after the other in one world; their events go out as notes, how each ended is returned."""
    world = _world(Path(folder), arguments["name"])
    _links(world, arguments["roots"])
    known = sites(programs.read(world))
    end = time.monotonic() + arguments["seconds"]
    ends = []
    for number, told in enumerate(arguments["programs"]):
        program = Program(told["file"], tuple(told["arguments"]), told["folder"], "", told["module"])
        left = end - time.monotonic()
        if left < 1:
            ends.append({"end": "no time", "code": 0})
            continue
        tasks._send(tasks.messages.note(f'{{"kind": "start", "program": {number}}}'))
        share = left if number == len(arguments["programs"]) - 1 else SHARE * left
        ends.append(_run(world, program, arguments["files"], known, share, arguments["only"]))
    return ends, {}


def _world(folder: Path, name: str) -> Path:
    """A writable copy of the hand-in; what is too large for it is a link."""
    world = Path(HOME) / name
    copied = 0
    for path, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".git", "__pycache__", ".venv"))]
        here = world / os.path.relpath(path, folder)
        here.mkdir(parents=True, exist_ok=True)
        for file in files:
            source = Path(path) / file
            if source.is_symlink() or not source.is_file():
                continue
            copied += source.stat().st_size
            if copied <= WORLD_BYTES:
                shutil.copyfile(source, here / file)
            else:
                (here / file).symlink_to(source)
    return world


def _links(world: Path, roots: list[str]) -> None:
    """The data set under each name that the programs have for it, as far as that lies in the world."""
    bases = [world, *(p for p in world.rglob("*") if p.is_dir() and any(p.glob("*.py")))]
    for root in roots:
        given = root.rstrip("/") or root
        if given.startswith("~"):
            given = os.environ["HOME"] + given[1:]
        for base in bases if not given.startswith("/") else [Path("/")]:
            for name in dict.fromkeys((given, given.replace("\\", "/"))):
                place = Path(os.path.normpath(base / name))
                if not str(place).startswith("/tmp/") or os.path.lexists(place):
                    continue
                with contextlib.suppress(OSError):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.symlink_to(DATA)


def _run(
    world: Path, program: Program, files: list[str], known: Sites, seconds: float, only: str
) -> dict[str, Any]:
    """One program in a process of its own, without the channel to the judge; how it ended."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        os.close(tasks._channel)
        status = 1
        try:
            os.setpgid(0, 0)
            os.nice(10)  # who watches it has its turn, however many it forks
            status = stage.perform(world, program, files, known, into, seconds, only)
        except BaseException as error:
            with contextlib.suppress(BaseException):
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
            os._exit(status)
    os.close(into)
    try:
        return _passed_on(pid, out, seconds + 5)
    finally:
        os.close(out)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _passed_on(pid: int, out: int, seconds: float) -> dict[str, Any]:
    """Notes for the judge, one a line, until the program has ended or its time is over. A line may be anything."""
    deadline, rest, junk, lines_left, status = time.monotonic() + seconds, b"", 0, MOST, None
    while True:
        ready = select.select([out], [], [], 0.05)[0]
        part = os.read(out, 1 << 16) if ready else b""
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            lines_left -= 1
            if lines_left > 0 and line[:1] == b"{" and line[-1:] == b"}" and len(line) <= LINE:
                tasks._send(tasks.messages.note(os.fsdecode(line)))
            else:
                junk += 1
        if len(rest) > 1 << 16:
            rest, junk = b"", junk + 1
        if junk > JUNK or (status is not None and not part):
            break
        if status is None:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(code)
            elif time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return {"end": "time", "code": 0}
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return {"end": "no events", "code": 0}
    return {"end": "ended", "code": status}


tasks.TASKS["rehearsal_plan"] = plan
tasks.TASKS["rehearse"] = rehearse
