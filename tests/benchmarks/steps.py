"""A training step and an epoch, ours and what most people write: what benchmarks of training time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from in4310.progress import QUIET
from in4310.solution import training
from in4310.solution.engine.hardware import arithmetic, choose_precision
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import normalise
from in4310.solution.network import build

BATCH = 64


def settings(epochs: int = 1) -> training.Settings:
    return training.Settings(batch_size=BATCH, epochs=epochs, schedule="constant")


def noise(count: int, size: int) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Images(tuple(map(str, range(count))), pixels, np.arange(count) % 6, tuple("abcdef"))


def shape(size: int) -> Preprocessing:
    return Preprocessing(size=size, resize=size)


def finished(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def plain_step(size: int, device: str) -> Callable[[], None]:
    """What most people write: fp32 (TF32 on a GPU), NCHW, one ready batch, SGD."""
    images, model = noise(BATCH, size), build(seed=1).train().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (shape(size).mean, shape(size).std))
    inputs = (torch.from_numpy(images.pixels[:BATCH]).permute(0, 3, 1, 2).contiguous() / 255 - mean) / std
    inputs, labels = inputs.to(device), torch.from_numpy(images.labels[:BATCH]).to(device)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        finished(device)

    return step


def bare_step(images: Images, size: int, device: str) -> Callable[[], None]:
    """The network's step as we compute it, on one ready batch: no loop, no data, no record."""
    model = build(seed=1).train().to(device, memory_format=torch.channels_last)
    optimizer = training._optimizer(model, settings())
    inputs = normalise(torch.from_numpy(images.pixels[:BATCH]), shape(size), device)
    labels = torch.from_numpy(images.labels[:BATCH]).to(device)
    precision = choose_precision("auto", device)

    def step() -> None:
        with arithmetic(precision, torch.device(device)):
            outputs = model(inputs)
        cross_entropy(outputs.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        finished(device)

    return step


def our_epoch(images: Images, size: int, device: str) -> Callable[[], None]:
    """One epoch through the real loop: order, gather, augmentation, step, record, metrics."""
    model = build(seed=1).to(device, memory_format=torch.channels_last)
    optimizer = training._optimizer(model, settings())
    way = training._Way(
        settings(), shape(size), choose_precision("auto", device), torch.device(device), model
    )
    chosen = training._choose(model, images, way, 1, "auto", QUIET)
    way = training.replace(way, forward=chosen.forward)

    def epoch() -> None:
        with QUIET.task("epoch", 1) as bar:
            training._train_epoch(model, optimizer, images, way, 1, bar, "")
        finished(device)

    return epoch
