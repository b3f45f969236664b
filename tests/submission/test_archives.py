"""Archives: right ones come out as they went in, evil and damaged ones do no harm and are named in one line."""

import io
import os
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.submission.archives import Bounds, unpack
from in4310.submission.containers import begins_as_archive, is_archive

USUAL = Bounds()
SMALL = Bounds(entries=40, total_bytes=1 << 20, file_bytes=1 << 19, depth=3)


def zipped(path, entries, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def tarred(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name, size=0, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture
def taken(tmp_path):
    """Unpack into a folder of its own; afterwards nothing lies outside it, and nothing half written."""
    home = tmp_path / "home"
    home.mkdir()

    def run(archive, bounds=USUAL):
        return unpack(archive, home / "target", bounds)

    yield run
    assert {p.name for p in home.iterdir()} <= {"target"}
    assert not [p for p in home.rglob("*") if p.is_symlink()]


def test_a_zip_in_a_folder_with_a_zip_inside(taken, tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("weights/model.pth", b"w"), ("a.txt", b"1")]).read_bytes()
    outer = zipped(
        tmp_path / "kari.zip", [("kari/", b""), ("kari/øving én.txt", b"x"), ("kari/inner.zip", inner)]
    )
    result = taken(outer)
    assert result.folder.name == "kari"
    assert contents(result.folder) == {
        "øving én.txt": b"x",
        "inner/weights/model.pth": b"w",
        "inner/a.txt": b"1",
    }
    assert any("inner.zip" in note for note in result.notes)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_tar_archives(taken, tmp_path, mode):
    archive = tarred(tmp_path / "x.tar", [(member("a/b.txt", 3), b"abc"), (member("c.txt", 0), b"")], mode)
    assert contents(taken(archive).folder) == {"a/b.txt": b"abc", "c.txt": b""}


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/../evil",
        "C:\\..\\evil",
        "..\\evil\x1b[31m",
        "a/" * 40 + "b",
    ],
)
def test_names_that_are_not_followed(taken, tmp_path, name):
    result = taken(zipped(tmp_path / "x.zip", [(name, b"evil"), ("good.txt", b"good")]))
    assert contents(result.folder) == {"good.txt": b"good"}
    assert len(result.notes) == 1
    assert "\x1b" not in result.notes[0]


def test_links_and_devices_are_left_out(taken, tmp_path):
    archive = tarred(
        tmp_path / "x.tar.gz",
        [
            (member("passwd", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""),
            (member("hard", kind=tarfile.LNKTYPE, link="good.txt"), b""),
            (member("fifo", kind=tarfile.FIFOTYPE), b""),
            (member("null", kind=tarfile.CHRTYPE), b""),
            (member("good.txt", 4), b"good"),
        ],
    )
    result = taken(archive)
    assert contents(result.folder) == {"good.txt": b"good"}
    assert len(result.notes) == 4


def test_a_link_in_a_zip_and_a_file_behind_it(taken, tmp_path):
    info = zipfile.ZipInfo("out")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "x.zip", [(info, b"/tmp"), ("out/evil.txt", b"inside the target only")])
    result = taken(archive)
    assert contents(result.folder.parent if result.folder.name == "out" else result.folder) == {
        "out/evil.txt": b"inside the target only"
    }


def test_set_user_id_is_not_kept(taken, tmp_path):
    info = member("tool", 1)
    info.mode = 0o6777
    result = taken(tarred(tmp_path / "x.tar", [(info, b"x")], "w"))
    assert stat.S_IMODE((result.folder / "tool").stat().st_mode) == 0o644


def test_rubbish_is_counted_and_left_out(taken, tmp_path):
    archive = zipped(
        tmp_path / "x.zip",
        [("__MACOSX/._a.txt", b"x"), (".DS_Store", b"x"), ("kari/a.txt", b"a"), ("kari/._a.txt", b"x")],
    )
    result = taken(archive)
    assert contents(result.folder) == {"a.txt": b"a"}
    assert result.notes == (
        "left out: 3 files that systems and tools leave (__MACOSX, .DS_Store and the like)",
    )


def test_the_later_of_two_files_with_one_name_counts(taken, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = zipped(
            tmp_path / "x.zip",
            [("a.txt", b"1"), ("a.txt", b"2"), ("A.TXT", b"3"), ("b", b"4"), ("b/c", b"5")],
        )
    result = taken(archive)
    assert contents(result.folder) == {"a.txt": b"2", "A.TXT": b"3", "b": b"4"}
    assert len(result.notes) == 2
    assert result.notes[0].startswith("taken again: a.txt: ")


def test_a_damaged_later_one_leaves_the_earlier(taken, tmp_path):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a.txt", "later")
    archive.write_bytes(archive.read_bytes().replace(b"later", b"lXter", 1))
    result = taken(archive)
    assert contents(result.folder) == {"a.txt": b"first"}
    assert "damaged" in result.notes[0]


def test_backslashes_separate_and_utf8_without_its_flag_is_read(taken, tmp_path):
    archive = zipped(tmp_path / "x.zip", [("data\\train.csv", b"1"), ("blabaer.txt", b"2")])
    raw = archive.read_bytes().replace(b"blabaer.txt", "blåær.txt".encode())
    archive.write_bytes(raw)
    assert set(contents(taken(archive).folder)) == {"data/train.csv", "blåær.txt"}


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        (Bounds(entries=5), "at most 5 files"),
        (Bounds(total_bytes=1000), "at most 1000 bytes"),
        (Bounds(file_bytes=1000), "larger than 1000 bytes"),
    ],
)
def test_bounds(taken, tmp_path, bounds, says):
    archive = zipped(tmp_path / "x.zip", [(f"{i}.txt", os.urandom(500 * (i + 1))) for i in range(9)])
    with pytest.raises(InputError, match=says):
        taken(archive, bounds)


def test_a_bomb_is_refused_by_its_ratio(taken, tmp_path):
    archive = zipped(tmp_path / "x.zip", [("zeros", bytes(80 << 20))])
    assert archive.stat().st_size < 100_000
    with pytest.raises(InputError, match="200 times"):
        taken(archive)


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_archives_deep_in_each_other(taken, tmp_path, suffix):
    content = b"deep"
    for i in range(6):
        path = tmp_path / f"x.{suffix}"
        if suffix == "zip":
            zipped(path, [(f"{i}.zip", content)])
        else:
            tarred(path, [(member(f"{i}.tar.gz", len(content)), content)])
        content = path.read_bytes()
    if suffix == "zip":
        with pytest.raises(InputError, match="deep in each other"):
            taken(path)
    else:
        with pytest.raises(InputError, match="deep in each other"):
            taken(path)


def test_a_tar_that_claims_more_than_it_has(taken, tmp_path):
    for name, claim in (("a.tar", 10**12), ("b.tar", 700)):
        archive = tmp_path / name
        with archive.open("wb") as file:
            file.write(member("big", claim).tobuf() + bytes(600))
        with pytest.raises(InputError):
            unpack(archive, tmp_path / "home" / "target")


def test_an_extended_header_of_a_gigabyte_is_not_read(taken, tmp_path):
    header = member("pax", 1 << 30, kind=tarfile.XHDTYPE)
    archive = tmp_path / "x.tar"
    archive.write_bytes(header.tobuf() + bytes(2048))
    with pytest.raises(InputError, match="header of"):
        taken(archive)


def test_a_zip_that_claims_a_large_directory_is_not_read(taken, tmp_path):
    archive = zipped(tmp_path / "x.zip", [("a", b"1")])
    raw = bytearray(archive.read_bytes())
    end = raw.rfind(b"PK\x05\x06")
    raw[end + 12 : end + 16] = struct.pack("<I", 1 << 30)
    archive.write_bytes(raw)
    with pytest.raises(InputError, match="directory of"):
        taken(archive)


def test_sizes_in_headers_are_not_believed(taken, tmp_path):
    archive = zipped(tmp_path / "x.zip", [("a", bytes(900_000))])
    raw = archive.read_bytes().replace(struct.pack("<I", 900_000), struct.pack("<I", 10))
    archive.write_bytes(raw)
    result = taken(zipped(tmp_path / "y.zip", [("inner.zip", raw), ("b", b"2")]))
    assert sum(map(len, contents(result.folder).values())) < 2000


def test_encrypted_damaged_and_empty_archives(taken, tmp_path):
    archive = zipped(tmp_path / "x.zip", [("a", b"secret")])
    raw = bytearray(archive.read_bytes())
    raw[6] |= 1
    place = raw.rfind(b"PK\x01\x02")
    raw[place + 8] |= 1
    (tmp_path / "encrypted.zip").write_bytes(raw)
    (tmp_path / "truncated.zip").write_bytes(archive.read_bytes()[:-30])
    (tmp_path / "nothing.zip").write_bytes(b"")
    zipped(tmp_path / "empty.zip", [])
    for name, says in (
        ("encrypted.zip", "password"),
        ("truncated.zip", "cannot be read"),
        ("nothing.zip", "cannot be read"),
        ("empty.zip", "empty archive"),
    ):
        with pytest.raises(InputError, match=says) as error:
            taken(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_damaged_file_is_left_out_and_the_rest_kept(taken, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", b"payload")
        archive.writestr("b.txt", b"fine")
    raw = (tmp_path / "x.zip").read_bytes().replace(b"payload", b"pXyload", 1)
    (tmp_path / "x.zip").write_bytes(raw)
    result = taken(tmp_path / "x.zip")
    assert contents(result.folder) == {"b.txt": b"fine"}
    assert "damaged" in result.notes[0]


def test_a_full_disk_leaves_nothing(taken, tmp_path, monkeypatch):
    archive = zipped(tmp_path / "x.zip", [("a", b"1")])

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", full)
    with pytest.raises(InputError, match="No space left"):
        taken(archive)


@pytest.mark.parametrize("asked", [is_archive, begins_as_archive])
def test_what_is_an_archive(asked, tmp_path):
    import torch

    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pth")
    np.savez(tmp_path / "scores.npz", np.zeros(3))
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "damaged.tgz").write_text("hello")
    with tarfile.open(tmp_path / "a tar", "w") as archive:
        archive.add(tmp_path / "text.txt")
    zipped(tmp_path / "essay.docx", [("[Content_Types].xml", b"1")])
    zipped(tmp_path / "arrays.zip", [("scores.npy", b"1")])
    zipped(tmp_path / "no suffix", [("a", b"1")])
    zipped(tmp_path / "empty", [])
    found = {p.name for p in tmp_path.iterdir() if asked(p)}
    assert found == {"a tar", "arrays.zip", "no suffix", "empty", "damaged.tgz"}
    assert not asked(tmp_path)
    assert not asked(tmp_path / "none")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9"]))
def test_random_bytes_are_refused_in_one_line(tmp_path_factory, content, start):
    folder = tmp_path_factory.mktemp("random")
    (folder / "x.zip").write_bytes(start + content)
    with pytest.raises(InputError) as error:
        unpack(folder / "x.zip", folder / "target", SMALL)
    assert "\n" not in str(error.value)
    assert {p.name for p in folder.iterdir()} == {"x.zip"}


NAME = st.text("abcæøå 0-_", min_size=1, max_size=8).filter(lambda n: n.strip(" .") == n)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.lists(NAME, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), min_size=1, max_size=6
    ),
    st.sampled_from(["zip", "tar.gz"]),
    st.integers(0, 400),
    st.integers(0, 255),
    st.booleans(),
)
def test_right_archives_come_out_as_they_went_in_and_altered_ones_do_no_harm(
    tmp_path_factory, files, kind, place, byte, alter
):
    folder = tmp_path_factory.mktemp("tree")
    names = list(files)
    # A name that is also a folder of another, or differs by case only, is left out: not what is tried here.
    clean = {
        n: c for n, c in files.items() if not any(o != n and (o + "/").startswith(n + "/") for o in names)
    }
    archive = folder / f"x.{kind}"
    if kind == "zip":
        zipped(archive, [("top/" + n, c) for n, c in clean.items()] + [("top/last", b"1")])
    else:
        tarred(
            archive,
            [(member("top/" + n, len(c)), c) for n, c in clean.items()] + [(member("top/last", 1), b"1")],
        )
    if alter:
        raw = bytearray(archive.read_bytes())
        raw[place % len(raw)] = byte
        archive.write_bytes(raw)
        try:
            unpack(archive, folder / "target", SMALL)
        except InputError:
            assert {p.name for p in folder.iterdir()} == {archive.name}
    else:
        result = unpack(archive, folder / "target", SMALL)
        assert contents(result.folder) == clean | {"last": b"1"}
    assert {p.name for p in folder.iterdir()} <= {archive.name, "target"}
