"""What every benchmark says of itself, and the page that is made of them all."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def claim(benchmark) -> Callable[..., None]:
    """Record what is compared, the goal, what was measured, and whether that meets the goal. Nothing is asserted."""

    def record(
        what: str,
        ratio: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        **figures: Any,
    ) -> None:
        goal, met = "", None
        if at_least is not None:
            goal, met = f"at least {at_least:g} {unit}", ratio >= at_least
        elif at_most is not None:
            goal, met = f"at most {at_most:g} {unit}", ratio <= at_most
        benchmark.extra_info.update(claim=what, goal=goal, ratio=float(ratio), unit=unit, met=met, **figures)

    return record


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """What the figures depend on, beside what pytest-benchmark says of the processor."""
    import torch

    from in4310.solution.engine.hardware import bf16_is_fast

    machine_info["in4310"] = {
        "system": platform.platform(terse=True),
        "processor": machine_info.get("cpu", {}).get("brand_raw", platform.processor()),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "bf16 in hardware": bf16_is_fast(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "torch": str(torch.__version__),
    }


def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: list[Any], output_json: dict[str, Any]
) -> None:
    """With --report DIR beside --benchmark-json FILE: the page, too."""
    folder = config.getoption("in4310_report")
    if folder:
        from benchmarks.page import write_benchmarks

        print(f"\nbenchmarks: {write_benchmarks(output_json, Path(folder))}")
