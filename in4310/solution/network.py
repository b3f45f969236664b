"""torchvision's ResNets with six outputs: from scratch, from ImageNet weights, or from a file (task 1d)."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from in4310.errors import InputError

NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
WRAPPERS = ("state_dict", "model_state_dict", "model")
_BLOCKS = {  # blocks in layer1 to layer4, as in table 1 of He et al. 2015, and whether they are bottlenecks
    (2, 2, 2, 2, False): "resnet18",
    (3, 4, 6, 3, False): "resnet34",
    (3, 4, 6, 3, True): "resnet50",
    (3, 4, 23, 3, True): "resnet101",
    (3, 8, 36, 3, True): "resnet152",
}


def build(
    name: str = "resnet18", classes: int = 6, weights: str | Path = "none", seed: int | None = None
) -> nn.Module:
    """Return a ResNet with `classes` outputs (1d).

    `weights`: 'none' (He initialisation), 'imagenet' (torchvision's IMAGENET1K_V1, last layer new), or the
    path of a .pth, .pt or .safetensors file; one with another number of outputs is a start for fine-tuning:
    its last layer is left out. `seed` fixes the initialisation without touching torch's global generator.
    Raises InputError for an unknown name, weights that cannot be had, and weights of another network.
    """
    from torchvision import models  # takes longer to import than torch, and much here builds no network

    if name not in NAMES:
        raise InputError(f"network {name!r}: expected one of {', '.join(NAMES)}; choose one of these")
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        model: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    if str(weights) == "none":
        return model
    state = _imagenet(name) if str(weights) == "imagenet" else read_weights(weights)
    source = f"weights {weights}" if str(weights) == "imagenet" else str(weights)
    own = model.state_dict()
    if "fc.weight" in state and state["fc.weight"].shape != own["fc.weight"].shape:
        state = {**state, "fc.weight": own["fc.weight"], "fc.bias": own["fc.bias"]}
    _load(model, state, source)
    return model


def folded(model: nn.Module) -> nn.Module:
    """Return a copy for evaluation, each batch norm of a ResNet folded into the convolution before it.

    With fixed statistics a batch norm is one more scale and shift (torch's `fuse_conv_bn_eval`): same outputs but for
    rounding, one pass over the feature maps less. Modules of another kind or name stay as they are.
    """
    copy = deepcopy(model).eval()
    for parent in list(copy.modules()):
        for name, norm in list(parent.named_children()):
            before = str(int(name) - 1) if name.isdigit() else "conv" + name.removeprefix("bn")
            convolution = getattr(parent, before, None)
            if isinstance(norm, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
                setattr(parent, before, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, name, nn.Identity())
    return copy


def load_into(model: nn.Module, path: str | Path) -> nn.Module:
    """Load the weights of a file into the model, every tensor of the very name and shape (for evaluation)."""
    _load(model, read_weights(path), str(path))
    return model


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a weights file on the CPU, by name, without running any code that it holds.

    'module.' (DataParallel) is taken off the names; a dict around the weights (state_dict, model_state_dict,
    model) is taken off. Raises InputError for a missing, damaged or pickled-object file.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise InputError(
            f"{path}: expected a weights file (.pth, .pt, .safetensors), found {found}; check the path"
        )
    try:
        if path.suffix.lower() == ".safetensors":
            content: Any = load_file(path)
        else:
            with warnings.catch_warnings():  # torch remarks on pickles that it then refuses
                warnings.simplefilter("ignore")
                content = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: expected tensors only, found pickled objects or a damaged file;"
            " save model.state_dict(), not the model"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{path}: expected a weights file, found one that cannot be read ({reason})"
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(
            f"{path}: expected names and tensors, found {_described(content)}; save model.state_dict()"
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _described(content: Any) -> str:
    if not isinstance(content, Mapping):
        return type(content).__name__
    odd = next(name for name, value in content.items() if not isinstance(value, Tensor))
    return f"{odd!r} of type {type(content[odd]).__name__}"


def _imagenet(name: str) -> dict[str, Tensor]:
    """Return torchvision's ImageNet weights, from torch's hub cache or the network."""
    from torchvision import models

    # V1 for every depth: .DEFAULT is V2 from ResNet-50 on, which was trained for another preprocessing.
    weights = models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network; or a download whose hash is wrong
        file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        raise InputError(
            f"weights 'imagenet': {weights.url} cannot be downloaded ({' '.join(str(error).split())[:80]});"
            f" put the file at {file}, or give its path as the weights"
        ) from error


def _load(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load after comparing names and shapes, so that the error says in one line what differs."""
    own = model.state_dict()
    # Counters that old files lack; evaluation and training with a fixed momentum never read them.
    counters = {name: own[name] for name in own.keys() - state.keys() if name.endswith("num_batches_tracked")}
    looks = guess(state)
    state = {**counters, **state}
    wrong = [
        f"{name}: expected {_size(own[name])}, found {_size(state[name]) if name in state else 'none'}"
        for name in own
        if name not in state or state[name].shape != own[name].shape
    ]
    wrong += [f"{name}: not expected, found {_size(state[name])}" for name in state if name not in own]
    if wrong:
        hint = f"it looks like a {looks}; choose that network" if looks else "it is not a torchvision ResNet"
        raise InputError(
            f"{source}: weights of another network; {wrong[0]} (and {len(wrong) - 1} more); {hint}"
        )
    model.load_state_dict(state)


def guess(state: Mapping[str, Tensor]) -> str | None:
    """Return which torchvision ResNet a state dict looks like, with its number of outputs, or None."""
    blocks = (
        len({name.split(".")[1] for name in state if name.startswith(f"layer{layer}.")})
        for layer in (1, 2, 3, 4)
    )
    name = _BLOCKS.get((*blocks, "layer1.0.conv3.weight" in state))  # type: ignore[arg-type]
    if name is None:
        return None
    return (
        f"{name} with {len(state['fc.weight'])} outputs"
        if "fc.weight" in state
        else f"{name} without its last layer"
    )


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table: module, shape of its output for one image, number of its parameters."""

    name: str
    shape: tuple[int, ...]
    parameters: int


def layer_table(model: nn.Module, size: int = 224) -> list[LayerRow]:
    """Return the network's outermost modules with output shapes for one image of `size` pixels (1d)."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        return lambda module, inputs, output: shapes.__setitem__(name, tuple(output.shape))

    hooks = [module.register_forward_hook(note(name)) for name, module in model.named_children()]
    training, device = model.training, next(model.parameters()).device
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, size, size, device=device))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return [
        LayerRow(name, shapes[name], sum(parameter.numel() for parameter in module.parameters()))
        for name, module in model.named_children()
        if name in shapes
    ]
