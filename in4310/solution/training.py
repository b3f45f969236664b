"""Training: one setting, every epoch recorded, the best on validation kept, stoppable any time (1f)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from in4310.errors import InputError
from in4310.progress import QUIET, Progress, Task
from in4310.solution.engine import checkpoints, distributed
from in4310.solution.engine.compiled import Chosen, Forward, choose_forward
from in4310.solution.engine.hardware import arithmetic, choose_precision, keep_large_buffers, reproducible
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import Batch, order, steps, training_batches
from in4310.solution.metrics import evaluate
from in4310.solution.scores import logits


class TooLarge(InputError):
    """A batch does not fit into the device's memory."""


OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "onecycle")


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of one run (1f). `momentum`: SGD's (Nesterov); `batch_size`: over all processes.

    `half_size`: share of the epochs, the first ones, that see images of half the size, each a quarter of the work
    (progressive resizing: Howard 2018, DAWNBench); what is kept was trained and is tested at the whole size.
    """

    optimizer: str = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    epochs: int = 10
    batch_size: int = 64
    schedule: str = "cosine"
    seed: int = 42
    augment: bool = True
    freeze_batch_norm: bool = False
    label_smoothing: float = 0.0
    half_size: float = 0.0

    def __post_init__(self) -> None:
        """Raise InputError for a value that cannot be trained with."""
        asked = {
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "schedule": (self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 or more, below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 2, "at least 2 (batch norm)"),
            "seed": (self.seed >= 0, "0 or more"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "0 or more, below 1"),
            "half_size": (0 <= self.half_size < 1, "0 or more, below 1"),
        }
        for name, (is_right, expected) in asked.items():
            if not is_right:
                raise InputError(
                    f"settings: {name}: expected {expected}, found {getattr(self, name)!r}; change it"
                )

    @property
    def name(self) -> str:
        """A short name, for a folder and a plot's legend."""
        return f"{self.optimizer}-{self.learning_rate:g}-{self.schedule}"

    @property
    def small_epochs(self) -> int:
        """How many epochs, the first ones, see images of half the size."""
        return math.floor(self.half_size * self.epochs)


@dataclass(frozen=True)
class _Way:
    """How every batch of a run is computed; `forward`: the model, or the same pass with fewer launches."""

    settings: Settings
    preprocessing: Preprocessing
    precision: str
    device: torch.device
    forward: Forward


@dataclass(frozen=True)
class History:
    """The record of a run: one dict for each epoch, all curves and the best epoch come from it (1f, 1j).

    Each epoch: epoch (from 1), learning_rate (of its last step), train_loss, train_accuracy, train_map (of
    the training pass itself: augmented, while the weights move), val_loss, val_accuracy, val_map,
    val_accuracy_per_class, seconds, data_seconds (of these, spent waiting for batches), and '<name>_loss',
    '<name>_accuracy', '<name>_map' for each watched set. Losses are means over images, without label smoothing
    except train_loss. `compiled`: 'plain', 'CUDA graphs' or 'torch.compile', never part of the numbers.
    """

    settings: dict[str, Any]
    device: str
    precision: str
    classes: tuple[str, ...]
    key: str
    epochs: list[dict[str, Any]]
    compiled: str = "plain"

    @property
    def best_epoch(self) -> int:
        """The epoch (from 1) with the highest validation mAP, the earliest of equals; 0 before the first."""
        best = max(self.epochs, key=lambda epoch: _value(epoch["val_map"]), default={"epoch": 0})
        return int(best["epoch"])

    def as_dict(self) -> dict[str, Any]:
        """The history as it is written to history.json."""
        return {**asdict(self), "classes": list(self.classes), "best_epoch": self.best_epoch}


def _note(history: History) -> str:
    """Return the last epoch's validation figures, shown beside the bar."""
    if not history.epochs:
        return ""
    last = history.epochs[-1]
    return f"val accuracy {last['val_accuracy']:.3f} mAP {_value(last['val_map']):.3f}"


def _value(number: float | None) -> float:
    return -math.inf if number is None else number


def train(
    model: nn.Module,
    train_images: Images,
    val_images: Images,
    preprocessing: Preprocessing,
    settings: Settings,
    folder: Path,
    device: str | torch.device = "cpu",
    precision: str = "auto",
    resume: bool = False,
    watch: Mapping[str, Images] | None = None,
    progress: Progress = QUIET,
    compile_: str = "auto",
    deterministic: bool = False,
) -> History:
    """Train the model in place and leave it with the weights that are best on validation (1f).

    Writes folder/history.json and folder/best.pth (state dict, float32) after each epoch, and a checkpoint
    that `resume=True` goes on from: on the CPU with the numbers of an uninterrupted run, on a GPU with
    `deterministic=True`. Every random number comes from (seed, epoch, step). `watch`: further sets, evaluated after
    each epoch and used for nothing. `precision`: of training; evaluations are in fp32. `compile_`: as `choose_forward`.
    Under torchrun, DDP: each process computes its share of every batch, the main one writes.
    Raises InputError: other settings than the checkpoint's, a loss that is not finite, a full disk; TooLarge when a
    batch does not fit into memory.
    """
    device = distributed.setup(device)
    keep_large_buffers()
    sets = {"val": val_images, **(watch or {})}
    _check_sizes(train_images, sets, settings)
    precision = choose_precision(precision, device)
    key = _key(model, train_images, sets, preprocessing)
    history = History(asdict(settings), device.type, precision, train_images.classes, key, [])
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(model, settings)
    files = checkpoints.Files(folder)
    state = files.start(history.as_dict(), resume, device)
    history.epochs.extend(state.epochs)
    if state.weights is not None:
        model.load_state_dict(state.weights)
        optimizer.load_state_dict(state.optimizer)
    best = state.best
    progress = progress if distributed.is_main() else QUIET
    network = DistributedDataParallel(model) if distributed.count() > 1 else model
    way = _Way(settings, preprocessing, precision, device, network)
    epochs = range(len(history.epochs) + 1, settings.epochs + 1)
    try:
        with reproducible(deterministic):
            if distributed.count() == 1 and epochs:
                chosen = _choose(model, train_images, way, epochs[0], compile_, progress)
                if device.type == "cuda" or chosen.name != "plain":
                    progress.say(f"{settings.name}: {chosen.name} training pass: {chosen.why}")
                way, history = replace(way, forward=chosen.forward), replace(history, compiled=chosen.name)
            count = steps(len(train_images), settings.batch_size)
            with progress.task(settings.name, settings.epochs * count) as bar:
                bar.advance(len(history.epochs) * count)
                for epoch in epochs:
                    begun = time.perf_counter()
                    record = _train_epoch(network, optimizer, train_images, way, epoch, bar, _note(history))
                    distributed.same_buffers(model)
                    for name, images in sets.items():
                        record |= _evaluate(model, images, way, name, epoch)
                    history.epochs.append(record | {"seconds": time.perf_counter() - begun})
                    if history.best_epoch == epoch:
                        best = checkpoints.copy(model)
                    files.save(history.as_dict(), model, optimizer, best)
    except torch.OutOfMemoryError as error:
        smaller = max(2, settings.batch_size // 2)
        raise TooLarge(
            f"{settings.name}: batch of {settings.batch_size} does not fit into the memory of {device};"
            f" use --batch-size {smaller}"
        ) from error
    files.finish()
    model.load_state_dict(best)
    model.eval()
    distributed.wait()
    return history


# --- one epoch ---


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Images,
    way: _Way,
    epoch: int,
    bar: Task,
    note_before: str,
) -> dict[str, Any]:
    """Take every training image once; return the epoch's training figures over all processes."""
    settings, device = way.settings, way.device
    _training_mode(network, settings)
    found: list[Tensor] = []  # each batch's losses and scores, left on the device: copying them waits for it
    total = torch.zeros((), device=device)
    rate = settings.learning_rate
    done, waited = 0, 0.0
    count = steps(len(images), settings.batch_size)
    batches = _batches(images, way, epoch)
    for step in range(count):
        begun = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - begun
        rate = learning_rate(settings, (epoch - 1) * count + step, settings.epochs * count)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with arithmetic(way.precision, device):
            outputs = way.forward(batch.inputs)
        outputs = outputs.float()
        smoothing = settings.label_smoothing
        each = cross_entropy(outputs, batch.labels, reduction="none", label_smoothing=smoothing)
        # DDP takes the mean over processes: this makes it the mean over the batch, whatever the shares.
        (each.sum() * (distributed.count() / len(batch.rows))).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        own = torch.cat([each.detach().unsqueeze(1), torch.softmax(outputs.detach(), dim=1)], dim=1)
        found.append(distributed.gather(own, len(batch.rows)))
        total += found[-1][:, 0].sum()
        done += len(batch.rows)
        note = None
        if device.type == "cpu" or step % 20 == 0 or step == count - 1:
            loss = float(total) / done
            _check_finite(loss, settings, epoch)
            note = f"epoch {epoch}/{settings.epochs} loss {loss:.3f} {note_before}"
        bar.advance(1, note)
    every = torch.cat(found).cpu()
    losses, scores = every[:, 0], every[:, 1:]
    taken = order(len(images), settings.seed, epoch)
    metrics = evaluate(images.labels[taken], scores.numpy(), images.classes)
    return {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": float(losses.double().mean()),
        "train_accuracy": metrics.accuracy,
        "train_map": metrics.map,
        "data_seconds": waited,
    }


def _choose(
    model: nn.Module, images: Images, way: _Way, epoch: int, compile_: str, progress: Progress
) -> Chosen:
    """Try, on the first batch, what would make the pass faster."""
    _training_mode(model, way.settings)
    # At the whole size: epochs of half the size are a quarter of the work as they are.
    inputs = next(_batches(images, way, max(epoch, way.settings.small_epochs + 1))).inputs
    return choose_forward(model, inputs, way.precision, compile_, progress)


def _training_mode(network: nn.Module, settings: Settings) -> None:
    network.train()
    if settings.freeze_batch_norm:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def _batches(images: Images, way: _Way, epoch: int) -> Iterator[Batch]:
    settings = way.settings
    whole = training_batches(
        images, way.preprocessing, settings.batch_size, settings.seed, epoch, settings.augment, way.device
    )
    if epoch > settings.small_epochs:
        return whole
    return (replace(batch, inputs=avg_pool2d(batch.inputs, 2)) for batch in whole)


def _evaluate(model: nn.Module, images: Images, way: _Way, name: str, epoch: int) -> dict[str, Any]:
    """Return a set's figures: in fp32, so that they are those that the saved weights give again."""
    outputs = logits(model, images, way.preprocessing, device=way.device)
    loss = float(cross_entropy(outputs.double(), torch.from_numpy(images.labels)))
    _check_finite(loss, way.settings, epoch)
    metrics = evaluate(images.labels, torch.softmax(outputs, dim=1).numpy(), images.classes)
    figures: dict[str, Any] = {
        f"{name}_loss": loss,
        f"{name}_accuracy": metrics.accuracy,
        f"{name}_map": metrics.map,
    }
    if name == "val":
        figures["val_accuracy_per_class"] = metrics.accuracy_per_class
    return figures


def learning_rate(settings: Settings, step: int, steps: int) -> float:
    """Return the learning rate of a step (from 0) of `steps`, all epochs together.

    'cosine': from the full rate to nearly 0 (Loshchilov and Hutter 2017). 'onecycle': from 1/25 of it up to
    it over the first 30 % of the steps, then down to 1/250000 (Smith and Topin 2018; torch's OneCycleLR).
    """
    peak = settings.learning_rate
    if settings.schedule == "constant":
        return peak
    if settings.schedule == "cosine":
        return peak * (1 + math.cos(math.pi * step / steps)) / 2
    top = 0.3 * steps - 1
    if step <= top:
        return _anneal(peak / 25, peak, step / top)
    return _anneal(peak, peak / 25e4, (step - top) / max(steps - 1 - top, 1e-9))


def _anneal(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay is for matrices and filters, not for biases and batch norm."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        nesterov = settings.momentum > 0
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=nesterov, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer]
    return kind(groups, lr=rate, fused=True)


# --- checks ---


def _check_sizes(train_images: Images, sets: Mapping[str, Images], settings: Settings) -> None:
    for name, images in {"train": train_images, **sets}.items():
        if len(images) == 0 or int(images.labels.min()) < 0:
            found = "an image without a label" if len(images) else "no image"
            raise InputError(f"{name} set: expected labelled images, found {found}; check the split")
    smallest = len(train_images) // steps(len(train_images), settings.batch_size)
    if smallest < 2 * distributed.count():
        raise InputError(
            f"train set: expected batches of at least {2 * distributed.count()} images (two a process),"
            f" found {smallest}; use more images, a larger --batch-size, or fewer processes"
        )


def _check_finite(loss: float, settings: Settings, epoch: int) -> None:
    if not math.isfinite(loss):
        raise InputError(
            f"{settings.name}: the loss became {loss} in epoch {epoch}; use a learning rate below"
            f" {settings.learning_rate:g}"
        )


def _key(
    model: nn.Module, train_images: Images, sets: Mapping[str, Images], preprocessing: Preprocessing
) -> str:
    """Return a hash of what a run starts from besides its settings: weights, images, preprocessing."""
    key = hashlib.sha256(json.dumps(asdict(preprocessing)).encode())
    for name, images in {"train": train_images, **sets}.items():
        key.update(json.dumps([name, images.paths, images.labels.tolist(), images.classes]).encode())
    for name, tensor in model.state_dict().items():
        key.update(name.encode())
        key.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return key.hexdigest()
