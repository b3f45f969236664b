"""What the machine is good at: number formats and memory."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch

from in4310.errors import InputError

PRECISIONS = ("auto", "fp32", "bf16")


def bf16_is_fast(device: str | torch.device = "cpu") -> bool:
    """Return whether the device multiplies bfloat16 in hardware (CPU: AVX512-bf16, AMX, or Arm's bf16)."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # in torch since 2.11
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def choose_precision(precision: str, device: str | torch.device = "cpu") -> str:
    """Return 'fp32' or 'bf16'; 'auto': bf16 where the hardware has it. Raises InputError for other words."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}; choose one of these"
        )
    if precision == "auto":
        return "bf16" if bf16_is_fast(device) else "fp32"
    return precision


def arithmetic(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a forward pass has this precision ('fp32' or 'bf16')."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    if device.type == "cuda":
        # cuDNN multiplies float32 as TF32 by default (10 bits of mantissa): scores would differ by 1e-3.
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    return nullcontext()


@cache
def keep_large_buffers() -> bool:
    """Tell glibc to keep freed buffers instead of giving them back to the system; returns whether it did.

    Every step frees and asks again for the same activations; by default each large one is mapped anew and its
    pages are zeroed by the kernel. Nothing is done, and False returned, with another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of <malloc.h>
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(mmap_max, 0) and mallopt(trim_threshold, 2**31 - 1))


@contextmanager
def reproducible(wanted: bool) -> Iterator[None]:
    """On a GPU, take algorithms that add in a fixed order, slower ones, where there are any; CPUs do so anyhow."""
    if not wanted:
        yield
        return
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # read when cuBLAS starts: torch's documentation
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
