"""Mistakes made last, with figures that were computed: scaled, rounded, or put beside other names.

They are fitted, not listed: what a factor or an order is follows from the figures. So each says how likely figures that
somebody made up would fit as well (`luck`), and the more that is tried, the smaller that must be. Where a cause of the
factor is known it is told; else the factor alone is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from in4310.judging import digits
from in4310.judging.mistakes.search import BATCHES, Guessed, hypotheses

SPREAD = 0.5  # invented figures lie within so much of the right size, either way: half of it, as ours do of each other
EXACT = 1e-3  # a factor is that of a cause within so much of it
UNITS = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
EXACTLY = 1e-9  # of a figure: what is nearer tells no more
NONE = 0.01  # a factor so near to 1 is none


Fitted = Iterator[tuple[float, float, tuple[str, ...]]]  # how far off at most, luck, what fills the sentence


def _scaled(asked: Guessed) -> Fitted:
    """One factor for all, the one that fits best."""
    if len(asked.keys) == 1 and len(asked.claimed[0]) == 1:
        yield from _by_a_cause(asked)
        return
    factor = _factor(asked.claimed, asked.guess)
    if factor is None or abs(factor - 1) < NONE:
        return
    if fit := _fits(asked, [factor] * len(asked.keys)):
        yield *fit, (_said(factor, _known(asked, factor)),)


def _by_a_cause(asked: Guessed) -> Fitted:
    """A single figure is explained by a factor whose cause is known, the usual first: each is a guess more."""
    (claimed,), (guess,), (allowed,) = asked.claimed, asked.guess, asked.allowed()
    tried = 0
    for what, number in asked.figures.causes.items():
        for factor, said in ((1 / number, f"divided by {what}"), (number, f"multiplied by {what}")):
            tried += 1
            ours = factor * float(guess[0])
            off = abs(float(claimed[0]) - ours)
            if off <= factor * allowed and abs(factor - 1) > NONE and ours:
                # That it agrees to more digits than it must is less likely by chance, too.
                width = max(off, digits.finest(float(claimed[0])), EXACTLY * abs(ours))
                yield off, tried * _by_chance(2 * width, abs(ours)), (f"{factor:.4g} ({said})",)


def _scaled_by_size(asked: Guessed) -> Fitted:
    """Of each key another factor, which is one over a size of its own, or that times what is the same for all."""
    for what, sizes in asked.figures.sizes.items():
        own = [sizes[key] for key in asked.keys if key in sizes]
        if len(own) < len(asked.keys) or len(set(own)) < 2:
            continue
        scaled = [g / size for g, size in zip(asked.guess, own, strict=True)]
        rest = _factor(asked.claimed, scaled)
        if rest is None:
            continue
        if abs(rest - 1) < EXACT:
            rest = 1.0
        if fit := _fits(asked, [rest / size for size in own]):
            more = "" if rest == 1 else f", and multiplied by {_said(rest, _known(asked, rest))}"
            yield *fit, (f"{what}{more}",)


def _factor(claimed: Sequence[np.ndarray], guess: Sequence[np.ndarray]) -> float | None:
    """By which all guesses come nearest to what was claimed; each key counts alike. None where there is none."""
    pairs = [(float(c @ g), float(g @ g), float(c @ c)) for c, g in zip(claimed, guess, strict=True)]
    ratios = [cg / gg for cg, gg, cc in pairs if gg > 0 and cc > 0]
    if not ratios or not all(map(math.isfinite, ratios)):
        return None
    factor = float(np.median(ratios))
    return factor if 1e-9 < abs(factor) < 1e9 else None


def _fits(asked: Guessed, factors: Sequence[float]) -> tuple[float, float] | None:
    """How far scaled guesses are off at most, and the luck of it; None where one is off by more than it may be.

    One figure is taken by the factor itself, the one that fixes it best, and proves nothing.
    """
    worst, chances, seen = 0.0, list[float](), set[float]()
    for key, claimed, guess, factor in zip(asked.keys, asked.claimed, asked.guess, factors, strict=True):
        largest = abs(factor) * float(np.abs(guess).max())
        allowed = asked.figures.room[key] + asked.figures.near * largest
        off = float(np.abs(claimed - factor * guess).max())
        if not off <= allowed:
            return None
        if largest <= 4 * allowed:
            continue  # next to nothing is that by any factor
        worst = max(worst, off)
        # Of a spectrum the other values that are not small beside the largest are figures, too.
        telling = min(4, int((np.abs(guess) > 0.05 * np.abs(guess).max()).sum()))
        if (value := float(claimed[0])) not in seen:
            chances += [_by_chance(2 * allowed, largest)] * telling
        seen.add(value)
    chances.sort()
    return worst, float(np.prod(chances[1:])) if chances else 1.0


def _by_chance(width: float, size: float) -> float:
    """How likely an invented figure of a size lies within a width of it."""
    return min(1.0, width / max(2 * SPREAD * size, 1e-300))


def _known(asked: Guessed, factor: float) -> list[str]:
    """Causes that a factor has; of a cause as large as 200 its part, too."""
    total = float(sum(g[0] for g in asked.guess))
    causes = dict(asked.figures.causes)
    if len(asked.keys) > 1 and total > 0:
        causes |= {"the sum of all of them": total}
    found = []
    for what, number in causes.items():
        for times, said in (
            (1 / number, "divided by {}"),
            (number, "multiplied by {}"),
            (100 / number, "divided by {}, in per cent"),
        ):
            if abs(factor / times - 1) < EXACT and number != 1:
                found.append(said.format(what))
    if abs(factor / 2 - 1) < EXACT:
        found.append("counted twice, as by hooks that were registered twice")
    if abs(factor + 1) < EXACT:
        found.append("with the sign reversed")
    return found


def _said(factor: float, known: Sequence[str]) -> str:
    number = f"{factor:.4g}" if abs(factor) >= 0.01 else f"{factor:.4g}, 1 / {1 / factor:.5g}"
    return f"{number} ({' or '.join(known)})" if known else number


def _rounded(asked: Guessed) -> Fitted:
    """Down, up or to the nearest, of the coarsest unit that all of them are multiples of; by how many digits it is said.

    Figures beside them are looked at, too: who rounds one rounds all. One that rounding would not change proves nothing.
    """
    rows = [(c, g, room) for c, g, room in zip(asked.claimed, asked.guess, asked.allowed(), strict=True)]
    values = np.concatenate(asked.claimed)
    unit = _unit_of(values)
    if unit is None or (np.abs(values) < unit / 2).mean() > 0.5:
        return
    repeated = 0
    for theirs, ours in asked.figures.beside:
        if (own := _unit_of(np.array([theirs]))) is not None and own >= unit:
            rows.append((np.array([theirs]), np.array([ours]), 1e-9))
    off = {"to the nearest": 0.0, "down": 0.0, "up": 0.0}
    chances = dict[float, float]()
    for claimed, guess, room in rows:
        near = min(room, 0.1 * unit)
        apart = claimed - guess
        for how, low, high in (
            ("to the nearest", -unit / 2, unit / 2),
            ("down", -unit, 0.0),
            ("up", 0.0, unit),
        ):
            worst = max(0.0, float(apart.max()) - high, low - float(apart.min()))
            off[how] = max(off[how], worst if worst <= near else np.inf)
        for one, of in zip(claimed.tolist(), guess.tolist(), strict=True):
            if abs(of / unit - round(of / unit)) * unit > near:
                repeated += one in chances
                chances[one] = _by_chance(unit + 2 * near, float(np.abs(guess).max()))
    for how, worst in off.items():
        if np.isfinite(worst) and chances:
            # A constant fits whatever lies near it; of several values each figure has one, and it is the right one.
            luck = float(np.prod(list(chances.values()))) * len(chances) ** -float(repeated)
            yield worst, 3 * luck, (_unit(unit), how)


def _unit_of(values: np.ndarray) -> float | None:
    """The coarsest that all are multiples of; None where none is."""
    return next(
        (u for u in UNITS if (np.abs(values / u - np.round(values / u)) < 1e-6).all()),
        None,
    )


def _unit(unit: float) -> str:
    return (
        f"whole {'tens' if unit == 10 else 'numbers'}"
        if unit >= 1
        else f"{round(-math.log10(unit))} decimals"
    )


def _exchanged(asked: Guessed) -> Fitted:
    """Each figure is that of another key: the one order of them that fits."""
    groups: dict[object, list[int]] = {}
    for i, key in enumerate(asked.keys):
        groups.setdefault(asked.figures.exchangeable(key), []).append(i)
    luck, worst, rules = 1.0, 0.0, list[str]()
    allowed = asked.allowed()
    for group, rows in groups.items():
        if group is None or len(rows) < 3:
            return
        off = np.array([[_apart(asked.claimed[i], asked.guess[j]) for j in rows] for i in rows])
        fine = off <= np.array([[allowed[j] for j in rows]] * len(rows))
        taken, given = linear_sum_assignment(np.where(fine, off, 1e9 + off))
        if not fine[taken, given].all():
            return
        worst = max(worst, float(off[taken, given].max()))
        order = [int(j) for j in given]
        if order != list(range(len(rows))):
            rules.append(
                _rule(
                    order,
                    [asked.figures.names(asked.keys[i]) for i in rows],
                    [float(asked.guess[j][0]) for j in rows],
                )
            )
        several = {
            round(float(asked.guess[j][0]), 12): _by_chance(
                2 * allowed[j], float(np.abs(asked.guess[j]).max())
            )
            for j in rows
        }
        luck *= math.factorial(len(rows)) * float(np.prod(list(several.values())))
    if rules:
        yield worst, luck, ("; ".join(dict.fromkeys(rules)),)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    size = min(len(a), len(b))
    return float(np.abs(a[:size] - b[:size]).max())


def _rule(order: Sequence[int], names: Sequence[str], values: Sequence[float]) -> str:
    """The order of figures in words: at place i stands the figure of order[i]."""
    count = len(order)
    for shift in range(1, count):
        if all(j == (i + shift) % count for i, j in enumerate(order)):
            return f"shifted by {shift if shift <= count / 2 else shift - count}"
    moved = [values[j] for j in order]
    if all(j == count - 1 - i for i, j in enumerate(order)):
        return "in reverse"
    if moved in (sorted(moved), sorted(moved, reverse=True)):
        return f"sorted by their size, {'ascending' if moved == sorted(moved) else 'descending'}"
    return ", ".join(f"{names[i]} has that of {names[j]}" for i, j in enumerate(order) if i != j)


SCALED = "the figures are the right ones multiplied by {}"
ROUNDED = "the figures were rounded to {}, {}"
ONCE = "divide once, by the number of values or images that were summed"
DIGITS = "hand in the digits that were computed, and round only where they are shown"


def finishes(about: str, others: str) -> None:
    """Register what may be done last to figures of a kind; `others`: whose they are, where they were exchanged."""
    kind = ": ".join((about, "finish"))
    # fmt: off
    hypotheses(
        kind,
        (_scaled, "scaled", SCALED, ONCE),
        (_scaled_by_size, "scaled-by-size", "the figures were divided by {}", ONCE),
        (_rounded, "rounded", ROUNDED, DIGITS),
        (_exchanged, "exchanged", f"these are the figures of {others} ({{}})", "keep the name beside its figure"),
    )
    # fmt: on


def weighted_by_time(means: Sequence[float], size: int) -> Iterator[tuple[float, str]]:
    """Means of batches in which later ones count more: weights 1 to n, or half of what was before and half of the new."""
    yield float(np.average(means, weights=np.arange(1, len(means) + 1))), f"weights 1 to n, batches of {size}"
    if len(means) < 3:  # the mean of both
        return
    running = means[0]
    for value in means[1:]:
        running = (running + value) / 2
    yield running, f"half of what was before and half of the new one, batches of {size}"


def batch_counts(images: int) -> dict[str, float]:
    """Numbers of batches that images come in, by what is said of them."""
    found = {
        -(-images // size): f"the number of batches of {size}" for size in reversed(BATCHES) if size < images
    }
    sizes = {f"the size of a batch, {size}": float(size) for size in BATCHES if size < images}
    return {said: float(count) for count, said in found.items()} | sizes
