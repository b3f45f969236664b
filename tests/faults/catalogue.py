"""Registry of faults and correct variants. Each is a builder: a function that changes a copy of the reference submission."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FAULTS: list["Fault"] = []
VARIANTS: list["Variant"] = []
SLIPS: list["Budgeted"] = []
FORGERIES: list["Budgeted"] = []


@dataclass(frozen=True)
class Fault:
    """One mistake. `blames`: checks that must fail, warn or lack their input; `follows`: that may, as a consequence.

    All other checks must keep their points. `says`: what the blamed checks must say of the mistake. `build` returns
    the folder of photographs to judge on where the mistake lies in them.
    """

    name: str
    row: str
    blames: frozenset[str]
    follows: frozenset[str]
    says: str
    build: Callable[[Path, object], Path | None]
    edition: dict[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Variant:
    """A submission that is right in another way: full points for all that it hands in; `lacks`: checks without input."""

    name: str
    build: Callable[[Path, object], object]
    lacks: frozenset[str]
    edition: dict[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Budgeted:
    """A builder, a bound of points, and what is judged of it: requirements of a slip, checks of a forgery."""

    name: str
    budget: float
    judged: tuple[str, ...]
    build: Callable[[Path, object], object]


def slip(max_lost, *requirements):
    """Register one mistake in work that is right else: of the requirements judged it costs at most so many points."""
    return _budgeted(SLIPS, max_lost, requirements)


def forgery(max_points, *checks):
    """Register what costs nothing to make: it earns at most so many points of the checks judged."""
    return _budgeted(FORGERIES, max_points, checks)


def _budgeted(entries, budget, judged):
    def register(build):
        entries.append(Budgeted(build.__name__.replace("_", " "), budget, judged, build))
        return build

    return register


def fault(row, *blames, says, follows=(), edition=None):
    """Register a builder as the fault of a row of the catalogue of mistakes ('F1')."""

    def register(build):
        name = build.__name__.replace("_", " ")
        assert name not in {f.name for f in FAULTS}, name
        FAULTS.append(Fault(name, row, frozenset(blames), frozenset(follows), says, build, edition or {}))
        return build

    return register


def variant(lacks=(), edition=None):
    """Register a builder as a correct variant."""

    def register(build):
        name = build.__name__.replace("_", " ")
        assert name not in {v.name for v in VARIANTS}, name
        VARIANTS.append(Variant(name, build, frozenset(lacks), edition or {}))
        return build

    return register
