"""What feature-map statistics cost beside the forward pass, and spectra beside scikit-learn's PCA.

The ratios stand in `extra_info`: both sides are timed in turn in the same test, as a machine's speed drifts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torchvision.models import resnet18

from in4310.solution.feature_maps import NonPositive, observe
from in4310.solution.spectrum import FeatureCovariance, gram_eigenvalues

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
IMAGES, SIDE, BATCH = 200, 112, 50
"""A quarter of the pixels of 224 x 224, to be quick: maps and forward pass shrink alike, the ratio stands."""
LAYER4 = 512 * 7 * 7


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return resnet18(num_classes=6).eval().to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def batches() -> list[Tensor]:
    images = torch.randn(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return list(images.contiguous(memory_format=torch.channels_last).split(BATCH))


STATISTICS: dict[str, Callable[[], list[Callable[[Tensor], None]]]] = {
    "non-positive": lambda: [NonPositive()],
    "spectrum": lambda: [FeatureCovariance()],
    "both": lambda: [NonPositive(), FeatureCovariance()],
    "flattened": lambda: [FeatureCovariance(flatten=True)],
}


@pytest.mark.benchmark(group="feature-map statistics of 200 images")
@pytest.mark.parametrize("statistic", STATISTICS)
def test_statistics_beside_the_bare_forward_pass(
    benchmark: Callable, network: nn.Module, batches: list[Tensor], statistic: str
) -> None:
    """Six modules, all batches; the eigenvalues themselves are timed below."""

    def bare(batch: Tensor) -> None:
        with torch.inference_mode():
            network(batch)

    def observed(some: list[Tensor]) -> int:
        return observe(network, some, {name: STATISTICS[statistic]() for name in MODULES})

    bare(batches[0])
    # Batch by batch in turn: what else the machine does then falls on both alike.
    pairs = [(seconds(lambda: bare(b)), seconds(lambda: observed([b]))) for b in batches * 2]  # noqa: B023
    benchmark.extra_info["ratio to the bare forward pass"] = statistics.median(b / a for a, b in pairs)
    assert benchmark.pedantic(observed, args=(batches,), rounds=1) == IMAGES


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    """200 feature vectors of layer4's size with a decaying spectrum and a mean far from zero, float32."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((IMAGES, 100)) * (1 / np.arange(1, 101))
    noise = 1e-3 * rng.standard_normal((IMAGES, LAYER4))
    return (latent @ rng.standard_normal((100, LAYER4)) + noise + 1).astype(np.float32)


@pytest.mark.benchmark(group="ten largest eigenvalues, N=200, D=25088")
@pytest.mark.parametrize("solver", ["gram", "full", "arpack", "randomized"])
def test_eigenvalues_beside_scikit_learn(benchmark: Callable, features: np.ndarray, solver: str) -> None:
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    right = np.linalg.eigvalsh(centred @ centred.T / IMAGES)[::-1][:10]

    def ours() -> np.ndarray:
        return gram_eigenvalues(torch.from_numpy(features), k=10).values

    def theirs() -> np.ndarray:
        pca = PCA(10, svd_solver=solver, random_state=0).fit(features)
        return pca.explained_variance_ * (IMAGES - 1) / IMAGES

    run = ours if solver == "gram" else theirs
    ours()
    ratios = [seconds(run) / seconds(ours) for _ in range(3)]
    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["time over ours"] = statistics.median(ratios)
    benchmark.extra_info["largest relative error"] = float(np.abs(found / right - 1).max())
    assert found == pytest.approx(right, rel=1e-10 if solver == "gram" else 0.2)
