"""Forgeries: what costs nothing to make earns at most what is stated, of the requirements that it touches."""

import os

import numpy as np
import torch
from faults.catalogue import forgery
from faults.world import edit, read, replace, write_rows
from PIL import Image

from in4310.solution import metrics

TRAINING = ("network_start", "three_settings", "history_complete", "best_on_validation", "loss_curves")
SPECTRA = ("eigenvalues_valid", "eigenvalues_recomputed", "comparison_complete", "comparison_recomputed")
SHARES = ("modules_named", "non_positive_in_range", "non_positive_recomputed")


def runs(folder):
    """The files of the history, the kept run first."""
    return sorted((folder / "history").glob("*.json"), key=lambda f: not read(f).get("kept"))


def untrained(folder, world):
    """The network before training as the one after it, and what that really gives on validation as the best epoch."""
    (folder / "model.pth").unlink()
    os.link(world.reference / "untuned.pth", folder / "model.pth")
    (folder / "scores_val.npy").unlink()
    (folder / "scores_test.npy").unlink()
    for name in ("val", "test"):
        replace(folder / f"scores_{name}.npy", world.predicted(world.split[name], model=world.untuned))
    paths = world.split["val"]
    found = metrics.evaluate(world.labels_of(paths), np.load(folder / "scores_val.npy"), world.classes)
    return found


@forgery(0, *TRAINING)
def untrained_network_history_of_another(folder, world):
    untrained(folder, world)


@forgery(0, *TRAINING)
def untrained_network_best_epoch_is_its_own(folder, world):
    found = untrained(folder, world)
    world.set_best(folder, found.map, found.accuracy, 1.8)


@forgery(0, *TRAINING)
def untrained_network_all_figures_are_its_own(folder, world):
    """U3: random weights, and all that is computed of them is right."""
    found = untrained(folder, world)
    world.set_best(folder, found.map, found.accuracy, 1.8)
    for file in runs(folder):
        edit(file, lambda run: [e.update(train_accuracy=0.2, train_map=0.2) for e in run["epochs"]] and None)


@forgery(0, *TRAINING)
def network_of_noise(folder, world):
    """U3: random weights beside an invented history."""
    untrained(folder, world)
    noise = torch.Generator().manual_seed(4)
    state = {
        k: torch.randn(v.shape, generator=noise) * 0.02 if k.endswith("weight") and v.ndim > 1 else v
        for k, v in world.untuned.state_dict().items()
    }
    (folder / "model.pth").unlink()
    torch.save(state, folder / "model.pth")


@forgery(4, "scores_shape", "scores_are_probabilities", "comparison_recorded", "ranking_complete", "ranking_from_test_set",
         "ranking_order", "comparison_complete")  # fmt: skip
def untrained_network_and_scores_of_thin_air(folder, world):
    """Only its own comparison is as that of others."""
    untrained(folder, world)
    right = np.eye(len(world.classes))[world.labels]
    replace(
        folder / "scores_test.npy", (0.8 * right + 0.2 / 6 + 1e-3 * np.arange(6) - 2.5e-3).astype(np.float32)
    )


@forgery(0, "comparison_recorded")
def a_comparison_without_code(folder, world):
    (folder / "run.py").unlink()


@forgery(2, "ranking_order")
def scores_beside_the_images_of_thin_air(folder, world):
    edit(
        folder / "ranking.json",
        lambda found: {
            c: {side: [[path, 0.123] for path, _ in entries] for side, entries in table.items()}
            for c, table in found.items()
        },
    )


@forgery(2, "ranking_order")
def one_class_is_ranked(folder, world):
    edit(folder / "ranking.json", lambda found: dict(list(found.items())[:1]))


@forgery(2.4, "ranking_order")
def three_images_of_ten_are_ranked(folder, world):
    edit(
        folder / "ranking.json",
        lambda found: {c: {side: e[:3] for side, e in table.items()} for c, table in found.items()},
    )


@forgery(0, "loss_curves")
def losses_of_thin_air(folder, world):
    for file in runs(folder):
        edit(
            file,
            lambda run: [e.update(val_loss=1.3 + 0.1 * (e["epoch"] % 3)) for e in run["epochs"]] and None,
        )


@forgery(0, "three_settings")
def settings_by_name_only(folder, world):
    for i, file in enumerate(runs(folder)):
        edit(
            file,
            lambda run: {
                "epochs": [{k: v for k, v in e.items() if k != "learning_rate"} for e in run["epochs"]]
            },
        )
        file.rename(file.with_name(f"run {i}.json"))


def invented(epochs, best, generator):
    """Figures that rise to those of the best epoch, as somebody draws them."""
    rising = np.linspace(0.4, 1, epochs)
    return [
        {
            "train_loss": 2 - 1.8 * t,
            "val_loss": best["val_loss"] + 1.2 * (1 - t),
            **{f"train_{name}": 0.95 * t for name in ("accuracy", "map")},
            **{
                f"val_{name}": best[f"val_{name}"] * t - generator.uniform(0, 0.02)
                for name in ("accuracy", "map")
            },
        }
        for t in rising
    ]


@forgery(7.2, "three_settings", "history_complete", "best_on_validation", "loss_curves")
def history_invented_but_for_the_best_epoch(folder, world):
    generator = np.random.default_rng(3)
    kept, *others = runs(folder)
    best = next(e for e in read(kept)["epochs"] if e["epoch"] == read(kept)["best_epoch"])
    drawn = [*invented(10, best, generator)[:-1], {k: v for k, v in best.items() if k != "epoch"}]
    edit(
        kept,
        lambda run: {
            "settings": run["settings"],
            "epochs": [{"epoch": i, **e} for i, e in enumerate(drawn, 1)],
        },
    )
    for file in others:
        epochs = [{"epoch": i, **e} for i, e in enumerate(invented(10, best, generator), 1)]
        edit(file, lambda run, epochs=epochs: {"settings": run["settings"], "epochs": epochs})


@forgery(3.2, "three_settings", "history_complete", "loss_curves")
def other_settings_are_noise_on_the_one_that_was_trained(folder, world):
    generator = np.random.default_rng(3)
    kept, *others = runs(folder)
    for file in others:
        epochs = [e | {k: max(0.0, e[k] * generator.uniform(0.9, 1)) for k in e if k[:3] in ("val", "tra") and type(e[k]) is float}
                  for e in read(kept)["epochs"]]  # fmt: skip
        edit(file, lambda run, epochs=epochs: {"settings": run["settings"], "epochs": epochs})


@forgery(0, "three_settings")
def settings_that_differ_in_results_and_in_what_a_logger_adds(folder, world):
    for i, file in enumerate(runs(folder)):
        said = {
            "best_val_map": 0.9 + i / 100,
            "pid": 100 + i,
            "git_commit": "abc"[i % 3],
            "wandb_url": f"x/{i}",
        }
        edit(file, lambda run, said=said: run | {"settings": {"learning_rate": 0.01} | said})


@forgery(0, "memory_limit")
def memory_of_a_smaller_batch(folder, world):
    edit(folder / "resources.json", lambda found: found | {"peak_memory_bytes": 140 * 2**20})


@forgery(0, "split_seed")
def a_seed_that_gives_another_split(folder, world):
    text = (folder / "submission.toml").read_text()
    replace(folder / "submission.toml", text.replace("seed = 42", "seed = 7"))


@forgery(4, "split_disjoint_by_name", "split_disjoint_by_content", "split_paths_relative")
def a_training_set_without_images(folder, world):
    write_rows(folder, "train", [])


@forgery(3.4, "history_complete")  # five of six measures of 4 points
def history_without_accuracy_in_training(folder, world):
    for file in runs(folder):
        edit(file, lambda run: [e.pop("train_accuracy") for e in run["epochs"]] and None)


def settings_as(folder, change):
    kept = read(runs(folder)[0])["settings"]
    for i, file in enumerate(runs(folder)):
        edit(file, lambda run, i=i: run | {"settings": change(dict(kept), i)})


def register_settings(word, value):
    def same_settings(folder, world):
        settings_as(folder, lambda kept, i: kept | {word: value(i)})

    same_settings.__name__ = f"settings_that_differ_in_{word}"
    forgery(0, "three_settings")(same_settings)


for _word, _value in (
    ("seed", lambda i: i),
    ("note", "try {}".format),
    ("run_name", "run-{}".format),
    ("output_dir", "runs/{}".format),
    ("logFolder", "logs/{}".format),
    ("random_seed", lambda i: 40 + i),
    ("comment", "number {}".format),
):
    register_settings(_word, _value)


@forgery(0, "three_settings")
def one_curve_under_other_rates(folder, world):
    kept = read(runs(folder)[0])
    for i, file in enumerate(runs(folder)):
        epochs = [e | {"val_loss": e["val_loss"] + 1e-6 * i} for e in kept["epochs"]]
        replace(
            file,
            kept
            | {"kept": i == 0, "settings": kept["settings"] | {"learning_rate": 0.1**i}, "epochs": epochs},
        )


@forgery(0, "three_settings")
def other_settings_are_the_start_of_the_one_that_was_trained(folder, world):
    kept, *others = runs(folder)
    for i, file in enumerate(others, 1):
        epochs = read(kept)["epochs"][: -2 * i]
        replace(file, {"settings": read(kept)["settings"] | {"learning_rate": 0.1 * i}, "epochs": epochs})


@forgery(0, "three_settings")
def other_settings_stand_still(folder, world):
    for file in runs(folder)[1:]:
        first = read(file)["epochs"][0]
        edit(file, lambda run, first=first: run | {"epochs": [first | {"epoch": i} for i in range(1, 6)]})


@forgery(0, "history_complete")
def history_of_epoch_numbers(folder, world):
    for file in runs(folder):
        edit(file, lambda run: run | {"epochs": [{"epoch": e["epoch"]} for e in run["epochs"]]})


@forgery(2.7, "history_complete")
def history_of_validation_only(folder, world):
    for file in runs(folder):
        edit(
            file,
            lambda run: (
                run | {"epochs": [{k: v for k, v in e.items() if "train" not in k} for e in run["epochs"]]}
            ),
        )


def register_spectra(name, max_points, change):
    def spectra(folder, world):
        def changed(document):
            for one in document["series"]:
                one["modules"] = change(one["modules"])

        edit(folder / "eigenvalues.json", changed)

    spectra.__name__ = name
    forgery(max_points, *SPECTRA)(spectra)


def values(entry, change):
    return {"values": change(entry["values"])}


register_spectra(
    "spectra_of_one_eigenvalue_of_one_module", 1, lambda m: {"avgpool": values(m["avgpool"], lambda v: v[:1])}
)
register_spectra(
    "spectra_of_one_eigenvalue", 4, lambda m: {n: values(e, lambda v: v[:1]) for n, e in m.items()}
)
register_spectra(
    "spectra_of_two_eigenvalues", 7.5, lambda m: {n: values(e, lambda v: v[:2]) for n, e in m.items()}
)
register_spectra("spectra_of_one_module", 4, lambda m: {"layer4": m["layer4"]})
register_spectra("spectra_of_two_modules", 7.5, lambda m: {n: m[n] for n in ("layer1", "layer4")})
register_spectra("spectra_of_no_module", 0, lambda m: {})
register_spectra("constant_spectra", 4, lambda m: {n: values(e, lambda v: [v[0]] * 10) for n, e in m.items()})


def register_series(name, max_points, keep):
    def series(folder, world):
        edit(folder / "eigenvalues.json", lambda d: d | {"series": [s for s in d["series"] if keep(s)]})

    series.__name__ = name
    forgery(max_points, "comparison_complete", "comparison_recomputed")(series)


register_series("a_comparison_of_one", 2, lambda s: s["model"] == "tuned")
register_series("a_comparison_of_two", 4, lambda s: s["data"] == "course")


@forgery(0, "comparison_complete", "comparison_recomputed")
def the_untuned_network_is_the_trained_one(folder, world):
    noise = torch.Generator().manual_seed(0)
    state = {
        k: v + 1e-4 * torch.randn(v.shape, generator=noise) if v.ndim > 1 else v
        for k, v in world.model.state_dict().items()
    }
    (folder / "untuned.pth").unlink()
    torch.save(state, folder / "untuned.pth")


@forgery(5, *SHARES)
def one_module_with_a_percentage(folder, world):
    edit(folder / "non_positive.json", lambda d: d | {"percent": dict(list(d["percent"].items())[:1])})


@forgery(5.5, *SHARES)
def modules_that_are_one_tensor(folder, world):
    percent = {
        m: float((o <= 0).float().mean() * 100) for m, o in world.hooked(modules=["layer3", "layer4"]).items()
    }
    same = {name: percent[name.split(".")[0]] for name in ("layer4", "layer4.1", "layer3", "layer3.1")}
    edit(folder / "non_positive.json", lambda d: d | {"percent": same})


@forgery(0, "feature_map_pictures")
def pictures_of_noise(folder, world):
    for i, file in enumerate(sorted((folder / "feature_maps").glob("*.png"))):
        file.unlink()
        noise = np.random.default_rng(i).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file)


@forgery(0, "feature_map_pictures")
def photographs_in_colours_of_a_map(folder, world):
    for path, file in zip(world.split["test"], sorted((folder / "feature_maps").glob("*.png")), strict=False):
        with Image.open(world.data.root / path) as picture:
            grey = picture.convert("L").resize((256, 256))
        grey.putpalette([channel for i in range(256) for channel in (i, 255 - i, 128)])
        file.unlink()
        grey.convert("RGB").save(file)
