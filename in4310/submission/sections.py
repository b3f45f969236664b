"""Headings in a printed text: the set of images that one names holds for what follows, until another names a set."""

from __future__ import annotations

import re

from in4310.submission.claims import measure, set_of, words
from in4310.submission.formats import SET_NAMES
from in4310.submission.logs import BATCH, EPOCH

UNCLEAR = "?"  # two sets are named for the same figures
LETTERS, WORDS = 120, 12
# Drawn as a heading: by Markdown, by LaTeX, by a run of signs around it.
_DRAWN = re.compile(r"^(?:#|\*\*|==|\\(?:sub){0,2}section|\\paragraph)|([=*#~_─━═-])\1\1")
_RULE = re.compile(r"\s*+([=*#~_─━═-])\1{2,200}\s*+")
_STATES = re.compile(r"[:=]\s*+[\d.]")
# Words of a heading that is not drawn: nothing but the set and what is told of it.
_ABOUT = {
    "set", "sett", "settet", "data", "dataset", "split", "images", "bilder", "result", "results", "resultat",
    "resultater", "evaluation", "evaluating", "evaluate", "evaluering", "metrics", "performance", "report", "scores",
    "classification", "summary", "figures", "final", "best", "model", "network", "per", "class", "classes", "each",
    "on", "på", "the", "of", "for", "in", "and", "with", "mean", "average", "precision", "accuracy", "acc", "ap", "map",
}  # fmt: skip
_KEPT = {"best", "final", "kept", "chosen", "selected"}  # of an epoch whose network is evaluated


def section_of(line: str, before: str = "", after: str = "") -> str | None:
    """The set that a heading names, '' for one of the training as such; None for a line that is no such heading.

    `before`, `after`: the lines around it. An epoch's own heading is none, unless it is that of the network kept.
    """
    line, said = line.strip(), set_of(line)
    spoken = {w for w in words(line) if not w.isdecimal()}
    if said is None or len(line) > LETTERS or len(spoken) > WORDS or "|" in line or _states_figures(line):
        return None
    if BATCH.search(line) or (EPOCH.search(line) and not _KEPT & spoken):
        return None
    alone = spoken <= _ABOUT | {*SET_NAMES}
    drawn = bool(_DRAWN.search(line)) or line.isupper() or bool(_RULE.fullmatch(after))
    if said == "train" and not (alone and spoken - {"training", "trening"}):
        return "" if drawn else None
    return said if drawn or (alone and _stands_apart(line, before.rstrip())) else None


def of_an_epoch(line: str) -> bool:
    """Whether a line begins an epoch of a training, and is not about the one kept."""
    found = EPOCH.match(line.lstrip(" =-#*[")) or EPOCH.match(line)
    return bool(found) and not {*_KEPT, "checkpoint", "loaded"} & {*words(line)}


def under(heading: str, section: str) -> str:
    """The set of figures that name none, as the line above and the section say it; UNCLEAR where they differ."""
    sets = {set_of(heading) or "", section} - {""}
    return UNCLEAR if len(sets) > 1 else next(iter(sets), "")


def after_figures(section: str, names: list[str]) -> str:
    """The section behind a line whose figures bear names: those of another set leave open what comes next."""
    own = {said for name in names if measure(name) and (said := set_of(name)) in ("val", "test")}
    return UNCLEAR if section and len(own) == 1 and section not in own else section


def _stands_apart(line: str, before: str) -> bool:
    """Whether a line of few words is no end of a sentence: it ends as a heading does, or follows figures or nothing."""
    begins = line[:1].isupper() or line[:1].isdecimal() or words(line)[0] in SET_NAMES
    below = before[-1:] in "0123456789%|)]}" or not any(map(str.isalnum, before))
    sentence = line.endswith(".") and not line.endswith("..")
    return line.endswith(":") or (begins and below and not sentence)


def _states_figures(line: str) -> bool:
    """Whether a line has a figure of a measure, or ends with a number of something: '# val images: 141'."""
    found = [*_STATES.finditer(line)]
    return any(measure(line[: one.start()]) for one in found) or (bool(found) and line[-1].isalnum())
