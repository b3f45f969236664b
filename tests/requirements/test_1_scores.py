"""Requirements 1e, 1h and 1i: scores, the metrics made of them, and the ranked images."""

import math
from contextlib import suppress
from itertools import product

import numpy as np
import pytest

from in4310.judging import basis, digits, exhibits, mistakes
from in4310.judging.asked import check_compare, check_metrics, check_rank
from in4310.judging.evidence import is_one_hot, number
from in4310.judging.mistakes.search import Budget, seen
from in4310.judging.verdict import Outcome
from in4310.solution.metrics import wilson
from in4310.submission.formats import finite, last_two_parts
from in4310.submission.pieces import UNCALLED, Missing, NotHere, Unreadable
from in4310.submission.source import comparisons

SETS = ("val", "test")
KINDS = {"accuracy_per_class": "Accuracy of each class", "ap_per_class": "Average precision of each class"}
MEANS = {"mean_accuracy": "mean of classes", "map": "mAP"}


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
    if "reproduction" not in evidence.submission.located and (read := comparisons(evidence.source)):
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
    if "reproduction" not in evidence.submission.located and evidence.walled_off("compare"):
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


def _share(value):
    """A claimed figure as a share of 1: 93.4 is read as 93.4 %."""
    # An average precision of 1 may be 1 and a rounding: that is no percentage.
    return round(value / 100, 12) if value is not None and 1 + 1e-6 < value <= 100 else value


def _of_classes(evidence, table, kind):
    """Claimed figures of the classes, as shares; None where one is missing."""
    claimed = table.get(kind)
    return {c: _share(number(claimed, c)) for c in evidence.classes} if isinstance(claimed, dict) else {}


def _table(evidence, name):
    """The metrics handed in of a set; {} where only the other set's were; raises Unreadable where there are none."""
    if not any(isinstance(evidence.submission.metrics.get(other), dict) for other in SETS):
        return evidence.claimed_metrics(name)
    found = evidence.submission.metrics.get(name)
    return found if isinstance(found, dict) else {}


def _agree(claimed, ours, tolerance):
    return ours is not None and abs(claimed - ours) <= tolerance


def _compare(evidence, edition, judge, figures):
    """Claimed figures of both sets against ours, and the mistakes that give those that are wrong.

    figures: of a set, its table in metrics.json and our metrics, yields (asked, key for the diagnosis, claimed, ours).
    """
    for name in SETS:
        table, proved = _table(evidence, name), evidence.proved(name)
        ours = [(asked, key, _share(value), right)
                for asked, key, value, right in figures(name, table, evidence.measured(name))]  # fmt: skip
        tolerance = max(edition.tolerances.metric, digits.room(value for _, _, value, _ in ours))
        off = [
            key for _, key, value, right in ours if value is not None and not _agree(value, right, tolerance)
        ]
        if off and evidence.has_scores(name) and evidence.reproduces(name):
            # Saved with fewer digits than the figures were made from: the network's own count, too.
            finer = evidence.metrics_of(name, evidence.predicted(name))
            ours = [
                (*one[:3], v if one[2] is not None and _agree(one[2], v, tolerance) else one[3])
                for one, (_, _, _, v) in zip(ours, figures(name, table, finer), strict=True)
            ]
        of_scores = basis.handed_in_metrics(evidence, name) if off else None
        theirs = {key: v for _, key, _, v in figures(name, table, of_scores)} if of_scores else {}
        # All of them follow from scores that a known mistake made of the network: it is charged where they are judged.
        carried = bool(theirs) and basis.explained(evidence, name) and all(
            value is None or _agree(value, theirs[key], tolerance) for _, key, value, _ in ours)  # fmt: skip
        wrong = {}
        for asked, key, value, right in ours:
            if value is None:
                judge.expect(False, asked, "missing or not a finite number", f"{right:.4f}",
                             mend="report it in metrics.json")  # fmt: skip
                continue
            good = _agree(value, right, tolerance)
            if good and not proved:
                judge.leave(
                    asked, f"{value:.4f}", f"{right:.4f}", tolerance=f"{tolerance:g}; it {basis.STATED}"
                )
            elif carried:
                judge.close(asked, value, theirs[key], tolerance, f"; it {basis.FOLLOWS}")
            elif not good and _untold(evidence, name, key, value, right):
                judge.leave(asked, f"{value:.4f}", f"{right:.4f}", mend="name the images of the set as in the data set",
                            tolerance=f"{tolerance:g}, but for {evidence.unknown(name)} images that are not in the data set")  # fmt: skip
            elif not judge.close(asked, value, right, tolerance,
                                 f"; it {basis.REFUTED}" if _agree(value, theirs.get(key), tolerance) else "",
                                 mend="recompute it from the saved scores with scikit-learn"):  # fmt: skip
                wrong[key] = value
        scored = mistakes.metrics.of_submission(evidence, name) if wrong else None
        for matches in mistakes.metrics.diagnose(scored, wrong, Budget.of(evidence)):
            judge.blame(matches)
        if not proved:
            judge.rest("stated only")
        elif carried:
            judge.rest("proved by another piece")


def _untold(evidence, name, key, value, ours):
    """Whether images of the set that are not ours could make up the difference."""
    if not (unknown := evidence.unknown(name)):
        return False
    labels = evidence.labels(name)
    of_class = np.bincount(labels, minlength=len(evidence.classes))
    own = {"accuracy": len(labels)} if key[1] is None else {key[0]: of_class[evidence.classes.index(key[1])]}
    return abs(value - ours) <= unknown / (own.get(key[0], of_class.min()) + unknown)


def _show(evidence, edition, judge, kind, mean):
    """Handed in against recomputed, of both sets: a figure a class and their mean, as named in metrics.json."""
    tables = {}
    for name in SETS:
        ours, table = evidence.measured(name).as_dict(), _table(evidence, name)
        known = {c: v for c, v in ours[kind].items() if v is not None}
        claimed = _of_classes(evidence, table, kind) | {MEANS[mean]: _share(number(table, mean))}
        tables[name] = (claimed, known | {MEANS[mean]: ours[mean]})
    exhibits.metrics_against(judge, tables, KINDS[kind], edition.tolerances.metric)


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_accuracy(evidence, edition, judge):
    """Accuracy of validation and test"""

    def figures(name, table, ours):
        yield f"{name} accuracy", ("accuracy", None), number(table, "accuracy"), ours.accuracy

    _compare(evidence, edition, judge, figures)
    exhibits.confusion(judge, evidence.measured("test").confusion, evidence.classes)


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_accuracy_per_class(evidence, edition, judge):
    """Accuracy per class and its mean, of validation and test"""

    def figures(name, table, ours):
        claimed = _of_classes(evidence, table, "accuracy_per_class")
        for c in evidence.classes:
            if (expected := ours.accuracy_per_class[c]) is not None:
                yield f"{name} accuracy of {c}", ("accuracy", c), claimed.get(c), expected
        mean = number(table, "mean_accuracy")
        yield f"{name} mean accuracy per class", ("mean_accuracy", None), mean, ours.mean_accuracy

    _compare(evidence, edition, judge, figures)
    _show(evidence, edition, judge, "accuracy_per_class", "mean_accuracy")


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_average_precision(evidence, edition, judge):
    """Average precision per class, of validation and test"""

    def figures(name, table, ours):
        claimed = _of_classes(evidence, table, "ap_per_class")
        for c in evidence.classes:
            if (expected := ours.ap_per_class[c]) is not None:
                yield f"{name} AP of {c}", ("ap", c), claimed.get(c), expected

    _compare(evidence, edition, judge, figures)
    _show(evidence, edition, judge, "ap_per_class", "map")


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_map(evidence, edition, judge):
    """Mean average precision of validation and test"""

    def figures(name, table, ours):
        yield f"{name} mAP", ("map", None), number(table, "map"), ours.map

    _compare(evidence, edition, judge, figures)
    if judge.outcome is Outcome.FAILED:
        _show(evidence, edition, judge, "ap_per_class", "map")
    if live := evidence.runs("metrics"):
        check_metrics(live, judge, evidence.classes)


@pytest.mark.in4310_requirement("1e", follows="scores_reproduce")
def test_accuracy_threshold(evidence, edition, judge):
    """Test accuracy compared with what is usual"""
    test, rows = evidence.recomputed("test"), len(evidence.known("test"))
    low, high = wilson(round(test.accuracy * rows), rows)
    judge.expect(
        test.accuracy >= edition.accuracy.expected,
        "test accuracy, recomputed from the weights",
        f"{test.accuracy:.4f} (95 % interval {low:.3f} to {high:.3f}, {rows} images)",
        f"at least {edition.accuracy.expected:g}",
        mend="train longer, from ImageNet weights, or with augmentation; look at the confusion matrix first",
        otherwise=Outcome.FAILED if edition.accuracy.verdict == "fail" else Outcome.WARNED,
    )
    exhibits.per_class(judge, test, rows, (low, high), edition.accuracy.expected)


def _entries(evidence, c, side):
    """Paths of one side of a class's ranking, also where they are rows of the test set, none where it is not there."""
    table = evidence.submission.ranking.get(c)
    entries = table.get(side, []) if isinstance(table, dict) else None
    if not isinstance(entries, list):
        raise Unreadable("ranking", f"ranking of {c!r} has no list {side!r}")
    found = []
    for entry in entries:
        path = entry[0] if isinstance(entry, list) and entry else entry
        if type(path) is int and 0 <= path < len(evidence.split["test"]):
            path = evidence.split["test"][path]
        if not isinstance(path, str):
            raise Unreadable(
                "ranking", f"ranking of {c!r}: an entry of {side!r} is neither a path nor [path, score]"
            )
        found.append(last_two_parts(path))
    return found


@pytest.mark.in4310_requirement("1i")
def test_ranking_complete(evidence, edition, judge):
    """Number of classes and images ranked"""
    ranking = evidence.submission.ranking
    ranked = [c for c in evidence.classes if c in ranking]
    judge.expect(
        len(ranked) >= edition.ranking.classes,
        "classes ranked",
        f"{len(ranked)} ({', '.join(ranked)})",
        f"at least {edition.ranking.classes}",
    )
    for c in ranked:
        for side in ("top", "bottom"):
            count, asked = len(set(_entries(evidence, c, side))), edition.ranking.k
            judge.expect(count >= asked, f"different images at the {side} of {c}", count, f"at least {asked}")
    basis.rests(evidence, judge)
    if live := evidence.runs("rank"):
        check_rank(live, judge)


@pytest.mark.in4310_requirement("1i")
def test_ranking_from_test_set(evidence, judge):
    """Which set the ranked images are from"""
    test = {*evidence.split["test"], *evidence.listed["test"]}
    ranked = [(c, p) for c in evidence.classes if c in evidence.submission.ranking
              for side in ("top", "bottom") for p in _entries(evidence, c, side)]  # fmt: skip
    if not ranked:
        raise Missing("ranking", "the ranking holds none of the classes")
    unused = set(evidence.data.labels).difference(*evidence.listed.values())
    untold = sorted({p for _, p in ranked if p in unused})
    if 0 < len(untold) <= evidence.unknown("test"):  # perhaps those that the split has under names of its own
        judge.leave("ranked images that the split does not have", len(untold), 0, details=untold)
        test.update(untold)
    foreign = [p for _, p in ranked if p not in test]
    elsewhere = {n for n in ("train", "val") for _, p in ranked if p in set(evidence.split[n])}
    basis.rests(evidence, judge)
    judge.expect(
        not foreign,
        "ranked images that are not in the test set",
        f"{len(foreign)} of {len(ranked)}",
        0,
        details=foreign,
        mistake=seen("form: ranked images", elsewhere),
    )


IN_ORDER = "in order"
BACKWARDS = "the right images, in the opposite order"
WITHIN = "the order holds among the images of this class only"


def _ranked(scores, top):
    return np.sort(scores)[::-1] if top else np.sort(scores)


def _order(values, own, inside, top, whole, same):
    """How the images of a side are ordered, '' for a wrong way; `whole`: all that are listed are of the test set.

    values: their scores; own: the class's scores of all images; inside: of the images of the class.
    """

    def are(order):
        return 0 < len(values) <= len(order) and np.allclose(values, order[: len(values)], rtol=0, atol=same)

    right = _ranked(own, top)
    if whole and are(right):
        return IN_ORDER
    if whole and are(right[: len(values)][::-1]):
        return BACKWARDS
    return WITHIN if are(_ranked(inside, top)) else ""


def _compare_beside(evidence, edition, judge, c, side, scores):
    """Scores written beside the images of a side, where there are any, against ours and against those handed in."""
    ranking, row_of = evidence.submission.ranking, {p: i for i, p in enumerate(evidence.known("test"))}
    beside = {}
    for path, entry in zip(_entries(evidence, c, side), ranking[c].get(side, []), strict=True):
        row = row_of.get(evidence.meant.get(path, path))
        value = finite(entry[1]) if isinstance(entry, list) and len(entry) > 1 else None
        if row is not None and value is not None:
            beside[row] = value
    column, claimed = evidence.classes.index(c), np.array(list(beside.values()))
    if not len(claimed):
        return
    sources = [scores]
    with suppress(Missing):
        sources.append(evidence.handed_in("test"))
    right = [source[list(beside), column] for source in sources]
    tolerance = max(edition.tolerances.score, digits.room(claimed))
    off = min(np.abs(np.where(claimed > 1 + tolerance, claimed / 100, claimed) - r).max() for r in right)
    if not off <= tolerance:
        judge.expect(
            False,
            f"scores beside the {side} of {c}",
            f"{claimed[0]:.4g} and {len(claimed) - 1} more, off by up to {off:.4f}",
            f"{right[0][0]:.4f}, the softmax scores of the class",
            tolerance=f"{tolerance:g}",
            mend="write the score that the image was chosen by",
        )


def _cover_ranking(edition, judge, handed):
    """Record how much of the ranking asked for is there; how many of a side is for another check: half show its order."""
    asked = 2 * edition.ranking.classes
    shares = [
        min(1.0, 2 * len(set(paths)) / edition.ranking.k)
        for table in handed.values()
        for paths in table.values()
    ]
    judge.cover(
        sum(sorted(shares, reverse=True)[:asked]) / asked,
        "rankings that show an order",
        f"{sum(share == 1 for share in shares)}, of at least {edition.ranking.k / 2:g} images",
        f"{asked}: top and bottom of {edition.ranking.classes} classes",
    )


@pytest.mark.in4310_requirement("1i", partial=True, follows="scores_reproduce")
def test_ranking_order(evidence, edition, judge):
    """Choice and order of the top and bottom images"""
    handed = {
        c: {
            side: [evidence.meant.get(p, p) for p in _entries(evidence, c, side)]
            for side in ("top", "bottom")
        }
        for c in evidence.classes
        if c in evidence.submission.ranking
    }
    try:
        scores = evidence.judged_by("test")
    except Missing:
        exhibits.rankings(judge, evidence, handed, None, {}, edition.ranking.k)
        raise
    paths, proved = list(evidence.known("test")), evidence.proved("test")
    if not proved:
        judge.rest("stated only")
    row_of = {p: i for i, p in enumerate(paths)}
    # Two scores nearer than a float32 sum of six rounds to are the same; their order is free.
    same = 1e-6 if not proved or evidence.reproduces("test") else edition.tolerances.score
    if not any(side for table in handed.values() for side in table.values()):
        raise Missing("ranking", "the ranking holds none of the classes")
    _cover_ranking(edition, judge, handed)

    def told(of, c, side, same=same):
        """How a side is ordered by scores, and by how much it is off."""
        own, entries = of[:, evidence.classes.index(c)], handed[c][side]
        listed = [own[row_of[p]] for p in entries if p in row_of]
        values, whole = np.array(listed), len(listed) == len(entries)
        inside = own[[evidence.data.labels.get(p) == c for p in paths]]
        right = _ranked(own, side == "top")[: len(values)]
        off = (
            np.abs(values[: len(right)] - right).max() if listed else 1.0
        )  # more may be listed than there are
        return _order(values, own, inside, side == "top", whole, same), off

    sides = list(product(handed, ("top", "bottom")))
    tolerance, why = f"{same:g} between neighbours", ""
    if any(not told(scores, *side)[0] for side in sides) and basis.refuted(evidence, "test"):
        theirs = evidence.handed_in("test")
        if all(told(theirs, *side, same=1e-6)[0] for side in sides):
            if basis.explained(evidence, "test"):
                scores, same, why = theirs, 1e-6, f"; it {basis.FOLLOWS}"
                judge.rest("proved by another piece")
            else:
                why = f"; it {basis.REFUTED}"
    wrong = {}
    for c, side in product(handed, ("top", "bottom")):
        entries, (order, off) = handed[c][side], told(scores, c, side, same)
        if order in (BACKWARDS, WITHIN):
            judge.warn(f"{side} of {c}", order, "order over the whole test set")
            continue
        wanted = f"the {edition.ranking.k} {'highest' if side == 'top' else 'lowest'} scores of {c}"
        if order and not proved:
            judge.leave(f"{side} of {c}", order, wanted, tolerance=f"{tolerance}; it {basis.STATED}")
            continue
        good = judge.expect(
            order == IN_ORDER,
            f"{side} of {c}",
            order or f"scores differ from the right ones by up to {off:.4f}",
            wanted,
            tolerance=tolerance + why,
            mend=f"sort the column of {c} over the whole test set",
        )
        if not good:
            wrong.setdefault(c, {})[side] = entries
        else:
            _compare_beside(evidence, edition, judge, c, side, scores)
    boards = mistakes.rankings.boards(evidence, scores, wrong)
    judge.blame(mistakes.rankings.diagnose(boards, wrong, same, Budget.of(evidence)))
    exhibits.rankings(judge, evidence, handed, scores, wrong, edition.ranking.k, same)
