"""Mistakes that nobody listed: entries drawn from a seed, each of a family with random parameters; and right variants.

An entry is the reference submission with some pieces in another form, judged by the checks that the mistake touches. What
is searched for lies in the package; what is drawn here is made by code of its own.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

FAMILIES: dict[str, tuple[int, Callable]] = {}


class Redraw(Exception):
    """What was drawn changes no figure by more than a tolerance: another is."""


@dataclass(frozen=True)
class Entry:
    """`pieces`: name -> what is handed in; `checks`: the first must notice; `says`: of each group one is said, () where all is right."""

    pieces: dict[str, object]
    checks: tuple[str, ...]
    says: tuple[tuple[str, ...], ...]
    what: str


@dataclass
class Draw:
    """Random numbers, and what entries are made of."""

    rng: np.random.Generator
    world: object

    def one(self, values):
        """One of them, each as likely."""
        values = list(values)
        return values[int(self.rng.integers(len(values)))]

    @cached_property
    def tensors(self):
        from faults.drawn_inside import Tensors

        return self.world.__dict__.setdefault("_drawn_tensors", Tensors(self.world))


def family(name, count):
    """Register a function (Draw) -> Entry, and how many are drawn of it."""

    def register(make):
        assert name not in FAMILIES, name
        FAMILIES[name] = (count, make)
        return make

    return register


def entries(seed):
    """(family, number) of all entries of a seed."""
    return [(name, number) for name, (count, _) in FAMILIES.items() for number in range(count)]


def made(name, number, seed, world):
    """The entry of a family, of a seed."""
    for again in range(50):
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number, again])
        try:
            return FAMILIES[name][1](Draw(rng, world))
        except Redraw:
            continue
    raise AssertionError(f"{name}: nothing that differs in fifty draws")


def must_differ(off, tolerance):
    """An entry that nobody could notice is none."""
    if not off > tolerance:
        raise Redraw
