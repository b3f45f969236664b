"""What the checks look at: the submission's claims beside figures recomputed from its weights and our pixels.

Everything is computed on first use and kept, so that checks share one forward pass. Raises Missing (a piece is not
there) or Unreadable (it is broken); the plugin turns both into 'not run', never into points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.judging import mistakes, typical, verdict
from in4310.judging.audit import FULL, Audit, bound
from in4310.judging.class_order import confusion, exchanged
from in4310.judging.data import DataSet
from in4310.judging.edition import Edition
from in4310.judging.memory import training_memory
from in4310.judging.mistakes.search import Budget, Match
from in4310.judging.passes import Spectra, kept_spectra, key_of, shares_and_spectra
from in4310.judging.preprocessing import FITS, Inference, infer
from in4310.places import cache_folder
from in4310.progress import QUIET, Progress
from in4310.shown import shown
from in4310.solution import feature_maps, images, metrics, network, scores, spectrum
from in4310.solution.engine.hardware import keep_large_buffers
from in4310.solution.images import Images, Preprocessing, Problems
from in4310.submission.discovery import CHECKPOINTS
from in4310.submission.folder import Submission
from in4310.submission.formats import SETS, finite, last_two_parts
from in4310.submission.live import Live, read_source
from in4310.submission.pieces import Missing, Unreadable
from in4310.submission.source import Call
from in4310.submission.state_dicts import Network

LARGEST = 1024  # pixels of a side: what is stated is carried out, and must not cost the judge its memory
PATHS, SERIES, MODULES = 2000, 24, 80  # of a statistic; the assignment asks for 200 images and five modules
TYPICAL = 400  # images that unnamed ones are compared with
FEW = 500  # images that are decoded for one submission; more, and the whole data set is decoded once and kept
T = TypeVar("T")


class Evidence:
    """A submission, the trusted data and the edition, with everything that can be computed from them."""

    def __init__(
        self,
        submission: Submission,
        data: DataSet,
        edition: Edition,
        device: str = "cpu",
        progress: Progress = QUIET,
        audit: Audit = FULL,
        live: Live | None = None,
    ):
        self.submission = submission
        self.data = data
        self.edition = edition
        self.device = device
        self.progress = progress
        self.stated_classes = edition.data.classes
        self.audit = audit
        self.live = live
        self._kept: dict[tuple[Hashable, ...], Any] = {}
        self.chosen_because = ""
        self.budget = Budget()

    def once(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """What `make` gives, computed at the first call for a key and kept; what it raises is not kept.

        The first part of a key is the name of what is kept: ('predicted', 'test').
        """
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def has(self, *key: Hashable) -> bool:
        """Whether something is kept under a key."""
        return key in self._kept

    @property
    def chosen(self) -> dict[str, str]:
        """What the figures are computed with, for the record."""
        return {"device": self.device, "precision": "fp32"}

    # -- split -------------------------------------------------------------------------------------

    @cached_property
    def split(self) -> dict[str, tuple[str, ...]]:
        """train, val, test -> paths as 'class/file', matched by their last two parts."""
        return {name: tuple(last_two_parts(p) for p in self.submission.split[name]) for name in SETS}

    def known(self, name: str) -> tuple[str, ...]:
        """The paths of a set, all of which must lie in the data set; raises Unreadable otherwise."""
        if len(self.split[name]) > 2 * len(self.data.labels):
            raise Unreadable(
                "split", f"the {name} set lists {len(self.split[name])} paths, more than there are images"
            )
        unknown = [p for p in self.split[name] if p not in self.data.labels]
        if unknown:
            raise Unreadable(
                "split",
                f"{len(unknown)} paths of the {name} set are not in the data set,"
                f" the first is {shown(repr(unknown[0]))}",
            )
        return self.split[name]

    @cached_property
    def classes(self) -> list[str]:
        """The class of each output of the network: as stated, or as the submission numbered them all through.

        Where network and scores agree on another order, that is one mistake, and not one of every figure: all but the
        check of the order is judged in it.
        """
        try:
            chosen = self.handed_in("test").argmax(axis=1)
            order = exchanged(
                confusion(self._labels("test", self.stated_classes), chosen, len(self.stated_classes))
            )
        except Missing:
            order = None
        if order is None or not self.reproduces("test"):
            return self.stated_classes
        return [self.stated_classes[i] for i in order]

    def labels(self, name: str) -> np.ndarray:
        """Indices into `classes` of a set, int64 (N,), from our own folders and not from the submission."""
        return self._labels(name, self.classes)

    def _labels(self, name: str, classes: Sequence[str]) -> np.ndarray:
        return np.array([classes.index(self.data.labels[p]) for p in self.known(name)], dtype=np.int64)

    def class_counts(self, paths: Sequence[str]) -> Counter[str]:
        """Images of each class among paths; unknown paths are left out."""
        return Counter(self.data.labels[p] for p in paths if p in self.data.labels)

    @cached_property
    def source(self) -> list[Call]:
        """Calls in the submission's own source, read from its syntax tree, in a confined child where there is one."""
        return read_source(self.live.sandbox if self.live else None, self.submission.folder)

    def runs(self, adapter: str) -> Live | None:
        """The submission's live functions, when it names this one and code may be run here; else None."""
        return self.live if self.live is not None and self.live.has(adapter) else None

    # -- the network, rebuilt by us from the weights -----------------------------------------------

    def network(self, piece: str) -> tuple[Network, dict[str, Tensor]]:
        """What a weights file holds, and its state dict in torchvision's names; nothing of it is run."""
        return self.once(("network", piece), lambda: self.submission.network(piece, self._best_file(piece)))

    def _best_file(self, piece: str) -> str | None:
        """Of several networks found, the file whose network gives the scores handed in; None: the first."""
        candidates = self.submission.candidates(piece)
        if piece != "model" or len(candidates) < 2 or "scores" not in self.submission.located:
            return None
        try:
            claimed, paths = self.handed_in("test"), self.known("test")
        except Missing:
            return None
        networks: dict[str, nn.Module] = {}
        for candidate in candidates[:CHECKPOINTS]:
            try:
                found, state = self.submission.network(piece, candidate.files[0])
                if found.outputs != len(self.stated_classes):
                    continue
                networks[candidate.files[0]] = self._build(piece, found, state)
            except Missing:
                continue
        # With the preprocessing that is stated, or the most usual one, all networks; only then every preprocessing.
        stated = self.submission.table("preprocessing")
        for thorough in (False,) if stated else (False, True):
            for file, model in networks.items():
                if self._gives(model, claimed, paths, thorough):
                    self.chosen_because = (
                        f"its network gives the scores handed in ({len(candidates)} networks found)"
                    )
                    return file
        return None

    def _gives(self, model: nn.Module, claimed: np.ndarray, paths: tuple[str, ...], thorough: bool) -> bool:
        """Whether a network gives the scores handed in, on a few images; `thorough`: with any usual preprocessing."""
        if thorough:
            return self._infer(model, claimed, paths).fits
        try:
            usual = self.preprocessing if self.submission.table("preprocessing") else Preprocessing()
            rows = np.argsort(claimed.max(axis=1), kind="stable")[:8]
            loaded = self.comparable(tuple(paths[i] for i in rows), usual)
        except (Missing, InputError):
            return False
        ours = scores.predict(model, loaded, usual, device=self.device)
        return bool(np.abs(ours - claimed[rows]).max() <= FITS)

    def comparable(self, paths: tuple[str, ...], preprocessing: Preprocessing) -> Images:
        """Our own pixels of paths, prepared in a way that may not be the submission's; raises InputError."""
        return images.load_images(
            self.data.root, paths, self.data.labels, self.stated_classes, preprocessing
        )[0]

    @property
    def state(self) -> dict[str, Tensor]:
        """State dict of the network handed in, in torchvision's names."""
        return self.network("model")[1]

    def depth(self, piece: str = "model") -> int:
        """Depth of the ResNet handed in."""
        return self.network(piece)[0].depth

    def rebuilt(self, piece: str) -> nn.Module:
        """Our own network with the weights of a piece, in eval mode; raises Unreadable when they do not fit."""
        found, state = self.network(piece)
        return self._build(piece, found, state)

    def _build(self, piece: str, found: Network, state: dict[str, Tensor]) -> nn.Module:
        model = network.build(f"resnet{found.depth}", classes=found.outputs, weights="none", seed=0)
        counters = {n: t for n, t in model.state_dict().items() if n.endswith("num_batches_tracked")}
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

    @cached_property
    def model(self) -> nn.Module:
        """The network handed in, rebuilt by us; for predictions its last layer must have the edition's classes."""
        model = self.rebuilt("model")
        outputs = self.network("model")[0].outputs
        if outputs != len(self.stated_classes):
            raise Unreadable(
                "model", f"the last layer has {outputs} outputs, expected {len(self.stated_classes)}"
            )
        return model

    @cached_property
    def untuned(self) -> nn.Module:
        """The network before training, rebuilt by us; torchvision's ImageNet weights where the edition starts there."""
        if "untuned" not in self.submission.located and self.edition.network.start == "imagenet":
            try:
                model = network.build(f"resnet{self.depth()}", classes=1000, weights="imagenet")
            except InputError as error:
                raise Missing(
                    "untuned", f"the network before training was not handed in, and {error}"
                ) from None
            return self._ready(model)
        return self.rebuilt("untuned")

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """As stated in submission.toml; else the one that reproduces the scores; else ImageNet's usual, as assumed."""
        table = self.submission.table("preprocessing")
        if not table:
            return self.inferred.preprocessing
        stated: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        wrong = _unlikely(stated)
        if wrong:
            raise Unreadable("preprocessing", f"submission.toml [preprocessing]: {wrong}")
        try:
            return Preprocessing(**stated)
        except (TypeError, ValueError, InputError) as error:
            raise Unreadable(
                "preprocessing", f"submission.toml [preprocessing]: {shown(str(error))}"
            ) from None

    @cached_property
    def inferred(self) -> Inference:
        """The preprocessing found by trying, where none is stated."""
        for name in ("test", "val"):
            try:
                return self._infer(self.model, self.handed_in(name), self.known(name))
            except Missing:
                continue
        return Inference(Preprocessing(), float("inf"), 0, False)

    def _infer(self, model: nn.Module, claimed: np.ndarray, paths: tuple[str, ...]) -> Inference:
        return infer(model, claimed, paths, self.data.root, self.data.labels, self.stated_classes)

    def training_memory(self, batch_size: int) -> int:
        """Bytes that training in float32 needs at least: weights, gradients, momentum, and what is kept."""
        return training_memory(self.rebuilt("model"), self.preprocessing.size, batch_size)

    # -- pixels and what the network makes of them -------------------------------------------------

    def images(self, paths: tuple[str, ...]) -> Images:
        """Our own pixels of paths of the data set, prepared as the submission states."""
        return self.once(("images", paths), lambda: self._images(paths))

    def _images(self, paths: tuple[str, ...]) -> Images:
        # Few are decoded by themselves; more, and all are, once: the next submission of a class finds them decoded.
        if len(paths) <= FEW and "_all_images" not in self.__dict__:
            loaded, problems = images.load_images(
                self.data.root,
                paths,
                self.data.labels,
                self.stated_classes,
                self.preprocessing,
                progress=self.progress,
            )
        else:
            loaded, problems = self._all_images
        if unreadable := set(paths) & set(problems.unreadable):
            raise Unreadable("split", f"{min(unreadable)} of the data set cannot be decoded")
        return loaded if loaded.paths == paths else loaded.subset(paths)

    @cached_property
    def _all_images(self) -> tuple[Images, Problems]:
        wanted = tuple(sorted(self.data.labels))
        return images.load_images(
            self.data.root,
            wanted,
            self.data.labels,
            self.stated_classes,
            self.preprocessing,
            cache=cache_folder() / "decoded",
            progress=self.progress,
        )

    def comparison_images(self, name: str, paths: tuple[str, ...]) -> Images:
        """Pixels of a data set to compare with; raises Missing when we do not have it."""
        if name not in self.data.comparison:
            raise Missing("comparison data", f"the data set {name!r} is not on the judge's machine")
        return self.once(("images of", name, paths), lambda: self._comparison_images(name, paths))

    def _comparison_images(self, name: str, paths: tuple[str, ...]) -> Images:
        folder = self.data.comparison[name]
        # Names that a submission may use are those that we list ourselves: no path leads out of the folder.
        if foreign := set(paths) - set(images.find_comparison(folder)):
            raise Unreadable("eigenvalues", f"{min(foreign)!r} is not an image of {name}")
        loaded, problems = images.load_comparison(folder, paths, self.preprocessing, progress=self.progress)
        if problems.unreadable:
            raise Unreadable("eigenvalues", f"{min(problems.unreadable)!r} cannot be decoded")
        return loaded

    def predicted(self, name: str) -> np.ndarray:
        """Scores of a whole set as our network computes them from the weights, float32 (N, classes)."""
        return self.once(("predicted", name), lambda: self._predict(self.known(name)))

    def _predict(self, paths: tuple[str, ...]) -> np.ndarray:
        return scores.predict(
            self.model, self.images(paths), self.preprocessing, device=self.device, progress=self.progress
        )

    def audited(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The audit sample of a set: its rows, ascending, and our scores of them, float32 (rows, classes)."""
        rows = self.audit.sample(name, len(self.known(name)))
        if self.has("predicted", name) or len(rows) == len(self.split[name]):
            return rows, self.predicted(name)[rows]
        chosen = tuple(self.split[name][i] for i in rows)
        return rows, self.once(("audited", name), lambda: self._predict(chosen))

    def reproduces(self, name: str) -> bool:
        """Whether the scores handed in are what the network gives, on the audit sample; False if not known."""
        try:
            claimed = self.handed_in(name)
            rows, ours = self.audited(name)
        except (Missing, InputError):
            return False
        return bool(np.abs(claimed[rows] - ours).max() <= self.edition.tolerances.score)

    def trusted(self, name: str) -> np.ndarray:
        """Scores of a whole set to build on: those handed in where the audit sample of them is right, else ours."""
        piece = "scores" if name == "test" else "scores_val"
        if not self.has("predicted", name) and piece in self.submission.located:
            try:
                claimed = self.handed_in(name)
            except Missing:
                return self.predicted(name)
            rows, ours = self.audited(name)
            if (
                len(rows) < len(claimed)
                and np.abs(claimed[rows] - ours).max() <= self.edition.tolerances.score
            ):
                return claimed
        return self.predicted(name)

    def audit_bound(self, name: str) -> str:
        """What the audit sample says of the rows that were not computed again, in words; '' when all were."""
        total = len(self.split[name])
        checked = len(self.audit.sample(name, total))
        if checked == total:
            return ""
        share = f"{bound(checked, total):.1%}"
        return (
            f"{checked} of {total} rows computed again; all right: fewer than {share} of all are wrong (95 %)"
        )

    def handed_in(self, name: str) -> np.ndarray:
        """Scores handed in for 'val' or 'test', float64; raises Unreadable unless N x classes for that set."""
        piece = "scores" if name == "test" else "scores_val"
        values = self.submission.scores if name == "test" else self.submission.scores_val
        shape = (len(self.split[name]), len(self.stated_classes))
        if values.shape != shape:
            raise Unreadable(piece, f"{piece} has shape {values.shape}, expected {shape}")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise Unreadable(piece, f"{piece} holds NaN or infinity")
        return values

    def measured(self, name: str) -> metrics.Metrics:
        """Metrics of 'val' or 'test': from the scores handed in where they are, else from the weights."""
        return self.once(("measured", name), lambda: self._measured(name))

    def _measured(self, name: str) -> metrics.Metrics:
        piece = "scores" if name == "test" else "scores_val"
        values = self.handed_in(name) if piece in self.submission.located else self.predicted(name)
        if is_one_hot(values):
            # Labels in place of scores: figures from them would say nothing.
            values = self.predicted(name)
        return metrics.evaluate(self.labels(name), values, self.classes)

    def scored(self, name: str, compute: bool = False) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels and scores that the metrics of a set are made of; None where they are not there (or not computed)."""
        piece = "scores" if name == "test" else "scores_val"
        try:
            if name != "train" and piece in self.submission.located:
                values = self.handed_in(name)
            elif self.has("predicted", name) or compute:
                values = self.predicted(name)
            else:
                return None
            return self.labels(name), values.astype(np.float64)
        except (Missing, InputError):
            return None

    @cached_property
    def scores_matches(self) -> list[Match]:
        """Known mistakes that give the test scores handed in; [] for right ones, and where none does."""
        try:
            claimed = np.asarray(self.submission.scores)
            return mistakes.scores.diagnose(self, claimed, self.edition.tolerances.score, self.budget)
        except (Missing, InputError):
            return []

    def other_networks(self) -> Iterator[tuple[str, nn.Module]]:
        """Networks of the submission besides the one kept, with as many outputs: (file, rebuilt), at most six."""
        kept = self.submission.located["model"][0]
        files = [
            (piece, c.files[0]) for piece in ("model", "untuned") for c in self.submission.discovered(piece)
        ]
        if "untuned" in self.submission.located:
            files.append(("untuned", self.submission.located["untuned"][0]))
        for piece, file in [f for f in dict.fromkeys(files) if f[1] != kept][:6]:
            try:
                found, state = self.submission.network(piece, file)
                if found.outputs == len(self.stated_classes):
                    yield shown(file), self._build(piece, found, state)
            except Missing:
                continue

    def recomputed(self, name: str) -> metrics.Metrics:
        """Metrics of a set from the weights, whatever scores were handed in."""
        return self.once(("recomputed", name), lambda: self._recomputed(name))

    def _recomputed(self, name: str) -> metrics.Metrics:
        values = self.trusted(name)
        if not np.isfinite(values).all():
            raise Unreadable("model", "the network handed in gives scores that are NaN or infinite")
        return metrics.evaluate(self.labels(name), values, self.classes)

    # -- inside the network ------------------------------------------------------------------------

    def batches(self, loaded: Images) -> Callable[[], Any]:
        """Normalised batches of images on the device, float32 NCHW, without labels."""
        return lambda: (x for x, _ in images.batches(loaded, self.preprocessing, 64, self.device))

    def non_positive(self, paths: tuple[str, ...], modules: Sequence[str]) -> dict[str, float]:
        """Percentage of non-positive values a module over images of the course, by our network.

        Where spectra over the same images are claimed too, they come from the same pass and are kept for `spectra`.
        """
        if claimed := self._claimed_modules(paths):
            with suppress(InputError), torch.inference_mode():
                loaded = self.batches(self.images(paths))()
                shares, spectra = shares_and_spectra(self.model, loaded, modules, claimed)
                self._kept["seen together", paths] = spectra
                return shares
        with torch.inference_mode():
            return feature_maps.non_positive(self.model, self.batches(self.images(paths))(), modules)

    def _claimed_modules(self, paths: tuple[str, ...]) -> list[str]:
        """Modules of the network whose spectra (channel means) are claimed for these images of the course."""
        try:
            series = self.series()
        except Missing:
            return []
        names = dict(self.model.named_modules())
        return list(
            dict.fromkeys(
                name
                for one in series
                if (one.get("model"), one.get("data"), bool(one.get("flatten"))) == ("tuned", "course", False)
                and tuple(last_two_parts(str(p)) for p in one.get("paths", ())) == paths
                for name in one["modules"]
                if name and name in names
            )
        )

    def spectra(
        self, model: str, data: str, paths: tuple[str, ...], modules: Sequence[str], flatten: bool
    ) -> dict[str, spectrum.Spectrum]:
        """Spectra of a model ('tuned' or 'untuned') on images of a data set ('course' or a comparison's name)."""
        kept: Spectra = self._kept.get(("seen together", paths), {})
        if (model, data, flatten) == ("tuned", "course", False) and modules and set(modules) <= set(kept):
            return {name: kept[name] for name in modules}
        net = self.model if model == "tuned" else self.untuned

        def computed() -> Spectra:
            loaded = self.images(paths) if data == "course" else self.comparison_images(data, paths)
            with torch.inference_mode():
                return spectrum.eigenvalues(net, self.batches(loaded)(), modules, k=None, flatten=flatten)

        try:
            root = self.data.root if data == "course" else self.data.comparison.get(data)
            if model == "tuned" or flatten or root is None:
                return computed()
            key = key_of(net, root, paths, self.preprocessing, modules)
            return kept_spectra(cache_folder() / "spectra", key, computed)
        except InputError as error:  # NaN in the weights is theirs, not a failure of the judge
            raise Unreadable("model" if model == "tuned" else "untuned", shown(str(error), 200)) from None

    # -- the same over images that the submission does not name -----------------------------------

    def typical_images(self) -> tuple[str, ...]:
        """Images of the course to compare with where the submission does not name its own: of the test set, spread."""
        paths = self.known("test")
        count = min(TYPICAL, len(paths))
        return tuple(paths[i * len(paths) // count] for i in range(count))

    def typical_non_positive(self, modules: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Module -> mean percentage of non-positive values over images, and its deviation from image to image."""
        loaded = self.images(self.typical_images())
        with torch.inference_mode():
            return typical.non_positive(self.model, self.batches(loaded)(), modules)

    def typical_spectra(
        self, model: str, data: str, modules: Sequence[str]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Module -> lowest and highest of each eigenvalue over draws of the edition's number of images."""
        net = self.model if model == "tuned" else self.untuned
        if data == "course":
            loaded = self.images(self.typical_images())
        elif data in self.data.comparison:
            names = images.find_comparison(self.data.comparison[data])
            loaded = self.comparison_images(data, tuple(names))
        else:
            raise Missing("comparison data", f"the data set {shown(data)!r} is not on the judge's machine")
        with torch.inference_mode():
            return typical.spectra(net, self.batches(loaded)(), modules, self.edition.statistics.images)

    # -- what was claimed --------------------------------------------------------------------------

    def claimed_metrics(self, name: str) -> dict[str, Any]:
        """The table of metrics handed in for 'val' or 'test'; raises Unreadable when that set is absent."""
        table = self.submission.metrics.get(name)
        if not isinstance(table, dict):
            raise Unreadable("metrics", f"metrics have no table {name!r}")
        return table

    def series(self) -> list[dict[str, Any]]:
        """The spectra handed in, as a list of objects; raises Unreadable for any other form."""
        found = self.submission.eigenvalues.get("series")
        if not isinstance(found, list) or not found or not all(isinstance(s, dict) for s in found):
            raise Unreadable("eigenvalues", "eigenvalues have no list 'series' of objects")
        if len(found) > SERIES:
            raise Unreadable(
                "eigenvalues", f"eigenvalues have {len(found)} series, expected at most {SERIES}"
            )
        for one in found:
            if len(one.get("modules") or ()) > MODULES or len(one.get("paths") or ()) > PATHS:
                raise Unreadable("eigenvalues", f"a series has more than {MODULES} modules or {PATHS} paths")
            if not isinstance(one.get("modules"), dict) or not isinstance(one.get("paths", []), list):
                raise Unreadable(
                    "eigenvalues", "a series of eigenvalues lacks 'modules', or its 'paths' are no list"
                )
        return found

    @property
    def audit_record(self) -> verdict.Audit | None:
        """What the report says of the audit sample; None where no score was computed."""
        sets = [name for name in ("val", "test") if self.has("predicted", name) or self.has("audited", name)]
        if not sets:
            return None
        of = {name: len(self.split[name]) for name in sets}
        rows = {
            name: of[name] if self.has("predicted", name) else len(self.audited(name)[0]) for name in sets
        }
        said = [f"{name}: {self.audit_bound(name)}" for name in sets if rows[name] < of[name]]
        return verdict.Audit(
            rows=rows,
            of=of,
            seed=self.audit.seed.hex() if said else "",
            replayable=self.audit.replayable,
            statement="; ".join(said) or "all rows were computed again",
        )

    @property
    def facts(self) -> dict[str, str]:
        """Headline figures for the report, as far as they can be had."""
        facts: dict[str, str] = {}
        try:
            test = self.recomputed("test")
            low, high = metrics.wilson(
                round(test.accuracy * len(self.split["test"])), len(self.split["test"])
            )
            facts["Test accuracy, recomputed"] = f"{test.accuracy:.4f} (95 %: {low:.3f} to {high:.3f})"
            facts["Test mAP, recomputed"] = f"{test.map:.4f}"
            facts["Mean accuracy per class"] = f"{test.mean_accuracy:.4f}"
        except (Missing, InputError, ValueError):
            facts["Test accuracy"] = "could not be recomputed"
        return facts


def _unlikely(stated: dict[str, Any]) -> str:
    """Why a stated preprocessing is not carried out: what it would cost, or make of the pixels; '' when it may be."""
    for key in ("size", "resize"):
        value = stated.get(key, 224)
        if type(value) is not int or not 1 <= value <= LARGEST:
            return f"{key} = {shown(str(value), 40)}, expected 1 to {LARGEST} pixels"
    for key in ("mean", "std"):
        values = stated.get(key, (1.0, 1.0, 1.0))
        numbers = [finite(v) for v in values] if isinstance(values, tuple) else []
        if (
            len(numbers) != 3
            or any(v is None or abs(v) > 1000 for v in numbers)
            or (key == "std" and 0 in numbers)
        ):
            return f"{key} = {shown(str(values), 60)}, expected three numbers"
    return ""


def is_one_hot(values: np.ndarray) -> bool:
    """Whether every row is all 0 but for a single 1: labels, which no softmax of a trained network gives throughout."""
    return bool(len(values)) and bool(((values == 0) | (values == 1)).all())


def number(table: dict[str, Any], key: str) -> float | None:
    """A finite number of a claimed table, or None."""
    return finite(table.get(key))
