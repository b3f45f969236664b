"""Requirement 1e: the metrics made of the scores."""

from contextlib import suppress

import numpy as np
import pytest

from in4310.judging import basis, digits, exhibits, mistakes, stated
from in4310.judging.asked import check_metrics
from in4310.judging.evidence import number
from in4310.judging.mistakes.budget import Budget
from in4310.judging.verdict import Outcome
from in4310.solution.metrics import wilson
from in4310.submission.pieces import Missing

SETS = ("val", "test")
KINDS = {"accuracy_per_class": "Accuracy of each class", "ap_per_class": "Average precision of each class"}
MEANS = {"mean_accuracy": "mean of classes", "map": "mAP"}


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
    lacking = {}
    for name in SETS:
        try:
            evidence.measured(name)
        except Missing as missing:
            lacking[name] = missing
    if len(lacking) == len(SETS):
        raise lacking["test"]
    for name in SETS:
        table, proved = _table(evidence, name), evidence.proved(name)
        if name in lacking:
            if any(
                value is not None
                for _, _, value, _ in figures(name, table, evidence.measured(*{*SETS} - {name}))
            ):
                judge.leave(
                    f"{name} figures", f"nothing to compute them from ({lacking[name]})", "scores or weights"
                )
            continue
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
        only_stated = evidence.submission.only_stated("metrics")
        for asked, key, value, right in ours:
            good = value is not None and _agree(value, right, tolerance)
            if only_stated and not good:
                found = (
                    "not found in the text of the report"
                    if value is None
                    else f"{value:.4f}, read in the report"
                )
                judge.leave(asked, found, f"{right:.4f}", mend="hand in the figures as metrics.json, too")
                continue
            if value is None:
                judge.expect(False, asked, "missing or not a finite number", f"{right:.4f}",
                             mend="report it in metrics.json")  # fmt: skip
                continue
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
                                 mend="recompute it from the saved scores with scikit-learn"
                                 ) and not _agree(value, theirs.get(key), tolerance):  # fmt: skip
                wrong[key] = value  # else the mistake is one of the scores
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
    for name in (one for one in SETS if _is_measured(evidence, one)):
        ours, table = evidence.measured(name).as_dict(), _table(evidence, name)
        known = {c: v for c, v in ours[kind].items() if v is not None}
        claimed = _of_classes(evidence, table, kind) | {MEANS[mean]: _share(number(table, mean))}
        tables[name] = (claimed, known | {MEANS[mean]: ours[mean]})
    exhibits.metrics_against(judge, tables, KINDS[kind], edition.tolerances.metric)


def _is_measured(evidence, name):
    with suppress(Missing):
        return evidence.measured(name) is not None
    return False


def _each_class(evidence, table, kind, ours):
    """(class, claimed, ours) of each class that ours has a figure of."""
    claimed = _of_classes(evidence, table, kind)
    return [(c, claimed.get(c), ours[c]) for c in evidence.classes if ours[c] is not None]


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_accuracy(evidence, edition, judge):
    """Accuracy of validation and test"""

    def figures(name, table, ours):
        yield f"{name} accuracy", ("accuracy", None), number(table, "accuracy"), ours.accuracy

    _compare(evidence, edition, judge, figures)
    stated.hold(judge, evidence, "accuracy")
    if _is_measured(evidence, "test"):
        exhibits.confusion(judge, evidence.measured("test").confusion, evidence.classes)


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_accuracy_per_class(evidence, edition, judge):
    """Accuracy per class and its mean, of validation and test"""

    def figures(name, table, ours):
        for c, *pair in _each_class(evidence, table, "accuracy_per_class", ours.accuracy_per_class):
            yield f"{name} accuracy of {c}", ("accuracy", c), *pair
        mean = number(table, "mean_accuracy")
        yield f"{name} mean accuracy per class", ("mean_accuracy", None), mean, ours.mean_accuracy

    _compare(evidence, edition, judge, figures)
    stated.hold(judge, evidence, "accuracy_per_class", "mean_accuracy")
    _show(evidence, edition, judge, "accuracy_per_class", "mean_accuracy")


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_average_precision(evidence, edition, judge):
    """Average precision per class, of validation and test"""

    def figures(name, table, ours):
        for c, *pair in _each_class(evidence, table, "ap_per_class", ours.ap_per_class):
            yield f"{name} AP of {c}", ("ap", c), *pair

    _compare(evidence, edition, judge, figures)
    stated.hold(judge, evidence, "ap_per_class")
    _show(evidence, edition, judge, "ap_per_class", "map")


@pytest.mark.in4310_requirement("1e", partial=True, follows="scores_reproduce")
def test_metrics_map(evidence, edition, judge):
    """Mean average precision of validation and test"""

    def figures(name, table, ours):
        yield f"{name} mAP", ("map", None), number(table, "map"), ours.map

    _compare(evidence, edition, judge, figures)
    stated.hold(judge, evidence, "map")
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
