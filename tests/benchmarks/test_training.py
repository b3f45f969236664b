"""A training step, the loop around it, and an epoch from JPEG files, beside what others and the machine do."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.side_by_side import OwnProcess, in_turn, median_ratio, seconds, turns
from torch import Tensor
from torch.nn.functional import cross_entropy

from in4310.progress import QUIET
from in4310.solution import training
from in4310.solution.engine.hardware import arithmetic, choose_precision, keep_large_buffers
from in4310.solution.images import Images, Preprocessing, find_images, load_images, normalise
from in4310.solution.loaders import training_batches
from in4310.solution.network import build

BATCH = 64
STEP = 3 * 2 * 1.82e9
"""Floating-point operations of a step, an image of 224 x 224: 1.82 GMAC forward (He et al. 2015), twice that back."""
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


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


def product_rate(device: str) -> float:
    """Floating-point operations a second of this machine's bf16 matrix product: the best of several sizes."""
    best = 0.0
    for side in (2048, 4096) if device == "cpu" else (4096, 8192):
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
    """ResNet-18, batch 64, 224 x 224; ours with order, gathering, augmentation and record, theirs one ready batch."""
    keep_large_buffers()
    ours = our_epoch(noise(BATCH, 224), 224, device)
    ours()
    with OwnProcess(__file__, "plain_step", 224, device) as plain:
        pairs = [(plain.seconds(), seconds(ours)) for _ in turns(3)]
    theirs, own = zip(*pairs, strict=True)
    claim(
        f"training step, ResNet-18, batch 64, 224 x 224, {device}, against the plain loop (fp32, NCHW)",
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
    size, images = 224, noise(BATCH, 224)
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


# --- the loop ---


def lightning_epoch(step_of: dict) -> Callable[[], None]:
    lightning = pytest.importorskip("lightning", reason="needs Lightning: pip install 'in4310[peers]'")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = build(seed=1).to(memory_format=torch.channels_last)

        def training_step(self, batch, _):
            return cross_entropy(self.net(batch[0]).float(), batch[1])

        def configure_optimizers(self):
            return training._optimizer(self.net, settings())

    module = Module()
    options = {"accelerator": "cpu", "max_epochs": 1, "logger": False, "enable_checkpointing": False}
    options |= {"enable_progress_bar": False, "enable_model_summary": False, "barebones": False}
    precision = "bf16-mixed" if step_of["precision"] == "bf16" else "32-true"

    def epoch() -> None:
        trainer = lightning.Trainer(precision=precision, **options)
        trainer.fit(module, step_of["loader"])

    return epoch


class Mixed(torch.nn.Module):
    """The network with its autocast inside: fastai's own mixed precision is for GPUs, skorch has none."""

    def __init__(self, precision: str):
        super().__init__()
        self.net, self.precision = build(seed=1).to(memory_format=torch.channels_last), precision

    def forward(self, inputs: Tensor) -> Tensor:
        with arithmetic(self.precision, torch.device("cpu")):
            return self.net(inputs).float()


def fastai_epoch(step_of: dict) -> Callable[[], None]:
    pytest.importorskip("fastai", reason="needs fastai: pip install 'in4310[peers]'")
    from fastai.callback.core import Callback as FastaiCallback
    from fastai.callback.core import CancelValidException
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    class NoValidation(FastaiCallback):
        def before_validate(self) -> None:
            raise CancelValidException

    def optimizer(params, lr=0.01):
        flat = [p for group in params for p in (group if isinstance(group, list) else [group])]
        return OptimWrapper(opt=torch.optim.SGD(flat, lr=lr, momentum=0.9, nesterov=True, fused=True))

    learner = Learner(
        DataLoaders(step_of["loader"], step_of["loader"]),
        Mixed(step_of["precision"]),
        loss_func=cross_entropy,
        opt_func=optimizer,
        train_bn=True,
        cbs=[NoValidation()],
    )
    learner.remove_cbs([cb for cb in learner.cbs if type(cb).__name__ == "ProgressCallback"])

    def epoch() -> None:
        with learner.no_logging():
            learner.fit(1)

    return epoch


def skorch_epoch(step_of: dict) -> Callable[[], None]:
    skorch = pytest.importorskip("skorch", reason="needs skorch: pip install 'in4310[peers]'")

    net = skorch.NeuralNet(
        Mixed,
        module__precision=step_of["precision"],
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        optimizer__nesterov=True,
        optimizer__fused=True,
        lr=0.01,
        max_epochs=1,
        train_split=None,
        verbose=0,
        iterator_train=lambda dataset, **_: step_of["loader"],
    ).initialize()

    def epoch() -> None:
        net.partial_fit(step_of["dataset"])

    return epoch


class Ready:
    """A loader that gives the same ready batch some times over: peers pay for their loop alone."""

    def __init__(self, inputs: Tensor, labels: Tensor, times: int):
        self.batches = [(inputs, labels)] * times

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


STEPS = 4


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize(
    ("loop", "size"),
    [
        pytest.param("ours", 224, marks=pytest.mark.slow),
        ("ours", 128),
        ("lightning", 128),
        ("fastai", 128),
        ("skorch", 128),
    ],
)
def test_loop_overhead_over_a_bare_step(benchmark, claim, loop: str, size: int):
    """An epoch of four steps, batch 64. Ours includes making the batches and the record; peers get ready ones."""
    keep_large_buffers()
    images = noise(STEPS * BATCH, size)
    bare = bare_step(images, size, "cpu")
    if loop == "ours":
        epoch = our_epoch(images, size, "cpu")
    else:
        inputs = normalise(torch.from_numpy(images.pixels[:BATCH]), shape(size))
        labels = torch.from_numpy(images.labels[:BATCH])
        made = {
            "precision": choose_precision("auto"),
            "loader": Ready(inputs, labels, STEPS),
            "dataset": torch.utils.data.TensorDataset(inputs, labels),
        }
        epoch = {"lightning": lightning_epoch, "fastai": fastai_epoch, "skorch": skorch_epoch}[loop](made)

    def four() -> None:
        for _ in range(STEPS):
            bare()

    bare_seconds, loop_seconds = in_turn(four, epoch, rounds=5)
    goal = {"at_most": 1.0} if loop == "ours" else {}
    claim(
        f"loop overhead over a bare step, batch 64, {size} x {size}: {loop}"
        + (" (with data and record)" if loop == "ours" else " (with ready batches)"),
        100 * (median_ratio(loop_seconds, bare_seconds) - 1),
        "% over",
        **goal,
    )
    benchmark.pedantic(bare, rounds=1)


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
    count = 6000 if device == "cuda" else 256
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
