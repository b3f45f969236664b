"""The files of a training run, such that a stop at any moment loses at most the epoch under way.

checkpoint.pt is the single source of truth: it is written first; history.json and best.pth are made from it.
A run that is complete has no checkpoint any more, but a history of all its epochs.
"""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.solution.engine import distributed
from in4310.solution.network import read_weights
from in4310.solution.saving import write_aside


@dataclass(frozen=True)
class Start:
    """What a run goes on from; all empty at its beginning, weights None also when it is complete."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Tensor] | None = None
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)


def copy(model: nn.Module) -> dict[str, Tensor]:
    """Return a real copy of the weights on the CPU, plain NCHW: training goes on without changing it."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in model.state_dict().items()
    }


class Files:
    """history.json, best.pth and checkpoint.pt of one run; only the main process touches them."""

    def __init__(self, folder: Path):
        self.checkpoint = folder / "checkpoint.pt"
        self.history = folder / "history.json"
        self.best = folder / "best.pth"

    def start(self, history: dict[str, Any], resume: bool, device: torch.device) -> Start:
        """Return what to go on from, the same in every process; without `resume`, an older run's files go.

        Raises InputError when the files are of another run: other settings, images, or first weights.
        """
        start: Start | InputError = Start()
        if distributed.is_main():
            try:
                start = self._read(history) if resume else self._remove()
            except InputError as error:
                start = error
        start = distributed.from_main(start, device)
        if isinstance(start, InputError):
            raise start
        return start

    def save(
        self,
        history: dict[str, Any],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        best: dict[str, Tensor],
    ) -> None:
        """Write the state after an epoch."""
        if not distributed.is_main():
            return
        state = {
            "history": json.dumps(history),
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "best": best,
        }
        _write_tensors(self.checkpoint, state)
        self._derive(history, best, history["best_epoch"] == len(history["epochs"]))

    def finish(self) -> None:
        """Remove the checkpoint of a complete run: its history and its best weights remain."""
        if distributed.is_main():
            self.checkpoint.unlink(missing_ok=True)

    def _derive(self, history: dict[str, Any], best: dict[str, Tensor], is_new: bool) -> None:
        if is_new:
            _write_tensors(self.best, best)
        write_aside(self.history, lambda file: file.write((json.dumps(history, indent=1) + "\n").encode()))

    def _remove(self) -> Start:
        for file in (self.history, self.best, self.checkpoint):
            file.unlink(missing_ok=True)
        return Start()

    def _read(self, history: dict[str, Any]) -> Start:
        if not self.checkpoint.is_file():
            return self._read_complete(history)
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
            found = json.loads(state["history"])
            start = Start(found["epochs"], state["model"], state["optimizer"], state["best"])
        except (
            OSError,
            RuntimeError,
            EOFError,
            KeyError,
            TypeError,
            ValueError,
            pickle.UnpicklingError,
        ) as error:
            raise InputError(
                f"{self.checkpoint}: expected a checkpoint of a run, found a file that cannot be read"
                f" ({type(error).__name__}); remove it, or run without --resume"
            ) from error
        _check_same(self.checkpoint, history, found)
        self._derive(found, start.best, is_new=True)  # a stop may have come before they were written
        return start

    def _read_complete(self, history: dict[str, Any]) -> Start:
        """Return a complete run's record, or an empty one when nothing usable is there."""
        try:
            found = json.loads(self.history.read_text())
            complete = len(found["epochs"]) == found["settings"]["epochs"]
        except (OSError, ValueError, KeyError, TypeError):
            return self._remove()
        if not complete or not self.best.is_file():
            return self._remove()
        _check_same(self.history, history, found)
        return Start(found["epochs"], best=read_weights(self.best))


def _check_same(file: Path, expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise InputError, naming the first thing that differs, unless both records start the same run."""
    wanted = {
        **expected["settings"],
        **{name: expected[name] for name in ("device", "precision", "classes", "key")},
    }
    for name, value in wanted.items():
        other = found["settings"].get(name) if name in expected["settings"] else found.get(name)
        if other != value:
            what = (
                "the images or first weights differ"
                if name == "key"
                else f"expected {name} {value}, found {other}"
            )
            raise InputError(
                f"{file}: of another run: {what}; choose another folder, or run without --resume"
            )


def _write_tensors(path: Path, content: dict[str, Any]) -> None:
    # Through memory: torch.save to a full disk raises whatever its archive writer makes of it.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_aside(path, lambda file: file.write(buffer.getbuffer()))
