"""Every command, discovered, with bad input of every kind: one line on stderr, status 2, never a traceback.

A new command, argument or option is covered by itself: what it is given is made from its type.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from in4310 import options
from in4310.cli import cli
from in4310.solution.network import NAMES

COMMANDS_THAT_DO_NOT_WRITE = ("doctor", "network")
LONG = "x" * 5000


def commands(group=cli, path=()):
    """(words, command) of every command below a group."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
every_command = pytest.mark.parametrize("words", COMMANDS, ids="-".join)


def wrong_values(parameter):
    """What a user may give by mistake, by the type of the parameter."""
    kind, name = parameter.type, parameter.name
    if isinstance(kind, options.Place):
        yield ""
        if kind.holds or name == "data":
            yield from ("nowhere", LONG, "a-file/below", "a-pipe")
        if name == "data":
            yield from ("a-file", "empty")
        if isinstance(parameter, click.Option) and name in ("out", "report"):
            yield from ("a-file", "a-file/below", LONG)
    elif isinstance(kind, options.Weights):
        yield from ("", "nowhere", "empty", "a-file", "a-pipe", "a\nb", LONG)
    elif isinstance(kind, click.IntRange | click.FloatRange):
        yield from ("", "three", "-7", "nan", "1e999", "9" * 400)
    elif isinstance(kind, click.Choice | click.DateTime):
        yield from ("", "nothing", LONG)
    elif name == "edition":
        yield from (
            "",
            "1999",
            "nowhere.toml",
            "empty.toml",
            "broken.toml",
            "wrong.toml",
            LONG,
            f"{LONG}.toml",
            "\udcff",
        )
    elif name == "language":
        yield from ("xx", LONG)
    elif name == "settings":
        yield from ("", "sgd", "sgd:fast", "lion:0.1", "sgd:-1", "sgd:nan", "sgd:inf")


def right_values(command):
    """What the other arguments are, so that only one thing is wrong."""
    return [
        "empty" if isinstance(p.type, options.Place) else "kari" if p.name == "who" else "1a"
        for p in command.params
        if isinstance(p, click.Argument)
    ]


def cases():
    for words, command in COMMANDS.items():
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        for parameter in command.params:
            for value in wrong_values(parameter):
                given = right_values(command)
                if isinstance(parameter, click.Option):
                    given += [parameter.opts[-1], value]
                else:
                    given[arguments.index(parameter)] = value
                names = (
                    parameter.opts[-1].lstrip("-"),
                    parameter.human_readable_name,
                    *([value[:100]] if value else []),
                )
                yield pytest.param(
                    words, given, names, id=f"{'-'.join(words)} {parameter.name} {value[:12]!r}"
                )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: a file, an empty folder, editions that are none."""
    (tmp_path / "a-file").write_text("one\ntwo\n")
    os.mkfifo(tmp_path / "a-pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "broken.toml").write_text("[[[")
    (tmp_path / "wrong.toml").write_text('extends = "2023"\nname = "mine"\ntitle = "Mine"\n[splitt]\n')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "sea").mkdir(parents=True)
    monkeypatch.setenv("IN4310_DATA", str(tmp_path / "photos"))  # so that only one thing is wrong
    monkeypatch.delenv("IN4310_LANGUAGE", raising=False)
    return tmp_path


def refused(result):
    """The one line of a command that was refused."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("in4310: ")
    assert len(lines[0]) < 2100
    assert "Traceback" not in result.output
    return lines[0]


def snapshot(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize(("words", "given", "names"), list(cases()))
def test_a_wrong_value_is_one_line_and_nothing_is_written(in4310, here, words, given, names):
    before = snapshot(here)
    line = refused(in4310(*words, *given))
    assert any(name in line for name in names), "for that reason, and no other"
    assert snapshot(here) == before


@every_command
def test_missing_and_extra_arguments_and_unknown_options(in4310, here, words):
    required = [p for p in COMMANDS[words].params if isinstance(p, click.Argument) and p.required]
    if required:
        assert "Missing argument" in refused(in4310(*words))
    assert "No such option" in refused(in4310(*words, "--nothing"))
    refused(in4310(*words, *right_values(COMMANDS[words]), "one", "more", "and", "more"))
    for option in (p for p in COMMANDS[words].params if isinstance(p, click.Option) and not p.is_flag):
        assert "requires an argument" in refused(in4310(*words, option.opts[-1]))


@pytest.mark.parametrize(
    "words", [["nothing"], ["chek"], ["autograder"], ["autograder", "nothing"], ["--nothing"], [""]]
)
def test_a_command_that_is_none(in4310, here, words):
    refused(in4310(*words))


@every_command
def test_help_teaches(in4310, words):
    """What it does, what each option is, and what the exit status says."""
    found = in4310(*words, "--help")
    assert found.exit_code == 0
    assert "Exit status: 0" in " ".join(found.stdout.split()) or COMMANDS[words].hidden
    assert COMMANDS[words].short_help or COMMANDS[words].hidden


def test_no_short_help_is_cut(in4310):
    for group in ((), ("autograder",)):
        assert "..." not in in4310(*group, "--help").stdout.partition("Commands:")[2]


def test_the_networks_that_are_offered_are_those_that_there_are():
    assert tuple(options.NETWORKS.choices) == NAMES


# -- what cannot be said, in processes of their own ------------------------------------------------------------


def shell(line, folder, **environment):
    """Run a line of bash, `in4310` standing for this checkout's; returns (status, stdout, stderr)."""
    line = f'in4310() {{ {sys.executable} -m in4310 "$@"; }}\n{line}'
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=os.environ | environment, capture_output=True, check=False)  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout, done.stderr.decode()


NETWORK = "network --size 32"


@pytest.mark.parametrize(
    "line",
    [
        f"in4310 {NETWORK} > /dev/full",
        f"in4310 {NETWORK} >&-",
        f"in4310 {NETWORK} >&- 2>&-",
        "in4310 --help > /dev/full",
        "in4310 check --help > /dev/full",
        pytest.param(f"in4310 {NETWORK} | true; exit ${{PIPESTATUS[0]}}", marks=pytest.mark.slow),
        "in4310 check nothing 2> /dev/full",
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_what_could_not_be_said_is_status_2(here, line):
    status, _, errors = shell(line, here)
    assert status == 2
    assert len(errors.splitlines()) <= 1


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_letters_that_the_encoding_has(here, environment):
    """A whole verdict: ticks, lines, a name in Norwegian and one that no encoding has."""
    program = (
        "import sys\n"
        "from in4310.judging.verdict import Check, Outcome, Requirement, Results\n"
        "from in4310.reporting.terminal import Verdict\n"
        "from in4310 import door\n"
        "door._streams()\n"
        "check = Check(name='a', title='t', outcome='failed', points=0, max_points=2, reason='blåbær \\u4e2d \\\\udcff')\n"
        "results = Results(name='øl', submission='s', submission_digest='d', edition='demo', edition_title='Prøve',\n"
        "    isolation='none', made_at='now', requirements=[Requirement(id='1a', title='Ålesund ✓', text='t', checks=[check])])\n"
        "door.console().print(Verdict(results, 'nb'))\n"
    )
    (here / "said.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "said.py"], env=os.environ | environment, capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8").partition(":")[0])
    assert "bl" in text
    if environment.get("PYTHONIOENCODING") == "cp1252":
        assert "Ålesund +" in text
        assert "x 1a" in text
        assert "blåbær" in text
    if "ascii" in environment.get("PYTHONIOENCODING", ""):
        assert "Alesund +" in text
        assert "blabaer" in text


def test_a_wrong_path_is_told_before_torch_is_imported(here):
    """By what was imported, not by the clock."""
    for words, command in COMMANDS.items():
        given = right_values(command)
        for i, parameter in enumerate(p for p in command.params if isinstance(p, click.Argument)):
            if not isinstance(parameter.type, options.Place) or not parameter.type.holds:
                continue
            line = [*words, *given[:i], "nowhere", *given[i + 1 :]]
            program = (
                "import sys, json\nfrom in4310.cli import cli\n"
                f"try: cli.main({line!r}, prog_name='in4310')\n"
                "finally: print(json.dumps(sorted({'torch', 'numpy', 'sklearn', 'pytest', 'pydantic'} & set(sys.modules))))"
            )
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=here)  # fmt: skip
            assert done.returncode == 2, done.stderr
            assert json.loads(done.stdout.splitlines()[-1]) == []
