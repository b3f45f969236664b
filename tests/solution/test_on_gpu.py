"""What a GPU must do as the CPU does: training, scores, statistics, spectra; its memory, graphs and fixed order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from in4310.progress import QUIET
from in4310.solution import scores
from in4310.solution.engine.compiled import choose_forward
from in4310.solution.feature_maps import NonPositive, observe
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches, draw_moves, move, training_batches
from in4310.solution.network import build
from in4310.solution.scores import BF16_TOLERANCE, TOLERANCE, predict
from in4310.solution.spectrum import FeatureCovariance, eigenvalues
from in4310.solution.training import Settings, TooLarge, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

SIZE = Preprocessing(size=64, resize=64)
MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
ONE_EPOCH = Settings(learning_rate=0.005, epochs=1, batch_size=16, augment=True)


def coloured(count: int, seed: int) -> Images:
    """Noise whose colour tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 6
    pixels = rng.integers(0, 160, (count, 64, 64, 3))
    pixels[np.arange(count), :, :, labels % 3] += np.where(labels < 3, 60, -0)[:, None, None]
    return Images(tuple(f"{i}.jpg" for i in range(count)), pixels.astype(np.uint8), labels, tuple("abcdef"))


TRAIN, VAL = coloured(99, 1), coloured(48, 2)


def trained(folder: Path, device: str, **more):
    settings = more.pop("settings", ONE_EPOCH)
    model = build(seed=1)
    history = train(model, TRAIN, VAL, SIZE, settings, folder, device, more.pop("precision", "fp32"), **more)
    return model, history


@pytest.fixture(scope="module")
def sharp(tmp_path_factory):
    """A network with trained statistics, on the CPU."""
    return trained(tmp_path_factory.mktemp("sharp"), "cpu", settings=replace(ONE_EPOCH, epochs=3))[0]


def test_an_epoch_gives_the_figures_of_the_cpu(tmp_path: Path):
    cpu = trained(tmp_path / "cpu", "cpu")[1].epochs[0]
    cuda = trained(tmp_path / "cuda", "cuda")[1].epochs[0]
    assert cuda["train_loss"] == pytest.approx(cpu["train_loss"], rel=0.02)
    assert cuda["val_loss"] == pytest.approx(cpu["val_loss"], rel=0.05)


def test_mixed_precision_learns_as_fp32_does(tmp_path: Path):
    settings = replace(ONE_EPOCH, epochs=4)
    fp32 = trained(tmp_path / "fp32", "cuda", settings=settings)[1]
    bf16 = trained(tmp_path / "bf16", "cuda", settings=settings, precision="bf16")[1]
    assert (bf16.precision, bf16.device) == ("bf16", "cuda")
    assert bf16.epochs[-1]["train_loss"] == pytest.approx(fp32.epochs[-1]["train_loss"], rel=0.1)


def test_batches_are_those_of_the_cpu():
    ours = [list(training_batches(TRAIN, SIZE, 16, 7, 1, True, device)) for device in ("cpu", "cuda")]
    for cpu, cuda in zip(*ours, strict=True):
        assert cuda.inputs.is_cuda
        assert torch.allclose(cuda.inputs.cpu(), cpu.inputs, atol=1e-6)
        assert torch.equal(cuda.labels.cpu(), cpu.labels)
    pixels = torch.from_numpy(TRAIN.pixels[:8])
    moves = draw_moves(8, 64, torch.Generator().manual_seed(1))
    assert torch.equal(move(pixels.cuda(), *moves).cpu(), move(pixels, *moves))


def test_scores(sharp):
    cpu = predict(sharp, VAL, SIZE)
    assert np.abs(predict(sharp, VAL, SIZE, device="cuda") - cpu).max() < TOLERANCE
    assert np.abs(predict(sharp, VAL, SIZE, device="cuda", precision="bf16") - cpu).max() < BF16_TOLERANCE
    sharp.to("cpu")


def test_statistics_and_spectrum(sharp):
    found = []
    for device in ("cpu", "cuda"):
        sharp.to(device)
        shares = {name: NonPositive() for name in MODULES}
        spectra = {name: FeatureCovariance() for name in MODULES}
        observers = {name: [shares[name], spectra[name]] for name in MODULES}
        observe(sharp, (x for x, _ in batches(VAL, SIZE, 16, device)), observers)
        flat = eigenvalues(sharp, (x for x, _ in batches(VAL, SIZE, 16, device)), ["layer4"], flatten=True)
        found.append((shares, spectra, flat))
    sharp.to("cpu")
    (shares, spectra, flat), (cuda_shares, cuda_spectra, cuda_flat) = found
    for name in MODULES:
        assert cuda_shares[name].percent() == pytest.approx(shares[name].percent(), abs=0.02)
        largest = spectra[name].spectrum().values[0]
        assert cuda_spectra[name].spectrum().values == pytest.approx(
            spectra[name].spectrum().values, abs=1e-3 * largest
        )
    assert cuda_flat["layer4"].values == pytest.approx(
        flat["layer4"].values, abs=1e-3 * flat["layer4"].values[0]
    )


def test_a_batch_of_64_at_224_pixels_trains_within_4_gib(tmp_path: Path):
    """1g: 4 GB of memory at batch 64."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (128, 224, 224, 3), dtype=np.uint8)
    images = Images(tuple(map(str, range(128))), pixels, np.arange(128) % 6, tuple("abcdef"))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    settings = replace(ONE_EPOCH, batch_size=64)
    train(
        build(seed=1), images, images.subset(images.paths[:64]), Preprocessing(), settings, tmp_path, "cuda"
    )
    assert torch.cuda.max_memory_allocated() < 4 * 2**30


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cuda_graphs_train_as_the_plain_pass_does(tmp_path: Path, precision: str):
    settings = replace(ONE_EPOCH, epochs=2)
    plain = trained(tmp_path / "plain", "cuda", settings=settings, precision=precision, compile_="off")[1]
    graphs = trained(tmp_path / "graphs", "cuda", settings=settings, precision=precision, compile_="on")[1]
    assert (plain.compiled, graphs.compiled) == ("plain", "CUDA graphs")
    for one, other in zip(plain.epochs, graphs.epochs, strict=True):
        assert other["train_loss"] == pytest.approx(
            one["train_loss"], rel=0.02 if precision == "fp32" else 0.1
        )


def test_what_auto_takes_is_right_and_said():
    model = build(seed=1).train().cuda().to(memory_format=torch.channels_last)
    chosen = choose_forward(model, torch.randn(16, 3, 64, 64, device="cuda"), "bf16", "auto")
    assert chosen.name in ("plain", "CUDA graphs")
    assert chosen.why


def test_deterministic_runs_are_the_same_to_the_last_bit(tmp_path: Path):
    runs = [
        trained(tmp_path / name, "cuda", precision="bf16", deterministic=True, compile_="off")
        for name in ("first", "second")
    ]
    weights = [model.state_dict() for model, _ in runs]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_out_of_memory_in_training_names_the_way_out(tmp_path: Path, little_memory):
    with pytest.raises(
        TooLarge, match="batch of 64 does not fit into the memory of cuda; use --batch-size 32"
    ):
        trained(tmp_path, "cuda", settings=replace(ONE_EPOCH, batch_size=64))


def test_out_of_memory_in_prediction_halves_the_batch(sharp, monkeypatch: pytest.MonkeyPatch):
    expected = predict(sharp, VAL, SIZE)
    real = scores.batches

    def hungry(images, preprocessing, batch_size, device):
        for inputs, labels in real(images, preprocessing, batch_size, device):
            if len(inputs) > 12:
                torch.empty(2**50, dtype=torch.uint8, device=device)  # no GPU has a pebibyte
            yield inputs, labels

    monkeypatch.setattr(scores, "batches", hungry)
    assert np.abs(predict(sharp, VAL, SIZE, 48, "cuda", QUIET) - expected).max() < TOLERANCE
    sharp.to("cpu")


@pytest.fixture
def little_memory():
    """A process that may allocate 100 MiB more than it holds."""
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    allowed = torch.cuda.memory_reserved() + 100 * 2**20
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / total))
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
