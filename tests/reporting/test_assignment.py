"""The report of the assignment: every figure from the submission's files, one page, nothing replaced, nothing believed."""

import html
import json
import os
import re
import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from in4310.cli import cli
from in4310.errors import InputError
from in4310.reporting import printing
from in4310.reporting.assignment_page import render, write_assignment
from in4310.reporting.assignment_reading import read_assignment
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints

REQUIREMENTS = [f"1{c}" for c in "abcdefghij"] + [f"2{c}" for c in "abc"] + ["3a", "3b"]


@pytest.fixture
def handed_in(reference, tmp_path):
    """A copy of the reference submission; its files are links, so a test replaces a file and changes none."""
    return shutil.copytree(reference, tmp_path / "handed-in", copy_function=os.link)


@pytest.fixture(scope="module")
def assignment(reference):
    return read_assignment(reference)


@pytest.fixture(scope="module")
def page(assignment):
    return render(assignment)


def replace(path, text):
    path.unlink()
    path.write_text(text)


def change(path, edit):
    document = json.loads(path.read_text())
    edit(document)
    replace(path, json.dumps(document))


def words(page):
    """The page's text without tags, in one line."""
    body = page[page.index("<body>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_figures_are_computed_from_the_scores_and_lists(assignment, reference, page):
    paths = (reference / "split" / "test.csv").read_text().splitlines()[1:]
    truth = np.array([assignment.classes.index(line.split("/")[0]) for line in paths])
    predicted = np.load(reference / "scores_test.npy").argmax(axis=1)
    accuracy = float((truth == predicted).mean())
    test = assignment.figures["test"]
    assert test.metrics.accuracy == pytest.approx(accuracy)
    assert test.low < accuracy < test.high
    assert f"{100 * accuracy:.1f} %" in words(page)
    taken = [(assignment.classes[t], assignment.classes[p]) for t, p in zip(truth, predicted, strict=True)]
    true, other, count, _ = test.confused(assignment.classes)[0]
    assert taken.count((true, other)) == count
    assert f"{true} taken for {other} ({count}," in words(page)
    assert assignment.count("test") == len(paths)
    assert sum(assignment.count("test", c) for c in assignment.classes) == len(paths)
    assert test.off < 1e-9
    assert assignment.split_again


def test_the_run_kept_is_the_one_with_the_highest_validation_map(assignment, reference):
    best = {
        file.stem: max(epoch["val_map"] for epoch in json.loads(file.read_text())["epochs"])
        for file in (reference / "history").iterdir()
    }
    assert assignment.kept.name == max(best, key=best.get)
    assert assignment.kept.best_map == best[assignment.kept.name]
    assert len(assignment.runs) == len(best)


def test_the_page_is_one_file_with_every_requirement_and_loads_nothing(page):
    assert len(page.encode()) < 3e6
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    named = set(re.findall(r"\b[123][a-j]\b", " ".join(re.findall(r'class="ids">([^<]*)<', page))))
    assert named == set(REQUIREMENTS)
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) > 60
    assert all(re.search(r'alt="[^"]+"', picture) for picture in pictures)
    for what in ("Figure", "Table"):
        numbers = [int(n) for n in re.findall(rf">\s*{what} (\d+)\.", page)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_same_files_give_the_same_page(assignment, page):
    assert render(assignment) == page


def test_scores_that_were_changed_show_in_the_report(handed_in, assignment):
    scores = np.load(handed_in / "scores_test.npy")[:, ::-1]
    (handed_in / "scores_test.npy").unlink()
    np.save(handed_in / "scores_test.npy", scores)
    found = read_assignment(handed_in)
    assert found.figures["test"].metrics.accuracy < assignment.figures["test"].metrics.accuracy
    assert found.figures["test"].off > 0.1
    assert "What metrics.json states differs from them" in words(render(found))


def test_another_seed_than_the_one_stated_is_not_confirmed(handed_in):
    manifest = handed_in / "submission.toml"
    replace(manifest, manifest.read_text().replace("seed = 42", "seed = 43"))
    found = read_assignment(handed_in)
    assert not found.split_again
    assert "the same sets come out" not in words(render(found))


def test_a_path_in_two_sets_is_said(handed_in):
    lines = (handed_in / "split" / "train.csv").read_text().splitlines()
    test = (handed_in / "split" / "test.csv").read_text().splitlines()
    replace(handed_in / "split" / "train.csv", "\n".join([*lines, test[1]]) + "\n")
    text = words(render(read_assignment(handed_in)))
    assert "1 path lies in both train and test" in text
    assert "No path lies in two sets" not in text


def test_identical_files_in_two_sets_and_classes_are_said(handed_in, assignment, tmp_path):
    root = shutil.copytree(assignment.root, tmp_path / "data", copy_function=os.link)
    one = next(path for path in assignment.split["train"] if path.startswith("sea/"))
    other = next(path for path in assignment.split["test"] if path.startswith("glacier/"))
    (root / other).unlink()
    shutil.copy(root / one, root / other)
    found = read_assignment(handed_in, root)
    assert found.copies.groups == [(other, one)]
    assert found.copies.across == [(("train", one), ("test", other))]
    assert found.copies.mislabelled == 1
    text = words(render(found))
    assert f"{one} (train) = {other} (test)" in text
    assert "No content lies in two sets" not in text


def test_without_the_images_the_submissions_own_pictures_are_shown(handed_in, page):
    change(handed_in / "plan.json", lambda plan: plan.update(root="/nowhere"))
    found = read_assignment(handed_in)
    assert found.root is None
    assert found.copies is None
    alone = render(found)
    assert "The images themselves were not there" in words(alone)
    assert "No content lies in two sets" not in words(alone)
    assert alone.count("The 10 images with the highest score for sea") == 2  # alt and caption of one picture
    assert alone.count("<img") < page.count("<img")


def test_data_that_lack_an_image_are_refused(handed_in, assignment, tmp_path):
    root = shutil.copytree(assignment.root, tmp_path / "data", copy_function=os.link)
    path = assignment.split["val"][3]
    (root / path).unlink()
    with pytest.raises(InputError, match=re.escape(path)):
        read_assignment(handed_in, root)


@pytest.mark.parametrize(
    "piece",
    ["split", "model.pth", "scores_test.npy", "scores_val.npy", "metrics.json", "history", "ranking.json",
     "non_positive.json", "eigenvalues.json", "feature_maps", "resources.json", "reproduction.json"],
)  # fmt: skip
@pytest.mark.usefixtures("in_one_child")
def test_a_missing_piece_is_one_line_and_nothing_is_written(handed_in, piece):
    place = handed_in / piece
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    result = CliRunner().invoke(cli, ["report", str(handed_in), "--quiet"])
    assert result.exit_code == 2
    assert piece.partition(".")[0].partition("_test")[0] in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (handed_in / "report.html").exists()


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("metrics.json", lambda d: d.pop("test")),
        ("metrics.json", lambda d: d["test"]["accuracy_per_class"].pop("sea")),
        ("metrics.json", lambda d: d["val"].update(accuracy="high")),
        ("history/sgd-0.05-onecycle.json", lambda d: d["epochs"].clear()),
        ("ranking.json", lambda d: d["sea"].pop("bottom")),
        ("non_positive.json", lambda d: d["percent"].update(layer1=None)),
        ("eigenvalues.json", lambda d: d["series"][0].pop("paths")),
    ],
)
@pytest.mark.usefixtures("in_one_child")
def test_another_form_is_one_line(handed_in, file, edit):
    change(handed_in / file, edit)
    result = CliRunner().invoke(cli, ["report", str(handed_in), "--quiet"])
    assert result.exit_code == 2
    assert file.partition("/")[0] in result.stderr
    assert result.stderr.count("\n") == 1


def test_texts_of_a_submission_are_shown_as_text(handed_in):
    bad = "<script>alert(1)</script>\u202e"
    change(
        handed_in / "reproduction.json", lambda d: d.update(path=bad, largest_difference=0.5, tolerance=bad)
    )
    change(
        handed_in / "resources.json",
        lambda d: d.update(device=bad, torch=bad, processes=bad, unreadable_images={bad: ""}),
    )
    change(
        handed_in / "history" / "sgd-0.05-onecycle.json",
        lambda d: [epoch.update(epoch=bad, val_accuracy=bad) for epoch in d["epochs"]],
    )
    change(
        handed_in / "eigenvalues.json", lambda d: [one.update(model=bad, data=bad) for one in d["series"][:1]]
    )
    page = render(read_assignment(handed_in))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", ["report.html", "report.pdf"])
def test_a_report_that_somebody_wrote_is_not_replaced(handed_in, name):
    (handed_in / name).write_text("mine")
    with pytest.raises(InputError, match=name):
        write_assignment(handed_in)
    assert (handed_in / name).read_text() == "mine"


@pytest.mark.slow
def test_a_report_of_ours_is_made_again(handed_in, monkeypatch):
    monkeypatch.setattr(printing, "BROWSERS", ())
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    first = CliRunner().invoke(cli, ["report", str(handed_in), "--quiet"])
    assert first.exit_code == 0, first.stderr
    assert str(handed_in / "report.html") in first.stdout
    assert "no PDF was made" in first.stdout
    assert "pip install 'in4310[pdf]'" in first.stdout
    before = (handed_in / "report.html").read_text()
    again = CliRunner().invoke(cli, ["report", str(handed_in), "--quiet", "--no-pdf"])
    assert again.exit_code == 0, again.stderr
    assert (handed_in / "report.html").read_text() == before


def test_the_judge_names_the_report(handed_in, assignment, tmp_path):
    (handed_in / "report.pdf").write_bytes(b"%PDF-1.4")
    assert Submission(handed_in).located["report"] == ("report.pdf", "usual name")
    other = tmp_path / "other"
    other.mkdir()
    (other / "IN4310 Oblig1 kari.pdf").write_bytes(b"%PDF-1.4")
    found = Submission(other, Hints(assignment.classes))
    assert found.located["report"][0] == "IN4310 Oblig1 kari.pdf"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["browser", "weasyprint"])
def test_it_is_printed_on_a4(handed_in, how, monkeypatch):
    if how == "browser":
        monkeypatch.setitem(sys.modules, "weasyprint", None)
        if not any(shutil.which(name) for name in printing.BROWSERS):
            pytest.skip("needs Chromium or Chrome")
    else:
        pytest.importorskip(
            "weasyprint", reason="needs WeasyPrint: pip install 'in4310[pdf]'", exc_type=Exception
        )
        monkeypatch.setattr(printing, "BROWSERS", ())
    printed, by = printing.print_pdf(write_assignment(handed_in))
    assert printed == handed_in / "report.pdf", by
    content = printed.read_bytes()
    assert content.startswith(b"%PDF-")
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+)", content)
    if boxes:  # compressed where WeasyPrint writes object streams
        assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(595, 842)}


@pytest.mark.slow
def test_a_browser_that_prints_nothing_is_said(handed_in, tmp_path, monkeypatch):
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(printing, "BROWSERS", (str(fake),))
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    page = write_assignment(handed_in)
    printed, why = printing.print_pdf(page)
    assert printed is None
    assert "status 3" in why
    assert not (handed_in / "report.pdf").exists()


def test_what_a_folder_holds_is_read_by_a_confined_child(sandbox, handed_in, monkeypatch):
    """`in4310 report` of somebody else's folder: its files are parsed behind walls, as where it is judged."""
    monkeypatch.setattr("in4310.submission.reading.Reader", lambda *_: pytest.fail("parsed by the judge"))
    result = CliRunner().invoke(cli, ["report", str(handed_in), "--quiet", "--no-pdf"])
    assert (result.exit_code, result.stdout.strip()) == (0, str(handed_in / "report.html")), result.output
