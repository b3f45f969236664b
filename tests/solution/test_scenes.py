"""The embedded data: the same bytes for the same seed, in proportion, drawn whole or not at all, and not trivial."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from in4310.errors import InputError
from in4310.solution.images import find_images
from in4310.solution.scenes import scenes


def digests(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*.jpg")
    }


@given(st.integers(0, 20_000))
def test_class_sizes_are_exact_and_in_proportion(images):
    sizes = scenes.class_sizes(images)
    assert list(sizes) == list(scenes.CLASSES)
    assert sum(sizes.values()) == images
    whole = sum(scenes.COURSE_SIZES.values())
    assert all(abs(sizes[c] - images * n / whole) < 1 for c, n in scenes.COURSE_SIZES.items())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first = digests(scenes.make_scenes(tmp_path / "a", images=18, seed=3))
    again = digests(scenes.make_scenes(tmp_path / "b", images=18, seed=3))
    other = digests(scenes.make_scenes(tmp_path / "c", images=18, seed=4))
    assert first == again
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())


def test_an_image_does_not_depend_on_how_many_are_drawn(tmp_path):
    few = digests(scenes.make_scenes(tmp_path / "few", images=12, seed=3))
    many = digests(scenes.make_scenes(tmp_path / "many", images=30, seed=3))
    assert few.items() <= many.items()


@pytest.mark.parametrize("label", scenes.CLASSES)
def test_a_scene_is_a_picture_of_its_own(label):
    drawn = [scenes.render(label, np.random.default_rng(i)) for i in range(6)]
    for picture in drawn:
        assert picture.shape == (150, 150, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 4
    assert len({p.tobytes() for p in drawn}) == 6


def test_files_are_150_pixel_jpegs_in_class_folders(tmp_path):
    root = scenes.make_scenes(tmp_path / "s", images=12)
    labels = find_images(root)
    assert set(labels.values()) == set(scenes.CLASSES)
    for path in labels:
        with Image.open(root / path) as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (150, 150), "RGB")


def test_a_complete_set_is_used_again_and_other_files_are_left_alone(tmp_path):
    root = scenes.make_scenes(tmp_path / "s", images=12)
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*.jpg")}
    assert scenes.make_scenes(tmp_path / "s", images=12) == root
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.jpg")} == before
    with pytest.raises(InputError, match="choose another folder"):
        scenes.make_scenes(tmp_path / "s", images=13)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.jpg")} == before


def test_an_interrupted_drawing_leaves_no_half_set(tmp_path, monkeypatch):
    real = scenes.render
    calls = []

    def stops(label, rng):
        calls.append(label)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(label, rng)

    monkeypatch.setattr(scenes, "render", stops)
    with pytest.raises(KeyboardInterrupt):
        scenes.make_scenes(tmp_path / "s", images=12)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(scenes, "render", real)
    assert len(find_images(scenes.make_scenes(tmp_path / "s", images=12))) == 12


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(InputError, match="at least 6 images"):
        scenes.make_scenes(tmp_path / "s", images=5)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        scenes.make_scenes(tmp_path / "file" / "s", images=6)


@pytest.mark.parametrize(("kind", "sizes"), [("shapes", None), ("tiny", {(32, 32)})])
def test_stand_ins_for_the_comparison(tmp_path, kind, sizes):
    root = scenes.make_comparison(tmp_path / kind, kind, images=12)
    files = sorted(root.rglob("*.jpg"))
    assert len(files) == 12
    found = set()
    for file in files:
        with Image.open(file) as picture:
            found.add(picture.size)
    assert found == sizes if sizes else len(found) > 1
    assert len(set(digests(root).values())) == 12


@pytest.mark.slow
def test_a_linear_model_on_the_pixels_is_not_enough(tmp_path):
    """Under 0.60 at any of three regularisations: the embedded data is not trivial."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from in4310.solution.splits import stratified_split

    root = scenes.make_scenes(tmp_path / "s")
    labels = find_images(root)
    split = stratified_split(labels, test=211, val=141)

    def pixels(paths):
        rows = []
        for path in paths:
            with Image.open(root / path) as picture:
                rows.append(
                    np.asarray(picture.resize((32, 32), Image.Resampling.BOX), np.float64).ravel() / 255
                )
        return np.stack(rows)

    train, test = pixels(split.train), pixels(split.test)
    for strength in (1e-4, 1e-3, 1e-2):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        model.fit(train, [labels[p] for p in split.train])
        accuracy = model.score(test, [labels[p] for p in split.test])
        print(f"linear model on 32 x 32 pixels, C = {strength:g}: {accuracy:.3f}")
        assert accuracy < 0.60


def test_no_partial_folder_has_the_final_name(tmp_path):
    root = scenes.make_scenes(tmp_path / "s", images=6)
    assert list(tmp_path.iterdir()) == [root]
