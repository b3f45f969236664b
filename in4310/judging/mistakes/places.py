"""Where in a student's own source a mistake would stand: read from the syntax tree, offered only after the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from in4310.submission.source import Call

TEST = ("test", "eval", "val")


def _about(call: Call, words: tuple[str, ...]) -> bool:
    return any(w in f"{call.target} {call.inside} {call.text}".lower() for w in words)


def loaders(
    keyword: str, value: object, words: tuple[str, ...] = ("test",)
) -> Callable[[Iterable[Call]], list[Call]]:
    """Data loaders of the named sets that are given this value."""
    return lambda calls: [
        c for c in calls if c.last == "DataLoader" and c.given(keyword) == value and _about(c, words)
    ]


def named(*names: str) -> Callable[[Iterable[Call]], list[Call]]:
    """Calls of these functions."""
    return lambda calls: [c for c in calls if c.last in names]


def softmax(*dims: object) -> Callable[[Iterable[Call]], list[Call]]:
    """Softmaxes over one of these dimensions."""
    return lambda calls: [
        c
        for c in calls
        if c.last.lower() == "softmax"
        and (c.given("dim", 1) in dims or (c.name.endswith("Softmax") and c.given("dim", 0) in dims))
    ]


def random_transforms(calls: Iterable[Call]) -> list[Call]:
    """Random transforms, those of an evaluation first."""
    found = [
        c
        for c in calls
        if c.last.startswith("Random") or c.last in ("ColorJitter", "AutoAugment", "TrivialAugmentWide")
    ]
    return sorted(found, key=lambda c: not _about(c, TEST))
