"""Every check shows what it looked at, also where it fails; what a submission wrote stays within its picture."""

import dataclasses
import io
import json
import shutil
import xml.etree.ElementTree as ET
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from in4310.judging import pictures, plots
from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.pictures import PICTURES, SVG_BYTES, attach
from in4310.judging.session import Session
from in4310.judging.verdict import Outcome
from in4310.solution.drawing.style import encoded
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing

pytestmark = pytest.mark.filterwarnings("ignore")
SHOWN = {  # check -> kinds of the pictures that it attaches to work that is right
    "split_stratified": ["svg"],
    "metrics_accuracy": ["svg"],
    "metrics_accuracy_per_class": ["svg"],
    "metrics_average_precision": ["svg"],
    "accuracy_threshold": ["svg"],
    "best_on_validation": ["svg"],
    "loss_curves": ["jpg"],
    "scores_reproduce": ["svg", "svg"],
    "ranking_order": ["jpg"] * 4,
    "non_positive_recomputed": ["svg"],
    "feature_map_pictures": ["jpg"],
    "eigenvalues_recomputed": ["svg"],
    "spectrum_plot": ["jpg"],
    "comparison_recomputed": ["svg"],
}
HOSTILE = "</svg><script>alert(1)</script>--><![CDATA[ \x1b[31m \u202e $\\frac{1}{$"


@pytest.fixture
def draw(draw_check, edition, data):
    def judge(folder, check):
        return draw_check(check, Evidence(Submission(folder, hints(edition, data)), data, edition))

    return judge


def rewrite(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.unlink()  # a hard link to the reference's
    path.write_text(json.dumps(document))


def harmless(content, suffix):
    """Nothing but outlines, or pixels that can be opened."""
    if suffix != "svg":
        with Image.open(io.BytesIO(content)) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
        return
    root = ET.fromstring(content)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "defs", "style", "g", "path", "use", "clipPath", "rect", "image", "pattern"}
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name.endswith("href"):
                assert value.startswith(("#", "data:image/png;base64,"))


@pytest.mark.parametrize(
    "check", [pytest.param(c, marks=pytest.mark.slow) if i % 3 else c for i, c in enumerate(SHOWN)]
)
def test_right_work_is_shown_with_its_figures(draw, reference, check):
    judge = draw(reference, check)
    assert [p.file.removeprefix(".") for p, _ in judge.pictures] == SHOWN[check]
    for picture, content in judge.pictures:
        assert len(picture.caption) > 30
        if check not in ("loss_curves", "spectrum_plot"):
            assert any(ch.isdigit() for ch in picture.alt), picture.alt
        assert len(content) < 400_000
        harmless(content, picture.file.removeprefix("."))


def test_a_wrong_figure_is_named_in_the_text_beside_its_picture(draw, folder):
    rewrite(folder / "metrics.json", lambda d: d["test"]["ap_per_class"].update(sea=0.1234))
    judge = draw(folder, "metrics_average_precision")
    ((picture, content),) = judge.pictures
    assert "13 of 14 figures agree" in picture.alt
    assert "Test sea 0.1234 handed in" in picture.alt
    harmless(content, "svg")


def test_the_right_images_stand_below_a_wrong_ranking(draw, folder):
    before = {p.caption: c for p, c in draw(folder, "ranking_order").pictures}
    rewrite(folder / "ranking.json", lambda d: d["sea"].update(top=d["sea"]["bottom"]))
    judge = draw(folder, "ranking_order")
    assert judge.outcome is Outcome.FAILED
    first, content = judge.pictures[0]
    assert first.caption.startswith("Top of sea"), "what is wrong comes first"
    assert "10 of 10 out of place, the right first is sea/" in first.alt
    height = {caption.split(":")[0]: Image.open(io.BytesIO(c)).height for caption, c in before.items()}
    assert Image.open(io.BytesIO(content)).height > 1.8 * height["Top of sea"]
    assert len(judge.pictures) <= PICTURES


@pytest.mark.slow
def test_spectra_that_differ_say_by_how_much(draw, folder):
    def double(document):
        for series in document["series"]:
            if (series["model"], series["data"]) == ("tuned", "course"):
                entry = series["modules"]["layer4"]
                entry["values"] = [2 * v for v in entry["values"]]

    rewrite(folder / "eigenvalues.json", double)
    ((picture, _),) = draw(folder, "eigenvalues_recomputed").pictures
    assert "layer4 largest difference 1.0e+00" in picture.alt
    assert picture.alt.endswith("Not: layer4.")


def test_altered_scores_are_counted(draw, folder):
    scores = np.load(folder / "scores_test.npy")
    scores[:3] = scores[:3, ::-1]
    (folder / "scores_test.npy").unlink()
    np.save(folder / "scores_test.npy", scores)
    picture, _ = draw(folder, "scores_reproduce").pictures[0]
    assert "3 beyond the tolerance of 0.001" in picture.alt


def test_what_is_there_is_shown_where_a_piece_is_missing(draw_check, folder, edition, data):
    """Curves without weights: the check is not run, and the record has its picture all the same."""
    (folder / "model.pth").unlink()
    evidence = Evidence(Submission(folder), data, edition)
    judge = Judge()
    with pytest.raises(Missing) as why:
        draw_check.functions["best_on_validation"](evidence, edition, judge)
    session = Session(edition)
    check = session.not_run("best_on_validation", "title", why.value, judge)
    assert [p.file for p in check.pictures] == ["pictures/best_on_validation-1.svg"]
    assert set(session.pictures) == {"pictures/best_on_validation-1.svg"}
    assert "best on validation at epoch" in check.pictures[0].alt
    assert "star" not in check.pictures[0].alt


def test_texts_of_a_submission_stay_outlines(draw, folder):
    run = next((folder / "history").glob("*.json"))
    run.rename(folder / "history" / (HOSTILE.replace("/", "|") + ".json"))
    rewrite(folder / "non_positive.json", lambda d: d["percent"].update({HOSTILE: 3.0}))
    shutil.copy(folder / "plots" / "loss_curves.png", folder / "plots" / "loss <b onclick=x>$_$.png")
    for check in ("best_on_validation", "non_positive_recomputed", "loss_curves"):
        judge = draw(folder, check)
        assert judge.pictures
        for picture, content in judge.pictures:
            harmless(content, picture.file.removeprefix("."))
            assert b"script" not in content
            assert b"onclick" not in content
            assert "\x1b" not in picture.alt + picture.caption


def test_a_picture_handed_in_is_encoded_anew(draw, folder, tmp_path):
    """Whatever a file carries besides its pixels stays behind."""
    secret = b"<?php steal(); ?>"
    for file in (folder / "feature_maps").iterdir():
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content + secret)
    ((_, content),) = draw(folder, "feature_map_pictures").pictures
    assert content.startswith(b"\xff\xd8\xff")
    assert secret not in content


def test_looking_at_a_picture_gives_its_colours_on_white(tmp_path):
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:, :30] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    submission = Submission(tmp_path)
    seen = submission.look(tmp_path / "p.png")
    assert seen.why == ""
    assert [tuple(seen.pixels[5, x]) for x in (5, 50)] == [(255, 0, 0), (255, 255, 255)]
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "blue.png")
    assert submission.look(tmp_path / "blue.png").why == "one colour"
    (tmp_path / "no.png").write_bytes(b"nothing")
    nothing = submission.look(tmp_path / "no.png")
    assert nothing.pixels is None
    assert "not a readable picture" in nothing.why


def test_a_check_attaches_few_pictures_and_a_large_svg_becomes_a_png():
    judge = Judge()
    row = plots.Row("sea", 0.5, 0.6, 0.01)
    for _ in range(PICTURES + 3):
        attach(judge, partial(plots.compared, {"Test": [row]}), "caption", "alt")
    assert len(judge.pictures) == PICTURES
    many = np.geomspace(10, 1e-3, 400)
    pairs = {f"layer{i}": plots.SpectrumPair(many * 1.7, many, good=False) for i in range(6)}
    long = {name * 6: dataclasses.replace(pair) for name, pair in pairs.items()}
    judge = Judge()
    attach(judge, partial(plots.compared_spectra, long, 1e-3), "caption", "alt")
    ((picture, content),) = judge.pictures
    assert picture.file == (".svg" if content.startswith(b"<?xml") else ".png")
    assert len(content) < SVG_BYTES * 2


def test_what_is_drawn_again_is_remembered_and_what_differs_is_not(monkeypatch):
    monkeypatch.setattr(pictures, "REMEMBERED", 2)
    monkeypatch.setattr(pictures, "_drawn", {})
    drawn = []
    monkeypatch.setattr(pictures, "encoded", lambda figure, kind: drawn.append(kind) or encoded(figure, kind))

    def content(claimed, photographs=False):
        judge = Judge()
        rows = {"Test": [plots.Row("sea", claimed, 0.6, 0.01)]}
        attach(judge, partial(plots.compared, rows), "caption", "alt", photographs)
        return judge.pictures[0][1]

    first = content(0.5)
    assert (
        first == content(0.5) == encoded(plots.compared({"Test": [plots.Row("sea", 0.5, 0.6, 0.01)]}), "svg")
    )
    assert len(drawn) == 1
    assert len({first, content(0.5 + 1e-3), content(None), content(0.5, True)}) == 4
    assert content(0.5) == first, "forgotten, and drawn anew"
    assert (len(drawn), len(pictures._drawn)) == (5, 2)


numbers = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 1e308, 1e-320]))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=6), st.lists(numbers, min_size=1, max_size=6))
def test_whatever_numbers_were_handed_in_are_drawn(claimed, low):
    claimed, ours = np.array(claimed), np.abs(np.nan_to_num(np.array(low), posinf=1.0, neginf=1.0))
    pairs = {"a": plots.SpectrumPair(claimed, ours), "b": plots.SpectrumPair(claimed, range=(ours, ours * 2))}
    encoded(plots.compared_spectra(pairs, 1e-3), "svg")
    matrix = np.tile(claimed, (3, 1))
    encoded(plots.score_differences(matrix, np.full_like(matrix, 0.5), 1e-3), "svg")
    encoded(plots.row_sums(matrix, 1e-3), "svg")
    finite = [float(v) for v in claimed if np.isfinite(v)]
    rows = [plots.Row("x", v, None, 0.1) for v in finite] + [plots.Row("y", None, 0.5, 0.1)]
    encoded(plots.compared({"Test": rows}), "svg")
