"""Rehearsals of the programs beside this file, each rehearsed once for all tests of it."""

import functools
from pathlib import Path

import pytest

from in4310.judging.data import DataSet, embedded_data
from in4310.judging.edition import load_edition
from in4310.rehearsal.rehearse import rehearse

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def world():
    edition = load_edition("demo")
    return DataSet(embedded_data(edition.data.images), edition.data.classes, {})


@pytest.fixture(scope="session")
def rehearsed(sandbox, world):
    """Name of a program, or a folder -> its rehearsal."""
    if not sandbox.tier.namespaces:
        pytest.skip("namespaces cannot be had here")

    # Time is for what hangs only: a program that is rehearsed on a busy machine must not be hurried by it.
    @functools.cache
    def performed(name, seconds=400):
        return rehearse(PROGRAMS / name, world.root, world.labels, world.classes, sandbox, seconds)

    return performed


@pytest.fixture
def written(tmp_path, rehearsed):
    """Source of one program -> its rehearsal."""

    def performed(source, name="main.py", seconds=60):
        folder = tmp_path / "hand-in"
        folder.mkdir(exist_ok=True, mode=0o755)
        (folder / name).write_text(source)
        return rehearsed(folder, seconds)

    return performed
