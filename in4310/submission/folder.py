"""A submission on disk: which file is which piece, and each piece read on first use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor

from in4310.errors import InputError
from in4310.shown import shown
from in4310.submission.discovery import NOTHING, Candidate
from in4310.submission.documents import Stated
from in4310.submission.files import MANIFEST, digest_of, manifest_in, walk
from in4310.submission.looks import Look
from in4310.submission.panels import Panels
from in4310.submission.pieces import KINDS, Hints, Missing, Unreadable
from in4310.submission.reading import Found, Readers
from in4310.submission.source import Call
from in4310.submission.state_dicts import Network, describe, find_networks, translate

DOCUMENTS = 3  # PDFs whose text is read
STATED = ("metrics", "non_positive")  # pieces that the text of a report may state
ONLY_STATED = "figures that no file holds, in its text"
NAMED = "named in submission.toml"
HELPS = re.compile(  # names of files that are source, or help to run it: no piece is missed in them
    r"\..*|submission.*\.toml|plan\.json|readme.*|les_?meg.*|licen[cs]e.*|requirements.*\.txt|environment.*\.ya?ml|pyproject\.toml|setup\.cfg|"
    r"(make|docker)file|.*\.(py|ipynb|sh|slurm|sbatch|lock)",
    re.IGNORECASE,
)
Value = TypeVar("Value")


class _Piece(Generic[Value]):
    """What a piece was read as; raises Missing, and Unreadable where its place is known and holds something else."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, submission: Submission, owner: type) -> Value:
        candidate = submission.candidate(self.name)
        value: Value | None = candidate.value
        if value is None and self.name in submission.found.wrong:
            raise Unreadable(self.name, f"{shown(candidate.files[0])} {submission.found.wrong[self.name]}")
        if value is None:
            raise Missing(self.name)
        return value


@dataclass
class Recovered:
    """What running the programs of a hand-in gives. `split`: set -> paths in row order, empty where none was seen."""

    said: list[str] = field(default_factory=list)
    at: str = ""  # the program that makes it
    split: dict[str, list[str]] = field(default_factory=dict)
    again: str = ""  # whether a second run made that split: 'same', other with the 'listing', or 'other'
    ran: list[str] = field(default_factory=list)  # scripts that ran to their end, without arguments
    seen: dict[str, list[Any]] = field(default_factory=dict)  # subject -> what of it, said, at which line
    wrong: list[list[str]] = field(
        default_factory=list
    )  # mistakes: name, at which line, said, how to mend it

    @property
    def candidates(self) -> list[Candidate]:
        """The split as a piece; any file outweighs it."""
        value = {name: tuple(paths) for name, paths in self.split.items()}
        why = f"made by {self.at} when it was run"
        return [Candidate("split", (self.at,), why, 0.0, value)] if value else []


class Submission:
    """A folder handed in. Reading a piece that is not there raises Missing; one that is broken, Unreadable.

    `hints`: what to look for where neither submission.toml nor a usual name says where a piece is; `readers`: who reads
    the files, by default this process: that is for one's own.
    """

    def __init__(
        self, folder: Path, hints: Hints | None = None, readers: Readers | None = None, name: str = ""
    ):
        if not folder.is_dir():
            found = "a file" if folder.is_file() else "nothing"
            raise InputError(f"{folder}: expected a submission folder, found {found}")
        self.folder = folder.resolve()
        self.hints = hints or Hints(())
        self.readers = readers or Readers(None, folder)
        self._loaded: dict[str, Mapping[str, Tensor]] = {}
        self._documents_said: list[str] = []
        self._given_name = name
        self._chosen: set[str] = set()  # pieces of which the right candidate was seen
        self.rehearse: Callable[[], Recovered] = Recovered  # runs its programs; by default none is run
        self.manifest, self._manifest_said = self._read_manifest()

    def _read_manifest(self) -> tuple[dict[str, Any], list[str]]:
        """Its tables, and what of it is left aside."""
        name, _ = manifest_in(self.folder)
        if not (self.folder / name).is_file():
            return {}, []
        try:
            tables, lost = self.readers.manifest
        except ValueError as error:
            tables, lost = {}, [f"is left aside ({error})"]
        return tables, [f"{name}: {shown(why, 200)}" for why in lost]

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
            if named := self._named(kind.name):
                found[kind.name] = (named, NAMED)
                continue
            usual = next((place for place in kind.places if self.inside(place)), None)
            if usual is not None:
                found[kind.name] = (usual, "usual name")
        return found

    def _named(self, piece: str) -> str | None:
        """The place that submission.toml names for a piece, where it is there; perhaps numbered as that file is."""
        named = self.table("files").get(piece)
        if not isinstance(named, str) or not named:
            return None
        _, again = manifest_in(self.folder)
        path = PurePosixPath(named)
        numbered = str(path.with_name(f"{path.stem}{again}{path.suffix}")) if again and path.name else named
        return next((place for place in (named, numbered) if self.inside(place)), None)

    def inside(self, relative: str) -> str | None:
        """The path without links and detours where something is there and inside; else None, whatever the text is."""
        with suppress(OSError, ValueError, RuntimeError):  # too long, a NUL, a circle of links
            path = (self.folder / relative).resolve()
            if path.is_relative_to(self.folder) and (path.is_file() or path.is_dir()):  # no FIFO, no device
                return path.relative_to(self.folder).as_posix()
        return None

    @cached_property
    def found(self) -> Found:
        """Candidates for every piece: of the places known, and found by content."""
        placed = self.placed.items()
        places = {piece: (self.inside(place) or place, why == NAMED) for piece, (place, why) in placed}
        try:
            return self.readers.discover(self.hints, places)
        except ValueError as error:
            lost = f"cannot be read ({error})"
            return Found({piece: [] for piece in KINDS}, wrong=dict.fromkeys(KINDS, lost), notes=(lost,))

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
        return piece in self.placed and piece in self.found.places

    def candidates(self, piece: str) -> list[Candidate]:
        """All candidates for a piece, best first; of its place alone where that is known."""
        if found := self.found.candidates[piece]:
            return found
        if piece == "split":
            return self.rehearsed.candidates
        return _stated_alone(piece, self.stated) if piece in STATED and piece not in self.placed else []

    def choose(self, piece: str, file: str) -> None:
        """Take that one of a piece's candidates: it was seen to be the one. What was said of the choice falls away."""
        candidates = self.found.candidates
        candidates[piece].sort(key=lambda candidate: candidate.files[0] != file)
        if piece == "model" and not self._at_its_place(
            "untuned"
        ):  # it is then not the network before training
            candidates["untuned"][:] = [c for c in candidates["untuned"] if c.files[0] != file]
        self._chosen.add(piece)
        self.__dict__.pop("located", None)

    def only_stated(self, piece: str) -> bool:
        """Whether the figures of a piece stand in the text of a report alone, of which some may not have been read."""
        return any(c.why.startswith(ONLY_STATED) for c in self.candidates(piece)[:1])

    @cached_property
    def rehearsed(self) -> Recovered:
        """What its programs were seen to do when they were run."""
        return self.rehearse()

    @property
    def split_made_by(self) -> str:
        """The program that makes the split, where no file says it; '' where one does, or none was seen."""
        return self.rehearsed.at if not self.found.candidates["split"] and self.rehearsed.split else ""

    def others(self, piece: str) -> list[str]:
        """Other files that could have been the piece and were not taken; shown safely."""
        candidates = self.candidates(piece)
        if self._at_its_place(piece) or not candidates:
            return []
        files = dict.fromkeys(f for c in candidates for f in c.files)
        return [shown(f) for f in files if f not in candidates[0].files][:20]

    @property
    def unused(self) -> list[str]:
        """Files handed in of which nothing was taken: no piece, no source, and none that only helps to run it."""
        taken = {file for file, _, _ in self.__dict__.get("stated", ())}
        for piece, (place, _) in self.located.items():
            candidates = self.candidates(piece)
            for file in (place, self.inside(place) or place, *(candidates[0].files if candidates else ())):
                taken.add(file)
        return [
            file
            for file in walk(self.folder)
            if not HELPS.fullmatch(PurePosixPath(file).name)
            and not taken & {file, *map(str, PurePosixPath(file).parents)}
        ]

    @property
    def notes(self) -> list[str]:
        """What discovery left aside and why, as far as it was needed; safe to show, bounded in number."""
        said = self.rehearsed.said if "rehearsed" in self.__dict__ else []
        more = [*said, *self.found.notes] if "found" in self.__dict__ else []
        ends = tuple(f"{piece} = '...' under [files] in submission.toml" for piece in self._chosen)
        more = [note for note in more if not (ends and note.endswith(ends))]
        return [*self._manifest_said, *self._named_and_not_there(), *more, *self._documents_said]

    def _named_and_not_there(self) -> list[str]:
        """What submission.toml names as a piece and the hand-in lacks: nothing is taken instead in silence."""
        named = {piece: self.table("files").get(piece) for piece in KINDS}
        return [
            f"{MANIFEST}: {piece} = {shown(place)!r} is not there; what else was found is taken"
            for piece, place in named.items()
            if isinstance(place, str) and place and not self._named(piece)
        ]

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
        raise Unreadable(piece, f"{shown(self.placed[piece][0])} {self.found.wrong.get(piece, NOTHING)}")

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
        """Pictures of a piece, by name, to be looked at; NOTEBOOK/NAME for one that a notebook has saved, which is no
        file. Raises Missing when there is none.
        """
        return [self.folder / p for file in self.candidate(piece).files for p in self._pictures_in(file)]

    def _pictures_in(self, file: str) -> list[str]:
        saved = self.found.saved.get(file)
        return [file] if saved is None else [f"{file}/{name}" for name in saved]

    def look(self, picture: Path) -> Look:
        """A look at one of the pictures of a piece."""
        return self.readers.look(picture.relative_to(self.folder).as_posix())

    def panels(self, picture: Path) -> Panels:
        """Panels of one of the pictures of a piece."""
        return self.readers.panels(picture.relative_to(self.folder).as_posix())

    @cached_property
    def stated(self) -> list[tuple[str, list[Stated], list[Stated]]]:
        """(file, figures of evaluation, shares by module) of each PDF that states some, reports first."""
        reports = [file for c in self.candidates("report") for file in c.files]
        pdfs = [f for f in walk(self.folder) if f.lower().endswith(".pdf")]
        found = []
        for file in sorted(pdfs, key=lambda f: (f not in reports, f.count("/"), f))[:DOCUMENTS]:
            try:
                figures, shares = self.readers.document(file, self.hints.classes)
            except ValueError as error:
                self._documents_said.append(f"{shown(file)}: {shown(str(error), 200)}")
                continue
            if figures or shares:
                found.append((file, figures, shares))
        return found

    @cached_property
    def source(self) -> list[Call]:
        """Calls in the submission's own source, from its syntax tree."""
        return self.readers.calls()

    @cached_property
    def seeds(self) -> list[tuple[int, str]]:
        """(seed, file) that files of settings state."""
        return self.readers.seeds()

    # -- weights -----------------------------------------------------------------------------------

    def network(
        self, piece: str, file: str | None = None, index: int = 0
    ) -> tuple[Network, dict[str, Tensor]]:
        """The network in a weights file and its state dict in torchvision's names, float32.

        `file`: one of the candidates instead of the first; `index`: of several networks in it, as of weights and their
        mean. Raises Missing, and Unreadable where no ResNet is found.
        """
        if file is None:
            place = self.path(piece).relative_to(self.folder).as_posix()
            file = self.inside(place) or place
        networks = self.networks_in(piece, file)
        return networks[index], translate(networks[index], self._loaded[file])

    def networks_in(self, piece: str, file: str) -> list[Network]:
        """The networks in a weights file, in its order. Raises Unreadable where no ResNet is found."""
        try:
            if file not in self._loaded:
                self._loaded[file] = self.readers.tensors(file)
        except ValueError as error:
            raise Unreadable(piece, f"{shown(PurePosixPath(file).name)} {error}") from None
        shapes = {name: tuple(t.shape) for name, t in self._loaded[file].items()}
        networks = find_networks(shapes)
        if not networks:
            raise Unreadable(
                piece,
                f"{shown(PurePosixPath(file).name)} holds no ResNet in a form that we know: {describe(shapes)}",
            )
        return networks

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents of all files."""
        return digest_of(self.folder)


def _stated_alone(piece: str, stated: Sequence[tuple[str, list[Stated], list[Stated]]]) -> list[Candidate]:
    """Figures that the text of a report states, as a piece: of the first report that states some."""
    for file, *both in stated:
        figures = both[STATED.index(piece)]
        value: dict[str, Any] = {}
        for one in figures:
            table = value
            for name in one.what[:-1] if piece == "metrics" else ("percent",):
                table = table.setdefault(name, {})
            table[one.what[-1]] = one.value
        if figures:
            pages = ", ".join(map(str, sorted({one.page for one in figures})[:5]))
            return [Candidate(piece, (file,), f"{ONLY_STATED} (page {pages})", 0.0, value)]
    return []


def _together(files: tuple[str, ...]) -> str:
    """The other files that a piece was read from, for its reason."""
    if not files:
        return ""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"; together with {', '.join(shown(f, 60) for f in files[:3])}{more}"
