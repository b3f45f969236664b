"""A training step, an epoch from JPEG files and their memory, beside what others and the machine do."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchmarks import steps
from benchmarks.side_by_side import OwnProcess, amount, median_ratio, seconds, turns
from benchmarks.steps import BATCH, bare_step, finished, noise, our_epoch, plain_step, shape
from torch import Tensor
from torch.nn.functional import cross_entropy

from in4310.solution.engine.hardware import choose_precision, keep_large_buffers
from in4310.solution.images import Images, find_images, load_images
from in4310.solution.loaders import training_batches
from in4310.solution.network import build

SIDE = amount(224, 64)
STEP = 3 * 2 * 1.82e9 * (SIDE / 224) ** 2
"""Floating-point operations of a step, an image: 1.82 GMAC forward at 224 x 224 (He et al. 2015), twice that back."""
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def product_rate(device: str) -> float:
    """Floating-point operations a second of this machine's bf16 matrix product: the best of several sizes."""
    best = 0.0
    for side in (amount(2048, 512), amount(4096, 512)) if device == "cpu" else (4096, 8192):
        a, b = (torch.randn(side, side, device=device).to(torch.bfloat16) for _ in range(2))

        def product(a: Tensor = a, b: Tensor = b) -> None:
            torch.matmul(a, b)
            finished(device)

        product()
        best = max(best, max(2 * side**3 / seconds(product) for _ in range(5)))
    return best


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize("device", DEVICES)
def test_step_beside_the_plain_loop(benchmark, claim, device: str):
    """ResNet-18, batch 64; ours with order, gathering, augmentation and record, theirs one ready batch."""
    keep_large_buffers()
    ours = our_epoch(noise(BATCH, SIDE), SIDE, device)
    ours()
    with OwnProcess(steps.__file__, "plain_step", SIDE, device) as plain:
        pairs = [(plain.seconds(), seconds(ours)) for _ in turns(3)]
    theirs, own = zip(*pairs, strict=True)
    claim(
        f"training step, ResNet-18, batch 64, {SIDE} x {SIDE}, {device}, against the plain loop (fp32, NCHW)",
        median_ratio(theirs, own),
        "times",
        at_least=2.5 if device == "cpu" else 5,
        images_per_second=round(BATCH / statistics.median(own), 1),
        plain_images_per_second=round(BATCH / statistics.median(theirs), 1),
        precision=choose_precision("auto", device),
    )
    benchmark.pedantic(ours, rounds=1)


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize("device", DEVICES)
def test_step_beside_the_rate_of_the_matrix_product(benchmark, claim, device: str):
    size, images = SIDE, noise(BATCH, SIDE)
    keep_large_buffers()
    step = bare_step(images, size, device)
    step()
    shares = []
    for _ in turns(3):
        taken = min(seconds(step) for _ in range(2))
        shares.append(100 * BATCH / taken * STEP / product_rate(device))
    claim(
        f"bare training step, {device}, against the machine's bf16 matrix product, 3 x 1.82 GMAC an image",
        statistics.median(shares),
        "% of the product's rate",
        at_least=80,
    )
    benchmark.pedantic(step, rounds=1)


# --- from JPEG files ---


def imagefolder_epoch(folder: str, size: int, device: str) -> Callable[[], None]:
    """torchvision's ImageFolder and transforms, torch's DataLoader with two workers, the plain step."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.Resize((size, size)),
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(size, padding=size // 8, padding_mode="reflect"),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(shape(size).mean, shape(size).std),
        ]
    )
    loader = DataLoader(ImageFolder(folder, transform), batch_size=BATCH, shuffle=True, num_workers=2)
    model = build(seed=1).train().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    plain_step(size, device)()  # warms up what is the same for both

    def epoch() -> None:
        for inputs, targets in loader:
            optimizer.zero_grad()
            cross_entropy(model(inputs.to(device)), targets.to(device)).backward()
            optimizer.step()
        finished(device)

    return epoch


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [224, pytest.param(128, marks=pytest.mark.slow)])
@pytest.mark.realdata
def test_epoch_from_jpeg_files(benchmark, claim, photos: Path, tmp_path: Path, device: str, size: int):
    """256 photographs on a CPU, all 6000 on a GPU: first epoch (decoding), second, and torchvision's ImageFolder."""
    labels = find_images(photos / "scenes")
    count = 6000 if device == "cuda" else amount(256, BATCH)
    chosen = list(labels)[:: max(1, len(labels) // count)][:count]
    for path in chosen:
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / path).symlink_to((photos / "scenes" / path).resolve())
    with OwnProcess(
        __file__, "imagefolder_epoch", str(tmp_path / "photos"), size, device, warm=False
    ) as plain:
        their_seconds = plain.seconds()

    decoded: list[Images] = []

    def decode() -> None:
        classes = sorted(set(labels.values()))
        decoded.append(load_images(tmp_path / "photos", chosen, labels, classes, shape(size), tmp_path)[0])

    keep_large_buffers()
    decoding = seconds(decode)
    our_epoch(decoded[0].subset(chosen[:BATCH]), size, device)()  # a step, as the other process has made one
    epoch = our_epoch(decoded[0], size, device)
    our_seconds = seconds(epoch)
    waited = sum(_waits(decoded[0], size, device))
    claim(
        f"epoch from {len(chosen)} JPEG files at {size} x {size}, {device},"
        " against ImageFolder + DataLoader (2 workers), fp32",
        their_seconds / our_seconds,
        "times",
        at_least=3,
        times_in_the_first_epoch_with_decoding=round(their_seconds / (our_seconds + decoding), 2),
        percent_of_the_epoch_waiting_for_batches=round(100 * waited / our_seconds, 2),
        images_per_second=round(len(chosen) / our_seconds, 1),
        their_images_per_second=round(len(chosen) / their_seconds, 1),
        decoded_per_second=round(len(chosen) / decoding),
    )
    benchmark.pedantic(lambda: None, rounds=1)


def _waits(images: Images, size: int, device: str) -> list[float]:
    """Seconds that each batch of an epoch takes to be made."""
    batches = training_batches(images, shape(size), BATCH, 1, 1, True, device)
    return [seconds(lambda: next(batches)) for _ in range(-(-len(images) // BATCH))]


# --- memory ---

PEAK = """
import numpy as np
from in4310.solution import pipeline, training
from in4310.solution.images import Images, Preprocessing
from in4310.solution.network import build
import tempfile, torch, pathlib
pixels = np.random.default_rng(0).integers(0, 256, (128, 224, 224, 3), dtype=np.uint8)
images = Images(tuple(map(str, range(128))), pixels, np.arange(128) % 6, tuple("abcdef"))
settings = training.Settings(batch_size=64, epochs=1)
training.train(build(seed=1), images, images.subset(images.paths[:64]), Preprocessing(), settings,
               pathlib.Path(tempfile.mkdtemp()))
print(pipeline.peak_memory(torch.device("cpu")))
"""


@pytest.mark.benchmark(group="memory")
def test_peak_memory_of_training(benchmark, claim):
    """1g: a process of its own trains two batches of 64 at 224 x 224 and validates."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    claim(
        "peak resident memory of training, batch 64, 224 x 224, CPU",
        int(done.stdout) / 2**30,
        "GiB",
        at_most=4,
        precision=choose_precision("auto"),
    )
    benchmark.pedantic(lambda: None, rounds=1)
