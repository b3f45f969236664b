"""A run that was stopped, killed or completed goes on to the very same numbers, and no other run is taken for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from solution.small_training import KILLED, QUICK, VAL, assert_same, network, run

from in4310.errors import InputError
from in4310.solution import training
from in4310.solution.engine import checkpoints
from in4310.solution.network import build

pytestmark = pytest.mark.usefixtures("one_thread")


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
        "from pathlib import Path; import torch; from solution import small_training as t\n"
        "from in4310.solution.network import build; torch.set_num_threads(1)\n"
        "t.run(Path(sys.argv[1]), build(classes=3, seed=1), t.KILLED, resume=True)"
    )
    paths = [str(Path(__file__).parents[1]), str(Path(training.__file__).parents[2])]
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
