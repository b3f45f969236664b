"""A class is found as each course system hands it out, whatever its names are, and in no order of the disk."""

import io
import re
import unicodedata
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.grading.layouts import find_class, latest
from in4310.submission import containers
from in4310.submission.files import RUBBISH


@pytest.fixture
def place(tmp_path):
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


@pytest.fixture
def aside(tmp_path):
    (tmp_path / "aside").mkdir()
    return tmp_path / "aside"


def put(place, *names):
    for name in names:
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".zip"):
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("model.txt", name)
        else:
            file.write_text(name)


def told(found):
    return [(e.who, e.attempt, e.late, e.identity, e.place.name) for e in found.entries]


def test_folders_and_archives(place, aside):
    put(place, "kari/a.txt", "ola.zip", "per.tar.gz/x.txt", "Readme.txt", ".DS_Store", "__MACOSX/x")
    found = find_class(place, aside)
    assert found.layout == "folders"
    assert told(found) == [
        ("kari", 1, None, "", "kari"), ("ola", 1, None, "", "ola.zip"), ("per.tar.gz", 1, None, "", "per.tar.gz")
    ]  # fmt: skip
    assert found.notes == ("Readme.txt: left aside, no submission",)


def test_a_folder_that_holds_one_archive_is_that_archive(place, aside):
    put(place, "kari/oblig 1.zip", "ola/a.txt")
    assert [e.place.name for e in find_class(place, aside).entries] == ["oblig 1.zip", "ola"]


def test_canvas(place, aside):
    put(
        place,
        "nordmannkari_12345_67890_oblig1.zip",
        "hansenola_LATE_222_333_model.pth",
        "hansenola_LATE_222_334_scores.npy",
    )
    found = find_class(place, aside)
    assert found.layout == "Canvas"
    assert told(found) == [("hansenola", 1, True, "222", "222"), ("nordmannkari", 1, False, "12345", "nordmannkari_12345_67890_oblig1.zip")]  # fmt: skip
    assert sorted(f.name for f in found.entries[0].place.iterdir()) == ["model.pth", "scores.npy"]


def test_moodle(place, aside):
    put(place, "Kari Nordmann_881_assignsubmission_file_/oblig.zip", "Ola Å_882_assignsubmission_file_/a.txt",
        "Ola Å_882_assignsubmission_onlinetext_/onlinetext.html")  # fmt: skip
    found = find_class(place, aside)
    assert found.layout == "Moodle"
    assert [(e.who, e.identity, e.shown, e.place.name) for e in found.entries] == [
        ("Kari-Nordmann", "881", "Kari Nordmann", "oblig.zip"),
        ("Ola-Å", "882", "Ola Å", "Ola Å_882_assignsubmission_file_"),
    ]
    assert "onlinetext" in found.notes[0]


def test_devilry(place, aside):
    put(place, "kari, ola (groupid=7)/deadline-01/oblig.zip", "kari, ola (groupid=7)/deadline-02/oblig.zip",
        "per (groupid=8)/deadline-01/after_deadline_not_part_of_delivery/a.zip")  # fmt: skip
    found = find_class(place, aside)
    assert found.layout == "Devilry"
    assert [(e.who, e.attempt, e.late, e.identity) for e in found.entries] == [
        ("kari-ola", 1, False, "7"), ("kari-ola", 2, False, "7"), ("per", 1, True, "8")
    ]  # fmt: skip
    assert [(e.who, e.attempt) for e in latest(found.entries)] == [("kari-ola", 2), ("per", 1)]


DEADLINE = "deadline-2026-09-21-2359"


def test_devilry_as_its_source_writes_it(place, aside):
    put(
        place,
        f"kari, ola/{DEADLINE}/oblig1.zip",
        f"kari, ola/{DEADLINE}/old_duplicates/oblig1-7-2026.zip",
        f"kari, ola/{DEADLINE}/after_deadline_not_part_of_delivery/oblig1.zip",
        "kari, ola/deadline-2026-10-05-2359/scores.npy",
        "kari, ola/deadline-2026-10-05-2359/report.txt",
        "kari, ola/deadline-2026-10-05-2359/old_duplicates/scores-1.npy",
        f"per/{DEADLINE}/after_deadline_not_part_of_delivery/a.txt",
        f"per/{DEADLINE}/after_deadline_not_part_of_delivery/old_duplicates/a-1.txt",
        f"siv/{DEADLINE}/work/a.txt",
        f"siv/{DEADLINE}/old_duplicates/b.txt",
    )
    found = find_class(place, aside)
    assert found.layout == "Devilry"
    assert [(e.who, e.attempt, e.late) for e in found.entries] == [
        ("kari-ola", 1, False), ("kari-ola", 2, False), ("per", 1, True), ("siv", 1, False)
    ]  # fmt: skip
    first, second, late, folder = [e.place for e in found.entries]
    assert first == place / "kari, ola" / DEADLINE / "oblig1.zip"
    assert sorted(f.name for f in second.iterdir()) == ["report.txt", "scores.npy"]
    assert [f.name for f in late.iterdir()] == ["a.txt"]
    assert [f.name for f in folder.iterdir()] == ["a.txt"]


def test_moodle_of_groups(place, aside):
    put(place, "Group A_31_assignsubmission_file_/a.txt", "Default group_assignsubmission_file_/a.txt",
        "Participant_5_assignsubmission_file_/a.txt", "Participant_6_assignsubmission_file_/a.txt")  # fmt: skip
    found = find_class(place, aside)
    assert [(e.who, e.identity) for e in found.entries] == [
        ("Default-group", ""), ("Group-A", "31"), ("Participant-5", "5"), ("Participant-6", "6")
    ]  # fmt: skip


def test_gradescope_groups(place, aside):
    put(place, "submission_11/a.txt", "submission_12/a.txt")
    (place / "submission_metadata.yml").write_text(
        "submission_11:\n  :submitters:\n  - :name: Kari N\n    :sid: '100'\n    :email: k@uio.no\n"
        "  - :name: Ola H\n    :sid: '101'\n    :email: o@uio.no\n  :created_at: 2026-09-21\n  :results:\n"
        "    :tests:\n    - :name: a test of theirs\n"
        "submission_12:\n  :submitters:\n  - :name: Siv\n    :email: siv@uio.no\n"
    )
    found = find_class(place, aside)
    assert [(e.who, e.shown) for e in found.entries] == [("100-101", "Kari N, Ola H"), ("siv", "Siv")]


def test_names_as_systems_write_them(place, aside):
    put(place, "submission_1/a.txt", "submission_2/a.txt")
    (place / "submission_metadata.yml").write_text(
        'submission_1:\n  :submitters:\n  - :name: "Bj\\xC3\\xB8rn"\n    :sid: \nsubmission_2:\n'
    )
    assert [(e.who, e.shown) for e in find_class(place, aside).entries] == [
        ("Bjørn", "Bjørn"), ("submission_2", "")
    ]  # fmt: skip


def test_canvas_without_names(place, aside):
    put(place, "anon_1bXyZ_5678_oblig1.zip", "anon_LATE_2cdEf_5680_oblig1.zip")
    found = find_class(place, aside)
    assert found.layout == "Canvas"
    assert [(e.who, e.late, e.identity) for e in found.entries] == [
        ("anon-1bXyZ", False, ""), ("anon-2cdEf", True, "")
    ]  # fmt: skip


@pytest.mark.parametrize("forms", [("NFD",), ("NFC", "NFD")])
def test_a_name_in_parts_is_readable_and_nobody_else(place, aside, forms):
    put(place, *(f"{unicodedata.normalize(form, 'Kåre Bjørnås')}/a.txt" for form in forms), "ola/a.txt")
    keys = [e.who for e in find_class(place, aside).entries]
    assert len({*keys}) == len(keys) == len(forms) + 1
    assert all(key.startswith(("Kåre-Bjørnås", "ola")) for key in keys)


def test_an_archive_of_the_class_leaves_the_students_archives_packed(place, aside, tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(80 << 20))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("hand-ins/kari.zip", bomb.getvalue())
        archive.writestr("hand-ins/ola.zip", b"PK\x03\x04 broken")
        archive.writestr("hand-ins/siv/a.txt", "x")
    entries = find_class(tmp_path / "all.zip", aside).entries
    assert [(e.who, e.place.is_file()) for e in entries] == [("kari", True), ("ola", True), ("siv", False)]


@pytest.mark.slow
def test_no_archive_is_parsed_by_the_judge(place, aside, tmp_path, monkeypatch):
    """A child reads that of the class; those of the students are told by their first bytes."""

    def parsed(*_):
        raise AssertionError("an archive was parsed here")

    monkeypatch.setattr(containers, "_open_zip", parsed)
    monkeypatch.setattr(containers, "_open_tar", parsed)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("hand-ins/kari.zip", b"PK\x03\x04 broken")
        archive.writestr("hand-ins/ola.tar.gz", b"\x1f\x8b broken")
        archive.writestr("hand-ins/siv/siv.tar", b"broken")
    found = find_class(tmp_path / "all.zip", aside)
    assert [(e.who, e.place.is_file()) for e in found.entries] == [
        ("kari", True),
        ("ola", True),
        ("siv", True),
    ]
    (tmp_path / "all.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"all\.zip: expected a zip or tar archive"):
        find_class(tmp_path / "all.zip", tmp_path / "again")


def test_gradescope(place, aside):
    put(place, "assignment_1_export/submission_11/a.txt", "assignment_1_export/submission_12/a.txt")
    (place / "assignment_1_export" / "submission_metadata.yml").write_text(
        "---\nsubmission_11:\n  :submitters:\n  - :name: Kari N\n    :sid: karin\n    :email: kari@uio.no\n"
        "submission_12:\n  :submitters:\n  - :name: Ola\n    :email: ola@uio.no\n"
    )
    found = find_class(place, aside)
    assert found.layout == "Gradescope"
    assert [(e.who, e.shown, e.identity) for e in found.entries] == [
        ("karin", "Kari N", "11"),
        ("ola", "Ola", "12"),
    ]


def test_one_archive_of_the_class(place, aside, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for who in ("kari", "ola"):
            archive.writestr(f"hand-ins/{who}/a.txt", who)
    assert [e.who for e in find_class(tmp_path / "all.zip", aside).entries] == ["kari", "ola"]


def test_what_cannot_be_a_class_is_one_line(place, aside, tmp_path):
    with pytest.raises(InputError, match="found none"):
        find_class(place, aside)
    with pytest.raises(InputError, match="found neither"):
        find_class(tmp_path / "none", aside)
    put(place, "model.pth", "split/train.csv")
    with pytest.raises(InputError, match="in4310 check judges it"):
        find_class(place, aside)


def test_links_are_not_followed(place, aside, tmp_path):
    put(tmp_path / "elsewhere", "secret.txt")
    put(place, "kari/a.txt")
    (place / "mallory").symlink_to(tmp_path / "elsewhere")
    assert [e.who for e in find_class(place, aside).entries] == ["kari"]


@settings(max_examples=40, deadline=None)
@given(
    st.sets(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30),
        min_size=2,
        max_size=6,
    )
)
def test_any_names_give_safe_and_different_keys(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("class")
    made = set()
    for name in names - {".", ".."}:
        try:
            (root / name).mkdir()
            made.add(name)
        except OSError:
            continue
    seen = [n for n in made if not n.startswith(".") and n not in RUBBISH]
    if len(seen) < 2:
        return
    entries = find_class(root, tmp_path_factory.mktemp("aside")).entries
    keys = [e.who for e in entries]
    assert len({k.casefold() for k in keys}) == len(keys) == len(seen)
    assert all(re.fullmatch(r"[\w.-]{1,80}", k) and not k.startswith(".") for k in keys)
    assert keys == sorted(keys)


RAR, SEVEN = b"Rar!\x1a\x07\x01\0" + bytes(40), b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40)


def test_archives_that_are_not_opened_are_rows(place, aside):
    """A row each, which is told why when it is judged: none of them is left aside."""
    put(place, "kari.zip", "per/oblig.zip")
    for name, content in {
        "ola.rar": RAR, "siv.7z": SEVEN, "nils.tar.zst": b"\x28\xb5\x2f\xfd", "liv/oblig1.rar": RAR, "una.rar": b"cut",
        "tor.zip.001": b"PK\3\4", "tor.zip.002": b"x", "eva.z01": b"x", "eva.zip": b"PK\3\4", "åse.part1.rar": RAR, "åse.part2.rar": RAR,
    }.items():  # fmt: skip
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
    found = find_class(place, aside)
    assert {e.who: e.place.name for e in found.entries} == {
        "kari": "kari.zip", "per": "oblig.zip", "ola": "ola.rar", "siv": "siv.7z", "nils": "nils.tar.zst",
        "liv": "oblig1.rar", "una": "una.rar", "tor": "tor.zip.001", "eva": "eva.zip", "åse": "åse.part1.rar",
    }  # fmt: skip
    assert sorted(found.notes) == [
        "eva.z01: left aside, a volume of eva.zip",
        "tor.zip.002: left aside, a volume of tor.zip.001",
        "åse.part2.rar: left aside, a volume of åse.part1.rar",
    ]


@pytest.mark.parametrize(
    "file",
    ["hansenola_LATE_222_333_oblig.rar", "Ola Å_882_assignsubmission_file_/oblig.rar", "ola (groupid=7)/deadline-01/oblig.rar",
     "submission_11/oblig.rar"],
)  # fmt: skip
def test_a_closed_archive_is_the_hand_in_in_each_layout(place, aside, file):
    (place / file).parent.mkdir(parents=True, exist_ok=True)
    (place / file).write_bytes(RAR)
    (entry,) = find_class(place, aside).entries
    assert entry.place == place / file


def test_names_that_end_in_spaces_and_dots(aside, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for who in ("Kari Nordmann ", "Ola jr.", "Con", "Aux Hansen", "Siv: Å"):
            archive.writestr(f"{who}/a.txt", who)
    found = find_class(tmp_path / "all.zip", aside)
    assert [e.who for e in found.entries] == ["Aux-Hansen", "Con", "Kari-Nordmann", "Ola-jr", "Siv-Å"]
