"""How much of what was asked for is there: counted before anything of it is judged, by every check in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

VALUES = 5  # eigenvalues of a module: how many is free, but fewer draw no spectrum

# What a run is called, where it lies and what was said of it: two runs that differ in nothing else are one setting.
_NAME = re.compile(
    "(seed|name|run|tag|note|comment|remark|path|root|file|log|worker|device|date|time|dir|folder|output)s?|id|uid|uuid"
    "|description|title|directory|out|save|saved|logdir|checkpoint|project|entity|group|experiment|exp|trial|index|number"
    "|version|author|user|host|hostname|machine|gpu|cuda|timestamp|started|kommentar|notat|navn|mappe|beskrivelse|frø"
    "|url|link|pid|port|job|jobid|slurm|git|commit|sha|hash|best|accuracy|acc|map|result|results|duration|elapsed|seconds"
)

# What names of runs state: an optimiser, which a rate may follow, and numbers behind words for what they are.
_WORD = re.compile(r"\d{0,9}\.?\d{1,9}(?:e-?\d{1,2})?|[a-z]{1,20}")
_OPTIMISERS = {"sgd", "adam", "adamw", "radam", "nadam", "rmsprop", "adagrad", "adadelta", "lion", "lamb"}
_SHORT = {
    "lr": {"lr", "rate", "eta"},
    "wd": {"wd", "decay"},
    "momentum": {"momentum", "mom"},
    "size": {"bs", "batch", "batchsize", "size"},
    "dropout": {"dropout", "drop"},
    "epochs": {"epochs", "ep"},
}


def hyperparameters(settings: Any) -> tuple[tuple[str, str], ...]:
    """(name, value) of what changes a training, sorted; not its seed, name, folder or a note."""
    if not isinstance(settings, Mapping):
        return ()
    return tuple(sorted((str(k), _value(v)) for k, v in settings.items() if not _is_name(str(k))))


def named(name: str) -> tuple[tuple[str, str], ...]:
    """As `hyperparameters`, of what the name of a run states: 'sgd_lr0.01', 'Adam 1e-3, wd 0'; () for 'run 2'."""
    found, key = [], ""
    for word in _WORD.findall(name.lower()):
        if word in _OPTIMISERS:
            found.append(("optimiser", word))
            key = "lr"
        elif not word[0].isalpha():
            if key:
                found.append((key, _value(word)))
            key = ""
        else:
            key = next((meant for meant, words in _SHORT.items() if word in words), "")
    return tuple(sorted(found))


def _is_name(key: str) -> bool:
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", key).lower()
    return any(_NAME.fullmatch(word) for word in re.findall(r"[a-zæøå]+", words))


def _value(value: Any) -> str:
    """0.1, '0.1' and 1e-1 are one value."""
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return str(value).strip().lower()


def places(model: nn.Module | None, names: Iterable[str]) -> dict[str, str]:
    """Place in the network -> the first name of it: 'layer4' and 'layer4.1' put out one tensor.

    Without a network every name is a place.
    """
    names = list(names)
    modules: dict[str, Any] = dict(model.named_modules()) if model is not None else dict.fromkeys(names)
    found: dict[str, str] = {}
    for name in names:
        if not name or name not in modules:
            continue
        place, module = name, modules[name]
        while isinstance(module, nn.Sequential) and len(module):
            last, module = list(module.named_children())[-1]
            place = f"{place}.{last}"
        found.setdefault(place, name)
    return found


def spectra(model: nn.Module | None, series: Mapping[str, Any], modules: int) -> float:
    """Share of the spectra asked for that a series holds: `modules` places of the network, VALUES values each."""
    shares = []
    for name in places(model, series["modules"]).values():
        entry = series["modules"][name]
        values = entry.get("values") if isinstance(entry, Mapping) else entry
        # As many as there are other than the one before: a constant repeated is one value.
        different = len({str(v) for v in values}) if isinstance(values, list) else 0
        shares.append(min(1.0, different / VALUES))
    return sum(sorted(shares, reverse=True)[:modules]) / modules if modules else 1.0
