from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from in4310.errors import InputError
from in4310.progress import Progress
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches
from in4310.solution.network import build, folded
from in4310.solution.scores import (
    BF16_TOLERANCE,
    TOLERANCE,
    compare,
    load_scores,
    predict,
    reproduce,
    save_scores,
)

SMALL = Preprocessing(size=48, resize=48)
CLASSES = tuple("abcdef")


@pytest.fixture(scope="module")
def images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (65, 48, 48, 3), dtype=np.uint8)
    return Images(tuple(f"a/{i}.jpg" for i in range(65)), pixels, np.arange(65) % 6, CLASSES)


@pytest.fixture(scope="module")
def model(images: Images) -> nn.Module:
    """A network whose batch-norm statistics and scores are as sharp as a trained one's."""
    model = build(seed=3)
    with torch.no_grad():
        model.fc.weight *= 20
        for inputs, _ in batches(images, SMALL):
            model.train()(inputs)
    return model


def test_predict_is_softmax_of_the_network_in_evaluation_mode(model: nn.Module, images: Images):
    model.train()
    scores = predict(model, images, SMALL)
    assert model.training, "the mode was not put back"
    with torch.no_grad():
        x = (torch.from_numpy(images.pixels).permute(0, 3, 1, 2) / 255.0).double()
        mean, std = (torch.tensor(value).double().view(3, 1, 1) for value in (SMALL.mean, SMALL.std))
        double = build().double().eval()
        double.load_state_dict(model.state_dict())
        expected = torch.softmax(double((x - mean) / std), dim=1)
    assert scores.dtype == np.float32
    assert scores.max(axis=1).mean() > 0.5, "the scores are too flat for this to be a test"
    np.testing.assert_allclose(scores, expected.numpy(), atol=TOLERANCE / 2)


def test_the_tolerance_stands_above_what_fp32_differs_by(model: nn.Module, images: Images):
    """Batch sizes, memory layouts and threads change the order of additions, by far less than the tolerance."""
    reference = predict(model, images, SMALL, batch_size=64)
    largest = max(
        float(np.abs(predict(model, images, SMALL, batch_size=size) - reference).max()) for size in (1, 7, 65)
    )
    plain = build().eval()
    plain.load_state_dict(model.state_dict())
    with torch.inference_mode():
        nchw = torch.cat([inputs.contiguous() for inputs, _ in batches(images, SMALL)])
        largest = max(largest, float(np.abs(torch.softmax(plain(nchw), 1).numpy() - reference).max()))
    assert 0 < largest < TOLERANCE / 3


def test_bf16_is_an_option_and_close(model: nn.Module, images: Images):
    difference = np.abs(predict(model, images, SMALL, precision="bf16") - predict(model, images, SMALL))
    assert TOLERANCE < difference.max() < 0.5
    with pytest.raises(InputError, match="precision 'fp8'"):
        predict(model, images, SMALL, precision="fp8")


def test_saved_scores_are_reproduced(tmp_path: Path, model: nn.Module, images: Images):
    scores = predict(model, images, SMALL)
    path = save_scores(tmp_path / "deep" / "scores.npy", scores)
    assert np.load(path, allow_pickle=False).dtype == np.float32
    assert [file.name for file in path.parent.iterdir()] == ["scores.npy"]
    same = reproduce(model, images, SMALL, path, batch_size=7)
    assert same.agrees
    assert same.rows == 65
    scores[40, 2] += 3e-4
    save_scores(path, scores)
    found = reproduce(model, images, SMALL, path)
    assert (found.row, found.column, found.path, found.agrees) == (40, 2, "a/40.jpg", False)
    assert found.largest_difference == pytest.approx(3e-4, rel=0.01)
    assert reproduce(model, images, SMALL, path, tolerance=1e-3).agrees


def test_a_wrong_shape_or_kind_of_file_is_refused(tmp_path: Path, model: nn.Module, images: Images):
    good = predict(model, images, SMALL)
    wrong = {
        "rows.npy": (good[:-1], "expected 65 rows, one for each image, found 64"),
        "columns.npy": (good[:, :5], "expected 6 columns, one for each output, found 5"),
        "flat.npy": (good.ravel(), r"found float32 \(390,\)"),
        "labels.npy": (good.argmax(1)[:, None], "found int64"),
        "objects.npy": (np.array([[{}]], dtype=object), "no objects"),
    }
    for name, (array, message) in wrong.items():
        np.save(tmp_path / name, array)
        with pytest.raises(InputError, match=f"{name}: .*{message}"):
            reproduce(model, images, SMALL, tmp_path / name)
    (tmp_path / "text.npy").write_text("1,2,3")
    with pytest.raises(InputError, match=r"text\.npy"):
        load_scores(tmp_path / "text.npy")
    np.savez(tmp_path / "archive.npz", good)
    with pytest.raises(InputError, match="an archive of arrays"):
        load_scores(tmp_path / "archive.npz")
    with pytest.raises(InputError, match="found nothing"):
        load_scores(tmp_path / "gone.npy")


def test_a_full_disk_leaves_the_old_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save_scores(tmp_path / "scores.npy", np.zeros((2, 6)))
    old = path.read_bytes()

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match=r"scores.npy: cannot be written \(No space left on device\); free"):
        save_scores(path, np.ones((2, 6)))
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["scores.npy"]


@given(
    arrays.arrays(np.float32, (4, 3), elements=st.floats(-2, 2, width=32) | st.just(float("nan"))),
    arrays.arrays(np.float32, (4, 3), elements=st.floats(-2, 2, width=32) | st.just(float("nan"))),
    st.floats(0, 1),
)
def test_compare_against_a_slow_oracle(saved: np.ndarray, scores: np.ndarray, tolerance: float):
    found = compare(saved, scores, tuple("wxyz"), tolerance)
    largest, place = -1.0, (0, 0)
    for row in range(4):
        for column in range(3):
            difference = abs(float(saved[row, column]) - float(scores[row, column]))
            difference = float("inf") if difference != difference else difference
            if difference > largest:
                largest, place = difference, (row, column)
    assert (found.largest_difference, found.row, found.column) == (largest, *place)
    assert found.path == "wxyz"[place[0]]
    assert found.agrees == (largest <= tolerance)


# --- the fast path ---


def test_bf16_moves_scores_by_less_than_its_tolerance(model: nn.Module, images: Images):
    exact, fast = (predict(model, images, SMALL, precision=precision) for precision in ("fp32", "bf16"))
    difference = np.abs(fast - exact).max()
    assert 1e-4 < difference < BF16_TOLERANCE, "bf16 was not used, or it costs more than was derived"
    ranked = np.sort(exact, axis=1)
    sure = ranked[:, -1] - ranked[:, -2] > 2 * BF16_TOLERANCE
    assert sure.mean() > 0.5
    assert (fast.argmax(1) == exact.argmax(1))[sure].all()


@pytest.mark.parametrize("depth", ["resnet18", "resnet50"])
def test_folding_leaves_the_outputs_and_the_model_as_they_were(depth: str, images: Images):
    model = build(depth, seed=3)
    inputs, _ = next(batches(images, SMALL, 8))
    with torch.no_grad():
        model.train()(inputs)
        model.eval()
        expected = model(inputs)
        fast = folded(model)
        found = fast(inputs)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) > 15
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())


def test_a_batch_too_large_is_halved_and_said(
    model: nn.Module, images: Images, monkeypatch: pytest.MonkeyPatch
):
    expected = predict(model, images, SMALL)
    sizes: list[int] = []

    def little_room(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > 20 or (len(sizes) > 4 and len(inputs[0]) > 10):
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    said: list[str] = []
    progress = Progress()
    monkeypatch.setattr(progress, "say", said.append)
    with_hook = model.register_forward_pre_hook(little_room)
    found = predict(model, images, SMALL, batch_size=64, progress=progress)
    with_hook.remove()
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert sizes[:5] == [64, 32, 16, 16, 16]
    assert [text.rpartition("batches of ")[2] for text in said] == [
        "32 from here on",
        "16 from here on",
        "8 from here on",
    ]


def test_one_image_too_large_is_one_line(model: nn.Module, images: Images):
    def no_room(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    hook = model.register_forward_pre_hook(no_room)
    with pytest.raises(InputError, match="one image of 48 x 48 does not fit into the memory of cpu"):
        predict(model, images, SMALL)
    hook.remove()
