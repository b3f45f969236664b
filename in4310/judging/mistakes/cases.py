"""Scores handed in that are wrong, beside what the network gives for the same images as a mistake would load them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from in4310.judging.inside import statistics_kept
from in4310.judging.mistakes.orders import places_by_rule
from in4310.judging.mistakes.outputs import Rows, softmax
from in4310.solution.images import Preprocessing, load_images
from in4310.solution.loaders import batches

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

FEW, MORE = 8, 32  # rows that an expensive source is tried on, and confirmed on


class Case:
    """Scores handed in, float64 (N, C) of any N, beside ours for rows of a set."""

    def __init__(
        self, evidence: Evidence, claimed: np.ndarray, at: np.ndarray, ours: np.ndarray, name: str = "test"
    ):
        self.evidence, self.claimed = evidence, claimed
        inside = at < len(claimed)
        self.at, self.ours = at[inside], ours[inside].astype(np.float64)
        self.name, self.paths = name, evidence.known(name)
        self.count = FEW
        labels, classes = evidence.data.labels, {c: i for i, c in enumerate(evidence.classes)}
        of_paths = np.array([classes.get(labels[p], -1) for p in self.paths])
        self.orders = places_by_rule(tuple(self.paths), of_paths)

    def put_back(self, claimed: np.ndarray, there: np.ndarray) -> Case:
        """The same with rows or columns in other places; `there` says which of our rows have one."""
        other = copy.copy(self)
        other.claimed, other.at, other.ours = claimed, self.at[there], self.ours[there]
        return other

    @property
    def few(self) -> np.ndarray:
        """A few rows of the audit sample: those that our network is least certain of, which differ most."""
        order = np.argsort(self.ours.max(axis=1), kind="stable")
        return np.sort(self.at[order[: self.count]])

    def right(self, rows: np.ndarray) -> np.ndarray:
        """Ours, for rows of the audit sample."""
        index = {row: i for i, row in enumerate(self.at)}
        return self.ours[[index[row] for row in rows]]

    def plain(self, rows: Rows) -> Rows | None:
        """Ours in the place of what a mistake gives, None where they are not known."""
        return replace(rows, scores=self.right(rows.at)) if np.isin(rows.at, self.at).all() else None

    def logits(
        self,
        rows: np.ndarray,
        model: nn.Module | None = None,
        preprocessing: Preprocessing | None = None,
        pixels: Callable[[np.ndarray], np.ndarray] | None = None,
        training: bool = False,
        batch_size: int = 64,
        paths: tuple[str, ...] | None = None,
    ) -> np.ndarray:
        """Outputs of the network, float64 (rows, C), for images as a mistake would load them."""
        chosen = tuple((paths or self.paths)[i] for i in rows)
        stated = preprocessing or self.evidence.preprocessing
        evidence = self.evidence
        own = evidence.preprocessing
        if replace(stated, mean=own.mean, std=own.std) == own:  # the same pixels, however they are normalised
            loaded = evidence.images(chosen)
        else:
            data = evidence.data
            loaded, _ = load_images(data.root, chosen, data.labels, evidence.classes, stated)
        if pixels is not None:
            loaded = replace(loaded, pixels=np.stack([pixels(p) for p in loaded.pixels]))
        fed = (x for x, _ in batches(loaded, stated, batch_size, evidence.device))
        return _outputs(model or evidence.model, fed, training).double().numpy()

    def scores(self, rows: np.ndarray, **how: object) -> np.ndarray:
        """As `logits`, after softmax."""
        return softmax(self.logits(rows, **how))  # type: ignore[arg-type]

    def guess(self, detail: str = "", **how: object) -> Rows:
        """Scores of a few rows, for images as a mistake would load them."""
        return Rows(self.few, self.scores(self.few, **how), detail)


def _outputs(network: nn.Module, fed: Iterable[Tensor], training: bool) -> Tensor:
    """Outputs float32 (N, C) for batches."""
    with statistics_kept(network, training):
        network.train(training)
        try:
            with torch.inference_mode():
                return torch.cat([network(x).float().cpu() for x in fed])
        finally:
            network.eval()
