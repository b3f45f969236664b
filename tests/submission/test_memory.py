"""No file makes a loader take more memory than its bound, however it is made: measured."""

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from torchvision.models import resnet34

from in4310.submission.discovery import Discovery
from in4310.submission.formats import TEXT_BYTES
from in4310.submission.pieces import Hints
from in4310.submission.reader import KEPT_BYTES
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


LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a peak is that since the start of the process"
)
LONG = ("lines.txt", "one line.txt")  # to trace what they hold takes minutes


@pytest.mark.parametrize("name", sorted(set(BOMBS) - set(LONG)))
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


DISCOVERS = """
import gc, json, sys
from pathlib import Path
import psutil
from in4310.memory import forget_peak, peak
from in4310.submission.discovery import Discovery
from in4310.submission.pieces import Hints
from in4310.submission.weights import load_tensors
forget_peak()
before = peak()
found = Discovery(Path(sys.argv[1]), Hints(tuple(sys.argv[2:]), frozenset({"sea/1.jpg"})), load_tensors)
grown = peak() - before
gc.collect()
print(json.dumps([found.files, found.notes, psutil.Process().memory_info().rss - before, grown]))
"""


def told_by(program, folder):
    """What a program says of a folder, in a process of its own: what this one holds on to is not counted."""
    told = subprocess.run(
        [sys.executable, "-P", "-c", program, folder, *CLASSES], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("name", LONG)
def test_memory_for_long_texts_is_bounded(tmp_path, name):
    (tmp_path / name).write_bytes(BOMBS[name]())
    files, _, _, peak = told_by(DISCOVERS, tmp_path)
    assert peak < BOUND, f"{peak / MIB:.0f} MiB"
    assert files == [name]


@pytest.mark.slow
@LINUX
def test_many_files_share_one_bound(tmp_path):
    """Each within its own bound, all together not."""
    for i in range(24):
        (tmp_path / f"{i}.json").write_text("[" + repeated("[],", 3 * MIB) + "[]]")
        np.save(tmp_path / f"{i}.npy", np.zeros((10**6, 7), np.float32))
    _, notes, kept, peak = told_by(DISCOVERS, tmp_path)
    assert peak < 2 * BOUND, f"{peak / MIB:.0f} MiB"
    assert kept < BOUND, f"{kept / MIB:.0f} MiB"
    assert any("more than 8000000 values" in note for note in notes)


READS_ALL = """
import json, sys
from pathlib import Path
import numpy as np
from in4310.memory import forget_peak, peak
from in4310.submission.reader import Reader
folder, classes, read = Path(sys.argv[1]), sys.argv[2:], []
reader = Reader(folder, read.append)
forget_peak()
before = peak()
asked = {"what": "discover", "without": [], "classes": classes, "sizes": {}, "places": []}
reader.answer(asked, {"images": np.zeros(0, np.uint8)})
for file in sorted(set(read)):
    reader.answer({"what": "weights", "file": file, "without": []}, {})
print(json.dumps([sorted(set(read)), peak() - before]))
"""


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("mapped", [True, False])
def test_many_checkpoints_share_one_bound(tmp_path, mapped):
    """In a process of its own: what torch holds is not traced. Files of old versions of torch cannot be mapped."""
    first = tmp_path / "epoch_00.pth"
    torch.save(resnet34(num_classes=6).state_dict(), first, _use_new_zipfile_serialization=mapped)
    names = [first.name, *(f"epoch_{i:02}.pth" for i in range(1, 24))]
    for name in names[1:]:
        os.link(first, tmp_path / name)
    size = first.stat().st_size
    read, grown = told_by(READS_ALL, tmp_path)
    assert read == names
    assert size > 80 * MIB
    assert grown < KEPT_BYTES + 2 * size, f"{grown / MIB:.0f} MiB"
