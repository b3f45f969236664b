"""What a notebook has saved of its last run: pictures and printed text. Read, never run; what it claims is judged.

Format: nbformat 4, https://nbformat.readthedocs.io (outputs of code cells). Notebooks of other forms have no outputs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from in4310.submission import formats
from in4310.submission.claims import words
from in4310.submission.sections import section_of

BYTES = 64 * 2**20
PICTURES, PICTURE_BYTES, TEXT = 200, 8 * 2**20, 2**20
KINDS = {"image/png": ".png", "image/jpeg": ".jpg"}
# What a picture shows is said by the code that draws it.
TOPICS = {"loss": "loss", "losses": "loss", "eigenvalues": "eigen", "eigvals": "eigen", "eigvalsh": "eigen",
          "spectrum": "spectrum", "spectra": "spectrum"}  # fmt: skip


@dataclass
class Outputs:
    """`pictures`: (file name that says cell and topic, bytes); `text`: what was printed, a form feed between cells;
    `headed`: that below the headings of sets in the cells of text between; `error`: where it failed.
    """

    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    text: str = ""
    headed: str = ""
    error: str = ""


def read_outputs(path: Path) -> Outputs:
    """The saved outputs, bounded in number and size. Raises ValueError for what is no notebook."""
    if path.stat().st_size > BYTES:
        raise ValueError(f"is larger than {BYTES >> 20} MiB; clear the outputs that nobody needs")
    try:
        text = path.read_text(encoding="utf-8-sig")
        formats.count_values(text)
        document = json.loads(text)
    except UnicodeDecodeError:
        raise ValueError("is not a notebook (no text)") from None
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("is not a notebook (no valid JSON)") from None
    cells = document.get("cells") if isinstance(document, Mapping) else None
    if not isinstance(cells, list):
        raise ValueError("is not a notebook of format 4 (it has no cells)")
    found = Outputs()
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, Mapping):
            continue
        said = [TOPICS[w] for w in words(_joined(cell.get("source"))[:20_000]) if w in TOPICS]
        outputs = cell.get("outputs")
        if cell.get("cell_type") == "markdown":
            found.headed += _headings(_joined(cell.get("source"))[: TEXT - min(TEXT, len(found.headed))])
        start = len(found.text)
        found.text += "\f" if found.text[-1:] not in ("", "\f") else ""
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, Mapping):
                _take(found, output, number, "-".join(dict.fromkeys(said)))
        found.headed += found.text[start:]
    return found


def _take(found: Outputs, output: Mapping[str, Any], cell: int, topics: str) -> None:
    if output.get("output_type") == "error" and not found.error:
        found.error = f"cell {cell}: {str(output.get('ename'))[:40]}: {str(output.get('evalue'))[:100]}"
    data = output.get("data")
    data = data if isinstance(data, Mapping) else {}
    for text in (_joined(output.get("text")), _joined(data.get("text/plain"))):
        found.text += text[: max(0, TEXT - len(found.text))] + "\n" if text else ""
    for kind, suffix in KINDS.items():
        content = _joined(data.get(kind))
        if not content or len(found.pictures) >= PICTURES or len(content) > PICTURE_BYTES * 4 // 3:
            continue
        try:
            raw = base64.b64decode(content, validate=False)
        except ValueError:
            continue
        label = f"-{topics}" if topics else ""
        found.pictures.append((f"cell{cell}-{len(found.pictures) + 1}{label}{suffix}", raw))


def _headings(text: str) -> str:
    """The headings of sets in a cell of text, as a program might have printed them."""
    lines = ["", *text.splitlines(), ""]
    around = zip(lines, lines[1:], lines[2:], strict=False)
    found = [
        line.strip(" #*") for before, line, after in around if section_of(line, before, after) is not None
    ]
    return "".join(f"\n## {line}\n" for line in found)


def _joined(value: Any) -> str:
    """nbformat keeps texts as one string or as a list of lines."""
    if isinstance(value, str):
        return value
    return "".join(v for v in value if isinstance(v, str)) if isinstance(value, list) else ""
