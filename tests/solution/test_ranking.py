"""Ranking against repeated selection of the best."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.solution.ranking import rank


def slow_rank(pairs: list[tuple[str, float]], k: int, highest: bool) -> tuple[tuple[str, float], ...]:
    """Take the best out, one after the other; of equals the one whose path comes first."""
    left, taken = list(pairs), []
    for _ in range(k):
        best = left[0]
        for pair in left[1:]:
            better = pair[1] > best[1] if highest else pair[1] < best[1]
            if better or (pair[1] == best[1] and pair[0] < best[0]):
                best = pair
        left.remove(best)
        taken.append(best)
    return tuple(taken)


@given(st.data(), st.randoms())
def test_agrees_with_repeated_selection_in_any_order(data: st.DataObject, shuffler: random.Random) -> None:
    paths = data.draw(st.lists(st.text("ab/1", min_size=1, max_size=4), unique=True, min_size=1, max_size=20))
    values = [data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])) for _ in paths]
    k = data.draw(st.integers(1, len(paths)))
    pairs = [(p, float(np.float32(v))) for p, v in zip(paths, values, strict=True)]
    scores = np.stack([np.random.default_rng(0).random(len(paths)), values], axis=1).astype(np.float32)
    found = rank(scores, paths, 1, k)
    assert found.top == slow_rank(pairs, k, highest=True)
    assert found.bottom == slow_rank(pairs, k, highest=False)
    order = list(range(len(paths)))
    shuffler.shuffle(order)
    assert rank(scores[order], [paths[i] for i in order], 1, k) == found


def test_ranks_the_whole_set_not_the_class_only() -> None:
    paths = [f"{name}/{i}" for name in ("sea", "street") for i in range(10)]
    scores = np.linspace(0, 1, 20)[:, None] * [1, -1]
    found = rank(scores, paths, 0)
    assert {path.split("/")[0] for path, _ in found.top} == {"street"}
    assert [path for path, _ in found.bottom] == [f"sea/{i}" for i in range(10)]
    assert len(found.top) == 10


SCORES = np.array([[0.1, 0.9], [np.nan, 0.2], [0.3, 0.7]])


@pytest.mark.parametrize(
    ("column", "k", "paths", "message"),
    [
        (1, 4, "abc", r"k of 1 to 3 \(the number of images\), found 4"),
        (1, 0, "abc", "k of 1 to 3 .* found 0"),
        (2, 1, "abc", "column of 0 to 1, found 2"),
        (-1, 1, "abc", "column of 0 to 1, found -1"),
        (1, 1, "ab", r"expected 2 rows, one a path, found shape \(3, 2\)"),
        (0, 1, "abc", "column 0, found nan for b"),
    ],
)
def test_wrong_input_is_named(column: int, k: int, paths: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rank(SCORES, list(paths), column, k)


def test_other_columns_do_not_matter() -> None:
    assert rank(SCORES, list("abc"), 1, 1).top == (("a", 0.9),)
