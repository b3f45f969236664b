"""CUDA and MPS are the CPU, in one thread."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from in4310.rehearsal.events import Recorder

NOTHING = ("synchronize", "empty_cache", "set_device", "reset_peak_memory_stats", "manual_seed", "manual_seed_all",
           "init", "ipc_collect", "reset_max_memory_allocated", "set_per_process_memory_fraction")  # fmt: skip
NUMBERS = (
    "memory_allocated",
    "max_memory_allocated",
    "memory_reserved",
    "max_memory_reserved",
    "current_device",
)


class Moment:
    """An event or a stream of CUDA, at which nothing is waited for."""

    def __init__(self, *_: Any, **__: Any): ...

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def elapsed_time(self, other: Any) -> float:
        """Milliseconds to another."""
        return 1.0


MEMORY = 8 * 2**30  # of the GPU that is not there
PROPERTIES = types.SimpleNamespace(name="CPU", total_memory=MEMORY, major=8, minor=0, multi_processor_count=1)
GIVEN: dict[str, Any] = {
    "get_device_name": lambda *_, **__: "CPU",
    "get_device_properties": lambda *_, **__: PROPERTIES,
    "mem_get_info": lambda *_, **__: (MEMORY, MEMORY),
    "memory_summary": lambda *_, **__: "",
    "current_stream": lambda *_, **__: Moment(),
    "stream": contextlib.nullcontext,
    "Event": Moment,
    "Stream": Moment,
}


class OnCPU(TorchFunctionMode):
    """Every function of torch passes here: devices become the CPU, and what observers asked for is noted."""

    def __init__(self, see: Recorder):
        self._see = see
        super().__init__()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """The call itself, with the CPU where another device stands."""
        keywords = {k: on_cpu(v) for k, v in (kwargs or {}).items()}
        name = getattr(func, "__name__", "")
        if name == "cuda":
            return args[0]
        if name in ("pin_memory", "record_stream"):
            return args[0]
        describe = self._see.torch.get(name)
        arguments = [on_cpu(a) for a in args]
        if describe is None:
            return func(*arguments, **keywords)
        with self._see.quiet() as outermost:
            result = func(*arguments, **keywords)
        if outermost:
            self._see.told(self._see.aliases.get(name, name), describe, result, arguments, keywords)
        return result


def on_cpu(value: Any) -> Any:
    """A device that is not there as the CPU; anything else as it is."""
    if isinstance(value, torch.device) and value.type in ("cuda", "mps"):
        return torch.device("cpu")
    if isinstance(value, str) and (value in ("cuda", "mps") or value.startswith("cuda:")):
        return "cpu"
    return value


def stand_in(see: Recorder) -> None:
    """Install it for the whole process."""
    torch.set_num_threads(1)
    OnCPU(see).__enter__()
    for name in NOTHING:
        setattr(torch.cuda, name, lambda *_, **__: None)
    for name in NUMBERS:
        setattr(torch.cuda, name, lambda *_, **__: 0)
    for name, given in GIVEN.items():
        setattr(torch.cuda, name, given)
    if see.sites.gpu:  # who would not go on without one is told that it is there
        torch.cuda.is_available, torch.cuda.device_count = see.own, lambda: int(see.own())
    compiled: Any = lambda model=None, **_: model if model is not None else lambda function: function  # noqa: E731
    torch.compile = compiled
    load = torch.load

    def loaded(f: Any, *arguments: Any, **keywords: Any) -> Any:
        return load(f, **{**keywords, "map_location": "cpu", "weights_only": False})

    torch.load = loaded  # in this process nothing is to be protected from a pickle
