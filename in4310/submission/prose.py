"""Sentences that state one measure: 'accuracy is 85.8 % on the validation set and 91.9 % on the test set'.

Taken where each figure has its own set, all behind their figures or all before them, and the sentence compares with
nothing: what it says of a baseline, a goal or another epoch is no figure of the network handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from in4310.submission.claims import measure, set_of, words

LETTERS = 300  # of a sentence
_SENTENCE = re.compile(r"(?<=[.;!?])\s")
_FIGURE = re.compile(
    r"(?<![\w.,/–-])(\d{1,3}(?:[.,]\d{1,18})?)(\s?%|\s(?:percent|prosent))?(?![\w/–-]|[.,:]\d)", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+")
# Whose figure it may be instead, or that it is but compared.
_OTHERS = re.compile(
    r"\b(?:about|above|after|almost|approximately|around|baseline|before|below|better|between|brukte?|ca|chance|cirka|compared|drop"
    r"|enn|epochs?|epoke|etter|expected|from|før|gap|goal|guess|guessing|improved|increased|initial|krav|least|less|more|mål|nearly"
    r"|omtrent|over|paper|random|required|roughly|split|than|threshold|target|tilfeldig|under|untrained|used|utrent|worse)\b",
    re.IGNORECASE,
)
_BY_CLASS = frozenset(
    ("class", "classes", "klasse", "klasser", "mean", "average", "gjennomsnittlig", "per", "top")
)


def compares(sentence: str) -> bool:
    """Whether a sentence speaks of a baseline, a goal, another epoch, or of what something was before."""
    return bool(_OTHERS.search(sentence))


def stated(line: str, classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name of set and measure, figure) of each that a line's sentences state."""
    names = {c.lower() for c in classes}
    for sentence in _SENTENCE.split(line):
        spoken = {word.lower() for word in _WORD.findall(sentence)}
        kind = _kind(sentence, spoken)
        if not kind or len(sentence) > LETTERS or spoken & names or compares(sentence):
            continue
        figures = [m for m in _FIGURE.finditer(sentence) if m[2] or "." in m[1] or "," in m[1]]
        places = [(m.start(), found) for m in _WORD.finditer(sentence) if (found := set_of(m[0]))]
        pairs = _paired([m.start() for m in figures], places)
        for m, name in zip(figures, pairs, strict=False):
            yield f"{name} {kind}", m[1] + ("%" if m[2] else "")


def _kind(sentence: str, spoken: set[str]) -> str:
    """The one measure that a sentence speaks of, of all images; '' for none, and for several."""
    found = {kind for word in spoken if (kind := measure(word))}
    if "mean average precision" in " ".join(words(sentence)):
        found.add("map")
    elif found == {"accuracy"} and spoken & _BY_CLASS:
        return ""
    return found.pop() if found in ({"accuracy"}, {"map"}) else ""


def _paired(figures: Sequence[int], sets: Sequence[tuple[int, str]]) -> list[str]:
    """The set of each figure, by where they stand; [] where that is not plain."""
    order: list[str] = []  # '' for a figure
    for _, what in sorted([*((at, "") for at in figures), *sets]):
        if not what or order[-1:] != [what]:  # 'the test set of the test data' says it once
            order.append(what)
    ahead, behind = order[::2], order[1::2]
    named = ahead if any(ahead) else behind
    other = behind if any(ahead) else ahead
    plain = len(named) == len(other) == len(figures) <= 2 and all(named) and not any(other)
    return named if plain and len({*named}) == len(named) else []
