"""'is this the right --data?' comes first where the split names other images; a report that cannot be written is told."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("in_one_child")
QUESTION = "is this the right --data? 0 of 120 images of the split lie in "


@pytest.fixture
def submission(tmp_path, drawn):
    """A split over 120 images that are not among the 90 drawn ones, and one over those that are."""
    mine = tmp_path / "mine"
    mine.mkdir()

    def write(name):
        sets = {"train": (0, 80), "val": (80, 90), "test": (90, 120)}
        split = {s: [name.format(i) for i in range(*of)] for s, of in sets.items()}
        (mine / "split.json").write_text(json.dumps(split))
        return mine

    return write


def test_init_asks_first_and_prints_the_whole_command(in4310, submission, drawn):
    mine = submission("sea/photo-{}.jpg")
    found = in4310("init", mine, "--data", drawn, "--edition", "2023")
    first, second = found.stdout.splitlines()
    assert first.startswith(QUESTION)
    assert second.endswith(f"then: in4310 check {mine} --data '{drawn}' --edition 2023")
    assert "names 1 piece;" in second


def test_init_asks_nothing_where_the_data_is_right(in4310, submission, drawn):
    there = sorted(p.relative_to(drawn).as_posix() for p in drawn.rglob("sea/*.jpg"))[0]
    found = in4310("init", submission(there), "--data", drawn)
    assert "right --data?" not in found.stdout
    assert len(found.stdout.splitlines()) == 1


def test_init_in_norwegian(in4310, submission, drawn):
    found = in4310("init", submission("sea/photo-{}.jpg"), "--data", drawn, "--language", "nb")
    assert found.stdout.startswith("er dette riktig --data?")
    assert "navngir 1 del;" in found.stdout


def test_check_asks_first_and_the_record_keeps_it(in4310, submission, drawn, tmp_path):
    found = in4310(
        "check", submission("sea/photo-{}.jpg"), "--data", drawn, "--report", tmp_path / "r", "--quiet"
    )
    assert " ".join(found.stdout.split()).startswith(QUESTION)
    record = json.loads((tmp_path / "r" / "results.json").read_text())
    assert record["doubt"].startswith(QUESTION)
    assert record["notes"][0] == record["doubt"]
    page = (tmp_path / "r" / "index.html").read_text()
    assert page.index("is this the right --data?") < page.index('class="tally"')


def test_the_verdict_is_said_where_the_report_cannot_be_written_after_all(
    in4310, submission, tmp_path, monkeypatch
):
    """The place was free when the judging began, and is not when it ends."""
    monkeypatch.setattr("in4310.places.room_for", lambda folder: folder.write_text("a file"))
    found = in4310("check", submission("sea/{}.jpg"), "--report", tmp_path / "r", "--quiet")
    assert found.exit_code == 2
    assert "of 110" in found.stdout
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"in4310: {tmp_path / 'r'}: expected a folder")
