"""What was handed in, found by what it is and not by what it is called.

Every file is read once by bounded readers; each reader that understands it makes a candidate for a piece. The best
explained candidate is taken, the others are listed.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from in4310.errors import of_the_machine
from in4310.shown import shown
from in4310.submission import choices, claims, histories, listings, logs, matrices, notebook_outputs, tables
from in4310.submission.claims import set_of, words
from in4310.submission.state_dicts import find_networks

FILES = 20_000
PARSED_BYTES = 256 * 2**20  # of texts in all; a submission's tables are a few MB
PARSED_VALUES = 8_000_000  # in all texts; what is read is kept until the best of it is chosen
KEPT_BYTES = 512 * 2**20  # of arrays that may be scores
NAMES = 200_000  # texts of an array that may be paths
CHECKPOINTS = 24
SKIPPED = {
    "__MACOSX",
    ".git",
    "__pycache__",
    ".ipynb_checkpoints",
    ".venv",
    "venv",
    "node_modules",
    ".DS_Store",
}
TEXTS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".dat", ".log", ".out", ".md", ""}
WEIGHTS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar", ".model", ".weights"}
SCORE_NAMES = {"scores", "score", "softmax", "probs", "probabilities", "predictions", "preds", "logits", "outputs",
               "prediction", "output"}  # fmt: skip
REPORTS = {".pdf", ".html", ".docx"}
REPORT_WORDS = {"report", "rapport", "oblig", "mandatory", "assignment"}
PICTURES = {".png", ".jpg", ".jpeg", ".pdf", ".svg"}


@dataclass(frozen=True)
class Hints:
    """What the judge knows of the assignment: classes in index order, 'class/file' of every image, sizes asked for."""

    classes: tuple[str, ...]
    images: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """Files that may be a piece, what they were read as, and why they are taken for it; `strength` orders them."""

    piece: str
    files: tuple[str, ...]
    why: str
    strength: float
    value: Any = None


Tensors = Callable[
    [Path], Mapping[str, Any]
]  # a weights file's tensors by dotted name; ValueError when refused


def walk(folder: Path) -> list[str]:
    """Regular files below a folder as sorted POSIX paths; links, hidden folders and tools' rubbish are left out."""
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if name in SKIPPED or name.startswith("._") or path.is_symlink() or not path.is_file():
                continue
            found.append(path.relative_to(folder).as_posix())
            if len(found) >= FILES:
                return found
    return sorted(found)


class Discovery:
    """Candidates for every piece of a folder."""

    def __init__(self, folder: Path, hints: Hints, tensors: Tensors):
        self.folder, self.hints, self.tensors = folder, hints, tensors
        self.files = walk(folder)
        self.notes: list[str] = []
        self.outputs: dict[str, list[tuple[str, bytes]]] = {}  # notebook -> pictures that it has saved
        self.candidates: dict[str, list[Candidate]] = defaultdict(list)
        self._resolve = listings.Resolver(hints.classes, hints.images)
        self._listings: dict[str, listings.Listing] = {}
        self._matrices: list[tuple[str, np.ndarray, str]] = []
        self._documents: dict[str, Any] = {}
        self._printed: dict[str, str] = {}  # text file or notebook -> what a training loop may have printed
        self._kept_bytes = self._values = 0
        self._runs: list[choices.Run] = []
        self._best_run: choices.Run | None = None
        self._eigen: list[tuple[str, Sequence[str], list[float]]] = []
        self._read()
        self._splits()
        self._scores()
        self._tables()
        self._pictures()
        self._reports()
        self._prefer_best_run()
        for piece in self.candidates:
            self.candidates[piece].sort(
                key=lambda c: (-c.strength, len(PurePosixPath(c.files[0]).parts), c.files)
            )
        self._say_what_was_chosen()

    # -- reading -----------------------------------------------------------------------------------

    def _read(self) -> None:
        parsed, checkpoints = 0, 0
        for file in self.files:
            path, suffix = self.folder / file, PurePosixPath(file).suffix.lower()
            try:
                size = path.stat().st_size
                if suffix in (".npy", ".npz"):
                    self._arrays(file, path)
                elif suffix in WEIGHTS and size > 0:
                    checkpoints += 1
                    if checkpoints > CHECKPOINTS:
                        self.notes.append(
                            f"{shown(file)}: not looked at, more than {CHECKPOINTS} weights files"
                        )
                        continue
                    self._weights(file, path)
                elif suffix in TEXTS and 0 < size <= tables.TEXT_BYTES and parsed + size <= PARSED_BYTES:
                    parsed += size
                    self._text(file, path, suffix)
                elif suffix == ".ipynb" and parsed + size <= PARSED_BYTES:
                    parsed += size
                    self._notebook(file, path)
                elif suffix in (".pkl", ".pickle", ".joblib"):
                    self.notes.append(
                        f"{shown(file)}: a pickle is never opened; save it as .npy, .csv or .json"
                    )
            except (ValueError, OSError) as error:
                if of_the_machine(error):
                    raise
                self.notes.append(f"{shown(file)}: {shown(str(error))}")

    def _arrays(self, file: str, path: Path) -> None:
        for name, array in matrices.read_arrays(path):
            label = f"{file}:{name}" if name else file
            if array.dtype.kind in "US":
                if array.size > NAMES:
                    raise ValueError(f"holds {array.size} texts, expected at most {NAMES}")
                listing = listings.of_document([str(v) for v in array.ravel().tolist()], self._resolve)
                if listing:
                    listing.sets = {set_of(name) or "": listing.sets[""]}
                    self._listings[label] = listing
            elif array.ndim == 2 or (array.ndim == 1 and claims.module_in([Path(file).stem, name]) is None):
                # Features are large, and no scores: they are not kept.
                if array.shape[1:] == (len(self.hints.classes),) or set(words(label)) & SCORE_NAMES:
                    self._kept_bytes += array.nbytes
                    if self._kept_bytes > KEPT_BYTES:
                        raise ValueError(f"not looked at: more than {KEPT_BYTES >> 20} MiB of arrays")
                    self._matrices.append((label, array, file))
            elif array.ndim == 1 and array.size <= 4096:
                self._eigen.append(
                    (file, (Path(file).parent.name, Path(file).stem, name), array.astype(float).tolist())
                )

    def _weights(self, file: str, path: Path) -> None:
        tensors = self.tensors(path)
        shapes = {name: tuple(t.shape) for name, t in tensors.items()}
        networks = find_networks(shapes)
        for network in networks:
            outputs = len(self.hints.classes)
            said = set(words(file))
            # 'pretrained' in a name may mean trained from ImageNet weights, and then on the course's classes.
            before = said & {"untuned", "initial", "init"}
            untuned = network.outputs != outputs or before or said & {"pretrained", "imagenet"}
            strength = 2.0 + bool(said & {"best", "final", "kept", "chosen"}) - 0.5 * bool(
                said & {"last", "old", "checkpoint", "current", "epoch", "tmp", "test", "trial"})  # fmt: skip
            why = f"a ResNet-{network.depth} with {network.outputs} outputs ({network.how})"
            piece = "untuned" if untuned else "model"
            self.candidates[piece].append(Candidate(piece, (file,), why, strength, network))
            if piece == "untuned" and network.outputs != 1000 and not before:
                weak = 0.5 if network.outputs != outputs else 1.0
                self.candidates["model"].append(Candidate("model", (file,), why, weak, network))
        if not networks:
            small = [
                (n, t)
                for n, t in tensors.items()
                if len(t.shape) == 2 and t.shape[1] == len(self.hints.classes)
            ]
            for name, tensor in small[:4]:
                self._matrices.append((f"{file}:{name}" if name else file, np.asarray(tensor.double()), file))
            if not small:
                self.notes.append(f"{shown(file)}: weights of no ResNet that we know")

    def _notebook(self, file: str, path: Path) -> None:
        """What a notebook has saved of its last run, also of one that failed: pictures, and figures that it printed."""
        saved = notebook_outputs.read_outputs(path)
        if saved.error:
            self.notes.append(
                f"{shown(file)}: its last run failed ({shown(saved.error)}); what it saved before is judged"
            )
        if saved.pictures:
            self.outputs[file] = saved.pictures
        self._printed[file] = saved.text
        with suppress(ValueError):
            self._documents[file] = tables.pairs_of(saved.text)

    def _text(self, file: str, path: Path, suffix: str) -> None:
        self._values += tables.values_in(path)
        if self._values > PARSED_VALUES:
            raise ValueError(f"not looked at: more than {PARSED_VALUES} values in all texts")
        if suffix in (".log", ".txt", ".out", ""):
            self._printed[file] = tables.read_text(path)
        if suffix == ".json":
            document = tables.read_json(path)
        elif suffix in (".md", ".log", ".out"):
            return
        else:
            document = tables.read_table(path)
        self._documents[file] = document
        if isinstance(document, tables.Table):
            listing = listings.of_table(document, self._resolve)
            matrix = matrices.of_table(document, self.hints.classes)
        else:
            listing = listings.of_document(document, self._resolve)
            matrix = matrices.of_document(document, self.hints.classes)
            if listings.is_indices(document):
                self.notes.append(
                    f"{shown(file)}: a split stored as row numbers of a listing that only its author has; store paths"
                )
        if matrix is not None:
            self._matrices.append((file, matrix, file))
        if listing is not None:
            self._listings[file] = listing

    # -- pieces ------------------------------------------------------------------------------------

    def _splits(self) -> None:
        groups: dict[str, dict[str, listings.Listing]] = defaultdict(dict)
        with_scores = {file for file, _, _ in self._matrices}
        for file, listing in sorted(
            self._listings.items(), key=lambda item: (item[0] in with_scores, item[0])
        ):
            ranked = (
                claims.as_ranking(self._documents.get(file), file, self.hints.classes)
                if file in self._documents
                else None
            )
            if ranked and listing.entries <= 2000 and not any(name for name in listing.sets):
                continue
            parent = PurePosixPath(file.partition(":")[0]).parent
            groups[str(parent)][file] = listing
            if (set_of(parent.name) or "") and parent.name:
                groups[str(parent.parent)][file] = listing  # split/train/list.txt
        for folder, listing in listings.of_folders(self.files, self.hints.classes).items():
            self._split_candidate({folder or ".": listing}, "folders of images named after the sets")
        for group in groups.values():
            self._split_candidate(group, "")

    def _split_candidate(self, group: Mapping[str, listings.Listing], why: str) -> None:
        sets, used = listings.settle(group, self.hints.sizes)
        if "test" not in sets and len(sets) < 2:
            return
        entries = [p for paths in sets.values() for p in paths]
        known = sum(listings.last_two_parts(p) in self.hints.images for p in entries[:5000])
        share = known / max(1, min(5000, len(entries)))
        if not why:
            sizes = ", ".join(f"{name} {len(paths)}" for name, paths in sets.items())
            why = f"lists images of {sizes}; {share:.0%} of them are in the data set"
        whole = {name: sets.get(name, ()) for name in listings.NAMES}
        self.candidates["split"].append(
            Candidate("split", tuple(used), why, len(sets) + 2 * share + min(1, len(entries) / 1e5), whole)
        )

    def _scores(self) -> None:
        best = max(self.candidates["split"], key=lambda c: c.strength, default=None)
        lengths = {name: len(paths) for name, paths in best.value.items()} if best else dict(self.hints.sizes)
        for label, array, file in self._matrices:
            found = matrices.as_scores(array, len(self.hints.classes))
            said = set_of(Path(file).stem) or set_of(label)
            named = bool(set(words(label)) & SCORE_NAMES)
            if not found and not named:
                continue
            rows = len(array)
            strength = 2.0 * bool(found) + named
            why = f"{' x '.join(map(str, array.shape))} numbers"
            if found:
                why += f", {found}"
            for piece, name in (("scores", "test"), ("scores_val", "val")):
                fits = rows == lengths.get(name)
                other = said is not None and said != name
                if other or (piece == "scores_val" and said != "val" and not fits):
                    continue
                extra = f", as many rows as the {name} set" if fits else ""
                self.candidates[piece].append(
                    Candidate(piece, (file,), why + extra, strength + 2 * fits + (said == name), array)
                )

    def _histories(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(file, run) -> run, from tables and documents, and from what was printed where those have none."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for file, document in self._documents.items():
            history = histories.as_history(document, PurePosixPath(file).stem) or {}
            found |= {(file, name): run for name, run in history.items()}
        for file, text in self._printed.items():
            if not found or file.endswith(".ipynb"):
                history = logs.as_history(text, PurePosixPath(file).stem) or {}
                found |= {(file, name): run for name, run in history.items()}
        written = {key: run for key, run in found.items() if not key[0].endswith(".ipynb")}
        # A notebook that wrote its history to a file has printed it as well.
        return histories.merged(written or found)

    def _tables(self) -> None:
        runs_of = self._histories()
        self._runs = choices.runs_of(runs_of)
        self._best_run = choices.best_of(self._runs)
        metrics: list[tuple[str, dict[str, Any]]] = []
        by_model: list[tuple[choices.Run, dict[str, Any]]] = []
        rankings: list[tuple[str, dict[str, Any]]] = []
        scored = {file for file, _, _ in self._matrices} | set(self._listings)
        with_history = {file for file, _ in runs_of}
        for file, document in self._documents.items():
            stem = PurePosixPath(file).stem
            label = f"{PurePosixPath(file).parent.name} {stem}"
            history = file in with_history or histories.as_history(document, stem)
            ranking = claims.as_ranking(document, label, self.hints.classes)
            if ranking:
                rankings.append((file, ranking))
            table = document if isinstance(document, tables.Table) else None
            if not (history and table) and file not in scored and not ranking:
                models = claims.by_model(table) if table else {}
                for name, rows in models.items():
                    figures = claims.as_metrics(rows, label, self.hints.classes)
                    if figures:
                        best = tables.number(figures.get("val", {}).get("map"))
                        by_model.append((choices.Run(name, file, best), figures))
                figures = None if models else claims.as_metrics(document, label, self.hints.classes)
                if figures:
                    metrics.append((file, figures))
            share = self._share(file, document)
            if share and not history:
                count = len(share["percent"])
                hint = bool(
                    set(words(label))
                    & {"positive", "nonpositive", "negative", "share", "percent", "percentage"}
                )
                self.candidates["non_positive"].append(
                    Candidate(
                        "non_positive",
                        (file,),
                        f"{count} modules with a percentage",
                        count / 100 + hint,
                        share,
                    )
                )
            if claims.is_record_of_spectra(document):
                count = len(document["series"])
                self._add("eigenvalues", (file,), f"a record of eigenvalues, {count} series", 2.0, document)
                continue
            if piece := claims.named_record(document):
                self._add(piece, (file,), "a record with its keys", 1.0, document)
            self._eigen += [(file, (PurePosixPath(file).parent.name, stem, *names), leaf)
                            for names, leaf in self.leaves(document)]  # fmt: skip
        if runs_of:
            short = {(file, name): PurePosixPath(file).stem + ("" if name == PurePosixPath(file).stem else f":{name}")
                     for file, name in runs_of}  # fmt: skip
            if len(set(short.values())) < len(short):
                short = {(file, name): file + ("" if name == PurePosixPath(file).stem else f":{name}")
                         for file, name in runs_of}  # fmt: skip
            runs = {short[key]: run for key, run in runs_of.items()}
            for name, run in runs.items():
                if set(run.get("settings", {})) == {"run"}:  # not stated: runs are told apart by their names
                    run["settings"] = {"run": name}
            files = tuple(dict.fromkeys(file for file, _ in runs_of))
            self._add("history", files, f"{len(runs)} runs with losses after each epoch", 1.0, runs)
        if by_model:
            best_model = choices.best_of(run for run, _ in by_model)
            taken = best_model or by_model[0][0]
            self._best_run = best_model or self._best_run
            self._runs = [run for run, _ in by_model] if best_model else self._runs
            metrics += [(run.file, figures) for run, figures in by_model if run == taken]
            why = "the highest validation mAP" if best_model else "the first of its table"
            self.notes.append(
                f"{shown(taken.file)}: figures of {len(by_model)} models; taken those of {shown(taken.name)}, {why}"
            )
        elif not metrics and self._best_run:
            metrics = self._metrics_of_best_epoch(runs_of, self._best_run)
        self._merged("metrics", metrics, "figures of accuracy and average precision")
        self._merged("ranking", rankings, "paths of images at the top and the bottom of a class")
        found = claims.as_eigenvalues([(names, leaf) for _, names, leaf in self._eigen], "")
        if found:
            files = tuple(dict.fromkeys(file for file, names, _ in self._eigen if claims.module_in(names)))
            self._add(
                "eigenvalues",
                files,
                f"lists of numbers under names of modules, {len(found['series'])} series",
                1.0,
                found,
            )

    def _metrics_of_best_epoch(
        self, runs: Mapping[tuple[str, str], dict[str, Any]], best: choices.Run
    ) -> list[tuple[str, dict[str, Any]]]:
        """Where the only figures are those after each epoch: the row of the best epoch of the best run's logs."""
        run = runs[(best.file, best.name)]
        which = [choices.figure_of_history({"epochs": [e]}) or 0.0 for e in run["epochs"]]
        row = which.index(max(which))
        found = []
        for file, document in self._documents.items():
            table = document if isinstance(document, tables.Table) else None
            if table is None or not choices.belongs(file, best, self._runs) or len(table.rows) != len(which):
                continue
            stem = PurePosixPath(file).stem
            label = f"{histories.default_set(table.header, stem)} {stem}"
            figures = claims.as_metrics(
                tables.Table(table.header, (table.rows[row],)), label, self.hints.classes
            )
            if figures:
                found.append((file, figures))
                self.notes.append(
                    f"{shown(file)}: figures of epoch {row + 1}, the best of its run, are taken"
                )
        return found

    def _reports(self) -> None:
        for file in self.files:
            path = PurePosixPath(file)
            if path.suffix.lower() in REPORTS and REPORT_WORDS & set(words(path.stem)):
                self._add("report", (file,), "a document of that name", 1.0 + (path.suffix == ".pdf"), None)

    def _prefer_best_run(self) -> None:
        """Of weights and scores of several runs those of the best run, by its validation figures, are handed in."""
        if self._best_run is None:
            return
        for piece in ("model", "scores", "scores_val"):
            self.candidates[piece] = [
                replace(c, strength=c.strength + 0.3)
                if choices.belongs(c.files[0], self._best_run, self._runs)
                else c
                for c in self.candidates[piece]
            ]

    def _say_what_was_chosen(self) -> None:
        for piece, word in (("model", "networks"), ("scores", "files of test scores")):
            found = self.candidates[piece]
            files = list(dict.fromkeys(c.files[0] for c in found))
            if len(files) < 2:
                continue
            best = self._best_run
            if best and choices.belongs(files[0], best, self._runs):
                why = f"of the run with the best validation figures ({shown(best.name)}: {best.figure:.4f})"
            elif found[0].strength > next(c.strength for c in found if c.files[0] != files[0]):
                why = "by its name, form and size"
            else:
                why = "the first by name, as nothing tells them apart"
            self.notes.append(
                f"{len(files)} {word} were found; taken: {shown(files[0])}, {why}. "
                f"To name another: {piece} = '...' under [files] in submission.toml"
            )

    def _share(self, file: str, document: Any) -> dict[str, Any] | None:
        share = claims.as_non_positive(document)
        if share is None and PurePosixPath(file).suffix.lower() in (".txt", ""):
            try:
                share = claims.as_non_positive(tables.pairs(self.folder / file))
            except ValueError:
                return None
        return share

    @staticmethod
    def leaves(document: Any) -> Iterable[tuple[tuple[str, ...], list[float]]]:
        """Named lists of numbers in a document or table: what eigenvalues are looked for in."""
        if isinstance(document, Mapping):
            for names, leaf in tables.flatten(document):
                if isinstance(leaf, list) and leaf and all(type(v) in (int, float) for v in leaf):
                    yield names, leaf
        elif isinstance(document, tables.Table):
            yield from claims.lists_in(document)

    def _merged(self, piece: str, parts: list[tuple[str, dict[str, Any]]], why: str) -> None:
        """One candidate from several files; where two give the same figure, the fuller file's is taken."""
        if not parts:
            return
        parts.sort(key=lambda part: (-sum(len(t) for t in part[1].values()), part[0]))
        whole: dict[str, dict[str, Any]] = {}
        for _, part in parts:
            for name, table in part.items():
                own = whole.setdefault(name, {})
                for k, v in table.items():
                    if not own.get(k):
                        own[k] = v
        self._add(piece, tuple(file for file, _ in parts), why, 1.0, whole)

    def _add(self, piece: str, files: tuple[str, ...], why: str, strength: float, value: Any) -> None:
        self.candidates[piece].append(Candidate(piece, files, why, strength, value))

    def _pictures(self) -> None:
        pictures = [f for f in self.files if PurePosixPath(f).suffix.lower() in PICTURES]
        images = {
            f
            for f in pictures
            if len(PurePosixPath(f).parts) >= 2 and PurePosixPath(f).parts[-2] in self.hints.classes
        }
        folders: dict[str, list[str]] = defaultdict(list)
        for file in pictures:
            if (
                file.lower().endswith(".png")
                and file not in images
                and any(ch.isdigit() for ch in PurePosixPath(file).stem)
            ):
                parent = PurePosixPath(file).parent
                numbered = any(ch.isdigit() for ch in parent.name) and parent.parent.name
                folders[str(parent.parent if numbered else parent)].append(file)  # one folder an image
        maps: tuple[str, ...] = ()
        for folder, files in folders.items():
            said = set(words(folder)) | {w for f in files for w in words(PurePosixPath(f).stem)}
            named = bool(
                said
                & {
                    "feature",
                    "featuremap",
                    "featuremaps",
                    "features",
                    "map",
                    "maps",
                    "activation",
                    "activations",
                }
            )
            if named or len(files) >= 10:
                self._add(
                    "feature_maps",
                    tuple(files),
                    f"{len(files)} numbered pictures",
                    named + len(files) / 1000,
                    None,
                )
        if self.candidates["feature_maps"]:
            maps = (
                tuple(f for c in self.candidates["feature_maps"] for f in c.files if c.strength >= 1)
                or max(self.candidates["feature_maps"], key=lambda c: c.strength).files
            )
        plots = tuple(f for f in pictures if f not in images and f not in maps) + tuple(self.outputs)
        saved = sum(map(len, self.outputs.values()))
        if plots:
            why = f"{len(plots) - len(self.outputs)} pictures" + (f", {saved} in notebooks" if saved else "")
            self._add("plots", plots, why, 1.0, None)
