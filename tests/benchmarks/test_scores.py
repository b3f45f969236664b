"""Scores of the test set, and statistics taken on the way, beside the bare forward pass."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import pytest
import torch
from benchmarks.side_by_side import OwnProcess, amount, median_ratio, seconds, turns
from torch import Tensor, nn

from in4310.solution.engine.hardware import arithmetic, keep_large_buffers
from in4310.solution.feature_maps import NonPositive, observe
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches
from in4310.solution.network import build
from in4310.solution.scores import predict
from in4310.solution.spectrum import FeatureCovariance

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
SIZE = Preprocessing()
COUNT, BATCH = amount(192, 32), 64
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def noise() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 224, 224, 3), dtype=np.uint8)
    return Images(tuple(map(str, range(COUNT))), pixels, np.arange(COUNT) % 6, tuple("abcdef"))


@pytest.fixture(scope="module")
def images() -> Images:
    return noise()


def plain_loop(device: str) -> Callable[[], np.ndarray]:
    """What most people write: fp32, NCHW, no_grad, ready float tensors."""
    model = build(seed=1).eval().to(device)
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (SIZE.mean, SIZE.std))
    inputs = (torch.from_numpy(noise().pixels).permute(0, 3, 1, 2).contiguous() / 255 - mean) / std

    def loop() -> np.ndarray:
        with torch.no_grad():
            return torch.cat(
                [torch.softmax(model(b.to(device)), 1).cpu() for b in inputs.split(BATCH)]
            ).numpy()

    return loop


@pytest.mark.benchmark(group="scores")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_scores_beside_the_plain_loop(benchmark, claim, images: Images, device: str, precision: str):
    """Ours from uint8 pixels to scores; theirs from ready float tensors, in a process of its own."""
    model = build(seed=1)

    def ours() -> np.ndarray:
        return predict(model, images, SIZE, BATCH, device, precision=precision)

    difference = float(np.abs(ours() - plain_loop(device)()).max())
    with OwnProcess(__file__, "plain_loop", device) as plain:
        pairs = [(plain.seconds(), seconds(ours)) for _ in turns(3)]
    theirs, own = zip(*pairs, strict=True)
    claim(
        f"softmax scores at 224 x 224, {device}, {precision}, against the plain loop (fp32, NCHW, no_grad)",
        median_ratio(theirs, own),
        "times",
        at_least=3 if precision == "bf16" else None,
        images_per_second=round(COUNT / statistics.median(own), 1),
        plain_images_per_second=round(COUNT / statistics.median(theirs), 1),
        largest_difference=difference,
    )
    benchmark.pedantic(ours, rounds=1)


STATISTICS: dict[str, Callable[[], list[Callable[[Tensor], None]]]] = {
    "non-positive share": lambda: [NonPositive()],
    "channel means": lambda: [FeatureCovariance()],
}


GOALS = {
    ("non-positive share", "fp32"): 2,
    ("non-positive share", "bf16"): 5,
    ("channel means", "fp32"): 1,
}


@pytest.mark.benchmark(group="statistics")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_statistics_beside_the_bare_forward_pass(
    benchmark, claim, images: Images, device: str, precision: str, statistic: str
) -> None:
    """Six modules, images of 224 x 224; eigenvalues themselves are timed elsewhere."""
    keep_large_buffers()
    network: nn.Module = build(seed=1).eval().to(device, memory_format=torch.channels_last)
    ready = [inputs for inputs, _ in batches(images, SIZE, 32, device)]

    def bare(batch: Tensor) -> None:
        with torch.inference_mode(), arithmetic(precision, torch.device(device)):
            network(batch)
        if device == "cuda":
            torch.cuda.synchronize()

    observers = {name: STATISTICS[statistic]() for name in MODULES}

    def observed(batch: Tensor) -> None:
        observe(network, [batch], observers, precision)
        if device == "cuda":
            torch.cuda.synchronize()

    bare(ready[0])
    observed(ready[0])
    # Batch by batch in turn: what else the machine does then falls on both alike.
    pairs = [(seconds(lambda: bare(b)), seconds(lambda: observed(b))) for b in ready * len(turns(2))]  # noqa: B023
    over = 100 * (median_ratio([b for _, b in pairs], [a for a, _ in pairs]) - 1)
    claim(
        f"{statistic} of six modules over the bare forward pass, {device}, {precision}",
        over,
        "% over",
        at_most=GOALS.get((statistic, precision)),
    )
    benchmark.pedantic(lambda: observed(ready[0]), rounds=1)
