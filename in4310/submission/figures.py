"""Figures of training and evaluation in what a folder holds: a reader a piece, each with what it found and why.

A reader looks at the files for which `within` holds; `pinned` says that they are known to be the piece, so that nothing
in them is set aside as something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations, islice
from pathlib import PurePosixPath
from typing import Any

from in4310.shown import shown
from in4310.submission import choices, claims, histories, logs, module_claims, same_runs, tables
from in4310.submission.claims import words
from in4310.submission.class_reports import holds_report, plain_of
from in4310.submission.contents import SETTINGS, Contents
from in4310.submission.printed_figures import disagree, figures_in
from in4310.submission.printed_shares import bare_shares, shares_in
from in4310.submission.run_headings import of_name
from in4310.submission.spectra_files import lists_of, named_by_place
from in4310.submission.tables import Table

SHARE_WORDS = {"positive", "nonpositive", "negative", "share", "percent", "percentage"}
RUNS = 200  # that are compared with each other
PRINTED = 64 * 2**20  # characters that are looked through for epochs
Found = tuple[tuple[str, ...], str, float, Any]  # files, why, strength, value
Within = Callable[[str], bool]  # whether a file is one of those to look at
Reader = Callable[[Within, bool], Iterable[Found]]
Runs = Mapping[tuple[str, str], dict[str, Any]]  # (file, run) -> run


class Figures:
    """`readers`: piece -> reader, in the order in which they must be asked: metrics may be those of the best epoch.

    `kept`: weights and scores -> their files, which tell what of a run can be judged. `ranked`: file that was read ->
    its ranked images, or None.
    """

    def __init__(self, contents: Contents, classes: Sequence[str]):
        self.contents, self.classes = contents, classes
        self.runs: list[choices.Run] = []
        self.best_run: choices.Run | None = None
        self.kept: dict[str, list[str]] = {}
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

    def are_of_images(self, file: str) -> bool:
        """Whether a document has a ranking, shares or spectra, with the images that they are of."""
        document = self.contents.documents[file]
        spectra = module_claims.is_record_of_spectra(document)
        return bool(self.ranked(file) or spectra or module_claims.as_non_positive(document))

    def _documents(self, within: Within) -> Iterable[tuple[str, Any]]:
        for file, document in self.contents.documents.items():
            if within(file):
                self.contents.begin(file)
                yield file, document

    def history(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Runs from tables and documents, and from what was printed where those have none."""
        # Runs are named after their files, with the run's own name where a file holds several, and with the whole path
        # where two would be named alike; what was printed of a run that a file has, too, is that run.
        found: dict[tuple[str, str], dict[str, Any]] = {}
        charts = histories.of_charts({f: d for f, d in self.contents.documents.items() if within(f)})
        for file, document in self._documents(within):
            if histories.is_chart(document) and file not in charts:
                said = (
                    "a chart that TensorBoard saved; neither its name nor its folder's says of which figure"
                )
                self.contents.note(file, f"{said}: call it 'val_loss.csv', say")
            elif file not in charts:
                read = histories.as_history(document, PurePosixPath(file).stem) or {}
                found |= {(file, name): run for name, run in read.items()}
        found |= histories.of_scalars(
            {file: chart for file, (_, chart) in charts.items()},
            {file: folder for file, (folder, _) in charts.items()},
        )
        found |= histories.of_scalars({f: s for f, s in self.contents.scalars.items() if within(f)})
        logged = self._printed_runs({f for f, _ in found}, within)
        runs_of = self._histories = same_runs.merged(self._few(found | logged))
        self.runs = choices.runs_of(runs_of)
        self.best_run = choices.best_of(self.runs, choices.parts_of(self.runs, self.kept))
        if not runs_of:
            return
        beside = self._settings_beside(runs_of)
        short = {(f, n): ("" if n == PurePosixPath(f).stem else f":{n}") for f, n in runs_of}
        named = {
            (f, n): n if f in self.contents.scalars else PurePosixPath(f).stem + end
            for (f, n), end in short.items()
        }
        if len(set(named.values())) < len(named):
            named = {key: key[0] + end for key, end in short.items()}
        runs = {named[key]: run for key, run in runs_of.items()}
        for name, run in runs.items():
            if set(run.get("settings", {})) == {
                "run"
            }:  # not stated: told apart by their names, which may state it
                run["settings"] = of_name(name) or {"run": name}
        # A file that only tells of a run what another does was read as well.
        files = tuple(dict.fromkeys(file for file, _ in (*runs_of, *found, *logged))) + beside
        yield files, f"{len(runs)} runs with losses after each epoch", 1.0, runs

    def _printed_runs(self, read: Container[str], within: Within) -> dict[tuple[str, str], dict[str, Any]]:
        """Runs that were printed, into logs and notebooks that are not `read` as a table."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        characters = 0
        for file, text in sorted(self.contents.printed.items(), key=lambda item: item[0].endswith(".ipynb")):
            if not within(file) or file in read or file.lower().endswith(".tex"):
                continue
            characters += len(text)
            if characters > PRINTED:
                self.contents.note(file, "not looked through for epochs: more text than any training prints")
                continue
            self.contents.begin(file)
            runs = logs.as_history(text, PurePosixPath(file).stem) or {}
            found |= {(file, name): run for name, run in runs.items()}
        return found

    def _few(self, runs: Runs) -> Runs:
        """The first runs of very many: each is compared with each, here and by the checks."""
        for file, _ in islice(runs, RUNS, RUNS + 1):
            self.contents.note(file, f"{len(runs)} runs in all files; only the first {RUNS} are looked at")
        return dict(islice(runs.items(), RUNS))

    def _settings_beside(self, runs: Runs) -> tuple[str, ...]:
        """Hyperparameters of runs that state none, from the file of settings in their folder; which files told some."""
        folders = Counter(str(PurePosixPath(file).parent) for file, _ in runs)
        stated = {
            str(PurePosixPath(f).parent): (
                f,
                {k: v for k, v in document.items() if isinstance(v, str | int | float)},
            )
            for f, document in {**self.contents.documents, **self.contents.settings}.items()
            if PurePosixPath(f).stem in SETTINGS and isinstance(document, Mapping)
        }
        told = []
        for (file, _), run in runs.items():
            folder = str(PurePosixPath(file).parent)
            source, settings = stated.get(folder, ("", {}))
            if set(run.get("settings", {})) == {"run"} and folders[folder] == 1 and settings:
                run["settings"] = settings
                told.append(source)
        return tuple(told)

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
        tested: set[str] = set()
        scored = {file for file, _, _ in self.contents.matrices} | set(self.contents.listings)
        for file, document in self._documents(within):
            if file.endswith(".ipynb"):
                continue  # printed, as in any text
            if isinstance(document, list) and not self._is_history(file):
                document = tables.of_records(document) or document
            document = histories.without_histories(document) if isinstance(document, Mapping) else document
            document = plain_of(document, self.classes)
            table = document if isinstance(document, Table) else None
            others = file in scored or self.ranked(file)
            if others and not pinned and not isinstance(document, Mapping):
                continue  # an object holds several pieces, each under its own names
            if table and not pinned and self._is_history(file):
                document = table = histories.tested(table)  # else it holds figures of epochs
                tested.add(file)
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
            models_of = [run for run, _ in by_model]
            best_model = choices.best_of(models_of, choices.parts_of(models_of, self.kept))
            taken = best_model or by_model[0][0]
            self.best_run = best_model or self.best_run
            self.runs = [run for run, _ in by_model] if best_model else self.runs
            found += [(run.file, figures) for run, figures in by_model if run == taken]
            why = "the highest validation mAP of those handed in" if best_model else "the first of its table"
            said = f"figures of {len(by_model)} models; taken those of {shown(taken.name)}, {why}"
            self.contents.note(taken.file, said)
        else:
            found = self._of_one_run(found) if not pinned else found
            # A row of the test alone leaves the rest to what was printed.
            written = [figures for file, figures in found if file not in tested]
            found += self._printed_metrics(within, written)
            whole = written or any("test" in figures for _, figures in found)
            if not whole and self.best_run and not pinned:
                found += self._of_best_epoch(self.best_run)
        yield from _merged(found, "figures of accuracy and average precision")

    def _of_one_run(self, found: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
        """Of figures that differ those of the run that is judged: by their names, else by the folder they lie in."""
        if not any(disagree(a, b) for (_, a), (_, b) in combinations(found[:RUNS], 2)):
            return found
        best, judged = self.best_run, [files[0] for files in self.kept.values() if files]
        ours = [one for one in found if best and choices.belongs(one[0], best, self.runs)]
        if not ours and not best:
            folders = {str(PurePosixPath(file).parent) for file in judged[:1]}
            ours = [one for one in found if str(PurePosixPath(one[0]).parent) in folders]
        return ours or found

    def _printed_metrics(
        self, within: Within, others: Sequence[dict[str, Any]]
    ) -> list[tuple[str, dict[str, Any]]]:
        """Figures that were printed; where tables hold `others`, those of notebooks, which have what they printed, and
        of files of classification reports that agree with the tables.

        What a report's source states counts where nothing else does. Of files that disagree, those of the best run.
        """
        found: list[tuple[str, dict[str, Any]]] = []
        for file, text in sorted(self.contents.printed.items(), key=lambda item: _is_report(item[0])):
            reported = bool(others) and not file.endswith(".ipynb")
            if not within(file) or (reported and not holds_report(text)) or (found and _is_report(file)):
                continue
            self.contents.begin(file)
            figures, unclear = figures_in(self.contents.headed.get(file, text), _label(file), self.classes)
            if reported and (logs.as_history(text, "") or any(disagree(figures, other) for other in others)):
                continue
            if unclear and not logs.as_history(text, ""):
                said = f"several figures of {', '.join(map(shown, unclear[:3]))}: none is taken"
                self.contents.note(
                    file, f"{said}; keep those of the network handed in, or write a metrics.json"
                )
            if figures:
                found.append((file, figures))
        if any(disagree(a, b) for (_, a), (_, b) in combinations(found[:RUNS], 2)):
            best = self.best_run
            ours = [one for one in found if best and choices.belongs(one[0], best, self.runs)]
            if len(ours) != 1:
                names = ", ".join(shown(file) for file, _ in found[:3])
                said = f"figures of evaluation differ between {names}: none is taken"
                self.contents.notes.append(f"{said}; name the file with metrics = '...' under [files]")
            return ours if len(ours) == 1 else []
        return found

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
            if within(file) and (ranked := claims.ranking_of_text(text, _label(file), self.classes)):
                parts.append((file, ranked))
        yield from _merged(parts, "paths of images at the top and the bottom of a class")

    def non_positive(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Percentages by module, a candidate a file; where there is none, of what a report's source has in a table."""
        read: set[str] = set()
        for file, document in self._documents(within):
            printed = file in self.contents.printed
            if not pinned and self._is_history(file):
                document = histories.without_histories(document) if isinstance(document, Mapping) else {}
            share = (
                None if printed else module_claims.as_non_positive(tables.of_records(document) or document)
            )
            if share:
                read.add(file)
                yield self._shares(file, share)
        for file, text in self.contents.printed.items():
            reports = _is_report(file)
            if not within(file) or file in read or (reports and read):
                continue
            self.contents.begin(file)
            told = (
                pinned
                or module_claims.says_non_positive(_label(file))
                or (reports and module_claims.says_non_positive(text))
            )
            found = shares_in(text, told)
            if found.unclear:
                modules = ", ".join(map(shown, found.unclear[:3]))
                said = f"several shares of non-positive values of one module ({modules}); none is taken: keep those"
                self.contents.note(file, f"{said} of the network handed in")
            elif found.percent:
                read.add(file)
                yield self._shares(file, {"percent": found.percent})
        if not read:
            self._note_bare_shares(within)

    @staticmethod
    def _shares(file: str, share: dict[str, Any]) -> Found:
        count = len(share["percent"])
        hint = bool(set(words(_label(file))) & SHARE_WORDS)
        return (file,), f"{count} modules with a percentage", count / 100 + hint, share

    def _note_bare_shares(self, within: Within) -> None:
        for file, text in self.contents.printed.items():
            told = module_claims.says_non_positive(_label(file))
            if within(file) and (count := bare_shares(text, told)):
                what = f"{count} numbers that may be shares of non-positive values, of modules that it does not name"
                self.contents.note(file, f"{what}: not read; write a line a module, 'layer1: 43.2 %'")

    def eigenvalues(self, within: Within, pinned: bool) -> Iterable[Found]:
        """Records of spectra, and one candidate from all lists of numbers under names of modules."""
        lists = []
        for file, document in self._documents(within):
            records = module_claims.records_of_spectra(document)
            if len(records) == 1:
                record = module_claims.record_of_spectra(records[0])
                yield (file,), f"a record of eigenvalues, {len(record['series'])} series", 2.0, record
                continue
            if records:
                self.contents.note(
                    file, f"{len(records)} records of eigenvalues: none is taken; keep one a file"
                )
            lists += [(file, names, leaf) for names, leaf in lists_of(document)]
        numbers = named_by_place(lists)
        found = module_claims.as_eigenvalues([(names, row) for _, names, row in numbers], "")
        if found:
            if twice := found.pop("twice", None):
                said = (
                    f"other lists for the same module of the same series: {', '.join(map(shown, twice[:3]))}"
                )
                self.contents.notes.append(
                    f"{said}: left out; name the network (tuned, untuned) and the data set"
                )
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
            if record := claims.as_reproduction(document):
                yield (file,), "a record with its keys", 1.0, record

    def _is_history(self, file: str) -> bool:
        read = any(own == file for own, _ in self._histories)
        return read or bool(histories.as_history(self.contents.documents[file], PurePosixPath(file).stem))


def _is_report(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in (".md", ".tex")


def _label(file: str) -> str:
    return f"{PurePosixPath(file).parent.name} {PurePosixPath(file).stem}"


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
