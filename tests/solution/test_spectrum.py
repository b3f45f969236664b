"""Spectra against the explicit covariance, in exact fractions where the numbers are few."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models import resnet18

from in4310.errors import InputError
from in4310.solution import spectrum
from in4310.solution.engine import row_file
from in4310.solution.spectrum import FeatureCovariance, Moments, Spectrum, eigenvalues, gram_eigenvalues

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def exact_covariance(features: Sequence[Sequence[Fraction]]) -> np.ndarray:
    """1/N sum(f f^T) - E[f] E[f]^T, word for word, in fractions: nothing is rounded before the last step."""
    images, dimensions = len(features), len(features[0])
    mean = [sum(f[i] for f in features) / images for i in range(dimensions)]
    return np.array(
        [
            [
                float(sum(f[i] * f[j] for f in features) / images - mean[i] * mean[j])
                for j in range(dimensions)
            ]
            for i in range(dimensions)
        ]
    )


def slow_features(maps: Tensor, flatten: bool) -> list[list[Fraction]]:
    """Channel means or whole maps as fractions, by loops over image, channel and position."""
    features = []
    for image in maps.tolist():
        channels = [[Fraction(value) for row in channel for value in row] for channel in image]
        features.append(
            [value for channel in channels for value in channel]
            if flatten
            else [sum(channel) / len(channel) for channel in channels]
        )
    return features


def through_network(maps: Tensor, batch: int, flatten: bool, k: int | None = None) -> Spectrum:
    """The maps as the output of a module of a network that does nothing else."""
    model = nn.Sequential(OrderedDict(maps=nn.Identity()))
    return eigenvalues(model, maps.split(batch), ["maps"], k, flatten)["maps"]


def assert_right(found: Spectrum, covariance: np.ndarray) -> None:
    """To 1e-8 of the largest eigenvalue, the accuracy asked for."""
    values = np.linalg.eigvalsh(covariance)[::-1]
    scale = max(values[0], 1e-300)
    assert found.values.dtype == np.float64
    assert (found.values >= 0).all()
    assert (np.diff(found.values) <= 0).all()
    assert np.abs(found.values - values[: len(found.values)]).max() <= 1e-8 * scale
    assert abs(found.total_variance - np.trace(covariance)) <= 1e-8 * scale * len(values)


@settings(max_examples=60, deadline=None)
@given(
    images=st.integers(2, 14),
    channels=st.integers(1, 5),
    height=st.integers(1, 3),
    width=st.integers(1, 2),
    batch=st.integers(1, 15),
    flatten=st.booleans(),
    offset=st.sampled_from([0.0, -1.0, 1000.0]),
    scale=st.sampled_from([1e-6, 1.0, 100.0]),
    seed=st.integers(0, 2**20),
)
def test_agrees_with_the_exact_covariance(
    images: int,
    channels: int,
    height: int,
    width: int,
    batch: int,
    flatten: bool,
    offset: float,
    scale: float,
    seed: int,
) -> None:
    """Fewer images than features and more, last batch short, means far from zero, both kinds of feature."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(images, channels, height, width, generator=generator) * scale + offset
    found = through_network(maps, batch, flatten)
    dimensions = channels * height * width if flatten else channels
    assert (found.images, found.dimensions) == (images, dimensions)
    assert len(found.values) == min(images - 1, dimensions)
    covariance = exact_covariance(slow_features(maps, flatten))
    assert_right(found, covariance)
    assert found.values.sum() == pytest.approx(found.total_variance, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(1, 13), st.data())
def test_moments_and_gram_agree_on_features_full_of_ties(
    images: int, dimensions: int, batch: int, data: st.DataObject
) -> None:
    """Small integers: equal images, constant features, rank far below both sizes."""
    row = st.lists(st.integers(-2, 2), min_size=dimensions, max_size=dimensions)
    rows = data.draw(st.lists(row, min_size=images, max_size=images))
    features = torch.tensor(rows, dtype=torch.float32)
    covariance = exact_covariance([[Fraction(value) for value in row] for row in rows])
    moments = Moments()
    for part in features.split(batch):
        moments.update(part)
    assert_right(moments.spectrum(), covariance)
    np.testing.assert_allclose(moments.covariance(), covariance, atol=1e-12)
    assert_right(gram_eigenvalues(features), covariance)
    assert_right(gram_eigenvalues(features.split(batch)), covariance)


def test_equal_images_have_no_variance() -> None:
    for features in (torch.full((5, 3), 0.1), torch.full((5, 30), 0.1)):
        observer = FeatureCovariance()
        observer(features)
        found = observer.spectrum()
        assert found.values.max() < 1e-30
        assert (found.values >= 0).all()


@pytest.mark.parametrize("images", [700, 90])
def test_a_mean_far_from_zero_costs_no_digits(images: int) -> None:
    """E[f f^T] - E[f] E[f]^T in float64 as it stands would be wrong by 1e-16 (1e6)^2 = 1e-4."""
    generator = torch.Generator().manual_seed(5)
    small = torch.randn(images, 100, generator=generator, dtype=torch.float64).mul(2**20).round() / 2**20
    observer = FeatureCovariance()
    for part in (small + 2**20).split(64):
        observer(part)
    covariance = np.cov(small.numpy().T, ddof=0)
    assert_right(observer.spectrum(), covariance)
    assert observer.spectrum(7).values.tolist() == observer.spectrum().values[:7].tolist()


def test_whole_maps_of_layer1_without_the_matrix_of_their_dimensions() -> None:
    """D = 200704: the covariance itself would take 300 GiB. The oracle is the SVD of the centred features."""
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(10, 64, 56, 56, generator=generator) + 2
    found = through_network(maps.contiguous(memory_format=torch.channels_last), 4, flatten=True)
    rows = maps.flatten(1).double().numpy()
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(found.values, singular[:9] ** 2 / 10, rtol=1e-10)
    assert found.dimensions == 200704


def held(thing: object) -> int:
    """Bytes of all tensors that can be reached from an observer."""
    if isinstance(thing, Tensor):
        return thing.nbytes
    inside = vars(thing).values() if hasattr(thing, "__dict__") else thing if isinstance(thing, list) else ()
    return sum(map(held, inside))


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    """Counted after every batch, as features wait until 512 are folded in together."""
    observer = FeatureCovariance()
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for _ in range(200):
        observer(torch.randn(10, 16, 2, 2, generator=generator))
        sizes.append(held(observer))
    assert observer.images == 2000
    assert max(sizes[:60]) == max(sizes) > 0
    assert max(sizes) < (spectrum.GATHERED + 10 + 16 + 1) * 16 * 8 + 20000


def test_layer4_and_avgpool_have_equal_spectra() -> None:
    torch.manual_seed(0)
    images = torch.randn(12, 3, 64, 64)
    found = eigenvalues(resnet18(num_classes=6), images.split(5), ["layer4", "avgpool"], k=11)
    scale = found["layer4"].values[0]
    np.testing.assert_allclose(found["layer4"].values, found["avgpool"].values, atol=1e-5 * scale)
    whole = eigenvalues(resnet18(num_classes=6), images.split(5), ["layer4"], k=11, flatten=True)["layer4"]
    assert whole.dimensions == 512 * 2 * 2


@pytest.mark.parametrize(
    ("images", "channels", "k", "most"), [(5, 9, 5, 4), (9, 5, 6, 5), (9, 5, 0, 5), (5, 9, -1, 4)]
)
def test_impossible_k_is_refused_with_the_figures(images: int, channels: int, k: int, most: int) -> None:
    maps = torch.randn(images, channels, 2, 2)
    message = (
        rf"'maps': .*k of 1 to {most}, .*images - 1 \({images - 1}\) and features \({channels}\), found {k}"
    )
    with pytest.raises(InputError, match=message):
        through_network(maps, 4, False, k)
    assert len(through_network(maps, 4, False, most).values) == most


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(InputError, match="at least 2 images for a covariance, found 1"):
        through_network(torch.randn(1, 4, 2, 2), 1, False)
    with pytest.raises(InputError, match="at least 2 images for a covariance, found 0"):
        gram_eigenvalues([])
    with pytest.raises(InputError, match="at least 2 images for a covariance, found 0"):
        Moments().spectrum()


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value: float, flatten: bool) -> None:
    maps = torch.randn(5, 3, 2, 2)
    maps[2, 1, 0, 0] = value
    with pytest.raises(InputError, match=r"'maps': .*finite"):
        through_network(maps, 2, flatten)


@settings(max_examples=25, deadline=None)
@given(
    images=st.integers(2, 70),
    dimensions=st.integers(1, 90),
    batch=st.integers(1, 70),
    mean=st.sampled_from([0.0, 1e4]),
    constant=st.booleans(),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    seed=st.integers(0, 2**20),
)
def test_fast_path_is_the_plain_covariance_in_float64(
    images: int, dimensions: int, batch: int, mean: float, constant: bool, dtype: torch.dtype, seed: int
) -> None:
    """Chunks narrower than the features, several folds, short last batches; to 1e-12 of the largest eigenvalue."""
    generator = torch.Generator().manual_seed(seed)
    rows = (torch.randn(images, dimensions, generator=generator) + mean).to(dtype)
    if constant:
        rows[:, ::3] = mean
    plain = rows.double().numpy() - rows.double().numpy().mean(axis=0)
    right = np.linalg.eigvalsh(plain.T @ plain / images)[::-1][: min(images - 1, dimensions)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectrum, "CHUNK", 7 * images)
        patch.setattr(spectrum, "LEAST_WIDTH", 7)
        patch.setattr(spectrum, "GATHERED", 20)
        patch.setattr(spectrum, "IN_CACHE", 5 * dimensions)
        observer = FeatureCovariance()
        for part in rows.split(batch):
            observer(part)
        whole = FeatureCovariance()
        for part in rows.split(batch):
            whole(part[:, :, None, None].expand(-1, -1, 2, 3))
        gram = gram_eigenvalues(rows)
    scale = max(float(right[0]), 1e-300)
    # The features' own squares, of which float64 keeps 16 digits, where the deviations are small beside the mean.
    allowed = 1e-12 * scale + 1e-24 * mean**2
    for found in (observer.spectrum(), gram, whole.spectrum()):
        assert np.abs(found.values - right).max() <= allowed


def test_more_whole_maps_than_memory_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "MATRIX_LIMIT", 40)
    monkeypatch.setattr(spectrum, "VALUES_LIMIT", 1000)
    maps = torch.randn(45, 25, 2, 1)
    assert through_network(maps[:20], 6, flatten=True).images == 20
    with pytest.raises(
        InputError, match=r"at most 20 images with 50 features each, found 24 .*ask for the k"
    ):
        through_network(maps, 6, flatten=True)
    monkeypatch.setattr(spectrum, "VALUES_LIMIT", 10**6)
    with pytest.raises(InputError, match="at most 40 images"):
        through_network(maps, 6, flatten=True)
    assert through_network(maps, 6, flatten=False).images == 45


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_more_whole_maps_the_largest_eigenvalues_are_found_on_disk(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = (torch.randn(90, 30, 2, 2, generator=generator) + 3).to(dtype)
    right = through_network(maps, 8, flatten=True)
    monkeypatch.setattr(spectrum, "MATRIX_LIMIT", 50)
    found = through_network(maps, 8, flatten=True, k=6)
    assert (found.images, found.dimensions, len(found.values)) == (90, 120, 6)
    assert np.abs(found.values - right.values[:6]).max() <= found.error <= 1e-6 * right.values[0]
    assert right.error == 0
    assert found.total_variance == pytest.approx(right.total_variance, rel=1e-6)
    with pytest.raises(InputError, match=r"'maps': .*k of 1 to 89"):
        through_network(maps, 8, flatten=True, k=90)
    maps[80, 3] = float("nan")
    with pytest.raises(InputError, match=r"'maps': .*finite"):
        through_network(maps, 8, flatten=True, k=6)


def test_a_full_disk_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "MATRIX_LIMIT", 50)
    monkeypatch.setattr(row_file, "SPARE", 2**62)
    with pytest.raises(InputError, match=r"expected room for 8 or more rows of 120 features.*TMPDIR"):
        through_network(torch.randn(90, 30, 2, 2), 8, flatten=True, k=6)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("flatten", [False, True])
def test_spectrum_on_cuda_is_that_on_the_cpu(flatten: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(150, 48, 9, 9, generator=generator) + 1
    observer = FeatureCovariance(flatten)
    for part in maps.split(64):
        observer(part.cuda())
    right = through_network(maps, 64, flatten)
    np.testing.assert_allclose(observer.spectrum().values, right.values, rtol=1e-9)
    torch.manual_seed(0)
    model, images = resnet18(num_classes=6), torch.randn(20, 3, 96, 96, generator=generator)
    on_cpu = eigenvalues(model, images.split(8), ["layer2", "layer4"], 5, flatten)
    on_gpu = eigenvalues(model.cuda(), images.split(8), ["layer2", "layer4"], 5, flatten)
    for name, spectrum_of_module in on_cpu.items():
        np.testing.assert_allclose(on_gpu[name].values, spectrum_of_module.values, rtol=1e-3)
