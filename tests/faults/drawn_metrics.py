"""Random mistakes of metrics and of rankings."""

import numpy as np
from faults.drawn import Entry, Redraw, family, must_differ
from faults.world import read
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    roc_auc_score,
)

KINDS = ("accuracy", "mean_accuracy", "map", "accuracy_per_class", "ap_per_class")
CHECKS = {"accuracy": "metrics_accuracy", "mean_accuracy": "metrics_accuracy_per_class", "map": "metrics_map",
          "accuracy_per_class": "metrics_accuracy_per_class", "ap_per_class": "metrics_average_precision"}  # fmt: skip


def figures(labels, scores):
    """kind -> right figures, of one set."""
    chosen = scores.argmax(1)
    recall = [(chosen[labels == c] == c).mean() for c in range(6)]
    ap = [average_precision_score(labels == c, scores[:, c]) for c in range(6)]
    return {"accuracy": (chosen == labels).mean(), "mean_accuracy": np.mean(recall), "map": np.mean(ap),
            "accuracy_per_class": np.array(recall), "ap_per_class": np.array(ap)}  # fmt: skip


def sets(d):
    world = d.world
    if "_drawn_sets" not in world.__dict__:
        val = np.load(world.reference / "scores_val.npy").astype(np.float64)
        world._drawn_sets = {
            "test": (world.labels, world.scores),
            "val": (world.labels_of(world.split["val"]), val),
        }
    return world._drawn_sets


def ap_of(how, y, s):
    precision, recall, _ = precision_recall_curve(y, s)
    if how == "trapezoids":
        return -np.trapezoid(precision[::1], recall)
    if how == "11 points":
        return np.mean([precision[recall >= r].max() for r in np.linspace(0, 1, 11)])
    if how == "101 points":
        return np.mean([precision[recall >= r].max() for r in np.linspace(0, 1, 101)])
    envelope = np.maximum.accumulate(precision)
    return -np.sum(np.diff(recall) * envelope[:-1])


def definitions(d):
    """(words, kinds, (labels, scores) -> {kind: figures}): another definition."""
    k, size = int(d.one((2, 3))), int(d.one((16, 20, 32, 50, 64)))
    how = d.one(("trapezoids", "11 points", "101 points", "envelope"))
    logit = lambda s: np.log(np.maximum(s, 1e-12))  # noqa: E731

    def each(of, kind, mean):
        def made(y, s):
            values = np.array([of(y, s, c) for c in range(6)])
            return {kind: values, mean: values.mean()}

        return made

    def aps(of):
        return each(of, "ap_per_class", "map")

    def accuracies(of):
        return each(of, "accuracy_per_class", "mean_accuracy")

    def batches(y, s):
        found = [figures(y[i : i + size], s[i : i + size]) for i in range(0, len(y) // size * size, size)]
        return {"accuracy": np.mean([f["accuracy"] for f in found])}

    def last_weighted(y, s):
        means = [(s[i : i + size].argmax(1) == y[i : i + size]).mean() for i in range(0, len(y), size)]
        return {"accuracy": np.average(means, weights=np.arange(1, len(means) + 1))}

    def cohen(y, s):
        a, p = (s.argmax(1) == y).mean(), sum((y == c).mean() * (s.argmax(1) == c).mean() for c in range(6))
        return {"accuracy": (a - p) / (1 - p)}

    return d.one(
        (
            (("trapezoid", "11 points", "101 points", "envelope", "interpolat"), aps(lambda y, s, c: ap_of(how, y == c, s[:, c]))),
            (("F1",), lambda y, s: {"accuracy": f1_score(y, s.argmax(1), average="macro")}),
            ((f"top {k}", f"top-{k}", f"{k} highest"), lambda y, s: {"accuracy": np.mean([y[i] in np.argsort(-s[i])[:k] for i in range(len(y))])}),
            (("adjusted", "chance"), lambda y, s: {"mean_accuracy": (figures(y, s)["mean_accuracy"] - 1 / 6) / (1 - 1 / 6)}),
            (("kappa",), cohen),
            (("threshold", "0.5"), accuracies(lambda y, s, c: (s[y == c, c] > 0.5).mean())),
            (("precision",), accuracies(lambda y, s, c: precision_score(y == c, s.argmax(1) == c, zero_division=0))),
            (("last class", "five", "left out"), lambda y, s: {"map": figures(y, s)["ap_per_class"][:5].mean()}),
            (("last class", "five", "left out"), lambda y, s: {"mean_accuracy": figures(y, s)["accuracy_per_class"][:5].mean()}),
            (("median",), lambda y, s: {"map": np.median(figures(y, s)["ap_per_class"])}),
            (("last batch", "whole batches"), batches),
            (("weight",), last_weighted),
            (("pooled",), lambda y, s: {"map": average_precision_score(np.eye(6)[y].ravel(), s.ravel())}),
            (("weighted",), lambda y, s: {"map": average_precision_score(np.eye(6)[y], s, average="weighted")}),
            (("ROC",), aps(lambda y, s, c: roc_auc_score(y == c, s[:, c]))),
            (("predicted classes",), aps(lambda y, s, c: average_precision_score(y == c, s.argmax(1) == c))),
            (("mean score", "mean probability", "confidence"), lambda y, s: {"accuracy": s[np.arange(len(y)), y].mean()}),
            (("largest score", "confidence"), lambda y, s: {"accuracy": s.max(1).mean()}),
            (("7 classes", "by 7", "divided by"), lambda y, s: {"map": figures(y, s)["ap_per_class"].sum() / 7}),
            (("order", "rank", "logit"), lambda y, s: {"map": np.mean([average_precision_score(y == c, logit(s)[:, c] / np.abs(logit(s)).sum(1)) for c in range(6)])}),
        )
    )  # fmt: skip


def looked_up(d):
    """(words, set -> {kind: figures}): figures of something else."""
    kind = d.one(("set", "epoch", "class", "run", "exchange"))
    own = {n: figures(*v) for n, v in sets(d).items()}
    if kind == "set":
        other = {"test": "val", "val": "test"}
        picked = d.one(
            (("accuracy",), ("map",), ("accuracy_per_class", "mean_accuracy"), ("ap_per_class", "map"), KINDS)
        )
        return ("another set",), lambda name: {k: own[other[name]][k] for k in picked}
    if kind in ("epoch", "run"):
        runs = [read(f) for f in sorted((d.world.reference / "history").glob("*.json"))]
        runs = [r for r in runs if bool(r.get("kept")) == (kind == "epoch")] or runs
        epoch = d.one(d.one(runs)["epochs"][:-1])
        return (
            "epoch",
        ), lambda name: {"map": epoch["val_map"], "accuracy": epoch["val_accuracy"]} if name == "val" else {}
    if kind == "class":
        order = d.rng.permutation(6)
        if (order == np.arange(6)).all():
            raise Redraw
        picked = d.one(("accuracy_per_class", "ap_per_class"))
        return ("classes are in another order", "another class", "other classes"), lambda name: {
            picked: own[name][picked][order]
        }
    return ("another measure", "mAP"), lambda name: {
        "map": own[name]["mean_accuracy"],
        "mean_accuracy": own[name]["map"],
    }


def rounding(d):
    """(words, value -> value)."""
    digits = int(d.one((1, 2)))
    how, of = d.one((("down", np.floor), ("up", np.ceil), ("round", np.round)))
    if how == "round":
        digits = 1
    return ("rounded", how), lambda v: np.asarray(of(np.asarray(v) * 10**digits) / 10**digits)


def reported(d, changed, says, what):
    """changed: set -> {kind: figures}."""
    document, off, checks = read(d.world.reference / "metrics.json"), [], {}
    for name, table in changed.items():
        right = figures(*sets(d)[name])
        for kind, value in table.items():
            differs = float(np.abs(np.asarray(value) - right[kind]).max())
            off.append(differs)
            if differs > 6e-3:
                checks[CHECKS[kind]] = True
            if np.ndim(value):
                document[name][kind] = {c: float(v) for c, v in zip(d.world.classes, value, strict=True)}
            else:
                document[name][kind] = float(value)
    must_differ(max(off, default=0.0), 6e-3)
    return Entry({"metrics": document}, tuple(checks), says, what)


@family("metrics: definitions", 10)
def _definitions(d):
    words, of = definitions(d)
    return reported(d, {n: of(*v) for n, v in sets(d).items()}, (words,), f"definition {words[0]}")


@family("metrics: which figure", 8)
def _looked_up(d):
    words, of = looked_up(d)
    return reported(d, {n: of(n) for n in sets(d)}, (words,), f"figure of {words[0]}")


@family("metrics: rounding", 4)
def _rounding(d):
    words, of = rounding(d)
    picked = d.one((KINDS, ("accuracy_per_class", "mean_accuracy"), ("ap_per_class", "map")))
    right = {n: figures(*v) for n, v in sets(d).items()}
    return reported(
        d, {n: {k: of(right[n][k]) for k in picked} for n in right}, (words,), f"rounding {words}"
    )


@family("metrics: pairs", 12)
def _pairs(d):
    kind = d.one(("definition set", "definition rounding", "definition class", "definition factor"))
    words, of = definitions(d)
    tables, says = {n: of(*v) for n, v in sets(d).items()}, [words]
    right = figures(*sets(d)["test"])
    must_differ(max(float(np.abs(np.asarray(v) - right[k]).max()) for k, v in tables["test"].items()), 6e-3)
    if "set" in kind:
        tables = {"test": tables["val"]}
        says.append(("another set",))
    elif "rounding" in kind:
        if sum(np.size(v) for v in tables["test"].values()) < 3:
            raise Redraw  # one figure of a digit or two is that of many things
        more, of = rounding(d)
        says.append(more)
        tables = {n: {k: of(v) for k, v in t.items()} for n, t in tables.items()}
    elif "factor" in kind:
        factor, said = d.one(((5 / 6, "5/6"), (6 / 5, "6/5"), (0.5, "0.5"), (1 / 6, "1/6")))
        says.append((said, f"{factor:.3g}", "divided by", "factor"))
        tables = {n: {k: np.asarray(v) * factor for k, v in t.items()} for n, t in tables.items()}
    else:
        order = np.roll(np.arange(6), int(d.one((1, 2, -1))))
        tables = {n: {k: v[order] for k, v in t.items() if np.ndim(v)} for n, t in tables.items()}
        says.append(("classes are in another order", "another class", "other classes"))
    return reported(d, tables, tuple(says), f"{words[0]} + {kind}")


# -- rankings -----------------------------------------------------------------------------------------------


def values(d):
    """(words, (scores, column, labels) -> values): what images were ranked by."""
    log = lambda s: np.log(np.maximum(s, 1e-30))  # noqa: E731
    others = lambda s, c: np.delete(s, c, axis=1)  # noqa: E731
    paths = np.array(d.world.split["test"])
    return d.one(
        (
            (("margin",), lambda s, c, y: s[:, c] - others(s, c).max(1)),
            (("entropy",), lambda s, c, y: -(s * log(s)).sum(1)),
            (("text", "as texts"), lambda s, c, y: np.argsort(np.argsort([f"{v}" for v in s[:, c].astype(np.float32)]))),
            (("largest score of any class",), lambda s, c, y: s.max(1)),
            (("another class",), lambda s, c, y: s[:, (c + 1) % 6]),
            (("logit", "log odds", "log of the score"), lambda s, c, y: log(s)[:, c] - log(s).mean(1)),
            (("loss", "true class"), lambda s, c, y: s[np.arange(len(s)), y]),
            (("images of the class", "of the class only"), lambda s, c, y: np.where(y == c, s[:, c], np.nan)),
            (("exchanged",), lambda s, c, y: -s[:, c]),
            (("path", "first and last images of the list"), lambda s, c, y: -np.argsort(np.argsort(paths)).astype(float)),
            (("rounded", "digits"), lambda s, c, y: np.round(s[:, c], 1) - 1e-9 * np.arange(len(s))),
            (("classified as it", "classified as the class"), lambda s, c, y: np.where(s.argmax(1) == c, s[:, c], np.nan)),
            (("absolute", "0.5", "certain"), lambda s, c, y: np.abs(s[:, c] - 0.5)),
        )
    )  # fmt: skip


def ranked(d, value_of, says, what, change=lambda sides: sides, beside=True):
    scores, labels, paths = d.world.scores, d.world.labels, d.world.split["test"]
    document = {}
    for name in read(d.world.reference / "ranking.json"):
        c = d.world.classes.index(name)
        value = np.asarray(value_of(scores, c, labels), dtype=float)
        order = [i for i in np.argsort(-value, kind="stable") if np.isfinite(value[i])]
        sides = change({"top": order[:10], "bottom": order[::-1][:10]})
        document[name] = {
            side: [[paths[i], float(scores[i, c])] if beside else paths[i] for i in chosen]
            for side, chosen in sides.items()
        }
        right = [paths[i] for i in np.argsort(-scores[:, c], kind="stable")[:10]]
        must_differ(sum(a != b for a, b in zip(right, [paths[i] for i in sides["top"]], strict=False)), 4)
    return Entry({"ranking": document}, ("ranking_order",), says, what)


@family("rankings: by another value", 8)
def _rankings(d):
    words, of = values(d)
    return ranked(d, of, (words,), f"by {words[0]}", beside=bool(d.rng.random() < 0.5))


@family("rankings: pairs", 6)
def _ranking_pairs(d):
    words, of = values(d)
    if words[0] in ("exchanged", "loss"):
        raise Redraw  # twice is none, and the loss is a score turned round
    change, said = d.one(
        (
            (lambda s: {"top": s["bottom"], "bottom": s["top"]}, ("exchanged",)),
            (
                lambda s: {"top": s["top"], "bottom": s["top"][::-1]},
                ("bottom of the top", "bottom is the bottom"),
            ),
        )
    )
    return ranked(d, of, (words, said), f"by {words[0]} + {said[0]}", change)
