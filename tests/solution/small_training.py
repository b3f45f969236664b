"""A training that takes a second, and what it leaves behind, compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from in4310.solution.images import Images, Preprocessing
from in4310.solution.training import History, Settings, train

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
