"""Which network is the one before training: told by its file's name, and by the batches that it has seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from in4310.submission.claims import words
from in4310.submission.state_dicts import Network

SURE = {"untuned", "initial", "init", "untrained", "utrent", "utrente"}
START = {"før", "foer", "before", "start", "starting", "starten"}  # weights that have seen fewer batches
RANDOM = {
    "random",
    "tilfeldig",
    "tilfeldige",
}  # that have seen none: a network may be trained on random crops
FIRST = re.compile(r"(?:epoch|epoke)[ _=-]{0,3}0{1,4}(?!\d)")
# Words of a network that was trained, or whose batches were not counted.
TRAINED = {"best", "kept", "chosen", "final", "endelig", "endelige", "last", "latest", "siste", "checkpoint", "ckpt",
           "epoch", "swa", "ema", "average", "averaged", "trained", "trent", "tuned", "finetuned", "after", "etter",
           "frozen", "freeze", "frosset", "fryst", "head", "probe"}  # fmt: skip


def starts(networks: Sequence[tuple[str, Network]], steps: Mapping[str, int], outputs: int) -> set[str]:
    """Files whose network may be the one before training, though no name says it for sure.

    `networks`: (file, network); `steps`: file -> batches that it has counted, where it counts; `outputs`: of ours. Of
    two networks that nothing is said of, the one that has seen no batch, where the other has.
    """
    ours = {file for file, network in networks if network.outputs == outputs}
    sure = {file for file in ours if SURE & set(words(file))}
    return {
        file
        for file in ours - sure
        if (others := ours - sure - {file})
        and _may_be(file, steps.get(file), max(steps.get(other, 0) for other in others), len(others) == 1)
    }


def _may_be(file: str, seen: int | None, most: int, two: bool) -> bool:
    """Whether a network may be untrained that has `seen` so many batches; `most`: those of the farthest other."""
    stem = PurePosixPath(file).stem
    said = set(words(stem))
    first = bool(FIRST.search(stem.lower()))
    if said & TRAINED - ({"epoch", "checkpoint", "ckpt"} if first else set()):
        return False
    if said & START:
        return not seen or seen < most
    return (not seen and (first or bool(said & RANDOM))) or (two and seen == 0 < most)
