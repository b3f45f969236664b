"""A ResNet is known by its tensors, whatever they are called."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission.state_dicts import DEPTHS, find_networks, layer_shapes


def hugging_face(name, bottleneck):
    name = re.sub(r"^conv1\.", "resnet.embedder.embedder.convolution.", name)
    name = re.sub(r"^bn1\.", "resnet.embedder.embedder.normalization.", name)
    name = re.sub(r"^fc\.", "classifier.1.", name)
    name = re.sub(
        r"^layer(\d)\.(\d+)\.", lambda m: f"resnet.encoder.stages.{int(m[1]) - 1}.layers.{m[2]}.", name
    )
    name = re.sub(r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution.", name)
    name = re.sub(r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization.", name)
    return name.replace(".downsample.0.", ".shortcut.convolution.").replace(
        ".downsample.1.", ".shortcut.normalization."
    )


NAMINGS = {
    "torchvision": lambda n, b: n,
    "data parallel": lambda n, b: f"module.{n}",
    "lightning": lambda n, b: f"state_dict.model.{n}",
    "wrapped": lambda n, b: f"model_state_dict.{n}",
    "compiled": lambda n, b: f"_orig_mod.module.{n}",
    "course": lambda n, b: n.replace("layer", "stage"),
    "course with shortcut": lambda n, b: n.replace("layer", "stage").replace("downsample", "shortcut"),
    "backbone and head": lambda n, b: n.replace("fc.", "head.") if n.startswith("fc") else f"backbone.{n}",
    "sequential head": lambda n, b: n.replace("fc.", "fc.1."),
    "hugging face": hugging_face,
}


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_names_of_every_depth(naming, depth):
    bottleneck = DEPTHS[depth][1]
    right = {NAMINGS[naming](n, bottleneck): n for n in layer_shapes(depth, 6)}
    shapes = {theirs: layer_shapes(depth, 6)[own] for theirs, own in right.items()}
    shapes |= {"optimizer.state.0.momentum_buffer": (64, 3, 7, 7), "epoch": ()}
    (found,) = find_networks(shapes)
    assert (found.depth, found.outputs) == (depth, 6)
    assert {theirs: own for own, theirs in found.names.items()} == right


@pytest.mark.parametrize("depth", [18, 34])
def test_foreign_names_are_matched_by_order_and_shape(depth):
    shapes = layer_shapes(depth, 6)
    names = {own: f"blob_{i}.{own.rpartition('.')[2]}" for i, own in enumerate(shapes)}
    layers = {}
    for own in shapes:  # tensors of one layer share a name, as they do in every module
        names[own] = f"blob{layers.setdefault(own.rpartition('.')[0], len(layers))}.{own.rpartition('.')[2]}"
    (found,) = find_networks({names[own]: shape for own, shape in shapes.items()})
    assert found.depth == depth
    assert found.names == names
    assert "order" in found.how


def test_the_projection_may_be_registered_before_the_block():
    shapes = layer_shapes(18, 6)
    blocks = [n.split(".")[:2] for n in shapes]
    order = sorted(shapes, key=lambda n: (blocks.index(n.split(".")[:2]), "downsample" not in n))
    renamed = {f"x.{n.replace('layer', 'part_').replace('downsample', 'a')}": shapes[n] for n in order}
    (found,) = find_networks(renamed)
    assert all(renamed[theirs] == shapes[own] for own, theirs in found.names.items())
    assert all(("a" in theirs.split(".")) == ("downsample" in own) for own, theirs in found.names.items())


def test_two_networks_in_one_file_are_both_found():
    shapes = {f"best.{n}": s for n, s in layer_shapes(18, 6).items()}
    shapes |= {f"last.{n}": s for n, s in layer_shapes(18, 6).items()}
    assert [next(iter(n.names.values())).split(".")[0] for n in find_networks(shapes)] == ["best", "last"]


HEADS = {
    "sequential": lambda i: f"fc.{3 * i}",
    "classifier": lambda i: f"classifier.{2 * i + 1}",
    "of a wrapper": lambda i: f"head.fc{i + 1}",
    "beside the network": lambda i: f"fc{i + 1}",
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("hidden", [(128,), (256, 64)])
def test_a_head_of_several_layers(head, prefix, depth, hidden):
    shapes = {n: s for n, s in layer_shapes(depth, 6).items() if not n.startswith("fc.")}
    widths = (layer_shapes(depth, 6)["fc.weight"][1], *hidden, 6)
    for i, (before, behind) in enumerate(pairwise(widths)):
        shapes |= {f"{HEADS[head](i)}.weight": (behind, before), f"{HEADS[head](i)}.bias": (behind,)}
    shapes = {prefix + n: s for n, s in shapes.items()}
    (found,) = find_networks(shapes)
    assert (found.depth, found.outputs) == (depth, 6)
    assert set(found.names.values()) == set(shapes)
    assert [found.names[f"fc.{2 * i}.weight"] for i in range(len(widths) - 1)] == [
        f"{prefix}{HEADS[head](i)}.weight" for i in range(len(widths) - 1)
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda shapes: shapes.update({"fc.1.running_mean": (128,)}),  # a norm between
        lambda shapes: shapes.update({"fc.2.weight": (6, 100)}),  # they do not follow
        lambda shapes: shapes.update({"fc.1.weight": (128,)}),  # a norm without its bias
    ],
)
def test_a_head_that_cannot_be_rebuilt_is_none(change):
    shapes = {n: s for n, s in layer_shapes(18, 6).items() if not n.startswith("fc.")}
    shapes |= {"fc.0.weight": (128, 512), "fc.0.bias": (128,), "fc.2.weight": (6, 128), "fc.2.bias": (6,)}
    assert find_networks(shapes)
    change(shapes)
    assert find_networks(shapes) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda shapes: shapes.pop("layer3.1.bn2.running_var"),
        lambda shapes: shapes.update({"layer1.0.conv1.weight": (64, 64, 5, 5)}),
        lambda shapes: shapes.update({"fc.weight": (6, 100)}),
        lambda shapes: [shapes.pop(n) for n in list(shapes) if n.startswith("layer4")],
        lambda shapes: shapes.update({"conv1.weight": (64, 1, 7, 7)}),
        lambda shapes: shapes.clear(),
    ],
)
def test_what_is_not_a_whole_resnet_is_none(change):
    shapes = layer_shapes(18, 6)
    change(shapes)
    assert find_networks(shapes) == []


@given(
    st.dictionaries(
        st.text("abc.0123layerconv", max_size=12),
        st.lists(st.integers(0, 600), max_size=4).map(tuple),
        max_size=12,
    )
)
def test_any_tensors_give_an_answer(shapes):
    assert all(set(n.names.values()) <= set(shapes) for n in find_networks(shapes))


BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.mark.parametrize(
    ("layers", "places"),
    [
        ("0 norm, 2 linear", (0, 1)),
        ("0 linear, 1 norm, 3 linear", (0, 1, 3)),  # the norm, then ReLU
        ("0 linear, 2 norm, 3 linear", (0, 2, 3)),  # ReLU, then the norm
        ("0 linear, 1 norm, 2 linear", (0, 1, 2)),  # no place for a ReLU
        ("1 linear, 2 batch norm, 5 linear", (0, 1, 3)),
        ("0 batch norm, 1 linear, 3 linear", (0, 1, 3)),
    ],
)
def test_a_head_with_norms(layers, places):
    shapes = {n: s for n, s in layer_shapes(18, 6).items() if not n.startswith("fc.")}
    said, width, expected = [layer.split(" ", 1) for layer in layers.split(", ")], 512, {}
    for i, (number, kind) in enumerate(said):
        out = 6 if i == len(said) - 1 else 128 if kind == "linear" else width
        parts = BATCH_NORM if kind == "batch norm" else BATCH_NORM[:2]
        for part in parts:
            shape = (out, width) if kind == "linear" and part == "weight" else (out,)
            shapes[f"fc.{number}.{part}"] = shape
            expected[f"fc.{places[i]}.{part}"] = f"fc.{number}.{part}"
        if kind == "batch norm":
            shapes[f"fc.{number}.num_batches_tracked"] = ()
        width = out
    (found,) = find_networks(shapes)
    assert {n: theirs for n, theirs in found.names.items() if n.startswith("fc.")} == expected
    assert set(found.names.values()) == {n for n in shapes if not n.endswith("num_batches_tracked")}
