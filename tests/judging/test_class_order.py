"""Classes that were numbered otherwise are told from classes that are confused."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from in4310.judging.class_order import best_order, confusion, exchanged, moved_columns

SIZE = 6
permutations = st.permutations(range(SIZE))


def drawn(seed, right, images=240):
    """Labels, and columns chosen by a network that is right in a share of cases and guesses otherwise."""
    draw = np.random.RandomState(seed)
    labels = np.arange(images) % SIZE
    guessed = draw.randint(0, SIZE, images)
    return labels, np.where(draw.rand(images) < right, labels, guessed)


@given(permutations, st.integers(0, 999), st.floats(0.75, 1))
def test_the_order_of_a_fair_network_is_recovered(order, seed, right):
    labels, chosen = drawn(seed, right)
    column_of = np.argsort(order)  # column j is class order[j]
    table = confusion(labels, column_of[chosen], SIZE)
    assert best_order(table) == tuple(order)
    assert exchanged(table) == (None if list(order) == sorted(order) else tuple(order))


@given(st.integers(0, 999), st.floats(0, 0.2))
def test_a_network_that_has_hardly_learnt_exchanges_nothing(seed, right):
    assert exchanged(confusion(*drawn(seed, right), SIZE)) is None


@given(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
def test_a_class_taken_for_another_is_confusion_and_not_numbering(one, other):
    labels, _ = drawn(0, 1)
    assert exchanged(confusion(labels, np.where(labels == one, other, labels), SIZE)) is None


def test_exactly_half_is_not_most():
    table = np.eye(2) * 5 + np.array([[0, 5], [6, -1]])
    assert exchanged(table) is None  # 5 of 10, and 6 of 10
    assert exchanged(table + np.array([[0, 1], [0, 0]])) == (1, 0)


def test_counts_and_words():
    table = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert moved_columns(["b", "a", "c"], ["a", "b", "c"]) == ["column 0 is b", "column 1 is a"]
    assert moved_columns(["a", "b"], ["a", "b"]) == []
