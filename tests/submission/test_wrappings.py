"""A hand-in is the same in a folder of its own, in an archive of that folder, and with its records moved about."""

import json
import zipfile

import pytest

from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import Hints

HINTS = Hints(("sea", "street"), frozenset({"sea/1.jpg", "street/1.jpg"}))
SPECTRA = {
    "divisor": "N",
    "series": [{"model": "untuned", "data": "course", "paths": ["sea/1.jpg"], "modules": {"layer1": {"eigenvalues": [2.0, 1.0]}}}],
}  # fmt: skip
RECORDS = {
    "eigenvalues": SPECTRA,
    "resources": {"peak_memory_bytes": 10**9, "batch_size": 64},
    "reproduction": {"largest_difference": 0.0, "tolerance": 1e-4, "agrees": True},
    "non_positive": {"images": ["sea/1.jpg"], "percent": {"layer1": 30.0}},
}


def put(folder):
    folder.mkdir(parents=True)
    for name, record in RECORDS.items():
        (folder / f"{name}.json").write_text(json.dumps(record))
    (folder / "submission.toml").write_text("[submission]\nname = 'Kari'\n")
    return folder


def packed(folder, file):
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(folder))
    return file


def read(taken):
    submission = Submission(taken.folder, HINTS)
    assert submission.name == "Kari"
    return {name: getattr(submission, name) for name in RECORDS}, set(submission.placed)


@pytest.mark.parametrize("wrapping", ["", "kari", "Mandatory 1 (final)/kari", "a/b/c/d"])
@pytest.mark.parametrize("rubbish", ["", "__MACOSX/._kari", ".DS_Store"])
def test_folders_around_a_hand_in_change_nothing(tmp_path, wrapping, rubbish):
    outer = tmp_path / "handed in"
    put(outer / wrapping)
    if rubbish:
        (outer / rubbish).parent.mkdir(exist_ok=True)
        (outer / rubbish).write_bytes(b"\0\5\x16\7")
    for path in (outer, packed(outer, tmp_path / "kari.zip")):
        with take_in(path) as taken:
            found, placed = read(taken)
            assert found == RECORDS
            assert placed == set(RECORDS), "each lies in its usual place"


def test_two_folders_or_a_file_beside_are_no_wrapping(tmp_path):
    put(tmp_path / "one" / "kari")
    (tmp_path / "one" / "report.pdf").write_bytes(b"%PDF-")
    with take_in(tmp_path / "one") as taken:
        assert taken.folder == tmp_path / "one"


def test_a_folder_that_is_a_piece_is_no_wrapping(tmp_path):
    put(tmp_path / "one" / "history")
    with take_in(tmp_path / "one") as taken:
        assert taken.folder == tmp_path / "one"


def test_a_link_is_not_followed(tmp_path):
    put(tmp_path / "other")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "kari").symlink_to(tmp_path / "other")
    with take_in(tmp_path / "one") as taken:
        assert taken.folder == tmp_path / "one"


def test_records_are_known_by_their_keys(tmp_path):
    for number, (name, record) in enumerate(RECORDS.items()):
        folder = tmp_path / f"part {number}"
        folder.mkdir()
        (folder / f"{'abcd'[number]}.json").write_text(json.dumps(record))
        (folder / "readme.txt").write_text(name)
    submission = Submission(tmp_path, HINTS)
    assert {name: getattr(submission, name) for name in RECORDS} == RECORDS
    assert "a record of eigenvalues, 1 series" in submission.located["eigenvalues"][1]
