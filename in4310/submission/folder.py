"""A submission on disk: which file is which piece, and each piece read on first use."""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from in4310.errors import InputError, of_the_machine
from in4310.shown import shown
from in4310.submission import claims, formats, histories
from in4310.submission.discovery import FILES, Candidate, Discovery, Hints
from in4310.submission.pieces import KINDS, Missing, Unreadable
from in4310.submission.state_dicts import Network, describe, find_networks, translate
from in4310.submission.weights import load_tensors

PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
Value = TypeVar("Value")
Loader = Callable[[Path], Mapping[str, Tensor]]


class Submission:
    """A folder handed in. Reading a piece that is not there raises Missing; one that is broken, Unreadable.

    `hints`: what to look for where neither submission.toml nor a usual name says where a piece is; `load`: how weights
    files are read, by default in this process, as tensors only.
    """

    def __init__(self, folder: Path, hints: Hints | None = None, load: Loader = load_tensors, name: str = ""):
        if not folder.is_dir():
            found = "a file" if folder.is_file() else "nothing"
            raise InputError(f"{folder}: expected a submission folder, found {found}")
        self.folder = folder.resolve()
        self.hints = hints or Hints(())
        self._load = load
        self._loaded: dict[Path, Mapping[str, Tensor]] = {}
        self._given_name = name
        self._aside: tempfile.TemporaryDirectory[str] | None = (
            None  # removed when nothing refers to it any more
        )
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> dict[str, Any]:
        path = self.folder / "submission.toml"
        if not path.is_file():
            return {}
        try:
            return tomllib.loads(formats.read_text(path))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid TOML ({error}); fix it or leave it out") from None

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of submission.toml, empty when it is not there."""
        value = self.manifest.get(name, {})
        return value if isinstance(value, Mapping) else {}

    @property
    def name(self) -> str:
        """The name in submission.toml, else the folder's or archive's."""
        name = self.table("submission").get("name")
        return shown(name) if isinstance(name, str) and name else self._given_name or self.folder.name

    # -- where the pieces are ----------------------------------------------------------------------

    @cached_property
    def placed(self) -> dict[str, tuple[str, str]]:
        """piece -> (path inside, why), for pieces that submission.toml names or that lie in their usual place."""
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
        try:
            path = (self.folder / relative).resolve()
            return path.is_relative_to(self.folder) and path.exists()
        except (OSError, ValueError):
            return False

    @cached_property
    def discovery(self) -> Discovery:
        """Candidates for every piece, found by content."""
        return Discovery(self.folder, self.hints, self.tensors)

    @cached_property
    def located(self) -> dict[str, tuple[str, str]]:
        """piece -> (path inside the submission, why it was taken); pieces not found are absent."""
        found = dict(self.placed)
        for piece in KINDS:
            candidate = self._candidate(piece) if piece not in found else None
            if candidate is not None:
                found[piece] = (candidate.files[0], candidate.why + _together(candidate.files[1:]))
        return {piece: found[piece] for piece in KINDS if piece in found}

    def _candidate(self, piece: str) -> Candidate | None:
        candidates = self.candidates(piece)
        return candidates[0] if candidates else None

    def candidates(self, piece: str) -> list[Candidate]:
        """All candidates for a piece found by content, best first; [] when its place was stated, or without hints."""
        if piece in self.placed or not self.hints.classes:
            return []
        taken = {file for file, _ in self.placed.values()}
        return [c for c in self.discovery.candidates.get(piece, []) if not taken & set(c.files)]

    def discovered(self, piece: str) -> list[Candidate]:
        """Candidates for a piece found by content, also where its place was stated; [] without hints."""
        return self.discovery.candidates.get(piece, []) if self.hints.classes else []

    def others(self, piece: str) -> list[str]:
        """Other files that could have been the piece and were not taken; shown safely."""
        if piece in self.placed:
            return []
        candidates = self.candidates(piece)
        files = dict.fromkeys(f for c in candidates for f in c.files)
        return [shown(f) for f in files if f not in candidates[0].files][:20]

    @property
    def notes(self) -> list[str]:
        """What discovery left aside and why, as far as it was needed; safe to show, bounded in number."""
        if "discovery" not in self.__dict__:
            return []
        notes = self.discovery.notes
        return notes[:30] + ([f"and {len(notes) - 30} more"] if len(notes) > 30 else [])

    def path(self, piece: str) -> Path:
        """Absolute path of a piece; raises Missing."""
        if piece not in self.located:
            raise Missing(piece)
        return self.folder / self.located[piece][0]

    # -- reading them ------------------------------------------------------------------------------

    def _read(self, piece: str, reader: Callable[[Path], Value]) -> Value:
        """A stated piece by its reader; where that cannot read it, or none was stated, what was found by content."""
        if piece not in self.placed:
            candidate = self._candidate(piece)
            if candidate is None or candidate.value is None:
                raise Missing(piece)
            value: Value = candidate.value
            return value
        try:
            return reader(self.folder / self.placed[piece][0])
        except (ValueError, OSError) as error:
            if of_the_machine(error):
                raise
            stated = self.placed[piece][0]
            for candidate in self.discovery.candidates.get(piece, []) if self.hints.classes else ():
                mine = any(f == stated or f.startswith(f"{stated}/") for f in candidate.files)
                if mine and candidate.value is not None:
                    return candidate.value
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Unreadable(piece, f"{shown(stated)} {reason}") from None

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
        document = self._mapping("metrics")
        if any(isinstance(document.get(s), Mapping) and "accuracy" in document[s] for s in ("val", "test")):
            return document
        label = self.path("metrics").stem
        return claims.as_metrics(document, label, self.hints.classes) or document

    @cached_property
    def ranking(self) -> Any:
        """class -> {'top': [[path, score], ...], 'bottom': [...]}."""
        document = self._mapping("ranking")
        if any(isinstance(v, Mapping) and "top" in v for v in document.values()):
            return document
        return claims.as_ranking(document, "", self.hints.classes) or document

    @cached_property
    def non_positive(self) -> Any:
        """{'images': [paths], 'percent': {module: number}}."""
        document = self._mapping("non_positive")
        return document if "percent" in document else claims.as_non_positive(document) or document

    @cached_property
    def eigenvalues(self) -> Any:
        """{'series': [{'model', 'data', 'images', 'paths', 'modules': {module: {...}}}]}."""
        document = self._mapping("eigenvalues")
        if "series" in document:
            return document
        return claims.as_eigenvalues(Discovery.leaves(document), self.path("eigenvalues").stem) or document

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
            raise Unreadable(piece, f"{shown(self.located[piece][0])} is not a JSON object")
        return document

    @cached_property
    def history(self) -> dict[str, Mapping[str, Any]]:
        """run -> {'settings': {...}, 'epochs': [{...}], 'best_epoch': n}."""
        if "history" not in self.placed:
            return self._read("history", lambda path: {})
        folder = self.path("history")
        files = (
            [f for f in sorted(folder.glob("*.json")) if not f.is_symlink()] if folder.is_dir() else [folder]
        )
        if not files:
            found = self.discovery.candidates.get("history", []) if self.hints.classes else []
            if not found:
                raise Missing("history")
            return dict(found[0].value)
        runs: dict[str, Mapping[str, Any]] = {}
        for file in files:
            try:
                run = formats.read_json(file)
            except (ValueError, OSError) as error:
                raise Unreadable("history", f"{shown(file.name)} {error}") from None
            if isinstance(run, Mapping) and isinstance(run.get("epochs"), list):
                if not all(isinstance(epoch, Mapping) for epoch in run["epochs"]):
                    raise Unreadable("history", f"{shown(file.name)}: an epoch is not an object")
                runs[file.stem] = run
                continue
            foreign = histories.as_history(run, file.stem)
            if foreign is None:
                raise Unreadable(
                    "history", f"{shown(file.name)} is not a history: expected 'settings' and a list 'epochs'"
                )
            runs |= foreign
        return runs

    def pictures(self, piece: str) -> list[Path]:
        """Files of pictures of a piece, by name; raises Missing when there is none."""
        if piece not in self.placed:
            candidate = self._candidate(piece)
            if candidate is None:
                raise Missing(piece)
            return [p for file in candidate.files for p in self._pictures_in(file)]
        place = self.path(piece)
        inside = place.rglob("*") if place.is_dir() else ()  # one folder an image is usual
        files = sorted(
            f for f in inside if f.suffix.lower() in PICTURES and f.is_file() and not f.is_symlink()
        )
        files = files[:FILES] if place.is_dir() else [place]
        if not files:
            raise Missing(piece)
        return files

    def _pictures_in(self, file: str) -> list[Path]:
        """A picture is itself; the pictures that a notebook has saved are written aside, never into the submission."""
        saved = self.discovery.outputs.get(file)
        if saved is None:
            return [self.folder / file]
        if self._aside is None:
            self._aside = tempfile.TemporaryDirectory(prefix="in4310-outputs-")
        place = (
            Path(self._aside.name) / hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        )
        if not place.exists():
            place.mkdir()
            for name, content in saved:
                (place / name).write_bytes(content)
        return [place / name for name, _ in saved]

    # -- weights -----------------------------------------------------------------------------------

    def tensors(self, path: Path) -> Mapping[str, Tensor]:
        """Tensors of a weights file by dotted name, loaded once; raises ValueError."""
        if path not in self._loaded:
            self._loaded[path] = self._load(path)
        return self._loaded[path]

    def network(self, piece: str, file: str | None = None) -> tuple[Network, dict[str, Tensor]]:
        """The network in a weights file and its state dict in torchvision's names, float32.

        `file`: one of the candidates instead of the first. Raises Missing, and Unreadable where no ResNet is found.
        """
        path = self.folder / file if file else self.path(piece)
        try:
            tensors = self.tensors(path)
        except (ValueError, OSError) as error:
            if of_the_machine(error):
                raise
            raise Unreadable(piece, f"{shown(path.name)} {error}") from None
        shapes = {name: tuple(t.shape) for name, t in tensors.items()}
        networks = find_networks(shapes)
        if not networks:
            raise Unreadable(piece, f"{shown(path.name)} holds no ResNet that we know: {describe(shapes)}")
        return networks[0], translate(networks[0], tensors)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents of all files."""
        total = hashlib.sha256()
        for file in sorted(f for f in self.folder.rglob("*") if f.is_file() and not f.is_symlink()):
            total.update(file.relative_to(self.folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()


def _together(files: tuple[str, ...]) -> str:
    """The other files that a piece was read from, for its reason."""
    if not files:
        return ""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"; together with {', '.join(shown(f, 60) for f in files[:3])}{more}"
