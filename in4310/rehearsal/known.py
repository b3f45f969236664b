"""What a known mistake is, as it is seen while a program runs, and how its events are looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from in4310.rehearsal.facts import Event, Facts, Loader, of

Seen = Callable[[Facts, list[Event]], Iterable[str]]


@dataclass(frozen=True)
class Mistake:
    """What was done, where, and how to mend it. `name` is that of the judge's own registry, where it is there."""

    name: str
    at: str
    sentence: str
    mend: str


@dataclass(frozen=True)
class Known:
    """One mistake and how it is seen."""

    name: str
    sentence: str
    mend: str
    seen: Seen


def held_out(facts: Facts, *sets: str) -> Iterator[Loader]:
    """Loaders of these sets on whose batches no step was made."""
    return (x for x in facts.loaders if facts.sets.get((x.program, x.number)) in sets and not x.trained)


def by_program(events: list[Event]) -> Iterator[tuple[int, Event]]:
    """(its program, event) of each."""
    program = -1
    for e in events:
        if e["kind"] == "start":
            program = of(int, e, "program", -1)
        yield program, e
