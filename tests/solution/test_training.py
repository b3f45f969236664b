"""A training's record and numbers are those of plain torch and of scikit-learn, again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from solution.small_training import CLASSES, QUICK, TINY, TRAIN, VAL, assert_same, network, result, run
from torch import nn

from in4310.solution import training
from in4310.solution.engine import hardware
from in4310.solution.images import Images
from in4310.solution.network import load_into
from in4310.solution.scores import predict
from in4310.solution.training import Settings, learning_rate

pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_learns_and_records_every_epoch(tmp_path: Path):
    settings = replace(QUICK, epochs=8, learning_rate=0.1)
    history = run(tmp_path, settings=settings)
    assert [epoch["epoch"] for epoch in history.epochs] == list(range(1, 9))
    names = {"epoch", "learning_rate", "seconds", "data_seconds", "val_accuracy_per_class"}
    names |= {f"{s}_{f}" for s in ("train", "val", "test") for f in ("loss", "accuracy", "map")}
    assert all(set(epoch) == names for epoch in history.epochs)
    assert history.epochs[-1]["test_accuracy"] > 0.9
    assert history.epochs[-1]["train_loss"] < history.epochs[0]["train_loss"]
    written = json.loads((tmp_path / "history.json").read_text())
    assert written == history.as_dict() | {"classes": list(CLASSES)}
    assert written["settings"]["learning_rate"] == 0.1
    assert (written["device"], written["precision"]) == ("cpu", "fp32")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.pth", "history.json"]


def test_the_first_epochs_may_see_images_of_half_the_size(tmp_path: Path):
    """Each pixel the mean of four; what is evaluated, and trained on at the end, has the whole size."""
    model, seen = network(), []
    model.register_forward_pre_hook(lambda module, given: seen.append((module.training, given[0].shape[-1])))
    run(tmp_path, model, replace(QUICK, epochs=3, half_size=0.67))
    sizes = [size for training_, size in seen if training_]
    steps_ = len(sizes) // 3
    assert sizes == [TINY.size // 2] * (2 * steps_) + [TINY.size] * steps_
    assert {size for training_, size in seen if not training_} == {TINY.size}


def test_the_best_epoch_is_what_the_saved_weights_give_again(tmp_path: Path):
    """The record at the best epoch, recomputed from best.pth by scikit-learn alone."""
    model = network()
    history = run(tmp_path, model)
    best = max(history.epochs, key=lambda e: (e["val_map"], -e["epoch"]))
    assert history.best_epoch == best["epoch"]
    fresh = load_into(network(seed=9), tmp_path / "best.pth")
    scores = predict(fresh, VAL, TINY)
    aps = [average_precision_score(VAL.labels == c, scores[:, c]) for c in range(3)]
    assert best["val_map"] == pytest.approx(np.mean(aps), abs=1e-12)
    assert best["val_accuracy"] == (scores.argmax(1) == VAL.labels).mean()
    assert best["val_loss"] == pytest.approx(-np.log(scores[np.arange(24), VAL.labels]).mean(), rel=1e-5)
    recall = [(scores.argmax(1) == VAL.labels)[VAL.labels == c].mean() for c in range(3)]
    assert best["val_accuracy_per_class"] == pytest.approx(dict(zip(CLASSES, recall, strict=True)))
    assert (predict(model, VAL, TINY) == scores).all(), "the model was not left with its best weights"
    assert not model.training


def test_ties_go_to_the_earlier_epoch_and_best_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    maps = iter([0.5, 0.7, 0.7, 0.6])
    states: list[dict[str, torch.Tensor]] = []
    real = training._evaluate

    def scripted(model: nn.Module, images: Images, way: object, name: str, epoch: int) -> dict:
        states.append({key: value.clone() for key, value in model.state_dict().items()})
        return {**real(model, images, way, name, epoch), "val_map": next(maps)}

    monkeypatch.setattr(training, "_evaluate", scripted)
    model = network()
    history = run(tmp_path, model, replace(QUICK, epochs=4), watch={})
    assert history.best_epoch == 2
    assert all(torch.equal(value, states[1][name]) for name, value in model.state_dict().items())
    saved = torch.load(tmp_path / "best.pth", weights_only=True)
    assert all(torch.equal(saved[name], states[1][name]) for name in saved)
    assert not torch.equal(states[1]["0.weight"], states[2]["0.weight"])
    assert all(tensor.is_contiguous() for tensor in saved.values())
    assert saved["0.weight"].dtype == torch.float32


def test_the_first_step_is_plain_torch(tmp_path: Path):
    """One step on one batch: loss, weights and the average over images are those of a hand-written loop."""
    settings = Settings(
        optimizer="sgd", learning_rate=0.1, weight_decay=0.1, epochs=1, batch_size=42, schedule="constant",
        augment=False, label_smoothing=0.1,
    )  # fmt: skip
    history = run(tmp_path, settings=settings)
    model = network()
    x = (torch.from_numpy(TRAIN.pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(TINY.mean).view(3, 1, 1)) / (
        torch.tensor(TINY.std).view(3, 1, 1)
    )
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)(model(x), torch.from_numpy(TRAIN.labels))
    loss.backward()
    assert history.epochs[0]["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    saved = torch.load(tmp_path / "best.pth", weights_only=True)
    for name, parameter in model.named_parameters():
        decay = 0.1 if parameter.ndim > 1 else 0.0  # none for biases and batch norm
        gradient = parameter.grad + decay * parameter
        expected = parameter - 0.1 * 1.9 * gradient  # Nesterov's first step: gradient + momentum * gradient
        torch.testing.assert_close(saved[name], expected.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_numbers(tmp_path: Path, optimizer: str, precision: str):
    settings = replace(QUICK, optimizer=optimizer, epochs=2)
    torch.manual_seed(1)
    run(tmp_path / "first", settings=settings, precision=precision)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    run(tmp_path / "second", settings=settings, precision=precision)
    assert torch.equal(torch.get_rng_state(), before), "global random state was used"
    assert_same(tmp_path / "first", tmp_path / "second")
    run(tmp_path / "third", settings=replace(settings, seed=43), precision=precision)
    assert result(tmp_path / "third")[0]["epochs"] != result(tmp_path / "first")[0]["epochs"]


@pytest.mark.parametrize("epochs", [2, 10])
def test_learning_rates_are_those_of_torchs_schedulers(epochs: int):
    steps = epochs * 7
    for schedule, make in {
        "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1),
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=steps),
        "onecycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.3, total_steps=steps, cycle_momentum=False
        ),
    }.items():
        settings = Settings(learning_rate=0.3, schedule=schedule, epochs=epochs)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        scheduler = make(optimizer)
        for step in range(steps):
            expected = optimizer.param_groups[0]["lr"]
            assert learning_rate(settings, step, steps) == pytest.approx(expected, rel=1e-6, abs=1e-9)
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
def test_a_single_step_has_a_learning_rate(schedule: str):
    assert 0 < learning_rate(Settings(schedule=schedule), 0, 1) <= 0.01


def test_frozen_batch_norm_keeps_its_statistics(tmp_path: Path):
    model = network()
    run(tmp_path, model, replace(QUICK, freeze_batch_norm=True))
    assert torch.equal(model[1].running_mean, torch.zeros(8))
    assert not torch.equal(model[1].weight, torch.ones(8))
    run(tmp_path, model := network())
    assert not torch.equal(model[1].running_mean, torch.zeros(8))


def test_precision_follows_the_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for capabilities, expected in (
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({}, "fp32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert hardware.choose_precision("auto") == expected
        assert run(tmp_path, settings=replace(QUICK, epochs=1), precision="auto").precision == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert hardware.choose_precision("auto") == "fp32"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="maxrss outlives execve on Linux")
def test_peak_memory_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    held = bytearray(1500 * 2**20)
    held[::4096] = b"x" * len(held[::4096])  # touched, and so resident
    code = "import torch; from in4310.solution.pipeline import peak_memory; print(peak_memory(torch.device('cpu')))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2**26 < int(child.stdout) < len(held)
