"""Lightning's trainer works on the CPU, in one process, at full precision, whatever it is asked for."""

from __future__ import annotations

import types
from typing import Any

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.imports import when_imported

HERE = {"accelerator": "cpu", "devices": 1, "strategy": "auto", "precision": None, "num_nodes": 1, "logger": False,
        "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}  # fmt: skip


def stand_in(see: Recorder) -> None:
    """When it is imported, by either of its names."""

    def on_cpu(module: types.ModuleType) -> None:
        trainer: Any = module.__dict__["Trainer"]
        make = trainer.__init__

        def made(self: Any, *given: Any, **named: Any) -> None:
            make(self, *given, **{**{k: v for k, v in named.items() if k != "gpus"}, **HERE})

        trainer.__init__ = made

    for name in ("pytorch_lightning.trainer.trainer", "lightning.pytorch.trainer.trainer"):
        when_imported(name, on_cpu)
