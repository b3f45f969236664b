"""Random mistakes of what is found inside the network: shares of non-positive values, and spectra."""

import copy

import numpy as np
import torch
from faults import drawn_pixels
from faults.drawn import Entry, Redraw, family, must_differ
from faults.world import read

from in4310.solution.images import Images
from in4310.solution.loaders import batches

SHARES, SPECTRA = "non_positive_recomputed", "eigenvalues_recomputed"


class Tensors:
    """Outputs of modules over the images of the statistics, under a mistake; the usual ones are kept."""

    def __init__(self, world):
        self.world, self.kept = world, {}

    def right(self, modules=None):
        names = tuple(modules or self.world.modules())
        if names not in self.kept:
            self.kept[names] = self.of(modules=names)
        return self.kept[names]

    def of(
        self, modules=None, model=None, preprocessing=None, pixels=None, training=0, paths=None, inputs=False
    ):
        world = self.world
        model = copy.deepcopy(model or world.model).train(bool(training))
        found = {m: [] for m in modules or world.modules()}
        named = dict(model.named_modules())
        for m, kept in found.items():
            named[m].register_forward_hook(
                lambda _m, i, o, kept=kept: kept.append((i[0] if inputs else o).clone())
            )
        stated = preprocessing or world.plan.preprocessing
        loaded = world.images(paths or world.statistics_paths(), stated)
        if pixels is not None:
            loaded = Images(
                loaded.paths, np.stack([pixels(p) for p in loaded.pixels]), loaded.labels, loaded.classes
            )
        with torch.no_grad():
            for x, _ in batches(loaded, stated, training or 64, "cpu"):
                model(x)
        # A module may run twice in a pass, as a block's ReLU does: the first run.
        count = -(-len(loaded) // (training or 64))
        return {m: torch.cat(kept[:: max(1, len(kept) // count)]) for m, kept in found.items()}


def _reestimated(world):
    model = copy.deepcopy(world.model).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for x, _ in batches(world.images(world.split["test"]), world.plan.preprocessing, 64, "cpu"):
            model(x)
    return model


INNER = ("conv1", "bn1", "layer1.0", "layer1.0.conv2", "layer1.1.bn1", "layer2.0", "layer2.0.conv1", "layer2.1.conv2",
         "layer3.0", "layer3.1.bn1", "layer4.0", "layer4.1.conv1")  # fmt: skip


def sources(d):
    """(words, outputs of the modules): what was looked into."""
    world = d.world
    kind = d.one(("pixels", "pixels", "pixels", "input", "module", "images", "network", "mode"))
    if kind == "pixels":
        words, how = drawn_pixels.looked_at(d)
        return words, d.tensors.of(**how)
    if kind == "input":
        return ("input of",), d.tensors.of(inputs=True)
    if kind == "module":
        names = world.modules()
        other = {m: d.one(INNER) for m in names}
        found = d.tensors.of(modules=tuple(dict.fromkeys(other.values())))
        return ("other modules", "another module"), {m: found[other[m]] for m in names}
    if kind == "images":
        name = d.one(("first", "val", "test"))
        if name == "first":
            count = int(d.one((5, 10, 50, 100)))
            return (f"first {count}", "one batch"), {m: o[:count] for m, o in d.tensors.right().items()}
        return (f"the {name} set", f"({name}", "other images"), d.tensors.of(paths=world.split[name][:200])
    if kind == "network":
        if d.rng.random() < 0.5:
            return ("other network",), d.tensors.of(model=world.untuned)
        return ("estimated anew", "re-estimated"), d.tensors.of(model=_reestimated(world))
    return ("training mode",), d.tensors.of(training=int(d.one((4, 8, 10, 16, 20, 32, 64, 100))))


def percent(o):
    return 100 * float((o <= 0).double().mean())


def counted(d):
    """(words, tensor -> percentage): how it was counted; each alike for all modules."""
    mean = lambda o: o.double().flatten(2).mean(2) if o.ndim > 2 else o.double()  # noqa: E731
    share = lambda o: (o <= 0).double().flatten(1).mean(1)  # noqa: E731
    size = int(d.one((8, 16, 20, 32, 50, 64)))
    parts = lambda o: [percent(o[i : i + size]) for i in range(0, len(o), size)]  # noqa: E731
    return d.one(
        (
            (("zeros were not counted",), lambda o: 100 * float((o < 0).double().mean())),
            (("positive values",), lambda o: 100 - percent(o)),
            (("zeros only", "only zeros"), lambda o: 100 * float((o == 0).double().mean())),
            (("averaged over positions", "averaged over their positions", "averaged first"), lambda o: 100 * float((mean(o) <= 0).double().mean())),
            (("channels whose mean", "of channels"), lambda o: 100 * float((mean(o).mean(0) <= 0).double().mean())),
            (("images whose mean", "of images"), lambda o: 100 * float((mean(o).mean(1) <= 0).double().mean())),
            (("largest value of each", "maximum", "without a positive"), lambda o: 100 * float((o.flatten(2).amax(2) <= 0).double().mean())),
            (("first position", "one position"), lambda o: 100 * float((o.flatten(2)[:, :, 0] <= 0).double().mean())),
            (("first channel", "one channel"), lambda o: percent(o[:, 0])),
            (("median",), lambda o: 100 * float(share(o).median() if len(o) % 2 else share(o).quantile(0.5))),
            (("weights", "weighted"), lambda o: float(np.average(parts(o), weights=np.arange(1, len(parts(o)) + 1)))),
            (("batches of unequal size", "averaged over batches"), lambda o: float(np.mean(parts(o)))),
            (("largest of any", "largest"), lambda o: 100 * float(share(o).max())),
            (("deviation",), lambda o: 100 * float(share(o).std())),
        )
    )  # fmt: skip


def factors(d, names, sizes):
    """(words, module -> factor)."""
    kind = d.one(("n", "channels", "positions", "two", "odd", "modules", "sum", "batches", "share"))
    if kind == "n":
        return ("by 200", "divided by the number of images", "0.005"), dict.fromkeys(names, 1 / 200)
    if kind == "channels":
        return ("number of channels",), {m: 1 / sizes[m][0] for m in names}
    if kind == "positions":
        return ("number of positions", "H x W", "positions"), {m: 1 / sizes[m][1] for m in names}
    if kind == "two":
        return ("twice", "2 times", "times 2"), dict.fromkeys(names, 2.0)
    if kind == "modules":
        return ("number of modules", f"{1 / len(names):.4g}"), dict.fromkeys(names, 1 / len(names))
    if kind == "batches":
        size = int(d.one((8, 16, 32, 64)))
        count = -(-200 // size)
        return ("batches", f"{1 / count:.4g}"), dict.fromkeys(names, 1 / count)
    if kind == "share":
        return ("100",), dict.fromkeys(names, float(d.one((0.01, 100.0))))
    if kind == "sum":
        return ("sum",), None
    factor = round(float(np.exp(d.rng.normal(0, 0.7))), 3)
    return (f"{factor:.3g}",), dict.fromkeys(names, factor)


def finished(d, names, sizes):
    """(words, figures of all modules -> the same): what was done to right figures."""
    kind = d.one(("factor", "factor", "factor", "round", "order"))
    if kind == "factor":
        words, by = factors(d, names, sizes)
        if by is None:
            return words, lambda f: {m: v / sum(f.values()) for m, v in f.items()}
        return words, lambda f: {m: v * by[m] for m, v in f.items()}
    if kind == "round":
        how, of = d.one((("down", np.floor), ("up", np.ceil), ("whole", np.round)))
        return (how, "rounded"), lambda f: {m: float(of(v)) for m, v in f.items()}
    order = d.rng.permutation(len(names))
    if (order == np.arange(len(names))).all():
        raise Redraw
    how = d.one(("ascending", "descending", "any"))

    def permuted(f):
        values = list(f.values())
        moved = [values[i] for i in order] if how == "any" else sorted(values, reverse=how == "descending")
        return dict(zip(f, moved, strict=True))

    return ("other modules", "another module", "sorted"), permuted


def shares(d, figures, says, what):
    right = {m: percent(o) for m, o in d.tensors.right().items()}
    off = [abs(figures[m] - right[m]) for m in right]
    must_differ(max(off), 0.2)
    if all(v in (0, 100) for v in figures.values()):
        raise Redraw  # many things give that
    table = {m: float(v) for m, v in figures.items()}
    document = read(d.world.reference / "non_positive.json") | {"percent": table}
    return Entry({"non_positive": document}, (SHARES,), says, what)


def sizes_of(maps):
    return {m: (o.shape[1], int(np.prod(o.shape[2:])) or 1) for m, o in maps.items()}


@family("shares: looked into", 8)
def _shares_source(d):
    words, maps = sources(d)
    return shares(d, {m: percent(o) for m, o in maps.items()}, (words,), f"source {words[0]}")


@family("shares: counted", 8)
def _shares_counted(d):
    words, of = counted(d)
    return shares(d, {m: of(o) for m, o in d.tensors.right().items()}, (words,), f"counted {words[0]}")


@family("shares: factor, rounding, order", 8)
def _shares_finished(d):
    maps = d.tensors.right()
    words, change = finished(d, list(maps), sizes_of(maps))
    return shares(d, change({m: percent(o) for m, o in maps.items()}), (words,), f"finished {words[0]}")


@family("shares: one counter through all", 2)
def _shares_one_counter(d):
    maps = d.tensors.right()
    sums, counts, found = 0.0, 0.0, {}
    weighed = d.rng.random() < 0.5
    for m, o in maps.items():
        size = o[0].numel() if weighed else 1
        sums, counts = sums + percent(o) * size, counts + size
        found[m] = sums / counts
    return shares(d, found, (("one counter", "one variable", "through all"),), f"one counter {weighed}")


@family("shares: pairs", 16)
def _shares_pairs(d):
    kind = d.one(("source counted", "source finished", "counted finished"))
    first, maps = (("",), d.tensors.right())
    says = []
    if kind.startswith("source"):
        first, maps = sources(d)
        says.append(first)
    of = percent
    if "counted" in kind:
        words, of = counted(d)
        says.append(words)
    found = {m: of(o) for m, o in maps.items()}
    if "finished" in kind:
        words, change = finished(d, list(maps), sizes_of(d.tensors.right()))
        says.append(words)
        found = change(found)
    for part in (found, {m: percent(o) for m, o in maps.items()} if kind.startswith("source") else found):
        must_differ(max(abs(part[m] - percent(o)) for m, o in d.tensors.right().items()), 0.2)
    return shares(d, found, tuple(says), " + ".join(w[0] for w in says))


# -- spectra ------------------------------------------------------------------------------------------------


def means(o):
    return (o.double().flatten(2).mean(2) if o.ndim > 2 else o.double()).numpy()


def reduced(d):
    """(words, output -> features): another reduction of the maps."""
    flat = lambda o: o.double().flatten(2) if o.ndim > 2 else o.double()[:, :, None]  # noqa: E731
    return d.one(
        (
            (("maximum", "largest value"), lambda o: flat(o).amax(2).numpy()),
            (("sum",), lambda o: flat(o).sum(2).numpy()),
            (("first position", "one position"), lambda o: flat(o)[:, :, 0].numpy()),
            (("median",), lambda o: flat(o).median(2).values.numpy()),
            (("deviation",), lambda o: flat(o).std(2, unbiased=False).numpy()),
            (("smallest value", "minimum"), lambda o: flat(o).amin(2).numpy()),
            (("middle position", "one position"), lambda o: flat(o)[:, :, flat(o).shape[2] // 2].numpy()),
        )
    )


def spectrum_of(x):
    values = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2 / len(x)
    return np.pad(values, (0, max(0, x.shape[1] - len(values))))


def matrices(d):
    """(words, features -> eigenvalues): another matrix."""
    size = int(d.one((16, 20, 32, 50, 64)))
    eig = lambda a: np.sort(np.linalg.eigvalsh(a))[::-1]  # noqa: E731
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)  # noqa: E731

    def averaged(x):
        return eig(np.mean([np.cov(x[i : i + size].T, bias=True) for i in range(0, len(x), size)], axis=0))

    return d.one(
        (
            (("not centred",), lambda x: eig(x.T @ x / len(x))),
            (("not divided",), lambda x: spectrum_of(x) * len(x)),
            (("square roots",), lambda x: np.sqrt(spectrum_of(x))),
            (("correlation",), lambda x: eig(np.nan_to_num(np.corrcoef(x.T)))),
            (("averaged over the batches", "averaged over batches"), averaged),
            (("unit length", "length 1", "normalised to"), lambda x: spectrum_of(unit(x))),
            (("centred by image", "over the channels", "centred over"), lambda x: spectrum_of(x - x.mean(1, keepdims=True))),
            (("cumulative", "running sum", "added up"), lambda x: np.cumsum(spectrum_of(x))),
            (("largest value of its channel", "0 to 1", "scaled to"), lambda x: spectrum_of((x - x.min(0)) / np.maximum(np.ptp(x, axis=0), 1e-12))),
            (("share", "total variance"), lambda x: spectrum_of(x) / spectrum_of(x).sum()),
            (("deviations of the whole", "one deviation", "standardised"), lambda x: spectrum_of((x - x.mean()) / x.std())),
        )
    )  # fmt: skip


def spectra_finished(d, names, sizes):
    kind = d.one(("factor", "factor", "round"))
    if kind == "factor":
        words, by = factors(d, names, sizes)
        if by is None:
            words, by = ("200 x 200", "twice", "0.005", "number of images"), dict.fromkeys(names, 1 / 200)
        return words, lambda f: {m: np.asarray(v) * by[m] for m, v in f.items()}
    decimals = int(d.one((0, 1, 2)))
    of = d.one((np.round, lambda v, n: np.floor(v * 10**n) / 10**n))
    return ("rounded",), lambda f: {m: of(np.asarray(v), decimals) for m, v in f.items()}


def spectra(d, found, says, what):
    k = int(d.one((5, 10, 20, 64)))
    right = {m: spectrum_of(means(o)) for m, o in d.tensors.right().items()}
    document = read(d.world.reference / "eigenvalues.json")
    own = document["series"][0]
    modules = {m: {"values": np.asarray(v, dtype=float)[:k].tolist()} for m, v in found.items()}
    off = [np.abs(np.array(modules[m]["values"]) - right[m][:k]).max() / right[m][0] for m in modules]
    must_differ(max(off), 0.01)
    if (
        max(
            abs(a / (b * 200 / 199) - 1) for m in modules for a, b in [(modules[m]["values"][0], right[m][0])]
        )
        < 2e-3
    ):
        raise Redraw
    document = document | {"series": [own | {"modules": modules}, *document["series"][1:]]}
    return Entry({"eigenvalues": document}, (SPECTRA,), says, what)


def _tuned(d):
    return d.tensors.right()


@family("spectra: looked into", 6)
def _spectra_source(d):
    words, maps = sources(d)
    return spectra(d, {m: spectrum_of(means(o)) for m, o in maps.items()}, (words,), f"source {words[0]}")


@family("spectra: features", 5)
def _spectra_features(d):
    words, of = reduced(d)
    return spectra(d, {m: spectrum_of(of(o)) for m, o in _tuned(d).items()}, (words,), f"features {words[0]}")


@family("spectra: matrix", 6)
def _spectra_matrix(d):
    words, of = matrices(d)
    return spectra(d, {m: of(means(o)) for m, o in _tuned(d).items()}, (words,), f"matrix {words[0]}")


@family("spectra: factor, rounding", 5)
def _spectra_finished(d):
    maps = _tuned(d)
    words, change = spectra_finished(d, list(maps), sizes_of(maps))
    return spectra(
        d, change({m: spectrum_of(means(o)) for m, o in maps.items()}), (words,), f"finished {words[0]}"
    )


@family("spectra: pairs", 14)
def _spectra_pairs(d):
    kind = d.one(
        ("source matrix", "features matrix", "matrix finished", "source finished", "features finished")
    )
    maps, says, of, matrix = _tuned(d), [], means, spectrum_of
    if "source" in kind:
        words, maps = sources(d)
        says.append(words)
    if "features" in kind:
        words, of = reduced(d)
        says.append(words)
    if "matrix" in kind:
        words, matrix = matrices(d)
        says.append(words)
    found = {m: matrix(of(o)) for m, o in maps.items()}
    if "finished" in kind:
        words, change = spectra_finished(d, list(maps), sizes_of(_tuned(d)))
        says.append(words)
        found = change(found)
    return spectra(d, found, tuple(says), " + ".join(w[0] for w in says))
