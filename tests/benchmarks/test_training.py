from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from in4310.progress import QUIET
from in4310.solution import training
from in4310.solution.hardware import choose_precision
from in4310.solution.images import Images, Preprocessing, augment
from in4310.solution.network import build
from in4310.solution.scores import predict

SIZE, BATCH = 64, 64
PREPROCESSING = Preprocessing(size=SIZE, resize=SIZE)
SETTINGS = training.Settings(batch_size=BATCH, epochs=1, schedule="constant")


@pytest.fixture(scope="module")
def images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (4 * BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.arange(4 * BATCH) % 6
    return Images(tuple(map(str, range(len(pixels)))), pixels, labels, tuple("abcdef"))


def plain_step(images: Images) -> Callable[[], None]:
    """What most people write: fp32, NCHW, the whole batch a contiguous float tensor, SGD."""
    model = build(seed=1).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (PREPROCESSING.mean, PREPROCESSING.std))
    inputs = (torch.from_numpy(images.pixels[:BATCH]).permute(0, 3, 1, 2).contiguous() / 255 - mean) / std
    labels = torch.from_numpy(images.labels[:BATCH])

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return step


def bare_step(images: Images) -> Callable[[], None]:
    """The network's step as we compute it, on one ready batch: no loop, no data, no record."""
    model = build(seed=1).train().to(memory_format=torch.channels_last)
    optimizer = training._optimizer(model, SETTINGS)
    inputs = training.normalise(torch.from_numpy(images.pixels[:BATCH]), PREPROCESSING)
    labels = torch.from_numpy(images.labels[:BATCH])
    precision = choose_precision("auto")

    def step() -> None:
        with training.arithmetic(precision, torch.device("cpu")):
            outputs = model(inputs)
        cross_entropy(outputs.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def our_epoch(images: Images) -> Callable[[], None]:
    """One epoch of four batches through the real loop: order, augmentation, step, record, metrics."""
    model = build(seed=1).to(memory_format=torch.channels_last)
    optimizer = training._optimizer(model, SETTINGS)
    device = torch.device("cpu")
    way = training._Way(SETTINGS, PREPROCESSING, choose_precision("auto"), device)

    def epoch() -> None:
        with QUIET.task("epoch", 4) as bar:
            training._train_epoch(model, optimizer, images, way, 1, bar, "")

    return epoch


def alternated(first: Callable[[], None], second: Callable[[], None], rounds: int = 5) -> tuple[float, float]:
    """Median seconds of both, turn by turn, so that other load falls on both; one round to warm up."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for function, record in zip((first, second), times, strict=True):
            begun = time.perf_counter()
            function()
            if round_:
                record.append(time.perf_counter() - begun)
    return statistics.median(times[0]), statistics.median(times[1])


@pytest.mark.benchmark(group="training, ResNet-18, batch 64, 64 x 64")
def test_training_loop_against_a_plain_loop(benchmark, images: Images):
    training.keep_large_buffers()
    ours, plain = our_epoch(images), plain_step(images)

    def four_plain() -> None:
        for _ in range(4):
            plain()

    our_time, plain_time = alternated(ours, four_plain)
    benchmark.extra_info["images_per_second"] = round(4 * BATCH / our_time, 1)
    benchmark.extra_info["plain_images_per_second"] = round(4 * BATCH / plain_time, 1)
    benchmark.extra_info["times_faster_than_plain_fp32_nchw"] = round(plain_time / our_time, 2)
    benchmark.extra_info["precision"] = choose_precision("auto")
    benchmark.pedantic(ours, rounds=2)


@pytest.mark.benchmark(group="training, ResNet-18, batch 64, 64 x 64")
def test_loop_overhead_over_a_bare_step(benchmark, images: Images):
    training.keep_large_buffers()
    ours, bare = our_epoch(images), bare_step(images)

    def four_bare() -> None:
        for _ in range(4):
            bare()

    our_time, bare_time = alternated(ours, four_bare, rounds=7)
    benchmark.extra_info["loop_overhead_percent"] = round(100 * (our_time / bare_time - 1), 1)
    benchmark.pedantic(four_bare, rounds=2)


@pytest.mark.benchmark(group="batch preparation")
def test_augmentation(benchmark, images: Images):
    pixels = torch.from_numpy(images.pixels[:BATCH])
    generator = torch.Generator().manual_seed(1)
    benchmark(augment, pixels, generator)
    benchmark.extra_info["images"] = BATCH


@pytest.mark.benchmark(group="prediction, ResNet-18, 64 x 64")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_prediction(benchmark, images: Images, precision: str, tmp_path: Path):
    model = build(seed=1)
    benchmark.pedantic(
        predict, (model, images, PREPROCESSING), {"precision": precision}, rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["images"] = len(images)
