"""Right work in other forms, drawn at random: no check that looks at it may cost a point, and no mistake is named."""

import numpy as np
from faults.drawn import Entry, family
from faults.drawn_inside import SHARES, SPECTRA
from faults.drawn_metrics import figures, sets
from faults.world import read

METRICS = ("metrics_accuracy", "metrics_accuracy_per_class", "metrics_average_precision", "metrics_map")


def fewer(d, value, least):
    digits = int(d.one(range(least, 8)))
    return float(np.round(value, digits))


@family("right: shares", 14)
def _shares(d):
    """Other modules, other images, figures of few digits, in any order."""
    names = ["conv1", "bn1", "maxpool", "layer1", "layer1.0.conv1", "layer1.1.bn1", "layer2", "layer2.0.conv1", "layer2.1",
             "layer3", "layer3.0.bn1", "layer3.1", "layer4", "layer4.0.conv1", "avgpool"]  # fmt: skip
    picked = [names[i] for i in d.rng.permutation(len(names))[: int(d.one((6, 7, 9)))]]
    everything = [p for name in ("val", "test", "train") for p in d.world.split[name]]
    own = d.rng.random() < 0.7
    paths = (
        d.world.statistics_paths() if own else tuple(everything[int(i)] for i in d.rng.permutation(352)[:200])
    )
    maps = d.tensors.of(modules=picked, paths=paths)
    digits = int(d.one((1, 2, 3, 7)))
    table = {m: round(100 * float((o <= 0).double().mean()), digits) for m, o in maps.items()}
    return Entry(
        {"non_positive": {"images": list(paths), "percent": table}}, (SHARES,), (), f"{digits} digits"
    )


@family("right: spectra", 12)
def _spectra(d):
    """Divided by N or N - 1, any number of them, few digits."""
    document = read(d.world.reference / "eigenvalues.json")
    by, k, digits = d.one((1, 200 / 199)), int(d.one((5, 12, 40))), int(d.one((3, 4, 6)))

    def rewritten(series):
        modules = {
            m: {"values": [float(f"{by * v:.{digits}g}") for v in entry["values"][:k]]}
            for m, entry in series["modules"].items()
        }
        return {key: v for key, v in series.items() if key != "modules"} | {"modules": modules}

    found = document | {"series": [rewritten(series) for series in document["series"]]}
    return Entry({"eigenvalues": found}, (SPECTRA,), (), f"{by} {k} {digits}")


@family("right: metrics", 16)
def _metrics(d):
    """Of scores in float32, with few digits, in per cent, with noise of another machine."""
    document = read(d.world.reference / "metrics.json")
    digits, per_cent = int(d.one((3, 4, 5, 7, 12))), d.rng.random() < 0.4
    for name, (y, s) in sets(d).items():
        noisy = (s + d.rng.uniform(-2e-7, 2e-7, s.shape)).astype(np.float32)
        found = figures(y, noisy)
        of = (
            (lambda v: round(100 * float(v), digits - 2)) if per_cent else (lambda v: round(float(v), digits))
        )
        for kind, value in found.items():
            document[name][kind] = (
                dict(zip(d.world.classes, map(of, value), strict=True)) if np.ndim(value) else of(value)
            )
    return Entry({"metrics": document}, METRICS, (), f"{digits} {per_cent}")


@family("right: scores", 14)
def _scores(d):
    """Other batches, noise of another machine, float64, four digits."""
    scores = (
        d.world.predicted(batch_size=int(d.one((1, 7, 16, 32, 100))))
        if d.rng.random() < 0.5
        else d.world.scores
    )
    scores = np.clip(scores + d.rng.uniform(-1e-5, 1e-5, scores.shape), 0, 1)
    scores /= scores.sum(axis=1, keepdims=True)  # softmax sums to 1 on every machine
    if d.rng.random() < 0.4:
        scores = np.round(scores, int(d.one((4, 5))))
    kind = d.one((np.float32, np.float64))
    return Entry(
        {"scores": scores.astype(kind)}, ("scores_reproduce", "scores_are_probabilities"), (), kind.__name__
    )


@family("right: rankings", 8)
def _rankings(d):
    """More or fewer, either way round, with scores or without."""
    k, backwards, beside = int(d.one((10, 12, 20))), d.rng.random() < 0.5, d.rng.random() < 0.5
    names = [d.world.classes[i] for i in d.rng.permutation(6)[: int(d.one((2, 3, 6)))]]
    document = {}
    for name in names:
        own = d.world.scores[:, d.world.classes.index(name)]
        order = np.argsort(-own, kind="stable")
        sides = {"top": order[:k], "bottom": order[-k:] if backwards else order[::-1][:k]}
        document[name] = {
            side: [
                [d.world.split["test"][i], float(own[i])] if beside else d.world.split["test"][i]
                for i in chosen
            ]
            for side, chosen in sides.items()
        }
    return Entry(
        {"ranking": document}, ("ranking_complete", "ranking_from_test_set", "ranking_order"), (), f"{k}"
    )
