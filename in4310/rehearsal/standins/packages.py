"""Packages that only report, and are not installed here, swallow everything; others that are missing are named."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.imports import when_imported

SWALLOWED = ("wandb", "comet_ml", "mlflow", "neptune", "clearml", "tensorboard", "tensorboardX", "torchsummary",
             "torchinfo", "torchviz", "kaggle", "google", "IPython", "ipywidgets", "seaborn")  # fmt: skip


class Nothing:
    """Takes every call, attribute, item and block, and does nothing; it is empty and false. Classes may build on it."""

    def __init__(self, *_: Any, **__: Any): ...

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (Nothing,)

    def __call__(self, *_: Any, **__: Any) -> Nothing:  # noqa: D102
        return Nothing()

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __getitem__(self, key: Any) -> Nothing:
        return Nothing()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: Any) -> None: ...


class Swallows(types.ModuleType):
    """A module of such names."""

    __path__ = []  # noqa: RUF012
    version_info = (99,)  # matplotlib asks IPython for it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds them where nothing else does, when they are asked for: other libraries look whether one was imported."""

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A module of its own, for these names and what is below them."""
        if not any(name == known or name.startswith(known + ".") for known in SWALLOWED):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """One that swallows."""
        return Swallows(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def stand_in(see: Recorder) -> None:
    """The last to be asked; torch's own door to tensorboard opens where that is not installed, too."""
    if importlib.util.find_spec("tensorboard") is None:
        for name in (
            "torch.utils.tensorboard",
            "torch.utils.tensorboard.summary",
            "torch.utils.tensorboard.writer",
        ):
            sys.modules[name] = Swallows(name)
    sys.meta_path.append(Finder())
    when_imported("tqdm.notebook", _plain_bars)


def _plain_bars(module: types.ModuleType) -> None:
    """Bars of notebooks, which take widgets apart, as those of a terminal."""
    plain = importlib.import_module("tqdm.std")
    for name in ("tqdm", "tqdm_notebook"):
        setattr(module, name, plain.tqdm)
    for name in ("trange", "tnrange"):
        setattr(module, name, plain.trange)
