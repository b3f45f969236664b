"""Several processes as one: torch's launcher (`torchrun`) sets the environment, DDP joins the gradients."""

from __future__ import annotations

import atexit
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_alone = False


def setup(device: str | torch.device = "cpu") -> torch.device:
    """Join the other processes that torchrun started, if any, and return this one's device.

    Safe to call again. nccl with CUDA (one GPU a process, by LOCAL_RANK), gloo on the CPU.
    """
    device = torch.device(device)
    if started() == 1:
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if not dist.is_initialized() and not _alone:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(teardown)
    return device


def teardown() -> None:
    """Leave the group of processes; the end of the program does it by itself."""
    if dist.is_initialized():
        dist.destroy_process_group()


def leave() -> None:
    """Part for good, together: from here on each process computes alone, and only the main one has work left."""
    global _alone
    wait()
    teardown()
    _alone = started() > 1


def started() -> int:
    """Return how many processes torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def count() -> int:
    """Return the number of processes that compute together: 1 before they join and after they part."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number, from 0, also before the processes join and after they part."""
    if dist.is_initialized():
        return dist.get_rank()
    return int(os.environ.get("RANK", "0")) if started() > 1 else 0


def is_main() -> bool:
    """Return whether this is the one process that writes files and shows progress."""
    return rank() == 0


def share(rows: int, part: int | None = None, parts: int | None = None) -> slice:
    """Return this process's share of `rows` rows: consecutive, by rank, sizes differ by at most one."""
    part = rank() if part is None else part
    parts = count() if parts is None else parts
    small, larger = divmod(rows, parts)
    start = part * small + min(part, larger)
    return slice(start, start + small + (part < larger))


def gather(own: Tensor, rows: int) -> Tensor:
    """Return all `rows` rows, from every process's `share` of them, on every process; `own` (share, ...)."""
    if count() == 1:
        return own
    longest = share(rows, 0)  # the first share is the longest
    padded = own.new_zeros((longest.stop, *own.shape[1:]))
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in range(count())]
    dist.all_gather(parts, padded)
    lengths = [share(rows, part) for part in range(count())]
    return torch.cat([part[: s.stop - s.start] for part, s in zip(parts, lengths, strict=True)])


def from_main(value: Any, device: torch.device) -> Any:
    """Return what the main process holds, on every process (picklable; only between our own processes)."""
    if count() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0, device=device)
    return box[0]


def same_buffers(model: nn.Module) -> None:
    """Give every process the main one's batch-norm statistics, so that all evaluate the same network."""
    if count() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def wait() -> None:
    """Wait until every process is here."""
    if count() > 1:
        dist.barrier()
