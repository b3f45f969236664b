"""Faults of feature maps, spectra and pictures, each built from the reference."""

import pytest
from judging.changes import failed, missing, read, replace

from in4310.judging import statistics
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import GOOD, Outcome
from in4310.submission.folder import Submission

pytestmark = pytest.mark.filterwarnings("ignore")


# -- feature maps and spectra ----------------------------------------------------------------------


def change_percent(folder, edit):
    table = read(folder / "non_positive.json")
    edit(table)
    replace(folder / "non_positive.json", table)


def positive_share(table):
    table["percent"] = {name: 100 - value for name, value in table["percent"].items()}


def share_of_one(table):
    table["percent"] = {name: value / 100 for name, value in table["percent"].items()}


def repeated_images(table):
    table["images"] = table["images"][:64] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (positive_share, {"non_positive_recomputed"}, "positive values"),
        (share_of_one, {"non_positive_recomputed"}, "share of 1"),
        (repeated_images, {"non_positive_in_range"}, "same images"),
        (lambda t: t["percent"].update(layer9=5.0), {"modules_named"}, "layer9"),
        (
            lambda t: t["percent"].update(layer1=-3.0),
            {"non_positive_in_range", "non_positive_recomputed"},
            "layer1",
        ),
    ],
)
def test_faults_of_the_non_positive_share(folder, outcomes, edit, fails, says):
    change_percent(folder, edit)
    found = outcomes(folder, "modules_named", "non_positive_in_range", "non_positive_recomputed")
    assert failed(found) >= fails
    if edit is not repeated_images:
        assert failed(found) == fails
    text = " ".join(
        j.reason + j.mistake + " ".join(f.asked + f.found + " ".join(f.details) for f in j.findings)
        for j in found.values()
    )
    assert says in text


def change_values(folder, edit, only=None):
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        if only is None or (series["model"], series["data"]) == only:
            for module in series["modules"].values():
                module["values"] = edit(module["values"], len(series["paths"]))
                del module["total_variance"]
    replace(folder / "eigenvalues.json", table)


SPECTRUM_CHECKS = (
    "eigenvalues_valid",
    "eigenvalues_recomputed",
    "comparison_complete",
    "comparison_recomputed",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (
            lambda v, n: v[::-1],
            {"eigenvalues_valid", "eigenvalues_recomputed", "comparison_recomputed"},
            "ascending",
        ),
        (
            lambda v, n: [x**0.5 for x in v],
            {"eigenvalues_recomputed", "comparison_recomputed"},
            "square roots",
        ),
        (lambda v, n: [x * n for x in v], {"eigenvalues_recomputed", "comparison_recomputed"}, "not divided"),
        (
            lambda v, n: [-x for x in v],
            {"eigenvalues_valid", "eigenvalues_recomputed", "comparison_recomputed"},
            "",
        ),
        (lambda v, n: [x * n / (n - 1) for x in v], set(), ""),
        (lambda v, n: v[:5], set(), ""),
    ],
)
def test_faults_and_variants_of_the_spectra(folder, outcomes, edit, fails, says):
    change_values(folder, edit)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == fails, {n: j.reason for n, j in found.items()}
    assert says in " ".join(j.reason + j.mistake for j in found.values())


@pytest.mark.slow
def test_the_same_network_in_all_panels(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    by_key = {(s["model"], s["data"]): s for s in table["series"]}
    by_key["untuned", "course"]["modules"] = by_key["tuned", "course"]["modules"]
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == {"comparison_complete", "comparison_recomputed"}
    assert "same network" in found["comparison_complete"].mistake


@pytest.mark.slow
def test_one_data_set_where_three_are_compared(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    table["series"] = [s for s in table["series"] if s["data"] == "course"]
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == {"comparison_complete", "comparison_recomputed"}  # a share of what was asked for


def test_many_paths_of_one_image_are_one_image(folder, outcomes):
    """U2: `v0/sea/1.jpg` and `v1/sea/1.jpg` are one file, and so are other ways to write one path."""
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        folder_of, name = series["paths"][0].split("/")
        ways = "v{0}/{1}/{2}" if series["data"] == "course" else "{1}/{3}{2}"
        series["paths"] = [ways.format(i, folder_of, name, "./" * i) for i in range(200)]
        for module in series["modules"].values():
            module["values"], module["total_variance"] = [0.0] * 200, 0.0
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == set(SPECTRUM_CHECKS)
    assert all(judge.share(*GOOD) < 0.21 for judge in found.values())  # one value of five in each module
    counted = {
        f.asked: f.found
        for name in ("eigenvalues_recomputed", "comparison_complete")
        for f in found[name].findings
    }
    assert counted["different images"] == "1"
    assert [counted[f"untuned network on {data}"] for data in ("course", "shapes", "tiny")] == [
        "1 images"
    ] * 3


def test_a_path_that_leads_out_of_the_comparison_data_is_refused(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    series = next(s for s in table["series"] if s["data"] == "shapes")
    series["paths"][0] = "../../../etc/passwd"
    replace(folder / "eigenvalues.json", table)
    assert (
        "not an image of shapes"
        in missing(outcomes(folder, "comparison_recomputed"))["comparison_recomputed"]
    )


# -- pictures --------------------------------------------------------------------------------------


def test_blank_absent_and_repeated_pictures(folder, outcomes):
    from PIL import Image

    maps = folder / "feature_maps"
    (maps / "003.png").unlink()
    Image.new("RGB", (300, 300), "white").save(maps / "003.png")
    judge = outcomes(folder, "feature_map_pictures")["feature_map_pictures"]
    assert judge.outcome is Outcome.FAILED
    assert "one colour" in " ".join(judge.findings[1].details)
    for file in list(maps.glob("*.png"))[1:]:
        file.unlink()
    assert "one picture for all" in outcomes(folder, "feature_map_pictures")["feature_map_pictures"].mistake


def test_a_blank_loss_curve(folder, outcomes):
    from PIL import Image

    plot = folder / "plots" / "loss_curves.png"
    plot.unlink()
    Image.new("L", (640, 480), 255).save(plot)
    assert failed(outcomes(folder, "loss_curves", "spectrum_plot")) == {"loss_curves"}


VECTORS = {
    "loss.svg": (b" " * 501, Outcome.FAILED),
    "loss curves.svg": (b"<svg>" + b"\n\t" * 5000 + b"</svg>", Outcome.FAILED),
    "loss.pdf": (b"%PDF-" + b" \0" * 500, Outcome.FAILED),
    "loss of text.pdf": (b"the losses fall. " * 60, Outcome.FAILED),
    "loss_curves.svg": (b'<svg><path d="' + b"M0 0h9" * 100 + b'"/></svg>', Outcome.OPEN),
    "loss_curves.pdf": (b"%PDF-1.7" + b" 1 0 obj" * 100, Outcome.OPEN),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_plot_that_is_not_drawn_here_is_the_teachers_and_a_blank_one_nobodys(folder, outcomes, name):
    """U5: nothing is earned by the size of a file."""
    content, outcome = VECTORS[name]
    (folder / "plots" / "loss_curves.png").unlink()
    (folder / "plots" / name).write_bytes(content)
    judge = outcomes(folder, "loss_curves")["loss_curves"]
    assert judge.outcome is outcome, judge.reason


# -- images that are not named ------------------------------------------------------------------------


def taken(evidence, which):
    """The first 200 of a list of images, as a loader gives them that is not shuffled."""
    lists = {"train, sorted": sorted(evidence.known("train")), "test": evidence.known("test")}
    return tuple(lists[which][:200])


@pytest.mark.slow
@pytest.mark.parametrize("which", ["train, sorted", "test"])
def test_figures_over_the_first_images_that_are_not_named(folder, outcomes, which):
    """They are right by those images; what none of the usual ones gives is the teacher's to judge, and earns nothing."""
    edition = load_edition("demo")
    evidence = Evidence(Submission(folder), resolve_data(edition, None), edition)
    table, record = read(folder / "non_positive.json"), read(folder / "eigenvalues.json")
    (own,) = [s for s in record["series"] if (s["model"], s["data"]) == ("tuned", "course")]
    paths, modules = taken(evidence, which), list(table["percent"])
    shares = statistics.non_positive(evidence, paths, modules)
    spectra = statistics.spectra(evidence, "tuned", "course", paths, list(own["modules"]), False)
    modules = {name: {"values": found.values[:20].tolist()} for name, found in spectra.items()}
    names = ("non_positive_recomputed", "eigenvalues_recomputed")
    for off, outcome in ((0, Outcome.PASSED), (1.0, Outcome.OPEN)):
        series = {"model": "tuned", "data": "course", "modules": {
            name: {"values": [(1 + off) * v for v in one["values"]]} for name, one in modules.items()}}  # fmt: skip
        replace(
            folder / "non_positive.json",
            {"images": 200, "percent": {n: v * (1 + off / 3) for n, v in shares.items()}},
        )
        replace(folder / "eigenvalues.json", {"series": [series]})
        found = outcomes(folder, *names)
        assert failed(found) == set()
        assert all(j.outcome is outcome or (not off and j.outcome is Outcome.WARNED) for j in found.values())
