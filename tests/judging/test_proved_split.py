"""A split that only a program makes is proved by scores of its rows, and by no others."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from in4310.judging.judge import Judge
from in4310.judging.proved_split import proof, rests, said
from in4310.submission.folder import Recovered
from in4310.submission.pieces import Missing

CLASSES = list("abcdef")


def evidence(labels, chosen, accuracy=None):
    def once(key, make):
        return make()

    def handed_in(name):
        if name == "val":
            raise Missing("scores_val")
        return np.eye(6)[chosen]

    ran = Recovered(at="train.py", split={"train": ["a/1"]})
    submission = SimpleNamespace(
        rehearsed=ran, split_made_by="train.py", metrics={"test": {"accuracy": accuracy}} if accuracy else {}
    )
    tolerances = SimpleNamespace(metric=5e-4)
    return SimpleNamespace(
        once=once, handed_in=handed_in, labels=lambda name: labels, stated_classes=CLASSES, submission=submission,
        edition=SimpleNamespace(tolerances=tolerances))  # fmt: skip


@given(st.integers(0, 2**32 - 1), st.permutations(range(6)))
def test_scores_of_these_rows_prove_it_in_any_order_of_classes_and_of_other_rows_do_not(seed, order):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 6, 200)
    chosen = np.where(draw.random(200) < 0.7, labels, draw.integers(0, 6, 200))
    moved = np.array(order)[chosen]
    assert "200 rows of test favour the class of their image" in proof(evidence(labels, moved))
    assert proof(evidence(labels, draw.permutation(moved))) == ""


def test_the_accuracy_handed_in_is_said_to_agree_where_it_does():
    labels = np.arange(120) % 6
    chosen = np.where(np.arange(120) < 90, labels, (labels + 1) % 6)
    assert "their accuracy, 0.7500, is the one handed in" in said(evidence(labels, chosen, 0.75))
    assert "is the one handed in" not in said(evidence(labels, chosen, 0.76))


def test_a_verdict_rests_on_the_proof_else_on_what_was_seen():
    labels = np.arange(120) % 6
    for chosen, on in ((labels, "proved by another piece"), (np.zeros(120, int), "seen run")):
        judge = Judge()
        rests(evidence(labels, chosen), judge)
        assert judge.rests_on == on
    assert "no file proves the split that train.py makes" in said(evidence(labels, np.zeros(120, int)))
