"""What tests of a judging run attach to its report: figures and tables of their own, beside the verdicts."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from in4310.judging.verdict import Attachment, Picture
from in4310.shown import shown


class Attachments:
    """Figures and tables, in order. `path`: the folder of the report, None where none is written."""

    def __init__(self, path: Path | None = None):
        self.path = path
        self.records: list[Attachment] = []
        self.pictures: dict[str, bytes] = {}

    def figure(self, figure: Any, title: str, alt: str = "") -> None:
        """Attach a matplotlib figure, or the bytes of a PNG, JPEG or SVG; `alt` says what it shows."""
        if hasattr(figure, "savefig"):
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=120, bbox_inches="tight")
            figure = stream.getvalue()
        file = f"pictures/attached-{len(self.pictures) + 1}.png"
        self.pictures[file] = bytes(figure)
        self.records.append(
            Attachment(title=title, picture=Picture(file=file, caption=title, alt=alt or title))
        )

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
        """Attach a table; each row has a cell a column, of anything that has a text."""
        cells = [[shown(str(cell)) for cell in row] for row in rows]
        if odd := [row for row in cells if len(row) != len(columns)]:
            raise ValueError(f"{title}: expected {len(columns)} cells per row, found {len(odd[0])}")
        self.records.append(Attachment(title=title, columns=list(columns), rows=cells))
