"""The figures of the assignment: curves (1j), confusion matrix (1e), ranked images (1i), spectra (3a, 3b).

Each function takes plain data and returns a Figure that belongs to no window and no global state; the same data
gives the same bytes. Data may come from a hand-in: what is no finite number is left out, not drawn and not fatal.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from in4310.errors import InputError
from in4310.solution.saving import write_aside

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
# Okabe and Ito 2008: told apart with any colour vision; their yellow is too light for lines on white.
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, FAINT = "#222222", "#666666"
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters, and bytes, on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "svg.hashsalt": "in4310",
}
METRICS = {"loss": "Loss", "accuracy": "Accuracy", "map": "mAP"}
DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
SETS = {"train": ("Training", 1), "val": ("Validation", 0), "test": ("Test", 3)}
SHOWN = 12  # runs, series or panels in one figure; more would not be readable
DECADES = 8  # of a spectrum: what lies lower than this under the largest eigenvalue is rounding

Arguments = ParamSpec("Arguments")


def _styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in this module's style, whatever matplotlibrc and the caller's rcParams say, and leave them alone."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


class _Figure(Figure):
    """A figure that is also written in the style: matplotlib makes ticks as late as when it draws."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with matplotlib.style.context(["default", STYLE]):
            super().savefig(*args, **kwargs)


@_styled
def curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Loss, accuracy and mAP against epochs; a colour a run, a line style a set (1f, 1j).

    histories: run -> epochs, each with epoch and {train,val,test}_{loss,accuracy,map} as far as they were recorded.
    The epoch with the highest validation mAP of its run, whose weights are the ones to keep, is marked.
    """
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
    figure, panels = _figure(1, len(metrics), 3.6, 3.4)
    for axes, metric in zip(panels, metrics, strict=True):
        for i, epochs in enumerate(runs.values()):
            colour = PALETTE[i % len(PALETTE)]
            for name in sets:
                x, y = _points(epochs, f"{name}_{metric}")
                width, dots = (1.9, 3.0) if name == "val" else (1.2, 2.0)
                axes.plot(
                    x,
                    y,
                    DASHES[SETS[name][1]],
                    color=colour,
                    linewidth=width,
                    marker="o",
                    markersize=dots if len(x) < 9 else 0,
                )
            kept, x_y = _best_epoch(epochs), dict(zip(*_points(epochs, f"val_{metric}"), strict=True))
            if kept in x_y:
                axes.plot(
                    kept, x_y[kept], "o", color=colour, markersize=9, fillstyle="none", markeredgewidth=1.8
                )
        _titled(axes, METRICS[metric])
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if metric == "loss":
            _log_if_wide(axes)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=PALETTE[i % 7], linewidth=3) for i in range(len(runs))
    ]
    names = list(runs)
    handles += [Line2D([], [], color=FAINT, linestyle=DASHES[SETS[name][1]]) for name in sets]
    names += [SETS[name][0] for name in sets]
    if any(_best_epoch(epochs) is not None for epochs in runs.values()):
        handles.append(Line2D([], [], color=FAINT, marker="o", fillstyle="none", markersize=9, linestyle=""))
        names.append("best on validation")
    if len(histories) > SHOWN:
        handles.append(Patch(facecolor="none"))
        names.append(f"and {len(histories) - SHOWN} more runs")
    _legend(figure, handles, names)
    return figure


@_styled
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
    side = min(1.9 + 0.62 * len(classes), 12)
    figure, (axes,) = _figure(1, 1, side + 0.4, side)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [_clean(name, 16) for name in classes]
    axes.set_xticks(
        range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False
    )
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(names) <= SHOWN:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else INK if count else "#aaaaaa"
            text = f"{count:d}\n{share[row, column]:.0%}" if count else "0"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    return figure


@_styled
def ranked(images: Sequence[tuple[np.ndarray, str, str, float]], title: str) -> Figure:
    """Images in rows of five, each with its rank, score, true class and path (1i).

    images: (pixels uint8 (H, W, 3), path, true class, score), in the order of the ranking.
    """
    columns = 5
    rows = max(1, -(-len(images) // columns))
    figure, panels = _figure(rows, columns, 1.9, 2.5)
    figure.set_layout_engine("constrained", h_pad=0.08, hspace=0.08)
    figure.suptitle(_clean(title, 80), fontsize=12, fontweight="bold", x=0.01, ha="left", parse_math=False)
    for axes in panels[len(images) :]:
        axes.set_axis_off()
    for place, (axes, (pixels, path, label, score)) in enumerate(zip(panels, images, strict=False), 1):
        axes.imshow(pixels)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set_xticks([])
        axes.set_yticks([])
        _titled(axes, f"{place}.  {_score(score)}", size=10)
        note = f"{_clean(label, 20)}\n{_clean(path, 26, keep_end=True)}"
        axes.set_xlabel(note, fontsize=8, color=FAINT, loc="left", parse_math=False)
    return figure


@_styled
def spectra(series: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]]) -> Figure:
    """Eigenvalues against their index on a logarithmic scale: a panel a module, a line a series (3a, 3b).

    series: e.g. 'tuned on course' -> module -> eigenvalues in descending order. Of a spectrum the part within
    8 decades of the largest value of its panel is shown; what is zero or less has no place on the scale.
    """
    shown = dict(list(series.items())[:SHOWN])
    modules = list(dict.fromkeys(module for one in shown.values() for module in one))
    columns = min(3, max(1, len(modules[:SHOWN])))
    figure, panels = _figure(-(-len(modules[:SHOWN]) // columns) or 1, columns, 3.6, 2.9)
    for axes in panels[len(modules) :]:
        axes.set_axis_off()
    for axes, module in zip(panels, modules, strict=False):
        largest = 0.0
        for i, one in enumerate(shown.values()):
            x, y = _numbers(one.get(module, ()))
            kept = [(a + 1, b) for a, b in zip(x, y, strict=True) if b > 0]
            if kept:
                largest = max(largest, max(b for _, b in kept))
                # Later lines thinner and dashed, so that equal spectra are both seen.
                axes.plot(
                    *zip(*kept, strict=True),
                    color=PALETTE[i % 7],
                    linestyle=DASHES[i % 4],
                    linewidth=2.6 - 0.4 * min(i, 3),
                    marker="o",
                    markersize=2.5 if len(kept) < 30 else 0,
                )
        if largest > 0:
            axes.set_yscale("log")
            low = axes.get_ylim()[0]
            axes.set_ylim(bottom=max(low, largest * 10.0**-DECADES))
            axes.yaxis.set_minor_locator(
                NullLocator()
            )  # unlabelled, and half of the time that the figure takes
        _titled(axes, module)
        axes.set_xlabel("index")
        axes.set_ylabel("eigenvalue")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    lines = [
        Line2D([], [], color=PALETTE[i % 7], linestyle=DASHES[i % 4], linewidth=2.4)
        for i in range(len(shown))
    ]
    _legend(figure, lines, list(shown))
    return figure


@_styled
def per_class(accuracy: Mapping[str, float | None], ap: Mapping[str, float | None]) -> Figure:
    """Bars of accuracy and average precision for each class, with their values; None: no image of it (1e)."""
    names = list(accuracy)[: 4 * SHOWN]
    figure, (axes,) = _figure(1, 1, 7.2, 1.3 + 0.55 * len(names))
    for values, offset, colour in ((accuracy, -0.19, BLUE), (ap, 0.19, "#E69F00")):
        for row, name in enumerate(names):
            found = _number(values.get(name))
            axes.barh(row + offset, found or 0.0, 0.36, color=colour)
            text = "no image" if found is None else f"{found:.3f}"
            axes.text((found or 0.0) + 0.01, row + offset, text, va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), [_clean(name, 20) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.09)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    _legend(figure, [Patch(color=BLUE), Patch(color="#E69F00")], ["accuracy", "average precision"])
    return figure


@_styled
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
    columns = min(3, len(classes))
    count = min(len(classes), SHOWN)
    figure, panels = _figure(-(-count // columns), columns, 2.9, 2.2)
    bins = np.linspace(0, 1, 21).tolist()
    for axes in panels[count:]:
        axes.set_axis_off()
    for c, axes in enumerate(panels[:count]):
        finite, values = np.isfinite(scores[:, c]), np.clip(scores[:, c], 0, 1)
        for chosen, how in (
            (labels != c, {"color": "#b0b0b0"}),
            (labels == c, {"color": BLUE, "alpha": 0.8}),
        ):
            axes.hist(values[chosen & finite], bins, **how)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_minor_locator(NullLocator())  # unlabelled, and half of the time that the figure takes
        _titled(axes, classes[c])
        axes.set_xlabel("score")
        axes.set_ylabel("images")
    _legend(
        figure,
        [Patch(color=BLUE, alpha=0.8), Patch(color="#b0b0b0")],
        ["images of the class", "other images"],
    )
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as .png or .svg, whole or not at all, without date or version: same figure, same bytes.

    Raises InputError for another suffix or when the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}.get(kind)
    if metadata is None:
        raise InputError(
            f"{path}: expected a file name that ends in .png or .svg, found {path.suffix or 'no ending'!r}"
        )
    return write_aside(path, lambda file: figure.savefig(file, format=kind, dpi=110, metadata=metadata))


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of panels of width x height inches each, in reading order."""
    figure = _Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def _titled(axes: Axes, text: str, size: float = 11) -> None:
    axes.set_title(_clean(text, 32), loc="left", fontsize=size, parse_math=False)


def _legend(figure: Figure, handles: Sequence[Line2D | Patch], names: Sequence[str]) -> None:
    """One legend below all panels; a name may hold anything, '$' and a leading '_' too."""
    if not handles:
        return
    columns = max(1, min(len(names), int(figure.get_figwidth() // 2)))
    legend = figure.legend(
        handles,
        [" " + _clean(name, 44) for name in names],
        loc="outside lower left",
        ncols=columns,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _clean(text: str, width: int, keep_end: bool = False) -> str:
    """One line of printable letters, cut to a width in letters; of a path the end says more than the start."""
    text = "".join(ch if ch.isprintable() else "\N{WHITE SQUARE}" for ch in str(text))
    if len(text) <= width:
        return text
    return "…" + text[-width + 1 :] if keep_end else text[: width - 1] + "…"


def _number(value: object) -> float | None:
    """A finite number, or None for anything else; True is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _numbers(values: Iterable[object]) -> tuple[list[float], list[float]]:
    """Positions and values of what is a finite number."""
    found = [(float(i), number) for i, value in enumerate(values) if (number := _number(value)) is not None]
    return [i for i, _ in found], [number for _, number in found]


def _points(epochs: Sequence[Mapping[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Epoch numbers and values of one record, where both are finite numbers; unnumbered epochs count from 1."""
    found = [
        (at, value)
        for i, epoch in enumerate(epochs, 1)
        if isinstance(epoch, Mapping)
        and (at := _number(epoch.get("epoch", i))) is not None
        and (value := _number(epoch.get(key))) is not None
    ]
    return [at for at, _ in found], [value for _, value in found]


def _best_epoch(epochs: Sequence[Mapping[str, Any]]) -> float | None:
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


def _score(score: float) -> str:
    """Four digits, or the exponent where four digits would say 0."""
    return f"{score:.4f}" if score >= 5e-5 or score == 0 else f"{score:.1e}"
