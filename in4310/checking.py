"""Commands that judge one submission: check, init, doctor. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from in4310 import options
from in4310.door import console
from in4310.errors import InputError
from in4310.judging.order import Order
from in4310.progress import QUIET, Progress


def bars(quiet: bool) -> Progress:
    """Progress bars on stderr."""
    return QUIET if quiet else Progress(console(stderr=True))


def judged(order: Order, progress: Progress) -> int:
    """Judge a submission, print the verdict, write the report; the exit status.

    What is wrong with edition, data or report is said before anything is judged. The verdict is printed also where
    the report cannot be written after all.
    """
    from in4310.judging.edition import load_edition
    from in4310.places import room_for
    from in4310.submission.sandbox.worker import Sandbox

    if order.edition:  # else the submission may state it
        load_edition(order.edition).data_folder(order.data)
    if order.report:
        room_for(Path(order.report))
    with Sandbox() as sandbox:
        sandbox.start()  # first: it imports torch while this process does
        from in4310.reporting.terminal import Verdict
        from in4310.runner import Unreported, judge

        unwritten: Unreported | None = None
        try:
            results = judge(order, progress, sandbox)
        except Unreported as error:
            results, unwritten = error.results, error
    screen = console()
    screen.print(Verdict(results, order.language))
    if unwritten:
        raise unwritten
    if order.report:
        screen.print(str(Path(order.report) / "index.html"), soft_wrap=True)
    return 1 if results.lost else 0


@click.command(short_help="Judge a submission: a folder, a zip or a tar.gz.")
@click.argument("submission", type=options.SUBMISSION)
@options.data("IN4310_DATA, or the embedded data")
@options.edition(stated=True)
@options.folder("--report", None, "Folder to write index.html, results.json and junit.xml into.")
@options.full
@options.rehearsal
@click.option(
    "--trust-submissions",
    "trusted",
    is_flag=True,
    help="Call the functions that it names also where nothing can be confined (in4310 doctor): your own work only.",
)
@options.language()
@options.quiet
def check(quiet: bool, **asked: Any) -> None:
    """Judge a submission, a folder or an archive (zip, tar.gz), by the requirements of an edition.

    Its pieces are found by what they are, whatever they are called; a submission.toml may name them (in4310 init).
    Its files are read, and its figures recomputed from its weights. Only functions that it names under [adapters] are
    called, in a confined process. Of many scores a random sample is recomputed; with the environment variable
    IN4310_SECRET set, the same one each time.

    \b
    in4310 check oblig1.zip --data mandatory1_data --edition 2023 --report reports/mine

    Exit status: 0 no point is lost (some may be left to the teacher, and are named), 1 some are, 2 it could not be
    judged or the verdict could not be said.
    """
    options.look_at_secret()
    sys.exit(judged(Order(**asked), bars(quiet)))


@click.command(short_help="Write a submission.toml from what is found.")
@click.argument("submission", type=options.SUBMISSION)
@options.data("IN4310_DATA, or the embedded data")
@options.edition()
@click.option("--force", is_flag=True, help="Replace a submission.toml that is there.")
@options.language("What is said")
def init(submission: Path, data: Path | None, edition: str, force: bool, language: str) -> None:
    """Write a commented submission.toml into a submission folder, from what is found in it.

    Correct it where the wrong file was taken, and fill in what no file says: seed, start, command, preprocessing.

    Exit status: 0 it was written, 2 it could not be.
    """
    from in4310.judging.edition import load_edition

    asked = load_edition(edition)
    asked.data_folder(data)
    if not submission.is_dir():
        raise InputError(
            f"{submission}: expected a folder; unpack the archive, submission.toml is written into it"
        )

    from in4310.judging.data import hints, resolve_data
    from in4310.judging.session import doubt
    from in4310.reporting.language import counted
    from in4310.reporting.language_record import said
    from in4310.submission.folder import Submission
    from in4310.submission.manifest import write_manifest
    from in4310.submission.reading import Readers
    from in4310.submission.sandbox.worker import Sandbox

    known = resolve_data(asked, data)
    with Sandbox() as sandbox, Readers(sandbox, submission) as readers:
        found = Submission(submission, hints(asked, known), readers)
        if wrong := doubt(found, known):
            click.echo(said(language)(wrong))
        path = write_manifest(found, edition, force)
        pieces = len(found.located)
    given = [*(["--data", str(data)] if data else []), *(["--edition", edition] if edition != "demo" else [])]
    click.echo(
        counted(
            "%(path)s: names %(num)s piece; read it, correct it, then: %(command)s",
            "%(path)s: names %(num)s pieces; read it, correct it, then: %(command)s",
            pieces,
            language,
            path=path,
            command=shlex.join(["in4310", "check", str(submission), *given]),
        )
    )


@click.command(short_help="Which walls of the sandbox hold on this machine.")
def doctor() -> None:
    """Try every wall of the sandbox for real, from inside, and say which hold on this machine.

    Code of a submission is run only where files, network and processes can be confined. Exit status: 0 all walls
    hold, 1 some do not, 2 nothing can be confined here.
    """
    from rich.table import Table

    from in4310.submission.sandbox.doctor import examine, examine_weaker
    from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

    with Sandbox() as sandbox:
        click.echo(f"tier: {sandbox.tier.describe()}")
        try:
            walls = examine(sandbox)
        except WorkerFailed as failure:
            raise InputError(f"{failure}; files are still judged, live code is not run") from None
        weaker = [(tier.describe(), walls_of) for tier, walls_of in examine_weaker(sandbox)]
    table = Table("a submission tries to", "wall", "what happened")
    for wall in walls:
        table.add_row(wall.tried, "holds" if wall.holds else "DOES NOT HOLD", wall.how)
    console().print(table)
    for tier, tried in weaker:
        over = "; ".join(f"{wall.tried}: {wall.how}" for wall in tried if not wall.holds)
        click.echo(f"where that cannot be had, {tier}: " + (over or f"all {len(tried)} walls hold"))
    sys.exit(0 if all(wall.holds for wall in walls) else 1)


COMMANDS: tuple[Any, ...] = (check, init, doctor)
