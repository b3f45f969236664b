"""Runs one executable requirement on evidence, without a pytest run around it."""

import importlib.util
import inspect

import pytest

from in4310.judging.edition import checks_folder
from in4310.judging.judge import Judge


class Checks:
    """The check functions by name. Calling one returns the Judge that it recorded into."""

    def __init__(self):
        self.functions = {}
        for file in checks_folder().glob("test_*.py"):
            spec = importlib.util.spec_from_file_location(f"checks_{file.stem}", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
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


@pytest.fixture
def run_check():
    return Checks()
