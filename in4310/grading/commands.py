"""Commands on a whole class. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from in4310.errors import InputError
from in4310.progress import QUIET, Progress

OUT = Path("reports/class")
_out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=OUT,
    show_default=True,
    help="Folder of the gradebook, the reports and the exports.",
)


@click.command()
@click.argument("place", type=click.Path(path_type=Path), metavar="FOLDER|ZIP")
@click.option(
    "--data", metavar="PATH", help="Folder of class folders; default: the edition's own, or IN4310_DATA."
)
@click.option("--edition", default="demo", show_default=True, help="2022, 2023, 2026, demo, or a .toml file.")
@_out
@click.option(
    "--jobs", type=click.IntRange(1), help="Submissions judged at once; default: half of the processors."
)
@click.option("--engine", type=click.Choice(["local", "dask", "slurm"]), default="local", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, for --engine dask: tcp://host:8786.")
@click.option(
    "--only", multiple=True, metavar="WHO", help="Judge these students only; may be given several times."
)
@click.option(
    "--regrade",
    multiple=True,
    metavar="WHO|REQUIREMENT",
    help="Judge again: one student, or all who lost points on a requirement.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="Judge only what was changed on this day or later.",
)
@click.option("--all-attempts", is_flag=True, help="Judge every attempt, not only each student's last.")
@click.option("--full", is_flag=True, help="Recompute all scores, not only a random audit sample of them.")
@click.option(
    "--language",
    metavar="NAME",
    help="Of the reports and the page: en or nb; default: IN4310_LANGUAGE, or en.",
)
@click.option("--assignment", default="Mandatory 1", show_default=True, help="Name of the column in exports.")
@click.option("--quiet", is_flag=True, help="No live table.")
def grade(
    place: Path,
    data: str | None,
    edition: str,
    out: Path,
    jobs: int | None,
    engine: str,
    scheduler: str | None,
    only: tuple[str, ...],
    regrade: tuple[str, ...],
    since: datetime | None,
    all_attempts: bool,
    full: bool,
    language: str | None,
    assignment: str,
    quiet: bool,
) -> None:
    """Grade a class: a folder of submissions, or one archive of them as a course system gives it.

    Devilry, Canvas, Moodle and Gradescope bulk downloads are known by their layout; else each folder or archive is one
    student's. Results go into OUT/gradebook.db as they come: stopped at any moment, the same command goes on, and
    nothing is graded twice. Exit status: 0 all were judged, 1 some could not be, 2 the class could not be graded.
    """
    from rich.console import Console

    from in4310.grading.engines import DaskEngine, Engine, LocalEngine, SlurmEngine
    from in4310.grading.grade import Order
    from in4310.grading.grade import grade as carry_out
    from in4310.grading.marks import Status
    from in4310.grading.screen import live, marks_table
    from in4310.grading.write import write_class
    from in4310.reporting.language import chosen as asked_for

    spoken = asked_for(language)
    if engine == "dask" and not scheduler:
        raise InputError("--engine dask needs --scheduler ADDRESS, e.g. tcp://127.0.0.1:8786")
    since_when = since.timestamp() if since else None
    order = Order(
        submission=str(place),
        edition=edition,
        report=str(out),
        data=data or "",
        full=full,
        language=spoken,
        all_attempts=all_attempts,
        only=only,
        since=since_when,
        regrade=regrade,
    )
    chosen: Engine
    if engine == "slurm":
        chosen = SlurmEngine(jobs or 0)
    else:
        chosen = DaskEngine(scheduler) if scheduler and engine == "dask" else LocalEngine(jobs or 0)
    errors = Console(stderr=True)
    with live(errors, quiet) as show:
        marks = carry_out(order, chosen, show, QUIET if quiet else Progress(errors))
    write_class(marks, out, assignment, spoken)
    console = Console()
    console.print(marks_table(marks))
    console.print(str(out / "index.html"), markup=False, highlight=False, soft_wrap=True)
    sys.exit(0 if all(m.status is Status.DONE for m in marks) else 1)


@click.command()
@click.argument("who", required=False)
@click.argument("requirement", default="")
@click.option(
    "--points",
    type=click.FloatRange(0),
    help="Points in place of the judge's; for the whole without REQUIREMENT.",
)
@click.option("--comment", default="", help="What the student is told.")
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), help="A table of who, requirement, points, comment."
)
@click.option("--by", default=None, help="Who says so; default: the user's name on this machine.")
@_out
def mark(
    who: str | None,
    requirement: str,
    points: float | None,
    comment: str,
    table: Path | None,
    by: str | None,
    out: Path,
) -> None:
    """Give points or a comment by hand, on a requirement (1e) or on the whole. Kept through every regrade.

    \b
      in4310 mark kari 1e --points 10 --comment "rounding explained in the report"
      in4310 mark kari --comment "see me"
      in4310 mark --csv marks.csv
    """
    from in4310.grading.gradebook import GRADEBOOK, Gradebook
    from in4310.grading.override import check_override, read_overrides

    if (who is None) == (table is None):
        raise InputError("give a student, or a table with --csv")
    said = read_overrides(table) if table else [(who or "", requirement, points, comment)]
    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        for one, where, given, words in said:  # all are looked at before one is kept
            if given is None and not words:
                raise InputError(f"{one}: nothing to say; give --points, --comment, or both")
            check_override(book, one, where, given)
        for one, where, given, words in said:
            book.override(one, where, given, words, by or getpass.getuser())
            parts = ("" if given is None else f"{given:g} points", words)
            click.echo(f"{one} {where}".strip() + f": {', '.join(part for part in parts if part)}")
    click.echo("in4310 grade shows it on the page and in the exports")


@click.command()
@click.argument("who")
@click.argument("requirement")
@_out
def explain(who: str, requirement: str, out: Path) -> None:
    """Show how a mark came about: what was judged, by what, each check, and what a teacher said."""
    from in4310.grading.explain import explanation
    from in4310.grading.gradebook import GRADEBOOK, Gradebook

    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        click.echo(explanation(book, who, requirement))


@click.command()
@click.argument("who")
@_out
def replay(who: str, out: Path) -> None:
    """Judge a student's submission again from the log, and say whether every check comes out as it did.

    The same submission, edition, data and audit sample; the gradebook is not touched. Exit status 0: the same.
    """
    from in4310.grading.gradebook import GRADEBOOK, Gradebook
    from in4310.grading.replay import replay as again

    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        found = again(book, who)
    for name, then, now in found.differences:
        click.echo(f"{name}: {then} then, {now} now")
    for line in found.changed:
        click.echo(line)
    click.echo(f"{who}, verdict {found.logged.id}: " + ("the same" if found.same else "not the same"))
    sys.exit(0 if found.same else 1)


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def compare(old: Path, new: Path) -> None:
    """Show whose marks differ between two gradings (folders given as --out), and why. Exit status 1 if any does."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from in4310.grading.compare import compare as side_by_side
    from in4310.grading.gradebook import GRADEBOOK, Gradebook
    from in4310.shown import shown

    with (
        Gradebook(old / GRADEBOOK, must_exist=True) as first,
        Gradebook(new / GRADEBOOK, must_exist=True) as second,
    ):
        changes = side_by_side(first, second)
    table = Table("student", "old", "new", "requirements", "why")
    for change in changes:
        moved = ", ".join(f"{id_} {a:g} to {b:g}" for id_, a, b in change.requirements)
        points = ["none" if p is None else f"{p:g}" for p in (change.old, change.new)]
        table.add_row(
            Text(shown(change.who, 40)), *points, Text(shown(moved)), Text(shown("; ".join(change.why)))
        )
    console = Console()
    console.print(table if changes else "no mark differs")
    sys.exit(1 if changes else 0)


@click.command()
@_out
@click.option(
    "--template", type=click.Path(path_type=Path), help="Code that was handed out: a file or folder."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0.1, 1),
    default=0.6,
    show_default=True,
    help="Share of the code that must be the same for a pair.",
)
@click.option("--language", metavar="NAME", help="Of the page: en or nb; default: IN4310_LANGUAGE, or en.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def likeness(out: Path, template: Path | None, threshold: float, language: str | None, quiet: bool) -> None:
    """Show pairs of hand-ins with the same weights, scores or code, for the teacher: OUT/likeness.html.

    It is evidence to look at, never a verdict: no mark follows from it, and no student's page tells of it.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from in4310.grading.gradebook import GRADEBOOK, Gradebook
    from in4310.grading.likeness import alike
    from in4310.grading.likeness_page import likeness_page
    from in4310.grading.read_prints import CODE, read_prints
    from in4310.grading.write import write
    from in4310.reporting.language import chosen
    from in4310.shown import shown
    from in4310.submission.source import read_code

    spoken = chosen(language)
    handed_out = ""
    if template is not None:
        if not template.exists():
            raise InputError(f"{template}: expected code that was handed out, found nothing")
        handed_out = (
            read_code(template, CODE)
            if template.is_dir()
            else template.read_text(encoding="utf-8", errors="replace")[:CODE]
        )
    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        prints, left = read_prints(book, QUIET if quiet else Progress(Console(stderr=True)))
    pairs = alike(prints, handed_out, threshold)
    page = write(out / "likeness.html", likeness_page(pairs, len(prints), left, spoken))
    console = Console()
    if pairs:
        table = Table("one", "other", "evidence")
        for pair in pairs[:40]:
            table.add_row(Text(shown(pair.one, 40)), Text(shown(pair.other, 40)), "; ".join(pair.words))
        console.print(table)
    click.echo(f"{len(pairs)} pairs among {len(prints)} hand-ins; {len(left)} could not be read")
    console.print(str(page), markup=False, highlight=False, soft_wrap=True)


@click.group()
def autograder() -> None:
    """Make an autograder for Gradescope, and run there what it is made of."""


@autograder.command("make")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--edition", default="demo", show_default=True, help="2022, 2023, 2026, demo, or a .toml file.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of class folders, copied into it.")
def autograder_make(folder: Path, edition: str, data: Path | None) -> None:
    """Write setup.sh, run_autograder, a Dockerfile and the settings into FOLDER; zip its contents and upload them."""
    from in4310.grading.autograder import write_autograder

    for file in write_autograder(folder, edition, data):
        click.echo(str(file))
    click.echo("the secret in in4310.json chooses the audit sample: keep the folder to yourself")


@autograder.command("run", hidden=True)
@click.argument("root", type=click.Path(path_type=Path), default=Path("/autograder"))
def autograder_run(root: Path) -> None:
    """Judge ROOT/submission and write ROOT/results/results.json. Called by run_autograder."""
    from in4310.grading.autograder import run_autograder

    mark = run_autograder(root)
    click.echo(mark.error or f"{mark.points:g} points")


COMMANDS: tuple[Any, ...] = (grade, mark, explain, replay, compare, likeness, autograder)
