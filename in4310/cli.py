"""The command line. Nothing heavy is imported before a command needs it, so that --help is instant."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from in4310 import __version__
from in4310.errors import InputError
from in4310.grading.commands import COMMANDS
from in4310.judging.order import Order
from in4310.progress import QUIET, Progress

BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status."""
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="in4310")


def _plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """A user's mistake is one line on stderr and exit status 2; Ctrl-C says how to go on."""

    @functools.wraps(command)
    def guarded(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except InputError as error:
            click.echo(f"in4310: {error}", err=True)
            sys.exit(BAD_INPUT)
        except KeyboardInterrupt:
            hint = (
                "; the same command with --resume goes on from the last epoch" if "resume" in options else ""
            )
            click.echo(f"in4310: stopped{hint}", err=True)
            sys.exit(INTERRUPTED)

    return guarded


_language = click.option(
    "--language", metavar="NAME", help="Of the report: en or nb; default: IN4310_LANGUAGE, or en."
)


def _progress(quiet: bool) -> Progress:
    from rich.console import Console

    return QUIET if quiet else Progress(Console(stderr=True))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="in4310")
def cli() -> None:
    """Judge deep-learning work: a reference solution, executable requirements, reports.

    \b
    First steps:
      in4310 demo                        the whole assignment on drawn scenes, judged, with a report
      in4310 run --data PHOTOS           the same on your own photographs in class folders
      in4310 check SUBMISSION            judge what was handed in: a folder or a zip
      in4310 init SUBMISSION             write a submission.toml from what is found in it
      in4310 report SUBMISSION           write the assignment's own report from a run's files
      in4310 grade CLASS                 judge a whole class: a folder of submissions, or a bulk download
      pytest --submission SUBMISSION     the same, as a pytest run
      in4310 doctor                      which walls of the sandbox hold on this machine
    """


@cli.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submissions/demo"),
    show_default=True,
    help="Folder of the submission made.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("reports/demo"),
    show_default=True,
    help="Folder of the report.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@_language
@click.option("--quiet", is_flag=True, help="No progress bars.")
@_plain_errors
def demo(out: Path, report: Path, resume: bool, language: str | None, quiet: bool) -> None:
    """Do the whole assignment on the embedded data, judge it, and write the report.

    Draws 1200 scenes, splits them, trains a ResNet-18 from scratch with three settings, evaluates, ranks, looks
    inside the network, and judges the result by the requirements of the edition 'demo'. A few minutes on two cores.
    An earlier demo in the same folders is replaced.
    """
    from in4310.judging.data import resolve_data
    from in4310.judging.edition import load_edition
    from in4310.places import cache_folder
    from in4310.reference import demo_plan
    from in4310.reporting.language import chosen
    from in4310.solution.engine import distributed
    from in4310.solution.pipeline import run as carry_out

    spoken = chosen(language)
    progress = _progress(quiet)
    edition = load_edition("demo")
    data = resolve_data(edition, None, progress)
    if not resume and distributed.is_main():
        _remove_earlier_run(out)
    carry_out(
        demo_plan(edition, data), out, resume, cache_folder() / "decoded", ("demo",), "reference", progress
    )
    if distributed.is_main():
        _write_up(out, progress, language=spoken)
        sys.exit(_judge(Order(str(out), "demo", str(report), language=spoken), progress))


def _remove_earlier_run(out: Path) -> None:
    """Remove `out` if it is a run of ours, and nothing else."""
    import shutil

    if (out / "plan.json").is_file():
        shutil.rmtree(out)


@cli.command()
@click.option(
    "--data", metavar="PATH", help="Folder of class folders; default: the environment variable IN4310_DATA."
)
@click.option("--edition", default="2026", show_default=True, help="2022, 2023, 2026, demo, or a .toml file.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submissions/run"),
    show_default=True,
    help="Folder of the submission made.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("reports/run"),
    show_default=True,
    help="Folder of the report.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped, from its last epoch.")
@click.option(
    "--network", "architecture", default="resnet18", show_default=True, help="resnet18, 34, 50, 101 or 152."
)
@click.option(
    "--weights", default="none", show_default=True, help="none (from scratch), imagenet, or a weights file."
)
@click.option(
    "--size",
    type=click.IntRange(32, 512),
    default=128,
    show_default=True,
    help="Side of the images that the network sees, pixels.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="OPTIMIZER:RATE",
    help="A setting to try, e.g. sgd:0.05; give at least three.  [default: sgd:0.05, sgd:0.01, adamw:0.002]",
)
@click.option(
    "--trial-epochs", type=click.IntRange(1), default=3, show_default=True, help="Epochs of each setting."
)
@click.option(
    "--epochs", type=click.IntRange(1), default=18, show_default=True, help="Epochs of the best setting."
)
@click.option("--batch-size", type=click.IntRange(2), default=64, show_default=True)
@click.option(
    "--schedule", type=click.Choice(["constant", "cosine", "onecycle"]), default="onecycle", show_default=True
)
@click.option("--label-smoothing", type=click.FloatRange(0, 0.5), default=0.0, show_default=True)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=42,
    show_default=True,
    help="Seed of the split and of the training.",
)
@click.option("--grouped", is_flag=True, help="Keep byte-identical files in one set of the split.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="Of training; auto: bf16 where the hardware multiplies it. What is handed in is computed in fp32 always.",
)
@click.option(
    "--compile",
    "compile_",
    type=click.Choice(["auto", "off", "on"]),
    default="auto",
    show_default=True,
    help="Training pass as CUDA graphs (GPU) or through torch.compile (CPU). auto: on a GPU, where a trial on the first"
    " batch gives the same numbers faster.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="On a GPU: the same numbers each time, slower. A CPU always does so.",
)
@_language
@click.option("--quiet", is_flag=True, help="No progress bars.")
@_plain_errors
def run(
    data: str | None,
    edition: str,
    out: Path,
    report: Path,
    resume: bool,
    architecture: str,
    weights: str,
    size: int,
    settings: tuple[str, ...],
    trial_epochs: int,
    epochs: int,
    batch_size: int,
    schedule: str,
    label_smoothing: float,
    seed: int,
    grouped: bool,
    device: str,
    precision: str,
    compile_: str,
    deterministic: bool,
    language: str | None,
    quiet: bool,
) -> None:
    """Do the assignment on photographs in class folders, judge it, and write the report.

    The sizes of the sets are those of the edition, in proportion to the number of images found. Data sets to
    compare with (imagenet, cifar10) are taken from folders of these names beside the data.

    Stop it at any moment; the same command with --resume goes on from the last epoch, on the CPU with the same
    final numbers. Several processes: torchrun --nproc-per-node 2 -m in4310 run ...
    """
    from in4310.judging.data import resolve_data
    from in4310.judging.edition import load_edition
    from in4310.places import cache_folder
    from in4310.reporting.language import chosen
    from in4310.solution.engine import distributed
    from in4310.solution.images import Preprocessing
    from in4310.solution.pipeline import run as carry_out
    from in4310.solution.plan import Plan
    from in4310.solution.training import Settings

    spoken = chosen(language)
    progress = _progress(quiet)
    asked = load_edition(edition)
    found = resolve_data(asked, data, progress)
    sizes = asked.sizes(len(found.labels))
    trials = tuple(
        Settings(
            optimizer=optimizer,
            learning_rate=rate,
            epochs=trial_epochs,
            batch_size=batch_size,
            schedule=schedule,
            seed=seed,
            label_smoothing=label_smoothing,
            weight_decay=0.05 if optimizer == "adamw" else 5e-4,
        )
        for optimizer, rate in map(_setting, settings or ("sgd:0.05", "sgd:0.01", "adamw:0.002"))
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
        grouped=grouped,
        preprocessing=Preprocessing(size=size, resize=size),
        architecture=architecture,
        weights=weights,
        device=_device(device),
        precision=precision,
        compile=compile_,
        deterministic=deterministic,
        watch_test=asked.training.test_curve,
        comparison={name: path.absolute() for name, path in found.comparison.items()},
        statistics_images=asked.statistics.images,
        pictures=asked.statistics.pictures or 10,
        ranked=_ranked(found.classes, asked.ranking.classes),
        ranked_images=asked.ranking.k,
    )
    carry_out(plan, out, resume, cache_folder() / "decoded", _command(), "", progress)
    if distributed.is_main():
        _write_up(out, progress, language=spoken)
        order = Order(str(out), edition, str(report), data or "", language=spoken)
        status = _judge(order, progress)
        # torchrun takes any other status than 0 for a crash, and shows a traceback of its own.
        sys.exit(status if distributed.started() == 1 else 0)


def _write_up(
    submission: Path, progress: Progress, data: str | None = None, pdf: bool = True, language: str = "en"
) -> None:
    """Write report.html and report.pdf into a complete submission, and say where they are."""
    from in4310.reporting.assignment_page import write_assignment
    from in4310.reporting.printing import print_pdf

    page = write_assignment(submission, data, progress, language)
    click.echo(page)
    if pdf:
        printed, how = print_pdf(page)
        click.echo(printed or how)


def _command() -> tuple[str, ...]:
    """The arguments of this very run, for run.py."""
    return tuple(word for word in sys.argv[1:] if word != "--resume")


def _ranked(classes: Sequence[str], count: int) -> tuple[str, ...]:
    """Classes to rank: those of the 2023 report first."""
    preferred = [c for c in ("sea", "buildings") if c in classes]
    return tuple([*preferred, *(c for c in classes if c not in preferred)][:count])


def _setting(text: str) -> tuple[str, float]:
    optimizer, _, rate = text.partition(":")
    try:
        return optimizer, float(rate)
    except ValueError:
        raise InputError(f"--setting {text}: expected OPTIMIZER:RATE, such as sgd:0.05") from None


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"--device {name}: torch finds no CUDA device here; use --device cpu")
    if name != "cpu" and not name.startswith("cuda"):
        raise InputError(f"--device {name}: expected auto, cpu or cuda")
    return name


@cli.command()
@click.argument("submission", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="PATH", help="Folder of class folders; default: IN4310_DATA, or the embedded data."
)
@click.option("--edition", default="demo", show_default=True, help="2022, 2023, 2026, demo, or a .toml file.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Folder to write index.html, results.json and junit.xml into.",
)
@click.option("--full", is_flag=True, help="Recompute all scores, not only a random audit sample of them.")
@click.option(
    "--trust-submissions",
    "trusted",
    is_flag=True,
    help="Call the functions that it names also where nothing can be confined (in4310 doctor): your own work only.",
)
@_language
@click.option("--quiet", is_flag=True, help="No progress bar.")
@_plain_errors
def check(
    submission: Path,
    data: str | None,
    edition: str,
    report: Path | None,
    full: bool,
    trusted: bool,
    language: str | None,
    quiet: bool,
) -> None:
    """Judge a submission, a folder or an archive (zip, tar.gz), by the requirements of an edition.

    Its pieces are found by what they are, whatever they are called; a submission.toml may name them (in4310 init).
    Its files are read, and its figures recomputed from its weights. Only functions that it names under [adapters] are
    called, in a confined process. Of many scores a random sample is recomputed; with the environment variable
    IN4310_SECRET set, the same one each time.

    Exit status: 0 all points, 1 not all, 2 it could not be judged.
    """
    from in4310.reporting.language import chosen

    order = Order(str(submission), edition, str(report or ""), data or "", full, trusted, chosen(language))
    sys.exit(_judge(order, _progress(quiet)))


@cli.command()
@click.argument("submission", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="PATH", help="Folder of class folders; default: IN4310_DATA, or the embedded data."
)
@click.option("--edition", default="demo", show_default=True, help="2022, 2023, 2026, demo, or a .toml file.")
@click.option("--force", is_flag=True, help="Replace a submission.toml that is there.")
@_plain_errors
def init(submission: Path, data: str | None, edition: str, force: bool) -> None:
    """Write a commented submission.toml into a submission folder, from what is found in it.

    Correct it where the wrong file was taken, and fill in what no file says: seed, start, command, preprocessing.
    """
    from in4310.judging.data import hints, resolve_data
    from in4310.judging.edition import load_edition
    from in4310.submission.folder import Submission
    from in4310.submission.manifest import write_manifest

    asked = load_edition(edition)
    found = Submission(submission, hints(asked, resolve_data(asked, data, _progress(False))))
    path = write_manifest(found, edition, force)
    click.echo(
        f"{path}: names {len(found.located)} pieces; read it, correct it, then: in4310 check {submission}"
    )


@cli.command("report")
@click.argument("submission", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="PATH", help="Folder of class folders; default: where the run that made it found them."
)
@click.option("--pdf/--no-pdf", default=True, show_default=True, help="Print it into report.pdf, too.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@_language
@_plain_errors
def report_(submission: Path, data: str | None, pdf: bool, quiet: bool, language: str | None) -> None:
    """Write the report of the assignment, report.html and report.pdf, into a complete submission in the house's form.

    Every figure in it is computed from the submission's own files; images are shown where the data are still there.
    in4310 run and in4310 demo do this by themselves. A report that somebody else wrote is not replaced.
    """
    from in4310.reporting.language import chosen

    _write_up(submission, _progress(quiet), data, pdf, chosen(language))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("reports/benchmarks"),
    show_default=True,
    help="Folder to write index.html into.",
)
@_language
@_plain_errors
def benchmarks(file: Path, report: Path, language: str | None) -> None:
    """Make the page of benchmarks from what pytest measured.

    \b
    pytest --benchmark-only --benchmark-json=benchmark.json      measures; -m slow adds the long ones
    in4310 benchmarks benchmark.json                             the page: claims, goals, the machine, scale
    """
    from in4310.reporting.benchmarks import read_benchmarks, write_benchmarks
    from in4310.reporting.language import chosen

    spoken = chosen(language)
    click.echo(write_benchmarks(read_benchmarks(file), report, spoken))


@cli.command()
@_plain_errors
def doctor() -> None:
    """Try every wall of the sandbox for real, from inside, and say which hold on this machine.

    Code of a submission is run only where files, network and processes can be confined. Exit status: 0 all walls
    hold, 1 some do not, 2 nothing can be confined here.
    """
    from rich.console import Console
    from rich.table import Table

    from in4310.submission.sandbox.doctor import examine
    from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

    with Sandbox() as sandbox:
        click.echo(f"tier: {sandbox.tier.describe()}")
        try:
            walls = examine(sandbox)
        except WorkerFailed as failure:
            raise InputError(f"{failure}; files are still judged, live code is not run") from None
    table = Table()
    for column in ("a submission tries to", "wall", "what happened"):
        table.add_column(column)
    for wall in walls:
        table.add_row(wall.tried, "holds" if wall.holds else "DOES NOT HOLD", wall.how)
    Console().print(table)
    sys.exit(0 if all(wall.holds for wall in walls) else 1)


def _judge(order: Order, progress: Progress) -> int:
    from rich.console import Console

    from in4310.submission.sandbox.worker import Sandbox

    with Sandbox() as sandbox:
        sandbox.start()  # first: it imports torch while this process does
        from in4310.reporting.terminal import Verdict
        from in4310.runner import judge

        results = judge(order, progress, sandbox)
    console = Console()
    console.print(Verdict(results, order.language))
    if order.report:
        index = str(Path(order.report) / "index.html")
        console.print(index, markup=False, highlight=False, soft_wrap=True)
    return 0 if results.points >= results.max_points else 1


@cli.command()
@click.option(
    "--network", "architecture", default="resnet18", show_default=True, help="resnet18, 34, 50, 101 or 152."
)
@click.option(
    "--size", type=click.IntRange(32, 512), default=224, show_default=True, help="Side of the input, pixels."
)
@click.option("--weights", default="none", show_default=True, help="none, imagenet, or a weights file.")
@_plain_errors
def network(architecture: str, size: int, weights: str) -> None:
    """Print the layers of the network: output shape for one image, and parameters."""
    from rich.console import Console
    from rich.table import Table

    from in4310.solution.network import build, layer_table

    rows = layer_table(build(architecture, weights=weights), size)
    table = Table(title=f"{architecture}, one image of {size} x {size}")
    for column, side in (("module", "left"), ("output", "left"), ("parameters", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(row.name, " x ".join(map(str, row.shape)), f"{row.parameters}")
    Console().print(table)


for _command_on_a_class in COMMANDS:
    _command_on_a_class.callback = _plain_errors(_command_on_a_class.callback)
    cli.add_command(_command_on_a_class)
