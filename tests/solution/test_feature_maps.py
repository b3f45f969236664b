"""Feature maps: values at the module's output whatever follows, one pass, the model left as it was."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18

from in4310.errors import InputError
from in4310.solution.feature_maps import NonPositive, capture, non_positive, observe, save_pictures
from in4310.solution.images import Images, Preprocessing
from in4310.solution.spectrum import FeatureCovariance, eigenvalues

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def tiny(inplace: bool = True) -> nn.Sequential:
    """Twice convolution, batch norm, ReLU; batch norms that have seen data, so that train mode differs."""
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 5, 3, padding=1),
            bn1=nn.BatchNorm2d(5),
            relu1=nn.ReLU(inplace=inplace),
            pool=nn.MaxPool2d(2),
            conv2=nn.Conv2d(5, 7, 3),
            bn2=nn.BatchNorm2d(7),
            relu2=nn.ReLU(inplace=inplace),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(7, 6),
        )
    )
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, 3, 10, 10) * 2 + 1)
    return model


@cache
def networks() -> tuple[nn.Sequential, nn.Sequential]:
    """The same network with in-place ReLU and without."""
    return tiny(inplace=True), tiny(inplace=False)


def photographs(count: int, size: int = 10) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(count))


def slow_percent(outputs: list[Tensor]) -> float:
    """Image by image, value by value: share of values <= 0 of each image, then the mean over images."""
    shares = []
    for output in outputs:
        for image in output:
            values = image.flatten().tolist()
            shares.append(sum(1 for value in values if value <= 0) / len(values))
    return 100 * sum(shares) / len(shares)


def prefix(model: nn.Sequential, name: str, images: Tensor) -> Tensor:
    """The output of a module of a Sequential, by running it up to there: no hooks."""
    model.eval()
    with torch.no_grad():
        for child, module in model.named_children():
            images = module(images)
            if child == name:
                return images.clone()
    raise KeyError(name)


# --- the share of non-positive values -----------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_agrees_with_counting_by_hand_for_any_batches(sizes: list[int]) -> None:
    images = photographs(sum(sizes))
    modules = ["conv1", "bn1", "relu1", "pool", "bn2", "relu2", "avgpool", "fc"]
    model, same = networks()
    found = non_positive(model, images.split(sizes), modules)
    assert list(found) == modules
    for name, percent in found.items():
        # One value of an image whose sign hangs on rounding is 0.03 percent or less (fc: none is near zero).
        assert percent == pytest.approx(slow_percent([prefix(same, name, images)]), abs=0.05), name


def test_batches_of_unequal_size_and_maps_weigh_by_images() -> None:
    counter = NonPositive()
    first, second = torch.ones(3, 2, 4, 4), -torch.ones(1, 2, 2, 2)
    second[0, 0, 0, 0] = 1
    counter(first)
    counter(second)
    assert counter.percent() == pytest.approx(100 * (0 + 0 + 0 + 7 / 8) / 4)


def test_zero_and_negative_zero_count() -> None:
    counter = NonPositive()
    counter(torch.tensor([[0.0, -0.0, -1.0, 1e-45]]))
    assert counter.percent() == 75


def test_the_value_is_that_at_the_modules_output_in_torchvisions_resnet() -> None:
    """The block adds the identity to bn2's output and clips it in place: read later it is never negative."""
    torch.manual_seed(1)
    model = resnet18(num_classes=6).eval()
    images = photographs(5, 64)
    block = model.layer1[0]
    with torch.no_grad():
        stem = model.maxpool(torch.relu(model.bn1(model.conv1(images))))
        inner = block.bn1(block.conv1(stem))
        outer = block.bn2(block.conv2(torch.relu(inner)))
    found = non_positive(model, images.split(2), ["layer1.0.bn1", "layer1.0.bn2", "layer1.0", "bn1"])
    assert found["layer1.0.bn1"] == pytest.approx(slow_percent([inner]), abs=0.01)
    assert found["layer1.0.bn2"] == pytest.approx(slow_percent([outer]), abs=0.01)
    assert found["layer1.0"] == pytest.approx(slow_percent([torch.relu(outer + stem)]), abs=0.01)
    assert found["layer1.0.bn2"] > found["layer1.0"] + 10


def test_the_spectrum_too_is_taken_before_an_in_place_relu() -> None:
    images = photographs(9)
    for flatten in (False, True):
        found = eigenvalues(tiny(inplace=True), images.split(4), ["bn2"], flatten=flatten)["bn2"]
        right = eigenvalues(tiny(inplace=False), images.split(4), ["bn2"], flatten=flatten)["bn2"]
        np.testing.assert_allclose(found.values, right.values, rtol=1e-6)


def test_a_module_that_runs_twice_has_the_mean_over_its_runs() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, images: Tensor) -> Tensor:
            return self.relu(self.relu(images.clone()) - 0.5)

    images = photographs(6)
    first = torch.relu(images)
    both = [first, torch.relu(first - 0.5)]
    model = Shared()
    assert non_positive(model, images.split(4), ["relu"])["relu"] == pytest.approx(slow_percent(both))
    with pytest.raises(InputError, match="'relu': expected one output an image, found 12 for 6 images"):
        eigenvalues(model, images.split(4), ["relu"])


def test_statistics_share_one_pass() -> None:
    model, images = tiny(), photographs(10)
    passes = []
    model.register_forward_pre_hook(lambda _module, inputs: passes.append(len(inputs[0])))
    share, features = NonPositive(), FeatureCovariance()
    assert observe(model, images.split(4), {"relu2": [share, features], "bn1": [NonPositive()]}) == 10
    assert passes == [4, 4, 2]
    assert share.percent() == non_positive(model, images.split(4), ["relu2"])["relu2"]
    alone = eigenvalues(model, images.split(4), ["relu2"])["relu2"]
    np.testing.assert_array_equal(features.spectrum().values, alone.values)


# --- what is left behind ------------------------------------------------------------------------------------


def state(model: nn.Module) -> tuple[list[bool], list[int], dict[str, Tensor]]:
    return (
        [module.training for module in model.modules()],
        [len(module._forward_hooks) for module in model.modules()],
        {name: value.clone() for name, value in model.state_dict().items()},
    )


@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_it_was(fails: bool) -> None:
    model = tiny().train()
    model.bn1.eval()  # frozen, as in fine-tuning
    before = state(model)

    def observer(_output: Tensor) -> None:
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        if fails:
            raise RuntimeError("observer")

    batches = photographs(4).split(2)
    if fails:
        with pytest.raises(RuntimeError, match="observer"):
            observe(model, batches, {"bn1": [observer], "fc": [observer]})
    else:
        observe(model, batches, {"bn1": [observer], "fc": [observer]})
    after = state(model)
    assert after[:2] == before[:2]
    assert before[0][0] is True
    assert not any(after[1])
    assert all(torch.equal(after[2][name], value) for name, value in before[2].items())


def test_hooks_of_others_stay() -> None:
    model = tiny()
    seen = []
    model.bn1.register_forward_hook(lambda *_: seen.append(1))
    with capture(model, {"bn1": [lambda _: seen.append(2)]}):
        model(photographs(1))
    model(photographs(2))
    assert seen == [1, 2, 1]


def test_train_mode_would_give_another_figure() -> None:
    model, images = tiny().train(), photographs(6)
    assert non_positive(model, [images], ["bn2"]) == non_positive(tiny().eval(), [images], ["bn2"])
    with torch.no_grad():
        wrong = slow_percent([model[:6](images)])
    assert abs(wrong - non_positive(tiny(), [images], ["bn2"])["bn2"]) > 1


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"), [("relu3", "relu2, relu1"), ("zzz", "conv1, bn1"), ("", "conv1, bn1")]
)
def test_unknown_modules_are_named_with_those_near(name: str, near: str) -> None:
    model = tiny()
    with pytest.raises(InputError, match=f"module '{name}': expected a module .* near it: {near}"):
        non_positive(model, photographs(2).split(1), ["bn1", name])
    assert not model.bn1._forward_hooks


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair, self.idle, self.flat = nn.LSTM(4, 4), nn.ReLU(), nn.Flatten(0)

    def forward(self, images: Tensor) -> Tensor:
        return self.flat(self.pair(images[:, 0])[0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pair", r"'pair': expected one tensor \(N, C, ...\) as its output, found tuple"),
        ("flat", r"'flat': .* found shape \(32,\)"),
        ("idle", "'idle': expected it to run in the forward pass"),
    ],
)
def test_modules_without_feature_maps_are_named(name: str, message: str, tmp_path: Path) -> None:
    images = [torch.randn(2, 1, 4, 4)]
    for statistic in (non_positive, eigenvalues):
        with pytest.raises(InputError, match=message):
            statistic(Odd(), images, [name])


def test_no_images_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1 image, found none"):
        non_positive(tiny(), [], ["bn1"])


# --- pictures -----------------------------------------------------------------------------------------------


def drawn(count: int, size: int = 32) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    paths = tuple(f"sea/${i}$.jpg" for i in range(count))
    return Images(paths, pixels, np.zeros(count, dtype=np.int64), ("sea",))


PREPROCESSING = Preprocessing(size=32, resize=32)


def test_one_picture_an_image_named_by_index(tmp_path: Path) -> None:
    modules = ["relu1", "pool", "bn2", "avgpool", "fc"]
    model = tiny().train()
    written = save_pictures(model, drawn(12), PREPROCESSING, modules, tmp_path / "maps")
    assert [path.name for path in written] == [f"{i:03d}.png" for i in range(10)]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [f"{i:03d}.png" for i in range(10)]
    contents = set()
    for path in written:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert np.asarray(picture.convert("L")).std() > 10
        contents.add(path.read_bytes())
    assert len(contents) == 10, "each picture shows its own image"
    assert model.training
    again = save_pictures(model, drawn(12), PREPROCESSING, modules, tmp_path / "again", count=2)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written[:2]]


def test_channels_are_shown_each_by_itself(tmp_path: Path) -> None:
    """Channels of one value each, whose average is the same everywhere: averaged, one colour is left."""
    model = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1)))
    with torch.no_grad():
        model.conv.weight.zero_()
        model.conv.bias.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    (path,) = save_pictures(model, drawn(1), PREPROCESSING, ["conv"], tmp_path)
    with Image.open(path) as picture:
        right = picture.convert("RGB").crop((picture.width // 2, 30, picture.width, picture.height))
        colours = sorted(right.getcolors(maxcolors=10**6), reverse=True)
    assert len([count for count, colour in colours if count > 1000 and colour != (255, 255, 255)]) == 4


def test_pictures_of_impossible_modules_and_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="module 'layer9'"):
        save_pictures(tiny(), drawn(1), PREPROCESSING, ["layer9"], tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "001.png").mkdir()
    with pytest.raises(InputError, match=r"001\.png"):
        save_pictures(tiny(), drawn(2), PREPROCESSING, ["bn1"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.png", "001.png"]


# --- on a GPU -----------------------------------------------------------------------------------------------


@pytest.mark.gpu
@needs_gpu
def test_share_on_cuda_is_that_on_the_cpu() -> None:
    torch.manual_seed(0)
    model = resnet18(num_classes=6)
    images = photographs(20, 96)
    modules = ["maxpool", "layer1", "layer1.0.bn2", "layer4", "avgpool"]
    right = non_positive(model, images.split(8), modules)
    found = non_positive(model.cuda(), images.split(8), modules)
    assert found == pytest.approx(right, abs=0.02)
