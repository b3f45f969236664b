"""What can go wrong in a training, its settings, its sets, the disk and the memory, is named in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from solution.small_training import CLASSES, QUICK, TINY, TRAIN, VAL, assert_same, network, result, run
from torch import nn

from in4310.errors import InputError
from in4310.solution import training
from in4310.solution.images import Images
from in4310.solution.training import Settings, train

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_loss_that_is_not_finite_names_setting_and_epoch(tmp_path: Path):
    model = network()
    with torch.no_grad():
        model[5].weight.fill_(float("nan"))
    with pytest.raises(InputError, match=r"sgd-0.02-onecycle: the loss became nan in epoch 1; .*below 0.02"):
        run(tmp_path, model)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_names_the_file_and_leaves_the_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(tmp_path / "whole")
    real = Path.replace
    renames: list[str] = []

    def full(self: Path, target: Path) -> Path:
        renames.append(target.name)
        if renames.count("checkpoint.pt") == 2:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(
        InputError, match=r"checkpoint.pt: cannot be written \(No space left on device\); free"
    ):
        run(tmp_path / "cut")
    monkeypatch.undo()
    assert not list((tmp_path / "cut").glob(".*")), "half a file remained"
    assert len(result(tmp_path / "cut")[0]["epochs"]) == 1
    run(tmp_path / "cut", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_no_memory_says_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def out_of_memory(*_args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(training, "_train_epoch", out_of_memory)
    with pytest.raises(
        InputError, match="batch of 8 does not fit into the memory of cpu; use --batch-size 4"
    ):
        run(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimizer": "lion"}, {"schedule": "step"}, {"learning_rate": 0}, {"learning_rate": float("nan")},
        {"momentum": 1}, {"weight_decay": -1}, {"epochs": 0}, {"batch_size": 1}, {"seed": -1},
        {"label_smoothing": 1}, {"half_size": 1},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong: dict):
    name = next(iter(wrong))
    with pytest.raises(InputError, match=rf"settings: {name}: expected .* found"):
        Settings(**wrong)


def test_unlabelled_or_empty_sets_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="val set: expected labelled images, found no image"):
        train(network(), TRAIN, VAL.subset([]), TINY, QUICK, tmp_path)
    unlabelled = Images(TRAIN.paths, TRAIN.pixels, np.full(42, -1), CLASSES)
    with pytest.raises(InputError, match=r"train set: .*found an image without a label"):
        train(network(), unlabelled, VAL, TINY, QUICK, tmp_path)
    with pytest.raises(InputError, match=r"train set: expected batches of at least 2"):
        train(network(), TRAIN.subset(TRAIN.paths[:1]), VAL, TINY, QUICK, tmp_path)


class Hungry(nn.Module):
    """Has room for batches of up to five images."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = network()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) > 5:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return self.inside(inputs)


def test_a_batch_too_large_for_the_device_is_one_line(tmp_path: Path):
    with pytest.raises(
        training.TooLarge, match=r"batch of 8 does not fit into the memory of cpu; use --batch-size 4"
    ):
        run(tmp_path, Hungry())
    assert run(tmp_path, Hungry(), replace(QUICK, batch_size=5), watch={}).epochs
