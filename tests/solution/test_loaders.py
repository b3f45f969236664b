"""Batches of training: order, sizes, augmentation, and the next one made while this one is computed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from in4310.solution.images import Images, Preprocessing, normalise
from in4310.solution.loaders import ahead, order, steps, training_batches

TINY = Preprocessing(size=8, resize=8)


def numbered(count: int) -> Images:
    """Image i has the grey value i."""
    pixels = np.repeat(np.arange(count, dtype=np.uint8), 8 * 8 * 3).reshape(count, 8, 8, 3)
    return Images(tuple(map(str, range(count))), pixels, np.arange(count) % 3, tuple("abc"))


@given(st.integers(2, 60), st.integers(2, 20), st.integers(1, 5), st.booleans())
def test_every_image_is_taken_once_an_epoch(count: int, batch_size: int, epoch: int, augmented: bool):
    images = numbered(count)
    batches = list(training_batches(images, TINY, batch_size, seed=7, epoch=epoch, augmented=augmented))
    sizes = [len(batch.rows) for batch in batches]
    assert len(sizes) == steps(count, batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    taken = np.concatenate([batch.rows for batch in batches])
    assert (taken == order(count, 7, epoch)).all()
    assert sorted(taken) == list(range(count))
    for batch in batches:  # a grey image is itself after any shift and flip
        expected = normalise(torch.from_numpy(images.pixels[batch.rows]), TINY)
        assert torch.equal(batch.inputs, expected)
        assert batch.labels.tolist() == [row % 3 for row in batch.rows]


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(order(30, seed, epoch)) for seed in (1, 2) for epoch in (1, 2)}
    assert len(orders) == 4


def test_augmentation_is_drawn_anew_in_each_epoch_and_left_out_where_not_wanted():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    images = Images(tuple("wxyz"), pixels, np.zeros(4, dtype=np.int64), ("a",))
    sized = Preprocessing(size=16, resize=16)

    def first(epoch: int, augmented: bool) -> torch.Tensor:
        batch = next(training_batches(images, sized, 4, 1, epoch, augmented))
        return batch.inputs[np.argsort(batch.rows)]

    assert torch.equal(first(1, True), first(1, True))
    assert not torch.equal(first(1, True), first(2, True))
    assert torch.equal(first(1, False), first(2, False))


@given(st.lists(st.integers(), max_size=12))
def test_what_is_made_ahead_comes_in_order(items: list[int]):
    assert list(ahead(lambda item: item * 2, iter(items))) == [item * 2 for item in items]


def test_the_next_is_made_while_this_one_is_used():
    second = threading.Event()

    def make(item: int) -> int:
        if item == 1:
            second.set()
        return item

    items = ahead(make, range(3))
    assert next(items) == 0
    assert second.wait(timeout=60), "the second was not begun before it was asked for"
    assert list(items) == [1, 2]


def test_an_error_ahead_comes_out_at_its_turn():
    items = ahead(lambda item: 1 // item, iter([1, 0, 1]))
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)
