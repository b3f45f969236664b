"""Names in archives: whatever they are, each file is taken inside the folder, under a name of its own, or its loss is told."""

import io
import tarfile
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.submission.archives import Bounds, unpack


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name  # as it is, not as zipfile would have it
            archive.writestr(info, str(number))
    return path


def tarred(path, names):
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = len(str(number))
            archive.addfile(info, io.BytesIO(str(number).encode()))
    return path


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["Oblig 1 /model.pth", "Oblig 1 /split /a.csv"], {"model.pth", "split/a.csv"}),
        (["Oblig 1./model.pth", "Oblig 1./b .txt. "], {"model.pth", "b .txt"}),
        (["/home/kari/a.csv", "/home/kari/b.csv"], {"a.csv", "b.csv"}),
        (["C:\\Users\\kari\\a.csv", "c:/Users/kari/b.csv"], {"a.csv", "b.csv"}),
        (["\\\\server\\share\\a.csv", "//server/share/b.csv"], {"a.csv", "b.csv"}),
        (["./a.csv", "./b/c.csv", ".//d.csv"], {"a.csv", "b/c.csv", "d.csv"}),
        (["aux.py", "con.csv", "nul.txt", "prn", "aux/com1.log"], {"aux.py", "con.csv", "nul.txt", "prn", "aux/com1.log"}),
        (["run: 1.csv", "a?.txt", "b|c*.txt"], {"run: 1.csv", "a?.txt", "b|c*.txt"}),
        (["a\nb.png", "a\x1b[31mc.png"], {"a_b.png", "a_[31mc.png"}),
        (["...", "b/ /c"], {"_", "b/_/c"}),
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_or_nowhere(tmp_path, pack, names, taken):
    result = unpack(pack(tmp_path / "x.archive.tar", names), tmp_path / "t")
    assert set(files(result.folder)) == taken
    assert not any("left out" in note for note in result.notes)


def test_what_is_altered_or_numbered_is_told(tmp_path):
    names = [
        "a\x07.txt",
        "a_.txt",
        "b.txt",
        "b.txt ",
        "b.txt.",
        "C:/b.txt",
        "é" * 200 + ".csv",
        "Model.pth",
        "model.pth",
    ]
    result = unpack(zipped(tmp_path / "x.zip", names), tmp_path / "t")
    found = files(result.folder)
    assert sorted(found.values()) == sorted(map(str, range(len(names))))
    assert {
        "a_.txt",
        "a_ (2).txt",
        "b.txt",
        "b (2).txt",
        "b (3).txt",
        "b (4).txt",
        "Model.pth",
        "model.pth",
    } <= set(found)
    assert [note.split(" to ")[0] for note in result.notes][:2] == [
        "renamed: a\\x07.txt",
        "renamed: a_.txt",
    ]
    assert len(result.notes) == 6


def test_a_tar_of_another_encoding(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", encoding="latin-1") as archive:
        for name in ("blåbær.csv", "a.csv"):
            archive.addfile(tarfile.TarInfo(name))
    assert set(files(unpack(tmp_path / "x.tar", tmp_path / "t").folder)) == {"blåbær.csv", "a.csv"}


PIECES = st.lists(
    st.sampled_from(["a", "A", "b ", "b", "b.", "..", ".", "", " ", "C:", "con", "x\n", "x_", "x\x1b", "é" * 120, "._z", "é"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    min_size=1,
    max_size=4,
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, st.sampled_from("/\\")).map(lambda p: p[1].join(p[0])), max_size=8))
@pytest.mark.filterwarnings("ignore:Duplicate name")
@example(["a", "a ", "a  ", "a (2)"])
@example(["b", "b/c", "b/c", "b /c"])
@example(["é" * 127 + "\n", "é" * 127 + "_"])
def test_any_names_are_files_of_their_own_inside_or_are_told(tmp_path_factory, names):
    home = tmp_path_factory.mktemp("names")
    names = [n for n in names if n and not n.endswith(("/", "\\"))]
    try:
        result = unpack(zipped(home / "x.zip", names), home / "t", Bounds(nested=False))
    except InputError:
        assert {p.name for p in home.iterdir()} == {"x.zip"}
        return
    assert {p.name for p in home.iterdir()} == {"x.zip", "t"}
    found = files(result.folder)
    assert len(set(found.values())) == len(found), "no file holds what another one of the archive is"
    told = [n for n in result.notes if n.startswith(("left out: ", "taken again: "))]
    rubbish = sum(any(p.startswith("._") for p in n.replace("\\", "/").split("/")) for n in names)
    missing = len(names) - len(found)
    assert missing <= len(told) + rubbish
    assert all("\n" not in note and "\x1b" not in note for note in result.notes)


@pytest.mark.parametrize(
    "rubbish", ["__MACOSX/d/._{}.jpg", ".git/objects/{}", "oblig/.venv/lib/{}.py", "node_modules/{}/index.js", "a/__pycache__/{}.pyc"]
)  # fmt: skip
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_rubbish_counts_against_no_bound(tmp_path, pack, rubbish):
    names = ["a.csv", *(rubbish.format(i) for i in range(60)), "b.csv"]
    result = unpack(pack(tmp_path / "x.tar", names), tmp_path / "t", Bounds(entries=2, total_bytes=10))
    assert files(result.folder) == {"a.csv": "0", "b.csv": "61"}
    assert result.notes == (
        "left out: 60 files that systems and tools leave (__MACOSX, .DS_Store and the like)",
    )


def test_bytes_of_rubbish_count_against_no_bound(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        for name, size in ((".venv/lib/torch.so", 3 << 20), ("a.csv", 5)):
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
    result = unpack(tmp_path / "x.tar.gz", tmp_path / "t", Bounds(total_bytes=1 << 20))
    assert set(files(result.folder)) == {"a.csv"}
    with pytest.raises(InputError, match="claims more than"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "u", Bounds(total_bytes=1 << 16))


def test_entries_without_end_are_refused(tmp_path):
    with pytest.raises(InputError, match="at most 100 entries"):
        unpack(
            zipped(tmp_path / "x.zip", [f".git/{i}" for i in range(120)]), tmp_path / "t", Bounds(entries=2)
        )


def test_nothing_but_rubbish_or_names_outside_is_told(tmp_path):
    with pytest.raises(InputError, match="only files that systems and tools leave"):
        unpack(zipped(tmp_path / "x.zip", [".DS_Store"]), tmp_path / "t")
    with pytest.raises(InputError, match=r"nothing in it could be taken .*leads outside"):
        unpack(zipped(tmp_path / "y.zip", ["../a"]), tmp_path / "t")
