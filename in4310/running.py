"""Commands that do the assignment: demo, run, report, network. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from in4310 import options
from in4310.checking import bars, judged
from in4310.door import console
from in4310.errors import InputError
from in4310.judging.order import Order
from in4310.places import decoded_folder, room_for
from in4310.progress import Progress

TRIALS = (("sgd", 0.05), ("sgd", 0.01), ("adamw", 0.002))
STATUS = (
    "Exit status: 0 no point is lost, 1 some are, 2 it could not be done or judged, 130 stopped by Ctrl-C."
)


@click.command(short_help="The whole assignment on drawn scenes, judged.", epilog=STATUS)
@options.folder("--out", "submissions/demo", "Folder of the submission made.")
@options.folder("--report", "reports/demo", "Folder of the report.")
@options.resume
@options.language()
@options.quiet
def demo(out: Path, report: Path, resume: bool, language: str, quiet: bool) -> None:
    """Do the whole assignment on the embedded data, judge it, and write the report.

    Draws 1200 scenes, splits them, trains a ResNet-18 from scratch with three settings, evaluates, ranks, looks
    inside the network, and judges the result by the requirements of the edition 'demo'. A few minutes on two cores.
    An earlier demo in the same folders is replaced.
    """
    for folder in (out, report):
        room_for(folder)
    decoded = decoded_folder()

    from in4310.judging.data import resolve_data
    from in4310.judging.edition import load_edition
    from in4310.reference import demo_plan
    from in4310.solution.engine import distributed
    from in4310.solution.pipeline import run as carry_out

    progress = bars(quiet)
    edition = load_edition("demo")
    data = resolve_data(edition, None, progress)
    if not resume and distributed.is_main() and (out / "plan.json").is_file():
        shutil.rmtree(out)  # a run of ours, and nothing else
    carry_out(demo_plan(edition, data), out, resume, decoded, ("demo",), "reference", progress)
    _finish(Order(str(out), "demo", str(report), language=language), progress)


@click.command(short_help="The same on your own photographs in class folders.", epilog=STATUS)
@options.data("IN4310_DATA")
@options.edition("2026")
@options.folder("--out", "submissions/run", "Folder of the submission made.")
@options.folder("--report", "reports/run", "Folder of the report.")
@options.resume
@options.network
@options.weights
@options.size(128)
@click.option(
    "--setting",
    "settings",
    type=options.Setting(),
    multiple=True,
    metavar="OPTIMIZER:RATE",
    help="A setting to try, e.g. sgd:0.05; give at least three.  [default: sgd:0.05, sgd:0.01, adamw:0.002]",
)
@click.option("--trial-epochs", type=click.IntRange(1, 10_000), default=3, help="Epochs of each setting.")
@click.option("--epochs", type=click.IntRange(1, 10_000), default=18, help="Epochs of the best setting.")
@click.option("--batch-size", type=click.IntRange(2, 65_536), default=64)
@click.option("--schedule", type=click.Choice(["constant", "cosine", "onecycle"]), default="onecycle")
@click.option("--label-smoothing", type=options.Finite(0, 0.5), default=0.0)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=42, help="Seed of the split and of the training."
)
@click.option("--grouped", is_flag=True, help="Keep byte-identical files in one set of the split.")
@click.option("--device", type=options.Device(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    help="Of training; auto: bf16 where the hardware multiplies it. What is handed in is computed in fp32 always.",
)
@click.option(
    "--compile",
    type=click.Choice(["auto", "off", "on"]),
    default="auto",
    help="Training pass as CUDA graphs (GPU) or through torch.compile (CPU). auto: on a GPU, where a trial on the first"
    " batch gives the same numbers faster.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="On a GPU: the same numbers each time, slower. A CPU always does so.",
)
@options.language()
@options.quiet
def run(
    data: Path | None,
    edition: str,
    out: Path,
    report: Path,
    resume: bool,
    weights: str,
    size: int,
    settings: tuple[tuple[str, float], ...],
    trial_epochs: int,
    epochs: int,
    seed: int,
    device: str,
    language: str,
    quiet: bool,
    **named: Any,
) -> None:
    """Do the assignment on photographs in class folders, judge it, and write the report.

    The sizes of the sets are those of the edition, in proportion to the number of images found. Data sets to
    compare with (imagenet, cifar10) are taken from folders of these names beside the data.

    Stop it at any moment; the same command with --resume goes on from the last epoch, on the CPU with the same
    final numbers. Several processes: torchrun --nproc-per-node 2 -m in4310 run ...
    """
    from in4310.judging.edition import load_edition

    asked = load_edition(edition)
    asked.data_folder(data)
    for folder in (out, report):
        room_for(folder)
    decoded = decoded_folder()

    from in4310.judging.data import resolve_data
    from in4310.solution.images import Preprocessing
    from in4310.solution.pipeline import run as carry_out
    from in4310.solution.plan import Plan
    from in4310.solution.training import Settings

    _look_at(weights)
    progress = bars(quiet)
    found = resolve_data(asked, data, progress)
    sizes = asked.sizes(len(found.labels))
    trained = {name: named.pop(name) for name in ("batch_size", "schedule", "label_smoothing")}
    trials = tuple(
        Settings(
            optimizer=optimizer,
            learning_rate=rate,
            epochs=trial_epochs,
            seed=seed,
            weight_decay=0.05 if optimizer == "adamw" else 5e-4,
            **trained,
        )
        for optimizer, rate in settings or TRIALS
    )
    plan = Plan(
        root=found.root.absolute(),
        classes=tuple(found.classes),
        test=sizes["test"],
        val=sizes["val"],
        trials=trials,
        final_epochs=epochs,
        edition=edition,
        seed=seed,
        preprocessing=Preprocessing(size=size, resize=size),
        weights=weights,
        device=_device(device),
        watch_test=asked.training.test_curve,
        comparison={name: path.absolute() for name, path in found.comparison.items()},
        statistics_images=asked.statistics.images,
        pictures=asked.statistics.pictures or 10,
        ranked=_ranked(found.classes, asked.ranking.classes),
        ranked_images=asked.ranking.k,
        **named,
    )
    command = tuple(word for word in sys.argv[1:] if word != "--resume")  # for run.py
    carry_out(plan, out, resume, decoded, command, "", progress)
    _finish(Order(str(out), edition, str(report), str(data or ""), language=language), progress)


def _finish(order: Order, progress: Progress) -> None:
    """Of several processes the first: the report of the assignment, the verdict, the exit status."""
    from in4310.solution.engine import distributed

    if not distributed.is_main():
        return
    _write_up(Path(order.submission), progress, language=order.language)
    status = judged(order, progress)
    if status and distributed.started() > 1:
        # torchrun takes every status but 0 for a crash and shows a traceback of its own: `why` stands in it.
        why = "not all points were earned: exit status 1, as without torchrun; nothing has crashed"
        click.echo(f"in4310: {why}; what follows is torchrun's", err=True)
        if place := os.environ.get("TORCHELASTIC_ERROR_FILE"):
            with suppress(OSError):
                Path(place).write_text(json.dumps({"message": why}), encoding="utf-8")
    sys.exit(status)


def _write_up(
    submission: Path, progress: Progress, data: Path | None = None, pdf: bool = True, language: str = "en"
) -> None:
    """Write report.html and report.pdf into a complete submission, and say where they are."""
    from in4310.reporting.assignment_page import write_assignment
    from in4310.reporting.printing import print_pdf
    from in4310.submission.reading import Readers
    from in4310.submission.sandbox.worker import Sandbox

    with Sandbox() as sandbox, Readers(sandbox, submission) as readers:  # it may be somebody else's
        page = write_assignment(submission, str(data) if data else None, progress, language, readers)
    click.echo(page)
    if pdf:
        printed, how = print_pdf(page)
        click.echo(printed or how)


def _ranked(classes: Sequence[str], count: int) -> tuple[str, ...]:
    """Classes to rank: those of the 2023 report first."""
    preferred = [c for c in ("sea", "buildings") if c in classes]
    return tuple([*preferred, *(c for c in classes if c not in preferred)][:count])


def _look_at(weights: str) -> None:
    """Raise InputError for a weights file that cannot be read: before the images are, and of whatever kind it is."""
    from in4310.solution.network import read_weights

    if weights in ("none", "imagenet"):
        return
    try:
        read_weights(weights)
    except (IndexError, AttributeError, TypeError, ArithmeticError, AssertionError) as error:
        # torch's unpickler takes any file for a pickle, and fails in its own ways
        raise InputError(f"{weights}: expected a weights file, found one that cannot be read") from error


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"--device {name}: torch finds no CUDA device here; use --device cpu")
    return name


@click.command("report", short_help="Write the assignment's own report from a run's files.")
@click.argument("submission", type=options.SUBMISSION)
@options.data("where the run that made it found them")
@click.option("--pdf/--no-pdf", default=True, help="Print it into report.pdf, too.")
@options.quiet
@options.language("The report")
def report_(submission: Path, data: Path | None, pdf: bool, quiet: bool, language: str) -> None:
    """Write the report of the assignment, report.html and report.pdf, into a complete submission in the house's form.

    Every figure in it is computed from the submission's own files; images are shown where the data are still there.
    in4310 run and in4310 demo do this by themselves. A report that somebody else wrote is not replaced.

    Exit status: 0 it was written, 2 it could not be.
    """
    _write_up(submission, bars(quiet), data, pdf, language)


@click.command(short_help="Print the network's layers and parameters.")
@options.network
@options.size(224)
@options.weights
def network(architecture: str, size: int, weights: str) -> None:
    """Print the layers of the network: output shape for one image, and parameters.

    Exit status: 0, or 2 where the weights cannot be read.
    """
    from rich.table import Column, Table

    from in4310.solution.network import build, layer_table

    _look_at(weights)
    rows = layer_table(build(architecture, weights=weights), size)
    title = f"{architecture}, one image of {size} x {size}"
    table = Table("module", "output", Column("parameters", justify="right"), title=title)
    for row in rows:
        table.add_row(row.name, " x ".join(map(str, row.shape)), f"{row.parameters}")
    console().print(table)


COMMANDS: tuple[Any, ...] = (demo, run, report_, network)
