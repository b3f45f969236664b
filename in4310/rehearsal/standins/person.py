"""No one sits before a rehearsal: windows stay closed, questions get an empty answer, arguments are found.

A program of several commands ('train', 'evaluate') is run once for each, in the order in which it names them.
"""

from __future__ import annotations

import argparse
import builtins
import os
import sys
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.programs import DATA, DATA_NAME

PLACES = ("data", "root", "img", "image", "dataset", "input")
COMMANDS = ("mode", "task", "phase", "action", "command", "cmd", "stage", "step", "run")
TURNS = 4  # commands of a program that are run


def stand_in(see: Recorder) -> None:
    """`plt.show`, `input` and `parse_args`."""
    mpl.use("Agg")
    plt.show = lambda *_, **__: None
    builtins.input = lambda *_: ""
    _from_environment(see)
    parse = argparse.ArgumentParser.parse_known_args
    alone = [True]  # whether what is parsed is what the program was started with

    def parsed(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        top = args is None
        if not top and alone[0]:
            return parse(self, args, namespace)
        given = list(sys.argv[1:] if top else args)
        for action in self._actions:
            given += _filled(see, action, given)
        alone[0] = False
        try:
            return parse(self, given, namespace)
        finally:
            alone[0] = alone[0] or top

    argparse.ArgumentParser.parse_known_args = parsed  # type: ignore[method-assign]


class Words(list[str]):
    """The command line; a word that is taken and not there is the data set's place, then 'out'. Its length stays."""

    def __init__(self, see: Recorder, words: list[str]):
        self._see = see
        super().__init__(words)

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int and len(self) <= index < TURNS and self._see.own():
            self._see.note("argument", argument=f"sys.argv[{index}]", value=DATA, required=True)
            return DATA if index == 1 else "out"
        return super().__getitem__(index)


def _from_environment(see: Recorder) -> None:
    """What a program takes from the environment and is not there: the data set's place, where it is called so."""
    kind = type(os.environ)
    given = kind.__getitem__

    def found(self: Any, key: Any) -> Any:
        if (
            key not in self._data
            and os.fsencode(key) not in self._data
            and DATA_NAME.search(str(key))
            and see.own()
        ):
            see.note("argument", argument=str(key), value=DATA, required=True)
            return DATA
        return given(self, key)

    kind.__getitem__ = found  # type: ignore[method-assign]


def _filled(see: Recorder, action: argparse.Action, given: list[str]) -> list[str]:
    """What to add to the arguments for this one, where it is required or says what the program is to do."""
    names, choices = action.option_strings, [str(c) for c in action.choices or ()]
    if set(given) & {*names, *choices}:
        return []
    command = isinstance(action, argparse._SubParsersAction) or action.dest.lower() in COMMANDS
    if command and choices:
        see.turns = max(see.turns, min(len(choices), TURNS))
        first = [str(action.default)] if str(action.default) in choices else []
        value = [*first, *(c for c in choices if c not in first)][see.turn % len(choices)]
        if see.turn or action.required or not names:
            see.note("argument", argument=(names or [action.dest])[0], value=value, required=action.required)
            return [*names[:1], value]
    elif action.required:
        value = str(_value(action))
        see.note("argument", argument=(names or [action.dest])[0], value=value, required=True)
        if names and action.nargs != 0:
            return [names[0], value]
        if not names and action.nargs != "*":
            return [value]
    return []


def _value(action: argparse.Action) -> Any:
    if action.choices:
        return next(iter(action.choices))
    if action.type in (int, float):
        return action.type(1)
    return DATA if any(word in action.dest.lower() for word in PLACES) else "out"
