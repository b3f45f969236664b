from __future__ import annotations

import os
import pickle
import warnings
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import CIFAR10
from torchvision.transforms import v2

from in4310.errors import InputError
from in4310.solution import images as module
from in4310.solution.images import (
    FORMATS,
    Images,
    Preprocessing,
    find_comparison,
    find_images,
    flat_images,
    load_comparison,
    load_images,
)
from in4310.solution.loaders import batches, normalise

SMALL = Preprocessing(size=24, resize=24)


def write(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for label in ("forest", "sea"):
        for number in range(3):
            write(tmp_path / "data" / label / f"{number}.jpg", seed=number + 10 * (label == "sea"))
    return tmp_path / "data"


# --- find ---


def test_find_images_gives_sorted_paths_and_ignores_what_is_no_image(root: Path):
    write(root / "sea" / "B.PNG")
    for junk in ("__MACOSX/sea/0.jpg", ".git/0.jpg", "sea/._0.jpg"):
        write(root / junk)
    (root / "sea" / "Thumbs.db").write_bytes(b"x")
    (root / "notes.txt").write_text("x")
    found = find_images(root)
    expected = [f"forest/{i}.jpg" for i in range(3)] + ["sea/0.jpg", "sea/1.jpg", "sea/2.jpg", "sea/B.PNG"]
    assert list(found) == expected
    assert all(label == path.split("/")[0] for path, label in found.items())


def test_find_images_names_what_is_missing(root: Path):
    with pytest.raises(InputError, match=r"nowhere: expected a folder of images, found nothing"):
        find_images(root / "nowhere")
    with pytest.raises(InputError, match="expected one folder for each class"):
        find_images(root / "sea")
    (root / "glacier").mkdir()
    with pytest.raises(InputError, match="glacier: class folder without images"):
        find_images(root)


def test_flat_images_of_any_depth(root: Path):
    write(root / "a" / "b" / "c.JPEG")
    assert flat_images(root)[0] == "a/b/c.JPEG"
    assert len(flat_images(root)) == 7
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="found none"):
        flat_images(root / "empty")


def test_a_comparison_set_takes_from_every_class(root: Path):
    assert find_comparison(root, 2) == ["forest/0.jpg", "sea/0.jpg"]
    assert find_comparison(root) == flat_images(root)
    with pytest.raises(InputError, match="at least 7 images, found 6"):
        find_comparison(root, 7)


def test_cifar10_in_torchvisions_own_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = np.random.default_rng(0).integers(0, 256, (10_000, 3, 32, 32), dtype=np.uint8)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    contents = {
        "test_batch": {"data": data.reshape(10_000, -1), "labels": [0] * 10_000},
        "batches.meta": {"label_names": list("abcdefghij")},
    }
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    paths = find_comparison(tmp_path, 5)
    loaded, problems = load_comparison(tmp_path, paths, Preprocessing(size=32, resize=32))
    assert not problems.unreadable
    for path, pixels in zip(loaded.paths, loaded.pixels, strict=True):
        assert (pixels == data[int(path[-5:])].transpose(1, 2, 0)).all()
    assert find_comparison(folder, 5) == paths  # the folder itself may be given as well
    (folder / "test_batch").write_bytes(b"damaged")
    with pytest.raises(InputError, match="missing or changed"):
        load_comparison(tmp_path, paths, SMALL)


# --- decode ---


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (24, 24), (20, 90), (150, 150)])
@pytest.mark.parametrize("preprocessing", [SMALL, Preprocessing(24, 32, "bicubic"), Preprocessing(32, 24)])
def test_pixels_are_those_of_torchvisions_transforms(
    tmp_path: Path, shape: tuple[int, int], preprocessing: Preprocessing
):
    write(tmp_path / "image.png", shape)
    mode = v2.InterpolationMode(preprocessing.interpolation)
    oracle = v2.Compose(
        [
            v2.Resize(preprocessing.resize, interpolation=mode),
            v2.CenterCrop(preprocessing.size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    images, _ = load_images(tmp_path, ["image.png"], None, (), preprocessing)
    ours = next(batches(images, preprocessing))[0][0]
    with Image.open(tmp_path / "image.png") as image:
        torch.testing.assert_close(ours, oracle(image), rtol=0, atol=1e-6)


def test_labels_follow_the_order_of_classes(root: Path):
    labels = find_images(root)
    paths = ["sea/1.jpg", "forest/0.jpg", "sea/0.jpg"]
    images, _ = load_images(root, paths, labels, ("sea", "forest"), SMALL)
    assert images.paths == tuple(paths)
    assert images.labels.tolist() == [0, 1, 0]
    alone, _ = load_images(root, ["sea/0.jpg"], labels, ("sea", "forest"), SMALL)
    assert (images.pixels[2] == alone.pixels[0]).all()
    with pytest.raises(InputError, match=r"sea/1.jpg: expected one of the classes forest, found sea"):
        load_images(root, paths, labels, ("forest",), SMALL)


@pytest.mark.parametrize("cached", [False, True])
def test_unreadable_files_are_named_and_left_out(root: Path, tmp_path: Path, cached: bool):
    whole = (root / "sea" / "0.jpg").read_bytes()
    (root / "sea" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "sea" / "text.jpg").write_text("no image")
    (root / "sea" / "empty.jpg").write_bytes(b"")
    write(root / "sea" / "grey.png", mode="L")
    write(root / "sea" / "palette.png", mode="P")
    write(root / "sea" / "cmyk.jpg", mode="CMYK")
    paths = [*find_images(root), "sea/gone.jpg"]
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):  # the second time from the cache, where there is one
        images, problems = load_images(root, paths, dict.fromkeys(paths, "sea"), ("sea",), SMALL, cache)
        assert set(problems.unreadable) == {"sea/cut.jpg", "sea/text.jpg", "sea/empty.jpg", "sea/gone.jpg"}
        assert problems.unreadable["sea/gone.jpg"] == "no such file"
        assert str(root) not in "".join(problems.unreadable.values())
        assert problems.converted == {"sea/grey.png": "L", "sea/palette.png": "P", "sea/cmyk.jpg": "CMYK"}
        assert images.paths == tuple(path for path in paths if path not in problems.unreadable)
        assert len(images.pixels) == len(images.labels) == len(images)
        assert (images.pixels.reshape(len(images), -1).max(axis=1) > 0).all()


@pytest.mark.parametrize("form", ["EPS", "GIF", "TIFF"])
def test_another_format_under_a_photographs_name_is_not_opened(root: Path, form: str):
    """Pillow reads EPS by starting Ghostscript."""
    Image.new("RGB", (40, 30), "red").save(root / "sea" / "other.jpg", form)
    _, problems = load_images(root, ["sea/0.jpg", "sea/other.jpg"], None, (), SMALL)
    assert problems.unreadable == {"sea/other.jpg": "cannot identify image file 'the file'"}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_photographs_is_read(root: Path, form: str):
    Image.new("RGB", (40, 30), "red").save(root / "sea" / "one.png", form)
    _, problems = load_images(root, ["sea/one.png"], None, (), SMALL)
    assert not problems.unreadable


def test_all_unreadable_is_an_error(root: Path):
    (root / "sea" / "0.jpg").write_text("no image")
    with pytest.raises(InputError, match=r"none of 1 images can be read; the first, sea/0.jpg"):
        load_images(root, ["sea/0.jpg"], None, (), SMALL)


@pytest.mark.parametrize(
    "limit", [1000, 500]
)  # 40 x 30 = 1200: PIL warns above the limit, refuses above twice it
def test_a_decompression_bomb_is_unreadable_and_silent(
    root: Path, monkeypatch: pytest.MonkeyPatch, limit: int
):
    write(root / "sea" / "tiny.png", (8, 8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, problems = load_images(root, ["sea/0.jpg", "sea/tiny.png"], None, (), SMALL)
    assert images.paths == ("sea/tiny.png",)
    assert "bomb" in problems.unreadable["sea/0.jpg"]


def test_the_cache_is_used_until_something_changes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    paths, cache = list(find_images(root)), tmp_path / "cache"
    fresh, _ = load_images(root, paths, None, (), SMALL)
    load_images(root, paths, None, (), SMALL, cache)
    assert not list(cache.glob(".*")), "a temporary file remained"
    decoded: list[int] = []
    real = module._decode_all
    monkeypatch.setattr(module, "_decode_all", lambda *args: decoded.append(1) or real(*args))

    def load(preprocessing: Preprocessing = SMALL, order: list[str] = paths) -> np.ndarray:
        decoded.clear()
        return load_images(root, order, None, (), preprocessing, cache)[0].pixels

    assert (load() == fresh.pixels).all()
    assert not decoded
    assert (load(order=paths[::-1]) == fresh.pixels[::-1]).all()
    assert decoded
    assert load(Preprocessing(16, 24)).shape == (6, 16, 16, 3)
    assert decoded
    load(Preprocessing(24, 24, mean=(0.5, 0.5, 0.5)))
    write(root / "sea" / "0.jpg", seed=99)
    assert not (load()[3] == fresh.pixels[3]).all()
    assert decoded
    status = (root / "sea" / "0.jpg").stat()
    os.utime(root / "sea" / "0.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    load()
    assert decoded


def test_a_damaged_cache_is_made_again(root: Path, tmp_path: Path):
    paths, cache = list(find_images(root)), tmp_path / "cache"
    first = np.array(load_images(root, paths, None, (), SMALL, cache)[0].pixels)
    (file,) = cache.glob("*.npy")
    file.write_bytes(file.read_bytes()[:200])
    assert (load_images(root, paths, None, (), SMALL, cache)[0].pixels == first).all()


def test_a_full_disk_while_caching_is_one_line(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        InputError, match=r"\.npy: the image cache cannot be written \(No space left on device\)"
    ):
        load_images(root, ["sea/0.jpg"], None, (), SMALL, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_subset_keeps_rows_together(root: Path):
    labels = find_images(root)
    images, _ = load_images(root, list(labels), labels, ("forest", "sea"), SMALL)
    some = images.subset(["sea/2.jpg", "forest/1.jpg"])
    assert some.labels.tolist() == [1, 0]
    assert (some.pixels == images.pixels[[5, 1]]).all()
    with pytest.raises(InputError, match=r"sea/9.jpg: expected among the 6 loaded images"):
        images.subset(["sea/9.jpg"])


@pytest.mark.parametrize("wrong", [{"interpolation": "magic"}, {"size": 0}, {"resize": -1}])
def test_wrong_preprocessing_is_refused(wrong: dict):
    with pytest.raises(InputError, match="preprocessing: "):
        Preprocessing(**wrong)


# --- batches ---


def random_images(count: int, size: int) -> Images:
    pixels = np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Images(tuple(map(str, range(count))), pixels, np.arange(count), tuple(map(str, range(count))))


@given(count=st.integers(1, 20), batch=st.integers(1, 25), size=st.integers(1, 9))
def test_batches_put_together_are_the_data(count: int, batch: int, size: int):
    images = random_images(count, size)
    parts = list(batches(images, SMALL, batch))
    assert [len(labels) for _, labels in parts[:-1]] == [batch] * (len(parts) - 1)
    together = torch.cat([inputs for inputs, _ in parts])
    assert together.dtype == torch.float32
    assert torch.cat([labels for _, labels in parts]).tolist() == list(range(count))
    mean, std = (np.array(value, dtype=np.float64) for value in (SMALL.mean, SMALL.std))
    expected = ((images.pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(together.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_normalise_gives_the_layout_asked_for(layout: torch.memory_format):
    pixels = torch.from_numpy(random_images(3, 8).pixels)
    assert normalise(pixels, SMALL, "cpu", layout).is_contiguous(memory_format=layout)


@pytest.mark.realdata
@pytest.mark.skipif(not os.environ.get("IN4310_DATA"), reason="IN4310_DATA names no folder of photographs")
def test_real_photographs_load():
    root = Path(os.environ["IN4310_DATA"])
    labels = find_images(root / "scenes" if (root / "scenes").is_dir() else root)
    chosen = list(labels)[::50]
    folder = root / "scenes" if (root / "scenes").is_dir() else root
    images, problems = load_images(folder, chosen, labels, sorted(set(labels.values())), SMALL)
    assert not problems.unreadable
    assert 50 < images.pixels.mean() < 200
