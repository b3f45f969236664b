"""Pictures of feature maps in the styles that people draw, and of what is none: what is told of each, and what is not."""

import io
import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image, ImageFilter
from sampled import sampled

from in4310.judging import drawn_maps
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.reference import reference_submission
from in4310.submission.folder import Submission
from in4310.submission.panels import panels_in

SHOWN = (2, 7, 12, 17, 22)  # of the images that are looked for


@pytest.fixture(scope="module")
def evidence():
    edition = load_edition("demo")
    data = resolve_data(edition, None)
    return Evidence(Submission(reference_submission(edition, data)), data, edition)


@pytest.fixture(scope="module")
def paths(evidence):
    """The first ten of the list that the shares are of, and of the sorted data set."""
    named = evidence.submission.non_positive["images"]
    return tuple(
        dict.fromkeys([*named[:10], *sorted(evidence.data.labels)[:10], *evidence.known("val")[:10]])
    )


def maps_of(evidence, path):
    """Module -> its maps of an image, float32 (C, h, w); '' is the photograph, uint8 (H, W, 3)."""
    loaded = evidence.images((path,))
    found = {}
    modules = dict(evidence.model.named_modules())
    hooks = [
        modules[name].register_forward_hook(
            lambda m, i, out, name=name: found.update({name: out[0].clone().numpy()})
        )
        for name in ("conv1", "layer1", "layer2", "layer1.0.conv1")
    ]
    with torch.inference_mode():
        for batch in evidence.batches(loaded)():
            evidence.model(batch)
    for hook in hooks:
        hook.remove()
    return found | {"": np.asarray(loaded.pixels)[0]}


@pytest.fixture(scope="module")
def several(evidence, paths):
    return {i: maps_of(evidence, paths[i]) for i in SHOWN}


@pytest.fixture(scope="module")
def maps(evidence, paths, several):
    """Of an image that is told from each of three pictures alone: which one, depends on what the network has learnt."""
    for i, m in several.items():
        alone = [grid(m["layer1"][:64], 8), grid(m["conv1"][:16], 4), grid(m["conv1"][16:32], 4)]
        found = [drawn_maps.images_shown(evidence, {3: [panels_in(picture)]}) for picture in alone]
        if found == [{3: paths[i]}] * len(alone):
            return m
    pytest.fail("none of these images is told from every picture")


def drawn(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80)
    return np.asarray(Image.open(stream).convert("RGB"))


def grid(fields, columns, cmap="viridis", title="Feature maps", one_scale=False, **how):
    """As with plt.subplots and imshow."""
    figure = Figure(figsize=(7, 7))
    scale = {"vmin": fields.min(), "vmax": fields.max()} if one_scale else {}
    for axes, field in zip(figure.subplots(columns, columns, squeeze=False).flat, fields, strict=False):
        axes.imshow(field, cmap=cmap, **scale, **how)
        axes.set_axis_off()
    figure.suptitle(title)
    return drawn(figure)


def levels(field):
    """As people scale a field to a picture of grey."""
    field = np.asarray(field, np.float64)
    return np.uint8(255 * (field - field.min()) / max(float(np.ptp(field)), 1e-9))


def sheet(fields, columns, gap, times=1, ground=0, invert=False):
    """As torchvision's make_grid: fields beside each other, with lines between them or none."""
    cells = [np.pad(255 - levels(f) if invert else levels(f), gap, constant_values=ground) for f in fields]
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    whole = np.concatenate(rows).repeat(times, axis=0).repeat(times, axis=1)
    return np.repeat(whole[:, :, None], 3, axis=2)


def with_a_scale(field, cmap):
    figure = Figure()
    axes = figure.subplots()
    figure.colorbar(axes.imshow(field, cmap=cmap), ax=axes)
    axes.set_title("mean over channels")
    return drawn(figure)


def beside_the_photograph(maps):
    figure = Figure(figsize=(12, 3))
    for axes, name in zip(figure.subplots(1, 4), ("", "conv1", "layer1", "layer2"), strict=True):
        axes.imshow(maps[name].mean(axis=0) if name else maps[name])
        axes.set_title(name or "input image")
    figure.tight_layout()
    return drawn(figure)


STYLES = {
    "8 x 8, a scale each": lambda m: grid(m["layer1"][:64], 8),
    "8 x 8, grey": lambda m: grid(m["layer1"][:64], 8, "gray"),
    "8 x 8, white is nothing, one scale": lambda m: grid(m["layer1"][:64], 8, "gray_r", one_scale=True),
    "4 x 4, blue to red": lambda m: grid(m["conv1"][:16], 4, "coolwarm"),
    "2 x 2": lambda m: grid(m["conv1"][:4], 2, "inferno"),
    "one channel as it is": lambda m: sheet(m["conv1"][5:6], 1, 0),
    "make_grid": lambda m: sheet(m["layer1"][:64], 8, 1),
    "make_grid, larger": lambda m: sheet(m["layer1"][:64], 8, 1, 4),
    "white lines, inverted": lambda m: sheet(m["conv1"][:16], 4, 2, 6, 255, invert=True),
    "no lines": lambda m: sheet(m["layer1"][:64], 8, 0),
}  # fmt: skip


@pytest.mark.parametrize("style", sampled(STYLES, every=5))
def test_maps_in_any_style_are_told_from_those_of_other_images(style, evidence, paths, several):
    """Each by itself: most of them, of one channel some; and never as another's."""
    told = []
    for i, maps in several.items():
        found = panels_in(STYLES[style](maps))
        assert not found.noise
        shown = drawn_maps.images_shown(evidence, {3: [found]})
        assert shown in ({}, {3: paths[i]})
        told.append(bool(shown))
    assert sum(told) >= (1 if style == "one channel as it is" else 4)


FAINT = {
    "4 x 4, jet, smooth": lambda m: grid(m["layer1"][:16], 4, "jet", interpolation="bilinear"),
    "mean over channels": lambda m: with_a_scale(m["layer1"].mean(axis=0), "gray"),
    "beside the photograph": beside_the_photograph,
}


@pytest.mark.parametrize("style", sampled(FAINT, every=5))
def test_pictures_that_are_faint_each_are_told_by_their_order(style, evidence, paths):
    """Ten images of the list that the shares are of, numbered from 1; those that are told stand where they should."""
    pictures = {i: [panels_in(FAINT[style](maps_of(evidence, path)))] for i, path in enumerate(paths[:10], 1)}
    found = drawn_maps.images_shown(evidence, pictures)
    assert len(found) >= 8
    assert found.items() <= dict(enumerate(paths, 1)).items()


def noise(*shape):
    return np.random.default_rng(8).integers(0, 255, shape, dtype=np.uint8)


OTHERS = {
    "noise": lambda m: noise(64, 64, 3),
    "coarse noise": lambda m: noise(16, 16, 3).repeat(8, axis=0).repeat(8, axis=1),
    "noise in 8 x 8": lambda m: grid(noise(64, 16, 16), 8),
    "the photograph": lambda m: m[""],
    "the photograph in colours of a map": lambda m: grid(m[""].mean(axis=2)[None], 1),
    "the photograph, negative, 4 x 4": lambda m: grid(np.array([255 - m[""].mean(axis=2)] * 16), 4, "gray"),
    "edges of the photograph": lambda m: grid(np.hypot(*np.gradient(m[""].mean(axis=2)))[None], 1, "gray"),
    "a slope": lambda m: grid(np.add.outer(np.arange(16), np.arange(16))[None], 1),
    "nothing": lambda m: np.full((100, 100, 3), 255, np.uint8),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_map_is_none_of_any_image(what, evidence, maps):
    found = panels_in(OTHERS[what](maps))
    assert drawn_maps.images_shown(evidence, {0: [found], 1: []}) == {}
    assert found.noise == (what == "noise")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 256]))
def test_panels_of_any_picture_are_few_and_of_one_size(height, width, seed, levels):
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3)).astype(np.uint8)
    small = panels_in(pixels).small
    assert small.dtype == np.uint8
    assert small.shape[1:] == (32, 32, 3)
    assert len(small) <= 128


def test_ranks_are_those_of_any_scale():
    values = torch.tensor([[[3.0, 1.0, 2.0], [2.0, 0.0, 9.0]]])
    for same in (values, values**3, -values, values / 7 - 2):
        ranks = drawn_maps.ranks_of(same)
        assert abs(float(ranks.values @ drawn_maps.ranks_of(values).values.T)) == pytest.approx(1)
        assert float(ranks.most / ranks.alone) == pytest.approx(np.log(720 / 2) / 6, rel=1e-4)
    assert float(drawn_maps.ranks_of(torch.zeros(1, 5, 5)).values.abs().sum()) == 0


def blurred(photograph):
    return np.asarray(Image.fromarray(photograph).filter(ImageFilter.GaussianBlur(2)))


def test_blurred_photographs_in_the_right_order_are_no_maps(evidence, paths):
    pictures = {i: [panels_in(blurred(maps_of(evidence, path)[""]))] for i, path in enumerate(paths[:10])}
    assert drawn_maps.images_shown(evidence, pictures) == {}


def test_where_others_are_explained_by_their_photographs_little_does_not_stand_out():
    """The others then are all 0, and say nothing of how far chance goes."""
    told = np.zeros((2, 64, 30))
    told[0, :, 3] = np.random.default_rng(0).exponential(20, 64) + 30  # the image shown
    told[1, 5, 8] = 7.0  # one panel of one size, by chance
    image, by = drawn_maps.stands_out(told)
    assert image == 3
    assert by > 1
    told[0] = 0
    assert drawn_maps.stands_out(told)[1] < 1


@pytest.fixture
def pictured(evidence, run_check, tmp_path):
    """Judge 2c of pictures under names: the recorder of the check."""

    def judged(pictures):
        folder = shutil.copytree(evidence.submission.folder, tmp_path / "submission", copy_function=os.link)
        shutil.rmtree(folder / "feature_maps")
        (folder / "feature_maps").mkdir()
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(folder / "feature_maps" / name)
        return run_check(
            "feature_map_pictures", Evidence(Submission(folder), evidence.data, evidence.edition)
        )

    return judged


def test_noise_under_the_right_names_earns_nothing(pictured):
    pictures = np.random.default_rng(0).integers(0, 255, (10, 64, 64, 3), dtype=np.uint8)
    judge = pictured({f"{i:03d}.png": pixels for i, pixels in enumerate(pictures)})
    assert judge.outcome is Outcome.FAILED
    assert judge.share(*Outcome) == 0
    assert "noise: no pixel is like its neighbours" in str(judge.findings)


@pytest.mark.slow
def test_each_picture_is_judged_by_itself(pictured, maps, several):
    """Maps, maps of the same image again and again, a photograph, and what nobody can tell: a share of 2c each."""
    pictures = [
        grid(maps["layer1"][:64], 8),
        grid(maps["conv1"][:16], 4),
        grid(maps["conv1"][16:32], 4),
        several[17][""],  # a scene with little of one colour, which a drawing has
    ]
    pictures += [grid(noise(64, 16, 16)[i:], 6) for i in range(6)]
    judge = pictured({f"map_{i}_of_10.png": pixels for i, pixels in enumerate(pictures)})
    assert judge.share(Outcome.PASSED) == pytest.approx(0.1)
    assert judge.share(Outcome.OPEN) == pytest.approx(0.6)
    said = str(judge.findings)
    assert "again, as map_0_of_10.png" in said
    assert "a photograph of the data set" in said
    assert judge.rests_on == "stated only"


def test_of_two_pictures_that_are_taken_for_one_image_none_is_lost(pictured, maps):
    """One of them may be mistaken."""
    pictures = [grid(maps["layer1"][:64], 8), grid(maps["conv1"][:16], 4)]
    judge = pictured({f"map_{i}_of_2.png": pixels for i, pixels in enumerate(pictures)})
    assert judge.share(Outcome.OPEN) == pytest.approx(0.2)
    assert "again" not in str(judge.findings)
