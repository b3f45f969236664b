"""The second floor of the evidence: the networks handed in, rebuilt by us, and the preprocessing that they were given.

Seven methods are one knot, and stay together: network, _best_of, _gives, preprocessing, inferred, model, rebuilt. Of
several weights files the network is the one that gives the scores handed in; to see that takes a preprocessing; and one
that is not stated is found with the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice, product

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.judging.claimed import Claimed, kept
from in4310.judging.class_order import confusion, exchanged
from in4310.judging.pipelines import Pipeline, stated
from in4310.judging.preprocessing import (
    ASPECTS,
    FITS,
    NEAR,
    Inference,
    as_shares,
    candidates,
    infer,
    settle,
    telling,
)
from in4310.judging.rebuilding import fitting, renumber, unsaid_of
from in4310.shown import shown
from in4310.solution import images, metrics, network, scores
from in4310.solution.engine.hardware import keep_large_buffers
from in4310.solution.images import Images, Preprocessing
from in4310.submission.contents import CHECKPOINTS
from in4310.submission.formats import finite
from in4310.submission.pieces import Missing, NotHere, Unreadable
from in4310.submission.state_dicts import Network

AGREES = 6e-3  # accuracy and mAP as they are stated, with two decimals at least
OF_CLASS = 8  # images a class, from which the order of the outputs is read
TRIED = 40  # ways of what no tensor says


class Networks(Claimed):
    """What the weights hold, without running any of the submission's code."""

    chosen_because = ""  # of several networks found, why the one is judged; for the record

    @kept
    def network(self, piece: str) -> tuple[Network, dict[str, Tensor]]:
        """What a weights file holds, and its state dict in torchvision's names; nothing of it is run."""
        return self.submission.network(piece, *self._best_of(piece))

    def _best_of(self, piece: str) -> tuple[str | None, int]:
        """Of several networks, the file, and which in it, that gives the scores handed in; (None, 0): the first."""
        if piece != "model" or "scores" not in self.submission.located:
            return None, 0
        candidates = self.submission.candidates(piece)[:CHECKPOINTS]
        places = [
            (f, i)
            for f in dict.fromkeys(c.files[0] for c in candidates)
            for i in range(self._count(piece, f))
        ]
        if len(places) < 2:
            return None, 0
        try:
            claimed, paths = self.handed_in("test"), self.known("test")
        except Missing:
            return None, 0
        networks = {place: model for place in places if (model := self._fitting(piece, *place)) is not None}
        # With the preprocessing that is stated, or the most usual one, all networks; only then every preprocessing.
        stated = self.submission.table("preprocessing")
        for thorough in (False,) if stated else (False, True):
            for place, model in networks.items():
                if self._gives(model, claimed, paths, thorough):
                    self.submission.choose(piece, place[0])
                    count = len(places)
                    said = (
                        f"{shown(place[0])}: its network gives the scores handed in ({count} networks found)"
                    )
                    self.chosen_because = said
                    return place
        return None, 0

    def _count(self, piece: str, file: str) -> int:
        """Networks in a file; 0 where it cannot be read."""
        with suppress(Missing):
            return len(self.submission.networks_in(piece, file))
        return 0

    def _fitting(self, piece: str, file: str, index: int = 0) -> nn.Module | None:
        """The network of one of several files, rebuilt; None where it has other outputs, or cannot be read."""
        with suppress(Missing):
            found, state = self.submission.network(piece, file, index)
            if found.outputs == len(self.stated_classes):
                return self._build(piece, found, state)
        return None

    def _gives(self, model: nn.Module, claimed: np.ndarray, paths: tuple[str, ...], thorough: bool) -> bool:
        """Whether a network gives the scores handed in, on a few images; `thorough`: with any usual preprocessing."""
        if thorough:
            return self._infer(model, claimed, paths).fits
        claimed = as_shares(claimed)
        try:
            usual = self.stated or Preprocessing()
            rows = telling(claimed, paths, self.data.root)
            loaded = self.comparable(tuple(paths[i] for i in rows), usual)
        except (Missing, InputError):
            return False
        ours = scores.predict(model, loaded, usual, device=self.device)
        return bool(np.abs(ours - claimed[rows]).max() <= FITS)

    @cached_property
    def stated(self) -> Preprocessing | None:
        """What submission.toml states of the preprocessing, None for nothing; raises Unreadable where it cannot be."""
        table = self.submission.table("preprocessing")
        try:
            return stated(table) if any(not isinstance(v, dict) for v in table.values()) else None
        except (TypeError, ValueError, InputError) as error:
            raise Unreadable(
                "preprocessing", f"submission.toml [preprocessing]: {shown(str(error))}"
            ) from None

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """As stated in submission.toml; else the one that reproduces the scores; else ImageNet's usual, as assumed.

        What is stated without a word on images that are not square, turned or transparent is settled by their scores.
        """
        found = self.stated or self.inferred.preprocessing
        if self.stated is None and not self.inferred.fits:
            return found
        table = self.submission.table("preprocessing")
        words = {"shape": "fit", "exif": "exif", "alpha": "alpha"}
        asked = [aspect for aspect in ASPECTS if words[aspect] not in table]
        if isinstance(found, Pipeline) and found.fit != "shorter" and "shape" in asked:
            asked.remove("shape")
        sets = [(self.handed_in(name), self.known(name)) for name in ("test", "val") if self._is_there(name)]
        if not asked or not sets:
            return found
        try:
            return settle(
                self.model, found, sets, self.data.root, self.data.labels, self.stated_classes, asked
            )
        except Missing:
            return found

    def _is_there(self, name: str) -> bool:
        """Whether scores of a set were handed in that can be laid beside ours."""
        with suppress(Missing):
            return len(self.handed_in(name)) == len(self.known(name))
        return False

    @cached_property
    def inferred(self) -> Inference:
        """The preprocessing found by trying, where none is stated: by val where test scores are none of its network's.

        Where neither is, by the other networks handed in: scores of another checkpoint tell it, too.
        """
        found: list[Inference] = []
        for name in ("test", "val"):
            if self._is_there(name):
                found.append(self._infer(self.model, self.handed_in(name), self.known(name)))
                if found[-1].fits:
                    return found[-1]
        if found:
            for _, model in self.other_networks():
                name = "test" if self._is_there("test") else "val"
                other = self._infer(model, self.handed_in(name), self.known(name))
                if other.fits:
                    return other
        by_metrics = None if found else self._by_metrics()
        return found[0] if found else by_metrics or Inference(Preprocessing(), float("inf"), 0, False)

    def _by_metrics(self) -> Inference | None:
        """The preprocessing under which the network has the accuracy and mAP that are claimed of a set, without scores.

        All are tried on a few images, whose own classes the right one makes likely; the likeliest on the whole set.
        """
        for name in ("val", "test"):
            try:
                table, paths = self.claimed_metrics(name), self.known(name)
            except Missing:
                continue
            figures = [finite(table.get(key)) for key in ("accuracy", "map")]
            claimed = [v / 100 if v is not None and v > 1 + 1e-6 else v for v in figures]
            labels = np.array([self.stated_classes.index(self.data.labels[p]) for p in paths])
            rows = np.concatenate([np.flatnonzero(labels == c)[:2] for c in range(len(self.stated_classes))])
            tried: list[tuple[float, Preprocessing]] = []
            for usual in candidates():
                ours = self._scores_under(usual, tuple(paths[i] for i in rows))
                if ours is not None:
                    likely = np.log(np.maximum(ours[np.arange(len(rows)), labels[rows]], 1e-12)).mean()
                    tried.append((-float(likely), usual))
            for _, usual in sorted(tried, key=lambda one: one[0])[:NEAR]:
                ours = self._scores_under(usual, paths)
                if ours is None or None in claimed:
                    continue
                found = metrics.evaluate(labels, ours, self.stated_classes)
                off = max(abs(found.accuracy - claimed[0]), abs(found.map - claimed[1]))  # type: ignore[operator]
                if off <= AGREES:
                    return Inference(usual, off, len(tried), True)
        return None

    def _scores_under(self, usual: Preprocessing, paths: tuple[str, ...]) -> np.ndarray | None:
        """Scores float64 of images prepared in a way; None where they cannot be."""
        with suppress(InputError):
            loaded = self.comparable(paths, usual)
            if loaded.paths == paths:
                return scores.predict(self.model, loaded, usual, device=self.device).astype(np.float64)
        return None

    @cached_property
    def model(self) -> nn.Module:
        """The network handed in, rebuilt by us; for predictions its last layer must have the edition's classes."""
        model = self.rebuilt("model")
        outputs = self.network("model")[0].outputs
        if outputs != len(self.stated_classes):
            raise Unreadable(
                "model", f"the last layer has {outputs} outputs, expected {len(self.stated_classes)}"
            )
        self._settle_unsaid(model)
        if order := self._order_of_outputs(model):
            renumber(model, order)
        return model

    def _settle_unsaid(self, model: nn.Module) -> None:
        """What no tensor says of a network is what gives the scores handed in; else the most usual of it.

        It is what stands between the layers of a head, the groups of GroupNorm, and the strides of a small first layer.
        """
        unsaid = unsaid_of(model)
        if not unsaid:
            return
        with suppress(Missing, InputError):
            claimed, paths = self.handed_in("test"), self.known("test")
            for settings in islice(product(*unsaid), TRIED):
                for settle_one in settings:
                    settle_one()
                if self._gives(model, claimed, paths, False):
                    return
        for usual, *_ in unsaid:
            usual()

    def _order_of_outputs(self, model: nn.Module) -> list[int] | None:
        """The output that stands for each class, where scores handed in are in the stated order and outputs are not.

        So they are where a table names its columns: the network may number the classes as it likes.
        """
        try:
            claimed, paths, usual = self.handed_in("test"), self.known("test"), self.stated or Preprocessing()
            labels = np.array([self.stated_classes.index(self.data.labels[p]) for p in paths])
            size = len(self.stated_classes)
            if self._gives(model, claimed, paths, False) or exchanged(
                confusion(labels, claimed.argmax(axis=1), size)
            ):
                return None
            rows = np.concatenate([np.flatnonzero(labels == c)[:OF_CLASS] for c in range(size)])
            loaded = self.comparable(tuple(paths[i] for i in rows), usual)
        except (Missing, InputError):
            return None
        chosen = scores.predict(model, loaded, usual, device=self.device).argmax(axis=1)
        order = exchanged(confusion(labels[rows], chosen, size))
        return [order.index(c) for c in range(size)] if order else None

    def rebuilt(self, piece: str) -> nn.Module:
        """Our own network with the weights of a piece, in eval mode; raises Unreadable when they do not fit."""
        found, state = self.network(piece)
        return self._build(piece, found, state)

    def _infer(self, model: nn.Module, claimed: np.ndarray, paths: tuple[str, ...]) -> Inference:
        return infer(model, claimed, paths, self.data.root, self.data.labels, self.stated_classes)

    def _build(self, piece: str, found: Network, state: dict[str, Tensor]) -> nn.Module:
        model = fitting(found, state)
        counters = {
            n: torch.zeros_like(t) for n, t in model.state_dict().items() if n.endswith("num_batches_tracked")
        }
        try:
            model.load_state_dict(counters | state)
        except RuntimeError as error:
            lines = str(error).splitlines()
            raise Unreadable(
                piece, f"weights do not fit a ResNet-{found.depth}: {shown(lines[-1].strip(), 200)}"
            ) from None
        return self._ready(model)

    def _ready(self, model: nn.Module) -> nn.Module:
        """In eval mode, on the device, in the layout in which convolutions are fastest (46 images a second for 33)."""
        keep_large_buffers()
        return model.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def comparable(self, paths: tuple[str, ...], preprocessing: Preprocessing) -> Images:
        """Our own pixels of paths, prepared in a way that may not be the submission's; raises InputError."""
        return images.load_images(
            self.data.root, paths, self.data.labels, self.stated_classes, preprocessing
        )[0]

    @property
    def state(self) -> dict[str, Tensor]:
        """State dict of the network handed in, in torchvision's names."""
        return self.network("model")[1]

    @cached_property
    def untuned(self) -> nn.Module:
        """The network before training, rebuilt by us; torchvision's ImageNet weights where the edition starts there."""
        if "untuned" not in self.submission.located and self.edition.network.start == "imagenet":
            try:
                model = network.build(
                    f"resnet{self.network('model')[0].depth}", classes=1000, weights="imagenet"
                )
            except InputError as error:
                raise NotHere(
                    "untuned", f"the network before training was not handed in, and {error}"
                ) from None
            return self._ready(model)
        return self.rebuilt("untuned")

    def other_networks(self) -> Iterator[tuple[str, nn.Module]]:
        """Networks of the submission besides the one kept, with as many outputs: (file, rebuilt), at most six."""
        kept = self.submission.located["model"][0]
        found = self.submission.found.networks
        files = [(piece, c.files[0]) for piece in ("model", "untuned") for c in found.get(piece, ())]
        if "untuned" in self.submission.located:
            files.append(("untuned", self.submission.located["untuned"][0]))
        for piece, file in [f for f in dict.fromkeys(files) if f[1] != kept][:6]:
            if (model := self._fitting(piece, file)) is not None:
                yield shown(file), model
