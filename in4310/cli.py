"""The command line. Nothing heavy is imported before a command needs it, so that --help is instant."""

from __future__ import annotations

from collections.abc import Sequence

import click

from in4310 import __version__, checking, rehearsing, running
from in4310.door import Door
from in4310.grading import commands as grading
from in4310.places import keep_current_folder_off_the_path
from in4310.temporary import sweep


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status."""
    keep_current_folder_off_the_path()
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="in4310")


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True}


@click.group(cls=Door, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="in4310")
def cli() -> None:
    """Judge deep-learning work: a reference solution, executable requirements, reports.

    \b
    First steps:
      in4310 demo                        the whole assignment on drawn scenes, judged, with a report
      in4310 run --data PHOTOS           the same on your own photographs in class folders
      in4310 check SUBMISSION            judge what was handed in: a folder or a zip
      in4310 rehearse SUBMISSION         run its own programs in a miniature of the data, and tell what they do
      in4310 init SUBMISSION             write a submission.toml from what is found in it
      in4310 report SUBMISSION           write the assignment's own report from a run's files
      in4310 grade CLASS                 judge a whole class: a folder of submissions, or a bulk download
      pytest --submission SUBMISSION     the same, as a pytest run
      in4310 doctor                      which walls of the sandbox hold on this machine
    """
    sweep()


for command in (*running.COMMANDS, *checking.COMMANDS, *rehearsing.COMMANDS, *grading.COMMANDS):
    cli.add_command(command)
