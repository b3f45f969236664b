"""How every command ends: a mistake is one line on stderr, what cannot be said is status 2, nothing a traceback."""

from __future__ import annotations

import codecs
import errno
import os
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from in4310.errors import InputError
from in4310.shown import shown

if TYPE_CHECKING:
    from rich.console import Console

BAD_INPUT = 2
INTERRUPTED = 130
LONGEST = 2000  # of the one line
PLAIN = {"✓": "+", "✗": "x", "▲": "!", "○": "o", "×": "x", "…": "...", "–": "-", "—": "-", "−": "-"}
PLAIN |= {"≤": "<=", "≥": ">=", "æ": "ae", "ø": "o", "Æ": "AE", "Ø": "O", "\u202f": " ", "•": "*"}


class Door(click.Group):
    """All commands. Status 2 and one line where one of them could not do its work, or not say what it found."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """As click's, but for how it ends."""
        as_click_does = partial(super().main, *args, standalone_mode=False, **extra)
        if not standalone_mode:
            return as_click_does()
        _streams()
        sys.exit(_flushed(_ended(as_click_does)))

    def invoke(self, ctx: click.Context) -> Any:
        """As click's; Ctrl-C says how to go on."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            command = self.commands.get(ctx.invoked_subcommand or "")
            resumes = command is not None and any(option.name == "resume" for option in command.params)
            hint = "; the same command with --resume goes on from the last epoch" if resumes else ""
            click.echo(f"in4310: stopped{hint}", err=True)
            sys.exit(INTERRUPTED)


def console(**options: Any) -> Console:
    """A terminal, a file or a pipe to print on. Markup and emoji are not read: texts may be a submission's."""
    from rich.console import Console

    class Spoken(Console):
        def on_broken_pipe(self) -> None:  # rich would exit with 1, which means that points were lost
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    return Spoken(markup=False, emoji=False, highlight=False, **options)


def _streams() -> None:
    """Letters that an encoding lacks are said with those that it has; what is closed stays so."""
    if None in (sys.stdin, sys.stdout, sys.stderr):  # else the next file that is opened would be taken for it
        while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(null)
    codecs.register_error("in4310", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="in4310")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """What an encoding has for letters that it lacks: '+' for a tick, 'a' for 'å'; else their numbers."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    near = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return PLAIN.get(letter) or near or letter.encode("unicode_escape").decode()


def _ended(command: Callable[[], Any]) -> int:
    """The exit status of a command; what went wrong is said."""
    before = sys.stdout
    try:
        if sys.stdout is None:
            raise InputError(
                "standard output is closed, nothing could be said; send it to a file or to /dev/null"
            )
        ended = command()
        return ended if isinstance(ended, int) else 0
    except SystemExit as stop:
        broken = sys.stdout is not before  # so click ends where nobody reads on
        return BAD_INPUT if broken or isinstance(stop.code, str) else int(stop.code or 0)
    except InputError as error:
        _say(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        asked = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        _say(error.format_message().rstrip(".") + asked)
    except click.ClickException as error:
        _say(error.format_message())
    except click.Abort:
        return INTERRUPTED
    except OSError as error:
        if error.errno != errno.EPIPE:
            _say(f"{error.filename or 'the output'}: {error.strerror or error}")
    except MemoryError:
        _say("there is not enough memory")
    return BAD_INPUT


def _say(line: str) -> None:
    with suppress(OSError):  # then the status alone says it
        click.echo(f"in4310: {shown(line, LONGEST)}", err=True)


def _flushed(status: int) -> int:
    """The status, or 2 where what was said did not get out: a full disk, a reader that is gone."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as error:
        reason = getattr(error, "errno", errno.EPIPE)
        if reason != errno.EPIPE:
            _say(f"the output: {os.strerror(reason)}")
        status = BAD_INPUT
        if sys.stdout is not None:  # the interpreter would try once more, and say so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
