"""What a judge is asked for: one order, from the door that takes it to the record that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Order:
    """Judge this, by that. In plain values that travel to any process; '' where nothing was said.

    submission: the path as it was given; edition: a stock one's name, or the path of a TOML file; report: the folder
    that it is written into; data: the folder of class folders; full: recompute all scores; trusted: call the
    submission's functions also where nothing can be confined; language: of the report.
    """

    submission: str
    edition: str = ""
    report: str = ""
    data: str = ""
    full: bool = False
    trusted: bool = False
    language: str = ""

    def __post_init__(self) -> None:
        for name in ("submission", "edition", "report", "data", "language"):  # doors give a Path, or None
            object.__setattr__(self, name, str(getattr(self, name) or ""))

    def absolute(self) -> Self:
        """The same, in paths that hold in any process."""
        names = ["submission", "report", "data", *(["edition"] if self.edition.endswith(".toml") else [])]
        far: dict[str, Any] = {
            name: str(Path(path).resolve()) for name in names if (path := getattr(self, name))
        }
        return replace(self, **far)
