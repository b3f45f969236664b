"""Options of a judging run on pytest's command line: --in4310-data always, --data where nobody else has that name.

A short name is never registered: whoever registers it, before us or after, must find it free. Where it stays free, it
is written out before pytest reads it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

PREFIX = "--in4310-"
OPTIONS: dict[str, dict[str, Any]] = {
    "submission": {
        "metavar": "PATH",
        "help": "folder or archive to judge; runs the requirement checks on it",
    },
    "data": {"metavar": "PATH", "help": "data set: a folder of class folders (default: IN4310_DATA)"},
    "edition": {
        "metavar": "NAME",
        "help": "2022, 2023, 2026, demo, or a .toml file (default: what submission.toml states, else demo)",
    },
    "full": {"action": "store_true", "help": "recompute all scores, not only an audit sample of them"},
    "no-rehearsal": {
        "action": "store_false",
        "dest": "in4310_rehearsal",
        "default": True,
        "help": "do not run the programs handed in (in4310 rehearse)",
    },
    "trust-submissions": {
        "action": "store_true",
        "dest": "in4310_trusted",
        "help": "call the functions that a submission names also where nothing can be confined (in4310 doctor);"
        " the report says 'not isolated'",
    },
    "report": {"metavar": "DIR", "help": "write index.html, results.json and junit.xml into DIR"},
    "language": {
        "metavar": "NAME",
        "help": "language of the report, en or nb (default: IN4310_LANGUAGE, else en)",
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the long names."""
    about = "judge a submission (also --submission=PATH, --data=PATH, ... where the name is free)"
    group = parser.getgroup("in4310", f"in4310: {about}")
    for name, how in OPTIONS.items():
        group.addoption(PREFIX + name, **{"dest": f"in4310_{name}", **how})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """No value of ours is a path to tests; when conftests have registered what they want, the rest is written out."""
    config, clean = early_config, spelt_out(args, parser, without=True)
    if clean != args:
        if any(os.path.exists(word) for word in set(args) - set(clean)):  # noqa: PTH110, a name may be too long
            try:
                _find_root(config, parser, args)
                clean = spelt_out(args, parser, without=True)
            except (
                AttributeError,
                ImportError,
                TypeError,
                ValueError,
            ):  # another pytest than those that we know
                raise pytest.UsageError(
                    "write the options of in4310 with '=', such as --report=DIR"
                ) from None
        known = parser.parse_known_args(clean, namespace=copy.copy(config.option))
        known.confcutdir = known.confcutdir or str(
            config.inipath.parent if config.inipath else config.rootpath
        )
        config.known_args_namespace = known
    result = yield
    args[:] = spelt_out(args, parser)
    return result


def spelt_out(args: Sequence[str], parser: pytest.Parser, without: bool = False) -> list[str]:
    """The arguments with our options in full, each in one word with its value; or `without` them."""
    found, rest = [], [str(word) for word in args]
    while rest and rest[0] != "--":
        word = rest.pop(0)
        name, sign, value = word.partition("=")
        option = name.removeprefix(PREFIX if name.startswith(PREFIX) else "--")
        if (
            option not in OPTIONS
            or name not in (PREFIX + option, f"--{option}")
            or not _is_free(name, parser)
        ):
            found.append(word)
            continue
        if not (sign or "action" in OPTIONS[option] or not rest or rest[0].startswith("-")):
            sign, value = "=", rest.pop(0)
        if not without:
            found.append(PREFIX + option + sign + value)
    return found + rest


def _is_free(name: str, parser: pytest.Parser) -> bool:
    """Whether no plugin and no conftest but ours has registered an option."""
    try:
        return name.startswith(PREFIX) or name in parser.parse_known_and_unknown_args([name])[1]
    except pytest.UsageError:  # it wants a value
        return False


def _find_root(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Find rootdir and ini file anew, as pytest did before it knew our options; `args` get its addopts.

    pytest has no public way to do so: this follows `Config.parse` (9) and `Config._preparse` (8).
    """
    before, theirs = (config.rootpath, config.inipath), config.getini("addopts")
    if args[: len(theirs)] == theirs:
        del args[: len(theirs)]
    clean = spelt_out(args, parser, without=True)
    if hasattr(config, "_initini"):
        config._initini(clean)
    else:
        from _pytest.config.findpaths import determine_setup

        asked = parser.parse_known_args(clean, namespace=copy.copy(config.option))
        config._rootpath, config._inipath, config._inicfg, config._ignored_config_files = determine_setup(
            inifile=asked.inifilename,
            override_ini=asked.override_ini,
            args=asked.file_or_dir,
            rootdir_cmd_arg=asked.rootdir or None,
            invocation_dir=config.invocation_params.dir,
        )
        parser.extra_info.update(rootdir=str(config.rootpath), inifile=str(config.inipath))
    config._inicache.clear()
    args[:0] = config.getini("addopts")
    if (config.rootpath, config.inipath) != before:
        config.pluginmanager.consider_preparse(args, exclude_only=False)
        if hasattr(config, "_configure_python_path"):
            config._configure_python_path()
