"""The command that shows a rehearsal alone. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from in4310 import options
from in4310.door import console


@click.command(short_help="Run a hand-in's own programs in a miniature, and tell what they do.")
@click.argument("submission", type=options.SUBMISSION)
@options.data("IN4310_DATA, or the embedded data")
@options.edition()
@click.option(
    "--seconds", type=options.Finite(5, 3600), default=120.0, help="Time for all programs together."
)
@options.folder("--report", None, "Folder to write rehearsal.html and rehearsal.json into.")
@options.language("What is said")
def rehearse(
    submission: Path, data: Path | None, edition: str, seconds: float, report: Path | None, language: str
) -> None:
    """Run the student's own programs, unchanged, on a few rows of each of their data sets, and tell the story.

    They run in a confined process without a network, on the CPU, on a copy of the hand-in; the data set lies where
    they seek it. Nothing of it earns or costs points. Needs namespaces (in4310 doctor).

    Exit status: 0 every program ran to its end, 1 not every one or there is none, 2 nothing could be run.
    """
    from in4310.judging.edition import load_edition
    from in4310.places import room_for

    asked = load_edition(edition)  # what is wrong with what was asked is said before torch is imported
    asked.data_folder(data)
    if report:
        room_for(report)
    from in4310.submission.sandbox.worker import Sandbox

    sandbox = Sandbox(imports=("torchvision", "in4310.rehearsal.child"))
    sandbox.start()  # first: it imports what programs use while we import what we use
    with sandbox:
        sys.exit(_rehearsed(sandbox, submission, data, asked, seconds, report, language))


def _rehearsed(
    sandbox: Any,
    submission: Path,
    data: Path | None,
    asked: Any,
    limit: float,
    report: Path | None,
    language: str,
) -> int:
    from rich.markup import escape

    from in4310.judging.data import resolve_data
    from in4310.progress import Progress
    from in4310.rehearsal.rehearse import rehearse as performed
    from in4310.rehearsal.story import place, seconds, story, summary
    from in4310.reporting.language import translated
    from in4310.reporting.language_record import said
    from in4310.reporting.rehearsal_page import rehearsal_page
    from in4310.reporting.write import put
    from in4310.submission.intake import take_in

    known = resolve_data(asked, data)
    progress = Progress(console(stderr=True))
    with take_in(submission, sandbox) as taken, progress.task("rehearsing", 1) as bar:
        seen = performed(
            taken.folder, known.root, known.labels, known.classes, sandbox, limit,
            lambda event: bar.advance(0, escape(place(event["at"]))))  # fmt: skip
        bar.advance()
    say = said(language)
    screen = console()

    def tell(lines: Any) -> int:
        told = list(lines)
        for at, sentence in told:
            screen.print(f"{place(at):<24} {say(sentence)}".rstrip(), soft_wrap=True)
        return len(told)

    tell(story(seen))
    screen.print()
    if not tell(summary(seen)):
        screen.print(translated("Nothing known to be wrong was seen.", language))
    if spent := seconds(seen):
        stages = ", ".join(f"{say(stage)} {time:.1f} s" for stage, time in spent.items())
        screen.print(translated("Time: {stages}", language).format(stages=stages), soft_wrap=True)
    if report:
        page = rehearsal_page(seen, submission.resolve().name, language)
        document = json.dumps(seen.as_document(), indent=1, ensure_ascii=False)
        for name, text in (("rehearsal.json", document), ("rehearsal.html", page)):
            put(report / name, text.encode())
        screen.print(
            translated("Report: {place}", language).format(place=report / "rehearsal.html"), soft_wrap=True
        )
    return 0 if seen.programs and all(p.end == "ended" and not p.status for p in seen.programs) else 1


COMMANDS: tuple[Any, ...] = (rehearse,)
