"""Pictures and PDFs that would start a program, fill the memory or break what reads them are shown or refused."""

import io
import random
import struct
import subprocess
import zlib

import pytest
from attacks.readers import HINTS
from PIL import Image

from in4310.submission.folder import Submission
from in4310.submission.reading import Readers

pytestmark = pytest.mark.slow  # all of them run in CI
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n10 10 moveto\n"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "loss.pdf", "loss.svg"])
def test_no_program_is_started_for_a_picture(tmp_path, name, monkeypatch):
    """H4: Pillow starts Ghostscript for EPS."""
    (tmp_path / name).write_bytes(EPS + b" " * 600)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program is started"))
    seen = Submission(tmp_path).look(tmp_path / name)
    assert seen.pixels is None
    assert seen.why.startswith(("is not a readable picture", "not a PDF")) or name.endswith(".svg")


FORMATS = {"PNG": "RGBA", "JPEG": "RGB", "IM": "L", "DDS": "RGB", "JPEG2000": "RGB", "TIFF": "L", "GIF": "P", "WEBP": "RGB",
           "AVIF": "RGB", "SGI": "L", "TGA": "RGB", "BMP": "RGB", "ICNS": "RGBA", "ICO": "RGBA", "PCX": "L", "PPM": "RGB", "PDF": "RGB"}  # fmt: skip


def test_mutated_pictures_are_shown_or_refused(tmp_path):
    """E4: what Pillow raises on a damaged picture is of any kind."""
    random_ = random.Random(0)
    submission = Submission(tmp_path)
    shown = 0
    for kind, mode in FORMATS.items():
        stream = io.BytesIO()
        try:
            Image.linear_gradient("L").resize((32, 32)).convert(mode).save(stream, kind)
        except (OSError, KeyError):
            continue  # this Pillow cannot write it
        for _ in range(100):
            content = bytearray(stream.getvalue())
            for _ in range(random_.randint(1, 8)):
                content[random_.randrange(len(content))] = random_.randrange(256)
            content = content[: random_.randint(len(content) // 2, len(content) * 2)]
            (tmp_path / "x.png").write_bytes(content)
            seen = submission.look(tmp_path / "x.png")
            assert (seen.pixels is None) == seen.why.startswith("is not a readable picture"), (kind, seen.why)
            assert seen.pixels is None or kind in ("PNG", "JPEG")
            shown += seen.pixels is not None
    assert shown > 20


def blank_png(side):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_many_large_pictures_in_small_files_share_one_bound(sandbox, tmp_path):
    """D3: 8 KB each, 64 million pixels each."""
    for i in range(20):
        (tmp_path / f"loss {chr(97 + i)}.png").write_bytes(blank_png(8192) + bytes([i]))
    assert (tmp_path / "loss a.png").stat().st_size < 20_000
    with Readers(sandbox, tmp_path) as readers:
        submission = Submission(tmp_path, HINTS, readers)
        looks = [submission.look(p) for p in submission.pictures("plots")]
    assert [seen.pixels is not None for seen in looks] == [True] * 8 + [False] * 12
    assert looks[-1].why == "has 8192 x 8192 pixels, expected at most 0 in all"


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-" + b" " * 600,
        b"%PDF-1.7\n" + b"[" * 10**6,
        b"%PDF-1.4\n1 0 obj<</Length 99999999999>>stream\n" + b"x" * 600,
    ],
)
def test_a_pdf_is_looked_at_and_never_parsed(sandbox, tmp_path, content):
    """D6: whatever a PDF holds, it costs nothing."""
    (tmp_path / "loss.pdf").write_bytes(content)
    with Readers(sandbox, tmp_path, seconds=3) as readers:
        assert Submission(tmp_path, HINTS, readers).look(tmp_path / "loss.pdf").pixels is None
