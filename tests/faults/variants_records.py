"""Correct metrics, histories and rankings in other forms; each must get full marks."""

import shutil

import numpy as np
from faults.catalogue import variant
from faults.world import edit, forget, read, replace, table


@variant()
def figures_in_percent_with_two_decimals(folder, world):
    def percent(value):
        if isinstance(value, dict):
            return {k: percent(v) for k, v in value.items()}
        return round(100 * value, 2) if isinstance(value, float) else value

    keys = ("accuracy", "accuracy_per_class", "mean_accuracy", "ap_per_class", "map")
    edit(folder / "metrics.json", lambda d: {s: {k: percent(d[s][k]) for k in keys} for s in d})


@variant()
def metrics_as_one_flat_table(folder, world):
    document = read(folder / "metrics.json")
    (folder / "metrics.json").unlink()
    forget(folder, "metrics")
    flat = {}
    for name, t in document.items():
        flat |= {
            f"{name}_acc": t["accuracy"],
            f"{name}_mAP": t["map"],
            f"{name} mean class accuracy": t["mean_accuracy"],
        }
        flat |= {f"{name}_acc_{c}": v for c, v in t["accuracy_per_class"].items()}
        flat |= {f"{name} AP {c}": v for c, v in t["ap_per_class"].items()}
    replace(folder / "resultater.json", flat)


@variant()
def histories_as_tables_with_other_names(folder, world):
    keys = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "train_map", "val_map")
    for file in sorted((folder / "history").glob("*.json")):
        lines = [
            [i, *(e[k] * (100 if "accuracy" in k else 1) for k in keys)]
            for i, e in enumerate(read(file)["epochs"])
        ]
        head = ("epoch", "Train Loss", "Val Loss", "train acc", "val acc", "train mAP", "val mAP")
        replace(folder / "logger" / f"{file.stem}.csv", table(head, *lines, delimiter=";"))
    shutil.rmtree(folder / "history")
    forget(folder, "history")


@variant()
def settings_of_another_optimiser_and_schedule(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(
            file,
            lambda run: (
                run
                | {"settings": run["settings"] | {"optimizer": "adam", "schedule": "cosine", "dropout": 0.1}}
            ),
        )


@variant()
def best_of_its_own_run_by_accuracy(folder, world):
    for file in (folder / "history").glob("*.json"):
        run = read(file)
        if run.get("kept"):
            best = run["epochs"][run["best_epoch"] - 1]
            other = (run["best_epoch"] - 2) % len(run["epochs"])
            run["epochs"][other]["val_map"] = min(1.0, best["val_map"] + 0.004)
            for epoch in run["epochs"]:
                if epoch is not best:
                    epoch["val_accuracy"] = min(epoch["val_accuracy"], best["val_accuracy"] - 0.001)
            replace(file, run)


@variant()
def ranking_of_paths_only_with_the_bottom_ascending_or_descending(folder, world):
    edit(
        folder / "ranking.json",
        lambda d: {
            c: {"top": [p for p, _ in t["top"]], "bottom": [p for p, _ in t["bottom"]][::-1]}
            for c, t in d.items()
        },
    )


@variant()
def ranking_as_a_table(folder, world):
    document = read(folder / "ranking.json")
    (folder / "ranking.json").unlink()
    forget(folder, "ranking")
    lines = [(c, f"{s}10", p, v) for c, t in document.items() for s, entries in t.items() for p, v in entries]
    replace(folder / "topp og bunn.csv", table(("class", "which", "path", "score"), *lines))


@variant()
def ranking_of_all_classes(folder, world):
    paths = world.split["test"]

    def change(document):
        for i, c in enumerate(world.classes):
            order = np.argsort(-world.scores[:, i], kind="stable")
            document[c] = {"top": [[paths[j], world.scores[j, i]] for j in order[:10]],
                           "bottom": [[paths[j], world.scores[j, i]] for j in order[::-1][:10]]}  # fmt: skip

    edit(folder / "ranking.json", change)
