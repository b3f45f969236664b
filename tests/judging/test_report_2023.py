"""The figures printed in the 2023 report, as a test case: consistent where they are, refused where they are not."""

import numpy as np
import pytest

from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.pieces import KINDS, Missing

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
WHOLE = dict(zip(CLASSES, (2628, 2745, 2957, 3037, 2784, 2883), strict=True))

SOFTMAX = """
1.2677e-04 6.1474e-03 1.3926e-03 9.9227e-01 4.5625e-05 1.4502e-05
3.3747e-04 9.9440e-01 5.1782e-03 8.0230e-07 2.5734e-05 6.1893e-05
1.4682e-06 9.9974e-01 2.5627e-04 1.3607e-07 5.2376e-07 3.0957e-06
4.6122e-05 1.3851e-05 9.6874e-04 9.3550e-05 9.9885e-01 3.1685e-05
3.6631e-04 1.0747e-03 9.6500e-01 3.0067e-03 3.0245e-02 3.1223e-04
2.0704e-03 5.2982e-06 3.9158e-06 2.9958e-07 1.1883e-06 9.9792e-01
"""
# precision, recall, F1 in hundredths; support
TABLE = {
    "buildings": (98, 95, 97, 250),
    "forest": (100, 99, 100, 250),
    "glacier": (94, 94, 94, 250),
    "mountain": (95, 94, 95, 250),
    "sea": (99, 99, 99, 250),
    "street": (95, 98, 96, 250),
}
NON_POSITIVE = {
    "maxpool": 23.30,
    "layer1": 23.58,
    "layer2": 49.18,
    "layer3": 55.48,
    "layer4": 43.03,
    "avgpool": 1.34,
}


class Claims:
    """Stands for a submission of which only some pieces are there."""

    def __init__(self, **pieces):
        self.__dict__.update(pieces)
        self.located = dict.fromkeys(pieces, ("as printed", ""))
        self.split_made_by = ""

    def __getattr__(self, name):
        if name in KINDS:  # as a real submission does
            raise Missing(name)
        raise AttributeError(name)

    def table(self, name):
        return {}

    def candidates(self, piece):
        return []

    def network(self, piece, file=None, index=0):
        raise Missing(piece)


class Listing:
    """Stands for the full data set, of which only names and counts are needed here."""

    def __init__(self):
        self.labels = {f"{c}/{i}.jpg": c for c, n in WHOLE.items() for i in range(n)}
        self.contents = {path: path for path in self.labels}
        self.root = __import__("pathlib").Path("nowhere")


def split_of_the_report():
    """2500 of each class; 10 % test, 18 % validation."""
    sets = {"train": [], "val": [], "test": []}
    for c in CLASSES:
        paths = [f"{c}/{i}.jpg" for i in range(2500)]
        sets["test"] += paths[:250]
        sets["val"] += paths[250:700]
        sets["train"] += paths[700:]
    return {name: tuple(paths) for name, paths in sets.items()}


@pytest.fixture
def judged(run_check, monkeypatch):
    def judge(check, **pieces):
        from in4310.judging.edition import load_edition

        edition = load_edition("2023")
        evidence = Evidence(Claims(**pieces), Listing(), edition)
        # No image is there to be decoded: all that are left out count as readable.
        monkeypatch.setitem(run_check.namespace(check), "_decodes", lambda path: True)
        return run_check(check, evidence)

    return judge


def scores():
    return np.array(SOFTMAX.split(), dtype=np.float64).reshape(6, 6)


def test_softmax_rows_are_probabilities(judged):
    judge = judged("scores_are_probabilities", scores=scores())
    assert judge.outcome is Outcome.PASSED, judge.reason


def test_softmax_rows_with_one_digit_changed_are_not(judged):
    altered = scores()
    altered[0, 1] = 6.1474e-02
    assert judged("scores_are_probabilities", scores=altered).outcome is Outcome.FAILED


def test_six_rows_are_not_the_scores_of_a_test_set(judged):
    judge = judged("scores_shape", scores=scores(), split=split_of_the_report())
    assert judge.outcome is Outcome.FAILED
    assert "6 x 6" in judge.reason
    assert "1500 x 6" in judge.reason


@pytest.mark.parametrize("name", CLASSES)
def test_f1_is_consistent_with_precision_and_recall(name):
    precision, recall, f1, _ = TABLE[name]
    # Each figure is rounded to a hundredth: F1 lies between its values at the corners of what was rounded.
    corners = [
        2 * p * r / (p + r)
        for p in (precision - 0.5, min(precision + 0.5, 100))
        for r in (recall - 0.5, min(recall + 0.5, 100))
    ]
    assert min(corners) - 0.5 <= f1 <= max(corners) + 0.5


def test_accuracy_is_the_mean_of_recalls_over_equal_classes():
    recalls = [recall for _, recall, _, _ in TABLE.values()]
    assert {support for *_, support in TABLE.values()} == {250}
    assert abs(sum(recalls) / 6 - 97) <= 0.5 + 0.5


def test_percentages_are_percentages():
    judge = Judge()
    for name, value in NON_POSITIVE.items():
        judge.expect(0 <= value <= 100, name, value)
    assert judge.outcome is Outcome.PASSED


def test_its_split_is_refused_with_the_numbers(judged):
    covers = judged("split_covers_data", split=split_of_the_report())
    assert covers.outcome is Outcome.FAILED
    assert "2034 of 17034 (15000 used)" in covers.reason
    assert "2500 images of each class" in covers.mistake

    sizes = judged("split_sizes", split=split_of_the_report())
    assert sizes.outcome is Outcome.FAILED
    found = {f.asked: (f.found, f.expected, f.outcome) for f in sizes.findings}
    assert found["images in the test set"][0].startswith("1500 ")
    assert found["images in the test set"][1:] == ("3000", Outcome.FAILED)
    assert found["images in the val set"][0].startswith("2700 ")

    proportions = judged("split_stratified", split=split_of_the_report())
    assert proportions.outcome is Outcome.FAILED
    on_test = proportions.findings[1]
    assert "250" in on_test.found
    assert on_test.outcome is Outcome.FAILED

    assert judged("split_disjoint_by_name", split=split_of_the_report()).outcome is Outcome.PASSED
