"""Commands on a whole class. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from in4310 import options
from in4310.door import console
from in4310.errors import InputError
from in4310.progress import QUIET, Progress

if TYPE_CHECKING:
    from in4310.grading.gradebook import Gradebook

_out = options.folder("--out", "reports/class", "Folder of the gradebook, the reports and the exports.")
GRADED = options.Place("a folder that in4310 grade has written (--out)")


def _opened(out: Path) -> Gradebook:
    """The gradebook of a class that was graded; raises InputError where there is none, or nobody in it."""
    from in4310.grading.gradebook import GRADEBOOK, Gradebook

    book = Gradebook(out / GRADEBOOK, must_exist=True)
    if not book.students():
        with book:
            raise InputError(f"{book.file}: nobody was graded there yet; in4310 grade does it")
    return book


@click.command(short_help="Judge a whole class: a folder, or a bulk download.")
@click.argument(
    "place", type=options.Place("a folder of submissions or one archive of them"), metavar="FOLDER|ZIP"
)
@options.data("IN4310_DATA, or the embedded data")
@options.edition()
@_out
@click.option(
    "--jobs",
    type=click.IntRange(1, 10_000),
    help="Submissions judged at once; default: half of the processors.",
)
@click.option("--engine", type=click.Choice(["local", "dask", "slurm"]), default="local")
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
@options.full
@options.rehearsal
@options.language("What is said, the reports and the page")
@click.option("--assignment", default="Mandatory 1", help="Name of the column in exports.")
@click.option("--quiet", is_flag=True, help="No live table.")
def grade(
    place: Path,
    out: Path,
    jobs: int | None,
    engine: str,
    scheduler: str | None,
    since: datetime | None,
    assignment: str,
    quiet: bool,
    **asked: Any,
) -> None:
    """Grade a class: a folder of submissions, or one archive of them as a course system gives it.

    Devilry, Canvas, Moodle and Gradescope bulk downloads are known by their layout; else each folder or archive is one
    student's. Results go into OUT/gradebook.db as they come: stopped at any moment, the same command goes on, and
    nothing is graded twice.

    Exit status: 0 all were judged, 1 some could not be, 2 the class could not be graded.
    """

    from in4310.grading.movement import moving
    from in4310.judging.edition import load_edition
    from in4310.places import room_for

    if engine == "dask" and not scheduler:
        raise InputError("--engine dask needs --scheduler ADDRESS, e.g. tcp://127.0.0.1:8786")
    options.look_at_secret()
    load_edition(asked["edition"]).data_folder(asked["data"])
    room_for(out)

    errors = console(stderr=True)
    with moving(
        errors, quiet, "preparing to judge the class"
    ) as shown:  # before what is imported here: seconds
        from in4310.grading.engines import DaskEngine, Engine, LocalEngine, SlurmEngine
        from in4310.grading.grade import Order
        from in4310.grading.grade import grade as carry_out
        from in4310.grading.marks import Status
        from in4310.grading.queue import QUEUE
        from in4310.grading.screen import marks_table, shows
        from in4310.grading.write import write_class
        from in4310.reporting.language import counted
        from in4310.reporting.language_record import said

        order = Order(str(place), report=str(out), since=since.timestamp() if since else None, **asked)
        chosen: Engine
        if engine == "slurm":
            chosen = SlurmEngine(jobs or 0)
        else:
            chosen = DaskEngine(scheduler) if scheduler and engine == "dask" else LocalEngine(jobs or 0)
        # One display at a time: on a terminal what moves is drawn already.
        bars = QUIET if quiet or errors.is_terminal else Progress(errors)
        marks = carry_out(order, chosen, shows(shown), bars)
        write_class(marks, out, assignment, order.language)
    screen = console()
    if doubts := [m.results.doubt for m in marks if m.results and m.results.doubt]:
        hand_ins = counted("%(num)s hand-in", "%(num)s hand-ins", len(doubts), order.language)
        screen.print(f"{said(order.language)(doubts[0])} ({hand_ins})")
    screen.print(marks_table(marks, order.language))
    if still := sum(m.open_points > 0 for m in marks):
        told = counted(
            "%(num)s student has points left to the teacher, which no export holds: fill in %(file)s for mark --csv",
            "%(num)s students have points left to the teacher, which no export holds: fill in %(file)s for mark --csv",
            still,
            order.language,
            file=out / QUEUE,
        )
        screen.print(told, soft_wrap=True)
    screen.print(str(out / "index.html"), soft_wrap=True)
    sys.exit(0 if all(m.status is Status.DONE for m in marks) else 1)


@click.command(short_help="Give points or a comment by hand.")
@click.argument("who", required=False)
@click.argument("requirement", default="")
@click.option(
    "--points",
    type=options.Finite(0),
    help="Points in place of the judge's; for the whole without REQUIREMENT.",
)
@click.option("--comment", default="", show_default=False, help="What the student is told.")
@click.option(
    "--csv",
    "table",
    type=options.Place("a table"),
    help="A table of who, requirement or check, points, comment.",
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
    """Give points or a comment by hand, on a requirement (1e), on a check or on the whole. Kept through every regrade.

    A check's points settle what the judge left to the teacher there. OUT/queue.csv has a row for each of these: fill in
    its column of points, all of one kind in one go, and give it to --csv; rows left empty are passed over.

    \b
      in4310 mark kari 1e --points 10 --comment "rounding explained in the report"
      in4310 mark kari --comment "see me"
      in4310 mark --csv reports/class/queue.csv

    Exit status: 0 it was kept, 2 it could not be, and nothing of a table was.
    """
    from in4310.grading.override import check_overrides, read_overrides
    from in4310.reporting.language import counted

    if (who is None) == (table is None):
        raise InputError("give a student, or a table with --csv")
    said = read_overrides(table) if table else [(who or "", requirement, points, comment)]
    with _opened(out) as book:
        check_overrides(book, said)  # all are looked at before one is kept
        book.override_all(said, by or getpass.getuser())
        for one, where, given, words in said:
            parts = ("" if given is None else counted("%(num)s point", "%(num)s points", given), words)
            click.echo(f"{one} {where}".strip() + f": {', '.join(part for part in parts if part)}")
    click.echo("in4310 grade shows it on the page and in the exports")


@click.command(short_help="How a mark came about.")
@click.argument("who")
@click.argument("requirement")
@_out
def explain(who: str, requirement: str, out: Path) -> None:
    """Show how a mark came about: what was judged, by what, each check, and what a teacher said.

    Exit status: 0, or 2 where there is no such mark.
    """
    from in4310.grading.explain import explanation

    with _opened(out) as book:
        click.echo(explanation(book, who, requirement))


@click.command(short_help="Judge again from the log: the same?")
@click.argument("who")
@_out
def replay(who: str, out: Path) -> None:
    """Judge a student's submission again from the log, and say whether every check comes out as it did.

    The same submission, edition, data and audit sample; the gradebook is not touched.

    Exit status: 0 the same, 1 not the same, 2 it could not be judged.
    """
    from in4310.grading.replay import replay as again

    with _opened(out) as book:
        found = again(book, who)
    for name, then, now in found.differences:
        click.echo(f"{name}: {then} then, {now} now")
    for line in found.changed:
        click.echo(line)
    click.echo(f"{who}, verdict {found.logged.id}: " + ("the same" if found.same else "not the same"))
    sys.exit(0 if found.same else 1)


@click.command(short_help="Whose marks differ between two gradings.")
@click.argument("old", type=GRADED)
@click.argument("new", type=GRADED)
def compare(old: Path, new: Path) -> None:
    """Show whose marks differ between two gradings (folders given as --out), and why.

    Of another year's class, requirement by requirement how the two fared, and the mistakes that became more or fewer.

    Exit status: 0 none does, 1 some do, 2 they could not be compared.
    """
    from rich.table import Table
    from rich.text import Text

    from in4310.grading.compare import classes, other_class
    from in4310.grading.compare import compare as side_by_side
    from in4310.shown import shown

    with _opened(old) as first, _opened(new) as second:
        if other_class(first, second):
            years = Table("the class", "old", "new")
            for row in classes(first, second):
                years.add_row(*(Text(shown(text, 120)) for text in row))
            console().print(years)
            sys.exit(1)
        changes = side_by_side(first, second)
    table = Table("student", "old", "new", "requirements", "why")
    for change in changes:
        moved = ", ".join(f"{id_} {a:g} to {b:g}" for id_, a, b in change.requirements)
        pairs = ((change.old, change.old_open), (change.new, change.new_open))
        points = [
            "none" if p is None else f"{p:g}" + (f", {left:g} open" if left else "") for p, left in pairs
        ]
        table.add_row(
            Text(shown(change.who, 40)), *points, Text(shown(moved)), Text(shown("; ".join(change.why)))
        )
    screen = console()
    screen.print(table if changes else "no mark differs")
    sys.exit(1 if changes else 0)


@click.command(short_help="Who is alike, with the evidence.")
@_out
@click.option(
    "--template",
    type=options.Place("what was handed out: code, weights, scores"),
    help="What was handed out (code, weights, scores), a file or folder: it makes nobody alike.",
)
@click.option(
    "--threshold",
    type=options.Finite(0.1, 1),
    default=0.6,
    help="Share of the code that must be the same for a pair.",
)
@options.language("What is said, and the page")
@options.quiet
def likeness(out: Path, template: Path | None, threshold: float, language: str, quiet: bool) -> None:
    """Show groups of hand-ins with the same weights, scores or code, for the teacher: OUT/likeness.html.

    It is evidence to look at, never a verdict: no mark follows from it, and no student's page tells of it.

    Exit status: 0 the page was written, 2 it could not be.
    """
    from rich.table import Table
    from rich.text import Text

    from in4310.grading.likeness import alike, common_to_all, groups_of
    from in4310.grading.likeness_page import likeness_page
    from in4310.grading.read_prints import read_prints
    from in4310.grading.write import write
    from in4310.reporting.language import counted
    from in4310.reporting.language_record import said
    from in4310.shown import shown

    with _opened(out) as book:
        progress = QUIET if quiet else Progress(console(stderr=True))
        prints, left, given = read_prints(book, progress, template)
    groups = groups_of(alike(prints, given, threshold))
    common = common_to_all(prints, given)
    page = write(out / "likeness.html", likeness_page(groups, len(prints), left, language, common))
    screen = console()
    if groups:
        table = Table("who", "evidence")
        for group in groups[:40]:
            who = ", ".join(shown(one, 40) for one in group.who)
            table.add_row(Text(who), "; ".join(group.words))
        screen.print(table)
    hand_ins = counted("%(num)s hand-in", "%(num)s hand-ins", len(prints), language)
    among = counted(
        "%(num)s group among %(of)s", "%(num)s groups among %(of)s", len(groups), language, of=hand_ins
    )
    unread = counted("%(num)s could not be read", "%(num)s could not be read", len(left), language)
    click.echo(f"{among}; {unread}")
    for sentence in common:
        click.echo(said(language)(sentence))
    screen.print(str(page), soft_wrap=True)


@click.group(no_args_is_help=False, short_help="An autograder for Gradescope.")
def autograder() -> None:
    """Make an autograder for Gradescope, and run there what it is made of."""


@autograder.command("make", short_help="Write the folder to upload.")
@click.argument("folder", type=options.Place())
@options.edition()
@options.data("the embedded data; it is copied into FOLDER")
def autograder_make(folder: Path, edition: str, data: Path | None) -> None:
    """Write setup.sh, run_autograder, a Dockerfile and the settings into FOLDER.

    Put a wheel of in4310 beside them (python -m build --wheel), zip the contents of FOLDER and upload them.

    Exit status: 0 it was written, 2 it could not be, and nothing is left of it.
    """
    from in4310.grading.autograder import write_autograder

    for file in write_autograder(folder, edition, data):
        click.echo(str(file))
    click.echo("the secret in in4310.json chooses the audit sample: keep the folder to yourself")
    click.echo("next: put a wheel of in4310 into it (python -m build --wheel); setup.sh installs no other")


@autograder.command("run", hidden=True)
@click.argument("root", type=options.Place(), default="/autograder")
def autograder_run(root: Path) -> None:
    """Judge ROOT/submission and write ROOT/results/results.json. Called by run_autograder."""
    from in4310.grading.autograder import run_autograder
    from in4310.reporting.language import counted

    mark = run_autograder(root)
    click.echo(mark.error or counted("%(num)s point", "%(num)s points", mark.points or 0))


COMMANDS: tuple[Any, ...] = (grade, mark, explain, replay, compare, likeness, autograder)
