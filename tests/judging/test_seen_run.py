"""What programs were seen to do counts where no file says it: for code only, and never more than a missing input costs."""

from types import SimpleNamespace

import pytest

from in4310.judging.edition import load_edition
from in4310.judging.judge import Judge
from in4310.judging.seen_run import WAYS, judged
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Recovered

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
SEEN = {
    "loaders": [True, "train: shuffled", "a.py:1"],
    "classes": [CLASSES, "as stated", "a.py:2"],
    "network": [[18, 6], "ResNet-18", "a.py:3"],
    "start": ["imagenet", "ResNet18_Weights", "a.py:4"],
    "settings": [3, "SGD; Adam; AdamW", "a.py:5"],
    "kept": [["val"], "where acc > best", "a.py:6"],
    "comparison": [1e-4, "scores.npy", "a.py:7"],
    "hooks": [5, "Sequential", "a.py:8"],
    "metrics": [["accuracy_score"], "accuracy_score", "a.py:9"],
    "spectra": [2, "centred", "a.py:10"],
}
OTHER = {"loaders": False, "network": [34, 1000], "start": "scratch", "comparison": 0.5}
FIGURES = {"metrics", "spectra"}


def looked(check, seen=SEEN, wrong=(), otherwise=Outcome.FAILED):
    submission = SimpleNamespace(rehearsed=Recovered(seen=seen, wrong=list(wrong)))
    evidence = SimpleNamespace(submission=submission, edition=load_edition("2023"), stated_classes=CLASSES)
    judge = Judge()
    return judge if judged(evidence, check, judge, otherwise) else None


@pytest.mark.parametrize("check", WAYS)
def test_each_check_of_code_is_earned_by_what_was_seen_and_figures_are_left(check):
    judge = looked(check)
    assert judge.outcome is (Outcome.OPEN if WAYS[check].subject in FIGURES else Outcome.PASSED)
    assert judge.rests_on == "seen run"
    assert looked(check, {}) is None


@pytest.mark.parametrize("check", [c for c, way in WAYS.items() if way.subject in OTHER])
def test_what_is_not_asked_for_earns_nothing(check):
    subject = WAYS[check].subject
    assert looked(check, {subject: [OTHER[subject], "", ""]}).outcome is Outcome.FAILED


@pytest.mark.parametrize("check", ["three_settings", "modules_named"])
def test_fewer_than_asked_for_were_seen_says_nothing(check):
    assert looked(check, {WAYS[check].subject: [2, "", ""]}) is None


@pytest.mark.parametrize("check", [c for c, way in WAYS.items() if way.wrong])
def test_a_mistake_is_named_with_its_line_and_costs_no_more_than_was_lost(check):
    wrong = [
        [WAYS[check].wrong[0], "a.py:41", "this is wrong", "mend it"],
        ["listing-order", "a.py:1", "no", "no"],
    ]
    judge = looked(check, wrong=wrong)
    assert (judge.outcome, judge.mistake, judge.mend) == (Outcome.FAILED, "this is wrong", "mend it")
    assert looked(check, {}, wrong, Outcome.OPEN).outcome is Outcome.OPEN


def test_other_checks_are_for_files():
    assert looked("scores_reproduce") is None
