"""What a program was seen to do of what is asked of code: one observation a subject, where all of it was seen.

Pure functions of what was seen. Whether it was right is a matter of the edition, and of the mistakes that were seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from in4310.rehearsal.facts import SETS, Event, Facts, Loader, of
from in4310.rehearsal.known import by_program

RESNETS = ("resnet", "ResNet")


@dataclass(frozen=True)
class Observation:
    """`value`: plain, as the subject has it; `said`: in words; `at`: the student's line."""

    value: Any
    said: str
    at: str


Observe = Callable[[Facts, list[Event]], Observation | None]


def observations(facts: Facts, events: list[Event]) -> dict[str, Observation]:
    """Subject -> what was seen of it; subjects that were not seen are absent."""
    found = {subject: observe(facts, events) for subject, observe in SUBJECTS.items()}
    return {subject: seen for subject, seen in found.items() if seen is not None}


def _of_sets(facts: Facts) -> dict[str, Loader]:
    """The first loader of each set that was used."""
    found: dict[str, Loader] = {}
    for x in facts.loaders:
        name = facts.sets.get((x.program, x.number), "")
        if x.passes and name in SETS and (name != "train" or x.trained):
            found.setdefault(name, x)
    return found


def _loaders(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: whether batches of training are shuffled."""
    found = _of_sets(facts)
    if len(found) < len(SETS) or set(facts.split) != set(SETS):
        return None
    said = "; ".join(
        f"{name}: {x.rows} images, {'shuffled' if x.shuffle else 'in order'}, in batches of {x.batch}"
        for name, x in sorted(found.items(), key=lambda item: SETS.index(item[0]))
    )
    return Observation(found["train"].shuffle, said, found["train"].at)


def _classes(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: the classes in the order of the labels that data sets give them."""
    labels = [
        (of(int, e, "label", -1), of(str, e, "of", ""), e["at"]) for e in events if e["kind"] == "label"
    ]
    order = sorted({(label, name) for label, name, _ in labels})
    if len(order) < 2 or [label for label, _ in order] != list(range(len(order))):
        return None
    names = [name for _, name in order]
    return Observation(names, ", ".join(names), labels[0][2]) if len(set(names)) == len(names) else None


def _trained_networks(events: list[Event]) -> list[Event]:
    """Events 'network' of those that a step was made for: what its batches passed through last."""
    met: dict[tuple[int, str], Event] = {}
    trained, passed = [], ""
    for program, e in by_program(events):
        name = of(str, e, "network", "")
        if e["kind"] == "network":
            met[program, name] = e
        elif e["kind"] == "forward" and e.get("gradients") is True:
            passed = name
        elif e["kind"] == "step" and (program, passed) in met:
            trained.append(met[program, passed])
    return list({id(e): e for e in trained}.values())


def _network(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: [depth, outputs] of the network that is trained, where all that are trained are alike."""
    trained = _trained_networks(events)
    forms = {(of(int, e, "depth", 0), of(int, e, "outputs", 0)) for e in trained}
    if len(forms) != 1:
        return None
    depth, outputs = next(iter(forms))
    return Observation([depth, outputs], f"ResNet-{depth} with {outputs} outputs", trained[0]["at"])


def _start(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: 'imagenet' or 'scratch'; nothing where weights came out of a file before the first step."""
    asked: Event | None = None
    for e in events:
        if e["kind"] == "pretrained" and asked is None and any(n in of(str, e, "what", "") for n in RESNETS):
            asked = e
        elif e["kind"] == "restored" and (file := of(str, e, "file", "")):
            if asked is None or not file.endswith(of(str, asked, "what", "")):
                return None
        elif e["kind"] == "step":
            if asked is not None:
                return Observation("imagenet", of(str, asked, "what", ""), asked["at"])
            network = next(iter(_trained_networks(events)), None)
            return Observation("scratch", "drawn anew", network["at"]) if network else None
    return None


def _settings(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: how many different settings reached an optimiser that made steps."""
    made: dict[tuple[int, int], Event] = {}
    used: dict[tuple[Any, ...], Event] = {}
    batch, batches = 0, {(x.program, x.number): x.batch for x in facts.loaders}
    for program, e in by_program(events):
        if e["kind"] == "optimizer":
            made[program, of(int, e, "optimizer", -1)] = e
        elif e["kind"] == "forward":
            batch = batches.get((program, of(int, e, "loader", -1)), 0)
        elif e["kind"] == "step" and (by := made.get((program, of(int, e, "optimizer", -1)))):
            settings: dict[str, Any] = of(dict, by, "settings", {})
            key = (of(str, by, "type", ""), batch, *sorted((k, str(v)) for k, v in settings.items()))
            used.setdefault(key, by)
    if not used:
        return None
    said = "; ".join(_setting(key) for key in list(used)[:6])
    return Observation(len(used), said, next(iter(used.values()))["at"])


def _setting(key: tuple[Any, ...]) -> str:
    kind, batch, *settings = key
    return f"{kind}, batches of {batch}, " + ", ".join(
        f"{name} {value}" for name, value in settings if value != "0"
    )


def _kept(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: the sets on whose figures it was decided which weights to keep."""
    for program, e in by_program(events):
        if e["kind"] != "kept" or not of(str, e, "under", ""):
            continue
        since = [facts.sets.get((program, n), "") for n in of(list, e, "since", []) if type(n) is int]
        if "val" in since and "train" not in since:
            return Observation(sorted({s for s in since if s}), f"where {of(str, e, 'under', '')}", e["at"])
    return None


def _comparison(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: the tolerance, None for the default, of scores out of a file against others that were just computed."""
    for e in events:
        files = of(list, e, "files", [])
        shape = of(list, e, "shape", [])
        known = [f for f in files if type(f) is str and f]
        if e["kind"] == "compared" and len(known) == 1 and len(shape) == 2 and e.get("equal") is not False:
            tolerance = e.get("tolerance")
            return Observation(
                tolerance if type(tolerance) is float else None, f"{known[0]} with another", e["at"]
            )
    return None


def _hooks(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: how many modules of one network were hooked."""
    found: dict[int, set[int]] = {}
    kinds, at = [], ""
    for program, e in by_program(events):
        if e["kind"] == "hook":
            found.setdefault(program, set()).add(of(int, e, "number", -1))
            kinds.append(of(str, e, "module", ""))
            at = at or e["at"]
    most = max((len(n) for n in found.values()), default=0)
    return Observation(most, ", ".join(dict.fromkeys(kinds)), at) if most else None


def _metrics(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: the metrics that were computed."""
    made = {of(str, e, "metric", ""): e["at"] for e in events if e["kind"] == "metric"}
    return Observation(sorted(made), ", ".join(sorted(made)), next(iter(made.values()))) if made else None


def _spectra(facts: Facts, events: list[Event]) -> Observation | None:
    """Value: how many covariances were those of the channel means of a hooked module."""
    right = [e for e in events if e["kind"] == "spectrum" and e.get("right") is True and e.get("of") != "cov"]
    if not right:
        return None
    return Observation(
        len(right), "of the channel means of a hooked module, centred over the images", right[0]["at"]
    )


SUBJECTS: dict[str, Observe] = {
    "loaders": _loaders,
    "classes": _classes,
    "network": _network,
    "start": _start,
    "settings": _settings,
    "kept": _kept,
    "comparison": _comparison,
    "hooks": _hooks,
    "metrics": _metrics,
    "spectra": _spectra,
}
