"""Which histories are of one run: logged in two files, copied, printed as well, cut off or resumed.

Repeating a run never gives more runs. Two that state other hyperparameters are never one, however alike their curves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from in4310.submission.claims import words
from in4310.submission.formats import SET_NAMES
from in4310.submission.run_headings import stated

Key = tuple[str, str]  # file, run
Run = dict[str, Any]


def merged(runs: Mapping[Key, Run]) -> dict[Key, Run]:
    """(file, run) -> run, with what several files or parts of a file tell of one run put together."""
    # Of two that tell the same the first counts, in the order given.
    together = _sets_together(runs)
    whole = _continued(_once({k: together[k] for k in runs if k in together}))
    return {
        k: whole[k] for k in sorted(whole, key=_by_length) if not whole[k]["epochs"] or _has_loss(whole[k])
    }


def _by_length(key: Key) -> tuple[int, Key]:
    return len(key[0]), key


def _has_loss(run: Run) -> bool:
    return any(column.endswith("_loss") for epoch in run["epochs"] for column in epoch)


def _sets_together(runs: Mapping[Key, Run]) -> dict[Key, Run]:
    """Runs whose sets were logged in two files of a folder, log.csv and test_log.csv, as one.

    Their names differ in the set alone, or they name the run themselves, and they give other figures of its epochs.
    """
    whole: dict[Key, Run] = {}
    place: dict[tuple[str, str, tuple[str, ...]], Key] = {}
    for (file, name), run in sorted(runs.items(), key=lambda item: _by_length(item[0])):
        path = PurePosixPath(file)
        stem = tuple(w for w in words(path.stem) if w not in SET_NAMES)
        own = not name.startswith(path.stem)
        here = (str(path.parent), name if own else name.removeprefix(path.stem), () if own else stem)
        first = place.setdefault(here, (file, name))
        if first == (file, name):
            whole[first] = run
            continue
        ours, theirs = whole[first]["epochs"], run["epochs"]
        same = [e.get("epoch") for e in ours] == [e.get("epoch") for e in theirs]
        both = {k for e in ours for k in e} & {k for e in theirs for k in e} - {"epoch"}
        if same and not both:
            whole[first]["epochs"] = [a | b for a, b in zip(ours, theirs, strict=True)]
        else:
            whole[(file, name)] = run
    return whole


# -- the same epochs again -------------------------------------------------------------------------


def _once(runs: Mapping[Key, Run]) -> dict[Key, Run]:
    """Each run once: of two that have the same epochs the longer, with what only the other says."""
    whole: dict[Key, Run] = {}
    for new, run in runs.items():
        alike = (k for k, kept in whole.items() if _same(kept, run, k[0] == new[0]))
        old = next((k for k in alike if not _others_stated(k, whole[k], new, run)), None)
        if old is None:
            whole[new] = run
            continue
        kept = whole.pop(old)
        longer, other, of = (run, kept, new) if len(run["epochs"]) > len(kept["epochs"]) else (kept, run, old)
        beside = {e["epoch"]: e for e in other["epochs"]}
        epochs = [beside.get(e["epoch"], {}) | e for e in longer["epochs"]]
        whole[of] = other | longer | {"epochs": epochs, "settings": _settings(longer, other)}
    return whole


def _same(a: Run, b: Run, in_one_file: bool) -> bool:
    """Whether one run has all epochs of the other, with its figures as far as both were written."""
    ours, theirs = ({e.get("epoch"): e for e in run["epochs"]} for run in (a, b))
    both = ours.keys() & theirs.keys()
    if not both or len(both) < min(len(ours), len(theirs)):
        return False
    pairs = [(ours[epoch], theirs[epoch]) for epoch in both]
    shared = set.intersection(*({*x} & {*y} for x, y in pairs)) - {"epoch"}
    if len(both) == 1:  # says little: in all digits, then
        (x, y), enough = pairs[0], len(shared) >= 3
        return enough and all(repr(x[c]) == repr(y[c]) for c in shared)
    val = {c for c in shared if c.startswith("val_")}
    # What is said of training is a mean over an epoch in one place, and after it in another file.
    columns = shared if in_one_file else val or {c for c in shared if c.startswith("train_")}
    if not any(c.endswith("_loss") for c in columns):
        return False
    digits = max if in_one_file else min
    return all(_agree([x[c] for x, _ in pairs], [y[c] for _, y in pairs], digits) for c in columns)


def _agree(ours: Sequence[Any], theirs: Sequence[Any], digits: Callable[..., int]) -> bool:
    """Whether figures are equal to the digits of those that have fewer (`min`) or more, two decimals at least."""
    if list(map(repr, ours)) == list(map(repr, theirs)):
        return True
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in (*ours, *theirs)):
        return False
    decimals = digits(max(map(_decimals, ours)), max(map(_decimals, theirs)))
    half = 0.51 * 10.0**-decimals
    # Event files hold float32.
    return decimals >= 2 and all(
        abs(x - y) <= max(half, 2e-7 * abs(x)) for x, y in zip(ours, theirs, strict=True)
    )


def _decimals(value: float) -> int:
    return len(f"{value:.9f}".rstrip("0").partition(".")[2])


def _is_stated(run: Run) -> bool:
    return bool(run.get("settings", {}).keys() - {"run"})


def _others_stated(key: Key, run: Run, other_key: Key, other: Run) -> bool:
    """Whether two runs say of hyperparameters what is not the same: beside their figures, or in their names."""
    if _is_stated(run) and _is_stated(other):
        return dict(run["settings"]) != dict(other["settings"])
    ours, theirs = (_said(k, r) for k, r in ((key, run), (other_key, other)))
    if ours and theirs and not _is_stated(run) and not _is_stated(other):
        return ours != theirs
    return any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())


def _said(key: Key, run: Run) -> dict[str, str]:
    if _is_stated(run):
        return {name: str(value).lower() for name, value in run["settings"].items()}
    return stated(" ".join(re.split(r"[_/]", f"{key[0]} {key[1]}")))


def _settings(run: Run, other: Run) -> Any:
    return other["settings"] if _is_stated(other) and not _is_stated(run) else run.get("settings", {})


# -- the rest of a run -----------------------------------------------------------------------------


def _continued(runs: Mapping[Key, Run]) -> dict[Key, Run]:
    """Runs that begin in the middle behind the only one of their folder that they can be the rest of."""
    whole = dict(runs)
    for key in sorted(runs, key=lambda k: (_first(runs[k]), k)):
        rest = whole[key]
        begin = _first(rest)
        if begin <= 1:
            continue
        before = [k for k, run in whole.items() if k != key and _may_go_on(k, run, key, rest)]
        alike = [k for k in before if _family(k) == _family(key)]
        chosen = before if len(before) == 1 else alike
        if len(chosen) == 1:
            first = whole[chosen[0]]
            epochs = [e for e in first["epochs"] if e["epoch"] < begin] + rest["epochs"]
            whole[chosen[0]] = rest | first | {"epochs": epochs, "settings": _settings(first, rest)}
            del whole[key]
    return whole


def _first(run: Run) -> float:
    epoch = run["epochs"][0].get("epoch") if run["epochs"] else None
    return epoch if isinstance(epoch, int | float) else 0


def _may_go_on(of: Key, run: Run, key: Key, rest: Run) -> bool:
    """Whether a run, which lies in the same folder, was stopped where the rest begins, or a little later."""
    if not run["epochs"] or PurePosixPath(of[0]).parent != PurePosixPath(key[0]).parent:
        return False
    last, end = run["epochs"][-1].get("epoch"), rest["epochs"][-1].get("epoch")
    if (
        not isinstance(last, int | float)
        or not isinstance(end, int | float)
        or _others_stated(of, run, key, rest)
    ):
        return False
    return _first(run) < _first(rest) <= last + 1 and last < end


def _family(key: Key) -> str:
    return re.sub(r"\d{1,20}", "", key[0])
