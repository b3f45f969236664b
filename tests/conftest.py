"""Runs one executable requirement on evidence, without a pytest run around it; shared by the tests of judging and faults."""

import functools
import importlib.util
import inspect
import os
import shutil
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace

import computed
import pytest

from in4310.judging.edition import checks_folder
from in4310.judging.judge import Judge
from in4310.submission.sandbox import worker
from in4310.submission.sandbox.worker import Sandbox


def undrawn(exhibits):
    """The same functions: a call that does not fit them fails, nothing is drawn, and no evidence is kept."""

    def stand_in(function):
        signature = inspect.signature(function)
        return lambda *arguments, **options: signature.bind(*arguments, **options) and None

    return SimpleNamespace(
        **{
            name: stand_in(value) if inspect.isfunction(value) else value
            for name, value in vars(exhibits).items()
        }
    )


@pytest.fixture
def folder(reference, tmp_path):
    """A copy of the reference submission of hard links: unlink before writing."""
    return Path(shutil.copytree(reference, tmp_path / "submission", copy_function=os.link))


@pytest.fixture(scope="session")
def sandbox_of():
    """Limits -> a sandbox with them, one for all tests of a process; skips where nothing can be confined."""
    with ExitStack() as stack:

        @functools.cache
        def opened(limits):
            sandbox = stack.enter_context(Sandbox(limits) if limits else Sandbox())
            if not sandbox.tier.confined:
                pytest.skip(f"nothing can be confined here: {sandbox.tier.describe()}")
            return sandbox

        yield opened


@pytest.fixture(scope="session")
def sandbox(sandbox_of):
    """One sandbox for all live functions."""
    return sandbox_of(None)


@pytest.fixture(scope="session")
def child():
    """A sandbox with the usual limits."""
    with worker.Sandbox() as opened:
        yield opened


@pytest.fixture
def in_one_child(child, monkeypatch):
    """Commands and runs of pytest in this process read in a child that is there already: one starts in two seconds."""
    monkeypatch.setattr(worker, "Sandbox", lambda: nullcontext(child))


class Checks:
    """The check functions by name. Calling one returns the Judge that it recorded into."""

    def __init__(self, drawn=False):
        self.functions = {}
        for file in checks_folder().glob("test_*.py"):
            spec = importlib.util.spec_from_file_location(f"checks_{file.stem}", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            if hasattr(module, "exhibits") and not drawn:
                # Drawing takes longer than judging; what each check draws is seen in tests/judging/test_exhibits.py.
                module.exhibits = undrawn(module.exhibits)
            for name, value in vars(module).items():
                if name.startswith("test_") and inspect.isfunction(value):
                    self.functions[name.removeprefix("test_")] = value

    def namespace(self, name):
        return self.functions[name].__globals__

    def __call__(self, name, evidence):
        function = self.functions[name]
        judge = Judge()
        given = {"evidence": evidence, "edition": evidence.edition, "judge": judge}
        function(**{p: given[p] for p in inspect.signature(function).parameters})
        return judge


@pytest.fixture(scope="session")
def run_check():
    return Checks()


@pytest.fixture(scope="session")
def draw_check():
    """As `run_check`, and the pictures are drawn."""
    return Checks(drawn=True)


@pytest.fixture(scope="session")
def computed_once(tmp_path_factory):
    """What the network computes from the same weights files, images and preprocessing is computed once a session.

    So is what is cut from the same picture, and laid beside the same maps.
    """
    once = computed.Once(computed.folder_of(tmp_path_factory))
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, kept in computed.COMPUTED:
            patch.setattr(owner, name, kept(getattr(owner, name), once))
        yield
    once.close()
