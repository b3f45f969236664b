"""No one sits before a rehearsal: windows stay closed, questions get an empty answer, required arguments are found."""

from __future__ import annotations

import argparse
import builtins
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.programs import DATA

PLACES = ("data", "root", "img", "image", "dataset", "input")


def stand_in(see: Recorder) -> None:
    """`plt.show`, `input` and `parse_args`."""
    mpl.use("Agg")
    plt.show = lambda *_, **__: None
    builtins.input = lambda *_: ""
    parse = argparse.ArgumentParser.parse_known_args

    def parsed(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        for action in self._actions:
            if action.required and (args is None):
                value = _value(action)
                see.note("argument", argument=(action.option_strings or [action.dest])[0], value=str(value))
                action.required, action.default = False, value
                if not action.option_strings:
                    action.nargs = "?"
        return parse(self, args, namespace)

    argparse.ArgumentParser.parse_known_args = parsed  # type: ignore[method-assign]


def _value(action: argparse.Action) -> Any:
    if action.choices:
        return next(iter(action.choices))
    if action.type in (int, float):
        return action.type(1)
    return DATA if any(word in action.dest.lower() for word in PLACES) else "out"
