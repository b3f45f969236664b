"""Where in a student's own source a mistake would stand: read from the syntax tree, offered only after the figures."""

from __future__ import annotations

from collections.abc import Iterable

from in4310.judging.mistake import Places
from in4310.submission.source import Call

TEST = ("test", "eval", "val")
CHANGING = ("ColorJitter", "AutoAugment", "TrivialAugmentWide")


def _of_a_test(call: Call) -> bool:
    return any(w in f"{call.target} {call.inside} {call.text}".lower() for w in TEST)


def loaders(keyword: str, value: object) -> Places:
    """Data loaders of validation and test that are given this value."""
    return lambda calls: [
        c for c in calls if c.last == "DataLoader" and c.given(keyword) == value and _of_a_test(c)
    ]


def named(*names: str) -> Places:
    """Calls of these functions."""
    return lambda calls: [c for c in calls if c.last in names]


def softmax(*dims: object) -> Places:
    """Softmaxes over one of these dimensions."""
    return lambda calls: [
        c
        for c in calls
        if c.last.lower() == "softmax"
        and (c.given("dim", 1) in dims or (c.name.endswith("Softmax") and c.given("dim", 0) in dims))
    ]


def random_transforms(calls: Iterable[Call]) -> list[Call]:
    """Random transforms, those of an evaluation first."""
    found = [c for c in calls if c.last.startswith("Random") or c.last in CHANGING]
    return sorted(found, key=lambda c: not _of_a_test(c))
