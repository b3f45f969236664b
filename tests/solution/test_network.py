from __future__ import annotations

import pickle
import urllib.error
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from in4310.errors import InputError
from in4310.solution.network import NAMES, build, guess, layer_table, load_into, read_weights


@pytest.fixture(scope="module")
def thousand() -> dict[str, torch.Tensor]:
    """The state dict of a ResNet-18 with ImageNet's 1000 outputs, random."""
    return build(classes=1000, seed=5).state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_every_depth_is_torchvisions(name: str):
    with torch.device("meta"):
        expected = models.get_model(name, num_classes=6).state_dict()
    assert {key: value.shape for key, value in build(name).state_dict().items()} == {
        key: value.shape for key, value in expected.items()
    }
    assert guess(expected) == f"{name} with 6 outputs"


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"network 'vgg16': expected one of resnet18, .*resnet152"):
        build("vgg16")


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (build(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_come_back_from_every_kind_of_file(tmp_path: Path, suffix: str):
    model = build(seed=1)
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(model.state_dict(), path)
    loaded = load_into(build(seed=2), path)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_wrappers_and_the_module_prefix_are_taken_off(tmp_path: Path, wrapper: str):
    state = build(seed=1).state_dict()
    wrapped = {wrapper: {f"module.{name}": value for name, value in state.items()}, "epoch": 3}
    torch.save(wrapped, tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth")
    assert read.keys() == state.keys()
    load_into(build(seed=2), tmp_path / "w.pth")


def test_a_1000_class_file_starts_fine_tuning_but_is_refused_for_evaluation(
    tmp_path: Path, thousand: dict[str, torch.Tensor]
):
    torch.save(thousand, tmp_path / "imagenet.pth")
    model = build(weights=tmp_path / "imagenet.pth", seed=7)
    assert torch.equal(model.state_dict()["layer4.1.conv2.weight"], thousand["layer4.1.conv2.weight"])
    assert torch.equal(model.state_dict()["fc.weight"], build(seed=7).state_dict()["fc.weight"])
    with pytest.raises(InputError) as caught:
        load_into(build(), tmp_path / "imagenet.pth")
    assert "imagenet.pth: weights of another network; fc.weight: expected 6x512, found 1000x512" in str(
        caught.value
    )
    assert "resnet18 with 1000 outputs" in str(caught.value)


def test_another_depth_is_named(tmp_path: Path):
    torch.save(build("resnet50").state_dict(), tmp_path / "deep.pth")
    for load in (lambda path: build(weights=path), lambda path: load_into(build(), path)):
        with pytest.raises(InputError) as caught:
            load(tmp_path / "deep.pth")
        message = str(caught.value)
        assert "layer1.0.conv1.weight: expected 64x64x3x3, found 64x64x1x1" in message
        assert "it looks like a resnet50 with 6 outputs" in message
        assert "\n" not in message


def test_no_resnet_at_all_is_said(tmp_path: Path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(
        InputError, match=r"conv1.weight: expected 64x3x7x7, found none .* not a torchvision ResNet"
    ):
        load_into(build(), tmp_path / "other.pth")


class Exploit:
    """Unpickling an object of this class makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.mkdir, (self.path,))


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path):
    torch.save(build(), tmp_path / "module.pth")
    torch.save({"model": Exploit(tmp_path / "pwned")}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Exploit(tmp_path / "pwned")))
    for name in ("module.pth", "evil.pth", "plain.pth"):
        with pytest.raises(InputError, match=rf"{name}: .*save model.state_dict\(\)"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.pth", b"hello"), ("empty.pth", b""), ("text.safetensors", b"hello"), ("cut.pth", None)],
)
def test_damaged_files_are_one_line(tmp_path: Path, name: str, content: bytes | None):
    if content is None:
        torch.save({"weight": torch.zeros(1000)}, tmp_path / name)
        content = (tmp_path / name).read_bytes()[:900]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_wrong_contents_and_missing_files(tmp_path: Path):
    torch.save({"conv1.weight": torch.zeros(1), "epoch": 3}, tmp_path / "mixed.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(InputError, match=r"mixed.pth: .*found 'epoch' of type int"):
        read_weights(tmp_path / "mixed.pth")
    with pytest.raises(InputError, match=r"list.pth: .*found list"):
        read_weights(tmp_path / "list.pth")
    with pytest.raises(InputError, match="found nothing"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(InputError, match="found a folder"):
        read_weights(tmp_path)


def test_imagenet_weights_come_from_torchs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thousand: dict[str, torch.Tensor]
):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(thousand, tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    model = build(weights="imagenet", seed=7)
    assert torch.equal(model.state_dict()["conv1.weight"], thousand["conv1.weight"])
    assert model.fc.out_features == 6


def test_imagenet_weights_without_a_network_say_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_args: object, **_kwargs: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(InputError) as caught:
        build("resnet34", weights="imagenet")
    message = str(caught.value)
    assert f"{tmp_path}/checkpoints/resnet34-b627a593.pth" in message
    assert "or give its path" in message
    assert "\n" not in message


def test_the_layer_table_of_the_2023_report():
    model = build(seed=1).train()
    rows = {row.name: row for row in layer_table(model)}
    assert {
        name: rows[name].shape for name in ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
    } == {
        "maxpool": (1, 64, 56, 56),
        "layer1": (1, 64, 56, 56),
        "layer2": (1, 128, 28, 28),
        "layer3": (1, 256, 14, 14),
        "layer4": (1, 512, 7, 7),
        "avgpool": (1, 512, 1, 1),
    }
    assert rows["fc"].parameters == 512 * 6 + 6
    assert sum(row.parameters for row in rows.values()) == sum(p.numel() for p in model.parameters())
    assert model.training
    assert int(model.bn1.num_batches_tracked) == 0
    assert not model.layer1._forward_hooks
    assert layer_table(model, 64)[3].shape == (1, 64, 16, 16)
