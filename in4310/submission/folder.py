"""A submission on disk: which file is which piece, and each piece read on first use."""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor

from in4310.errors import InputError, of_the_machine
from in4310.shown import shown
from in4310.submission.contents import Loader
from in4310.submission.discovery import Candidate, Discovery, Hints
from in4310.submission.files import digest_of
from in4310.submission.formats import read_text
from in4310.submission.pieces import KINDS, Missing, Unreadable
from in4310.submission.state_dicts import Network, describe, find_networks, translate
from in4310.submission.weights import load_tensors
from in4310.temporary import ours

NAMED = "named in submission.toml"
Value = TypeVar("Value")


class _Piece(Generic[Value]):
    """What a piece was read as; raises Missing, and Unreadable where its place is known and holds something else."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, submission: Submission, owner: type) -> Value:
        value: Value | None = submission.candidate(self.name).value
        if value is None:
            raise Missing(self.name)
        return value


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
        # Removed when nothing refers to it any more.
        self._aside: tempfile.TemporaryDirectory[str] | None = None
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> dict[str, Any]:
        path = self.folder / "submission.toml"
        if not path.is_file():
            return {}
        try:
            return tomllib.loads(read_text(path))
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
            if isinstance(named, str) and self.inside(named):
                found[kind.name] = (named, NAMED)
                continue
            usual = next((place for place in kind.places if self.inside(place)), None)
            if usual is not None:
                found[kind.name] = (usual, "usual name")
        return found

    def inside(self, relative: str) -> str | None:
        """The path without links and detours where something is there and inside; else None, whatever the text is."""
        with suppress(OSError, ValueError, RuntimeError):  # too long, a NUL, a circle of links
            path = (self.folder / relative).resolve()
            if path.is_relative_to(self.folder) and (path.is_file() or path.is_dir()):  # no FIFO, no device
                return path.relative_to(self.folder).as_posix()
        return None

    @cached_property
    def discovery(self) -> Discovery:
        """Candidates for every piece: of the places known, and found by content."""
        placed = self.placed.items()
        places = {piece: (self.inside(place) or place, why == NAMED) for piece, (place, why) in placed}
        return Discovery(self.folder, self.hints, self.tensors, places)

    @cached_property
    def located(self) -> dict[str, tuple[str, str]]:
        """piece -> (path inside the submission, why it was taken); pieces not found are absent."""
        found: dict[str, tuple[str, str]] = {}
        for piece in KINDS:
            if self._at_its_place(piece):
                found[piece] = self.placed[piece]
            elif candidates := self.candidates(piece):
                files = candidates[0].files
                found[piece] = (files[0], candidates[0].why + _together(files[1:]))
        return found

    def _at_its_place(self, piece: str) -> bool:
        """Whether a piece is read from where it was stated or usually lies; discovery may give a usual place up."""
        return piece in self.placed and piece in self.discovery.places

    def candidates(self, piece: str) -> list[Candidate]:
        """All candidates for a piece, best first; of its place alone where that is known."""
        return self.discovery.candidates[piece]

    def others(self, piece: str) -> list[str]:
        """Other files that could have been the piece and were not taken; shown safely."""
        candidates = self.candidates(piece)
        if self._at_its_place(piece) or not candidates:
            return []
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

    def candidate(self, piece: str) -> Candidate:
        """The one that is taken; raises Missing and Unreadable."""
        if candidates := self.candidates(piece):
            return candidates[0]
        if piece not in self.placed:
            raise Missing(piece)
        stated = self.placed[piece][0]
        raise Unreadable(piece, f"{shown(stated)} {self.discovery.reason(self.inside(stated) or stated)}")

    split = _Piece[dict[str, tuple[str, ...]]]()  # train, val, test -> paths as they are written
    scores = _Piece[np.ndarray]()  # of the test set as handed in, any shape
    scores_val = _Piece[np.ndarray]()  # of the validation set
    metrics = _Piece[Any]()  # {'val': {...}, 'test': {...}}
    # run -> {'settings': {...}, 'epochs': [{...}], 'best_epoch': n}
    history = _Piece[dict[str, Mapping[str, Any]]]()
    ranking = _Piece[Any]()  # class -> {'top': [[path, score], ...], 'bottom': [...]}
    non_positive = _Piece[Any]()  # {'images': [paths], 'percent': {module: number}}
    # {'series': [{'model', 'data', 'images', 'paths', 'modules': {module: {...}}}]}
    eigenvalues = _Piece[Any]()
    resources = _Piece[Any]()  # {'peak_memory_bytes', 'batch_size', 'device', ...}
    reproduction = _Piece[Any]()  # what the submission's own comparison routine recorded

    def pictures(self, piece: str) -> list[Path]:
        """Files of pictures of a piece, by name; raises Missing when there is none."""
        return [p for file in self.candidate(piece).files for p in self._pictures_in(file)]

    def _pictures_in(self, file: str) -> list[Path]:
        """A picture is itself; the pictures that a notebook has saved are written aside, never into the submission."""
        saved = self.discovery.outputs.get(file)
        if saved is None:
            return [self.folder / file]
        if self._aside is None:
            self._aside = tempfile.TemporaryDirectory(prefix=ours("outputs"))
        own = hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        place = Path(self._aside.name) / own
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
        return digest_of(self.folder)


def _together(files: tuple[str, ...]) -> str:
    """The other files that a piece was read from, for its reason."""
    if not files:
        return ""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"; together with {', '.join(shown(f, 60) for f in files[:3])}{more}"
