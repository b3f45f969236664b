"""Sentences that state a figure give it; those that compare, count classes, or leave open of which set it is give none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission.printed_figures import figures_in
from in4310.submission.prose import stated

CLASSES = ("sea", "street", "forest")
BOTH = {"val": 0.8582, "test": 0.9194}
TAKEN = {
    "Total nøyaktighet er 85,82 % på valideringssettet og 91,94 % på testsettet.": ("accuracy", BOTH),
    "The accuracy is 0.8582 on the validation set and 0.9194 on the test set.": ("accuracy", BOTH),
    "We reached 91.94% accuracy on the test set.": ("accuracy", {"test": 0.9194}),
    "On the test set the network has an accuracy of 91.94 %, on the validation set of 85.82 %.": (
        "accuracy",
        BOTH,
    ),
    "Our test accuracy was 91.94 percent.": ("accuracy", {"test": 0.9194}),
    "The mean average precision is 0.8582 (validation) and 0.9194 (test).": ("map", BOTH),
    "mAP on validation was 0.8582 and on test 0.9194; it took 12.5 minutes.": ("map", BOTH),
    "With 211 test images we get an accuracy of 0.9194.": ("accuracy", {"test": 0.9194}),
}
LEFT = [
    "The test accuracy of a random guess is 16.7 %.",
    "Test accuracy rose from 0.85 to 0.91.",
    "An accuracy of 0.9194 was reached.",
    "The accuracy of sea is 0.9194 on the test set.",
    "The mean accuracy per class is 0.9194 on the test set.",
    "The accuracy was 0.85 and 0.91 on validation and test.",
    "The accuracy is better than 0.9 on the test set.",
    "After epoch 3 the accuracy is 0.91 on the test set.",
    "Accuracy and mAP are 0.85 and 0.91 on the test set.",
    "The loss is 0.91 on the test set.",
    "We used 15.0 % as test set, which gives the accuracy its error.",
]


@pytest.mark.parametrize("sentence", TAKEN)
@pytest.mark.parametrize("around", ["{}", "Results. {} More below.", "* {}", "# Title\n\n{}\n\nEnd."])
def test_what_a_sentence_states_is_taken(sentence, around):
    kind, figures = TAKEN[sentence]
    found, unclear = figures_in(around.format(sentence), "README", CLASSES)
    shares = {name: v / 100 if (v := table[kind]) > 1 else v for name, table in found.items()}
    assert shares == pytest.approx(figures)
    assert not unclear


@pytest.mark.parametrize("sentence", LEFT)
def test_what_is_compared_or_left_open_is_not(sentence):
    assert list(stated(sentence, CLASSES)) == []
    found, _ = figures_in(sentence, "README", CLASSES)
    assert not any({"accuracy", "map"} & table.keys() for table in found.values())


@given(st.text(max_size=80))
def test_any_line_is_read(line):
    for name, value in stated(line, CLASSES):
        assert name.split()[0] in ("train", "val", "test")
        assert value
