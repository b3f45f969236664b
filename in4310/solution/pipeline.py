"""The whole assignment in one run: split, train, score, rank, look inside the network, and hand it all in.

What it writes is a submission, in exactly the form that a student hands in. submission.toml is written last: a
folder that has it is complete.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution import (
    distributed,
    feature_maps,
    figures,
    metrics,
    network,
    ranking,
    scores,
    spectrum,
    splits,
)
from in4310.solution.checkpoints import copy
from in4310.solution.hardware import choose_precision
from in4310.solution.images import (
    Images,
    Preprocessing,
    Problems,
    batches,
    find_comparison,
    find_images,
    load_comparison,
    load_images,
)
from in4310.solution.saving import write_aside
from in4310.solution.training import History, Settings, train

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")  # those of the 2023 report


@dataclass(frozen=True)
class Plan:
    """Everything that the numbers of a run depend on; kept as plan.json so that --resume goes on with the same."""

    root: Path
    classes: tuple[str, ...]
    test: int
    val: int
    trials: tuple[Settings, ...]
    final_epochs: int
    edition: str = ""
    seed: int = 42
    grouped: bool = False
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    architecture: str = "resnet18"
    weights: str = "none"
    device: str = "cpu"
    precision: str = "auto"
    watch_test: bool = False
    modules: tuple[str, ...] = MODULES
    statistics_images: int = 200
    comparison: Mapping[str, Path] = field(default_factory=dict)
    pictures: int = 10
    ranked: tuple[str, ...] = ("sea", "buildings")
    ranked_images: int = 10

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON; paths as text."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))


def run(
    plan: Plan,
    out: Path,
    resume: bool = False,
    cache: Path | None = None,
    command: Sequence[str] = (),
    name: str = "",
    progress: Progress = QUIET,
) -> Path:
    """Carry out the plan and write the submission into `out`; returns `out`.

    `cache` is a folder for decoded images; `command`: arguments of `in4310` that make this run again, written into
    run.py; `name`: the submission's, by default the folder's. Stopped at any moment, it goes on with `resume=True`, on
    the CPU with the same final numbers.
    Raises InputError for bad input, and when `out` holds something else.
    """
    began = time.perf_counter()
    device = distributed.setup(plan.device)
    progress = progress if distributed.is_main() else QUIET
    if _prepare(plan, out, resume):
        progress.say(f"{out} is complete: nothing to do")
        return out

    labels = find_images(plan.root)
    images, problems = _load_everywhere(plan, labels, cache, progress)
    _report(problems, len(labels), progress)
    split = _split(plan, images.paths, labels, progress)
    sets = {name: images.subset(paths) for name, paths in split.sets().items()}

    best, histories, chosen = _train(plan, sets, out, resume, progress)
    peak = peak_memory(device)
    if distributed.is_main():
        write = Writer(plan, out, device, progress)
        write.split(split, labels)
        write.model(best, histories, chosen)
        write.scores(best, sets)
        write.statistics(best, images, split)
        write.resources(peak, time.perf_counter() - began, problems)
        write.manifest(name or out.name, command, chosen)
        shutil.rmtree(out / "training", ignore_errors=True)
    distributed.wait()
    return out


def _prepare(plan: Plan, out: Path, resume: bool) -> bool:
    """Make `out`, or check that it holds this very plan; returns whether the run there is complete."""
    note = out / "plan.json"
    outcome: bool | InputError = False
    if distributed.is_main():
        try:
            if out.exists() and not out.is_dir():
                raise InputError(
                    f"{out}: expected a folder to write into, found a file; choose another --out"
                )
            if out.is_dir() and any(out.iterdir()):
                outcome = _check_same_plan(plan, out, note, resume)
            else:
                write_json(note, plan.as_dict())
        except InputError as error:
            outcome = error
    outcome = distributed.from_main(outcome, torch.device(plan.device))
    if isinstance(outcome, InputError):
        raise outcome
    return outcome


def _check_same_plan(plan: Plan, out: Path, note: Path, resume: bool) -> bool:
    if not note.is_file():
        raise InputError(f"{out}: expected an empty or new folder, found other files; choose another --out")
    if not resume:
        raise InputError(
            f"{out}: holds a run already; add --resume to go on with it, or choose another --out"
        )
    try:
        there = json.loads(note.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{note}: cannot be read ({error}); choose another --out") from None
    mine = plan.as_dict()
    differing = sorted(key for key in mine if there.get(key) != mine[key])
    if differing:
        key = differing[0]
        raise InputError(
            f"{out}: begun with {key} = {there.get(key)}, now {mine[key]}; repeat the first command"
        )
    return (out / "submission.toml").is_file()


def _load_everywhere(
    plan: Plan, labels: dict[str, str], cache: Path | None, progress: Progress
) -> tuple[Images, Problems]:
    """Decode the images once; where several processes run, the main one fills the cache first."""

    def load() -> tuple[Images, Problems]:
        return load_images(
            plan.root, sorted(labels), labels, plan.classes, plan.preprocessing, cache, progress
        )

    loaded = load() if distributed.is_main() else None
    distributed.wait()
    return loaded or load()


def _report(problems: Problems, total: int, progress: Progress) -> None:
    for path, reason in sorted(problems.unreadable.items())[:5]:
        progress.say(f"left out: {path}: {reason}")
    if problems.unreadable:
        progress.say(f"{len(problems.unreadable)} of {total} images cannot be read and are left out")
    if problems.converted:
        path, mode = sorted(problems.converted.items())[0]
        progress.say(f"{len(problems.converted)} images are not RGB and were converted, e.g. {path} ({mode})")


def _split(plan: Plan, paths: Sequence[str], labels: Mapping[str, str], progress: Progress) -> splits.Split:
    """Split (1a) and verify that the sets are disjoint (1b)."""
    groups = splits.content_groups(plan.root, paths, progress)
    split = splits.stratified_split(
        {path: labels[path] for path in paths},
        test=plan.test,
        val=plan.val,
        seed=plan.seed,
        groups=groups if plan.grouped else None,
    )
    shared = {pair: files for pair, files in splits.overlap_by_name(split).items() if files}
    if shared:
        raise AssertionError(f"the split is not disjoint: {shared}")
    for group in splits.overlap_by_content(split, groups):
        progress.say(
            "identical files in several sets: " + " = ".join(f"{name}: {path}" for name, path in group)
        )
    return split


def _train(
    plan: Plan, sets: Mapping[str, Images], out: Path, resume: bool, progress: Progress
) -> tuple[nn.Module, dict[str, History], str]:
    """Try each setting, then train the best of them for longer (1f); returns model, histories, name of the kept run."""

    def one(name: str, settings: Settings) -> tuple[nn.Module, History]:
        model = network.build(plan.architecture, len(plan.classes), plan.weights, plan.seed)
        untuned = out / "untuned.pth"
        if distributed.is_main() and not untuned.exists():
            write_aside(untuned, lambda file: torch.save(copy(model), file))
        history = train(
            model,
            sets["train"],
            sets["val"],
            plan.preprocessing,
            settings,
            out / "training" / name,
            plan.device,
            plan.precision,
            resume,
            {"test": sets["test"]} if plan.watch_test else None,
            progress,
        )
        return model, history

    histories: dict[str, History] = {}
    models: dict[str, nn.Module] = {}
    for settings in plan.trials:
        models[settings.name], histories[settings.name] = one(settings.name, settings)
    chosen = max(histories, key=lambda name: _best_map(histories[name]))
    settings = next(s for s in plan.trials if s.name == chosen)
    if plan.final_epochs > settings.epochs:
        longer = f"{chosen}-{plan.final_epochs}-epochs"
        models[longer], histories[longer] = one(
            longer, dataclasses.replace(settings, epochs=plan.final_epochs)
        )
        chosen = max((chosen, longer), key=lambda name: _best_map(histories[name]))
    return models[chosen], histories, chosen


def _best_map(history: History) -> float:
    return float(history.epochs[history.best_epoch - 1]["val_map"])


def peak_memory(device: torch.device) -> int:
    """Peak memory of this process in bytes: allocated on the GPU, or resident on the CPU (1g)."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # Linux counts kilobytes, macOS bytes: getrusage(2).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 aside and rename it; names that are not UTF-8 come back as they were."""
    write_aside(path, lambda file: file.write(text.encode("utf-8", "surrogateescape")))


def write_json(path: Path, content: Any) -> None:
    """Write JSON aside and rename it."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def spread(paths: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of the paths (all, if fewer), evenly spread, so that every class is among them."""
    count = min(count, len(paths))
    return tuple(paths[i * len(paths) // count] for i in range(count))


class Writer:
    """Writes the pieces of the submission, each from what was really computed."""

    def __init__(self, plan: Plan, out: Path, device: torch.device, progress: Progress):
        self.plan, self.out, self.device, self.progress = plan, out, device, progress

    def split(self, split: splits.Split, labels: Mapping[str, str]) -> None:
        """split/train.csv, val.csv, test.csv: path and label, relative to the root (1b)."""
        for name, paths in split.sets().items():
            rows = "".join(f"{_quoted(path)},{labels[path]}\n" for path in paths)
            write_text(self.out / "split" / f"{name}.csv", "path,label\n" + rows)

    def model(self, model: nn.Module, histories: Mapping[str, History], chosen: str) -> None:
        """model.pth (weights only), history/<run>.json, and the curves (1f, 1j)."""
        write_aside(self.out / "model.pth", lambda file: torch.save(copy(model), file))
        for name, history in histories.items():
            write_json(self.out / "history" / f"{name}.json", history.as_dict() | {"kept": name == chosen})
        curves = {name: history.epochs for name, history in histories.items()}
        figures.save(figures.curves(curves), self.out / "plots" / "loss_curves.png")

    def scores(self, model: nn.Module, sets: Mapping[str, Images]) -> None:
        """Scores of val and test, the comparison, metrics, and the ranked images (1e, 1h, 1i)."""
        plan, test = self.plan, sets["test"]
        found: dict[str, metrics.Metrics] = {}
        for name in ("val", "test"):
            predicted = scores.predict(
                model, sets[name], plan.preprocessing, device=self.device, progress=self.progress
            )
            scores.save_scores(self.out / f"scores_{name}.npy", predicted)
            found[name] = metrics.evaluate(sets[name].labels, predicted, plan.classes)
        write_json(self.out / "metrics.json", {name: figure.as_dict() for name, figure in found.items()})
        figures.save(
            figures.confusion(found["test"].confusion, plan.classes), self.out / "plots" / "confusion.png"
        )

        # The routine loads the weights from their file, as anyone who checks the hand-in would.
        loaded = network.build(plan.architecture, len(plan.classes), "none", plan.seed)
        network.load_into(loaded, self.out / "model.pth")
        again = scores.reproduce(
            loaded, test, plan.preprocessing, self.out / "scores_test.npy", device=self.device
        )
        write_json(self.out / "reproduction.json", dataclasses.asdict(again))

        saved = scores.load_scores(self.out / "scores_test.npy")
        ranked: dict[str, Any] = {}
        for c in plan.ranked:
            order = ranking.rank(saved, test.paths, plan.classes.index(c), plan.ranked_images)
            ranked[c] = {"top": order.top, "bottom": order.bottom}
            for side, entries in (("top", order.top), ("bottom", order.bottom)):
                shown = test.subset([path for path, _ in entries])
                rows = [
                    (np.asarray(pixels), path, plan.classes[label], score)
                    for pixels, label, (path, score) in zip(shown.pixels, shown.labels, entries, strict=True)
                ]
                figures.save(figures.ranked(rows, f"{side} of {c}"), self.out / "plots" / f"{side}_{c}.png")
        write_json(self.out / "ranking.json", ranked)

    def statistics(self, model: nn.Module, images: Images, split: splits.Split) -> None:
        """Non-positive share, pictures of feature maps, spectra over networks and data sets (2a to 3b)."""
        plan = self.plan
        pool = (
            split.test
            if len(split.test) >= plan.statistics_images
            else (*split.test, *split.val, *split.train)
        )
        paths = spread(pool, plan.statistics_images)
        course = images.subset(paths)
        untuned = network.build(plan.architecture, len(plan.classes), "none", plan.seed)
        network.load_into(untuned, self.out / "untuned.pth").to(self.device)

        shares = {name: feature_maps.NonPositive() for name in plan.modules}
        spectra = {name: spectrum.FeatureCovariance() for name in plan.modules}
        observers: dict[str, list[feature_maps.Observer]] = {n: [shares[n], spectra[n]] for n in plan.modules}
        feature_maps.observe(model, self._batches(course, "feature maps"), observers)
        write_json(
            self.out / "non_positive.json",
            {"images": list(paths), "percent": {name: share.percent() for name, share in shares.items()}},
        )
        self._pictures(model, images.subset(split.test[: plan.pictures]))

        series = [("tuned", "course", paths, {name: s.spectrum() for name, s in spectra.items()})]
        series.append(("untuned", "course", paths, self._spectra(untuned, course, "untuned, course")))
        for name, root in plan.comparison.items():
            others = tuple(find_comparison(root, plan.statistics_images))
            loaded, problems = load_comparison(root, others, plan.preprocessing, progress=self.progress)
            _report(problems, len(others), self.progress)
            series.append(("untuned", name, loaded.paths, self._spectra(untuned, loaded, f"untuned, {name}")))
        write_json(
            self.out / "eigenvalues.json", {"divisor": "N", "series": [_as_series(*one) for one in series]}
        )
        panels = {f"{m} on {d}": {k: s.values for k, s in found.items()} for m, d, _, found in series}
        figures.save(figures.spectra(panels), self.out / "plots" / "spectra.png")

    def _batches(self, images: Images, what: str) -> Any:
        with self.progress.task(what, len(images)) as bar:
            for inputs, labels in batches(images, self.plan.preprocessing, scores.BATCH_SIZE, self.device):
                yield inputs
                bar.advance(len(labels))

    def _spectra(self, model: nn.Module, images: Images, what: str) -> dict[str, spectrum.Spectrum]:
        return spectrum.eigenvalues(model, self._batches(images, what), self.plan.modules)

    def _pictures(self, model: nn.Module, images: Images) -> None:
        plan = self.plan
        feature_maps.save_pictures(
            model, images, plan.preprocessing, plan.modules, self.out / "feature_maps", plan.pictures
        )

    def resources(self, peak: int, seconds: float, problems: Problems) -> None:
        """resources.json: memory, time, machine arithmetic (1g)."""
        device_name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        write_json(
            self.out / "resources.json",
            {
                "peak_memory_bytes": peak,
                "batch_size": self.plan.trials[0].batch_size,
                "device": device_name,
                "precision": choose_precision(self.plan.precision, self.device),
                "processes": distributed.count(),
                "threads": torch.get_num_threads(),
                "seconds": round(seconds, 1),
                "torch": str(torch.__version__),
                "unreadable_images": dict(problems.unreadable),
                "converted_images": dict(problems.converted),
            },
        )

    def manifest(self, name: str, command: Sequence[str], chosen: str) -> None:
        """run.py, then submission.toml: with it the submission is complete."""
        plan = self.plan
        arguments = ", ".join(json.dumps(word) for word in command)
        program = (
            f'"""Makes this submission again."""\n\nfrom in4310.cli import main\n\nmain([{arguments}])\n'
        )
        write_text(self.out / "run.py", program)
        tables: dict[str, dict[str, Any]] = {
            "submission": {"name": name, "edition": plan.edition},
            "run": {"command": "python run.py"},
            "network": {
                "name": plan.architecture,
                "start": {"none": "scratch", "imagenet": "imagenet"}.get(plan.weights, "file"),
                "kept_run": chosen,
            },
            "split": {"seed": plan.seed, "grouped": plan.grouped},
            "preprocessing": dataclasses.asdict(plan.preprocessing),
            "files": {
                "split": "split",
                "model": "model.pth",
                "untuned": "untuned.pth",
                "scores": "scores_test.npy",
                "scores_val": "scores_val.npy",
                "metrics": "metrics.json",
                "history": "history",
                "ranking": "ranking.json",
                "non_positive": "non_positive.json",
                "eigenvalues": "eigenvalues.json",
                "feature_maps": "feature_maps",
                "plots": "plots",
                "resources": "resources.json",
                "reproduction": "reproduction.json",
            },
        }
        # JSON's texts, numbers, lists and booleans are TOML's too.
        lines = [
            line
            for name, table in tables.items()
            for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), "")
        ]
        write_text(self.out / "submission.toml", "\n".join(lines))


def _quoted(path: str) -> str:
    return '"' + path.replace('"', '""') + '"' if any(ch in path for ch in ',"\n') else path


def _as_series(
    model: str, data: str, paths: Sequence[str], found: Mapping[str, spectrum.Spectrum]
) -> dict[str, Any]:
    modules = {
        n: {"values": s.values.tolist(), "total_variance": float(s.total_variance)} for n, s in found.items()
    }
    return {"model": model, "data": data, "flatten": False, "paths": list(paths), "modules": modules}
