"""What stands in the files of a folder: each is read once, by the bounded reader for its kind, whatever it is called.

Nothing is decided here about what a piece is: `discovery` asks for what was read, of all files or of one place.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from in4310.errors import of_the_machine
from in4310.shown import shown
from in4310.submission import listings, matrices, module_claims, notebook_outputs, saved_values, tables
from in4310.submission.claims import set_of, words
from in4310.submission.event_files import Scalar, read_scalars
from in4310.submission.formats import TEXT_BYTES, count_values, parse_json, parse_lists, read_text
from in4310.submission.pickles import read_pickle
from in4310.submission.settings_files import flat_settings
from in4310.submission.state_dicts import Network, find_networks
from in4310.submission.terminal import shown_of
from in4310.submission.weights import Tensors, parts_of

PARSED_BYTES = 256 * 2**20  # of texts in all; a submission's tables are a few MB
PARSED_VALUES = 8_000_000  # in all texts; what is read is kept until the best of it is chosen
KEPT_BYTES = 512 * 2**20  # of arrays that may be scores
NAMES = 200_000  # texts of an array that may be paths
CHECKPOINTS = 24
TEXTS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".dat", ".log", ".out", ".md", ".tex", ""}
SETTINGS = {"hparams", "config", "args", "params", "hyperparameters", "settings"}  # .yaml, beside a log
PRINTED = {".log", ".txt", ".out", ".md", ".tex", ""}
ARRAYS = {".npy", ".npz"}
PICKLES = {".pkl", ".pickle", ".joblib"}
CLOSED = {".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".ods", ".h5", ".hdf5", ".mat", ".rds", ".sav",
          ".dill"}  # fmt: skip
WEIGHTS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar", ".model", ".weights"}
YAML = {".yaml", ".yml"}
KNOWN = TEXTS | YAML | ARRAYS | WEIGHTS | PICKLES | {".ipynb"}
SCORE_NAMES = {"scores", "score", "softmax", "probs", "probabilities", "predictions", "preds", "logits", "outputs",
               "prediction", "output"}  # fmt: skip


def said_of(error: Exception) -> str:
    """Why a file could not be read, in one line: a reader says it in a ValueError."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if type(error) is ValueError else f"cannot be read ({type(error).__name__})"


# Tensors of a weights file by dotted name; ValueError when refused.
Loader = Callable[[Path], Tensors]


class Contents:
    """The contents of `files`, by file.

    `stated`: files that are known to be some piece, read also where their ending says nothing; `scores`: those known to
    be scores, of which any array is kept. `without`: file -> why it is not read; `begin` is told each file before it is
    read, and again before what was read of it is looked at: some files end or hang their reader.
    """

    def __init__(
        self,
        folder: Path,
        files: Iterable[str],
        resolve: listings.Resolver,
        tensors: Loader,
        stated: Container[str] = (),
        scores: Container[str] = (),
        without: Mapping[str, str] = MappingProxyType({}),
        begin: Callable[[str], None] = lambda file: None,
    ):
        self.begin = begin
        self.classes = resolve.classes
        self._resolve, self._tensors, self._stated, self._scores = resolve, tensors, stated, scores
        self.notes: list[str] = []
        self.refused: dict[str, str] = {}  # file -> why it could not be read
        self.listings: dict[str, listings.Listing] = {}  # file, or file:array
        self.rows: dict[str, listings.Listing] = {}  # as listings, of sets stored as row numbers
        self.matrices: list[tuple[str, np.ndarray, str]] = []  # label, array, file
        self.documents: dict[str, Any] = {}  # JSON, a Table, or named numbers that a notebook printed
        self.printed: dict[str, str] = {}  # text file or notebook -> what a training loop may have printed
        self.headed: dict[str, str] = {}  # notebook -> that below the headings of its cells of text
        self.scalars: dict[str, list[Scalar]] = {}  # event file of TensorBoard -> what it holds
        self.settings: dict[str, dict[str, Any]] = {}  # YAML file of hyperparameters -> what it states
        self.pictures: dict[str, list[tuple[str, bytes]]] = {}  # notebook -> pictures that it has saved
        self.networks: list[tuple[str, Network]] = []
        self.steps: dict[str, int] = {}  # weights file -> batches of training that its network has counted
        self._parsed = self._checkpoints = self._kept_bytes = self._values = 0
        for file in files:
            if file in without:
                self._refuse(file, without[file])
                continue
            begin(file)
            try:
                self._read(file, folder / file)
            except Exception as error:  # a stranger's file makes its reader fail in any way
                if of_the_machine(error):
                    raise
                self._refuse(file, said_of(error))

    def _refuse(self, file: str, reason: str) -> None:
        self.refused[file] = reason
        self.note(file, shown(reason))

    def note(self, file: str, text: str) -> None:
        """Keep what is to be said of a file; `text` is safe to show."""
        self.notes.append(f"{shown(file)}: {text}")

    def _read(self, file: str, path: Path) -> None:
        suffix, size = PurePosixPath(file).suffix.lower(), path.stat().st_size
        if file in self._stated and suffix not in KNOWN:
            suffix = ".npy" if matrices.is_array_file(path) else ""
        if ".tfevents." in PurePosixPath(file).name and self._parsed + size <= PARSED_BYTES:
            self._parsed += size
            self.scalars[file] = read_scalars(path)
        elif suffix in YAML and PurePosixPath(file).stem in SETTINGS:
            self.settings[file] = flat_settings(read_text(path))
        elif suffix in YAML and size <= TEXT_BYTES and self._parsed + size <= PARSED_BYTES:
            self._parsed += size
            self._sets(file, parse_lists(read_text(path)))
        elif suffix in ARRAYS:
            self._arrays(file, path)
        elif suffix in WEIGHTS and parts_of(path)[0] != path and parts_of(path)[0].is_file():
            pass  # read with the first of its parts
        elif suffix in WEIGHTS and size > 0:
            self._checkpoints += 1
            if self._checkpoints > CHECKPOINTS:
                raise ValueError(f"not looked at, more than {CHECKPOINTS} weights files")
            self._weights(file, path)
        elif suffix in TEXTS and 0 < size <= TEXT_BYTES and self._parsed + size <= PARSED_BYTES:
            self._parsed += size
            self._text(file, path, suffix)
        elif suffix == ".ipynb" and self._parsed + size <= PARSED_BYTES:
            self._parsed += size
            self._notebook(file, path)
        elif suffix in PICKLES and 0 < size <= TEXT_BYTES and self._parsed + size <= PARSED_BYTES:
            self._parsed += size
            self._document(file, read_pickle(path))
        elif suffix in CLOSED:
            raise ValueError("is in a form that is not opened here; save it as .csv, .npy or .json")
        elif size and (
            suffix in TEXTS | PICKLES or suffix == ".ipynb" or ".tfevents." in PurePosixPath(file).name
        ):
            raise ValueError(f"is {size} bytes large, which is too large to read")
        elif suffix in TEXTS:
            self.refused[file] = "is empty"

    def _arrays(self, file: str, path: Path) -> None:
        # Texts may be a listing of images; a matrix, or a row under no module's name, is kept where it may be scores:
        # at their place, of their width, or under a name that says so. Anything else is a figure, where it is small.
        known, figures = file in self._scores, dict[str, np.ndarray]()
        for name, array in matrices.read_arrays(path):
            label, names = f"{file}:{name}" if name else file, (Path(file).stem, name)
            if array.dtype.kind in "US":
                if array.size > NAMES:
                    raise ValueError(f"holds {array.size} texts, expected at most {NAMES}")
                listing = listings.of_document([str(v) for v in array.ravel().tolist()], self._resolve)
                if listing:
                    listing.sets = {listings.set_listed(name): listing.sets[""]}
                    self.listings[label] = listing
                figures[name] = array
            elif (
                array.ndim == 1
                and array.dtype.kind in "iu"
                and array.size <= NAMES
                and (said := set_of(name) or set_of(Path(file).stem))
                and (rows := listings.of_rows(array.tolist(), self._resolve))
            ):
                self.rows[label] = listings.Listing({said: rows.sets[""]})
            elif known or array.ndim == 2 or (array.ndim == 1 and module_claims.module_in(names) is None):
                # Features are large, and no scores: they are not kept.
                wide = array.shape[1:] == (len(self.classes),)
                if known or wide or set(words(label)) & SCORE_NAMES:
                    self._kept_bytes += array.nbytes
                    if self._kept_bytes > KEPT_BYTES:
                        raise ValueError(f"not looked at: more than {KEPT_BYTES >> 20} MiB of arrays")
                    self.matrices.append((label, array, file))
                elif name:
                    figures[name] = array
            else:
                figures[name] = array
        self._keep(file, saved_values.nested(figures))

    def _keep(self, file: str, document: Any) -> None:
        """Keep what an array file or torch.save holds beside listings and matrices, as a text's document is kept."""
        self._values += count_values(str(document)) if document else 0
        if self._values > PARSED_VALUES:
            raise ValueError(f"not looked at: more than {PARSED_VALUES} values in all files")
        if document:
            self.documents[file] = document

    def _weights(self, file: str, path: Path) -> None:
        tensors = self._tensors(path)
        networks = find_networks({name: tuple(t.shape) for name, t in tensors.items()})
        self.networks += [(file, network) for network in networks]
        counters = [t for n, t in tensors.items() if n.endswith("num_batches_tracked") and t.numel() == 1]
        if seen := [int(t) for t in counters if not (t.is_floating_point() or t.is_complex())]:
            self.steps[file] = max(seen)
        if networks:
            return
        rows = {
            n: t.tolist()
            for n, t in tensors.items()
            if t.ndim == 1 and t.numel() <= NAMES and not (t.is_floating_point() or t.is_complex())
        }
        self._sets(file, {**tensors.lists, **rows})
        wide = [(n, t) for n, t in tensors.items() if len(t.shape) == 2 and t.shape[1] == len(self.classes)]
        for name, tensor in wide[:4]:
            self.matrices.append((f"{file}:{name}" if name else file, np.asarray(tensor.double()), file))
        if not saved_values.are_weights(tensors):
            document = saved_values.of_saved(tensors.content)
            self._keep(file, document if isinstance(document, dict) else tables.of_records(document))
        kept = (self.listings, self.rows, self.documents)
        if not wide and not any(file in found for found in kept):
            raise ValueError("holds no ResNet in a form that we know")

    def _notebook(self, file: str, path: Path) -> None:
        """What a notebook has saved of its last run, also of one that failed: pictures, and figures that it printed."""
        saved = notebook_outputs.read_outputs(path)
        if saved.error:
            self.note(file, f"its last run failed ({shown(saved.error)}); what it saved before is judged")
        if saved.pictures:
            self.pictures[file] = saved.pictures
        self.printed[file], self.headed[file] = shown_of(saved.text), shown_of(saved.headed)
        with suppress(ValueError):
            self.documents[file] = tables.pairs_of(self.printed[file])

    def _text(self, file: str, path: Path, suffix: str) -> None:
        text = read_text(path)
        self._values += count_values(text)
        if self._values > PARSED_VALUES:
            raise ValueError(f"not looked at: more than {PARSED_VALUES} values in all texts")
        if suffix in PRINTED:
            self.printed[file] = shown_of(text)
        if suffix in (".md", ".log", ".out", ".tex"):
            return
        document = parse_json(text, suffix == ".jsonl") if "json" in suffix else tables.parse_table(text)
        self._document(file, tables.framed(document) or document)

    def _document(self, file: str, document: Any) -> None:
        self.documents[file] = document
        for name, matrix in matrices.several(document, self.classes).items():
            self.matrices.append((f"{file}:{name}" if name else file, matrix, file))
        self._sets(file, document)

    def _sets(self, label: str, document: Any) -> None:
        """Keep the sets of images that a document lists: by their paths, or by row numbers under the names of sets."""
        if listing := listings.of_document(document, self._resolve):
            self.listings[label] = listing
        elif rows := listings.of_rows(document, self._resolve):
            path = PurePosixPath(label)
            if "" not in rows.sets or set_of(path.stem) or set_of(path.parent.name):
                self.rows[label] = rows
