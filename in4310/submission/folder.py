"""A submission on disk: which file is which piece, and each piece read on first use."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from in4310.errors import InputError
from in4310.submission import formats
from in4310.submission.pieces import KINDS, Missing, Unreadable

PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
Value = TypeVar("Value")


class Submission:
    """A folder handed in. Reading a piece that is not there raises Missing; one that is broken, Unreadable."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            found = "a file" if folder.is_file() else "nothing"
            raise InputError(f"{folder}: expected a submission folder, found {found}")
        self.folder = folder.resolve()
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> dict[str, Any]:
        path = self.folder / "submission.toml"
        if not path.is_file():
            return {}
        try:
            return tomllib.loads(formats.read_text(path))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid TOML ({error}); mend it or leave it out") from None

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of submission.toml, empty when it is not there."""
        value = self.manifest.get(name, {})
        return value if isinstance(value, Mapping) else {}

    @property
    def name(self) -> str:
        """The name in submission.toml, else the folder's."""
        name = self.table("submission").get("name")
        return name if isinstance(name, str) and name else self.folder.name

    @cached_property
    def located(self) -> dict[str, tuple[str, str]]:
        """piece -> (path inside the submission, why it was taken); pieces not found are absent."""
        found: dict[str, tuple[str, str]] = {}
        for kind in KINDS.values():
            named = self.table("files").get(kind.name)
            if isinstance(named, str) and self._inside(named):
                found[kind.name] = (named, "named in submission.toml")
                continue
            for place in kind.places:
                if self._inside(place):
                    found[kind.name] = (place, "usual name")
                    break
        return found

    def _inside(self, relative: str) -> bool:
        path = (self.folder / relative).resolve()
        return path.is_relative_to(self.folder) and path.exists()

    def path(self, piece: str) -> Path:
        """Absolute path of a piece; raises Missing."""
        if piece not in self.located:
            raise Missing(piece)
        return self.folder / self.located[piece][0]

    def _read(self, piece: str, reader: Callable[[Path], Value]) -> Value:
        path = self.path(piece)
        try:
            return reader(path)
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Unreadable(piece, f"{self.located[piece][0]} {reason}") from None

    @cached_property
    def split(self) -> dict[str, tuple[str, ...]]:
        """train, val, test -> paths as they are written."""
        return self._read("split", formats.read_split)

    @cached_property
    def scores(self) -> np.ndarray:
        """Test scores as handed in, any shape."""
        return self._read("scores", formats.read_array)

    @cached_property
    def scores_val(self) -> np.ndarray:
        """Validation scores as handed in, any shape."""
        return self._read("scores_val", formats.read_array)

    @cached_property
    def metrics(self) -> Any:
        """The document of metrics: {'val': {...}, 'test': {...}}."""
        return self._mapping("metrics")

    @cached_property
    def ranking(self) -> Any:
        """class -> {'top': [[path, score], ...], 'bottom': [...]}."""
        return self._mapping("ranking")

    @cached_property
    def non_positive(self) -> Any:
        """{'images': [paths], 'percent': {module: number}}."""
        return self._mapping("non_positive")

    @cached_property
    def eigenvalues(self) -> Any:
        """{'series': [{'model', 'data', 'images', 'paths', 'modules': {module: {...}}}]}."""
        return self._mapping("eigenvalues")

    @cached_property
    def resources(self) -> Any:
        """{'peak_memory_bytes', 'batch_size', 'device', ...}."""
        return self._mapping("resources")

    @cached_property
    def reproduction(self) -> Any:
        """What the submission's own comparison routine recorded."""
        return self._mapping("reproduction")

    def _mapping(self, piece: str) -> Mapping[str, Any]:
        document = self._read(piece, formats.read_json)
        if not isinstance(document, Mapping):
            raise Unreadable(piece, f"{self.located[piece][0]} is not a JSON object")
        return document

    @cached_property
    def history(self) -> dict[str, Mapping[str, Any]]:
        """run -> {'settings': {...}, 'epochs': [{...}], 'best_epoch': n}."""
        folder = self.path("history")
        files = sorted(folder.glob("*.json")) if folder.is_dir() else [folder]
        if not files:
            raise Missing("history")
        runs: dict[str, Mapping[str, Any]] = {}
        for file in files:
            try:
                run = formats.read_json(file)
            except (ValueError, OSError) as error:
                raise Unreadable("history", f"{file.name} {error}") from None
            if not isinstance(run, Mapping) or not isinstance(run.get("epochs"), list):
                raise Unreadable(
                    "history", f"{file.name} is not a history: expected 'settings' and a list 'epochs'"
                )
            if not all(isinstance(epoch, Mapping) for epoch in run["epochs"]):
                raise Unreadable("history", f"{file.name}: an epoch is not an object")
            runs[file.stem] = run
        return runs

    def pictures(self, piece: str) -> list[Path]:
        """Files of pictures in a folder piece, by name; raises Missing when there is none."""
        folder = self.path(piece)
        files = (
            sorted(f for f in folder.iterdir() if f.suffix.lower() in PICTURES)
            if folder.is_dir()
            else [folder]
        )
        if not files:
            raise Missing(piece)
        return files

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents of all files."""
        total = hashlib.sha256()
        for file in sorted(f for f in self.folder.rglob("*") if f.is_file() and not f.is_symlink()):
            total.update(file.relative_to(self.folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()
