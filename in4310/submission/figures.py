"""Figures of training and evaluation in what a folder holds: a reader a piece, each with what it found and why.

A reader looks at the files for which `within` holds; `pinned` says that they are known to be the piece, so that nothing
in them is set aside as something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from in4310.shown import shown
from in4310.submission import choices, claims, histories, logs, module_claims, tables
from in4310.submission.claims import words
from in4310.submission.contents import SETTINGS, Contents
from in4310.submission.tables import Table

SHARE_WORDS = {"positive", "nonpositive", "negative", "share", "percent", "percentage"}
RUNS = 200  # that are compared with each other
Found = tuple[tuple[str, ...], str, float, Any]  # files, why, strength, value
Within = Callable[[str], bool]  # whether a file is one of those to look at
Reader = Callable[[Within, bool], Iterable[Found]]
Runs = Mapping[tuple[str, str], dict[str, Any]]  # (file, run) -> run


class Figures:
    """`readers`: piece -> reader, in the order in which they must be asked: metrics may be those of the best epoch.

    `ranked`: file that was read -> its ranked images, or None.
    """

    def __init__(self, contents: Contents, classes: Sequence[str]):
        self.contents, self.classes = contents, classes
        self.runs: list[choices.Run] = []
        self.best_run: choices.Run | None = None
        self._histories: Runs = {}
        self.ranked = cache(lambda file: claims.as_ranking(contents.documents[file], _label(file), classes))
        self.readers: dict[str, Reader] = {
            "history": self.history,
            "metrics": self.metrics,
            "ranking": self.ranking,
            "non_positive": self.non_positive,
            "eigenvalues": self.eigenvalues,
            "resources": self.resources,
            "reproduction": self.reproduction,
        }

    def _documents(self, within: Within) -> Iterable[tuple[str, Any]]:
        for file, document in self.contents.documents.items():
            if within(file):
                self.contents.begin(file)
                yield file, document

    def history(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Runs from tables and documents, and from what was printed where those have none."""
        # Runs are named after their files, with the run's own name where a file holds several, and with the whole path
        # where two would be named alike; what a notebook has printed counts where no file has the same.
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for file, document in self._documents(within):
            read = histories.as_history(document, PurePosixPath(file).stem) or {}
            found |= {(file, name): run for name, run in read.items()}
        found |= histories.of_scalars({f: s for f, s in self.contents.scalars.items() if within(f)})
        for file, text in self.contents.printed.items():
            if within(file) and (not found or file.endswith(".ipynb")):
                self.contents.begin(file)
                read = logs.as_history(text, PurePosixPath(file).stem) or {}
                found |= {(file, name): run for name, run in read.items()}
        written = {key: run for key, run in found.items() if not key[0].endswith(".ipynb")}
        # A notebook that wrote its history to a file has printed it as well.
        runs_of = self._histories = histories.merged(self._few(written or found))
        self.runs = choices.runs_of(runs_of)
        self.best_run = choices.best_of(self.runs)
        if not runs_of:
            return
        self._settings_beside(runs_of)
        short = {(f, n): ("" if n == PurePosixPath(f).stem else f":{n}") for f, n in runs_of}
        logged = self.contents.scalars
        named = {(f, n): n if f in logged else PurePosixPath(f).stem + end for (f, n), end in short.items()}
        if len(set(named.values())) < len(named):
            named = {key: key[0] + end for key, end in short.items()}
        runs = {named[key]: run for key, run in runs_of.items()}
        for name, run in runs.items():
            if set(run.get("settings", {})) == {"run"}:  # not stated: runs are told apart by their names
                run["settings"] = {"run": name}
        files = tuple(dict.fromkeys(file for file, _ in runs_of))
        yield files, f"{len(runs)} runs with losses after each epoch", 1.0, runs

    def _few(self, runs: Runs) -> Runs:
        """The first runs of very many: each is compared with each, here and by the checks."""
        for file, _ in islice(runs, RUNS, RUNS + 1):
            self.contents.note(file, f"{len(runs)} runs in all files; only the first {RUNS} are looked at")
        return dict(islice(runs.items(), RUNS))

    def _settings_beside(self, runs: Runs) -> None:
        """Hyperparameters of runs that state none, from the file of settings in the folder of that run alone."""
        folders = Counter(str(PurePosixPath(file).parent) for file, _ in runs)
        stated = {
            str(PurePosixPath(f).parent): {
                k: v for k, v in document.items() if isinstance(v, str | int | float)
            }
            for f, document in {**self.contents.documents, **self.contents.settings}.items()
            if PurePosixPath(f).stem in SETTINGS and isinstance(document, Mapping)
        }
        for (file, _), run in runs.items():
            folder = str(PurePosixPath(file).parent)
            if set(run.get("settings", {})) == {"run"} and folders[folder] == 1 and stated.get(folder):
                run["settings"] = stated[folder]

    def metrics(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Figures of one model, from all files that give some.

        Histories, scores, splits and rankings hold figures that look like metrics: those files are left aside. Where a
        table has a row a model, the best on validation is taken; where there are no other figures, those of the best
        epoch of the best run.
        """
        # First each file alone: a table of several models gives a candidate a model, anything else one. Then one model
        # is chosen of all tables, and what the files say of it is merged.
        found: list[tuple[str, dict[str, Any]]] = []
        by_model: list[tuple[choices.Run, dict[str, Any]]] = []
        scored = {file for file, _, _ in self.contents.matrices} | set(self.contents.listings)
        for file, document in self._documents(within):
            table = document if isinstance(document, Table) else None
            if not pinned and (file in scored or (table and self._is_history(file)) or self.ranked(file)):
                continue
            models = claims.by_model(table) if table else {}
            for name, rows in (models or {"": document}).items():
                if not (figures := claims.as_metrics(rows, _label(file), self.classes)):
                    continue
                if name:
                    best = tables.number(figures.get("val", {}).get("map"))
                    by_model.append((choices.Run(name, file, best), figures))
                else:
                    found.append((file, figures))
        if by_model:
            best_model = choices.best_of(run for run, _ in by_model)
            taken = best_model or by_model[0][0]
            self.best_run = best_model or self.best_run
            self.runs = [run for run, _ in by_model] if best_model else self.runs
            found += [(run.file, figures) for run, figures in by_model if run == taken]
            why = "the highest validation mAP" if best_model else "the first of its table"
            said = f"figures of {len(by_model)} models; taken those of {shown(taken.name)}, {why}"
            self.contents.note(taken.file, said)
        elif not found and self.best_run and not pinned:
            found = self._of_best_epoch(self.best_run)
        yield from _merged(found, "figures of accuracy and average precision")

    def _of_best_epoch(self, best: choices.Run) -> list[tuple[str, dict[str, Any]]]:
        """Where the only figures are those after each epoch: the row of the best epoch of the best run's logs."""
        run = self._histories[(best.file, best.name)]
        which = [choices.figure_of_history({"epochs": [e]}) or 0.0 for e in run["epochs"]]
        row = which.index(max(which))
        found = []
        for file, table in self.contents.documents.items():
            if not isinstance(table, Table) or len(table.rows) != len(which):
                continue
            if not choices.belongs(file, best, self.runs):
                continue
            stem = PurePosixPath(file).stem
            label = f"{histories.default_set(table.header, stem)} {stem}"
            if figures := claims.as_metrics(Table(table.header, (table.rows[row],)), label, self.classes):
                found.append((file, figures))
                self.contents.note(file, f"figures of epoch {row + 1}, the best of its run, are taken")
        return found

    def ranking(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Top and bottom images of classes, from all files that give some."""
        parts = [(file, ranked) for file, _ in self._documents(within) if (ranked := self.ranked(file))]
        for file, text in self.contents.printed.items() if not parts else ():
            if within(file) and (ranked := claims.ranking_of_text(text, self.classes)):
                parts.append((file, ranked))
        yield from _merged(parts, "paths of images at the top and the bottom of a class")

    def non_positive(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Percentages by module, a candidate a file; where there is none, of what a text in Markdown has in a table."""
        none = True
        for file, document in self._documents(within):
            share = module_claims.as_non_positive(document)
            if share is None and PurePosixPath(file).suffix.lower() in (".txt", ""):
                try:
                    share = module_claims.as_non_positive(tables.pairs_of(self.contents.printed[file]))
                except ValueError:
                    continue
            # A notebook prints its history, and all else.
            if share and (pinned or file.endswith(".ipynb") or not self._is_history(file)):
                count = len(share["percent"])
                hint = bool(set(words(_label(file))) & SHARE_WORDS)
                none = False
                yield (file,), f"{count} modules with a percentage", count / 100 + hint, share
        for file, text in self.contents.printed.items():
            if none and file.lower().endswith(".md") and within(file) and SHARE_WORDS & set(words(text)):
                with suppress(ValueError):
                    if share := module_claims.as_non_positive(tables.pairs_of(text)):
                        yield (file,), f"{len(share['percent'])} modules with a percentage", 0.0, share

    def eigenvalues(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Records of spectra, and one candidate from all lists of numbers under names of modules."""
        numbers = [(file, names, row) for file, names, row in self.contents.numbers if within(file)]
        for file, document in self._documents(within):
            if module_claims.is_record_of_spectra(document):
                yield (
                    (file,),
                    f"a record of eigenvalues, {len(document['series'])} series",
                    2.0,
                    module_claims.record_of_spectra(document),
                )
                continue
            path = PurePosixPath(file)
            numbers += [(file, (path.parent.name, path.stem, *n), leaf) for n, leaf in _leaves(document)]
        found = module_claims.as_eigenvalues([(names, row) for _, names, row in numbers], "")
        if found:
            files = tuple(dict.fromkeys(file for file, names, _ in numbers if module_claims.module_in(names)))
            why = f"lists of numbers under names of modules, {len(found['series'])} series"
            yield files, why, 1.0, found

    def resources(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Records of the peak memory, and where there are none what was printed of it."""
        read = [(file, claims.as_resources(document)) for file, document in self._documents(within)]
        if not any(record for _, record in read):
            printed = {f: text for f, text in self.contents.printed.items() if within(f)}
            read = [(file, claims.resources_of_text(text)) for file, text in printed.items()]
        for file, record in read:
            if record:
                yield (file,), "a figure of the peak memory", 1.0 + ("batch_size" in record), record

    def reproduction(self, within: Within, pinned: bool) -> Iterable[Found]:
        """JSON objects with the keys of what a routine of comparison found."""
        for file, document in self._documents(within):
            if claims.is_reproduction(document):
                yield (file,), "a record with its keys", 1.0, document

    def _is_history(self, file: str) -> bool:
        read = any(own == file for own, _ in self._histories)
        return read or bool(histories.as_history(self.contents.documents[file], PurePosixPath(file).stem))


def _label(file: str) -> str:
    return f"{PurePosixPath(file).parent.name} {PurePosixPath(file).stem}"


def _leaves(document: Any) -> Iterable[tuple[tuple[str, ...], list[float]]]:
    """Named lists of numbers in a document or table: what eigenvalues are looked for in."""
    if isinstance(document, Mapping):
        for names, leaf in tables.flatten(document):
            if isinstance(leaf, list) and leaf and all(type(v) in (int, float) for v in leaf):
                yield names, leaf
    elif isinstance(document, Table):
        yield from module_claims.lists_in(document)


def _merged(parts: list[tuple[str, dict[str, Any]]], why: str) -> Iterable[Found]:
    """One candidate from several files; where two give the same figure, the fuller file's is taken."""
    parts.sort(key=lambda part: (-sum(len(t) for t in part[1].values()), part[0]))
    whole: dict[str, dict[str, Any]] = {}
    for _, part in parts:
        for name, table in part.items():
            own = whole.setdefault(name, {})
            own |= {k: v for k, v in table.items() if not own.get(k)}
    if parts:
        yield tuple(file for file, _ in parts), why, 1.0, whole
