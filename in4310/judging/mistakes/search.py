"""The registry of known mistakes, and the one search for those that give what was claimed.

It does not matter where a claim comes from: a file, a live function that was called, a run that is watched. The caller
says what was claimed (`Claim`), how to compute it again under a source of mistakes (`worlds`), and within what tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product, takewhile
from typing import Any

import numpy as np

from in4310.errors import InputError
from in4310.judging.mistake import SEEN, Hypothesis, Match
from in4310.judging.mistakes.budget import Budget
from in4310.submission.pieces import Missing
from in4310.submission.source import Call

ALIKE = 10.0  # matches within this factor of the best one fit alike: rounding decides between them, not the mistake
NOISE = 1e-6  # float32 arithmetic: below it, a better fit means nothing
LUCK = 0.01  # of figures that somebody made up, fewer than this share may be named by a hypothesis
CLEARER = 5.0  # a mistake must explain the figure so many times better than no mistake does
BATCHES = (64, 32, 16, 128, 100, 50, 256, 8, 200, 20, 10, 4)  # sizes in use, the most usual first
ROW = ("figure", "name", "sentence", "mend", "link", "places")
REGISTRY: dict[str, Hypothesis] = {}
Figure = Callable[..., Any]
Fit = tuple[float, float, int, str]  # under, without, count and what of a match
# What would have been handed in, and which variant of the mistake gives it.
Guesses = Iterable[tuple[Any, str]]


def hypotheses(about: str, *rows: tuple[Any, ...], expensive: bool = False) -> None:
    """Register mistakes about a kind of figure: rows of (figure, name, sentence, how to mend it, link, places in the source).

    The last three may be left out. Raises ValueError for a name that is taken.
    """
    for row in rows:
        filled: list[Any] = [*row, *("", "", None)[len(row) - 3 :]]
        _enter(Hypothesis(about=about, expensive=expensive, **dict(zip(ROW, filled, strict=True))))


def again(about: str, *rows: tuple[Figure, str]) -> None:
    """Register other ways to tell mistakes: rows of (figure, key). They keep name, sentence and mend of the one registered."""
    for figure, key in rows:
        _enter(replace(REGISTRY[key], about=about, figure=figure, expensive=False))


def _enter(mistake: Hypothesis) -> None:
    key = f"{mistake.about}/{mistake.name}"
    if key in REGISTRY:
        raise ValueError(f"hypothesis {key} is registered twice")
    REGISTRY[key] = mistake


def known(about: str) -> list[Hypothesis]:
    """All hypotheses about a kind of figure, cheap ones first, else in the order of their registration."""
    found = [h for h in REGISTRY.values() if h.about == about]
    return sorted(found, key=lambda h: h.expensive)


def seen(about: str, *given: Any) -> list[Match]:
    """The first mistake of form that is seen: its function gives True, or what there is to say of it; else nothing."""
    for mistake in known(about):
        if said := mistake.figure(*given):
            return [_match((mistake,), said if isinstance(said, tuple) else (), (0, 0, 1, SEEN))]
    return []


def _match(mistakes: tuple[Hypothesis, ...], said: Sequence[object], fit: Fit) -> Match:
    """What is said fills the places of the sentence; what is left is the detail."""
    places = sum(h.sentence.count("{}") for h in mistakes)
    detail = together(*map(str, said[places:]))
    return Match(mistakes, *fit, detail, filled=tuple(said[:places]))


def together(*said: str) -> str:
    """Details as one, each once."""
    return ", ".join(dict.fromkeys(filter(None, said)))


@dataclass(frozen=True)
class World:
    """What figures are computed from: as it is right, or as a source of mistakes would have it.

    `surer`: the same with more to compare, asked before anything is said, where `given` is but a few rows, or holds but
    the keys of `only`. `plain`: of as much, what is right: of two mistakes the source is none where the other alone fits that.
    """

    given: Any
    source: Hypothesis | None = None
    detail: str = ""
    surer: Callable[[], Any] | None = None
    only: Container[Any] | None = None
    plain: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Claim:
    """Figures that are wrong, and what it takes for a mistake to explain them.

    `apart` says how far a guess lies from what was claimed for a key, `without` how far the right figures do; `tolerance`
    is of each key. `right` computes a figure without a mistake, from a world; `ask` calls a hypothesis for one key.
    `chance`: how likely one guess fits by accident, so that few digits of a single figure are not explained by many guesses.
    `mixed`: each key may come from another variant of the mistake (another column for each class). `only`: the names of
    those that can be told from so little. `figures`: the same for mistakes that are made last, and fitted (`finishing`).
    `closely`: `chance` of a guess that is off by so much: of many digits that all agree more guesses may be tried.
    """

    keys: Sequence[Any]
    apart: Callable[[Any, Any], float]
    tolerance: Callable[[Any], float]
    without: float
    what: str
    right: Figure
    ask: Callable[[Figure, Any, Any], Guesses] = lambda figure, given, key: figure(given, key)
    count: Callable[[Any], int] | None = None
    chance: float = 0.0
    mixed: bool = False
    only: Sequence[str] = ()
    figures: Vector | None = None
    closely: Callable[[float], float] | None = None

    def explained(self, world: World, way: Hypothesis | None, tally: Tally | None = None) -> Iterator[Match]:
        """Matches of a mistake (None: only the world's own), one for each variant that gives the figures of all keys.

        The more was tried before, the less likely it must be that made-up figures fit as well.
        """
        off, guesses = self._fitting(world, way)
        tried = (tally or Tally()).with_more(guesses)
        right = self.without <= min(map(self.tolerance, self.keys))
        if right:
            return
        mistakes = tuple(h for h in (world.source, way) if h is not None)
        for detail, under in off.items():
            chance = self.closely(under) if self.closely else self.chance
            if under * CLEARER <= self.without and chance * tried <= LUCK:
                said = together(world.detail, detail)
                count = self.count(world.given) if self.count else len(self.keys)
                yield _match(mistakes, (said,), (under, self.without, count, self.what))

    def _fitting(self, world: World, way: Hypothesis | None) -> tuple[dict[str, float], int]:
        """Variants that give the figures of all keys, with how far they are off at most; and how many were tried."""
        off: dict[str, float] = {}
        tried = 0
        for i, key in enumerate(self.keys):
            near, guesses = self._near(world, way, key)
            tried = tried or guesses
            if self.mixed and near:  # of each key the nearest, whichever variant that is
                nearest = min(near, key=lambda detail: near[detail])
                before, worst = next(iter(off.items()), ("", 0.0))
                off = {together(*before.split(", "), nearest): max(worst, near[nearest])}
            else:
                off = {d: max(a, off.get(d, 0.0)) for d, a in near.items() if d in off or not i}
            if not off:  # a variant that misses one figure need not be computed for the others
                break
        return off, tried

    def _near(self, world: World, way: Hypothesis | None, key: Any) -> tuple[dict[str, float], int]:
        """Variants that give the figure of a key, with how far they are off; and how many guesses there were."""
        near: dict[str, float] = {}
        guesses = 0
        for guess, detail in self.ask(way.figure if way else self.right, world.given, key):
            guesses += 1
            apart = self.apart(key, guess)
            if apart <= min(self.tolerance(key), near.get(detail, float("inf"))):
                near[detail] = apart
        return near, guesses

    def surely(self, world: World, way: Hypothesis | None, tally: Tally) -> list[Match]:
        """`explained`, and where that was by a few rows or keys, by more of them."""
        only = world.only
        keys = self.keys if only is None else [key for key in self.keys if key in only]
        found = list(replace(self, keys=keys).explained(world, way, tally)) if keys else []
        if world.surer is None or (keys and not found):
            return found
        surer = replace(world, given=world.surer(), surer=None, only=None)
        plain = world.plain(surer.given) if way and world.plain else None
        if plain is not None and any(self.explained(replace(surer, given=plain), way)):
            return []
        return list(self.explained(surer, way, Tally(tally.guesses)))

    def whole(self, world: World, way: Hypothesis | None) -> dict[str, list[np.ndarray]]:
        """Variant -> its guesses of all keys, as many values of each as were claimed; those that give all keys."""
        assert self.figures is not None
        found: dict[str, list[np.ndarray]] = {}
        for i, key in enumerate(self.keys):
            size, near = len(self.figures.claimed[key]), dict[str, np.ndarray]()
            for guess, detail in self.ask(way.figure if way else self.right, world.given, key):
                values = np.atleast_1d(np.asarray(guess, dtype=np.float64))[:size]
                near.setdefault(detail, np.pad(values, (0, size - len(values))))
            found = {d: [*found.get(d, []), v] for d, v in near.items() if d in found or not i}
            if not found:
                break
        return {d: v for d, v in found.items() if all(np.isfinite(one).all() for one in v)}


@dataclass
class Tally:
    """How many guesses were made so far for one claim: what fits must be less likely by chance the more there were."""

    guesses: int = 0

    def with_more(self, guesses: int) -> int:
        """All of them, with those just made."""
        self.guesses += guesses
        return max(1, self.guesses)


@dataclass(frozen=True)
class Vector:
    """Figures of a claim, for mistakes that look at all of them together. All maps are by key.

    claimed: float64 (k,), as handed in; `room`: what their digits leave open, absolute; `near`: how far ours may be from
    right ones, as a share of the largest; `sizes`: what a figure may have been divided by, of each key its own; `causes`:
    what a common factor may come from; `exchangeable`: which may stand beside each other's names, those of one group;
    `beside`: other figures that were handed in with these, and the right ones.
    """

    claimed: Mapping[Any, np.ndarray]
    room: Mapping[Any, float]
    near: float
    sizes: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)
    causes: Mapping[str, float] = field(default_factory=dict)
    names: Callable[[Any], str] = str
    exchangeable: Callable[[Any], object] = lambda key: True
    beside: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Guessed:
    """Figures claimed beside those of a guess, both float64 (k,) of each key, and as long."""

    figures: Vector
    keys: Sequence[Any]
    guess: Sequence[np.ndarray]

    @property
    def claimed(self) -> list[np.ndarray]:
        """As handed in."""
        return [self.figures.claimed[key] for key in self.keys]

    def allowed(self) -> list[float]:
        """How far each may be off, absolute."""
        both = zip(self.keys, self.guess, strict=True)
        return [self.figures.room[k] + self.figures.near * float(np.abs(g).max()) for k, g in both]


Worlds = Callable[[Hypothesis | None], Iterable[World]]


def worlds_of(right: Any) -> Worlds:
    """What is right, and what each source makes of it."""

    def worlds(source: Hypothesis | None) -> Iterator[World]:
        if source is None:
            yield World(right)
        else:
            yield from (World(other, source, detail) for other, detail in source.figure(right))

    return worlds


def search(about: str, claim: Claim, worlds: Worlds, budget: Budget, sources: bool = True) -> list[Match]:
    """Mistakes `about` a kind of figure that give a claim: the smallest and closest, those that fit alike all of them.

    First each with what is right (`worlds(None)`); then each source ('about: source') by itself, and one of each together.
    What costs no forward pass comes first, alone and in pairs: sources that do are computed as long as nothing fits and
    time is left. `sources`: whether to try those.
    """
    ways = [w for w in (*known(about), *known(f"{about}: output")) if not claim.only or w.name in claim.only]
    matches, tried, tally = list[Match](), list[World](), Tally()
    if not claim.keys:
        return []
    with budget:
        with budget.on(f"{about}: as they are"):
            right = list(worlds(None))
        with budget.on(f"{about}: made last"):
            matches += _finished(about, claim, [(world, None) for world in right], tally)
        with budget.on(f"{about}: computed in another way"):
            for world, way in product(right, ways):  # cheap ones first
                if not way.expensive or (budget.left and not matches):
                    matches += claim.explained(world, way, tally)
        for source in known(f"{about}: source"):
            if not source.expensive:
                with budget.on(f"{about}: {source.name}"):
                    matches += _looked_at(source, claim, worlds, budget, tried, tally)
        # Pairs are counted apart: that many were tried must not hide one mistake that is looked for after them.
        pairs, cheap = Tally(tally.guesses), len(tried)
        matches = matches or _together(about, claim, ways, budget, [*tried], pairs, right)
        for source in known(f"{about}: source"):
            if matches or not sources or not budget.worthwhile(about):
                break
            if source.expensive:
                with budget.on(f"{about}: {source.name}"):
                    matches += _looked_at(source, claim, worlds, budget, tried, tally)
        if not matches and len(tried) > cheap:
            budget.fruitless.add(about)
            pairs.with_more(tally.guesses)
            matches = _together(about, claim, ways, budget, tried[cheap:], pairs)
    return [replace(m, places=located(m.mistakes, budget.source)) for m in best(matches)]


def _together(
    about: str,
    claim: Claim,
    ways: Sequence[Hypothesis],
    budget: Budget,
    tried: Sequence[World],
    tally: Tally,
    right: Sequence[World] = (),
) -> list[Match]:
    """Matches of two: a world that was tried and a way, or one of both and what was done last."""
    pairs = [(w, way) for w in tried for way in ways if w.source is None or way.name != w.source.name]
    timely = takewhile(lambda _: budget.left, pairs)
    with budget.on(f"{about}: two together"):
        matches = [m for pair in timely for m in claim.surely(*pair, tally)]
    last = [*product(right, ways), *((world, None) for world in tried)]
    with budget.on(f"{about}: made last"):
        return matches + _finished(about, claim, last, tally)


def _looked_at(
    source: Hypothesis, claim: Claim, worlds: Worlds, budget: Budget, tried: list[World], tally: Tally
) -> list[Match]:
    """Matches of a source by itself; its worlds are put to those tried."""
    with suppress(Missing, InputError):  # an image or a network that cannot be had proves nothing
        for world in worlds(source):
            found = claim.surely(world, None, tally)
            tried.append(world)
            if found or not budget.left:
                return found
    return []


def _finished(
    about: str, claim: Claim, asked: Iterable[tuple[World, Hypothesis | None]], tally: Tally
) -> list[Match]:
    """Matches of what was done last to the figures of worlds and ways: scaled, rounded, exchanged."""
    ways, found = known(": ".join((about, "finish"))), list[Match]()
    if claim.figures is None or claim.only or not ways:
        return []
    if not all(np.isfinite(values).all() for values in claim.figures.claimed.values()):
        return []
    for world, way in asked:
        if world.surer is not None:  # known of a part: more is asked where something fits that
            part = [key for key in claim.keys if world.only is not None and key in world.only]
            some = replace(claim, keys=part)
            if not part or not any(_fitted(some, some.whole(world, way), ways)):
                continue
            world = replace(world, given=world.surer(), surer=None, only=None)
        guesses = claim.whole(world, way)
        tried = tally.with_more(len(guesses))
        before = tuple(h for h in (world.source, way) if h is not None)
        for last, under, luck, detail, said in _fitted(claim, guesses, ways):
            if luck * tried <= LUCK:
                fit = (under, claim.without, len(claim.keys), claim.what)
                found.append(Match((*before, last), *fit, together(world.detail, detail), filled=said))
    return found


def _fitted(
    claim: Claim, guesses: Mapping[str, list[np.ndarray]], ways: Iterable[Hypothesis]
) -> Iterator[tuple[Hypothesis, float, float, str, tuple[object, ...]]]:
    """What was done last that fits: with how far off, how likely by chance, which variant before, and what is said."""
    assert claim.figures is not None
    for detail, guess in guesses.items():
        for last in ways:
            for under, luck, said in last.figure(Guessed(claim.figures, claim.keys, guess)):
                if under * CLEARER <= claim.without:
                    yield last, under, luck, detail, said


def best(matches: Iterable[Match]) -> list[Match]:
    """The smallest and closest; all that fit alike are kept, the first of each name, at most four."""
    if not (found := list(matches)):
        return []
    fewest = min(len(m.mistakes) for m in found)
    found = [m for m in found if len(m.mistakes) == fewest]
    closest = min(m.under for m in found)
    alike = [m for m in found if m.under <= max(ALIKE * closest, NOISE)]
    unique = {frozenset(m.names): m for m in sorted(alike, key=lambda m: -m.under)}
    return sorted(unique.values(), key=lambda m: m.under)[:4]


def located(mistakes: Iterable[Hypothesis], source: Callable[[], Iterable[Call]]) -> tuple[str, ...]:
    """Places in the student's own source that would be the mistakes, as 'evaluate.py:41 ...'."""

    found = [
        f"{call.place}: {call.text}"
        for mistake in mistakes
        if mistake.places is not None
        for call in mistake.places(list(source()))[:3]
    ]
    return tuple(dict.fromkeys(found))
