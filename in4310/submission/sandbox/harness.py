"""What a function of a submission is given to work on: a small network, batches, an image; and its parameters by role.

The judge builds the same network from the same weights, and knows what comes out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from in4310.submission.sandbox.notebooks import Refused

CHANNELS = 6
MODULES = ("conv1", "bn1", "layer1.bn1", "layer1.bn2", "layer1")
# A parameter is known by a word in its name; the first that fits counts: 'loss_fn', 'train_loader', 'layer_names'.
ROLES = {
    "loader": ("loader", "batches", "dataset"),
    "criterion": ("crit", "loss"),
    "optimizer": ("opt",),
    "device": ("device",),
    "modules": ("module", "layer", "name"),
    "model": ("model", "net"),
}


class Block(nn.Module):
    """A residual block as torchvision has it: the sum and the last ReLU overwrite the second batch-norm's output."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        out: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x
        return self.relu(out)


class SmallNetwork(nn.Module):
    """A residual network of one block for float32 images (N, 3, H, W), with logits (N, classes)."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = Block(CHANNELS)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(CHANNELS, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        x = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def small_network(state: Mapping[str, np.ndarray]) -> SmallNetwork:
    """The network with these weights, in eval mode."""
    model = SmallNetwork(len(state["fc.bias"]))
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    return model.eval()


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Its state dict as arrays."""
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


class Batch(tuple[Tensor, Tensor]):
    """Images (N, 3, H, W) and labels (N,), to be unpacked, or asked for by the names in use: batch['image']."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return tuple.__getitem__(
                self, 1 if key.lower() in ("label", "labels", "target", "targets", "y") else 0
            )
        return tuple.__getitem__(self, key)


class Loader:
    """Batches in a fixed order, the last one short; `len` counts batches, `len(loader.dataset)` images."""

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int):
        self.dataset = torch.utils.data.TensorDataset(images, labels)
        self.batch_size = batch_size
        self._batches = [
            Batch((images[i : i + batch_size], labels[i : i + batch_size]))
            for i in range(0, len(images), batch_size)
        ]

    def __iter__(self) -> Iterator[Batch]:
        return iter([Batch((x.clone(), y.clone())) for x, y in self._batches])

    def __len__(self) -> int:
        return len(self._batches)


def arguments_for(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for a function, each parameter by its role. Raises Refused for one that has none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Refused(f"the parameters of {getattr(function, '__name__', 'it')} cannot be read") from None
    found: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = parameter.name.lower()
        role = next((r for r, words in ROLES.items() if r in offered and any(w in name for w in words)), None)
        if role is not None:
            found[parameter.name] = offered[role]
        elif parameter.default is parameter.empty:
            raise Refused(
                f"its parameter {parameter.name!r} is none of {', '.join(offered)}: give it a default"
            )
    return found
