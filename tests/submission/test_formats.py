"""Readers of hand-ins: right files in many forms are read, anything else is one clear ValueError, never a crash."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from in4310.submission import formats, matrices, tables
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints, Unreadable

IMAGES = frozenset({"sea/1.jpg", "sea/2.jpg", "forest/ø 3.jpg", "street/4.jpg", "sea/5.jpg"})
HINTS = Hints(("forest", "sea", "street"), IMAGES)
PATHS = {
    "train": ("sea/1.jpg", "sea/2.jpg"),
    "val": ("forest/ø 3.jpg",),
    "test": ("street/4.jpg", "sea/5.jpg"),
}


def three_csv(folder):
    for name, paths in PATHS.items():
        (folder / f"{name}.csv").write_text(
            "path,label\n" + "".join(f"{p},x\n" for p in paths), encoding="utf-8"
        )
    return folder


def three_csv_semicolon_bom(folder):
    for name, paths in PATHS.items():
        (folder / f"{name}.csv").write_text(
            "Path;Label\n" + "".join(f"{p};x\n" for p in paths), encoding="utf-8-sig"
        )
    return folder


def three_txt_crlf(folder):
    for name, paths in zip(("training", "validation", "test"), PATHS.values(), strict=True):
        (folder / f"{name}.txt").write_bytes("\r\n".join(paths).encode())
    return folder


def one_json(folder):
    (folder / "s.json").write_text(
        json.dumps({"Train": PATHS["train"], "valid": PATHS["val"], "test": PATHS["test"]})
    )
    return folder / "s.json"


def one_csv(folder):
    rows = "".join(f"{p},{name}\n" for name, paths in PATHS.items() for p in paths)
    (folder / "s.csv").write_text("path,set\n" + rows, encoding="utf-8")
    return folder / "s.csv"


@pytest.mark.parametrize("write", [three_csv, three_csv_semicolon_bom, three_txt_crlf, one_json, one_csv])
def test_a_split_is_read_in_every_form(tmp_path, write):
    (tmp_path / "submission.toml").write_text("")
    place = write(tmp_path).relative_to(tmp_path).as_posix()
    (tmp_path / "submission.toml").write_text(f"[files]\nsplit = '{place}'\n")
    assert Submission(tmp_path, HINTS).split == PATHS
    assert Submission(tmp_path).split == PATHS, "also where nothing is known of the data"


def test_a_split_without_test_set_has_an_empty_one(tmp_path):
    (tmp_path / "split").mkdir()
    three_csv(tmp_path / "split")
    (tmp_path / "split" / "test.csv").unlink()
    assert Submission(tmp_path, HINTS).split == PATHS | {"test": ()}


def test_a_stated_split_that_is_none_says_so(tmp_path):
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "notes.md").write_text("to be done")
    three_csv(tmp_path)
    assert Submission(tmp_path, HINTS).split == PATHS, "a usual name alone means nothing"
    (tmp_path / "submission.toml").write_text("[files]\nsplit = 'split'\n")
    with pytest.raises(Unreadable, match="split holds nothing that can be read as this piece"):
        _ = Submission(tmp_path, HINTS).split


@pytest.mark.parametrize(
    ("written", "matched", "absolute"),
    [
        ("sea/1.jpg", "sea/1.jpg", False),
        ("./data/sea/1.jpg", "sea/1.jpg", False),
        ("C:\\Users\\me\\data\\sea\\1.jpg", "sea/1.jpg", True),
        ("/home/me/mandatory1_data/sea/1.jpg", "sea/1.jpg", True),
        ("../data/sea/1.jpg", "sea/1.jpg", True),
        ("data\\sea\\1.jpg", "sea/1.jpg", False),
        ("~/data/sea/1.jpg", "sea/1.jpg", True),
    ],
)
def test_paths_are_matched_by_their_last_two_parts(written, matched, absolute):
    assert formats.last_two_parts(written) == matched
    assert formats.is_absolute(written) is absolute


def table(path):
    return tables.parse_table(formats.read_text(path))


def arrays(path):
    ((_, array),) = matrices.read_arrays(path)
    return array


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(content=st.binary(max_size=400))
@pytest.mark.parametrize(
    "reader",
    [formats.read_json, table, arrays, formats.read_picture, formats.read_text],
)
def test_random_bytes_give_a_value_or_one_line(tmp_path, reader, content):
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    message = ""
    try:
        reader(file)
    except ValueError as error:
        message = str(error)
    assert "\n" not in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    shape=st.lists(st.integers(-(2**40), 2**40), max_size=4),
    dtype=st.sampled_from(["<f4", "<f8", "|O", "<i8", "<U9", "<c16"]),
)
def test_headers_that_lie_are_refused_before_memory_is_taken(tmp_path, shape, dtype):
    file = tmp_path / "a.npy"
    header = str({"descr": dtype, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    try:
        array = arrays(file)
    except ValueError:
        return
    assert array.nbytes <= 64
    assert array.dtype.kind in matrices.KINDS


def test_arrays_round_trip(tmp_path):
    scores = np.random.default_rng(0).random((7, 6)).astype(np.float32)
    np.save(tmp_path / "s.npy", scores)
    assert np.array_equal(arrays(tmp_path / "s.npy"), scores)


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "s.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled Python objects"):
        arrays(tmp_path / "s.npy")


def test_texts_beyond_the_bound_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "TEXT_BYTES", 10)
    (tmp_path / "big.json").write_text("[" + " " * 20 + "]")
    with pytest.raises(ValueError, match="22 bytes large, expected at most 10"):
        formats.read_json(tmp_path / "big.json")


def test_deeply_nested_json_is_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        formats.read_json(tmp_path / "deep.json")


def test_pictures_are_bounded(tmp_path, monkeypatch):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "p.png")
    assert formats.read_picture(tmp_path / "p.png")[0].shape == (30, 40, 3)
    monkeypatch.setattr(formats, "PICTURE_PIXELS", 100)
    with pytest.raises(ValueError, match="40 x 30 pixels"):
        formats.read_picture(tmp_path / "p.png")


@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.text(), st.none(), st.lists(st.floats())))
def test_only_finite_numbers_are_numbers(value):
    found = formats.finite(value)
    no_number = isinstance(value, bool) or not isinstance(value, int | float)
    if no_number or (isinstance(value, float) and not math.isfinite(value)):
        assert found is None
    elif found is not None:
        assert found == pytest.approx(value)
    else:
        assert abs(value) > 1e300


def test_a_header_that_cannot_be_tokenised_is_refused(tmp_path):
    """Found by fuzzing: numpy's fallback for old headers raises tokenize.TokenError, which is no ValueError."""
    header = b"(((\n" + b" " * 20
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ValueError, match=r"is not a .npy array"):
        arrays(tmp_path / "x.npy")
