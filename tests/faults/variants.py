"""Correct work in other forms: each must get full marks for what it hands in."""

import copy
import csv
import io
import json
import shutil
from dataclasses import replace as with_

import numpy as np
import torch
from faults.catalogue import variant
from faults.world import SETS, adapters, edit, read, replace, rows, softmax, write_rows

from in4310.solution import network
from in4310.solution.images import batches

UNSTATED = ("split_seed",)


def forget(folder, *pieces):
    """Leave places out of submission.toml: the pieces must be found."""
    lines = (folder / "submission.toml").read_text().splitlines()
    replace(
        folder / "submission.toml", "\n".join(x for x in lines if x.partition(" = ")[0] not in pieces) + "\n"
    )


def table(*lines, delimiter=","):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(lines)
    return stream.getvalue()


# -- splits --------------------------------------------------------------------------------------------


def other_split(folder, world, seed, test, val):
    sets = {name: [] for name in SETS}
    total = len(world.data.labels)
    for c in world.classes:
        own = sorted(p for p in world.data.labels if p.startswith(c + "/"))
        own = [str(p) for p in np.random.RandomState(seed).permutation(own)]
        a, b = round(test * len(own) / total), round(val * len(own) / total)
        sets["test"] += own[:a]
        sets["val"] += own[a : a + b]
        sets["train"] += own[a + b :]
    for name in SETS:
        sets[name] = [str(p) for p in np.random.RandomState(seed).permutation(sets[name])]
    world.rebuild(folder, split=sets)


def sizes(world):
    return world.edition.sizes(len(world.data.labels))


@variant()
def another_seed_and_way_of_splitting(folder, world):
    asked = sizes(world)
    other_split(folder, world, 7, asked["test"], asked["val"])


@variant()
def a_split_of_about_the_size(folder, world):
    asked = sizes(world)
    other_split(folder, world, 11, round(asked["test"] * 1.03), round(asked["val"] * 1.03))


@variant()
def split_as_text_files(folder, world):
    for name in SETS:
        paths = rows(folder, name)
        (folder / "split" / f"{name}.csv").unlink()
        replace(folder / "split" / f"{name}.txt", "\n".join(paths))


@variant()
def split_in_one_json_file(folder, world):
    sets = {name: rows(folder, name) for name in SETS}
    shutil.rmtree(folder / "split")
    replace(folder / "split.json", sets)
    forget(folder, "split")


@variant()
def split_in_one_table_with_a_column_for_the_set(folder, world):
    lines = [(p, name) for name in SETS for p in rows(folder, name)]
    shutil.rmtree(folder / "split")
    replace(folder / "oppdeling.csv", table(("path", "set"), *lines))
    forget(folder, "split")


@variant()
def split_as_numpy_texts(folder, world):
    for name in SETS:
        np.save(folder / f"{name}_paths.npy", np.array(rows(folder, name)))
    shutil.rmtree(folder / "split")
    forget(folder, "split")


@variant()
def split_with_windows_separators_and_line_ends(folder, world):
    for name in SETS:
        replace(
            folder / "split" / f"{name}.csv",
            "path\r\n" + "\r\n".join(p.replace("/", "\\") for p in rows(folder, name)),
        )


@variant()
def split_with_a_folder_before_the_class(folder, world):
    for name in SETS:
        write_rows(folder, name, [f"mandatory1_data/{p}" for p in rows(folder, name)])


@variant()
def split_tables_without_a_header(folder, world):
    for name in SETS:
        replace(
            folder / f"{name}ing.csv" if name == "train" else folder / f"{name}.csv",
            table(*[(p, world.data.labels[p]) for p in rows(folder, name)]),
        )
    shutil.rmtree(folder / "split")
    forget(folder, "split")


@variant()
def split_with_a_bom_in_utf_16(folder, world):
    for name in SETS:
        paths = rows(folder, name)
        (folder / "split" / f"{name}.csv").unlink()
        (folder / "split" / f"{name}.txt").write_text("\n".join(paths), encoding="utf-16")
    forget(folder, "split")


# -- scores --------------------------------------------------------------------------------------------


def without_scores(folder):
    (folder / "scores_test.npy").unlink()
    forget(folder, "scores")


@variant()
def scores_as_a_table_of_decimal_commas(folder, world):
    without_scores(folder)
    text = "\n".join(";".join(f"{v:.8f}".replace(".", ",") for v in row) for row in world.scores)
    replace(folder / "softmax test.csv", text)


@variant()
def scores_with_paths_and_a_header(folder, world):
    without_scores(folder)
    lines = [
        (p, *(f"{v:.7g}" for v in row)) for p, row in zip(world.split["test"], world.scores, strict=True)
    ]
    replace(folder / "test_predictions.csv", table(("filename", *world.classes), *lines))


@variant()
def scores_in_an_npz(folder, world):
    without_scores(folder)
    np.savez_compressed(folder / "results.npz", test_scores=world.scores.astype(np.float32))


@variant()
def scores_as_a_torch_tensor(folder, world):
    without_scores(folder)
    torch.save(torch.tensor(world.scores, dtype=torch.float32), folder / "test_softmax.pt")


@variant()
def scores_in_double_precision_and_fortran_order(folder, world):
    replace(folder / "scores_test.npy", np.asfortranarray(world.scores))


@variant()
def scores_as_json(folder, world):
    without_scores(folder)
    replace(folder / "test_scores.json", world.scores.tolist())


@variant()
def two_score_files(folder, world):
    shutil.copy(folder / "scores_val.npy", folder / "val_softmax_scores.npy")
    (folder / "scores_val.npy").unlink()
    (folder / "scores_test.npy").rename(folder / "test_softmax_scores.npy")
    forget(folder, "scores", "scores_val")


@variant()
def scores_computed_one_image_at_a_time(folder, world):
    world_scores = softmax(world.logits(world.split["test"], batch_size=1))
    replace(folder / "scores_test.npy", world_scores.astype(np.float32))


@variant()
def scores_computed_in_another_memory_layout(folder, world):
    scores = world.predicted(
        transform=lambda x: x.contiguous(memory_format=torch.channels_last), batch_size=37
    )
    replace(folder / "scores_test.npy", scores.astype(np.float32))


@variant()
def scores_printed_with_six_digits(folder, world):
    without_scores(folder)
    replace(folder / "scores.txt", "\n".join(" ".join(f"{v:.6f}" for v in row) for row in world.scores))


@variant()
def no_scores_of_validation(folder, world):
    (folder / "scores_val.npy").unlink()
    forget(folder, "scores_val")


# -- the network ---------------------------------------------------------------------------------------


def weights(folder, state, name="model.pth"):
    (folder / "model.pth").unlink()
    forget(folder, "model")
    torch.save(state, folder / name)


@variant()
def weights_as_safetensors(folder, world):
    from safetensors.torch import save_file

    (folder / "model.pth").unlink()
    forget(folder, "model")
    save_file(
        {k: v.contiguous().clone() for k, v in world.model.state_dict().items()},
        folder / "weights.safetensors",
    )


@variant()
def weights_of_data_parallel(folder, world):
    weights(folder, {f"module.{k}": v for k, v in world.model.state_dict().items()})


@variant()
def weights_in_a_checkpoint(folder, world):
    weights(
        folder,
        {
            "epoch": 20,
            "best_map": 0.9,
            "model_state_dict": world.model.state_dict(),
            "optimizer": {"state": {}},
        },
        "ckpt beste.tar",
    )


@variant()
def weights_inside_a_class_of_their_own(folder, world):
    weights(folder, {f"net.backbone.{k}": v for k, v in world.model.state_dict().items()})


@variant()
def weights_with_names_of_the_courses_own_network(folder, world):
    names = {
        k: k.replace("layer", "stage").replace("downsample", "shortcut") for k in world.model.state_dict()
    }
    weights(folder, {names[k]: v for k, v in world.model.state_dict().items()})


@variant()
def five_checkpoints_of_which_one_gives_the_scores(folder, world):
    weights(folder, world.model.state_dict(), "run_3.pth")
    for i, (state, _) in enumerate(world.epochs[:4]):
        torch.save(state, folder / f"best_model_{i}.pth")


@variant()
def a_checkpoint_with_the_mean_of_its_weights(folder, world):
    state = world.model.state_dict()
    noise = torch.Generator().manual_seed(0)
    raw = {
        n: v + 0.02 * v.std() * torch.randn(v.shape, generator=noise) if v.ndim > 1 else v
        for n, v in state.items()
    }
    weights(folder, {"model": raw, "model_ema": state, "epoch": 20})


@variant()
def classes_numbered_otherwise_and_said_by_name(folder, world):
    order = [5, 3, 1, 0, 2, 4]
    state = dict(world.model.state_dict())
    weights(folder, state | {n: state[n][order] for n in ("fc.weight", "fc.bias")})
    without_scores(folder)
    forget(folder, "scores_val")
    (folder / "scores_val.npy").unlink()
    header = ["path", *(world.classes[i] for i in order)]
    lines = [
        [p, *map(float, row)] for p, row in zip(world.split["test"], world.scores[:, order], strict=True)
    ]
    replace(folder / "scores_test.csv", table(header, *lines))


def halved(folder, world, dtype):
    model = world.loaded("model.pth")
    model.load_state_dict(
        {k: v.to(dtype).to(v.dtype) if v.is_floating_point() else v for k, v in model.state_dict().items()}
    )
    world.rebuild(folder, model=model)
    (folder / "model.pth").unlink()
    torch.save(
        {k: v.to(dtype) if v.is_floating_point() else v for k, v in model.state_dict().items()},
        folder / "model.pth",
    )


@variant()
def weights_in_half_precision(folder, world):
    halved(folder, world, torch.float16)


@variant()
def weights_in_bfloat16(folder, world):
    halved(folder, world, torch.bfloat16)


@variant(edition={"network": {"depths": [18, 34], "start": "any"}})
def a_deeper_network_where_the_edition_allows_it(folder, world):
    model = network.build("resnet34", 6, "none", 3)
    plan = with_(world.plan, architecture="resnet34")
    torch.manual_seed(0)
    untuned = network.build("resnet34", 6, "none", 5)
    (folder / "untuned.pth").unlink()
    torch.save(untuned.state_dict(), folder / "untuned.pth")
    # Batch-norm statistics of an untrained network are 0 and 1; one pass over images gives real ones.
    model.train()
    with torch.no_grad():
        for x, _ in batches(world.images(world.split["train"][:128]), world.plan.preprocessing, 64, "cpu"):
            model(x)
    world.rebuild(folder, model=model.eval(), plan=plan)


@variant()
def an_undertrained_network(folder, world):
    """Six steps of real training: right all through, and far below the threshold, which costs nothing in this edition."""
    torch.manual_seed(8)
    model = copy.deepcopy(world.untuned).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    shown = world.images(world.split["train"][:: len(world.split["train"]) // 192])
    for _ in range(2):
        for x, y in batches(shown, world.plan.preprocessing, 64, "cpu"):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    world.rebuild(folder, model=model.eval())


# -- preprocessing -------------------------------------------------------------------------------------


@variant()
def another_resolution(folder, world):
    world.rebuild(folder, preprocessing=with_(world.plan.preprocessing, size=96, resize=96))


@variant()
def another_normalisation_and_a_crop(folder, world):
    world.rebuild(
        folder,
        preprocessing=with_(world.plan.preprocessing, size=64, resize=72, mean=(0.5,) * 3, std=(0.5,) * 3),
    )


@variant()
def bicubic_resize(folder, world):
    world.rebuild(folder, preprocessing=with_(world.plan.preprocessing, interpolation="bicubic"))


@variant()
def preprocessing_not_stated(folder, world):
    world.unstate(folder, "preprocessing")


# -- metrics, history, ranking ----------------------------------------------------------------------


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


# -- inside the network --------------------------------------------------------------------------------


@variant()
def shares_as_text_of_two_decimals(folder, world):
    document = read(folder / "non_positive.json")
    (folder / "non_positive.json").unlink()
    forget(folder, "non_positive")
    replace(folder / "non-positive.txt", "\n".join(f"{m}: {v:.2f} %" for m, v in document["percent"].items()))


@variant()
def shares_over_208_images(folder, world):
    paths = [*world.statistics_paths(), *world.split["val"][:8]]
    import copy

    from in4310.solution import feature_maps
    from in4310.solution.images import batches

    loaded = world.images(paths)
    xs = (x for x, _ in batches(loaded, world.plan.preprocessing, 16, "cpu"))
    percent = feature_maps.non_positive(copy.deepcopy(world.model), xs, world.modules())
    replace(folder / "non_positive.json", {"images": paths, "percent": percent})


@variant()
def covariance_divided_by_n_minus_one(folder, world):
    def change(document):
        for series in document["series"]:
            n = len(series["paths"])
            for m, entry in series["modules"].items():
                series["modules"][m] = [v * n / (n - 1) for v in entry["values"]]

    edit(folder / "eigenvalues.json", change)


@variant()
def ten_largest_eigenvalues_of_five_digits(folder, world):
    def change(document):
        for series in document["series"]:
            for m, entry in series["modules"].items():
                series["modules"][m] = [float(f"{v:.5g}") for v in entry["values"][:10]]

    edit(folder / "eigenvalues.json", change)


@variant()
def eigenvalues_as_arrays_in_an_npz(folder, world):
    document = read(folder / "eigenvalues.json")
    (folder / "eigenvalues.json").unlink()
    forget(folder, "eigenvalues")
    np.savez(folder / "eigs.npz", **{f"{s['model']}_{s['data']}_{m}": np.array(e["values"][:20])
                                     for s in document["series"] for m, e in s["modules"].items()})  # fmt: skip


@variant()
def pictures_numbered_from_one(folder, world):
    files = sorted((folder / "feature_maps").glob("*.png"))
    for i, file in reversed(list(enumerate(files, 1))):
        file.rename(file.with_name(f"image_{i}.png"))


# -- how it is handed in -------------------------------------------------------------------------------


@variant()
def everything_in_a_folder_in_a_folder(folder, world):
    inner = folder.parent / "levering" / "IN4310 oblig 1 – Åse Ødegård"
    inner.parent.mkdir()
    shutil.move(folder, inner)
    (inner.parent / "__MACOSX").mkdir()
    (inner.parent / "__MACOSX" / "._model.pth").write_bytes(b"\0\5\26\7")
    return inner


@variant()
def stray_files_all_around(folder, world):
    (folder / "notes æøå.txt").write_text("val acc 0.3 in the first try\nTODO: write the report\n")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "old").mkdir()
    np.save(folder / "old" / "features.npy", np.zeros((40, 12)))
    (folder / "old" / "requirements.txt").write_text("torch==2.11\nnumpy\n")
    (folder / "old" / "config.json").write_text(
        json.dumps({"lr": [0.1, 0.01], "batch_size": 64, "classes": 6})
    )
    torch.save({"lr": torch.tensor(0.1)}, folder / "old" / "optimizer.pth")


@variant()
def right_functions_under_adapters(folder, world):
    source = """
import numpy as np
def compare(saved, scores):
    return bool(np.abs(np.asarray(saved) - np.asarray(scores)).max() < 5e-4)
def overlap(train, val, test):
    return len(set(train) & set(val)) + len(set(train) & set(test)) + len(set(val) & set(test))
def rank(scores, paths, column, k):
    order = sorted(range(len(paths)), key=lambda i: scores[i][column], reverse=True)
    return {"top": [paths[i] for i in order[:k]], "bottom": [paths[i] for i in order[-k:]]}
def loader(dataset, batch_size):
    from torch.utils.data import DataLoader
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)
"""
    adapters(folder, source, compare="compare", overlap="overlap", rank="rank", train_loader="loader")


@variant()
def recorded_loss_with_label_smoothing(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(
            file,
            lambda run: (
                run
                | {
                    "settings": run["settings"] | {"label_smoothing": 0.1},
                    "epochs": [e | {"val_loss": e["val_loss"] + 0.4} for e in run["epochs"]],
                }
            ),
        )
