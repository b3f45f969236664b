"""Everything that the numbers of a run depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from in4310.solution.images import Preprocessing
from in4310.solution.training import Settings

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")  # those of the 2023 report


@dataclass(frozen=True)
class Plan:
    """Everything that the numbers of a run depend on; kept as plan.json so that --resume goes on with the same."""

    root: Path
    classes: tuple[str, ...]
    test: int
    val: int
    trials: tuple[Settings, ...]
    final_epochs: int
    edition: str = ""
    seed: int = 42
    grouped: bool = False
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    architecture: str = "resnet18"
    weights: str = "none"
    device: str = "cpu"
    precision: str = "auto"
    compile: str = "auto"
    deterministic: bool = False
    watch_test: bool = False
    modules: tuple[str, ...] = MODULES
    statistics_images: int = 200
    comparison: Mapping[str, Path] = field(default_factory=dict)
    pictures: int = 10
    ranked: tuple[str, ...] = ("sea", "buildings")
    ranked_images: int = 10

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON; paths as text."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))
