"""Editions: the stock ones hold together, and a teacher's wrong file is one clear line."""

from importlib import resources

import pytest

from in4310.errors import InputError
from in4310.judging.edition import known_checks, load_edition, stock_editions

DEMO = (resources.files("in4310.judging") / "editions" / "demo.toml").read_text(encoding="utf-8")


def test_there_are_the_four_stock_editions():
    assert stock_editions() == ["2022", "2023", "2026", "demo"]


@pytest.mark.parametrize("name", ["2022", "2023", "2026", "demo"])
def test_stock_editions_load_and_cover_their_rows(name):
    edition = load_edition(name)
    assert edition.name == name
    ids = {r.id for r in edition.requirements}
    assert {"1a", "1b", "1c", "1d", "1e", "1f", "1g", "1h", "1j", "2a", "2b"} <= ids
    assert ("3a" in ids) == (name != "2026")
    assert ("2c" in ids) == (name in ("2026", "demo"))
    assert sum(edition.points_of.values()) == sum(r.points for r in edition.requirements)


def test_every_executable_check_is_asked_for_by_some_edition():
    asked = {check for name in stock_editions() for check in load_edition(name).points_of}
    assert asked == known_checks()


def test_sizes_scale_with_the_images_there_are():
    assert load_edition("2023").sizes(17034) == {"val": 2000, "test": 3000}
    assert load_edition("2023").sizes(6000) == {"val": 704, "test": 1057}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("test = 211", "tset = 211"), "split.test"),
        (("points = 8", "points = 9"), "add up to 8"),
        (("size_tolerance = 0.05", "size_tolerance = 5"), "less than or equal to 1"),
        (("split_sizes = 2", "split_seizes = 2"), "'split_seizes' does not exist"),
        (("split_sizes = 2", "split_covers_data = 2"), "line"),
        (('id = "1b"', 'id = "1a"'), "stands twice"),
        (("test = 211", "test = 1100"), "leave none of 1200"),
        (("[split]", "[split"), "not valid TOML"),
    ],
)
def test_a_wrong_edition_is_one_line_that_names_file_and_place(tmp_path, change, message):
    file = tmp_path / "mine.toml"
    assert change[0] in DEMO
    file.write_text(DEMO.replace(*change, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_edition(str(file))
    text = str(caught.value)
    assert message in text
    assert "mine.toml" in text
    assert "\n" not in text


def test_unknown_and_missing_editions(tmp_path):
    with pytest.raises(InputError, match=r"'2099' is unknown; expected one of 2022"):
        load_edition("2099")
    with pytest.raises(InputError, match=r"absent\.toml: edition file cannot be read"):
        load_edition(str(tmp_path / "absent.toml"))


def test_all_that_is_wrong_is_counted_and_the_first_is_named(tmp_path):
    file = tmp_path / "my.toml"
    text = DEMO.replace("size_tolerance = 0.05", "size_tolerance = 5").replace("test = 211", "test = 'x'")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"my\.toml: split\.\w+: .*\(and 1 more\)$"):
        load_edition(str(file))
    file.write_text(text.replace("test = 'x'", "test = 211"), encoding="utf-8")
    with pytest.raises(InputError) as one:
        load_edition(str(file))
    assert "more)" not in str(one.value)
    file.write_text(DEMO.replace("points = 8", "points = 9", 1), encoding="utf-8")
    with pytest.raises(InputError) as said:
        load_edition(str(file))
    assert "Value error" not in str(said.value)


def test_a_file_that_is_no_text_is_one_line(tmp_path):
    file = tmp_path / "my.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        load_edition(str(file))
