"""No file makes a loader take more memory than its bound, however it is made: measured, in this process."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from in4310.submission.discovery import Discovery, Hints
from in4310.submission.formats import TEXT_BYTES
from in4310.submission.weights import load_tensors

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
MIB = 2**20
BOUND = (
    700 * MIB
)  # of one file in one reader: 16 MiB of text, 3 million values, 256 MiB of an array and its copy


def header(shape, descr="<f4"):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape})
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def zipped(name, content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def repeated(text, size=TEXT_BYTES - MIB):
    return text * (size // len(text))


BOMBS = {
    "claims.npy": lambda: header((10**11,)),
    "zeros.npz": lambda: zipped("scores.npy", header((40 * MIB, 6)) + bytes(64 * MIB)),
    "texts.npy": lambda: header((16 * MIB,), "<U1") + b"a\0\0\0" * (16 * MIB),
    "features.npy": lambda: header((30 * MIB, 2)) + bytes(240 * MIB),
    "lists.json": lambda: ("[" + repeated("[],") + "[]]").encode(),
    "objects.json": lambda: ("[" + repeated('{"a":{}},') + "1]").encode(),
    "deep.json": lambda: ("[" * 10**6).encode(),
    "numbers.csv": lambda: repeated("11,22,33,44,55,66\n").encode(),
    "wide.csv": lambda: repeated("11;").encode(),
    "lines.txt": lambda: repeated("sea/1.jpg\n").encode(),
    "one line.txt": lambda: repeated("x").encode(),
    "lists.ipynb": lambda: ('{"cells": [' + repeated("[],", 60 * MIB) + "[]]}").encode(),
    "pictures.ipynb": lambda: json.dumps(
        {"cells": [{"source": "", "outputs": [{"data": {"image/png": "A" * (4 * MIB)}}] * 12}]}
    ).encode(),
    "compressed.pth": lambda: zipped("archive/data.pkl", bytes(256 * MIB)),
}


LONG = {"lines.txt", "one line.txt"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in BOMBS]
)
def test_memory_is_bounded(tmp_path, name):
    (tmp_path / name).write_bytes(BOMBS[name]())
    tracemalloc.start()
    try:
        found = Discovery(tmp_path, Hints(CLASSES, frozenset({"sea/1.jpg"})), load_tensors)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BOUND, f"{peak / MIB:.0f} MiB"
    assert found.files == [name]


@pytest.mark.slow
def test_many_files_share_one_bound(tmp_path):
    """Each within its own bound, all together not."""
    for i in range(24):
        (tmp_path / f"{i}.json").write_text("[" + repeated("[],", 3 * MIB) + "[]]")
        np.save(tmp_path / f"{i}.npy", np.zeros((10**6, 7), np.float32))
    tracemalloc.start()
    try:
        found = Discovery(tmp_path, Hints(CLASSES), load_tensors)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * BOUND, f"{peak / MIB:.0f} MiB"
    assert kept < BOUND, f"{kept / MIB:.0f} MiB"
    assert any("more than 8000000 values" in note for note in found.notes)
