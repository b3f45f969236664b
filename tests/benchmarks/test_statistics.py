"""What feature-map statistics cost beside the forward pass.

The ratios stand in `extra_info`: both sides are timed in turn in the same test, as a machine's speed drifts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from in4310.solution.feature_maps import NonPositive, observe
from in4310.solution.spectrum import FeatureCovariance

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
IMAGES, SIDE, BATCH = 200, 112, 50
"""A quarter of the pixels of 224 x 224, to be quick: maps and forward pass shrink alike, the ratio stands."""


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
    """Six modules, all batches; the eigenvalues themselves are timed in test_spectra."""

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
