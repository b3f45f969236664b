"""Batches of training: order, sizes, augmentation, and the next one made while this one is computed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import ahead, draw_moves, move, normalise, order, steps, training_batches

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


def noise(count: int, size: int) -> torch.Tensor:
    """Random pixels, uint8 (count, size, size, 3)."""
    return torch.from_numpy(np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def augmented(pixels: torch.Tensor, seed: int) -> torch.Tensor:
    return move(pixels, *draw_moves(len(pixels), pixels.shape[1], torch.Generator().manual_seed(seed)))


@settings(max_examples=60)
@given(count=st.integers(1, 6), size=st.integers(1, 40), seed=st.integers(0, 2**40))
def test_augment_keeps_shape_type_and_values(count: int, size: int, seed: int):
    pixels = noise(count, size)
    before = pixels.clone()
    moved = augmented(pixels, seed)
    assert moved.shape == pixels.shape
    assert moved.dtype == torch.uint8
    assert torch.equal(pixels, before)
    for old, new in zip(pixels, moved, strict=True):
        known = {tuple(colour) for colour in old.reshape(-1, 3).tolist()}
        assert {tuple(colour) for colour in new.reshape(-1, 3).tolist()} <= known
    assert torch.equal(moved, augmented(pixels, seed))


def test_augment_is_a_flip_and_a_reflected_shift():
    """Against numpy's own padding and flipping: every image is one of the possible crops, and all kinds occur."""
    size, reach = 16, 2
    pixels = noise(200, size).numpy()
    moved = augmented(torch.from_numpy(pixels), 1).numpy()
    seen = set()
    for old, new in zip(pixels, moved, strict=True):
        padded = np.pad(old, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
        for top in range(2 * reach + 1):
            for left in range(2 * reach + 1):
                crop = padded[top : top + size, left : left + size]
                for flipped in (False, True):
                    if (new == (crop[:, ::-1] if flipped else crop)).all():
                        seen.add((top, left, flipped))
                        break
                else:
                    continue
                break
            else:
                continue
            break
        else:
            pytest.fail("an image is no flipped or shifted crop of its original")
    assert len(seen) > 40  # of 50


@given(count=st.integers(2, 12), data=st.data())
def test_a_share_of_the_moves_moves_a_share_of_the_images(count: int, data: st.DataObject):
    cut = data.draw(st.integers(0, count))
    pixels = noise(count, 16)
    rows, columns = draw_moves(count, 16, torch.Generator().manual_seed(3))
    parts = [move(pixels[part], rows[part], columns[part]) for part in (slice(0, cut), slice(cut, count))]
    assert torch.equal(torch.cat(parts), augmented(pixels, 3))
