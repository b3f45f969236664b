"""The story of a rehearsal in sentences: what ran, what was seen at which line, what stopped it, how to mend that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from in4310.rehearsal.events import EACH
from in4310.rehearsal.facts import SETS, Event, of
from in4310.rehearsal.rehearse import Rehearsal
from in4310.shown import shown

Line = tuple[str, str]  # where, and what


def story(seen: Rehearsal) -> Iterator[Line]:
    """Line after line. The place is the student's own: 'train.py:41', or '' for what is said of the whole."""
    if seen.failure:
        yield "", f"the rehearsal was ended: {seen.failure}"
    for file, why in seen.broken:
        yield file, f"cannot be read as Python: {why}"
    if not seen.programs:
        yield (
            "",
            "no program was found: no file has a __main__ guard, calls something at its top level, or is a notebook",
        )
    for number, program in enumerate(seen.programs):
        yield program.file, f"was started: {program.why}"
        yield from ((at, sentence) for at, sentence, _ in timeline(seen, number))
        yield program.file, ending(seen, number)


def summary(seen: Rehearsal) -> Iterator[Line]:
    """What it comes to: the split, the loaders, the mistakes."""
    facts = seen.facts
    if facts.split:
        sizes = ", ".join(f"{name} {len(facts.split[name])}" for name in SETS if name in facts.split)
        yield "", f"the split was recovered in row order: {sizes}"
    if seen.facts.again == "same":
        yield "", "a second rehearsal, with the files listed in another order, gives the same split"
    for mistake in seen.mistakes:
        yield mistake.at, f"{mistake.sentence}; {mistake.mend}"


def _of_program(events: list[Event], number: int) -> list[Event]:
    found, at_work = [], -1
    for event in events:
        if event["kind"] == "start":
            at_work = of(int, event, "program", -1)
        elif at_work == number:
            found.append(event)
    return found


def timeline(seen: Rehearsal, number: int) -> Iterator[tuple[str, str, str]]:
    """(place, sentence, stage) of one program: each sentence once a place, in the order in which it first came."""
    said: dict[tuple[str, str, str], int] = {}
    for event in _of_program(seen.events, number):
        tell = TELL.get(event["kind"])
        if tell is not None and (sentence := tell(event)):
            line = event["at"], sentence, _stage(event)
            said[line] = said.get(line, 0) + 1
    for (at, sentence, stage), times in said.items():
        again = f"{times} times or more" if times >= EACH else f"{times} times"
        yield place(at), f"{sentence}; {again}" if times > 1 else sentence, stage


def _stage(event: Event) -> str:
    return "evaluation" if event.get("training") is False else STAGES.get(event["kind"], "training")


def seconds(seen: Rehearsal) -> dict[str, float]:
    """Stage -> seconds until the events of it, from the one before; 'start' until the first."""
    found: dict[str, float] = {}
    before = 0.0
    for event, at in zip(seen.events, seen.times, strict=False):
        stage = _stage(event) if before else "start"
        found[stage] = round(found.get(stage, 0.0) + at - before, 2)
        before = at
    return found


def ending(seen: Rehearsal, number: int) -> str:
    """How a program ended: at its end, at which line and why and how to mend it, or with its time."""
    program, events = seen.programs[number], _of_program(seen.events, number)
    stopped = next((e for e in events if e["kind"] == "stopped"), None)
    if stopped is not None:
        error, text = shown(stopped.get("error", ""), 60), shown(stopped.get("text", ""), 200)
        return (
            f"stopped at {place(stopped['at']) or 'no line of its own'}: {error}: {text}{_mend(error, text)}"
        )
    if any(e["kind"] == "spent" for e in events) or program.end == "time":
        return "had not ended when its time was over; what came before is told"
    if program.end == "no time":
        return "was not run: the programs before it took the whole time; allow more with --seconds"
    if program.end != "ended" or program.status:
        return f"ended without a word: {program.end}, status {program.status}"
    return "ran to its end"


def _mend(error: str, text: str) -> str:
    if error in ("ModuleNotFoundError", "ImportError"):
        return "; hand in that file with it, or say in its README which package it needs"
    if error == "FileNotFoundError":
        return "; hand in that file with it, or name its place relative to the program"
    if error == "PermissionError" or "Read-only" in text:
        return "; write beside the program, not into the data set"
    return ""


def place(at: str) -> str:
    """'train.py:41' as it is; 'lab.ipynb, cell 3, line 4' of a notebook, whose cells of code are counted."""
    return re.sub(r"#(\d+):(\d+)$", r", cell \1, line \2", at)


def _shape(event: Event) -> str:
    return " x ".join(str(n) for n in of(list, event, "shape", []))


def _loader(e: Event) -> str:
    steps = [shown(s, 40).partition("(")[0] for s in of(list, e, "transforms", [])]
    how = "shuffled" if e.get("shuffle") is True else "in order"
    done = f"; transforms: {', '.join(steps)}" if steps else ""
    rows, batch = of(int, e, "rows", 0), of(int, e, "batch", 0)
    return f"loader {shown(e['name'], 60)} of {rows} rows, batches of {batch}, {how}{done}"


def _split(e: Event) -> str:
    sizes = " + ".join(str(n) for n in of(list, e, "sizes", []))
    seed = e.get("seed")
    how = "stratified" if e.get("stratified") is True else "not stratified"
    seeded = f"seed {seed}" if type(seed) is int else "without a seed"
    return f"{shown(e.get('by', ''), 40)} splits {sizes}, {how}, {seeded}"


def _forward(e: Event) -> str:
    mode = "training" if e.get("training") is True else "eval"
    grads = "with gradients" if e.get("gradients") is True else "without gradients"
    return f"{shown(e.get('network', ''), 40)} computes batches {_shape(e)} in {mode} mode, {grads}"


def _written(e: Event) -> str:
    what = shown(e.get("type", "names"), 20)
    size = f" {_shape(e)}" if e.get("shape") else ""
    return f"writes {shown(e.get('file', ''), 120)} ({what}{size})" if e.get("file") else ""


def _compared(e: Event) -> str:
    files = [shown(f, 80) for f in of(list, e, "files", []) if f]
    tolerance = f", tolerance {e['tolerance']:g}" if type(e.get("tolerance")) is float else ""
    return f"compares arrays {_shape(e)}{' of ' + ' and '.join(files) if files else ''}{tolerance}"


STAGES = {
    **dict.fromkeys(
        ("seed", "split", "loader", "argument", "listing", "shuffle", "rows", "label", "pixels"), "data"
    ),
    **dict.fromkeys(("metric", "compared", "softmax"), "evaluation"),
    **dict.fromkeys(("written", "read", "restored", "kept"), "files"),
    **dict.fromkeys(("hook", "changing", "spectrum"), "inside"),
}
TELL: dict[str, Callable[[Event], str]] = {
    "seed": lambda e: f"seeds {shown(e.get('library', ''), 20)} with {shown(e.get('seed'), 20)}",
    "split": _split,
    "loader": _loader,
    "optimizer": lambda e: f"makes {shown(e.get('type', ''), 30)} with {_settings(e)}",
    "pretrained": lambda e: (
        f"asks for {shown(e.get('what', ''), 60)}; a rehearsal has random ones of the same shape"
    ),
    "argument": lambda e: (
        f"needs the argument {shown(e.get('argument', ''), 40)}; {shown(e.get('value', ''), 60)} was taken"
    ),
    "hurried": lambda e: "the loop was ended early, so that what comes after it is reached",
    "forward": _forward,
    "metric": lambda e: f"computes {shown(e.get('metric', ''), 40)}",
    "written": _written,
    "read": lambda e: f"reads {shown(e.get('file', ''), 120)}" if e.get("file") else "",
    "restored": lambda e: f"restores weights{' of ' + shown(e['file'], 80) if e.get('file') else ''}",
    "compared": _compared,
    "hook": lambda e: f"hooks a {shown(e.get('module', ''), 40)}",
    "spectrum": lambda e: f"computes {shown(e.get('of', ''), 20)} of a matrix {_shape(e)}",
}


def _settings(e: Event) -> str:
    found: dict[str, Any] = of(dict, e, "settings", {})
    return (
        ", ".join(f"{shown(k, 20)} {v:g}" for k, v in found.items() if type(v) in (int, float) and v)
        or "its defaults"
    )
