"""The program's own process: the stand-ins and the observers are put in place, then it runs, unchanged, to its end."""

from __future__ import annotations

import linecache
import os
import runpy
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.miniature import Batches, Rows
from in4310.rehearsal.observers import OBSERVERS
from in4310.rehearsal.programs import Program
from in4310.rehearsal.sites import Sites
from in4310.rehearsal.standins import STANDINS
from in4310.rehearsal.standins.person import Words
from in4310.submission.sandbox import notebooks
from in4310.submission.sandbox.tasks import REUSED

LATE = 0.6  # of the time; from here on training is hurried


class Spent(BaseException):
    """The time of the rehearsal is over, or what was wanted of it has been seen."""


def perform(
    world: Path, program: Program, files: list[str], known: Sites, into: int, seconds: float, only: str
) -> int:
    """Run it; events go to the descriptor. The exit status it would have had.

    `only`: '' for all of it; 'data' ends it at the first step of a training, 'mixed' also lists in another order.
    """
    see = Recorder(lambda line: _write(into, line), str(world), known)
    see.mixed, see.enough = only == "mixed", Spent() if only else None
    see.note("begun", at=program.file)
    batches = Batches(see, Rows(files))
    for part in STANDINS:
        part.stand_in(see)
    for part in OBSERVERS:
        part.observe(see)
    batches.install()
    _clock(see, seconds)
    _at_home(world, program, see)
    status, start = 0, time.process_time()
    try:
        _run(world, program, see)
        while (turn := see.turn + 1) < see.turns:
            see.turn = turn
            _run(world, program, see)
    except Spent:
        see.note("spent", at=_last(see))
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if status:
            see.note("stopped", at=_last(see), error="SystemExit", text=str(stop.code))
    except BaseException as error:
        status = 1
        absent = error.filename if isinstance(error, OSError) and error.filename else None
        path = "" if absent is None else os.path.normpath(Path.cwd() / str(absent))
        see.note("stopped", at=_place(error, see), error=type(error).__name__, text=_text(error), path=path)
    see.finish()
    see.note("done", at="", cpu=round(time.process_time() - start, 1), steps=see.steps, late=see.late)
    return status


def _run(world: Path, program: Program, see: Recorder) -> None:
    if program.file.endswith(".ipynb"):
        _cells(world / program.file, see)
    elif program.module:
        above = world.name if program.module.startswith(".") else ""  # the hand-in is the package itself
        runpy.run_module(above + program.module, {"range": see.range}, "__main__", alter_sys=True)
    else:
        runpy.run_path(str(world / program.file), {"range": see.range}, "__main__")


def _write(into: int, line: bytes) -> None:
    view = memoryview(line)
    while len(view):
        view = view[os.write(into, view) :]


def _clock(see: Recorder, seconds: float) -> None:
    """First training is hurried, then the program is ended."""

    def rung(*_: Any) -> None:
        if see.late:
            raise Spent
        see.late = True
        signal.setitimer(signal.ITIMER_REAL, seconds * (1 - LATE), 1.0)

    signal.signal(signal.SIGALRM, rung)
    signal.setitimer(signal.ITIMER_REAL, seconds * LATE)


def _at_home(world: Path, program: Program, see: Recorder) -> None:
    """Folder, arguments and path as if it had been started by its author."""
    os.environ.update(USER="student", LOGNAME="student")
    os.environ.update(
        MPLBACKEND="Agg", WANDB_MODE="disabled", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", CUDA_VISIBLE_DEVICES=""
    )
    os.chdir(world / program.folder)
    script = world / program.file
    sys.argv = Words(see, [str(script), *program.arguments])
    first = world / program.folder if program.module else script.parent
    sys.path[:0] = list(dict.fromkeys([str(first), str(world)]))
    for name in REUSED:
        if (script.parent / f"{name}.py").exists():
            sys.modules.pop(name, None)
    linecache.clearcache()


def _cells(path: Path, see: Recorder) -> None:
    names: dict[str, Any] = {
        "__name__": "__main__",
        "display": print,
        "get_ipython": lambda: None,
        "range": see.range,
    }
    for number, source in enumerate(notebooks.sources(path), 1):
        notebooks._run_cell(source, f"{path}#{number}", names)


def _place(error: BaseException, see: Recorder) -> str:
    """The last line of the author's own that the error came through."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(see.root)]
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(see.root):
        return f"{see.file(error.filename)}:{error.lineno}"
    return f"{see.file(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _last(see: Recorder) -> str:
    error = sys.exception()
    return _place(error, see) if error else ""


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:150]
    except BaseException:
        return ""
