from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from in4310.errors import InputError
from in4310.solution import training
from in4310.solution.engine import checkpoints, hardware
from in4310.solution.images import Images, Preprocessing
from in4310.solution.network import build, load_into
from in4310.solution.scores import predict
from in4310.solution.training import History, Settings, learning_rate, train

CLASSES = ("a", "b", "c")
TINY = Preprocessing(size=32, resize=32)
QUICK = Settings(learning_rate=0.02, epochs=3, batch_size=8, schedule="onecycle")
KILLED = Settings(learning_rate=0.01, epochs=6, batch_size=21)


def coloured(count: int, seed: int) -> Images:
    """Noise whose colour tells the class: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = rng.integers(0, 160, (count, 32, 32, 3))
    pixels[np.arange(count), :, :, labels] += 60
    return Images(tuple(f"{seed}/{i}.jpg" for i in range(count)), pixels.astype(np.uint8), labels, CLASSES)


TRAIN, VAL, TEST = coloured(42, 1), coloured(24, 2), coloured(12, 3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower with more; and other processes' load does not matter."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network(seed: int = 0) -> nn.Module:
    """A convolution, a batch norm and a linear layer: all the kinds of state that a ResNet has."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 3),
        )


def run(folder: Path, model: nn.Module | None = None, settings: Settings = QUICK, **options) -> History:
    options = {"precision": "fp32", "watch": {"test": TEST}, **options}
    return train(model or network(), TRAIN, VAL, TINY, settings, folder, **options)


def timeless(history: dict) -> dict:
    """A history without what differs from run to run."""
    return {
        **history,
        "epochs": [{k: v for k, v in e.items() if not k.endswith("seconds")} for e in history["epochs"]],
    }


def result(folder: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """What a run left behind: history without seconds, best weights."""
    return (
        timeless(json.loads((folder / "history.json").read_text())),
        torch.load(folder / "best.pth", weights_only=True),
    )


def assert_same(first: Path, second: Path) -> None:
    (history, weights), (other_history, other_weights) = result(first), result(second)
    assert history == other_history
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


# --- the record ---


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


# --- stop and go on ---


class Stop(BaseException):
    """The end of a process, at a moment that the test chooses."""


@pytest.mark.parametrize("moment", range(1, 10))
def test_a_stop_between_any_two_writes_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
):
    settings = replace(QUICK, optimizer="adam", learning_rate=0.003)
    run(tmp_path / "whole", settings=settings)
    writes = 0
    real = checkpoints.write_aside

    def stop(*args) -> Path:
        nonlocal writes
        writes += 1
        if writes == moment:
            raise Stop
        return real(*args)

    monkeypatch.setattr(checkpoints, "write_aside", stop)
    stopped = False
    try:
        run(tmp_path / "cut", settings=settings)
    except Stop:
        stopped = True
    monkeypatch.undo()
    assert stopped or moment > 6  # a checkpoint and a history an epoch, and the best once or more
    model = network()
    history = run(tmp_path / "cut", model, settings, resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")
    assert not list((tmp_path / "cut").glob("*.pt"))
    assert len(history.epochs) == 3
    best = torch.load(tmp_path / "cut" / "best.pth", weights_only=True)
    assert all(torch.equal(best[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_kill_9_and_resume_give_the_very_same_numbers(tmp_path: Path):
    """A process of its own, killed when a checkpoint has just appeared, twice; ResNet-18."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import test_training as t; from pathlib import Path\n"
        "from in4310.solution.network import build; t.torch.set_num_threads(1)\n"
        "t.run(Path(sys.argv[1]), build(classes=3, seed=1), t.KILLED, resume=True)"
    )
    paths = [str(Path(__file__).parent), str(Path(training.__file__).parents[2])]
    run(tmp_path / "whole", build(classes=3, seed=1), KILLED)
    checkpoint = tmp_path / "cut" / "checkpoint.pt"
    for kill in range(2):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "cut"), *paths])
        while process.poll() is None:  # wait for a newer checkpoint, then strike at once
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                break
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"the process ended before kill {kill}"
    run(tmp_path / "cut", build(classes=3, seed=1), KILLED, resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_complete_run_returns_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = run(tmp_path)
    monkeypatch.setattr(training, "_train_epoch", None)
    model = network()
    again = run(tmp_path, model, resume=True)
    assert again.as_dict() == first.as_dict()
    best = torch.load(tmp_path / "best.pth", weights_only=True)
    assert all(torch.equal(best[name], value) for name, value in model.state_dict().items())


def test_without_resume_an_old_run_is_replaced(tmp_path: Path):
    run(tmp_path, settings=replace(QUICK, seed=1))
    run(tmp_path)
    run(tmp_path.with_name("fresh"))
    assert_same(tmp_path, tmp_path.with_name("fresh"))


@pytest.mark.parametrize("complete", [True, False])
def test_another_run_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complete: bool):
    if not complete:
        monkeypatch.setattr(checkpoints.Files, "finish", lambda self: None)
    run(tmp_path)
    monkeypatch.undo()
    file = "history.json" if complete else "checkpoint.pt"
    for other in ({"learning_rate": 0.5}, {"seed": 1}, {"epochs": 9}):
        name, value = next(iter(other.items()))
        found = getattr(QUICK, name)
        message = f"{file}: of another run: expected {name} {value}, found {found}"
        with pytest.raises(InputError, match=message):
            run(tmp_path, settings=replace(QUICK, **other), resume=True)
    with pytest.raises(InputError, match="expected precision bf16, found fp32"):
        run(tmp_path, precision="bf16", resume=True)
    with pytest.raises(InputError, match="the images or first weights differ"):
        run(tmp_path, network(seed=1), resume=True)
    with pytest.raises(InputError, match="the images or first weights differ"):
        run(tmp_path, watch={"test": VAL}, resume=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes | None):
    if content is None:
        torch.save({"history": "{}"}, tmp_path / "checkpoint.pt")
    else:
        (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint.pt: expected a checkpoint .* remove it"):
        run(tmp_path, resume=True)


# --- what can go wrong ---


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
        {"label_smoothing": 1},
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


# --- memory ---


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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="maxrss outlives execve on Linux")
def test_peak_memory_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    held = bytearray(1500 * 2**20)
    held[::4096] = b"x" * len(held[::4096])  # touched, and so resident
    code = "import torch; from in4310.solution.pipeline import peak_memory; print(peak_memory(torch.device('cpu')))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2**26 < int(child.stdout) < len(held)
