"""Reads what the assignment's own report shows from a submission in the house's form.

Figures are computed here from what was handed in: accuracies from the saved scores, best epochs from the histories,
disjointness from the lists. Nothing is kept from the run itself, so that a report can be made again at any time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from in4310.errors import InputError
from in4310.judging.pipelines import stated
from in4310.places import data_root
from in4310.progress import QUIET, Progress
from in4310.reporting.assignment import SIDES, Assignment, Copies, Run, Series, SetFigures, Spectrum, class_of
from in4310.solution import splits
from in4310.solution.metrics import Metrics, evaluate, wilson
from in4310.solution.network import build, layer_table
from in4310.submission.folder import Submission
from in4310.submission.formats import read_json, read_text
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers

WAY_OUT = "in4310 run and in4310 demo write submissions that are complete"


def read_assignment(
    folder: Path,
    data: str | Path | None = None,
    progress: Progress = QUIET,
    readers: Readers | None = None,
) -> Assignment:
    """Read a complete submission in the house's form.

    data: folder of the class folders; by default where plan.json says that the run found them, if they are still there.
    readers: of a confined child; without them this process reads, which is for one's own run only.
    Raises InputError, one line, for a piece that is missing or of another form, and for data that lack an image.
    """
    submission = Submission(Path(folder), readers=readers)
    try:
        return _read(submission, data, progress)
    except Missing as error:
        raise InputError(f"{folder}: {error}; {WAY_OUT}") from None


def _read(submission: Submission, data: str | Path | None, progress: Progress) -> Assignment:
    split = submission.split
    everything = [path for paths in split.values() for path in paths]
    root = _root(data, submission.folder, everything)
    with _house_form(submission, "metrics"):
        classes = tuple(map(str, submission.metrics["test"]["accuracy_per_class"]))
        if strange := set(map(class_of, everything)) - set(classes):
            raise ValueError(f"has no class {sorted(strange)[0]!r}, which the split has")
    with _house_form(submission, "manifest"):
        preprocessing = stated(submission.table("preprocessing"))
    network, _ = submission.network("model")
    found = splits.Split(**split)
    contents = splits.content_groups(root, everything, progress) if root else {}
    with _house_form(submission, "ranking"):
        ranking = {
            str(name): {side: [(str(path), float(score)) for path, score in sides[side]] for side in SIDES}
            for name, sides in submission.ranking.items()
        }
    with _house_form(submission, "non_positive"):
        percent = {str(name): float(value) for name, value in submission.non_positive["percent"].items()}
        seen = len(submission.non_positive["images"])
    return Assignment(
        name=submission.name,
        edition=str(submission.table("submission").get("edition", "")),
        seed=submission.table("split").get("seed"),
        grouped=submission.table("split").get("grouped") is True,
        command=str(submission.table("run").get("command", "")),
        arguments=_arguments(submission.folder / "run.py"),
        classes=classes,
        root=root,
        source="/".join(root.parts[-2:]) if root else "",
        split=split,
        split_again=_split_again(submission, found, contents),
        shared=splits.overlap_by_name(found),
        copies=_copies(found, contents) if contents else None,
        network=f"resnet{network.depth}",
        start=str(submission.table("network").get("start", "")),
        preprocessing=preprocessing,
        layers=layer_table(build(f"resnet{network.depth}", network.outputs), preprocessing.size),
        runs=_runs(submission),
        figures={name: _figures(submission, name, classes) for name in ("val", "test")},
        reproduction=submission.reproduction,
        ranking=ranking,
        feature_maps=[p for p in submission.pictures("feature_maps") if p.suffix.lower() == ".png"],
        non_positive_images=seen,
        non_positive=percent,
        spectra=_spectra(submission),
        resources=submission.resources,
        plots=submission.path("plots") if "plots" in submission.located else None,
    )


@contextmanager
def _house_form(submission: Submission, piece: str) -> Iterator[None]:
    """What is not as the house writes it is one line, naming the file."""
    file = submission.located.get(piece, ("submission.toml", ""))[0]
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = (
            f"{error.args[0]!r} is not there" if isinstance(error, KeyError) else " ".join(str(error).split())
        )
        raise InputError(
            f"{submission.folder / file}: expected the form that the README describes, found another: "
            f"{reason[:160]}; {WAY_OUT}"
        ) from None


def _root(data: str | Path | None, folder: Path, everything: Sequence[str]) -> Path | None:
    """The folder of the images: the one given must hold them all, the one of the plan may be gone."""
    if data is not None:
        root = data_root(data, sorted({class_of(path) for path in everything}))
    else:
        try:
            root = Path(read_json(folder / "plan.json")["root"])
        except (OSError, ValueError, LookupError, TypeError):  # no plan of ours
            return None
    lacking = next((path for path in everything if not (root / path).is_file()), None)
    if lacking is None:
        return root.absolute()
    if data is not None:
        raise InputError(
            f"{root}: expected the images of the split, found no {lacking}; give the data that they come from"
        )
    return None


def _arguments(program: Path) -> tuple[str, ...]:
    """The arguments of `in4310` in a run.py of ours."""
    try:
        found = re.search(
            r"^main\((\[.*\])\)$", read_text(program) if program.is_file() else "", re.MULTILINE
        )
        words = json.loads(found[1]) if found else []
    except (OSError, ValueError):
        return ()
    return tuple(map(str, words))


def _copies(split: splits.Split, contents: Mapping[str, str]) -> Copies:
    groups: dict[str, list[str]] = {}
    for path in sorted(contents):
        groups.setdefault(contents[path], []).append(path)
    return Copies(
        sorted(tuple(group) for group in groups.values() if len(group) > 1),
        splits.overlap_by_content(split, contents),
    )


def _split_again(submission: Submission, split: splits.Split, contents: Mapping[str, str]) -> bool:
    """Whether the stated seed gives the same sets, as `stratified_split` draws them."""
    stated = submission.table("split")
    seed, grouped = stated.get("seed"), stated.get("grouped") is True
    if not isinstance(seed, int) or (grouped and not contents):
        return False
    labels = {path: class_of(path) for paths in split.sets().values() for path in paths}
    try:
        again = splits.stratified_split(
            labels, len(split.test), len(split.val), seed, contents if grouped else None
        )
    except InputError:
        return False
    return all(set(again.sets()[name]) == set(paths) for name, paths in split.sets().items())


def _runs(submission: Submission) -> list[Run]:
    """In the order of training: trials first, the longest run last."""
    named = submission.table("network").get("kept_run")
    runs = []
    with _house_form(submission, "history"):
        for name, run in submission.history.items():
            if not run["epochs"]:
                raise ValueError(f"run {name} has no epochs")
            kept = name == named if isinstance(named, str) else run.get("kept") is True
            runs.append(Run(name, dict(run.get("settings") or {}), run["epochs"], kept))
    return sorted(runs, key=lambda run: (len(run.epochs), run.name))


def _figures(submission: Submission, name: str, classes: Sequence[str]) -> SetFigures:
    piece = "scores" if name == "test" else "scores_val"
    scores = submission.scores if name == "test" else submission.scores_val
    paths = submission.split[name]
    labels = np.array([classes.index(class_of(path)) for path in paths], dtype=np.int64)
    if scores.ndim != 2 or len(scores) != len(paths):
        raise InputError(
            f"{submission.path(piece)}: expected {len(paths)} rows, one an image of the {name} set, found shape "
            f"{scores.shape}; save the scores of the whole set"
        )
    found = evaluate(labels, scores, classes)
    low, high = wilson(round(found.accuracy * len(paths)), len(paths))
    with _house_form(submission, "metrics"):
        off = _largest_difference(submission.metrics[name], found)
    return SetFigures(len(paths), found, low, high, off)


def _largest_difference(stated: Mapping[str, Any], found: Metrics) -> float:
    """Of metrics.json from what the scores give; infinite where one of them is no number."""
    pairs = [(stated[key], getattr(found, key)) for key in ("accuracy", "mean_accuracy", "map")]
    for key in ("accuracy_per_class", "ap_per_class"):
        pairs += [(stated[key].get(name), value) for name, value in getattr(found, key).items()]
    differences = [
        0.0 if a is None and b is None else abs((a if a is not None else np.inf) - (b or 0.0))
        for a, b in pairs
    ]
    return max(differences)


def _spectra(submission: Submission) -> list[Series]:
    found = []
    with _house_form(submission, "eigenvalues"):
        for one in submission.eigenvalues["series"]:
            modules = {}
            for name, content in one["modules"].items():
                given = content if isinstance(content, Mapping) else {"values": content}
                values = tuple(float(v) for v in given["values"])
                modules[str(name)] = Spectrum(values, float(given.get("total_variance") or sum(values)))
            images = len(one["paths"])
            found.append(
                Series(str(one["model"]), str(one["data"]), images, one.get("flatten") is True, modules)
            )
    return found
