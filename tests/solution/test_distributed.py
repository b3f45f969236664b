from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from solution.small_training import TINY, coloured
from torch import nn

from in4310.solution import training
from in4310.solution.engine import distributed
from in4310.solution.engine.distributed import share
from in4310.solution.scores import predict
from in4310.solution.training import Settings, train

# 47 images: no batch and no set divides evenly between two processes.
STEADY = Settings(learning_rate=0.05, epochs=2, batch_size=16, freeze_batch_norm=True)


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 3),
        )


def run(folder: Path, settings: Settings, **options: object) -> None:
    """Train, then predict one image (fewer than processes); every process says what it holds."""
    val = coloured(25, 2)
    model = network()
    history = train(model, coloured(47, 1), val, TINY, settings, folder, precision="fp32", **options)
    scores = predict(model, val, TINY)
    one = predict(model, val.subset(val.paths[:1]), TINY)
    report = {"history": history.as_dict(), "scores": scores.tolist(), "one": one.tolist()}
    folder.with_name(f"{folder.name}-{distributed.rank()}.json").write_text(json.dumps(report))
    distributed.leave()  # together, as a whole run does: one that ends while the other still talks to it may be aborted


def run_two(folder: Path, settings: Settings, options: str = "") -> list[dict]:
    """Run in two gloo processes, as torchrun starts them; return what each reported."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import torch; torch.set_num_threads(1)\n"
        "import test_distributed as t; from pathlib import Path\n"
        f"t.run(Path(sys.argv[1]), t.{settings!r} {options})"
    )
    paths = [
        str(Path(__file__).parent),
        str(Path(__file__).parents[1]),
        str(Path(training.__file__).parents[2]),
    ]
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), *paths],
            env={**os.environ, **environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    if any(process.returncode for process in processes):
        raise AssertionError("\n".join(errors))
    return [json.loads(folder.with_name(f"{folder.name}-{rank}.json").read_text()) for rank in range(2)]


@given(rows=st.integers(0, 500), parts=st.integers(1, 40))
def test_shares_are_numpys_array_split(rows: int, parts: int):
    expected = np.array_split(np.arange(rows), parts)
    for part in range(parts):
        assert np.arange(rows)[share(rows, part, parts)].tolist() == expected[part].tolist()


def test_one_process_needs_no_group():
    assert distributed.setup("cpu") == torch.device("cpu")
    assert (distributed.count(), distributed.rank(), distributed.is_main()) == (1, 0, True)
    own = torch.arange(3)
    assert distributed.gather(own, 3) is own


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path):
    """Batch-norm statistics frozen: the same losses and weights as one process, to float tolerance."""
    run(tmp_path / "one", STEADY)
    one = json.loads((tmp_path / "one-0.json").read_text())
    first, second = run_two(tmp_path / "two", STEADY)
    assert timeless(first) == timeless(second), "the processes disagree"
    for expected, found in zip(one["history"]["epochs"], first["history"]["epochs"], strict=True):
        for name in ("train_loss", "val_loss", "train_map", "val_map", "train_accuracy", "val_accuracy"):
            assert found[name] == pytest.approx(expected[name], rel=1e-5), name
    np.testing.assert_allclose(first["scores"], one["scores"], atol=1e-5)
    np.testing.assert_allclose(first["one"], one["one"], atol=1e-5)
    weights = [torch.load(tmp_path / name / "best.pth", weights_only=True) for name in ("one", "two")]
    for name in weights[0]:
        torch.testing.assert_close(weights[0][name], weights[1][name], rtol=1e-4, atol=1e-6)
    assert sorted(file.name for file in (tmp_path / "two").iterdir()) == ["best.pth", "history.json"]


@pytest.mark.slow
def test_two_processes_with_live_batch_norm_learn_as_well_and_resume(tmp_path: Path):
    settings = replace(STEADY, freeze_batch_norm=False, epochs=6, learning_rate=0.1)
    run(tmp_path / "one", settings)
    one = json.loads((tmp_path / "one-0.json").read_text())
    first, second = run_two(tmp_path / "two", settings)
    assert timeless(first) == timeless(second)
    assert (
        first["history"]["epochs"][-1]["val_accuracy"] >= one["history"]["epochs"][-1]["val_accuracy"] - 0.1
    )
    again = run_two(tmp_path / "two", settings, ", resume=True")
    assert again[0]["history"] == first["history"], "a complete run was not taken as it is"
    np.testing.assert_allclose(again[1]["scores"], first["scores"], atol=1e-6)


def timeless(report: dict) -> dict:
    """A report without the seconds, which each process measures for itself."""
    epochs = [
        {k: v for k, v in epoch.items() if not k.endswith("seconds")} for epoch in report["history"]["epochs"]
    ]
    return {**report, "history": {**report["history"], "epochs": epochs}}
