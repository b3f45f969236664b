"""What no file of a hand-in says, but its programs make when they run: the split, image by image and in row order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Thread

from in4310 import rehearsal
from in4310.errors import InputError, NotJudged
from in4310.judging.data import DataSet
from in4310.places import cache_folder, code_digest
from in4310.rehearsal.facts import SETS
from in4310.rehearsal.known import by_program
from in4310.rehearsal.observations import observations
from in4310.rehearsal.rehearse import Rehearsal, rehearse
from in4310.rehearsal.story import ending
from in4310.solution.saving import write_aside
from in4310.submission.folder import Recovered, Submission
from in4310.submission.sandbox.worker import Sandbox
from in4310.submission.source import code_files


def ahead(run: Callable[[], Recovered]) -> Callable[[], Recovered]:
    """The same, begun at once in a thread of its own; what it gives is waited for where it is asked for.

    Whoever is interrupted does not wait for it: it ends with the process that it asks.
    """
    future: Future[Recovered] = Future()

    def work() -> None:
        try:
            future.set_result(run())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, name="in4310-rehearsal", daemon=True).start()
    return future.result


def recover(
    submission: Submission, data: DataSet, sandbox: Sandbox, seconds: float, tell: Callable[[str], None]
) -> Recovered:
    """Rehearse the programs: the split that they make, and what was seen, said. `tell`: at which line one is.

    Nothing of it costs points: a program that does not run here may well run where it was written. A split that comes
    of it is judged as one that a file says, and proved, or not, by the scores and the weights. It is kept for the next
    time that the same files are judged.
    """
    if not code_files(submission.folder):
        return Recovered()
    named = hashlib.sha256(f"{_code()} {submission.digest} {data.digest} {seconds}".encode()).hexdigest()
    kept = cache_folder() / "rehearsals" / f"{named[:32]}.json"
    try:
        found = Recovered(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        try:
            seen = rehearse(submission.folder, data.root, data.labels, data.classes, sandbox, seconds,
                            lambda event: tell(event["at"]))  # fmt: skip
        except NotJudged as reason:
            return Recovered([f"rehearsal: {reason}"])
        found = _recovered(seen)
        if not seen.failure and all(p.end not in ("time", "no time") for p in seen.programs):
            with suppress(InputError):  # a disk that is full: the next run rehearses again
                write_aside(kept, lambda out: out.write(json.dumps(asdict(found)).encode()))
    return found


@cache
def _code() -> str:
    return code_digest(Path(__file__), Path(rehearsal.__file__).parent)


def _recovered(seen: Rehearsal) -> Recovered:
    if not seen.programs:
        return Recovered()
    told = {n for n, e in by_program(seen.events) if e["kind"] == "argument" and e.get("required") is True}
    ran = [p.file for n, p in enumerate(seen.programs)
           if p.end == "ended" and not p.status and not p.arguments and n not in told]  # fmt: skip
    found = Recovered(at=_place(seen), ran=ran)
    found.seen = {
        subject: [o.value, o.said, o.at] for subject, o in observations(seen.facts, seen.events).items()
    }
    found.wrong = [[m.name, m.at, m.sentence, m.mend] for m in seen.mistakes]
    split = seen.facts.split
    if set(split) == set(SETS):
        found.split = {name: [seen.files[row] for row in split[name]] for name in SETS}
        found.again = seen.facts.again
        sizes = ", ".join(f"{name} {len(split[name])}" for name in SETS)
        found.said.append(f"rehearsal: {found.at} was run, and made its split: {sizes}")
    else:
        found.said.append("rehearsal: the programs were run, and no split was seen")
    for number, program in enumerate(seen.programs):
        if program.end != "ended" or program.status:
            found.said.append(f"rehearsal: {program.file} {ending(seen, number)}; nothing is lost by that")
    found.said += [f"rehearsal: {m.at}: {m.sentence}; {m.mend}" for m in seen.mistakes]
    return found


def _place(seen: Rehearsal) -> str:
    """The program whose loaders the split is of; the first that was run, where several share it."""
    used = {program for (program, _), name in seen.facts.sets.items() if name in SETS}
    number = min(used, default=0)
    return seen.programs[number].file if number < len(seen.programs) else seen.programs[0].file
