"""A ResNet's weights under anybody's names, brought to torchvision's: by name where known, else by order and shape.

Known are torchvision's own names, those of the course's own ResNet (`stage1` to `stage4`), Hugging Face's
(`resnet.embedder...`), prefixes of wrappers (`module.`, `model.`, Lightning), and checkpoints with more in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

DEPTHS = {  # blocks a stage, and whether they are bottlenecks: He et al. 2015, table 1
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
HEAD = 4  # linear layers at most
KERNELS = (3, 5, 7)  # of the first convolution; the small ones are of networks for small images
Shape = tuple[int, ...]
_PREFIX = re.compile(
    r"(_orig_mod|module|model|net|network|backbone|resnet|base_model|base|cnn|encoder(?=\.conv1))\."
)
_NOT_WEIGHTS = re.compile(r"optim|momentum|exp_avg|scheduler|(^|\.)(ema|swa)_?n_averaged", re.IGNORECASE)
_NORM = ("weight", "bias", "running_mean", "running_var")
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Hugging Face: transformers' ResNetForImageClassification
        (r"^embedder\.embedder\.convolution\.", "conv1."),
        (r"^embedder\.embedder\.normalization\.", "bn1."),
        (r"^encoder\.stages\.", "stages."),
        (r"\.layers\.(\d+)\.", r".\1."),
        (r"\.shortcut\.convolution\.", ".downsample.0."),
        (r"\.shortcut\.normalization\.", ".downsample.1."),
        # stems
        (r"^(stem|conv1|layer0|stage0|init|input|prep)\.(conv1?|0)\.", "conv1."),
        (r"^(stem|conv1|layer0|stage0|init|input|prep|bn1)\.(bn1?|norm1?|1)\.", "bn1."),
        (r"^(conv_1|conv0|conv|first_conv|conv_in|stem_conv|stem)\.(?=weight|bias)", "conv1."),
        (r"^(bn_1|bn0|bn|norm1|norm|first_bn|stem_bn)\.(?=weight|bias|running)", "bn1."),
        # stages and blocks
        (r"^(stage|block|group|conv|layers?)_?(\d)(_x)?\.(blocks?\.)?(?=\d)", r"layer\2."),
        (r"\.(shortcut|skip|skip_connection|projection|proj|identity|identity_downsample|residual|down|downsample)\."
         r"(conv|0)\.", ".downsample.0."),
        (r"\.(shortcut|skip|skip_connection|projection|proj|identity|identity_downsample|residual|down|downsample)\."
         r"(bn|norm|1)\.", ".downsample.1."),
        (r"\.norm(\d)\.", r".bn\1."),
        (r"\.conv_(\d)\.", r".conv\1."),
        (r"\.bn_(\d)\.", r".bn\1."),
        # heads
        (r"^(classifier|head|linear|last_linear|output|out|fc|fc1|dense)\.(\d+\.|fc\.|linear\.)?(?=weight|bias)",
         "fc."),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A ResNet found in a file: `names` maps torchvision's names to the file's; `how` says what they were."""

    depth: int
    outputs: int
    names: Mapping[str, str]
    how: str


def find_networks(shapes: Mapping[str, Shape]) -> list[Network]:
    """The ResNets among the tensors of a file, by name and shape; [] when there is none.

    `shapes`: name -> shape, in the order of the file; names of nested dicts joined by dots.
    """
    usable = _without_parametrizations({n: s for n, s in shapes.items() if not _NOT_WEIGHTS.search(n)})
    found: list[Network] = []
    taken: set[str] = set()
    for stem in [n for n, s in usable.items() if len(s) == 4 and s[1] == 3]:
        if stem in taken:
            continue
        for prefix in _ancestors(stem):
            inside = {n[len(prefix) :]: s for n, s in usable.items() if n.startswith(prefix)}
            network = _match(inside, prefix)
            if network is not None:
                network = _continued(network, prefix, usable)
                found.append(network)
                taken.update(network.names.values())
                break
    return found


def _without_parametrizations(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes in which a weight that stands in parts, of weight_norm or spectral_norm, is one: see `_whole`."""
    found: dict[str, Shape] = {}
    for name, shape in shapes.items():
        layer, mark, part = name.rpartition(".parametrizations.weight.") if ".param" in name else ("", "", "")
        old, _, end = name.rpartition(".weight_")
        if mark and part in ("original", "original1"):
            found[f"{layer}.weight"] = shape
        elif old and (end == "orig" or (end == "v" and f"{old}.weight_g" in shapes)):
            found[f"{old}.weight"] = shape
        elif not mark and not (old and end in ("u", "v", "g")):
            found[name] = shape
    return found


def _whole(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """A weight, put together where it stands in parts."""
    if name in tensors:
        return tensors[name]
    layer = name.removesuffix(".weight")
    new = f"{layer}.parametrizations.weight."
    if (length := tensors.get(f"{new}original0", tensors.get(f"{layer}.weight_g"))) is not None:
        direction = tensors.get(f"{new}original1", tensors.get(f"{layer}.weight_v"))
        assert direction is not None
        return direction.float() * (length.float() / direction.float().flatten(1).norm(dim=1).view_as(length))
    if (weight := tensors.get(f"{new}original")) is not None:
        left, right = tensors[f"{new}0._u"], tensors[f"{new}0._v"]
    else:
        weight, left, right = (tensors[f"{layer}.weight_{part}"] for part in ("orig", "u", "v"))
    return weight.float() / (left.float() @ weight.float().flatten(1) @ right.float())


def _continued(network: Network, prefix: str, usable: Mapping[str, Shape]) -> Network:
    """With the one linear layer that takes its outputs, where a 'head' stands beside a whole 'backbone'."""
    outer = "".join(f"{part}." for part in prefix.split(".")[:-2])
    beside = {n: s for n, s in usable.items() if n.startswith(outer) and not n.startswith(prefix)}
    behind = [
        n for n, s in beside.items() if len(s) == 2 and n.endswith(".weight") and s[1] == network.outputs
    ]
    if not prefix or "fc.weight" not in network.names or len(behind) != 1:
        return network
    layer = behind[0].removesuffix(".weight")
    if any(not n.startswith(f"{layer}.") for n, s in beside.items() if len(s) > 1):
        return network
    names = {n.replace("fc.", "fc.0."): theirs for n, theirs in network.names.items()}
    names |= {f"fc.2.{part}": f"{layer}.{part}" for part in _NORM[:2] if f"{layer}.{part}" in usable}
    return Network(network.depth, usable[behind[0]][0], names, f"{network.how}, and a layer behind it")


def _ancestors(name: str) -> Iterable[str]:
    """'a.b.conv1.weight' -> 'a.b.conv1.', 'a.b.', 'a.', ''."""
    parts = name.split(".")
    for i in range(len(parts) - 1, -1, -1):
        yield "".join(f"{part}." for part in parts[:i])


def _match(inside: Mapping[str, Shape], prefix: str) -> Network | None:
    layers = _layers_of_head(inside)
    if layers and (found := _with_head(inside, prefix, layers)):
        return found
    return (
        _by_name(inside, {name: name for name in inside}, prefix, "torchvision's names")
        or _by_name(inside, _translated(inside), prefix, "other names for torchvision's layers")
        or _by_order(inside, prefix)
    )


def _layers_of_head(inside: Mapping[str, Shape]) -> list[str]:
    """Names of the layers of a head in their order, linear ones and norms; [] where one linear layer is all of it."""
    linear = [n.removesuffix(".weight") for n, s in inside.items() if len(s) == 2 and n.endswith(".weight")]
    parents = {layer.rpartition(".")[0] for layer in linear}
    if not 1 <= len(linear) <= HEAD or len(parents) > 1:
        return []
    (parent,) = parents
    norms = [n.removesuffix(".weight") for n, s in inside.items() if parent and len(s) == 1
             and re.fullmatch(re.escape(parent) + r"\.\d{1,3}\.weight", n)]  # fmt: skip
    layers = [n.removesuffix(".weight") for n in inside if n.removesuffix(".weight") in {*linear, *norms}]
    layers = list(dict.fromkeys(layers))
    if norms and not all(layer.rpartition(".")[2].isdecimal() for layer in layers):
        return []
    shapes = [inside[f"{layer}.weight"] for layer in layers]
    # What one puts out the next takes; a norm keeps its width.
    follow = all(behind[-1] == before[0] for before, behind in pairwise(shapes))
    whole = all(f"{layer}.bias" in inside for layer in layers if layer not in linear)
    return layers if len(layers) > 1 and layers[-1] in linear and follow and whole else []


def _with_head(inside: Mapping[str, Shape], prefix: str, layers: Sequence[str]) -> Network | None:
    """A ResNet whose last layer is several: found as if they were one, and named as those of an nn.Sequential."""
    parts = {layer: _parts(inside, layer) for layer in layers}
    own = {f"{layer}.{part}" for layer in layers for part in parts[layer]}
    outputs, width = inside[f"{layers[-1]}.weight"][0], inside[f"{layers[0]}.weight"][-1]
    name = layers[0].rpartition(".")[0] or "fc"
    counters = {f"{layer}.num_batches_tracked" for layer in layers}
    if any(n.startswith(f"{name}.") and n not in own | counters for n in inside):
        return None  # something that would not be rebuilt
    one = {f"{name}.weight": (outputs, width), f"{name}.bias": (outputs,)}
    rest = {n: s for n, s in inside.items() if n not in own | counters}
    found = _match(rest | one, prefix)
    if found is None:
        return None
    names = {n: theirs for n, theirs in found.names.items() if not n.startswith("fc.")}
    for place, layer in zip(_places(inside, layers), layers, strict=True):
        names |= {f"fc.{place}.{part}": f"{prefix}{layer}.{part}" for part in parts[layer]}
    how = f"{found.how}, a head of {len(layers)} layers; between them what gives the scores, or ReLU"
    return Network(found.depth, found.outputs, names, how)


def _parts(inside: Mapping[str, Shape], layer: str) -> Sequence[str]:
    """The tensors of a layer: those of a batch norm where it has its statistics; a linear one may lack its bias."""
    return [part for part in _NORM if f"{layer}.{part}" in inside]


def _places(inside: Mapping[str, Shape], layers: Sequence[str]) -> list[int]:
    """Places of a head's layers in an nn.Sequential, in which a ReLU takes each place between that is left."""
    # A ReLU stands before each linear layer but the first; before a norm, where that is next to the linear layer. Where
    # there are norms, numbers that follow each other leave no place for one.
    normed = any(len(inside[f"{layer}.weight"]) == 1 for layer in layers)
    numbers = [int(layer.rpartition(".")[2]) if normed else 2 * i for i, layer in enumerate(layers)]
    places, last, behind = [], -1, False  # behind: a linear layer, without a ReLU since
    for i, layer in enumerate(layers):
        norm = len(inside[f"{layer}.weight"]) == 1
        room = behind and numbers[i] - numbers[i - 1] > 1
        relu = room and (not norm or numbers[i + 1] == numbers[i] + 1)
        last += 2 if relu else 1
        behind = (behind and not relu) if norm else True
        places.append(last)
    return places


def _translated(inside: Mapping[str, Shape]) -> dict[str, str]:
    """torchvision's name, as far as the rules give one -> the name inside."""
    names: dict[str, str] = {}
    zero_based = any(re.search(r"(^|\.)stages\.0\.", n) for n in inside)
    for name in inside:
        new = name
        while match := _PREFIX.match(new):
            new = new[match.end() :]
        for pattern, replacement in _RULES:
            new = pattern.sub(replacement, new)
        new = re.sub(r"^stages\.(\d)\.", lambda m: f"layer{int(m[1]) + zero_based}.", new)
        new = re.sub(r"\.layer\.(\d)\.convolution\.", lambda m: f".conv{int(m[1]) + 1}.", new)
        new = re.sub(r"\.layer\.(\d)\.normalization\.", lambda m: f".bn{int(m[1]) + 1}.", new)
        if new in names:
            return {}  # two tensors under one name: the rules do not fit this file
        names[new] = name
    return names


def _by_name(inside: Mapping[str, Shape], names: Mapping[str, str], prefix: str, how: str) -> Network | None:
    if "fc.weight" not in names or len(inside[names["fc.weight"]]) != 2:
        return None
    outputs, width = inside[names["fc.weight"]]
    stem = inside.get(names.get("conv1.weight", ""), ())
    kernel = stem[-1] if len(stem) == 4 and stem[-1] in KERNELS else 7
    statistics = any(n.endswith("running_mean") for n in names)
    for depth in DEPTHS:
        expected = layer_shapes(depth, outputs, kernel, statistics)
        if "fc.bias" not in names:
            del expected["fc.bias"]
        if expected["fc.weight"] != (outputs, width):
            continue
        # The layers of a smaller ResNet are all in a larger one: their number must agree too.
        if sum(len(s) == 4 for s in expected.values()) != sum(len(s) == 4 for s in inside.values()):
            continue
        if all(name in names and tuple(inside[names[name]]) == shape for name, shape in expected.items()):
            chosen = {name: prefix + names[name] for name in expected}
            how += f", inside '{prefix[:-1]}'" if prefix else ""
            how += f", a first layer of {kernel} x {kernel}" if kernel != 7 else ""
            how += "" if statistics else ", norms without statistics, taken for GroupNorm"
            return Network(depth, outputs, chosen, how)
    return None


def _by_order(inside: Mapping[str, Shape], prefix: str) -> Network | None:
    """Layers in the order of registration: 3 x 3 convolutions in order, projections in order, each with its norm."""
    convolutions = [n for n, s in inside.items() if len(s) == 4]
    scales = [n for n, s in inside.items() if len(s) == 1 and n.endswith("running_mean")]
    linear = [n for n, s in inside.items() if len(s) == 2]
    if len(linear) != 1 or len(convolutions) != len(scales):
        return None
    outputs = inside[linear[0]][0]
    bias = linear[0].removesuffix("weight") + "bias"
    last = {"fc.weight": linear[0]} | ({"fc.bias": bias} if bias in inside else {})
    for depth, (_, bottleneck) in DEPTHS.items():
        layers = [n.removesuffix(".weight") for n, s in layer_shapes(depth, outputs).items() if len(s) == 4]
        if len(layers) == len(convolutions) and not bottleneck:  # there 1 x 1 kernels are everywhere: a guess
            names = _in_order(layers, convolutions, scales, inside) | last
            if all(n in inside for n in names.values()):
                return _by_name(inside, names, prefix, "foreign names, matched by order and shape")
    return None


def _in_order(
    layers: Iterable[str], convolutions: Iterable[str], scales: Iterable[str], inside: Mapping[str, Shape]
) -> dict[str, str]:
    """torchvision's name -> the file's: a 1 x 1 kernel is the next projection, any other the next convolution."""
    names: dict[str, str] = {}
    sides, mains = (iter([n for n in layers if ("downsample" in n) is side]) for side in (True, False))
    for convolution, scale in zip(convolutions, scales, strict=True):
        projection = tuple(inside[convolution][2:]) == (1, 1)
        layer = next(sides if projection else mains, None)
        if layer is None:
            break
        norm = layer.removesuffix(".0") + ".1" if projection else layer.replace("conv", "bn")
        names[f"{layer}.weight"] = convolution
        names |= {f"{norm}.{part}": scale.removesuffix("running_mean") + part for part in _NORM}
    return names


def layer_shapes(depth: int, outputs: int, kernel: int = 7, statistics: bool = True) -> dict[str, Shape]:
    """torchvision's names and shapes of a ResNet's tensors, batch-norm counters left out.

    `kernel`: of the first convolution; without `statistics` its norms have none, as GroupNorm.
    """
    parts = _NORM if statistics else _NORM[:2]
    blocks, bottleneck = DEPTHS[depth]
    shapes: dict[str, Shape] = {}

    def layer(conv: str, norm: str, out: int, into: int, kernel: int) -> None:
        shapes[f"{conv}.weight"] = (out, into, kernel, kernel)
        shapes.update({f"{norm}.{part}": (out,) for part in parts})

    layer("conv1", "bn1", 64, 3, kernel)
    into = 64
    for stage, count in enumerate(blocks, 1):
        width = 64 * 2 ** (stage - 1)
        out = width * 4 if bottleneck else width
        for block in range(count):
            name = f"layer{stage}.{block}"
            if bottleneck:
                layer(f"{name}.conv1", f"{name}.bn1", width, into, 1)
                layer(f"{name}.conv2", f"{name}.bn2", width, width, 3)
                layer(f"{name}.conv3", f"{name}.bn3", out, width, 1)
            else:
                layer(f"{name}.conv1", f"{name}.bn1", width, into, 3)
                layer(f"{name}.conv2", f"{name}.bn2", out, width, 3)
            if into != out:
                layer(f"{name}.downsample.0", f"{name}.downsample.1", out, into, 1)
            into = out
    shapes["fc.weight"] = (outputs, into)
    shapes["fc.bias"] = (outputs,)
    return shapes


def translate(network: Network, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of a network in torchvision's names, float32, real copies where the type differs."""
    state = {name: _whole(tensors, theirs).float() for name, theirs in network.names.items()}
    linear = [n.removesuffix("weight") for n, t in state.items() if n.startswith("fc.") and t.ndim == 2]
    lacking = {f"{n}bias": state[f"{n}weight"].new_zeros(len(state[f"{n}weight"])) for n in linear}
    return lacking | state


def describe(shapes: Mapping[str, Shape]) -> str:
    """What a file holds instead of a ResNet, in a few words."""
    linear = [f"{n} {'x'.join(map(str, s))}" for n, s in shapes.items() if len(s) == 2]
    kernels = sum(len(s) == 4 for s in shapes.values())
    last = f", last linear layer {linear[-1]}" if linear else ""
    return f"{len(shapes)} tensors, {kernels} convolutions{last}"
