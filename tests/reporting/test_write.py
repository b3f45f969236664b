"""A report on disk: whole or not at all, the record readable again, one line of error."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from PIL import Image

from in4310.errors import InputError
from in4310.judging.verdict import Piece, Results
from in4310.reporting.write import write_report


@pytest.fixture
def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), "white").save(stream, "PNG")
    return stream.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_writes_page_record_junit_and_pictures(results: Results, tmp_path: Path, picture: bytes) -> None:
    index = write_report(results, tmp_path / "new" / "report", {"pictures/sizes-1.png": picture})
    assert index == tmp_path / "new" / "report" / "index.html"
    assert set(tree(index.parent)) == {"index.html", "results.json", "junit.xml", "pictures/sizes-1.png"}
    assert (index.parent / "pictures/sizes-1.png").read_bytes() == picture


@pytest.mark.parametrize("which", ["results", "hostile"])
def test_the_record_comes_back_as_it_was(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    record = request.getfixturevalue(which)
    write_report(record, tmp_path)
    again = Results.model_validate_json((tmp_path / "results.json").read_bytes())
    assert again == record
    assert again.points == record.points


def test_a_file_name_that_is_no_unicode_is_spelt_out(results: Results, tmp_path: Path) -> None:
    name = b"mod\xe8le.pth".decode("utf-8", "surrogateescape")
    lame = results.model_copy(update={"pieces": [Piece(name="model", file=name, why=name)], "name": name})
    index = write_report(lame, tmp_path)
    assert Results.model_validate_json((tmp_path / "results.json").read_bytes()).name == "mod⟨U+DCE8⟩le.pth"
    assert "mod⟨U+DCE8⟩le.pth" in index.read_text(encoding="utf-8")


def test_the_same_record_gives_the_same_files(results: Results, tmp_path: Path, picture: bytes) -> None:
    pictures = {"pictures/sizes-1.png": picture}
    write_report(results, tmp_path / "a", pictures)
    write_report(results, tmp_path / "b", pictures)
    first = tree(tmp_path / "a")
    assert tree(tmp_path / "b") == first
    # Written again from the folder alone, the pictures that lie there are used.
    write_report(results, tmp_path / "a", None)
    assert tree(tmp_path / "a") == first


@pytest.mark.parametrize("full_at", ["pictures/sizes-1.png", "results.json", "junit.xml", "index.html"])
def test_a_full_disk_leaves_the_earlier_report_whole(
    full_at: str, results: Results, tmp_path: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"pictures/sizes-1.png": picture}
    write_report(results, tmp_path, pictures)
    before = tree(tmp_path)
    rename = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target) == tmp_path / full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    later = results.model_copy(update={"name": "later"})
    with pytest.raises(InputError) as caught:
        write_report(later, tmp_path, {"pictures/sizes-1.png": picture + b"later"})
    message = str(caught.value)
    assert "\n" not in message
    assert full_at.rpartition("/")[2] in message
    assert "No space left" in message
    after = tree(tmp_path)
    assert set(after) == set(before), "nothing half written is left behind"
    assert after[full_at] == before[full_at]
    assert after["index.html"] == before["index.html"]


def test_a_file_in_the_place_of_the_folder_is_one_line(results: Results, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for folder in (taken, taken / "below"):
        with pytest.raises(InputError, match=r"taken.*choose another folder") as caught:
            write_report(results, folder)
        assert "\n" not in str(caught.value)
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("name", ["../out.png", "/tmp/out.png", "a/../../out.png", "..\\out.png", ""])
def test_no_picture_is_written_outside_of_the_report(
    name: str, results: Results, tmp_path: Path, picture: bytes
) -> None:
    folder = tmp_path / "deep" / "report"
    with pytest.raises(InputError, match="inside the report"):
        write_report(results, folder, {name: picture})
    assert not list(tmp_path.rglob("*.*"))
