"""The pictures that each check attaches: what is drawn, its caption and its text for those who do not see it.

An exhibit draws what is there, also where a check fails or lacks a piece. Every number that it names is the check's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from in4310.errors import InputError
from in4310.judging import plots
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.pictures import attach
from in4310.judging.plots import Row, Shares, SpectrumPair
from in4310.shown import shown
from in4310.solution.drawing import figures
from in4310.solution.drawing.tiles import Tile, tiles
from in4310.solution.images import Preprocessing
from in4310.solution.metrics import Metrics
from in4310.solution.ranking import rank
from in4310.submission.looks import Look

RANKINGS = 2  # classes whose ranked images are shown, the wrong ones first
THUMBNAILS = 6  # pictures handed in that are shown of one piece
COPIES = 10  # identical images shown, in pairs
LOOK = Preprocessing(size=150, resize=150)
EMPTY = np.full((4, 4, 3), 220, np.uint8)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(str(n), 40) for n in names[:most]) + more


# -- split -----------------------------------------------------------------------------------------


def class_shares(
    judge: Judge, counts: Mapping[str, Mapping[str, int]], whole: Mapping[str, int], tolerance: float
) -> None:
    """Images of each class in train, val and test against the quotas of a stratified split (1a)."""
    total = max(1, sum(whole.values()))
    sets, off = [], []
    for name, found in counts.items():
        size = sum(found.values())
        quota = {c: size * n / total for c, n in whole.items()}
        sets.append(Shares(f"{name}: {size} images", found, quota, None if name == "train" else tolerance))
        if quota:
            worst = max(quota, key=lambda c: abs(found.get(c, 0) - quota[c]))
            off.append(
                f"{name} {size} images, farthest {worst} with {found.get(worst, 0)}, quota {quota[worst]:.1f}"
            )
    attach(
        judge,
        partial(plots.class_shares, sets),
        "Images of each class in the three sets, and the quota that keeps the proportions of the whole data set; "
        f"validation and test may miss it by {tolerance:g} images.",
        "Bars of the number of images of each class. " + "; ".join(off) + ".",
    )


def identical_images(judge: Judge, evidence: Evidence, groups: Sequence[Sequence[tuple[str, str]]]) -> None:
    """Images that are the same file in two sets, side by side (1b)."""
    pairs = [group[:2] for group in groups[: COPIES // 2]]
    if not pairs:
        return
    pixels = _pixels(evidence, [path for pair in pairs for _, path in pair])
    shown_tiles = [
        Tile(pixels.get(path, EMPTY), f"{i}.  {name}", shown(path, 60, keep_end=True))
        for i, pair in enumerate(pairs, 1)
        for name, path in pair
    ]
    attach(
        judge,
        partial(tiles, {"": shown_tiles}, columns=4, size=(1.45, 1.45)),
        f"The same image in two sets: {len(pairs)} of {len(groups)} groups, two of each.",
        "Pairs of identical images: "
        + "; ".join(" = ".join(f"{name} {shown(path, 60)}" for name, path in pair) for pair in pairs)
        + ".",
        photographs=True,
    )


# -- network and training --------------------------------------------------------------------------


def training(
    judge: Judge, history: Mapping[str, Sequence[Mapping[str, Any]]], kept: tuple[str, float] | None = None
) -> None:
    """Curves of all runs, the best epoch of each, and the epoch whose weights were handed in (1f)."""
    best = [
        f"{shown(run, 40)}: {len(epochs)} epochs, best on validation at epoch {at:g}"
        for run, epochs in history.items()
        if (at := figures.best_epoch(epochs)) is not None
    ]
    star = ""
    if kept is not None:
        star = (
            f" The star: the weights handed in give the figures of epoch {kept[1]:g} of {shown(kept[0], 40)}."
        )
    attach(
        judge,
        partial(figures.curves, history, kept),
        f"The history as handed in, {len(history)} runs; a ring marks the best epoch of each on validation.{star}",
        f"Curves against epochs. {'; '.join(best[:8]) or 'No validation figures were recorded'}.{star}",
    )


def handed_in(judge: Judge, files: Sequence[Path], what: str, looks: Mapping[Path, Look]) -> None:
    """Small copies of pictures that were handed in, encoded by us (1j, 2c, 3a)."""
    drawn: list[tuple[str, np.ndarray]] = []
    for file in files:
        seen = looks[file]
        if seen.pixels is not None:
            drawn.append((file.name + (f" ({seen.why})" if seen.why else ""), seen.pixels))
        if len(drawn) == THUMBNAILS:
            break
    if not drawn:
        return
    shape = sorted(pixels.shape[0] / pixels.shape[1] for _, pixels in drawn)[len(drawn) // 2]
    columns = 1 if len(drawn) == 1 else 2
    size = (4.3, min(4.3, max(0.6, 4.3 * shape)))
    names = [name for name, _ in drawn]
    thumbnails = [Tile(pixels, shown(name, 44)) for name, pixels in drawn]
    attach(
        judge,
        partial(tiles, {"": thumbnails}, columns=columns, size=size),
        f"{what} as handed in, made smaller: {len(drawn)} of {len(files)}.",
        f"Small copies of the pictures {listed(names)}.",
        photographs=True,
    )


# -- scores and metrics ----------------------------------------------------------------------------


def scores_against(
    judge: Judge, claimed: np.ndarray, ours: np.ndarray, tolerance: float, sampled: str
) -> None:
    """How far the scores handed in lie from the recomputed ones on the audit sample (1h)."""
    off = np.abs(claimed - ours).max(axis=1) if len(claimed) else np.zeros(0)
    wrong = int((~(off <= tolerance)).sum())
    largest = f"{float(np.nan_to_num(off, nan=np.inf).max(initial=0)):.2e}"
    attach(
        judge,
        partial(plots.score_differences, claimed, ours, tolerance),
        f"Largest difference in each of {len(off)} rows between the scores handed in and those of the network, "
        f"recomputed; the line is the tolerance, {tolerance:g}." + (f" {sampled}." if sampled else ""),
        f"Histogram of differences over {len(off)} rows: {wrong} beyond the tolerance of {tolerance:g}, median "
        f"{float(np.nanmedian(off)) if np.isfinite(off).any() else float('nan'):.2e}, largest {largest}.",
    )  # fmt: skip


def score_histogram(judge: Judge, scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    """For each class, its score for its own images and for the others (1h)."""
    own = {c: scores[labels == i, i] for i, c in enumerate(classes)}
    medians = ", ".join(f"{c} {float(np.median(found)):.2f}" for c, found in own.items() if len(found))
    attach(
        judge,
        partial(figures.score_histogram, scores, labels, classes),
        "Scores handed in: of each class over its own images (filled) and over all others (outline). Where they lie "
        "apart, the network tells the class from the others.",
        f"Histograms of scores of {len(labels)} images; median score of the right class: {medians}.",
    )


def not_probabilities(judge: Judge, scores: np.ndarray, tolerance: float) -> None:
    """Scores that are no probabilities: their range and the sums of their rows (1h)."""
    finite = np.where(np.isfinite(scores), scores, np.nan)
    with np.errstate(all="ignore"):
        low, high = float(np.nanmin(finite)), float(np.nanmax(finite))
        sums = np.nansum(finite, axis=1)
    attach(
        judge,
        partial(plots.row_sums, np.asarray(scores, dtype=np.float64), tolerance),
        "Scores handed in and the sums of their rows. Probabilities lie between 0 and 1 and sum to 1.",
        f"Histograms: scores from {low:.4g} to {high:.4g}; sums of rows from {sums.min():.4g} to {sums.max():.4g}.",
    )


def confusion(judge: Judge, matrix: np.ndarray, classes: Sequence[str], stated: bool = False) -> None:
    """Confusion matrix on test (1e); `stated`: columns in the stated order, which may not be the right one (1c)."""
    table = np.asarray(matrix).astype(int)
    attach(
        judge,
        partial(figures.confusion, table, classes),
        "True class against the column with the highest score, columns read in the stated order. Swapped columns put "
        "the large numbers off the diagonal."
        if stated
        else f"Confusion matrix on test, from the scores: {int(np.trace(table))} of {int(table.sum())} images lie on "
        "the diagonal.",
        _confusions(table, classes),
    )


def _confusions(table: np.ndarray, classes: Sequence[str]) -> str:
    """The diagonal of a confusion matrix and its largest confusions, in words."""
    rows = np.maximum(table.sum(axis=1), 1)
    right = ", ".join(f"{c} {table[i, i]} of {table[i].sum()}" for i, c in enumerate(classes))
    off = sorted(((int(n), *at) for at, n in np.ndenumerate(table) if at[0] != at[1] and n), reverse=True)
    worst = [f"{n} of {classes[i]} taken for {classes[j]} ({n / rows[i]:.0%})" for n, i, j in off[:3]]
    return f"Right: {right}. Most confused: {', '.join(worst) or 'none'}."


def metrics_against(
    judge: Judge,
    tables: Mapping[str, tuple[Mapping[str, object], Mapping[str, float | None]]],
    what: str,
    tolerance: float,
) -> None:
    """Metrics handed in against those recomputed from the scores (1e). tables: set -> (handed in, ours) by name."""
    groups = {
        {"val": "Validation", "test": "Test"}.get(name, name): plots.rows_of(claimed, ours, tolerance)
        for name, (claimed, ours) in tables.items()
    }
    attach(
        judge,
        partial(plots.compared, groups),
        f"{what}, handed in and recomputed from the scores; they may differ by {tolerance:g}.",
        _differences(groups, 4),
    )


def _differences(groups: Mapping[str, Sequence[Row]], digits: int) -> str:
    """How many figures agree, and those that do not, in words."""
    rows = [(name, row) for name, group in groups.items() for row in group]
    wrong = [
        f"{name} {shown(row.name, 40)} "
        + (
            "missing"
            if row.claimed is None
            else f"{row.claimed:.{digits}f} handed in, "
            + ("not recomputed" if row.ours is None else f"{row.ours:.{digits}f} recomputed")
        )
        for name, row in rows
        if not row.good
    ]
    more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
    off = [abs(r.claimed - r.ours) for _, r in rows if r.claimed is not None and r.ours is not None]
    largest = max(off, default=0.0)
    text = f"{len(rows) - len(wrong)} of {len(rows)} figures agree, the largest difference is {largest:.{digits + 2}f}."
    return text + (f" Not: {'; '.join(wrong[:8])}{more}." if wrong else "")


def per_class(
    judge: Judge, found: Metrics, rows: int, interval: tuple[float, float], expected: float
) -> None:
    """Accuracy and AP of each class on test, accuracy of all with its interval, and what is expected (1e)."""
    words = [f"{c} {a:.3f}" for c, a in found.accuracy_per_class.items() if a is not None]
    whole = (found.accuracy, *interval)
    attach(
        judge,
        partial(figures.per_class, found.accuracy_per_class, found.ap_per_class, whole, expected),
        "Accuracy and average precision of each class on test, recomputed from the weights; below, all "
        f"{rows} images with the 95 % interval.",
        f"Bars. Accuracy of all {found.accuracy:.3f} ({interval[0]:.3f} to {interval[1]:.3f}), expected {expected:g}; "
        f"of the classes: {', '.join(words)}.",
    )


def _pixels(evidence: Evidence, paths: Sequence[str]) -> dict[str, np.ndarray]:
    """Our own pixels of paths of the data set, as far as they can be had."""
    try:  # not as the submission prepares them: as one looks at them
        loaded = evidence.comparable(
            tuple(dict.fromkeys(p for p in paths if p in evidence.data.labels)), LOOK
        )
    except InputError:
        return {}
    return {path: np.asarray(p) for path, p in zip(loaded.paths, loaded.pixels, strict=True)}


def rankings(
    judge: Judge,
    evidence: Evidence,
    handed: Mapping[str, Mapping[str, Sequence[str]]],
    scores: np.ndarray | None,
    wrong: Mapping[str, Mapping[str, Any]],
    k: int,
    same: float = 0.0,
) -> None:
    """Images ranked at the top and the bottom of a class, with the right ones below where others were handed in (1i).

    handed: class -> side -> paths; scores: of the whole test set, None where they are not known; wrong: what the check
    found wrong, class -> side; same: scores nearer than this are the same.
    """
    paths, classes = evidence.known("test"), sorted(handed, key=lambda c: c not in wrong)[:RANKINGS]
    column = {c: evidence.classes.index(c) for c in classes}
    sides = [(c, side) for c in classes for side in ("top", "bottom")]
    of: dict[str, dict[str, float]] = {c: {} for c in classes}  # class -> path -> score
    right: dict[tuple[str, str], list[str]] = {one: [] for one in sides}
    if scores is not None and len(scores) and np.isfinite(scores).all():
        of = {c: dict(zip(paths, scores[:, i].tolist(), strict=True)) for c, i in column.items()}
        ranked = {c: rank(scores, paths, i, min(k, len(paths))) for c, i in column.items()}
        right = {(c, side): [p for p, _ in getattr(ranked[c], side)] for c, side in sides}
    pixels = _pixels(evidence, [p for c, s in sides for p in (*handed[c].get(s, ())[:k], *right[c, s])])

    def row(c: str, entries: Sequence[str], off: Sequence[bool]) -> list[Tile]:
        labels = [evidence.data.labels.get(p, "not in the data set") for p in entries]
        drawn = enumerate(zip(entries, labels, off, strict=True), 1)
        return [figures.ranked_tile(i, pixels.get(p, EMPTY), p, x, of[c].get(p), o) for i, (p, x, o) in drawn]

    # Two classes at most, sides that are wrong first. Of each side the images handed in are one row of tiles; where the
    # side is wrong, those whose score is not the right one at their place are marked, and the right images are a second
    # row. Without scores of the whole test set nothing is known to be right: paths and classes are shown alone.
    for c, side in sorted(sides, key=lambda one: one[1] not in wrong.get(one[0], {})):
        entries, best = list(handed[c].get(side, ()))[:k], right[c, side]
        faulty, name = side in wrong.get(c, {}), f"{side.capitalize()} of {c}"
        off = _misplaced(entries, best, of[c], same) if faulty else [False] * len(entries)
        said = f"{sum(off)} of {len(entries)} out of place"
        groups = {f"{name}, as handed in" + (f" ✗ ({said})" if faulty else ""): row(c, entries, off)}
        if faulty and best:
            groups[f"{name}, right"] = row(c, best, [False] * len(best))
        first = entries[0] if entries else "none"
        attach(
            judge,
            partial(tiles, groups, columns=5, size=(1.3, 1.3)),
            f"{name}: rank, score, true class and path of the images handed in"
            + (", and below them the right ones." if faulty else "."),
            f"{len(entries)} images, the first is {shown(first, 60)}"
            + ("" if first not in of[c] else f" with a score of {of[c][first]:.4f}")
            + (f"; {said}, the right first is {best[0]}." if faulty and best else "."),
            photographs=True,
        )


def _misplaced(
    entries: Sequence[str], best: Sequence[str], of: Mapping[str, float], same: float
) -> list[bool]:
    """Which images have another score than the right one at their place; `of`: path -> score."""
    wanted = [of[p] for p in best[: len(entries)]] + [np.nan] * (len(entries) - len(best))
    return [not abs(of.get(p, np.nan) - score) <= same for p, score in zip(entries, wanted, strict=True)]


# -- inside the network ----------------------------------------------------------------------------


def shares_against(
    judge: Judge, claimed: Mapping[str, object], ours: Mapping[str, float | None], tolerance: float, over: str
) -> None:
    """Percentages of non-positive values handed in against recomputed (2b)."""
    groups = {"Non-positive values": plots.rows_of(claimed, ours, tolerance)}
    attach(
        judge,
        partial(plots.compared, groups, digits=2, unit="percent"),
        f"Share of non-positive values of each module, handed in and recomputed {over}; they may differ by "
        f"{tolerance:.3g} percentage points.",
        _differences({"": groups["Non-positive values"]}, 2),
    )


def spectra_against(judge: Judge, pairs: Mapping[str, SpectrumPair], series: str, tolerance: float) -> None:
    """Spectra handed in beside recomputed, with the relative difference and its tolerance (3a, 3b)."""
    ordered = dict(sorted(pairs.items(), key=lambda pair: pair[1].good))
    wrong = [name for name, pair in ordered.items() if not pair.good]
    words = []
    for name, pair in list(ordered.items())[: plots.MODULES]:
        if pair.ours is not None and np.isfinite(pair.off).any():
            words.append(f"{shown(name, 40)} largest difference {float(np.nanmax(pair.off)):.1e}")
        elif pair.range is not None and len(pair.claimed):
            words.append(f"{shown(name, 40)} largest eigenvalue {pair.claimed[0]:.4g}")
    known = any(pair.ours is not None or pair.range is not None for pair in pairs.values())
    against = (
        "the range over other images"
        if any(pair.range is not None for pair in pairs.values())
        else f"recomputed ones, relative to the largest; tolerance {tolerance:g}"
    )
    attach(
        judge,
        partial(plots.compared_spectra, ordered, tolerance),
        f"Spectra, {series}: eigenvalues handed in"
        + (f" and {against}." if known else "; they could not be recomputed."),
        f"{len(pairs)} modules, {len(pairs) - len(wrong)} within what is allowed. {'; '.join(words)}."
        + (f" Not: {listed(wrong)}." if wrong else ""),
    )


def spectra_compared(judge: Judge, panels: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Spectra of networks and data sets over each other, as recomputed (3b)."""
    words = [
        f"{shown(name, 60)}: largest of {shown(module, 40)} {float(np.max(values)):.3g}"
        for name, modules in panels.items()
        for module, values in list(modules.items())[-1:]
        if len(values)
    ]
    attach(
        judge,
        partial(figures.spectra, panels),
        "Spectra of each network and data set, recomputed: how fast they fall tells how many directions features use.",
        f"Eigenvalues against their index on a logarithmic scale. {'; '.join(words)}.",
    )
