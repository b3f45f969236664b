"""A photograph of the data set in place of a drawing is told, however it was saved; a drawing is none."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from in4310.judging import photographs
from in4310.judging.data import DataSet

CLASSES = ["forest", "sea"]


def photograph(seed, size=150):
    coarse = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def data(tmp_path, monkeypatch):
    for i in range(6):
        place = tmp_path / "data" / CLASSES[i % 2] / f"{i}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        photograph(i).save(place)
    monkeypatch.setattr(photographs, "cache_folder", lambda: tmp_path)
    return DataSet(tmp_path / "data", CLASSES, {})


@given(st.integers(0, 5), st.integers(60, 500), st.sampled_from(["PNG", "JPEG"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_photograph_is_known_scaled_and_saved_again(data, which, size, form):
    saved = io.BytesIO()
    with Image.open(data.root / CLASSES[which % 2] / f"{which}.jpg") as picture:
        picture.resize((size, size)).save(saved, form)
    pixels = np.asarray(Image.open(saved).convert("RGB"))
    assert photographs.photograph_of(data, pixels) == f"{CLASSES[which % 2]}/{which}.jpg"


def test_other_pictures_are_none_of_the_data(data):
    assert photographs.photograph_of(data, np.asarray(photograph(99))) is None
    figure = Figure()
    figure.subplots().plot([1, 3, 2])
    figure.savefig(drawn := io.BytesIO(), format="png")
    pixels = np.asarray(Image.open(drawn).convert("RGB"))
    assert photographs.photograph_of(data, pixels) is None


def test_the_data_set_is_read_once_and_never_for_a_drawing(data, monkeypatch):
    assert photographs.photograph_of(data, np.full((9, 9, 3), 255, np.uint8)) is None
    opened = []
    monkeypatch.setattr(
        photographs,
        "_hash_of",
        lambda path, hash_of=photographs._hash_of: opened.append(path) or hash_of(path),
    )
    for seed in (0, 1, 99):
        photographs.photograph_of(data, np.asarray(photograph(seed)))
    assert len(opened) == len(data.labels)
