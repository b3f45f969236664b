"""Metrics against plain loops, and the figures that a wrong reading would give."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.solution.metrics import evaluate

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def slow_average_precision(positive: list[bool], scores: list[float]) -> float:
    """Sum over thresholds, from the highest score down, of precision times the gain in recall."""
    area, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [p for p, s in zip(positive, scores, strict=True) if s >= threshold]
        reached = sum(taken) / sum(positive)
        area += sum(taken) / len(taken) * (reached - recall)
        recall = reached
    return area


@given(st.data())
def test_agrees_with_plain_loops(data: st.DataObject) -> None:
    images, classes = data.draw(st.integers(1, 25)), data.draw(st.integers(2, 6))
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=images, max_size=images))
    # Few different scores, so that ties are common.
    row = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=classes, max_size=classes)
    scores = data.draw(st.lists(row, min_size=images, max_size=images))
    names = CLASSES[:classes]

    found = evaluate(np.array(labels), np.array(scores, dtype=np.float32), names)

    predicted = [max(range(classes), key=lambda c, r=r: (r[c], -c)) for r in scores]
    assert found.accuracy == pytest.approx(
        sum(p == t for p, t in zip(predicted, labels, strict=True)) / images
    )
    recalls, precisions = [], []
    for c, name in enumerate(names):
        mine = [p for p, t in zip(predicted, labels, strict=True) if t == c]
        if not mine:
            assert found.accuracy_per_class[name] is None
            assert found.ap_per_class[name] is None
            continue
        recalls.append(mine.count(c) / len(mine))
        column = [float(np.float32(r[c])) for r in scores]
        precisions.append(slow_average_precision([t == c for t in labels], column))
        assert found.accuracy_per_class[name] == pytest.approx(recalls[-1])
        assert found.ap_per_class[name] == pytest.approx(precisions[-1])
        assert found.report[name]["support"] == len(mine)
        assert found.report[name]["recall"] == pytest.approx(recalls[-1])
    assert found.mean_accuracy == pytest.approx(sum(recalls) / len(recalls))
    assert found.map == pytest.approx(sum(precisions) / len(precisions))
    pairs = list(zip(labels, predicted, strict=True))
    assert found.confusion.tolist() == [[pairs.count((t, p)) for p in range(classes)] for t in range(classes)]
    assert list(found.accuracy_per_class) == list(found.ap_per_class) == list(names)


def test_a_missing_class_is_left_out_of_the_means() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]])
    found = evaluate(np.array([0, 0, 1]), scores, ("a", "b", "c"))
    assert found.accuracy_per_class == {"a": 1.0, "b": 1.0, "c": None}
    assert found.ap_per_class["c"] is None
    assert (found.mean_accuracy, found.map) == (1.0, 1.0)


def test_mean_accuracy_is_over_classes_not_images() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    scores = np.tile([0.9, 0.1], (10, 1))
    found = evaluate(labels, scores, ("a", "b"))
    assert (found.accuracy, found.mean_accuracy) == (0.8, 0.5)


def test_as_dict_is_plain_json() -> None:
    rng = np.random.default_rng(0)
    found = evaluate(rng.integers(0, 5, 40), rng.random((40, 6)), CLASSES)
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert json.loads(text) == found.as_dict()
    assert found.as_dict()["ap_per_class"]["street"] is None
    assert found.report["accuracy"] == pytest.approx(found.accuracy)
    assert type(found.report["macro avg"]["support"]) is int


GOOD = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], GOOD, r"labels: expected 3 integers.*found shape \(2,\)"),
        ([0, 1, 2], GOOD, r"labels: expected 0 to 1, found 0 to 2"),
        ([0, 1, -1], GOOD, r"labels: expected 0 to 1, found -1 to 1"),
        ([0.0, 1.0, 1.0], GOOD, r"labels: expected 3 integers.*float64"),
        ([0, 1, 1], np.full((3, 3), 0.5), r"scores: expected shape \(N, 2\).*found \(3, 3\)"),
        ([0, 1, 1], np.full(3, 0.5), r"scores: expected shape \(N, 2\).*found \(3,\)"),
        ([], np.zeros((0, 2)), r"N of 1 or more, found \(0, 2\)"),
        ([0, 1, 1], [[0.5, 0.5], [np.nan, 1], [np.inf, 1]], r"NaN or infinity in 2 rows, first row 1"),
        ([0, 1, 1], GOOD.astype(complex), r"found dtype complex128"),
        ([0, 1, 1], GOOD.astype(str), r"found dtype <U"),
    ],
)
def test_wrong_input_is_named(labels: list[float], scores: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        evaluate(np.array(labels), np.array(scores), ("a", "b"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [("a",), ("a", "a")])
def test_class_names_must_differ(classes: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="two or more different names"):
        evaluate(np.array([0]), np.zeros((1, len(classes))), classes)
