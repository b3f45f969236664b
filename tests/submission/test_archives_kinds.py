"""Kinds of archives: those that are opened within bounds, and those that are named, with the way out, wherever they lie."""

import io
import lzma
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from submission import packing

from in4310.errors import InputError
from in4310.submission import unxz
from in4310.submission.archives import Bounds, unpack
from in4310.submission.closed import closed, volume_of
from in4310.submission.containers import begins_as_archive, is_archive
from in4310.submission.intake import take_in
from in4310.submission.unxz import Unxz
from in4310.submission.weights import load_tensors


def zipped(*names, compress=zipfile.ZIP_DEFLATED):
    return packing.zipped(dict.fromkeys(names, "x"), compress)


def with_method(method):
    """A zip of one file that says that it is compressed so."""
    raw = bytearray(zipped("model.pth"))
    struct.pack_into("<H", raw, 8, method)
    struct.pack_into("<H", raw, raw.rfind(b"PK\x01\x02") + 10, method)
    return bytes(raw)


def encrypted():
    raw = bytearray(zipped("a.txt"))
    raw[6] |= 1
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def last_volume():
    raw = bytearray(zipped("a.txt"))
    raw[raw.rfind(b"PK\x05\x06") + 4] = 2
    return bytes(raw)


AES = bytearray(with_method(99))
AES[6] |= 1
AES[AES.rfind(b"PK\x01\x02") + 8] |= 1
CLOSED = {
    "oblig.rar": (b"Rar!\x1a\x07\x01\0", "RAR"),
    "oblig.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
    "renamed.zip": (b"Rar!\x1a\x07\0", "RAR"),
    "no suffix": (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
    "oblig.tar.zst": (b"\x28\xb5\x2f\xfd\0", "Zstandard"),
    "oblig.tar.lz4": (b"\x04\x22\x4d\x18", "LZ4"),
    "oblig.zip.001": (zipped("a.txt")[:30], "split"),
    "oblig.z01": (b"PK\x07\x08", "split"),
    "oblig.part1.rar": (b"Rar!\x1a\x07\x01\0", "split"),
    "oblig.7z.002": (b"whatever", "split"),
    "last.zip": (last_volume(), "split"),
    "oblig.exe": (b"MZ" + bytes(500) + zipped("a.txt"), "unpacks itself"),
    "secret.zip": (encrypted(), "password"),
    "aes.zip": (bytes(AES), "password"),
    "large.zip": (with_method(9), "Deflate64"),
    "zstd.zip": (with_method(93), "Zstandard"),
    "ppmd.zip": (with_method(98), "PPMd"),
    "new.zip": (with_method(77), "method 77"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_not_opened_is_named_with_the_way_out(tmp_path, sandbox, name):
    content, kind = CLOSED[name]
    (tmp_path / "alone").mkdir()
    alone = tmp_path / "alone" / name
    alone.write_bytes(content)
    for place in (alone, alone.parent):
        with pytest.raises(InputError, match=kind) as error, take_in(place, sandbox):
            pass
        said = str(error.value)
        assert name in said
        assert "another file" not in said
        assert "empty" not in said
        assert any(way in said for way in ("pack", "hand it in without"))
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "report.pdf").write_bytes(b"%PDF-")
    (tmp_path / "beside" / name).write_bytes(content)
    with take_in(tmp_path / "beside", sandbox) as taken:
        assert (taken.folder / "report.pdf").is_file()
        assert any(kind in note for note in taken.notes), taken.notes
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("report.pdf", "%PDF-")
    with take_in(outer, sandbox) as taken:
        assert any(kind in note for note in taken.notes), taken.notes


@pytest.mark.parametrize(
    "name", ["a.txt", "model.pth", "scores.npy", "part1.zip", "run.z1", "v1.001", "a.zip.txt", "r2d2", "x.r1"]
)
def test_other_files_are_not_taken_for_archives(tmp_path, name):
    (tmp_path / name).write_bytes(b"0.5 0.5")
    assert not closed(tmp_path / name)
    assert volume_of(name) is None


@pytest.mark.parametrize("mode", ["w:xz", "w:bz2", "w:gz", "w"])
@pytest.mark.parametrize("name", ["x.tar.xz", "x.txz", "x.tbz2", "x.tar", "x"])
def test_tars_are_opened_by_what_they_are(tmp_path, mode, name):
    big = bytes(range(256)) * 8  # whole blocks: nothing is read twice
    (tmp_path / name).write_bytes(packing.tarred(mode, {"a.txt": big, "b.txt": b"b", "c.txt": big}))
    result = unpack(tmp_path / name, tmp_path / "t")
    assert {p.name: p.read_bytes() for p in result.folder.iterdir()} == {
        "a.txt": big,
        "b.txt": b"b",
        "c.txt": big,
    }


def test_xz_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "x.tar.xz").write_bytes(packing.tarred("w:xz", {"zeros.txt": bytes(70 << 20)}))
    with pytest.raises(InputError, match="200 times"):
        unpack(tmp_path / "x.tar.xz", tmp_path / "t")
    noise = np.random.default_rng(0).bytes(100_000)
    (tmp_path / "cut.tar.xz").write_bytes(packing.tarred("w:xz", {"noise.txt": noise})[:50_000])
    with pytest.raises(InputError, match="damaged"):
        unpack(tmp_path / "cut.tar.xz", tmp_path / "t")
    monkeypatch.setattr(unxz, "MEMORY", 1 << 20)
    (tmp_path / "greedy.tar.xz").write_bytes(packing.tarred("w:xz", {"a.txt": b"a"}))
    with pytest.raises(InputError, match=r"[Mm]emory"):
        unpack(tmp_path / "greedy.tar.xz", tmp_path / "t")


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    st.lists(st.integers(1, 200), max_size=8),
    st.integers(1, 500),
)
def test_unxz_reads_as_lzma_does(parts, sizes, most):
    whole = b"".join(parts)
    raw = io.BytesIO(b"".join(lzma.compress(part) + bytes(4) for part in parts))
    read, raw.read = raw.read, lambda size: read(min(size, most))
    file = Unxz(raw)
    at = 0
    for size in sizes:
        assert file.read(size) == whole[at : at + size]
        at = min(len(whole), at + size)
        assert file.tell() == at
    assert file.seek(at + 3) == min(len(whole), at + 3)
    assert file.read(10**6) == whole[at + 3 :]


@given(st.binary(max_size=200))
def test_unxz_of_random_bytes(content):
    for start in (b"\xfd7zXZ\0", b"\xfd7zXZ\0\0\4\xe6\xd6\xb4F", b"]\0\0"):
        with pytest.raises((lzma.LZMAError, EOFError)):
            Unxz(io.BytesIO(start + content)).read(1 << 20)


def test_weights_that_a_browser_unpacked_or_renamed(tmp_path, sandbox):
    apart = [f"best_model/{n}" for n in ("data.pkl", "version", "data/0", "byteorder")]
    (tmp_path / "oblig.zip").write_bytes(zipped(*apart, "scores_test.npy"))
    with zipfile.ZipFile(tmp_path / "oblig.zip") as archive:
        archive.extractall(tmp_path / "folder")
    for place in ("oblig.zip", "folder"):
        with take_in(tmp_path / place, sandbox) as taken:
            assert {p.name for p in taken.folder.iterdir()} == {"scores_test.npy", "best_model.pth"}
            with zipfile.ZipFile(taken.folder / "best_model.pth") as whole:
                assert sorted(whole.namelist()) == sorted(n.replace("best_model", "archive") for n in apart)
            assert "put together: best_model.pth" in " ".join(taken.notes)
    saved = zipped(*apart, compress=zipfile.ZIP_STORED)
    (tmp_path / "model.zip").write_bytes(saved)
    assert not is_archive(tmp_path / "model.zip")
    assert begins_as_archive(tmp_path / "model.zip"), "in a class it is a row, with its reason"
    with (
        pytest.raises(InputError, match="is a weights file of PyTorch"),
        take_in(tmp_path / "model.zip", sandbox),
    ):
        pass
    (tmp_path / "folder" / "model.zip").write_bytes(saved)
    with take_in(tmp_path / "folder", sandbox) as taken:
        assert (taken.folder / "model.pth").read_bytes() == saved
    assert (tmp_path / "folder" / "model.zip").is_file(), "what was handed in stays as it is"


@pytest.mark.parametrize("held_by", ["best", "best.pth", "a/b/archive", ""])
def test_the_tensors_of_weights_that_were_unpacked_are_the_ones_saved(tmp_path, held_by):
    tensors = {"conv1.weight": torch.rand(8, 3, 7, 7), "fc.bias": torch.rand(6).half()}
    torch.save(tensors, tmp_path / "saved.pth")
    folder = tmp_path / "folder"
    with zipfile.ZipFile(tmp_path / "saved.pth") as archive:
        for name in archive.namelist():
            place = folder / held_by / name.partition("/")[2]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(name))
    (folder / "notes.txt").write_text("beside")
    with take_in(folder) as taken:
        (file,) = taken.folder.rglob("*.pth")
        found = load_tensors(file)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert (folder / held_by / "data.pkl").is_file(), "what was handed in stays as it is"


def test_weights_that_were_unpacked_take_no_other_files_place(tmp_path):
    for name in ("best.pth", "best/data.pkl", "best/version", "best/data/0", "best/train.py"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    with take_in(tmp_path / "in") as taken:
        assert (taken.folder / "best.pth").read_text() == "best.pth"
        assert (taken.folder / "best" / "train.py").is_file()
        assert "hand in the .pth itself" in " ".join(taken.notes)


@pytest.mark.parametrize("beside", ["data.pkl", "oblig/version", "mimetype", "a/[Content_Types].xml"])
def test_a_file_of_a_telling_name_makes_no_archive_another_file(tmp_path, beside):
    (tmp_path / "x").write_bytes(zipped("oblig/main.py", beside, "oblig/data/a.csv", "oblig/data.pkl"))
    assert is_archive(tmp_path / "x")
    assert unpack(tmp_path / "x", tmp_path / "t", Bounds()).folder.is_dir()
