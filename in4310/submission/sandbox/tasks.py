"""What a confined child does, by name. Each task takes JSON and arrays and returns JSON and arrays, nothing else."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from in4310.submission.archives import wanted
from in4310.submission.containers import batches
from in4310.submission.plain import pack
from in4310.submission.reader import Reader, numbers_of
from in4310.submission.sandbox import harness, messages, notebooks, probes
from in4310.submission.sandbox.messages import BadMessage, Message
from in4310.submission.sandbox.notebooks import Refused
from in4310.submission.sandbox.walls import Limits

Arrays = Mapping[str, np.ndarray]
Answer = tuple[Any, dict[str, np.ndarray]]
DEPTH = 8
VALUES = 1_000_000
# Modules of the standard library that torch happens to load and whose names students give to files of their own.
REUSED = ("code", "cmd", "profile", "trace", "statistics", "calendar", "graphlib", "test", "parser")


def serve(channel: int, folder: str, limits: Limits) -> None:
    """Answer requests on a descriptor until it is closed."""
    global _channel, _noted
    _channel = channel

    def read(count: int) -> bytearray:
        taken = bytearray()
        while len(taken) < count:
            part = os.read(channel, min(1 << 20, count - len(taken)))
            if not part:
                os._exit(0)
            taken += part
        return taken

    while True:
        _noted = ""
        request = messages.decode(read, limits.answer_bytes, strict=False)  # the judge's: names of files
        document: dict[str, Any]
        arrays: dict[str, np.ndarray] = {}
        try:
            result, arrays = TASKS[request.document["task"]](
                folder, request.document["arguments"], request.arrays
            )
            document = {"result": result}
        except Refused as refusal:
            document = {"refused": str(refusal)[:1000]}
        except BaseException as error:
            document = {"failed": _described(error)}
        try:
            parts = messages.encode(Message(request.nonce, document, arrays))
        except BadMessage as error:
            parts = messages.encode(Message(request.nonce, {"failed": f"its answer {error}"}, {}))
        for part in parts:
            _send(part)


def _described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {str(error)[:1000]}".encode(errors="replace").decode()
    except BaseException:  # an exception of the submission's own, whose text fails too
        return "an exception that cannot be shown"


def ping(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Answer with what was sent: shows that the child lives."""
    return arguments, dict(arrays)


def read(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """A task of `reader`: what stands in the submission's files; nothing of it is run."""
    reader = _READERS.get(folder) or _READERS.setdefault(folder, Reader(Path(folder), _begun))
    try:
        document, found = reader.answer(arguments, arrays)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENFILE):
            return {"lacking": error.errno}, {}
        raise Refused(error.strerror or str(error)) from None
    except ValueError as error:
        raise Refused(str(error)) from None
    return {"read": document}, found


def unpack(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """The next batch of what is in an archive."""
    path = Path(folder) / arguments["file"]
    found = _ARCHIVES.get(path) or _ARCHIVES.setdefault(path, batches(path, arguments["limit"], wanted))
    told, content = next(found)
    return pack(told, {}), {"bytes": np.frombuffer(content, np.uint8)}


_ARCHIVES: dict[Path, Iterator[tuple[list[list[Any]], bytes]]] = {}
_READERS: dict[str, Reader] = {}
_channel = -1
_noted = ""


def _begun(file: str) -> None:
    """Say what is read, in case that it ends this process."""
    global _noted
    if file != _noted:
        _noted = file
        _send(messages.note(file))


def _send(part: bytes | memoryview) -> None:
    view = memoryview(part)
    while len(view):
        view = view[os.write(_channel, view[: 1 << 20]) :]


def call(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Call 'package.module:function' or 'notebook.ipynb:function' of the submission with keyword arguments."""
    return _plain(_function(folder, arguments)(**arguments.get("arguments", {}), **arrays))


def transform(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Give each image, uint8 (H, W, 3), as a PIL image to the submission's transform; its answers, in order."""
    function = _function(folder, arguments)
    return _plain([function(Image.fromarray(arrays[name])) for name in arguments["images"]])


def train(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """One epoch of the submission's training on a small network that was left in eval mode; its weights afterwards."""
    model, offered = _offered(arguments, arrays)
    offered["optimizer"] = torch.optim.SGD(model.parameters(), lr=arguments["learning_rate"])
    offered["criterion"] = torch.nn.CrossEntropyLoss()
    function = _function(folder, arguments)
    function(**harness.arguments_for(function, offered))
    return None, harness.weights_of(model)


def inspect_network(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Ask the submission's statistics of a small network over batches of images: its answer."""
    _, offered = _offered(arguments, arrays)
    offered["modules"] = list(arguments["modules"])
    function = _function(folder, arguments)
    return _plain(function(**harness.arguments_for(function, offered)))


def load_twice(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """The order in which the submission's training loader yields a data set of numbered images, in two epochs."""
    numbers = torch.arange(arguments["images"])
    dataset = torch.utils.data.TensorDataset(
        numbers.float().reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4), numbers
    )
    loader = _function(folder, arguments)(dataset, arguments["batch_size"])
    epochs = [[int(i) for batch in loader for i in batch[1].tolist()] for _ in range(2)]
    return epochs, {}


def _offered(arguments: Any, arrays: Arrays) -> tuple[torch.nn.Module, dict[str, Any]]:
    state = {n.removeprefix("weights/"): a for n, a in arrays.items() if n.startswith("weights/")}
    images, labels = (torch.from_numpy(np.array(arrays[name])) for name in ("images", "labels"))
    model = harness.small_network(state)
    loader = harness.Loader(images, labels, arguments["batch_size"])
    return model, {"model": model, "loader": loader, "device": torch.device("cpu")}


def _function(folder: str, arguments: Any) -> Callable[..., Any]:
    place, _, name = str(arguments["target"]).partition(":")
    # First, as Python does it for a script. What the sandbox itself uses was imported before there was a submission.
    if folder not in sys.path:
        sys.path.insert(0, folder)
        for known in REUSED:
            if os.path.exists(os.path.join(folder, f"{known}.py")):
                sys.modules.pop(known, None)
    namespace = (
        notebooks.namespace(Path(folder) / place)
        if place.endswith(".ipynb")
        else vars(_module(folder, place))
    )
    function = namespace.get(name)
    if not callable(function):
        raise Refused(f"{place} has no function {name!r}; correct [adapters] in submission.toml")
    found: Callable[..., Any] = function
    return found


def _module(folder: str, name: str) -> Any:
    file = Path(folder, *name.split(".")).with_suffix(".py")
    try:
        known = sys.modules.get(name)
        if known is not None and file.is_file() and getattr(known, "__file__", None) != str(file):
            # A file named like a library that is loaded already: theirs is meant here, and stays the library elsewhere.
            spec = importlib.util.spec_from_file_location(f"submission.{name}", file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Refused(f"{name}: {error}; name the file under [adapters] as 'folder.file:function'") from None


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    try:
        return numbers_of(tensor, "its answer")
    except ValueError as error:
        raise Refused(str(error)) from None


def _plain(value: Any) -> Answer:
    """A result as JSON and arrays: exact types only, so that nothing of the submission's own answers for it."""
    # What JSON has goes as it is. A tensor becomes an array, an array goes beside the document and leaves its name
    # there, a number of numpy becomes Python's; what holds others is converted one by one, to a depth and a number.
    arrays: dict[str, np.ndarray] = {}
    seen = 0

    def convert(item: Any, depth: int) -> Any:
        nonlocal seen
        seen += 1
        if depth > DEPTH or seen > VALUES:
            raise Refused(f"its answer is nested more than {DEPTH} deep, or holds more than {VALUES} values")
        if item is None or type(item) in (bool, int):
            return item
        if type(item) is str:
            return item.encode(
                errors="backslashreplace"
            ).decode()  # a file's name may hold what is not Unicode
        if type(item) is float:
            return item if np.isfinite(item) else {"number": str(item)}
        if isinstance(item, torch.Tensor):
            item = _numbers(item)
        if isinstance(item, np.generic):
            return convert(item.item(), depth + 1)
        if isinstance(item, np.ndarray):
            name = f"array{len(arrays)}"
            arrays[name] = item
            return {"array": name}
        if isinstance(item, Mapping):
            return {str(convert(str(k), depth)): convert(v, depth + 1) for k, v in item.items()}
        if isinstance(item, list | tuple | set | frozenset):
            ordered = sorted(item, key=str) if isinstance(item, set | frozenset) else item
            return [convert(v, depth + 1) for v in ordered]
        if isinstance(item, os.PathLike):
            return convert(os.fspath(item), depth + 1)
        raise Refused(
            f"its answer holds a {type(item).__name__}; return numbers, texts, lists, arrays or tensors"
        )

    return convert(value, 0), arrays


TASKS: dict[str, Callable[[str, Any, Arrays], Answer]] = {
    "ping": ping,
    "read": read,
    "unpack": unpack,
    "call": call,
    "transform": transform,
    "train": train,
    "inspect": inspect_network,
    "load_twice": load_twice,
    "run_notebook": notebooks.run,
    "probe": probes.probe,
}
