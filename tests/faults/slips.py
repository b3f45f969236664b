"""One mistake each, in work that is right else: it costs what it breaks itself, as the rest rests on the weights."""

import numpy as np
import torch
from faults.catalogue import slip
from faults.world import edit, read, replace, rows, write_rows

from in4310.solution import metrics

SCORES = ("1c", "1e", "1h", "1i")
SPLIT = ("1a", "1b", *SCORES)


def saved(folder, scores):
    replace(folder / "scores_test.npy", np.ascontiguousarray(scores))


# -- scores: 1h has 2 for their shape, 3 for being probabilities, 6 for being the network's ------------------


@slip(9, *SCORES)
def logits_for_scores(folder, world):
    saved(folder, world.logits(world.split["test"]).astype(np.float32))


@slip(9, *SCORES)
def logarithms_for_scores(folder, world):
    saved(folder, torch.log_softmax(torch.tensor(world.logits(world.split["test"])), dim=1).numpy())


@slip(9, *SCORES)
def scores_in_percent(folder, world):
    saved(folder, world.scores * 100)


@slip(9, *SCORES)
def one_score_is_nan(folder, world):
    scores = world.scores.copy()
    scores[7, 2] = np.nan
    saved(folder, scores)


@slip(3, *SCORES)
def scores_in_half_precision(folder, world):
    saved(folder, world.scores.astype(np.float16))


@slip(9, *SCORES)
def scores_of_two_decimals(folder, world):
    saved(folder, np.round(world.scores, 2))


@slip(2, *SCORES)
def last_batch_dropped(folder, world):
    saved(folder, world.scores[:192])


@slip(2, *SCORES)
def a_row_too_many(folder, world):
    saved(folder, np.concatenate([world.scores, world.scores[-1:]]))


@slip(9, *SCORES)
def columns_in_another_order(folder, world):
    saved(folder, world.scores[:, [5, 3, 1, 0, 2, 4]])


@slip(11, *SCORES)
def a_column_is_missing(folder, world):
    saved(folder, world.scores[:, :5])


@slip(7.5, *SCORES)
def rows_in_another_order(folder, world):
    saved(folder, world.scores[np.random.default_rng(0).permutation(len(world.scores))])


@slip(8, *SCORES)
def scores_of_validation(folder, world):
    saved(folder, np.load(folder / "scores_val.npy"))


@slip(6, *SCORES)
def everything_in_training_mode(folder, world):
    scores = world.predicted(training=True).astype(np.float32)
    saved(folder, scores)
    right = read(folder / "metrics.json")
    found = metrics.evaluate(world.labels, scores.astype(np.float64), world.classes).as_dict()
    replace(folder / "metrics.json", right | {"test": found})
    ranking = {}
    for c in read(folder / "ranking.json"):
        order = np.argsort(-scores[:, world.classes.index(c)], kind="stable")
        sides = {"top": order[:10], "bottom": order[::-1][:10]}
        ranking[c] = {side: [world.split["test"][i] for i in chosen] for side, chosen in sides.items()}
    replace(folder / "ranking.json", ranking)


@slip(11, *SCORES)
def scores_forgotten(folder, world):
    (folder / "scores_test.npy").unlink()


# -- metrics: 3 points for each of four checks, half of them a set -------------------------------------------


@slip(6, "1e")
def validation_forgotten(folder, world):
    edit(folder / "metrics.json", lambda found: {"test": found["test"]})


@slip(6, "1e")
def metrics_of_validation_for_those_of_test(folder, world):
    edit(folder / "metrics.json", lambda found: found | {"test": found["val"]})


@slip(1.5, "1e")
def two_digits_exchanged(folder, world):
    edit(folder / "metrics.json", lambda found: found["test"].update(map=0.39))


@slip(1, "1e")
def a_class_is_misspelt_in_the_metrics(folder, world):
    def change(found):
        for table in (found["test"]["accuracy_per_class"], found["test"]["ap_per_class"]):
            table["glasier"] = table.pop("glacier")

    edit(folder / "metrics.json", change)


# -- split ---------------------------------------------------------------------------------------------------


@slip(2, *SPLIT)
def a_path_of_test_is_misspelt(folder, world):
    paths = rows(folder, "test")
    write_rows(folder, "test", [paths[0].split("/")[0] + "/9999999.jpg", *paths[1:]])


@slip(2, *SPLIT)
def three_paths_of_test_are_of_no_image(folder, world):
    paths = rows(folder, "test")
    write_rows(folder, "test", ["sea/x.jpg", "sea/y.jpg", "lake/z.jpg", *paths[3:]])


@slip(2, *SPLIT)
def a_class_is_misspelt_in_the_split(folder, world):
    for name in ("train", "val", "test"):
        write_rows(folder, name, [p.replace("glacier/", "glasier/") for p in rows(folder, name)])


@slip(2, *SPLIT)
def endings_in_capitals(folder, world):
    for name in ("train", "val", "test"):
        write_rows(folder, name, [p.replace(".jpg", ".JPG") for p in rows(folder, name)])


@slip(2, *SPLIT)
def paths_of_one_machine(folder, world):
    for name in ("train", "val", "test"):
        write_rows(folder, name, [f"/home/kari/data/{p}" for p in rows(folder, name)])


@slip(2, *SPLIT)
def a_training_path_is_listed_twice(folder, world):
    paths = rows(folder, "train")
    write_rows(folder, "train", [*paths, paths[0]])


# -- ranking, history, statistics ----------------------------------------------------------------------------


@slip(4, "1i")
def top_and_bottom_exchanged(folder, world):
    edit(
        folder / "ranking.json",
        lambda found: {c: {"top": t["bottom"], "bottom": t["top"]} for c, t in found.items()},
    )


@slip(2, "1i")
def nine_images_for_ten(folder, world):
    edit(folder / "ranking.json", lambda found: next(iter(found.values()))["top"].pop() and None)


@slip(1, "1f", "1j")
def an_epoch_without_a_figure(folder, world):
    file = next(f for f in sorted((folder / "history").glob("*.json")) if not read(f).get("kept"))
    edit(file, lambda run: run["epochs"][0].pop("train_map") and None)


@slip(2, "3a", "3b")
def one_spectrum_is_doubled(folder, world):
    def change(found):
        entry = found["series"][0]["modules"]["layer1"]
        entry["values"] = [2 * v for v in entry["values"]]

    edit(folder / "eigenvalues.json", change)


@slip(2, "2a", "2b")
def an_image_of_the_shares_is_of_no_file(folder, world):
    edit(folder / "non_positive.json", lambda d: d | {"images": ["sea/9999999.jpg", *d["images"][1:]]})


@slip(0, "3a", "3b")
def an_image_of_a_spectrum_is_of_no_file(folder, world):
    edit(folder / "eigenvalues.json", lambda d: d["series"][0]["paths"].__setitem__(0, "sea/9999999.jpg"))


@slip(2, "1f", "1j")
def history_without_its_first_epoch(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(file, lambda run: run | {"epochs": run["epochs"][1:]})


# -- unusual habits, which cost nothing -------------------------------------------------------------------


@slip(0, "2a", "2b")
def shares_in_a_table_of_the_readme(folder, world):
    percent = read(folder / "non_positive.json")["percent"]
    (folder / "non_positive.json").unlink()
    world.unstate(folder, "files")
    table = "".join(f"| `{module}` | {value:.2f} % |\n" for module, value in percent.items())
    replace(folder / "README.md", f"# Task 2\n\n| module | non-positive |\n|---|---|\n{table}")
