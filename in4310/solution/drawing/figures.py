"""The figures of the assignment: curves (1j), confusion matrix (1e), ranked images (1i), spectra (3a, 3b).

Each function takes plain data and returns a Figure that belongs to no window and no global state; the same data
gives the same bytes. Data may come from a hand-in: what is no finite number is left out, not drawn and not fatal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from in4310.errors import InputError
from in4310.shown import shown
from in4310.solution.drawing.style import (
    BLUE,
    DASHES,
    FAINT,
    INK,
    MARKERS,
    PALETTE,
    SHOWN,
    legend,
    log_ticks,
    number,
    numbers,
    panels,
    styled,
    titled,
)
from in4310.solution.drawing.style import save as save  # beside what it saves
from in4310.solution.drawing.tiles import Tile, tiles

METRICS = {"loss": "Loss", "accuracy": "Accuracy", "map": "mAP"}
SETS = {"train": ("Training", 1), "val": ("Validation", 0), "test": ("Test", 3)}
DECADES = 8  # of a spectrum: what lies lower than this under the largest eigenvalue is rounding
POINTS = 48  # of a line: a spectrum of 512 values looks the same


@styled
def curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], kept: tuple[str, float] | None = None
) -> Figure:
    """Loss, accuracy and mAP against epochs; a colour and a marker a run, a line style a set (1f, 1j).

    histories: run -> epochs, each with epoch and {train,val,test}_{loss,accuracy,map} as far as they were recorded.
    The epoch with the highest validation mAP of its run, whose weights are the ones to keep, has a ring.
    kept: run and epoch of the weights that were kept, where it is known: it has a star.
    """
    # First what there is to draw: a panel for each metric that some run recorded, a line style for each set. The legend
    # is made before the panels, as it says how much room its foot takes; then each run is drawn into each panel.
    runs = dict(list(histories.items())[:SHOWN])
    recorded = {
        (metric, name)
        for epochs in runs.values()
        for metric in METRICS
        for name in SETS
        if _points(epochs, f"{name}_{metric}")[0]
    }
    metrics = [m for m in METRICS if any((m, name) in recorded for name in SETS)] or ["loss"]
    sets = [name for name in SETS if any((m, name) in recorded for m in METRICS)]
    best = {run: best_epoch(epochs) for run, epochs in runs.items()}
    star = None if kept is None or kept[0] not in runs else kept
    key: list[tuple[str, Line2D | Patch]] = [
        (run, Line2D([], [], color=PALETTE[i % len(PALETTE)], marker=MARKERS[i % len(MARKERS)], markersize=5))
        for i, run in enumerate(runs)
    ]
    key += [(SETS[name][0], Line2D([], [], color=FAINT, linestyle=DASHES[SETS[name][1]])) for name in sets]
    if any(at is not None for at in best.values()):
        ring = Line2D([], [], color=FAINT, marker="o", fillstyle="none", markersize=10, linestyle="")
        key.append(("best on validation", ring))
    if star:
        key.append(
            ("the weights handed in", Line2D([], [], color=INK, marker="*", markersize=11, linestyle=""))
        )
    if len(histories) > SHOWN:
        key.append((f"and {len(histories) - SHOWN} more runs", Patch(facecolor="none")))
    names = [name for name, _ in key]
    figure, found = panels(len(metrics), len(metrics), (3.3, 3.0), names=names)
    for axes, metric in zip(found, metrics, strict=True):
        for i, (run, epochs) in enumerate(runs.items()):
            _run_curves(
                axes, metric, i, epochs, sets, best[run], star[1] if star and star[0] == run else None
            )
        titled(axes, METRICS[metric])
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        if metric == "loss":
            _log_if_wide(axes)
    legend(figure, [handle for _, handle in key], names)
    return figure


def _run_curves(
    axes: Axes,
    metric: str,
    i: int,
    epochs: Sequence[Mapping[str, Any]],
    sets: Sequence[str],
    best: float | None,
    kept: float | None,
) -> None:
    """The curves of the i-th run, a line a set; a ring at its best epoch, a star at that of the weights kept."""
    colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
    for name in sets:
        x, y = _points(epochs, f"{name}_{metric}")
        main = name == "val"
        every = max(1, len(x) // 6)
        axes.plot(
            x,
            y,
            DASHES[SETS[name][1]],
            color=colour,
            linewidth=1.8 if main else 1.1,
            marker=marker if main or len(x) < 3 else "",
            markevery=(min(i, every - 1), every),
            markersize=4,
        )
    at = dict(zip(*_points(epochs, f"val_{metric}"), strict=True))
    if best in at:
        axes.plot(best, at[best], "o", color=colour, markersize=10, fillstyle="none", markeredgewidth=1.6)
    if kept in at:
        axes.plot(kept, at[kept], "*", color=INK, markersize=11, zorder=5)


@styled
def confusion(matrix: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts and shares of true class (row) against predicted class (column); colour: share of the row (1e).

    matrix: integers (C, C). Raises InputError when it does not fit the classes.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(classes), len(classes)) or not len(classes):
        raise InputError(
            f"confusion matrix: expected {len(classes)} x {len(classes)}, found shape {counts.shape}"
        )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [shown(name, 16) for name in classes]
    label = 0.45 + 0.075 * max(map(len, names))
    side = min(0.62 * len(names), 11)
    foot = 0.5 + 0.05 * max(map(len, names))  # they are set at an angle
    figure, (axes,) = panels(1, 1, (side + label + 0.15, side + foot + 0.12), (label, 0.15, 0.12, foot))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(names) <= SHOWN:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else INK if count else FAINT
            text = f"{count:d}\n{share[row, column]:.0%}" if count else "0"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    return figure


def ranked(images: Sequence[tuple[np.ndarray, str, str, float]], title: str) -> Figure:
    """Images in rows of five, each with its rank, score, true class and path (1i).

    images: (pixels uint8 (H, W, 3), path, true class, score), in the order of the ranking.
    """
    return tiles({"": [ranked_tile(place, *image) for place, image in enumerate(images, 1)]}, title)


def ranked_tile(
    place: int, pixels: np.ndarray, path: str, label: str, score: float | None, wrong: bool = False
) -> Tile:
    """One image of a ranking, as a tile; score None: not known."""
    heading = f"{place}.  {'' if score is None else _score(score)}"
    # The path goes first through `shown`, so that a line break in it makes no line.
    note = f"{shown(label, 20)}\n{shown(path, 60, keep_end=True)}"
    return Tile(pixels, heading, note, wrong)


@styled
def spectra(series: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]]) -> Figure:
    """Eigenvalues against their index on a logarithmic scale: a panel a module, a line a series (3a, 3b).

    series: e.g. 'tuned on course' -> module -> eigenvalues in descending order. Of a spectrum the part within
    8 decades of the largest value of its panel is shown; what is zero or less has no place on the scale.
    """
    drawn = dict(list(series.items())[:SHOWN])
    modules = list(dict.fromkeys(module for one in drawn.values() for module in one))[:SHOWN]
    columns = min(3, max(1, len(modules)))
    figure, found = panels(len(modules), columns, (3.3, 2.6), names=list(drawn))
    for axes, module in zip(found, modules, strict=False):
        largest = 0.0
        for i, one in enumerate(drawn.values()):
            x, y = numbers(one.get(module, ()))
            kept = [(a + 1, b) for a, b in zip(x, y, strict=True) if b > 0]
            if not kept:
                continue
            largest = max(largest, max(b for _, b in kept))
            kept = [kept[j] for j in thinned(len(kept))]
            # Later lines thinner and dashed, so that equal spectra are both seen.
            axes.plot(
                *zip(*kept, strict=True),
                **_look(i),
                linewidth=2.4 - 0.4 * min(i, 3),
                markevery=(min(3 * i, len(kept) - 1), max(1, len(kept) // 5)),
                markersize=4,
            )
        spectrum_scale(axes, largest)
        titled(axes, module)
        axes.set_xlabel("index")
    for axes in found[::columns]:
        axes.set_ylabel("eigenvalue")
    lines = [Line2D([], [], markersize=4, **_look(i)) for i in range(len(drawn))]
    legend(figure, lines, list(drawn))
    return figure


def _look(i: int) -> dict[str, Any]:
    """Colour, dashes and marker of the i-th series: told apart by each of them."""
    colour, line, marker = (of[i % len(of)] for of in (PALETTE, DASHES, MARKERS))
    return {"color": colour, "linestyle": line, "marker": marker}


def thinned(count: int, most: int = POINTS) -> list[int]:
    """Indices of at most about `most` of `count` values in descending order: all of the first, then ever fewer."""
    if count <= most:
        return list(range(count))
    return sorted({0, count - 1} | {round(float(i)) for i in np.geomspace(1, count, most) - 1})


def spectrum_scale(axes: Axes, largest: float) -> None:
    """The scale of eigenvalues: logarithmic, down to 8 decades below the largest."""
    if largest > 0:
        axes.set_yscale("log")
        low = axes.get_ylim()[0]
        axes.set_ylim(bottom=max(low, largest * 10.0**-DECADES))
        _log_ticks(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _log_ticks(axes: Axes) -> None:
    axes.set_yticks(*log_ticks(*axes.get_ylim()))
    axes.yaxis.set_minor_locator(NullLocator())  # unlabelled, and half of the time that the figure takes


@styled
def per_class(
    accuracy: Mapping[str, float | None],
    ap: Mapping[str, float | None],
    whole: tuple[float, float, float] | None = None,
    expected: float | None = None,
) -> Figure:
    """Bars of accuracy and average precision for each class, with their values; None: no image of it (1e).

    whole: accuracy over all images with its interval, drawn below; expected: the accuracy that is usual, a line.
    """
    names = list(accuracy)[: 4 * SHOWN]
    rows = len(names) + (whole is not None)
    label = 0.3 + 0.075 * max([len(shown(name, 20)) for name in names] + [10 if whole else 0], default=0)
    said = ["accuracy", "average precision"]
    said += ["accuracy of all, 95 %"] * (whole is not None)
    said += [] if expected is None else [f"expected {expected:g}"]
    figure, (axes,) = panels(1, 1, (7.2, 0.55 + 0.5 * rows), (label, 0.2, 0.1, 0.4), said)
    for values, offset, colour, face in ((accuracy, -0.19, BLUE, BLUE), (ap, 0.19, BLUE, "white")):
        for row, name in enumerate(names):
            found = number(values.get(name))
            axes.barh(row + offset, found or 0.0, 0.34, facecolor=face, edgecolor=colour, linewidth=1)
            text = "no image" if found is None else f"{found:.3f}"
            at = (found or 0.0) + 0.01
            covered = expected is not None and at - 0.02 < expected < at + 0.08
            ground = {"facecolor": "white", "linewidth": 0, "pad": 0.6} if covered else None
            axes.text(at, row + offset, text, va="center", fontsize=8.5, bbox=ground)
    handles: list[Line2D | Patch] = [Patch(color=BLUE), Patch(facecolor="white", edgecolor=BLUE)]
    if whole is not None:
        middle, low, high = whole
        axes.plot([low, high], [rows - 1] * 2, color=INK, linewidth=1.4, marker="|", markersize=8)
        axes.plot(middle, rows - 1, "D", color=INK, markersize=6)
        axes.text(
            high + 0.015, rows - 1, f"{middle:.3f} ({low:.3f} to {high:.3f})", va="center", fontsize=8.5
        )
        handles.append(Line2D([], [], color=INK, marker="D", markersize=6))
    if expected is not None:
        axes.axvline(expected, color=INK, linestyle="--", linewidth=1.1, zorder=0.9)
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.1))
    ticks = [shown(name, 20) for name in names] + (["all images"] if whole is not None else [])
    axes.set_yticks(range(rows), ticks, parse_math=False)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, 1.09 if whole is None else 1.24)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    legend(figure, handles, said)
    return figure


@styled
def score_histogram(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """For each class, how its score is distributed over its own images and over the others (1h).

    scores: real (N, C), labels: integers (N,) in 0..C-1. Scores outside 0..1 stand in the first or last bin, scores
    that are not finite nowhere. Raises InputError when the shapes do not fit.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape[1] != len(classes) or labels.shape != (len(scores),):
        raise InputError(
            f"scores: expected one row for each of {labels.size} labels and {len(classes)} columns, "
            f"found shape {scores.shape}"
        )
    columns, count = min(3, len(classes)), min(len(classes), SHOWN)
    names = ["images of the class", "other images"]
    figure, found = panels(count, columns, (2.9, 1.95), (0.5, 0.12, 0.3, 0.4), names)
    edges = np.linspace(0, 1, 21)
    for c, axes in enumerate(found):
        finite, values = np.isfinite(scores[:, c]), np.clip(scores[:, c], 0, 1)
        own = np.histogram(values[(labels == c) & finite], edges)[0]
        others = np.histogram(values[(labels != c) & finite], edges)[0]
        axes.stairs(own, edges, fill=True, color=BLUE)
        axes.stairs(others, edges, color=FAINT, linewidth=1.4)
        axes.set_yscale("symlog", linthresh=1)
        top = max(1, int(own.max(initial=0)), int(others.max(initial=0)))
        axes.set_ylim(0, 1.6 * top)
        axes.set_yticks(
            [0] + [10**i for i in range(len(str(top)))], ["0"] + [str(10**i) for i in range(len(str(top)))]
        )
        axes.yaxis.set_minor_locator(NullLocator())  # unlabelled, and half of the time that the figure takes
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        titled(axes, classes[c])
        if c + columns >= count:
            axes.set_xlabel("score")
        if c % columns == 0:
            axes.set_ylabel("images")
    how = [Patch(color=BLUE), Patch(facecolor="white", edgecolor=FAINT, linewidth=1.4)]
    legend(figure, how, names)
    return figure


def _points(epochs: Sequence[Mapping[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Epoch numbers and values of one record, where both are finite numbers; unnumbered epochs count from 1."""
    found = [
        (at, value)
        for i, epoch in enumerate(epochs, 1)
        if isinstance(epoch, Mapping)
        and (at := number(epoch.get("epoch", i))) is not None
        and (value := number(epoch.get(key))) is not None
    ]
    return [at for at, _ in found], [value for _, value in found]


def best_epoch(epochs: Sequence[Mapping[str, Any]]) -> float | None:
    """The epoch with the highest validation mAP, the first of equals; without mAP by accuracy."""
    for key in ("val_map", "val_accuracy"):
        at, values = _points(epochs, key)
        if values:
            return at[values.index(max(values))]
    return None


def _log_if_wide(axes: Axes) -> None:
    """A loss that fell by more than two decades, or blew up, is readable on a logarithmic scale only."""
    values = [float(v) for line in axes.get_lines() for v in np.asarray(line.get_ydata())]
    if values and min(values) > 0 and max(values) / min(values) > 100:
        axes.set_yscale("log")
        _log_ticks(axes)


def _score(score: float) -> str:
    """Four digits, or the exponent where four digits would say 0."""
    return f"{score:.4f}" if score >= 5e-5 or score == 0 else f"{score:.1e}"
