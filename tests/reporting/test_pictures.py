"""docs/pictures.py: pictures stay small, and who lacks a browser is told so in one line."""

import importlib.util
import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from in4310.errors import InputError

SCRIPT = Path(__file__).parents[2] / "docs" / "pictures.py"


@pytest.fixture(scope="module")
def pictures():
    if not SCRIPT.is_file():
        pytest.skip("docs/pictures.py is part of the repository, not of the package")
    spec = importlib.util.spec_from_file_location("pictures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["pictures"] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["pictures"]


def test_a_picture_stays_small(pictures):
    noise = np.random.default_rng(1).integers(0, 256, (500, 900, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    assert stream.tell() > pictures.BYTES
    small = pictures.smaller(stream.getvalue())
    assert len(small) <= pictures.BYTES
    assert Image.open(io.BytesIO(small)).mode == "P"


def test_without_playwright_it_is_one_line(pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright", None)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(InputError, match="pip install playwright"):
        pictures.make(pictures.SHOTS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pages_that_are_not_there_are_left_out(pictures, tmp_path, monkeypatch, capsys):
    pytest.importorskip("playwright")
    if not any(shutil.which(name) for name in pictures.BROWSERS):
        pytest.skip("needs Chromium or Chrome")
    monkeypatch.setattr(pictures, "BENCHMARKS", tmp_path / "none.html")
    page = tmp_path / "page.html"
    page.write_text("<h1>A page</h1>")
    shots = [pictures.Shot("benchmarks", pictures.benchmarks, 300, 200),
             pictures.Shot("one", lambda work: page, 300, 200, scale=1.5)]  # fmt: skip
    pictures.make(shots, tmp_path)
    assert "benchmarks: left out" in capsys.readouterr().out
    assert [file.name for file in tmp_path.glob("*.png")] == ["one.png"]
    assert Image.open(tmp_path / "one.png").size == (450, 300)
