"""The judge's side: ask for a plan, have the programs run, and take what comes out as data of a stranger."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from in4310.errors import NotJudged
from in4310.rehearsal.facts import MOST, Event, Facts, event_of, facts_of
from in4310.rehearsal.facts import of as of_event
from in4310.rehearsal.known import Mistake
from in4310.rehearsal.mistakes import mistakes
from in4310.rehearsal.observations import observations
from in4310.rehearsal.programs import DATA, sought
from in4310.shown import shown
from in4310.submission.plain import NotPlain, all_of, of
from in4310.submission.sandbox.visible import readable_by_others
from in4310.submission.sandbox.walls import Limits, World
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

IMPORTS = ("in4310.rehearsal.child",)
GRACE = 30.0  # seconds beyond those of the programs: to lay out the world and to end
MIB = 2**20
PLACES = 3  # times that programs are started where they stop before any data


@dataclass(frozen=True)
class Started:
    """A program and its end: 'ended' by itself with a status, 'time', 'no time' left to start it, or why."""

    file: str
    why: str
    end: str = ""
    status: int = 0
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rehearsal:
    """What was seen. `broken`: (file, why) of code that cannot be read; `files`: the data set's, as rows count them."""

    programs: list[Started]
    events: list[Event]
    facts: Facts
    files: list[str]
    broken: list[tuple[str, str]] = field(default_factory=list)
    failure: str = ""  # of the process itself
    times: list[float] = field(default_factory=list)  # seconds from the start to each event

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Known mistakes that were seen."""
        return mistakes(self.facts, self.events)

    def as_document(self) -> dict[str, Any]:
        """As JSON; the same program in the same world gives the same, but for what is said in seconds."""
        return {
            "programs": [asdict(p) for p in self.programs],
            "facts": self.facts.as_document(self.files),
            "observations": {
                subject: asdict(o) for subject, o in observations(self.facts, self.events).items()
            },
            "mistakes": [asdict(m) for m in self.mistakes],
            "broken": [list(b) for b in self.broken],
            "failure": self.failure,
            "again": self.facts.again,
            "times": [round(t, 2) for t in self.times],
            "events": [e for e in self.events if e["kind"] != "rows"],
        }


def rehearse(folder: Path, data: Path, files: Iterable[str], classes: Iterable[str], sandbox: Sandbox,
             seconds: float = 120.0, told: Callable[[Event], None] = lambda event: None) -> Rehearsal:  # fmt: skip
    """Run the programs of a hand-in on the data set below `data`, whose `files` are named relative to it.

    `told` hears each event as it comes.

    Raises NotJudged where the walls that this needs (namespaces) cannot be had.
    """
    if not sandbox.tier.namespaces:
        raise NotJudged(
            f"a rehearsal needs a root of its own, which cannot be had here ({sandbox.tier.describe()}); "
            "in4310 doctor says which walls hold"
        )
    files, classes = sorted(files), sorted(set(classes))
    limits = Limits(
        seconds=seconds + GRACE,
        cpu_seconds=int(seconds + GRACE),
        memory_bytes=3072 * MIB,
        file_bytes=512 * MIB,
        tmp_bytes=1024 * MIB,
        output_bytes=64 * MIB,
        answer_bytes=16 * MIB,
    )
    with readable_by_others(data, parents=False) as visible:
        root = (visible or data).resolve()
        tops = sorted({file.partition("/")[0] for file in files if "/" in file})
        shown_at = {f"{DATA}/{top}": str(root / top) for top in tops} or {DATA: str(root)}
        try:
            with sandbox.worker(folder, limits, world=World(shown_at, {}, IMPORTS)) as worker:
                found = of(dict, worker.call("rehearsal_plan", {"classes": classes}).result)
            planned, roots, broken = _plan(found)
        except (WorkerFailed, NotPlain) as failure:
            return Rehearsal([], [], Facts(), files, [], shown(str(failure) or "no plan of it could be made"))
        asked = {"programs": planned, "files": files, "seconds": seconds, "name": _name(folder), "only": ""}
        for _ in range(PLACES):
            asked["roots"] = roots
            world = World(shown_at, {r.rstrip("/"): DATA for r in roots if _absolute(r)}, IMPORTS)
            seen = _performed(folder, sandbox, limits, world, asked, broken, told)
            # A place that the source does not say, as it is put together when it runs: it is there the next time.
            more = [place for place in _sought(seen, classes) if place not in roots]
            if not more or seen.facts.loaders or (seen.times and seen.times[-1] > seconds / PLACES):
                break
            roots = [*more, *roots]

        def data_again(only: str) -> bool | None:
            """Whether the data part alone makes the same loaders, as far as it comes, of the same files in order.

            None where it did not come to what is trained on.
            """
            part = {**asked, "only": only, "seconds": max(20.0, seconds / 2)}
            other = _performed(folder, sandbox, limits, world, part, broken).facts
            known = {(x.program, x.number): x for x in seen.facts.loaders}
            again = [(known.get((x.program, x.number)), x.files) for x in other.loaders]
            if not any(
                files and (first is None or seen.facts.sets.get((first.program, first.number)) == "train")
                for first, files in again
            ):
                return None
            return all(first is not None and first.files == files for first, files in again)

        if seen.facts.split:
            mixed = data_again("mixed")
            plain = data_again("data") if mixed is False else mixed
            found = {(True, True): "same", (False, True): "listing", (False, False): "other"}
            seen.facts.again = "" if mixed is None or plain is None else found[mixed, plain]
        return seen


def _sought(seen: Rehearsal, classes: Iterable[str]) -> Iterator[str]:
    """Roots of the data set that were not there when a program stopped at it."""
    for e in seen.events:
        absent = e["kind"] == "stopped" and e.get("error") in ("FileNotFoundError", "NotADirectoryError")
        if absent and (place := sought(of_event(str, e, "path", ""), classes)):
            yield place


def _performed(
    folder: Path,
    sandbox: Sandbox,
    limits: Limits,
    world: World,
    asked: dict[str, Any],
    broken: list[tuple[str, str]],
    hear: Callable[[Event], None] = lambda event: None,
) -> Rehearsal:
    events: list[Event] = []
    times: list[float] = []
    began = time.monotonic()
    ends: list[dict[str, Any]] = []
    failure = ""

    def noted(note: str) -> None:
        if len(events) < MOST and (event := event_of(note)) is not None:
            events.append(event)
            times.append(time.monotonic() - began)
            hear(event)

    if asked["programs"]:
        try:
            with sandbox.worker(folder, limits, world=world) as worker:
                ends = all_of(dict, worker.call("rehearse", asked, noted=noted).result)
        except NotPlain:
            failure = "its process gave an answer that is none"
        except WorkerFailed as error:
            failure = shown(str(error), 300)
    started = []
    for number, told in enumerate(asked["programs"]):
        end = ends[number] if number < len(ends) else {}
        how = end.get("end") if type(end.get("end")) is str else "the process ended"
        status = end.get("code") if type(end.get("code")) is int else 0
        given = tuple(shown(word, 80) for word in told["arguments"])
        started.append(Started(told["file"], shown(told["why"], 200), shown(how, 80), status or 0, given))
    facts = facts_of(events, len(asked["files"]))
    return Rehearsal(started, events, facts, asked["files"], broken, failure, times)


def _plan(found: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str], list[tuple[str, str]]]:
    """The child's plan, each field of its type. Raises NotPlain."""
    programs = []
    for one in all_of(dict, found.get("programs")):
        told = {k: of(str, one.get(k)) for k in ("file", "folder", "why", "module")}
        programs.append({**told, "arguments": all_of(str, one.get("arguments"))})
    broken = [all_of(str, pair) for pair in all_of(list, found.get("broken"))]
    return programs, all_of(str, found.get("roots")), [(shown(p[0], 200), shown(p[-1])) for p in broken if p]


def _absolute(root: str) -> bool:
    return (
        root.startswith("/")
        and not root.startswith(("/tmp/", "/proc", "/dev", DATA))
        and root.strip("/") != ""
    )


def _name(folder: Path) -> str:
    """The hand-in's own name, where a folder can be called so."""
    found = ""
    with suppress(OSError):
        found = folder.resolve().name
    return found if re.fullmatch(r"[\w .-]{1,80}", found) and found.strip(".") else "handin"
