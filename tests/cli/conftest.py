"""A small data set of drawn scenes, and the command line run in this process or in one of its own."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest
from click.testing import CliRunner

from in4310.cli import cli
from in4310.solution.scenes.scenes import make_scenes

SMALL = ("--size", "32", "--trial-epochs", "1", "--epochs", "3", "--edition", "demo", "--quiet")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """90 scenes in class folders; not to be changed."""
    return make_scenes(tmp_path_factory.mktemp("drawn") / "a folder with spaces", images=90, seed=1)


@pytest.fixture
def scenes(drawn, tmp_path):
    """A copy of the 90 scenes that may be changed."""
    return shutil.copytree(drawn, tmp_path / "data" / "scenes")


@pytest.fixture
def in4310():
    """Run a command in this process; returns the result with exit_code, stdout, stderr."""

    def run(*arguments):
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="in4310")

    return run


@pytest.fixture(scope="session")
def program_in():
    """Start `python -m in4310` as a process of its own, in this folder."""

    def start(folder, *arguments, launcher=("-m", "in4310"), **options):
        return subprocess.Popen(
            [sys.executable, *launcher, *map(str, arguments)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"OMP_NUM_THREADS": "1"},  # of more they would wait for each other, and for other tests
            # Tests run in the background of a shell are given an ignored SIGINT, and would hand it on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
            **options,
        )

    return start


@pytest.fixture
def program(program_in, tmp_path):
    """The same, in an empty folder."""
    return partial(program_in, tmp_path)
