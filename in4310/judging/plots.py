"""Figures that compare: what was handed in beside what was recomputed, the difference, and the tolerance.

What was handed in is always orange with a hollow diamond, what was recomputed blue with a dot, what is beyond a
tolerance a cross: the sign says it as well as the colour. Data of a hand-in may be anything: what is no finite number
is not drawn, and every count is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from in4310.shown import shown
from in4310.solution.drawing.figures import spectrum_scale, thinned
from in4310.solution.drawing.style import (
    BLUE,
    FAINT,
    INK,
    LARGEST,
    ORANGE,
    PALE,
    SHOWN,
    canvas,
    foot,
    legend,
    number,
    panel,
    panels,
    styled,
    titled,
)

ROWS = 16  # of one panel of figures
MODULES = 6  # panels of spectra in one figure
FLOOR = 1e-9  # differences below are drawn here: they are none
POINTS = 240  # of a scatter
WIDE = 1.6  # inches of the panel of figures
COLUMNS = (1 + 0.12 / WIDE, 1 + 0.86 / WIDE, 1 + 1.66 / WIDE)  # where the numbers beside it stand

HANDED_IN: dict[str, Any] = {
    "color": ORANGE,
    "marker": "D",
    "fillstyle": "none",
    "markersize": 6,
    "markeredgewidth": 1.5,
}
RECOMPUTED: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 4.5}
BEYOND: dict[str, Any] = {"color": ORANGE, "marker": "X", "markersize": 6, "linestyle": ""}
AMISS: dict[str, Any] = {"facecolor": "white", "edgecolor": ORANGE, "hatch": "////", "linewidth": 1}
LIMIT: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1.1}


def _line(how: Mapping[str, Any], line: str = "") -> Line2D:
    return Line2D([], [], **{"linestyle": line, **how})


@dataclass(frozen=True)
class Row:
    """One figure: its name, as handed in (None: missing), as recomputed (None: not known), and the tolerance."""

    name: str
    claimed: float | None
    ours: float | None
    tolerance: float

    @property
    def good(self) -> bool:
        """Whether both are there and lie within the tolerance."""
        return (
            self.claimed is not None
            and self.ours is not None
            and abs(self.claimed - self.ours) <= self.tolerance
        )


@styled
def compared(groups: Mapping[str, Sequence[Row]], digits: int = 4, unit: str = "") -> Figure:
    """Figures handed in against recomputed: a panel a group, a row a figure, with the numbers and their difference."""
    drawn = {name: list(rows)[:ROWS] for name, rows in list(groups.items())[:2]}
    label = 0.25 + 0.072 * max((len(shown(r.name, 18)) for rows in drawn.values() for r in rows), default=0)
    most = max((len(rows) for rows in drawn.values()), default=1)
    tolerance = max((r.tolerance for rows in drawn.values() for r in rows), default=0.0)
    said = ["recomputed", "handed in", f"✗ differs by more than {tolerance:.3g}"]
    size = (label + WIDE + 2.35, 0.24 * most + 1.05)
    figure, found = panels(len(drawn), 2, size, (label, 2.35, 0.55, 0.5), said)
    for axes, (name, rows) in zip(found, drawn.items(), strict=False):
        for y, row in enumerate(rows):
            claimed, ours = number(row.claimed), number(row.ours)  # None also where no axis can hold it
            if claimed is not None and ours is not None:
                axes.plot([claimed, ours], [y, y], color=FAINT if row.good else ORANGE, linewidth=1.5)
            if ours is not None:
                axes.plot(ours, y, **RECOMPUTED)
            if claimed is not None:
                axes.plot(claimed, y, **HANDED_IN)
            _numbers_of(axes, row, y, digits)
        for x, text in zip(COLUMNS, ("handed in", "recomputed", "difference"), strict=True):
            axes.text(x, -0.95, text, transform=axes.get_yaxis_transform(), fontsize=8, color=FAINT)
        axes.set_yticks(range(len(rows)), [shown(r.name, 18) for r in rows], parse_math=False)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        if unit:
            axes.set_xlabel(unit)
        axes.set_title(shown(name, 40), loc="left", y=1.0, pad=20, parse_math=False)
    legend(figure, [_line(RECOMPUTED), _line(HANDED_IN), Patch(facecolor="none")], said)
    return figure


def _numbers_of(axes: Axes, row: Row, y: float, digits: int) -> None:
    """The two numbers of a row and their difference, to the right of its panel."""
    values = [
        "missing" if v is None else f"{v:.{digits}f}" if abs(v) < 1e5 else f"{v:.1e}"
        for v in (row.claimed, row.ours)
    ]
    if row.ours is None:
        values[1] = "not known"
    difference = ""
    if row.claimed is not None and row.ours is not None:
        off = row.claimed - row.ours
        difference = f"{off:+.{digits}f}" if abs(off) < 1e5 else f"{off:+.0e}"
    texts = (*values, difference + ("" if row.good or row.ours is None else " ✗"))
    weight = "normal" if row.good else "bold"
    how: dict[str, Any] = {"fontsize": 8, "va": "center", "color": INK, "fontweight": weight}
    for x, text in zip(COLUMNS, texts, strict=True):
        axes.text(x, y, text, transform=axes.get_yaxis_transform(), **how)


@dataclass(frozen=True)
class SpectrumPair:
    """A spectrum handed in, (k,), and either ours, (k,), or the range over other images, two of (k,)."""

    claimed: np.ndarray
    ours: np.ndarray | None = None
    range: tuple[np.ndarray, np.ndarray] | None = None
    good: bool = True

    @property
    def off(self) -> np.ndarray:
        """Difference of each eigenvalue from ours, relative to the largest of ours; NaN where it cannot be had."""
        if self.ours is None:
            return np.full(len(self.claimed), np.nan)
        count = min(len(self.claimed), len(self.ours))
        scale = max(float(self.ours.max(initial=0)), 1e-30)
        return np.abs(self.claimed[:count] - self.ours[:count]) / scale


@styled
def compared_spectra(modules: Mapping[str, SpectrumPair], tolerance: float) -> Figure:
    """Spectra handed in and recomputed, a panel a module, and below each the difference with its tolerance."""
    drawn = dict(list(modules.items())[:MODULES])
    columns = min(3, max(1, len(drawn)))
    rows = max(1, -(-len(drawn) // columns))
    signs: dict[str, Line2D | Patch] = {"handed in": _line(HANDED_IN)}
    if any(pair.range is not None for pair in drawn.values()):
        signs["range over draws of other images"] = Patch(color=BLUE, alpha=0.3)
    if any(pair.ours is not None for pair in drawn.values()):
        signs["recomputed"] = _line(RECOMPUTED, "-")
        signs[f"tolerance {tolerance:g} of the largest"] = _line(LIMIT)
    signs["beyond it"] = _line(BEYOND)
    wide, high = 3.3, 3.5
    whole = (wide * columns, high * rows + foot(list(signs), wide * columns))
    figure = canvas(*whole)
    for i, (module, pair) in enumerate(drawn.items()):
        row, column = divmod(i, columns)
        left, base = wide * column + 0.62, whole[1] - high * (row + 1)
        above = panel(figure, left, base + 1.45, wide - 0.76, 1.7)
        under = panel(figure, left, base + 0.45, wide - 0.76, 0.85, bottom=0.45)
        _both(above, pair)
        titled(above, f"{'✓' if pair.good else '✗'} {module}")
        if pair.range is None:
            _difference(under, pair, tolerance)
        else:
            _in_range(under, pair)
        under.set_xlim(above.get_xlim())
        above.xaxis.set_major_locator(NullLocator())  # the panel below has the same
        under.set_xlabel("index")
        if column == 0:
            above.set_ylabel("eigenvalue")
            under.set_ylabel("difference" if pair.range is None else "in the range")
    legend(figure, list(signs.values()), list(signs))
    return figure


def _both(axes: Axes, pair: SpectrumPair) -> None:
    """Eigenvalues against their index: ours, or the range, and those handed in, as far as a scale can hold them."""

    def drawable(values: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.clip(values, 0, LARGEST), nan=0.0) * (values > 1 / LARGEST)

    largest = 0.0
    if pair.range is not None:
        low, high = (drawable(edge) for edge in pair.range)
        at = thinned(len(high))
        largest = float(high.max(initial=0))
        floor = np.maximum(low[at], largest * 1e-12)
        axes.fill_between([i + 1 for i in at], floor, high[at], color=BLUE, alpha=0.3)
    if pair.ours is not None:
        ours = drawable(pair.ours)
        at = [i for i in thinned(len(ours), 32) if ours[i] > 0]
        largest = float(ours.max(initial=0))
        axes.plot([i + 1 for i in at], ours[at], color=BLUE, linewidth=1.8)
    claimed = drawable(pair.claimed)
    positive = np.flatnonzero(claimed > 0)
    at = [int(positive[i]) for i in thinned(len(positive), 12)]
    if at:
        largest = max(largest, float(claimed[at].max()))
        axes.plot([i + 1 for i in at], claimed[at], linestyle="", **{**HANDED_IN, "markersize": 4.5})
    spectrum_scale(axes, largest)


def _difference(axes: Axes, pair: SpectrumPair, tolerance: float) -> None:
    """The relative difference, the largest of each stretch of indices, and the tolerance."""
    off = pair.off
    starts = thinned(len(off), 32)
    ends = [*starts[1:], len(off)]
    known = [(a, off[a:b]) for a, b in zip(starts, ends, strict=True) if np.isfinite(off[a:b]).any()]
    x = [a + 1 for a, _ in known]
    y = [min(max(float(np.nanmax(part)), FLOOR), 1e3) for _, part in known]
    axes.plot(x, y, color=BLUE, linewidth=1.2)
    bad = [(a, b) for a, b in zip(x, y, strict=True) if not b <= tolerance]
    if bad:
        bad = bad[:: -(-len(bad) // 8)]
        axes.plot([a for a, _ in bad], [b for _, b in bad], **{**BEYOND, "markersize": 4})
    axes.axhline(tolerance, **LIMIT)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 3, max([10.0, *[3 * b for b in y]]))
    axes.set_yticks([1e-8, 1e-4, 1.0], ["1e-8", "1e-4", "1"])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _in_range(axes: Axes, pair: SpectrumPair) -> None:
    """Where in the range each eigenvalue lies: 0 its low end, 1 its high end."""
    low, high = pair.range or (np.zeros(0), np.zeros(0))
    count = min(len(low), len(pair.claimed))
    with np.errstate(all="ignore"):
        place = (pair.claimed[:count] - low[:count]) / np.maximum(high[:count] - low[:count], 1e-30)
    known = [i for i in thinned(count) if np.isfinite(place[i])]
    axes.axhspan(0, 1, color=BLUE, alpha=0.3, linewidth=0)
    y = np.clip(place[known], -1.4, 2.4)
    outside = [(i + 1, v) for i, v in zip(known, y, strict=True) if not 0 <= v <= 1]
    axes.plot([i + 1 for i in known], y, color=ORANGE, linewidth=1.2)
    if outside:
        axes.plot([i for i, _ in outside], [v for _, v in outside], **{**BEYOND, "markersize": 4})
    axes.set_ylim(-1.6, 2.6)
    axes.set_yticks([0, 1], ["low", "high"])
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))


@styled
def score_differences(claimed: np.ndarray, ours: np.ndarray, tolerance: float) -> Figure:
    """How far scores lie from the recomputed ones: (N, C) each. Where rows are wrong, also one against the other."""
    off = np.abs(claimed - ours).max(axis=1) if len(claimed) else np.zeros(0)
    off = np.where(np.isfinite(off), off, 1.0)
    wrong = off > tolerance
    count = 2 if wrong.any() else 1
    names = ["rows within the tolerance", f"tolerance {tolerance:g}"] + ["rows beyond it"] * (count == 2)
    figure, found = panels(count, count, (4.8, 2.9), (0.6, 0.2, 0.36, 0.5), names)
    edges = np.logspace(-9, 0, 37)
    values = np.clip(off, 1.0001e-9, 1.0)
    axes = found[0]
    right, beyond = np.histogram(values[~wrong], edges)[0], np.histogram(values[wrong], edges)[0]
    axes.stairs(right, edges, fill=True, color=BLUE)
    if wrong.any():
        at = np.flatnonzero(beyond)
        axes.bar(edges[at], beyond[at], np.diff(edges)[at], right[at], align="edge", **AMISS)
    axes.axvline(tolerance, **LIMIT)
    axes.set_xscale("log")
    axes.set_xlim(1e-9, 1)
    axes.set_ylim(0, 1.1 * max(1, int((right + beyond).max(initial=0))))
    axes.set_xticks([1e-9, 1e-6, 1e-3, 1.0], ["≤ 1e-9", "1e-6", "0.001", "1"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("rows")
    titled(axes, "Largest difference in a row")
    handles: list[Line2D | Patch] = [Patch(color=BLUE), _line(LIMIT), Patch(**AMISS)]
    legend(figure, handles[: len(names)], names)
    if count == 2:
        rows = np.argsort(-off, kind="stable")[: max(1, POINTS // max(1, claimed.shape[1]))]
        finite = np.nan_to_num(claimed[rows].ravel(), posinf=2, neginf=-1)
        x, y = np.clip(ours[rows].ravel(), -1, 2), np.clip(finite, -1, 2)
        found[1].plot([0, 1], [0, 1], **LIMIT)
        found[1].plot(x, y, linestyle="", **{**HANDED_IN, "markersize": 3.5, "markeredgewidth": 1})
        found[1].set_xlabel("recomputed")
        found[1].set_ylabel("handed in")
        found[1].xaxis.set_major_locator(MaxNLocator(5))
        found[1].yaxis.set_major_locator(MaxNLocator(5))
        titled(found[1], f"Scores of the {len(rows)} farthest rows")
    return figure


@styled
def row_sums(scores: np.ndarray, tolerance: float) -> Figure:
    """How the scores of a matrix (N, C) are distributed, and the sums of its rows: of probabilities 0 to 1, and 1."""
    names = ["handed in", "where probabilities must lie"]
    figure, found = panels(2, 2, (4.0, 2.6), (0.6, 0.2, 0.36, 0.48), names)
    sums = scores.sum(axis=1)
    for axes, values, title, span in (
        (found[0], scores.ravel(), "Scores handed in", (0.0, 1.0)),
        (found[1], sums, "Sums of the rows", (1 - tolerance, 1 + tolerance)),
    ):
        values = np.clip(values[np.isfinite(values)], -1e6, 1e6)
        low, high = min(span[0], values.min(initial=0)), max(span[1], values.max(initial=1))
        edges = np.linspace(low, high + 1e-9 * max(1.0, abs(high)), 31)
        axes.axvspan(*span, color=PALE, linewidth=0)
        for edge in span:
            axes.axvline(edge, **LIMIT)
        axes.stairs(np.histogram(values, edges)[0], edges, fill=True, color=BLUE)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        titled(axes, title)
    found[0].set_ylabel("scores")
    found[1].set_ylabel("rows")
    legend(figure, [Patch(color=BLUE), _line(LIMIT)], names)
    return figure


@dataclass(frozen=True)
class Shares:
    """Images of each class in one set: found, the quota asked for, and how far from it they may lie (None: any)."""

    title: str
    found: Mapping[str, int]
    quota: Mapping[str, float]
    tolerance: float | None


@styled
def class_shares(sets: Sequence[Shares]) -> Figure:
    """Images of each class in each set, as bars, against the quota with its tolerance."""
    names = list(sets[0].quota)[: 2 * SHOWN]
    label = 0.25 + 0.075 * max(len(shown(name, 16)) for name in names)
    said = ["found", "farther than the tolerance", "quota, with its tolerance"]
    size = (3.2, 0.3 * len(names) + 1.0)
    figure, found = panels(len(sets), len(sets), size, (label, 0.3, 0.36, 0.42), said)
    for axes, one in zip(found, sets, strict=True):
        for y, name in enumerate(names):
            count, quota = one.found.get(name, 0), one.quota[name]
            good = one.tolerance is None or abs(count - quota) <= one.tolerance
            axes.barh(y, count, 0.62, **({"color": BLUE} if good else AMISS))
            spread = one.tolerance or 0.0
            axes.plot([quota - spread, quota + spread], [y, y], color=INK, linewidth=1.2)
            at = max(count, quota + spread) + 0.03 * _most(one)
            how: dict[str, Any] = {"va": "center", "fontsize": 8, "fontweight": "normal" if good else "bold"}
            axes.text(at, y, f"{count}{'' if good else ' ✗'}", **how)
        axes.plot([one.quota[n] for n in names], range(len(names)), linestyle="", color=INK, marker="|", markersize=11,
                  markeredgewidth=2)  # fmt: skip
        axes.set_yticks(range(len(names)), [shown(n, 16) for n in names], parse_math=False)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1.22 * _most(one))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("images")
        titled(axes, one.title)
    mark = Line2D([], [], color=INK, marker="|", markersize=10, markeredgewidth=2, linewidth=1.2)
    legend(figure, [Patch(color=BLUE), Patch(**AMISS), mark], said)
    return figure


def _most(one: Shares) -> float:
    return max([1.0, *one.quota.values(), *map(float, one.found.values())])


def rows_of(claimed: Mapping[str, object], ours: Mapping[str, float | None], tolerance: float) -> list[Row]:
    """Rows of figures by name, those of both tables that were asked for; the wrong ones first where there are many."""
    rows = [Row(name, number(claimed.get(name)), value, tolerance) for name, value in ours.items()]
    return rows if len(rows) <= ROWS else sorted(rows, key=lambda row: row.good)
