"""The whole assignment in one run: split, train, score, rank, look inside the network, and hand it all in.

What it writes is a submission, in exactly the form that a student hands in. submission.toml is written last: a
folder that has it is complete.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from in4310 import memory
from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution import network, splits
from in4310.solution.engine import distributed
from in4310.solution.engine.checkpoints import copy
from in4310.solution.engine.hardware import choose_precision
from in4310.solution.handin import Writer, write_json
from in4310.solution.images import Images, Problems, find_images, load_images
from in4310.solution.plan import Plan
from in4310.solution.saving import write_aside
from in4310.solution.training import History, Settings, TooLarge, train


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
    _forget_peak_memory(device)
    progress = progress if distributed.is_main() else QUIET
    if _prepare(plan, out, resume):
        progress.say(f"{out} is complete: nothing to do")
        return out

    progress.say(
        f"on {device}, {torch.get_num_threads()} threads: training in {choose_precision(plan.precision, device)},"
        " scores and statistics in fp32"
    )
    labels = find_images(plan.root)
    images, problems = _load_everywhere(plan, labels, cache, progress)
    problems.tell(len(labels), progress)
    split = _split(plan, images.paths, labels, progress)
    sets = {name: images.subset(paths) for name, paths in split.sets().items()}

    best, histories, chosen = _train(plan, sets, out, resume, progress)
    peak = peak_memory(device)
    distributed.leave()
    if distributed.is_main():
        write = Writer(plan, out, device, progress)
        write.split(split, labels)
        write.model(best, histories, chosen)
        write.scores(best, sets)
        write.statistics(best, images, split)
        write.resources(peak, time.perf_counter() - began, problems, histories[chosen])
        write.manifest(name or out.name, command, chosen)
        shutil.rmtree(out / "training", ignore_errors=True)
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
        try:
            history = train(
                model,
                sets["train"],
                sets["val"],
                plan.preprocessing,
                settings,
                out / "training" / f"{name}-batch-{settings.batch_size}",
                plan.device,
                plan.precision,
                resume,
                {"test": sets["test"]} if plan.watch_test else None,
                progress,
                plan.compile,
                plan.deterministic,
            )
        except TooLarge as error:
            # Each process would have to fail at the same step for all to begin again together.
            if distributed.count() > 1 or settings.batch_size < 4:
                raise
            smaller = dataclasses.replace(settings, batch_size=settings.batch_size // 2)
            progress.say(f"{error}; beginning again with batches of {smaller.batch_size}")
        else:
            return model, history
        return one(name, smaller)

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
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else memory.peak()


def _forget_peak_memory(device: torch.device) -> None:
    """What was held before the run, by another one in a notebook, say, is not the run's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        memory.forget_peak()
