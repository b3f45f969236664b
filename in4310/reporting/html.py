"""The report as one HTML file: no network, no script needed, every text of the submission escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from in4310.judging.verdict import Check, Finding, Outcome, Requirement, Results
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page, slug

PICTURE_BYTES = 1_900_000  # of all pictures in the file; base64 makes a third more of them: 2.6 MB
LARGE = 120_000  # bytes from which a picture is tried as JPEG; photographs shrink, plots do not
FINDINGS = 60  # shown of one check; results.json has them all
GAPS = 6  # shown at once of what stands in the way of full marks
FORMATS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def render(results: Results, pictures: Mapping[str, bytes] | None = None, language: str = ENGLISH) -> str:
    """The page of one judging run. pictures: file as in `Picture.file` -> PNG or JPEG bytes, to be inlined.

    A pure function: the same record gives the same text. A picture that is missing, of another format or beyond the
    limit of the page is named by its file, beside results.json.
    """
    return page(
        "report.html.j2",
        styles=["report.css"],
        scripts=["report.js"],
        language=language,
        results=results,
        outcomes=list(Outcome),
        counts={o: sum(c.outcome is o for r in results.requirements for c in r.checks) for o in Outcome},
        gaps=gaps(results),
        bar=bar(results),
        shown_gaps=GAPS,
        findings=_findings,
        inlined=_inlined(results, pictures or {}),
    )


def gaps(results: Results) -> list[tuple[Requirement, Check, float]]:
    """What stands in the way of full marks: checks with points to gain, the most first, then in the edition's order."""
    found = [(r, c, c.max_points - c.points) for r in results.requirements for c in r.checks]
    return sorted((gap for gap in found if gap[2] > 1e-9), key=lambda gap: -gap[2])


def bar(results: Results) -> list[tuple[float, float, str]]:
    """The points as pieces of a bar 1000 wide: (start, width, 'earned' or the outcome of what was not)."""
    total = results.max_points or 1.0
    checks = [c for r in results.requirements for c in r.checks]
    parts = [(results.points, "earned")] + [
        (sum(c.max_points - c.points for c in checks if c.outcome is o), slug(o)) for o in Outcome
    ]
    pieces, at = [], 0.0
    for points, kind in parts:
        if points > 1e-9:
            pieces.append((round(at, 2), round(1000 * points / total, 2), kind))
            at += 1000 * points / total
    return pieces


def _findings(check: Check) -> tuple[Sequence[Finding], int]:
    """Those to show, in their order, and how many are left out: of too many, the good ones go first."""
    if len(check.findings) <= FINDINGS:
        return check.findings, 0
    order = sorted(range(len(check.findings)), key=lambda i: check.findings[i].outcome is Outcome.PASSED)
    return [check.findings[i] for i in sorted(order[:FINDINGS])], len(check.findings) - FINDINGS


def _inlined(results: Results, pictures: Mapping[str, bytes]) -> dict[str, str]:
    """file -> data URI, as far as the limit goes; checks that were not passed have the first claim."""
    checks = [c for r in results.requirements for c in r.checks]
    checks.sort(key=lambda c: c.outcome is Outcome.PASSED)
    found: dict[str, str] = {}
    left = PICTURE_BYTES
    for file in (picture.file for check in checks for picture in check.pictures):
        content = _smaller(pictures.get(file, b""))
        kind = next((mime for start, mime in FORMATS.items() if content.startswith(start)), "")
        if kind and len(content) <= left and file not in found:
            left -= len(content)
            found[file] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return found


def _smaller(content: bytes) -> bytes:
    """A large PNG as JPEG where that takes less than half the space: it holds photographs."""
    if len(content) <= LARGE or not content.startswith(b"\x89PNG"):
        return content
    stream = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            flat = Image.new("RGB", picture.size, "white")
            flat.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    except (OSError, ValueError, Image.DecompressionBombError):
        return content
    flat.save(stream, "JPEG", quality=88, optimize=True)
    return stream.getvalue() if stream.tell() * 2 < len(content) else content
