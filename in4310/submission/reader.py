"""Reads all that stands in the files of one folder: the child's side of `reading`, where a stranger's files are parsed.

Runs in a confined child, or where none can be had in the judge's process. Each task answers with JSON and arrays as
`plain` packs them, bounded in number and size. It says what it begins to read, so that a file which ends, hangs or
fills the process is known.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from in4310.submission import documents, notebook_outputs, placed, source
from in4310.submission.discovery import Candidate, Discovery
from in4310.submission.files import manifest_in
from in4310.submission.formats import read_text
from in4310.submission.looks import Viewer
from in4310.submission.pieces import KINDS, Hints
from in4310.submission.plain import NotPlain, pack
from in4310.submission.sandbox import messages
from in4310.submission.settings_files import stated_seeds
from in4310.submission.state_dicts import Network
from in4310.submission.weights import Tensors, load_tensors

Arrays = Mapping[str, np.ndarray]
Answer = tuple[Any, dict[str, np.ndarray]]
CANDIDATES = 100  # of one piece; the report names twenty files, and 24 networks are looked at
NOTES = 30
KEPT_BYTES = 512 * 2**20  # of weights that are not read a second time
SHARE = 0.9  # of what a message may hold, for what is found
TABLES = 100  # of a broken one
STATED = 500  # figures of one document

Image.preinit()  # behind the walls nothing of Pillow need be imported


class Reader:
    """The tasks of one folder, by name. `begin` is told each file before it is read."""

    def __init__(self, folder: Path, begin: Callable[[str], None]):
        self._folder, self._begin = folder, begin
        self._loaded: dict[str, Tensors] = {}
        self._saved: dict[str, list[tuple[str, bytes]]] = {}
        self._without: dict[str, str] = {}
        self._viewer = Viewer()
        self._tasks: dict[str, Callable[[Any, Arrays], Answer]] = {
            "manifest": self._manifest,
            "discover": self._discover,
            "weights": self._weights,
            "look": self._look,
            "panels": self._panels,
            "calls": self._calls,
            "code": self._code,
            "document": self._document,
            "seeds": self._seeds,
        }

    def answer(self, arguments: Any, arrays: Arrays) -> Answer:
        """Do a task. Raises ValueError and OSError for what cannot be read; other errors are the reader's failures."""
        self._without = dict(arguments["without"])  # file -> why it is not read
        return self._tasks[arguments["what"]](arguments, arrays)

    def _manifest(self, arguments: Any, arrays: Arrays) -> Answer:
        """The tables of submission.toml, and what of it could not be read."""
        name, _ = manifest_in(self._folder)
        self._begin(name)
        found: dict[str, np.ndarray] = {}
        return pack(list(parse_manifest(read_text(self._folder / name))), found), found

    def _discover(self, arguments: Any, arrays: Arrays) -> Answer:
        """Candidates for every piece, best first, with the value of the first; what the report says of them."""
        images = arrays["images"].tobytes().decode("utf-8", "surrogateescape")
        hints = Hints(
            tuple(arguments["classes"]), frozenset(filter(None, images.split("\0"))), arguments["sizes"]
        )
        places = {piece: (place, named) for piece, place, named in arguments["places"]}
        found = Discovery(
            self._folder, hints, self._tensors, places, without=self._without, begin=self._begin
        )
        self._saved = found.outputs
        wrong = {
            piece: found.reason(place)
            for piece, (place, _) in places.items()
            if not found.candidates[piece] and piece in found.places
        }
        room = _Room()
        candidates = {}
        for piece in KINDS:
            listed = [_listed(candidate) for candidate in found.candidates[piece][:CANDIDATES]]
            if listed:
                try:
                    listed[0][-1] = room.packed(_value(found.candidates[piece][0].value))
                except NotPlain as error:
                    wrong[piece] = str(error)
            candidates[piece] = listed
        told = {
            "candidates": candidates,
            "places": [piece for piece in found.places if piece in KINDS],
            "wrong": wrong,
            "notes": found.notes[:NOTES]
            + ([f"and {more} more"] if (more := len(found.notes) - NOTES) > 0 else []),
            "networks": {
                piece: list(map(_listed, found.networks(piece)[:CANDIDATES]))
                for piece in ("model", "untuned")
            },
            "saved": {file: [name for name, _ in saved] for file, saved in found.outputs.items()},
        }
        return pack(told, {}) | {"values": room.values}, room.arrays

    def _weights(self, arguments: Any, arrays: Arrays) -> Answer:
        """Tensors of a weights file by dotted name, half precision widened to float32; beside them [name, dtype]; of a
        file with the `status` asked for, as far as it can be, [name, dtype, type, shape, offset] instead of them.
        """
        tensors = self._tensors(self._folder / arguments["file"])
        numbers = {name: numbers_of(tensor, name) for name, tensor in tensors.items()}
        same = arguments.get("status") == tensors.status
        there, sent = placed.split(numbers, tensors.mapping if same else None)
        kinds = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()}
        return [[name, kind, *there.get(name, ())] for name, kind in kinds.items()], sent

    def _tensors(self, path: Path) -> Tensors:
        name = str(path)
        if name not in self._loaded:
            self._begin(path.relative_to(self._folder).as_posix())
            found = load_tensors(path)
            kept = [t for tensors in (*self._loaded.values(), found) for t in tensors.values()]
            if sum(t.numel() * t.element_size() for t in kept) > KEPT_BYTES:
                return found
            self._loaded[name] = found
        return self._loaded[name]

    def _look(self, arguments: Any, arrays: Arrays) -> Answer:
        """A look at a picture: a file, or NOTEBOOK/NAME for one that a notebook has saved."""
        file = arguments["file"]
        self._begin(file)
        with closing(self._opened(file)) as opened:
            seen = self._viewer.look(opened, Path(file).suffix.lower())
        pixels = {} if seen.pixels is None else {"pixels": seen.pixels}
        return pack([seen.why, seen.digest], {}), pixels

    def _panels(self, arguments: Any, arrays: Arrays) -> Answer:
        """The panels of a picture, named as for `_look`, and whether it is noise."""
        file = arguments["file"]
        self._begin(file)
        with closing(self._opened(file)) as opened:
            found = self._viewer.panels(opened)
        return pack(found.noise, {}), {"panels": found.small} if len(found.small) else {}

    def _opened(self, file: str) -> BinaryIO:
        path = self._folder / file
        if path.is_file():
            return path.open("rb")
        notebook = path.parent.relative_to(self._folder).as_posix()
        if notebook not in self._saved and path.parent.is_file():
            self._saved[notebook] = notebook_outputs.read_outputs(path.parent).pictures
        saved = dict(self._saved.get(notebook, ()))
        if path.name not in saved:
            raise ValueError("is no file")
        return io.BytesIO(saved[path.name])

    def _calls(self, arguments: Any, arrays: Arrays) -> Answer:
        """All calls in the Python files and notebooks, from the syntax tree; nothing of it is run."""
        return pack(source.as_document(source.read_calls(self._folder, self._begin, self._without)), {}), {}

    def _code(self, arguments: Any, arrays: Arrays) -> Answer:
        """The code in the Python files and notebooks, cut."""
        return pack(source.read_code(self._folder, arguments["most"], self._begin, self._without), {}), {}

    def _seeds(self, arguments: Any, arrays: Arrays) -> Answer:
        """[seed, file] that files of settings state."""
        return pack(
            [[*one] for one in stated_seeds(self._folder, self._begin, self._without)[:STATED]], {}
        ), {}

    def _document(self, arguments: Any, arrays: Arrays) -> Answer:
        """What a report in PDF states: [what, figure, page] of evaluation, and of shares of non-positive values."""
        self._begin(arguments["file"])
        found = documents.stated_in(self._folder / arguments["file"], arguments["classes"])
        return pack([[[list(s.what), float(s.value), s.page] for s in one[:STATED]] for one in found], {}), {}


def parse_manifest(text: str) -> tuple[dict[str, Any], list[str]]:
    """The tables of a TOML text, and what was left aside: a broken line costs the table that it stands in."""
    try:
        return tomllib.loads(text), []
    except (ValueError, RecursionError):
        tables: dict[str, Any] = {}
        lost = []
    for part in re.split(r"^(?=[ \t]*\[)", text, maxsplit=TABLES, flags=re.MULTILINE):
        try:
            for name, value in tomllib.loads(part).items():
                tables.setdefault(name, value)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
            lost.append(
                f"{' '.join(part.split())[:40]!r} is not valid TOML ({why}); fix it, it is left aside"
            )
    return tables, lost


def numbers_of(tensor: Tensor, name: str) -> np.ndarray:
    """A tensor as an array, half precision and eight bits widened to float32. Raises ValueError."""
    if tensor.is_complex():
        raise ValueError(f"{name[:80]} holds complex numbers, which cannot be weights of a ResNet")
    if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    try:
        return tensor.detach().to("cpu").contiguous().numpy()
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"{name[:80]} holds {tensor.dtype}, which is not a plain number ({str(error)[:80]})"
        ) from None


class _Room:
    """What one message has room for: values are added as long as they fit."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.values: list[Any] = []
        self._bytes, self._listed = SHARE * messages.HEADER_BYTES, SHARE * messages.VALUES

    def packed(self, value: Any) -> int:
        """The number of a value among those packed. Raises NotPlain."""
        arrays = dict(self.arrays)
        document = pack(value, arrays)
        raw = json.dumps(document).encode()
        if len(raw) > self._bytes or messages.listed(raw) > self._listed:
            raise NotPlain("holds more values than all pieces of a submission may")
        self._bytes -= len(raw)
        self._listed -= messages.listed(raw)
        self.arrays = arrays
        self.values.append(document)
        return len(self.values) - 1


def _listed(candidate: Candidate) -> list[Any]:
    return [list(candidate.files), candidate.why, float(candidate.strength), None]


def _value(value: Any) -> Any:
    return list(astuple(value)) if isinstance(value, Network) else value


def names_of(images: Iterable[str]) -> np.ndarray:
    """Names of files as bytes, as the task 'discover' takes them: they can be a million."""
    return np.frombuffer("\0".join(images).encode("utf-8", "surrogateescape"), np.uint8)
