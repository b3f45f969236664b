"""Seeds, of every generator that programs seed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from in4310.rehearsal.events import Recorder


def observe(see: Recorder) -> None:
    """Event 'seed': which generator, which seed."""

    def of(library: str) -> Any:
        return lambda result, seed=None, *_, **__: {"library": library, "seed": seed}

    see.function(torch, "manual_seed", of("torch"), "seed")
    see.function(np.random, "seed", of("numpy"), "seed")
    see.function(np.random, "default_rng", of("numpy"), "seed")
    see.function(random, "seed", of("random"), "seed")
