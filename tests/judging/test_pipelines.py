"""Other people's ways of preparing an image: torchvision's own transforms are the oracle, on images of every kind."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import transforms as v1

from in4310.errors import InputError
from in4310.judging.pipelines import Pipeline, decoded, peculiar, pipeline, shaped, stated
from in4310.judging.preprocessing import infer, settle
from in4310.solution import scores
from in4310.solution.images import Preprocessing, load_comparison, load_images

SHAPES = [(90, 61), (40, 75), (64, 64), (33, 120)]  # width, height
MODES = ("nearest", "bilinear", "bicubic")


def scene(width, height, seed=0):
    """Smooth colours with some noise, as photographs are."""
    small = np.random.RandomState(seed).randint(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noise = np.random.RandomState(seed).randint(-25, 26, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("made", [v1, v2], ids=["v1", "v2"])
def test_what_torchvision_does_to_pil_images(made, mode, shape):
    image, filtered = scene(*shape), InterpolationMode(mode)
    cases = {
        "squash": [made.Resize((48, 48), filtered)],
        "shorter": [made.Resize(56, filtered), made.CenterCrop(48)],
        "none": [made.CenterCrop(48)],
    }
    for fit, steps in cases.items():
        resize = 56 if fit == "shorter" else 48
        ours = shaped(np.asarray(image), Pipeline(size=48, resize=resize, interpolation=mode, fit=fit))
        np.testing.assert_array_equal(ours, np.asarray(made.Compose(steps)(image)), fit)
    squashed = made.Compose([made.Resize((56, 56), filtered), made.CenterCrop(48)])(image)
    ours = shaped(np.asarray(image), Pipeline(size=48, resize=56, interpolation=mode, fit="squash"))
    np.testing.assert_array_equal(ours, np.asarray(squashed))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("antialias", [True, False], ids=["antialias", "plain"])
def test_what_torchvision_does_to_tensors(antialias, mode, shape):
    pixels = torch.from_numpy(np.array(scene(*shape))).permute(2, 0, 1)
    how = {"interpolation": InterpolationMode(mode), "antialias": antialias}
    for fit, resize in (("squash", v2.Resize((48, 48), **how)), ("shorter", v2.Resize(48, **how))):
        ours = {
            library: shaped(
                pixels.permute(1, 2, 0).numpy(),
                Pipeline(
                    size=48, resize=48, interpolation=mode, antialias=antialias, fit=fit, library=library
                ),
            )
            for library in ("tensor", "float")
        }
        theirs = v2.CenterCrop(48)(resize(pixels)).permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours["tensor"], theirs, fit)
        floats = v2.CenterCrop(48)(resize(pixels.float() / 255)).permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours["float"] / 255, floats, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_pil_does(shape):
    image = scene(*shape)
    way = Pipeline(size=48, resize=48, interpolation="bicubic")
    for fit, made in (("longer", ImageOps.pad(image, (48, 48))), ("cropped", ImageOps.fit(image, (48, 48)))):
        np.testing.assert_array_equal(
            shaped(np.asarray(image), pipeline(way, fit=fit)), np.asarray(made), fit
        )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("pad", "fill", "how"), [("black", 0, "constant"), ("white", 255, "constant"),
                                                  ("edge", 0, "edge"), ("reflect", 0, "reflect")])  # fmt: skip
def test_what_is_padded_to_a_square_first(shape, pad, fill, how):
    image, longest = scene(*shape), max(shape)
    left, top = ((longest - n) // 2 for n in shape)
    right, bottom = longest - shape[0] - left, longest - shape[1] - top
    steps = v1.Compose([v1.Pad((left, top, right, bottom), fill, how), v1.Resize((48, 48))])
    ours = shaped(np.asarray(image), Pipeline(size=48, resize=48, fit="padded", pad=pad))
    np.testing.assert_array_equal(ours, np.asarray(steps(image)))


def test_opencv_area_is_the_mean_over_what_a_pixel_covers():
    """Documented of INTER_AREA: of whole factors plain means; of others weighted by overlap, so that means are kept."""
    pixels = np.asarray(scene(96, 48))
    way = Pipeline(size=24, resize=24, fit="squash", library="OpenCV", interpolation="area")
    means = pixels.reshape(24, 2, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(shaped(pixels, way) - means).max() <= 0.5
    other = shaped(np.asarray(scene(90, 61)), way)
    assert np.abs(other.mean(axis=(0, 1)) - np.asarray(scene(90, 61)).mean(axis=(0, 1))).max() < 0.5


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_opencv_does_as_tensors_of_floats_without_antialiasing_and_rounds(mode):
    pixels = np.asarray(scene(90, 61))
    way = Pipeline(size=48, resize=48, fit="squash", interpolation=mode, antialias=False, library="OpenCV")
    tensor = shaped(pixels, pipeline(way, library="float")).clip(0, 255)
    assert np.abs(shaped(pixels, way).astype(float) - tensor).max() <= 0.51


def test_what_a_file_says_of_itself(tmp_path):
    """Grey, transparent and turned images: as PIL converts them, on a ground, turned or not; and they are recognised."""
    scene(64, 64).convert("L").save(tmp_path / "grey.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    scene(90, 61).save(tmp_path / "turned.jpg", exif=turned)
    clear = scene(64, 64)
    clear.putalpha(Image.linear_gradient("L").resize((64, 64)))
    clear.save(tmp_path / "clear.png")
    scene(64, 64).save(tmp_path / "plain.jpg")
    marks = {
        n: peculiar(tmp_path, n) for n in ("grey.jpg", "turned.jpg", "clear.png", "plain.jpg", "none.jpg")
    }
    assert marks == {"grey.jpg": set(), "turned.jpg": {"shape", "exif"}, "clear.png": {"alpha"}, "plain.jpg": set(), "none.jpg": set()}  # fmt: skip

    def look(name, **how):
        with Image.open(tmp_path / name) as image:
            return decoded(image, Pipeline(**how))

    assert look("grey.jpg").shape == (64, 64, 3)
    assert look("turned.jpg").shape == (61, 90, 3)
    with Image.open(tmp_path / "turned.jpg") as image:
        np.testing.assert_array_equal(
            look("turned.jpg", exif=True), np.asarray(ImageOps.exif_transpose(image))
        )
    with Image.open(tmp_path / "clear.png") as image:
        np.testing.assert_array_equal(look("clear.png"), np.asarray(image.convert("RGB")))
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        assert np.abs(look("clear.png", alpha="white").astype(int) - np.asarray(white)).max() <= 1


def test_a_pipeline_that_says_nothing_more_is_the_solutions(tmp_path):
    scene(90, 61).save(tmp_path / "a.png")
    plain = Preprocessing(size=48, resize=56)
    assert type(pipeline(Pipeline(size=48, resize=56))) is Preprocessing
    one, _ = load_images(tmp_path, ["a.png"], None, (), plain)
    other, _ = load_images(tmp_path, ["a.png"], None, (), Pipeline(size=48, resize=56))
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_what_cannot_be_read_is_left_out_and_named(tmp_path):
    scene(9, 6).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    found, problems = load_images(tmp_path, ["a.png", "b.png"], None, (), Pipeline(size=8, fit="squash"))
    assert found.paths == ("a.png",)
    assert set(problems.unreadable) == {"b.png"}


def test_what_is_stated():
    assert stated({}) == Preprocessing()
    assert stated({"size": 64}) == stated({"resize": 64}) == Preprocessing(size=64, resize=64)
    assert stated({"resize": [64, 64]}) == Pipeline(size=64, resize=64, fit="squash")
    assert stated({"size": 64, "resize": [72, 72], "mean": [0.5, 0.5, 0.5]}) == Pipeline(
        size=64, resize=72, fit="squash", mean=(0.5, 0.5, 0.5)
    )


@pytest.mark.parametrize("table", [{"fits": "squash"}, {"fit": "stretch"}, {"library": "skimage"}, {"pad": 3}, {"alpha": "blue"},
                                   {"library": "OpenCV", "interpolation": "lanczos"}, {"interpolation": "area"}, {"fit": ["squash"]},
                                   {"antialias": "no"}, {"exif": 1}, {"resize": [64, 32]}, {"std": [0, 1, 1]}, {"size": 10**6}])  # fmt: skip
def test_an_unknown_word_is_told_in_one_line_with_what_there_is(table):
    with pytest.raises(InputError) as caught:
        stated(table)
    assert next(reversed(table)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "use " in str(caught.value) or "expected" in str(caught.value)


class Edges(torch.nn.Module):
    """Six numbers that a pixel's size, place and neighbours move, as they move a network's scores."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 24, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(24, 24, 5, stride=2),
            torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten(), torch.nn.Linear(216, 6),
        )  # fmt: skip

    def forward(self, images):
        return 30 * self.layers(images)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Images of which some are not square, grey, turned by EXIF or transparent: their folder and names."""
    root = tmp_path_factory.mktemp("odd")
    turned = Image.Exif()
    turned[0x0112] = 6
    for number in range(24):
        image = scene(*((90, 61) if number % 6 == 1 else (80, 80)), seed=number)
        if number % 6 == 2:
            image = image.convert("L")
        if number % 6 == 3:
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        extra = {"exif": turned} if number % 6 == 4 else {}
        image.save(root / f"{number}.png", **extra)
    return root, tuple(f"{number}.png" for number in range(24))


SIXTY = {"size": 64, "resize": 64}
WAYS = [SIXTY, {**SIXTY, "fit": "squash"}, {"size": 224, "resize": 256, "fit": "squash"}, {**SIXTY, "fit": "longer"},
        {**SIXTY, "fit": "padded", "pad": "white"}, {**SIXTY, "fit": "cropped"}, {**SIXTY, "fit": "squash", "alpha": "white"},
        {**SIXTY, "fit": "squash", "exif": True, "library": "OpenCV", "interpolation": "area", "antialias": False},
        {**SIXTY, "fit": "squash", "antialias": False}]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda w: "-".join(map(str, w.values())))
def test_the_way_that_gives_the_scores_is_found_whatever_the_images(odd, way):
    """By few images, and then it gives all of them within the check's tolerance: no draw of rows matters."""
    root, names = odd
    model, labels, classes = Edges().eval(), dict.fromkeys(names, "a"), ("a", "b", "c", "d", "e", "f")

    def given(preprocessing):
        return scores.predict(
            model, load_images(root, names, labels, classes, preprocessing)[0], preprocessing
        )

    way = pipeline(Preprocessing(), **way)
    made = given(way).astype(np.float64)
    found = infer(model, made, names, root, labels, classes)
    assert found.fits
    settled = settle(model, found.preprocessing, [(made, names)], root, labels, classes)
    assert np.abs(given(settled) - made).max() <= 1e-3


@pytest.mark.parametrize("library", ["PIL", "float"])
def test_comparison_images_and_kept_ones_are_prepared_alike(tmp_path, library):
    scene(90, 61).save(tmp_path / "a.png")
    way = Pipeline(size=8, resize=8, fit="squash", library=library)
    one, _ = load_images(tmp_path, ["a.png"], None, (), way)
    assert one.pixels.dtype == way.pixel_type
    other, _ = load_comparison(tmp_path, ["a.png"], way)
    for _ in range(2):  # made, and found
        kept, _ = load_images(tmp_path, ["a.png"], None, (), way, tmp_path / "cache")
        np.testing.assert_array_equal(one.pixels, kept.pixels)
    np.testing.assert_array_equal(one.pixels, other.pixels)
    usual, _ = load_comparison(tmp_path, ["a.png"], Preprocessing(size=8, resize=8))
    assert (one.pixels != usual.pixels).any()
