"""What the loop around a training step costs, ours and those of Lightning, fastai and skorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from benchmarks.side_by_side import amount, in_turn, median_ratio
from benchmarks.steps import BATCH, bare_step, noise, our_epoch, settings, shape
from torch import Tensor
from torch.nn.functional import cross_entropy

from in4310.solution import training
from in4310.solution.engine.hardware import arithmetic, choose_precision, keep_large_buffers
from in4310.solution.loaders import normalise
from in4310.solution.network import build


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
SIDE = amount(128, 32)


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize(
    ("loop", "size"),
    [
        pytest.param("ours", 224, marks=pytest.mark.slow),
        ("ours", SIDE),
        ("lightning", SIDE),
        ("fastai", SIDE),
        ("skorch", SIDE),
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
