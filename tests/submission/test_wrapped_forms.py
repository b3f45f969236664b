"""However a hand-in is wrapped, the same pieces are found in it: every outer form times every inner form."""

import bz2
import gzip
import io
import json
import lzma
import os
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from sampled import sampled
from submission import packing
from submission.packing import zipped

from in4310.errors import InputError
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import Hints

CLASSES = ("sea", "street")
IMAGES = {
    name: [f"{c}/{name}{i}.jpg" for c in CLASSES for i in range(4)] for name in ("train", "val", "test")
}
HINTS = Hints(
    CLASSES, frozenset(p for paths in IMAGES.values() for p in paths), {"train": 8, "val": 8, "test": 8}
)
PDF, WEIGHTS = "report.pdf", "model.pth"


def saved(write, *values):
    stream = io.BytesIO()
    write(stream, *values)
    return stream.getvalue()


def table(paths):
    return "path,label\n" + "".join(f"{p},{p.split('/')[0]}\n" for p in paths)


SCORES = np.tile(np.array([[0.75, 0.25]], np.float32), (8, 1))
FIGURES = {"accuracy": 0.5, "mean_accuracy": 0.5, "map": 0.5, "accuracy_per_class": {"sea": 1.0, "street": 0.0},
           "ap_per_class": {"sea": 0.5, "street": 0.5}}  # fmt: skip
USUAL = {
    "submission.toml": b"[submission]\nname = 'Kari'\n",
    "scores_test.npy": saved(np.save, SCORES),
    "metrics.json": json.dumps({"test": FIGURES, "val": FIGURES}).encode(),
    **{f"split/{name}.csv": table(paths).encode() for name, paths in IMAGES.items()},
    "resources.json": json.dumps({"peak_memory_bytes": 10**9, "batch_size": 64}).encode(),
    WEIGHTS: saved(lambda file, state: torch.save(state, file), {"fc.weight": torch.zeros(2, 3)}),
    PDF: b"%PDF-1.4 a report",
}
UNUSUAL = {
    "oblig1/" + name: USUAL[known]
    for name, known in {
        "softmax/test_softmax_scores.npy": "scores_test.npy", "results/final metrics.json": "metrics.json", "lists/train.csv": "split/train.csv",
        "lists/val.csv": "split/val.csv", "lists/test.csv": "split/test.csv", "gpu.json": "resources.json", "best.pth": WEIGHTS,
        "oblig1 report.pdf": PDF,
    }.items()
} | {"oblig1/main.py": b"SEED = 42\n"}  # fmt: skip


def one_folder(files):
    return {f"Oblig 1 (final) /{name}": content for name, content in files.items()}


def with_rubbish(files):
    return (
        {f"oblig/{name}": content for name, content in files.items()}
        | {f"__MACOSX/oblig/._{PurePosixPath(name).name}": b"\0\5\x16\7" for name in files}
        | {"oblig/.git/objects/ab/cd": b"x", "oblig/.DS_Store": b"x", "oblig/.venv/lib/model.pth": b"x"}
    )


INNER = {"flat": dict, "one folder": one_folder, "rubbish": with_rubbish}


def tarred(mode, files):
    return packing.tarred(mode, {f"./{name}": content for name, content in files.items()})


def parted(files, apart):
    """The files without one, and that one."""
    (name,) = (n for n in files if PurePosixPath(n).name in apart)
    return {n: c for n, c in files.items() if n != name}, PurePosixPath(name).name, files[name]


REPORTS, MODELS = {PDF, "oblig1 report.pdf"}, {WEIGHTS, "best.pth"}


# Each gives the files of the folder that is handed in, or the one file: (files, how they are laid out inside).
def beside(apart, pack):
    def form(files, inner):
        rest, name, content = parted(files, apart)
        return {name: content, "oblig 1.zip": pack(inner(rest))}

    return form


PACKERS = (
    (".gz", gzip.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
    (".lzma", partial(lzma.compress, format=lzma.FORMAT_ALONE)),
)


def each_compressed(files):
    """Every file by itself, the packers in turn; those of systems and tools as they are."""
    found = {}
    for i, (name, content) in enumerate(files.items()):
        suffix, pack = PACKERS[i % len(PACKERS)]
        hidden = any(part.startswith((".", "__")) for part in PurePosixPath(name).parts)
        found |= {name: content} if hidden else {name + suffix: pack(content)}
    return found


OUTER = {
    "folder": lambda files, inner: inner(files),
    "zip": lambda files, inner: {"x.zip": zipped(inner(files))},
    "tar.gz": lambda files, inner: {"x.tar.gz": tarred("w:gz", inner(files))},
    "tar.xz": lambda files, inner: {"x.tar.xz": tarred("w:xz", inner(files))},
    "zip in a folder": lambda files, inner: {"a/b/x.zip": zipped(inner(files))},
    "zip beside the report": beside(REPORTS, zipped),
    "zip beside the weights": beside(MODELS, zipped),
    "tar beside the weights": beside(MODELS, lambda files: tarred("w:xz", files)),
    "zip that holds the report again": lambda files, inner: {"x.zip": zipped(inner(files))} | dict([parted(files, REPORTS)[1:]]),
    "zip in zip": lambda files, inner: {"x.zip": zipped({"oblig/y.zip": zipped(inner(files))})},
    "zip in zip beside the report": lambda files, inner: {"x.zip": zipped(beside(REPORTS, zipped)(files, inner))},
    "zip in zip in a folder beside the weights": lambda files, inner: beside(MODELS, lambda rest: zipped({"y.zip": zipped(rest)}))(files, inner),
    "each file compressed": lambda files, inner: each_compressed(inner(files)),
    "each file compressed, in a zip": lambda files, inner: {"x.zip": zipped(each_compressed(inner(files)))},
    "zip in zip, each beside a file": lambda files, inner: _twice(files, inner),
}  # fmt: skip


def _twice(files, inner):
    rest, report, content = parted(files, REPORTS)
    return {report: content, "x.zip": zipped(beside(MODELS, zipped)(rest, inner))}


def written(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pieces(place):
    """Piece -> names of its files and its value, as discovery gives them."""
    with take_in(place) as taken:
        submission = Submission(taken.folder, HINTS)
        found = {
            piece: [(sorted(PurePosixPath(f).name for f in c.files), repr(c.value)) for c in candidates[:1]]
            for piece, candidates in submission.found.candidates.items()
        }
        code = sorted(p.name for p in taken.folder.rglob("*.py") if ".venv" not in p.parts)
        return found, set(submission.placed), submission.table("submission"), code


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return {
        name: pieces(written(tmp_path_factory.mktemp("plain"), files))
        for name, files in (("usual", USUAL), ("unusual", UNUSUAL))
    }


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("names", ["usual", "unusual"])
def test_every_form_gives_the_same_pieces(tmp_path, plain, names, outer, inner):
    files = USUAL if names == "usual" else UNUSUAL
    handed_in = OUTER[outer](files, INNER[inner])
    folder = written(tmp_path / "handed in", handed_in)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
    alone = len(handed_in) == 1 and outer != "zip in a folder"
    for place in (folder, folder / next(iter(handed_in)))[: 1 + alone]:
        assert pieces(place) == plain[names]
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
    assert len(plain[names][0]["scores"]) == len(plain[names][0]["split"]) == 1


def test_a_compressed_file_never_takes_the_place_of_another(tmp_path):
    files = {"metrics.json": b"{}", "metrics.json.gz": gzip.compress(b"other"), "log.txt.xz": b"\xfd7zXZ\0 damaged",
             "run.bz2": tarred("w:bz2", {"run/a.txt": b"a"}), "plain.gz": b"not compressed", ".gz": b"a"}  # fmt: skip
    with take_in(written(tmp_path / "a", files)) as taken:
        held = {
            p.relative_to(taken.folder).as_posix(): p.read_bytes()
            for p in taken.folder.rglob("*")
            if p.is_file()
        }
        notes = " ".join(taken.notes)
    assert held["metrics.json"] == b"{}"
    assert held["metrics.json.gz"] == files["metrics.json.gz"]
    assert held["log.txt.xz"] == files["log.txt.xz"]
    assert held["plain"] == files["plain.gz"]
    assert b"a" in held.values()
    assert "metrics.json.gz: a file of that name is there already" in notes
    assert "log.txt.xz" in notes


def test_of_two_files_that_differ_the_one_outside_counts(tmp_path):
    files = {PDF: b"%PDF-1.4 outside", "x.zip": zipped(USUAL)}
    with take_in(written(tmp_path / "a", files)) as taken:
        assert (taken.folder / PDF).read_bytes() == files[PDF]
        assert (taken.folder / "x" / PDF).read_bytes() == USUAL[PDF]
        assert (taken.folder / WEIGHTS).is_file()


def test_code_of_one_name_stays_beside_its_own_code(tmp_path):
    """An empty __init__.py, or helpers.py twice: each program has its own beside it."""
    inside = {f"oblig/{name}": b"" for name in ("__init__.py", "helpers.py", "train.py")}
    files = {"__init__.py": b"", "helpers.py": b"", "x.zip": zipped(inside)}
    with take_in(written(tmp_path / "a", files)) as taken:
        assert {p.name for p in (taken.folder / "x" / "oblig").iterdir()} == {
            "__init__.py",
            "helpers.py",
            "train.py",
        }


def test_a_name_in_an_archive_that_is_the_archives_own(tmp_path):
    files = {
        "a.txt": b"a",
        "x.zip": zipped({"x": b"a file", ".x/b.txt": b"b", WEIGHTS: b"w"}),
        ".x": b"hidden",
    }
    with take_in(written(tmp_path / "a", files)) as taken:
        assert (taken.folder / "x").is_dir() != (taken.folder / "x").is_file()
        assert (taken.folder / WEIGHTS).read_bytes() == b"w"
        held = sorted(p.read_bytes() for p in taken.folder.rglob("*") if p.is_file())
        assert held == [b"a", b"a file", b"b", b"hidden", b"w"]


def test_an_archive_of_a_piece_stays_a_folder_of_its_name(tmp_path):
    files = {"split.zip": zipped({f"{n}.csv": USUAL[f"split/{n}.csv"] for n in IMAGES}), "scores.npy": USUAL["scores_test.npy"]}  # fmt: skip
    found, placed, *_ = pieces(written(tmp_path / "a", files))
    assert "split" in placed
    assert len(found["split"]) == 1


def test_archives_of_a_data_set_stay_in_a_folder_of_their_own(tmp_path):
    files = {"main.py": b"", "data.zip": zipped(dict.fromkeys(IMAGES["train"], b"jpg"))}
    with take_in(written(tmp_path / "a", files)) as taken:
        assert sorted(os.listdir(taken.folder)) == ["data", "main.py"]  # noqa: PTH208


def test_bounds_hold_for_all_archives_together(tmp_path):
    bomb = zipped({"zeros": bytes(40 << 20)})
    for count, refused in ((1, False), (2, True)):
        folder = written(tmp_path / str(count), {f"{i}.zip": bomb for i in range(count)} | {"a.txt": b"a"})
        if refused:
            with pytest.raises(InputError, match="200 times its size"), take_in(folder):
                pass
        else:
            with take_in(folder) as taken:
                assert (taken.folder / "0" / "zeros").stat().st_size == 40 << 20
    deep = b"deep"
    for _ in range(5):
        deep = zipped({"x.zip": deep})
    with pytest.raises(InputError, match="deep in each other"), take_in(written(tmp_path / "d", {"x.zip": deep, "a": b""})):  # fmt: skip
        pass


@pytest.mark.parametrize("packed", sampled([True, False], every=2))
def test_a_data_set_that_is_too_large_stays_packed(tmp_path, packed):
    many = zipped({f"sea/{i}.jpg": b"" for i in range(20_001)})
    files = {"data.zip": many, "oblig.zip": zipped(USUAL), "a.txt": b"a"}
    place = written(tmp_path / "a", {"x.zip": zipped(files)} if packed else files)
    with take_in(place / "x.zip" if packed else place) as taken:
        assert sorted(p.name for p in taken.folder.iterdir()) == sorted(
            {"a.txt", "data.zip"} | {n.split("/")[0] for n in USUAL}
        )
        assert any(n.startswith("left packed: data.zip: ") and "20000 files" in n for n in taken.notes)


def test_links_beside_an_archive_lead_nowhere(tmp_path):
    folder = written(tmp_path / "a", {"x.zip": zipped(USUAL), "b/c.txt": b"c"})
    (tmp_path / "secret.zip").write_bytes(zipped({"secret": b"x"}))
    (folder / "y.zip").symlink_to(tmp_path / "secret.zip")
    (folder / "x").symlink_to(tmp_path)
    with take_in(folder) as taken:
        names = {p.name for p in taken.folder.rglob("*")}
        assert "secret" not in names
        assert WEIGHTS in names
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "secret.zip"]
