"""Block Krylov against all eigenvalues of the explicit covariance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from in4310.errors import InputError
from in4310.solution.engine import krylov
from in4310.solution.engine.krylov import Largest, largest_eigenvalues


def features(rows: int, dimensions: int, decay: float, mean: float = 0, seed: int = 0) -> np.ndarray:
    """float32, deviations falling as i^-decay along random directions."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
    deviations = np.arange(1, dimensions + 1) ** -decay
    return (rng.standard_normal((rows, dimensions)) * deviations @ turn + mean).astype(np.float32)


def exact(rows: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(np.atleast_2d(np.cov(rows.astype(np.float64).T, ddof=0)))[::-1]


def assert_right(found: Largest, rows: np.ndarray) -> None:
    right = exact(rows)[: len(found.values)]
    assert (found.values >= 0).all()
    assert (np.abs(found.values - right) <= found.errors).all()
    assert found.errors.max() <= 1e-6 * right[0]
    assert (found.images, found.dimensions) == rows.shape


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(20, 150),
    dimensions=st.integers(1, 150),
    k=st.integers(1, 12),
    decay=st.sampled_from([0.0, 1.0, 3.0]),
    mean=st.sampled_from([0.0, 1e4]),
    seed=st.integers(0, 2**20),
)
def test_to_a_millionth_of_the_largest_within_its_own_bound(
    rows: int, dimensions: int, k: int, decay: float, mean: float, seed: int
) -> None:
    data = features(rows, dimensions, decay, mean, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(krylov, "CACHED", 17 * dimensions)  # several blocks, the last one short
        found = largest_eigenvalues(data, min(k, dimensions))
    assert_right(found, data)
    assert found.total_variance == pytest.approx(exact(data).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("rows", "dimensions"), [(64, 1), (64, 8), (1000, 8), (20, 1000), (64, 1000), (200, 1000)]
)
def test_roundings_stay_within_the_bound(rows: int, dimensions: int) -> None:
    """Sums in float32 are the less exact the longer they are; the bound knows how long."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        data = np.abs(rng.standard_normal((rows, dimensions)) / np.arange(1, dimensions + 1)).astype(
            np.float32
        )
        assert_right(largest_eigenvalues(data, min(5, dimensions)), data)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_rows_and_are_given_back(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = features(100, 40, 1.0, 100)
    monkeypatch.setattr(krylov, "CACHED", 40)  # seven blocks
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found, again = (largest_eigenvalues(data, 5) for _ in range(2))
        assert_right(found, data)
        assert again.values.tolist() == found.values.tolist()
        data[99] = np.nan  # in the last thread's share
        with pytest.raises(InputError, match="found NaN"):
            largest_eigenvalues(data, 5)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_same_from_an_array_a_memory_map_and_a_stream(tmp_path: Path) -> None:
    data = features(300, 200, 1.0, mean=5)
    np.save(tmp_path / "rows.npy", data)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    passes = []

    def stream() -> Iterator[Tensor]:
        passes.append(1)
        yield from torch.from_numpy(data).split(64)

    found = largest_eigenvalues(data, 8)
    assert_right(found, data)
    assert largest_eigenvalues(mapped, 8).values.tolist() == found.values.tolist()
    assert largest_eigenvalues(data, 8).values.tolist() == found.values.tolist()
    streamed = largest_eigenvalues(stream, 8)
    assert_right(streamed, data)
    assert len(passes) == streamed.passes + 1  # and a look at the first batch
    assert 1 < streamed.passes < 10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_number_formats(dtype: torch.dtype) -> None:
    rows = torch.from_numpy(features(200, 120, 1.0, mean=2)).to(dtype)
    assert_right(largest_eigenvalues(rows, 5), rows.double().numpy())


def test_more_eigenvalues_than_a_block_and_fewer_directions_than_asked_for() -> None:
    data = features(200, 150, 1.0)
    assert_right(largest_eigenvalues(data, 40), data)
    data[:, 5:] = data[:, :1]  # rank 5
    assert_right(largest_eigenvalues(data, 20), data)
    constant = np.full((50, 40), 0.1, np.float32)
    assert largest_eigenvalues(constant, 20).values.max() < 1e-12


def test_without_convergence_the_error_and_the_way_out_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(krylov, "PASSES", 2)
    with pytest.raises(
        InputError, match=r"10 eigenvalues to 1e-06 .*found an error of .* after 2 passes; ask"
    ):
        largest_eigenvalues(features(600, 400, 0.0), 10)


def test_what_cannot_be_is_refused() -> None:
    data = features(30, 20, 1.0)
    with pytest.raises(InputError, match=r"k of 1 to 120, found 0"):
        largest_eigenvalues(data, 0)
    with pytest.raises(InputError, match=r"k of 1 to 20, .*images - 1 \(29\) and features \(20\), found 21"):
        largest_eigenvalues(data, 21)
    with pytest.raises(InputError, match="at least 2 images"):
        largest_eigenvalues(data[:0], 1)
    broken = data.copy()
    broken[29, 3] = np.inf
    with pytest.raises(InputError, match="finite"):
        largest_eigenvalues(broken, 3)
    left = iter(torch.from_numpy(features(300, 100, 0.0)).split(50))
    with pytest.raises(InputError, match="expected the same rows in each pass"):
        largest_eigenvalues(lambda: left, 5)


@pytest.mark.gpu
def test_on_cuda() -> None:
    data = features(300, 200, 1.0, mean=5)
    assert_right(largest_eigenvalues(torch.from_numpy(data).cuda(), 8), data)
