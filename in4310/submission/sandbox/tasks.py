"""What a confined child does, by name. Each task takes JSON and arrays and returns JSON and arrays, nothing else."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from in4310.submission.sandbox import messages, probes
from in4310.submission.sandbox.messages import BadMessage, Message
from in4310.submission.sandbox.walls import Limits
from in4310.submission.weights import load_tensors

Arrays = Mapping[str, np.ndarray]
Answer = tuple[Any, dict[str, np.ndarray]]
NOTEBOOK_BYTES = 64 * 2**20


class Refused(Exception):
    """A task that cannot be done with what was handed in; the message says why and how to mend it."""


def serve(channel: int, folder: str, limits: Limits) -> None:
    """Answer requests on a descriptor until it is closed."""

    def read(count: int) -> bytearray:
        taken = bytearray()
        while len(taken) < count:
            part = os.read(channel, min(1 << 20, count - len(taken)))
            if not part:
                os._exit(0)
            taken += part
        return taken

    while True:
        request = messages.decode(read, limits.answer_bytes)
        document: dict[str, Any]
        arrays: dict[str, np.ndarray] = {}
        try:
            result, arrays = TASKS[request.document["task"]](
                folder, request.document["arguments"], request.arrays
            )
            document = {"result": result}
        except Refused as refusal:
            document = {"refused": str(refusal)[:1000]}
        except MemoryError:
            document = {"failed": "MemoryError"}
        except BaseException as error:
            document = {"failed": f"{type(error).__name__}: {str(error)[:1000]}"}
        try:
            parts = messages.encode(Message(request.nonce, document, arrays))
        except BadMessage as error:
            parts = messages.encode(Message(request.nonce, {"failed": f"its answer {error}"}, {}))
        for part in parts:
            view = memoryview(part)
            while len(view):
                view = view[os.write(channel, view[: 1 << 20]) :]


def ping(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Answer with what was sent: shows that the child lives."""
    return arguments, dict(arrays)


def load_weights(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Tensors of a weights file below the folder as arrays, half precision widened to float32."""
    path = Path(folder) / arguments["path"]
    try:
        tensors = load_tensors(path)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from None
    found: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if tensor.dtype in (torch.bfloat16, torch.float16):
            tensor = tensor.float()
        if tensor.is_complex():
            raise Refused(f"{name[:80]} holds complex numbers, which are no weights of a ResNet")
        found[name] = tensor.contiguous().numpy()
    return len(found), found


def call(folder: str, arguments: Any, arrays: Arrays) -> Answer:
    """Call 'package.module:function' or 'notebook.ipynb:function' of the submission with keyword arguments."""
    place, _, name = str(arguments["target"]).partition(":")
    namespace = _notebook(Path(folder) / place) if place.endswith(".ipynb") else _module(folder, place)
    function = namespace.get(name) if isinstance(namespace, dict) else getattr(namespace, name, None)
    if not callable(function):
        raise Refused(f"{place} has no function {name!r}; correct [adapters] in submission.toml")
    return _plain(function(**arguments.get("arguments", {}), **arrays))


def _module(folder: str, name: str) -> Any:
    # At the end: a file named torch.py or random.py beside the code must not hide the real one.
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Refused(f"{name}: {error}; name the file under [adapters] as 'folder.file:function'") from None


def _notebook(path: Path) -> dict[str, Any]:
    """Names defined by a notebook's imports, functions, classes and plain assignments; other lines are not run."""
    if path.stat().st_size > NOTEBOOK_BYTES:
        raise Refused(f"{path.name} is larger than {NOTEBOOK_BYTES} bytes; clear its outputs")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(c.get("source", "")) for c in cells if c.get("cell_type") == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{path.name} is not a notebook ({str(error)[:80]})") from None
    namespace: dict[str, Any] = {"__name__": "notebook"}
    for source in sources:
        lines = ("" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.splitlines())
        try:
            tree = ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if isinstance(
                node,
                ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign,
            ):
                module = ast.Module(body=[node], type_ignores=[])
                with contextlib.suppress(Exception):  # a cell that fails leaves the others
                    exec(compile(module, path.name, "exec"), namespace)
    return namespace


def _plain(value: Any) -> Answer:
    """A result as JSON and arrays: exact types only, so that nothing of the submission's own answers for it."""
    arrays: dict[str, np.ndarray] = {}

    def convert(item: Any, depth: int) -> Any:
        if depth > 8:
            raise Refused("its answer is nested more than eight deep")
        if item is None or type(item) in (bool, str, int):
            return item
        if type(item) is float:
            return item if np.isfinite(item) else {"number": str(item)}
        if isinstance(item, torch.Tensor):
            item = (
                item.detach().to("cpu").float() if item.dtype == torch.bfloat16 else item.detach().to("cpu")
            )
            item = item.numpy()
        if isinstance(item, np.generic):
            return convert(item.item(), depth + 1)
        if isinstance(item, np.ndarray):
            name = f"array{len(arrays)}"
            arrays[name] = item
            return {"array": name}
        if isinstance(item, Mapping):
            return {str(k): convert(v, depth + 1) for k, v in item.items()}
        if isinstance(item, list | tuple | set | frozenset):
            ordered = sorted(item, key=str) if isinstance(item, set | frozenset) else item
            return [convert(v, depth + 1) for v in ordered]
        if isinstance(item, os.PathLike):
            return os.fspath(item)
        raise Refused(
            f"its answer holds a {type(item).__name__}; return numbers, texts, lists, arrays or tensors"
        )

    return convert(value, 0), arrays


TASKS: dict[str, Callable[[str, Any, Arrays], Answer]] = {
    "ping": ping,
    "load_weights": load_weights,
    "call": call,
    "probe": probes.probe,
}
