"""Options and arguments that commands share. A path is looked at here, before anything is imported that takes time."""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from in4310.errors import InputError
from in4310.places import SECRET_VARIABLE, audit_secret
from in4310.reporting.language import chosen, languages


def _found(value: str | os.PathLike[str]) -> str:
    """What is there, in words."""
    if os.path.isdir(value):  # noqa: PTH112
        return "a folder"
    if os.path.isfile(value):  # noqa: PTH113
        return "a file"
    return "a device or a pipe" if os.path.exists(value) else "nothing"  # noqa: PTH110


class Place(click.Path):
    """A path; with `holds`, what must be there in words. InputError, one line, for '' and where that is not."""

    def __init__(self, holds: str = "", folder: bool = False):
        super().__init__(path_type=Path)
        self.holds, self.folder = holds, folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as a Path."""
        if not str(value):
            name = (
                param.opts[-1]
                if isinstance(param, click.Option)
                else getattr(param, "human_readable_name", "")
            )
            raise InputError(f"{name} '': expected {self.holds or 'a path'}, found nothing")
        # Not by Path: it raises for a name that is too long.
        found = _found(value)
        if self.holds and found != "a folder" and (found != "a file" or self.folder):
            raise InputError(f"{value}: expected {self.holds}, found {found}")
        return super().convert(value, param, ctx)


class Setting(click.ParamType):
    """OPTIMIZER:RATE as a pair."""

    name = "setting"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """(optimizer, learning rate)."""
        optimizer, _, text = value.partition(":")
        with suppress(ValueError):
            if optimizer in OPTIMIZERS and 0 < (rate := float(text)) < math.inf:
                return optimizer, rate
        raise InputError(
            f"--setting {value}: expected {' or '.join(OPTIMIZERS)}, a colon and a rate, such as sgd:0.05"
        )


class Weights(click.Path):
    """none, imagenet, or a file that is there; a str."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it was given."""
        if value not in ("none", "imagenet") and (found := _found(value)) != "a file":
            raise InputError(
                f"--weights {value}: expected none, imagenet or a weights file (.pth, .pt, .safetensors), found {found}"
            )
        return str(value)


class Finite(click.FloatRange):
    """A number in a range; 'nan' and 'inf' are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        found: float = super().convert(value, param, ctx)
        return found if math.isfinite(found) else self.fail(f"{value!r} is not a number", param, ctx)


class Device(click.Choice[str]):
    """auto, cpu, cuda, or one of several GPUs by its number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The device's name for torch."""
        return value if re.fullmatch(r"cuda:\d+", value) else super().convert(value, param, ctx)


SUBMISSION = Place("a submission (folder, zip or tar.gz)")
NETWORKS = click.Choice([f"resnet{depth}" for depth in (18, 34, 50, 101, 152)])
OPTIMIZERS = ("sgd", "adamw")
EDITIONS = "2022, 2023, 2026, demo, or a .toml file."


def data(default: str) -> Any:
    """--data; `default`: what is taken without it, in words."""
    return click.option(
        "--data",
        type=Place("the data folder (--data PATH)", folder=True),
        metavar="PATH",
        help=f"Folder of class folders; default: {default}.",
    )


def _named(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise InputError(f"--edition '': expected {EDITIONS[:-1]}, found nothing")
    return value


def edition(default: str = "demo", stated: bool = False) -> Any:
    """--edition, a name or the path of a teacher's own; `stated`: that of submission.toml comes before the default."""
    return click.option(
        "--edition",
        default=None if stated else default,
        show_default=f"what submission.toml states, else {default}" if stated else True,
        metavar="NAME",
        help=EDITIONS,
        callback=_named,
    )


def folder(name: str, default: str | None, what: str) -> Any:
    """--out, --report: a folder that is written to."""
    return click.option(name, type=Place(), default=default, metavar="DIR", help=what)


def language(what: str = "What is said, and the report") -> Any:
    """--language; eager: a wrong one is told before all else."""
    return click.option(
        "--language",
        metavar=f"[{'|'.join(languages())}]",
        help=f"{what} in this language; default: IN4310_LANGUAGE, or en.",
        is_eager=True,
        callback=lambda ctx, param, value: chosen(value),
    )


quiet = click.option("--quiet", is_flag=True, help="No progress bars.")
full = click.option(
    "--full", is_flag=True, help="Recompute all scores, not only a random audit sample of them."
)
rehearsal = click.option(
    "--no-rehearsal",
    "rehearsal",
    flag_value=False,
    default=True,
    help="Do not run the programs handed in (in4310 rehearse).",
)
resume = click.option(
    "--resume", is_flag=True, help="Go on with a run that was stopped, from its last epoch."
)
network = click.option("--network", "architecture", type=NETWORKS, default="resnet18")
weights = click.option(
    "--weights",
    type=Weights(),
    default="none",
    metavar="[none|imagenet|FILE]",
    help="What it starts from: nothing (from scratch), ImageNet, or a weights file.",
)


def size(default: int) -> Any:
    """--size of the images that the network sees."""
    return click.option(
        "--size", type=click.IntRange(32, 512), default=default, help="Side of an image, pixels."
    )


def look_at_secret() -> None:
    """Say it, in one line, where the secret of audit samples was chosen and not drawn."""
    if secret := audit_secret():
        from in4310.judging.audit import is_random

        if not is_random(secret):
            click.echo(
                f"{SECRET_VARIABLE} could be guessed, and with it which scores are computed again: leave it out, or "
                "take 32 random hexadecimal digits, as of openssl rand -hex 16",
                err=True,
            )
