"""Paths of Windows that are put together with backslashes mean the same with slashes."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from typing import Any

import torch

from in4310.rehearsal.events import Recorder

PLACES = ("listdir", "scandir", "mkdir", "makedirs", "stat")


def stand_in(see: Recorder) -> None:
    """For programs that name a place of Windows: where they open, list, make and ask for files."""
    if not see.sites.windows:
        return

    def meant(path: Any) -> Any:
        strange = type(path) is str and "\\" in path and not os.path.lexists(path)
        return path.replace("\\", "/") if strange else path

    def translated(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda path=".", *given, **named: function(meant(path), *given, **named)

    for name in PLACES:
        setattr(os, name, translated(getattr(os, name)))
    builtins.open = translated(builtins.open)
    save = torch.save
    torch.save = lambda value, f, *given, **named: save(value, meant(f), *given, **named)
