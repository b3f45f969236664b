"""A ResNet of our own that has the layers of a state dict, and what of it no tensor says."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import product

import torch
from torch import Tensor, nn

from in4310.solution import network
from in4310.submission.state_dicts import Network

GROUPS = (32, 16, 8, 4, 2, 1)
ACTIVATIONS = (
    nn.ReLU,
    nn.Identity,
    nn.GELU,
    nn.Tanh,
    nn.SiLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.Mish,
    nn.Hardswish,
    nn.Sigmoid,
)


def fitting(found: Network, state: Mapping[str, Tensor]) -> nn.Module:
    """A ResNet with the head, the first layer and the norms of a state dict; its numbers are not set."""
    model = copy.deepcopy(_numberless(found.depth, found.outputs))
    with torch.device("meta"):
        _reshape(model, state)
    return model.to_empty(device="cpu")


@cache
def _numberless(depth: int, outputs: int) -> nn.Module:
    """A ResNet for which no number is drawn: its weights are replaced."""
    with torch.device("meta"):
        return network.build(f"resnet{depth}", classes=outputs)


def renumber(model: nn.Module, order: Sequence[int]) -> None:
    """Let output i of a network be what its output order[i] was."""
    last = [m for m in model.fc.modules() if isinstance(m, nn.Linear)][-1]  # type: ignore[union-attr]
    with torch.no_grad():
        last.weight.copy_(last.weight[list(order)].clone())
        last.bias.copy_(last.bias[list(order)].clone())


Setting = Callable[[], None]


def unsaid_of(model: nn.Module) -> list[list[Setting]]:
    """For each thing that no tensor says of a rebuilt network the ways in which it may be, the most usual first."""
    found: list[list[Setting]] = []
    head = model.fc
    if isinstance(head, nn.Sequential):
        places = [i for i, module in enumerate(head) if isinstance(module, nn.ReLU)]
        found += [[partial(_set_all, head, places, kind) for kind in ACTIVATIONS]] if places else []
    stem = model.conv1
    if isinstance(stem, nn.Conv2d) and stem.kernel_size != (7, 7):
        found.append([partial(_set_stem, model, stem, *ways) for ways in product((1, 2), (False, True))])
    if norms := [m for m in model.modules() if isinstance(m, nn.GroupNorm)]:
        found.append([partial(_set_groups, norms, groups) for groups in GROUPS])
    return found


def _set_all(head: nn.Sequential, places: Sequence[int], kind: type[nn.Module]) -> None:
    for place in places:
        head[place] = kind()


def _set_stem(model: nn.Module, stem: nn.Conv2d, stride: int, pooled: bool) -> None:
    stem.stride = (stride, stride)
    model.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else nn.Identity()


def _set_groups(norms: Sequence[nn.GroupNorm], groups: int) -> None:
    for norm in norms:
        norm.num_groups = groups


def _reshape(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a ResNet the head, the first layer and the norms that a state dict has."""
    if any(re.fullmatch(r"fc\.\d+\.weight", n) for n in state):
        model.fc = _head(state)
    if (kernel := state["conv1.weight"].shape[-1]) != 7:
        model.conv1 = nn.Conv2d(3, 64, kernel, padding=kernel // 2, bias=False)
        model.maxpool = nn.Identity()
    if "bn1.running_mean" not in state:
        for parent in [*model.modules()]:
            for name, norm in [*parent.named_children()]:
                if isinstance(norm, nn.BatchNorm2d):
                    setattr(parent, name, nn.GroupNorm(GROUPS[0], norm.num_features))


def _head(state: Mapping[str, Tensor]) -> nn.Sequential:
    """The layers fc.0, fc.1, ... of a state dict: linear ones and norms; ReLU where there is none."""
    layers: dict[int, nn.Module] = {}
    for name, weight in state.items():
        if match := re.fullmatch(r"fc\.(\d+)\.weight", name):
            width, is_batch_norm = weight.shape[0], f"fc.{match[1]}.running_mean" in state
            norm = nn.BatchNorm1d(width) if is_batch_norm else nn.LayerNorm(width)
            layers[int(match[1])] = nn.Linear(weight.shape[1], width) if weight.ndim == 2 else norm
    return nn.Sequential(*[layers.get(i, nn.ReLU()) for i in range(max(layers) + 1)])


def training_memory(model: nn.Module, size: int, batch_size: int) -> int:
    """Bytes for a batch of float32 images (batch_size, 3, size, size): weights, gradients, momentum, kept activations.

    Counted on two images and scaled, as all that is kept grows with the batch. Buffers of the libraries come on top.
    """
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    key = (str(model), weights, size)
    if key not in KEPT:  # a class hands in the same network again and again
        KEPT[key] = _kept(model, size)
    return 3 * weights + KEPT[key] * batch_size // 2


KEPT: dict[tuple[str, int, int], int] = {}


def _kept(model: nn.Module, size: int) -> int:
    """Bytes that the backward pass of two images needs."""
    probe = copy.deepcopy(model).train()
    own = {p.untyped_storage().data_ptr() for p in [*probe.parameters(), *probe.buffers()]}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        # An output that its own node holds as it is would keep network and graph for ever.
        return tensor.detach()

    device = next(probe.parameters()).device
    images = torch.zeros(2, 3, size, size, device=device)
    # What is kept stays alive until the loss goes out of scope, so that no address is counted twice.
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.enable_grad():
        loss = probe(images).sum()
    del loss
    return sum(kept.values())
