"""Requirement 1h: scores, made by the network, and their comparison."""

import math

import numpy as np
import pytest

from in4310.judging import basis, digits, exhibits, mistakes, seen_run
from in4310.judging.asked import check_compare
from in4310.judging.evidence import is_one_hot, number
from in4310.judging.mistakes.search import seen
from in4310.judging.verdict import Outcome
from in4310.submission.pieces import UNCALLED, Missing, NotHere, Unreadable
from in4310.submission.source import comparisons


@pytest.mark.in4310_requirement("1h")
def test_scores_shape(evidence, judge):
    """Shape of the scores"""
    found = evidence.submission.scores.shape
    wanted = (len(evidence.split["test"]), len(evidence.classes))
    sizes = {name: len(paths) for name, paths in evidence.split.items()}
    told = [] if found == wanted else mistakes.scores.matches(evidence)
    judge.expect(
        found == wanted,
        "shape of the test scores",
        " x ".join(map(str, found)) or "a single number",
        " x ".join(map(str, wanted)),
        mistake=told or seen("form: shape of scores", found, wanted, sizes),
        mend="save all softmax scores of all test images, drop_last=False",
    )
    basis.rests(evidence, judge)


@pytest.mark.in4310_requirement("1h")
def test_scores_are_probabilities(evidence, edition, judge):
    """Range and row sums of the scores"""
    scores = np.asarray(evidence.submission.scores, dtype=np.float64)
    if scores.ndim != 2 or not scores.size:
        raise Unreadable("scores", f"scores have shape {scores.shape}, expected two dimensions")
    finite = np.isfinite(scores)
    if not judge.expect(bool(finite.all()), "scores that are NaN or infinite", int((~finite).sum()), 0):
        return
    judge.expect(
        not is_one_hot(scores),
        "rows that are all 0 but for a single 1",
        f"all {len(scores)}" if is_one_hot(scores) else "not all",
        "not all: softmax of a network gives shares",
        mend="save torch.softmax(logits, dim=1)",
    )
    # A row of scores that were printed with four decimals misses 1 by half a unit of the last for each.
    tolerance = max(edition.tolerances.row_sum, scores.shape[1] * digits.room(scores.ravel(), least=4))
    sums = scores.sum(axis=1)
    low, high = float(scores.min()), float(scores.max())
    classes = scores.shape[1]
    judge.expect(
        low >= -tolerance and high <= 1 + tolerance,
        "range of the scores",
        f"{low:.4g} to {high:.4g}",
        "0 to 1",
        mend="save torch.softmax(logits, dim=1)",
    )
    worst = int(np.abs(sums - 1).argmax())
    judge.expect(
        abs(sums[worst] - 1) <= tolerance,
        "sum of a row, the one farthest from 1",
        f"{sums[worst]:.6f} (row {worst})",
        "1",
        tolerance=f"{tolerance:g}",
        mend="save torch.softmax(logits, dim=1) in full float32 precision",
    )
    twice = math.e / (math.e + classes - 1)
    if high <= twice + 1e-4 and low >= 1 / (math.e + classes - 1) - 1e-4:
        # A network that has hardly learnt is as unsure: what it really gives decides.
        said = [m for m in mistakes.scores.matches(evidence) if "softmax-twice" in m.names]
        judge.expect(
            not said,
            "largest score",
            f"{high:.4f}",
            f"above {twice:.4f}, the most that softmax of a softmax can give",
            otherwise=Outcome.FAILED,
            mend="the network returns logits: take softmax once",
        )
    basis.rests(evidence, judge)
    if judge.outcome is Outcome.FAILED:
        exhibits.not_probabilities(judge, scores, tolerance)
        judge.blame(mistakes.scores.matches(evidence) or seen("form: scores", scores, tolerance))


@pytest.mark.in4310_requirement("1h")
def test_scores_reproduce(evidence, edition, judge):
    """Reproducibility of the scores from the weights"""
    everything, tolerance = evidence.rows_handed_in("test"), edition.tolerances.score
    try:
        rows, ours = evidence.audited("test")
    except Missing:
        exhibits.score_histogram(judge, everything, evidence.labels("test"), evidence.classes)
        raise
    if evidence.reproduces("test") and (wider := evidence.score_tolerance("test")) > tolerance:
        judge.warn("precision of the scores", f"as bf16 moves ours, by up to {wider / 2:.1e}", "float32",
                   mend="predict what you hand in without autocast")  # fmt: skip
        tolerance = wider
    lacking = max(0, len(evidence.split["test"]) - len(evidence.submission.scores))
    there = rows < len(everything) - lacking  # rows that are not there are for the check of the shape
    rows, ours = rows[there], ours[there]
    claimed, ours = everything[rows], ours.astype(np.float64)
    difference = np.abs(claimed - ours)
    row, column = np.unravel_index(int(np.nan_to_num(difference, nan=np.inf).argmax()), difference.shape)
    paths = evidence.known("test")
    wrong = np.flatnonzero(~(difference.max(axis=1) <= tolerance))  # NaN is not within any tolerance
    sampled = evidence.audit_bound("test")
    judge.expect(
        not len(wrong),
        f"rows of {len(ours)} that differ from the recomputed scores",
        f"{len(wrong)}, the largest difference is {difference[row, column]:.2e} (row {rows[row]}, column {column})"
        + (f"; {sampled}" if sampled and not len(wrong) else ""),
        "0",
        tolerance=f"{tolerance:g}",
        details=[f"row {rows[i]}, {paths[rows[i]]}: {difference[i].max():.4f}" for i in wrong[:12]],
        mend="load the weights kept, call model.eval(), use the evaluation transform and shuffle=False",
    )
    if len(wrong):
        judge.blame(mistakes.scores.matches(evidence))
    if not evidence.submission.table("preprocessing"):
        judge.expect(True, "preprocessing", evidence.inferred.how)
    exhibits.scores_against(judge, claimed, ours, tolerance, "" if len(wrong) else sampled)
    exhibits.score_histogram(judge, everything, evidence.labels("test"), evidence.classes)


@pytest.mark.in4310_requirement("1h")
def test_comparison_recorded(evidence, edition, judge):
    """The submission's own comparison of saved and recomputed scores"""
    if live := evidence.runs("compare"):
        check_compare(live, judge)
        return
    recorded = "reproduction" in evidence.submission.located
    if not recorded and seen_run.judged(evidence, "comparison_recorded", judge):
        return
    if not recorded and (read := comparisons(evidence.source)):
        # The most sensible of them: others may compare other things.
        tolerance, call = min(read, key=lambda c: (c[0] is not None and not 1e-7 <= c[0] <= 0.01, c[1].place))
        judge.expect(
            tolerance is None or 1e-7 <= tolerance <= 0.01,
            "tolerance of a comparison, read in the source",
            f"{'its default' if tolerance is None else f'{tolerance:g}'} ({call.place}: {call.text})",
            "1e-7 to 0.01",
            tolerance="below, rounding is refused; above, altered scores pass",
            mend="compare with torch.allclose(a, b, atol=1e-4)",
        )
        judge.rest("read in the source")
        judge.leave("running the comparison", "not done: its source was read, nothing of it executed",
                    mend="name it under [adapters] as 'compare', and it is called")  # fmt: skip
        return
    if not recorded and evidence.walled_off("compare"):
        raise NotHere("reproduction", UNCALLED)
    found = evidence.submission.reproduction
    rows, largest, tolerance = (number(found, k) for k in ("rows", "largest_difference", "tolerance"))
    if rows is None or largest is None or tolerance is None:
        raise Missing(
            "reproduction", "reproduction.json needs rows, largest_difference and tolerance as numbers"
        )
    judge.expect(rows == len(evidence.split["test"]), "rows compared", int(rows), len(evidence.split["test"]))
    judge.expect(
        1e-7 <= tolerance <= 0.01,
        "tolerance of the comparison",
        f"{tolerance:g}",
        "1e-7 to 0.01",
        tolerance="below, rounding is refused; above, altered scores pass",
        mend="compare with torch.allclose(a, b, atol=1e-4)",
    )
    judge.expect(
        0 <= largest <= tolerance, "largest difference it found", f"{largest:.2e}", f"at most {tolerance:g}"
    )
    basis.rests(evidence, judge)
    judge.rest("proved by another piece" if evidence.reproduces("test") else "stated only")
    if not evidence.source:
        judge.leave("routine that compares", "no code was handed in that calls anything", "code that compares",
                    mend="hand in the code, too")  # fmt: skip
