"""Write what is handed in: each piece of the submission, from what was really computed (1b, 1e to 3b)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from in4310.progress import Progress
from in4310.solution import feature_maps, metrics, network, ranking, scores, spectrum, splits
from in4310.solution.drawing import figures
from in4310.solution.engine import distributed
from in4310.solution.engine.checkpoints import copy
from in4310.solution.images import Images, Problems, find_comparison, load_comparison
from in4310.solution.loaders import batches
from in4310.solution.plan import Plan
from in4310.solution.saving import write_aside
from in4310.solution.training import History


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
            problems.tell(len(others), self.progress)
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

    def resources(self, peak: int, seconds: float, problems: Problems, kept: History) -> None:
        """resources.json: memory, time, and how the kept run was computed (1g)."""
        device_name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        write_json(
            self.out / "resources.json",
            {
                "peak_memory_bytes": peak,
                "batch_size": kept.settings["batch_size"],
                "device": device_name,
                "precision": kept.precision,
                "precision_of_scores": "fp32",
                "compiled": kept.compiled,
                "processes": distributed.started(),
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
