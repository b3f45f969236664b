"""Weights files as plain tensors: bounds looked at before loading, nothing unpickled but tensors, no code run.

`load_tensors` is what the confined worker runs; the judge calls it itself only where no worker can be had.
"""

from __future__ import annotations

import json
import pickle
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, UntypedStorage

from in4310.submission.inert import SCALARS, Inert, array_of, unopened
from in4310.submission.placed import mappings, status_of
from in4310.submission.saved_values import of_saved

FILE_BYTES = 2 * 2**30  # a ResNet-152 with Adam's two moments is 0.7 GiB
TENSORS = 20_000
ENTRIES = 100_000  # of dicts and lists, each as often as it is found: they may share what they hold
DEPTH = 4
PARTS = 64
PART = re.compile(r"(?P<name>.+-)(?P<number>\d+)-of-(?P<count>\d+)(?P<suffix>\.\w+)")
NO_WEIGHTS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the weights; fetch them (git lfs pull), and pack again",
    b"<": "is a web page, not weights: the download went wrong; download the file itself once more",
}
_NAMED = re.compile(r"GLOBAL ([\w.]+)")
SAVE = "save model.state_dict(), not the model: torch.save(model.state_dict(), 'model.pth')"


class Tensors(dict[str, Tensor]):
    """Tensors by dotted name; beside them lists of texts or whole numbers, as a split is saved by torch.save.

    `unopened`: classes of the objects that were met, of which nothing was taken. `mapping`: the file, where what lies
    in it are the file's own bytes; `status`: of the file as it was then; `content`: all that it holds, as it was saved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[str, list[str | int]] = {}
        self.unopened: dict[str, None] = {}
        self.content: Any = None
        self.mapping: UntypedStorage | None = None
        self.status: list[int] = []


def parts_of(path: Path) -> list[Path]:
    """The files of a state dict saved in parts ('model-00001-of-00002.safetensors'), in order; else the one."""
    found = PART.fullmatch(path.name)
    if not found or not 1 < int(found["count"]) <= PARTS:
        return [path]
    return [
        path.with_name(f"{found['name']}{i:0{len(found['number'])}d}-of-{found['count']}{found['suffix']}")
        for i in range(1, int(found["count"]) + 1)
    ]


def load_tensors(path: Path) -> Tensors:
    """Tensors of a .pth, .pt, .ckpt, .bin or .safetensors file by dotted name ('model_state_dict.conv1.weight').

    Of one that was saved in parts, those of all its parts that are there.

    Floats keep their type; the tensors lie on the CPU. Raises ValueError, one line with the way to mend it, for pickled
    objects, TorchScript, compressed or oversized archives, and tensors that claim more than the file stores.
    """
    found = Tensors()
    found.status = status_of(path.stat())
    for part in parts_of(path):
        if part == path or (part.is_file() and not part.is_symlink()):
            mapped = _load(part, found)
            if part == path:
                found.mapping = mapped
    return found


def _load(path: Path, found: Tensors) -> UntypedStorage | None:
    """Add the tensors of a file; the file as it was mapped, where its numbers are stored in our order of bytes."""
    size = path.stat().st_size
    if size > FILE_BYTES:
        raise ValueError(f"is {size} bytes large, expected at most {FILE_BYTES}; {SAVE}")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise ValueError("is empty; copy it once more")
    for sign, why in NO_WEIGHTS.items():
        if start.lstrip().startswith(sign):
            raise ValueError(why)
    ours = sys.byteorder == "little" and (start[:2] != b"PK" or _check_archive(path))
    content: Any
    try:
        if start[8:9] == b"{" or path.suffix.lower() == ".safetensors":
            _check_safetensors(path, size)
            with mappings() as mapped:
                content = load_file(path)
        else:
            with warnings.catch_warnings():  # torch remarks on pickles that it then refuses
                warnings.simplefilter("ignore")
                zipped = start[:2] == b"PK"
                with unopened(path) if zipped else nullcontext(), mappings() as mapped:
                    # Mapped, and so read where numbers are looked at: most of what a hand-in cost was this copy.
                    content = torch.load(path, weights_only=True, map_location="cpu", mmap=zipped)
    except pickle.UnpicklingError as error:
        met = _NAMED.search(str(error))
        what = f"{met[1][:80]}, a pickled object," if met else "pickled objects"
        raise ValueError(f"holds {what} or is damaged; it is never unpickled: {SAVE}") from None
    except MemoryError:
        raise ValueError(f"claims more memory than there is; {SAVE}") from None
    except Exception as error:  # torch.load raises nearly every kind of exception on a damaged file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"is not a readable weights file ({reason})") from None
    _flatten(content, "", found, 0, iter(range(ENTRIES)))
    found.content = content
    if not found and not found.lists and not _figures(content, found):
        classes = " and ".join(list(found.unopened)[:3])
        what = f"an object of {classes}" if classes else type(content).__name__
        raise ValueError(f"holds no tensors but {what}; {SAVE}")
    return mapped[0] if ours and [one.nbytes() for one in mapped] == [size] else None


def _check_archive(path: Path) -> bool:
    """Whether its numbers are stored from the lowest byte to the highest; torch turns others round as it loads them.

    torch.save stores its entries uncompressed: a compressed one is a bomb (487 kB became 632 MB).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            orders = [m for m in members if m.filename.endswith("byteorder")]
            little = all(m.file_size == 6 and archive.read(m) == b"little" for m in orders)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ValueError("is an archive that is cut short or damaged; copy it once more") from None
    program = ("constants.pkl", "code/__torch__.py")
    if any(m.filename.endswith(program) or "/code/" in m.filename for m in members):
        raise ValueError(f"is TorchScript, which is a program; {SAVE}")
    if any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise ValueError(f"has compressed entries, which torch.save never writes; {SAVE}")
    if len(members) > TENSORS or sum(m.file_size for m in members) > FILE_BYTES:
        raise ValueError(f"claims {sum(m.file_size for m in members)} bytes, expected at most {FILE_BYTES}")
    return little


def _check_safetensors(path: Path, size: int) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size, 100 * 2**20):
            raise ValueError(f"claims a header of {length} bytes, the file has {size}")
        header = json.loads(file.read(length))
    if not isinstance(header, dict) or len(header) > TENSORS:
        raise ValueError("has a header that lists no tensors")


def _flatten(content: Any, prefix: str, found: Tensors, depth: int, left: Iterator[int]) -> None:
    if next(left, None) is None:
        raise ValueError(f"holds more than {ENTRIES} entries; {SAVE}")
    if isinstance(content, Inert) and (numbers := array_of(content)) is not None:
        content = torch.from_numpy(numbers)
    if isinstance(content, Tensor):
        name = prefix.removesuffix(".")
        if len(found) >= TENSORS:
            raise ValueError(f"holds more than {TENSORS} tensors")
        if content.layout != torch.strided or content.is_quantized or content.device.type == "meta":
            raise ValueError(f"{name[:80]} is a sparse, quantised or empty tensor; {SAVE}")
        if content.numel() * content.element_size() > content.untyped_storage().nbytes():
            stored = content.untyped_storage().nbytes()
            raise ValueError(f"{name[:80]} claims {content.numel()} numbers where {stored} bytes are stored")
        found[name] = content.detach()
    elif isinstance(content, Inert):
        found.unopened[content.name[:80]] = None
    elif isinstance(content, Mapping) and depth < DEPTH:
        for name, value in content.items():
            _flatten(value, f"{prefix}{str(name)[:200]}.", found, depth + 1, left)
    elif isinstance(content, list | tuple) and content and _alike(content):
        found.lists[prefix.removesuffix(".")] = list(content)
    elif isinstance(content, list | tuple) and depth < DEPTH and len(content) <= 64:
        for i, value in enumerate(content):
            _flatten(value, f"{prefix}{i}.", found, depth + 1, left)


def _figures(content: Any, found: Tensors) -> bool:
    """Whether an object or a list has plain values in it, and no object of a class that stays closed."""
    plain = isinstance(content, Mapping | list | tuple) and found.unopened.keys() <= SCALARS
    return plain and of_saved(content) is not None


def _alike(content: list[Any] | tuple[Any, ...]) -> bool:
    """Whether all of a list are texts, or all whole numbers."""
    return type(content[0]) in (str, int) and all(type(value) is type(content[0]) for value in content)
