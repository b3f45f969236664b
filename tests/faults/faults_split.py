"""Faults of the split, the loaders, and of what was handed in at all."""

import os
import shutil

import numpy as np
import torch
from faults.catalogue import fault
from faults.variants import variants_network  # not from its own file: variants keeps their order
from faults.world import SETS, World, adapters, replace, rows, write_rows

from in4310.judging.data import DataSet

SCORED = ("scores_reproduce", "loaders_follow_split", "class_order", "metrics_accuracy", "metrics_accuracy_per_class",
          "metrics_average_precision", "metrics_map", "ranking_order", "ranking_from_test_set", "scores_shape",
          "best_on_validation", "comparison_recorded", "accuracy_threshold", "loss_curves")  # fmt: skip
CODE = """
import random
def split(labels, test, val, seed):
    {seeding}
    by_class = {{}}
    for path in {listing}:
        by_class.setdefault(labels[path], []).append(path)
    sets = {{"train": [], "val": [], "test": []}}
    for c in sorted(by_class):
        paths = by_class[c]
        {shuffle}
        a, b = round(test * len(paths) / len(labels)), round(val * len(paths) / len(labels))
        sets["test"] += paths[:a]; sets["val"] += paths[a:a + b]; sets["train"] += paths[a + b:]
    return sets
"""


def drawn(world, folder, order, sizes=None):
    sizes = sizes or {name: len(rows(folder, name)) for name in ("test", "val")}
    a, b = sizes["test"], sizes["val"]
    return {"test": order[:a], "val": order[a : a + b], "train": order[a + b :]}


@fault("F1", "split_stratified", follows=("split_seed",), says="images of a class in")
def split_over_all_images_at_once(folder, world):
    order = [str(p) for p in np.random.RandomState(1).permutation(sorted(world.data.labels))]
    world.rebuild(folder, split=drawn(world, folder, order))


@fault("F2", "split_covers_data", follows=("split_seed",), says="images left out")
def half_of_the_training_images_forgotten(folder, world):
    write_rows(folder, "train", rows(folder, "train")[::2])


@fault("F2", "split_covers_data", follows=("split_seed",), says="of each class were taken")
def as_many_images_of_each_class_whatever_its_size(folder, world):
    taken = []
    test, val = rows(folder, "test"), rows(folder, "val")
    rest = rows(folder, "train")
    least = min(sum(p.startswith(c + "/") for p in [*rest, *test, *val]) for c in world.classes)
    for c in world.classes:
        own = [p for p in rest if p.startswith(c + "/")]
        used = sum(p.startswith(c + "/") for p in [*test, *val])
        taken += own[: least - 3 - used]
    write_rows(folder, "train", taken)


@fault("F3", "split_sizes", follows=("split_seed",), says="images in the test set")
def shares_of_70_15_15(folder, world):
    by_class = [sorted(p for p in world.data.labels if p.startswith(c + "/")) for c in world.classes]
    sets = {name: [] for name in SETS}
    for paths in by_class:
        order = [str(p) for p in np.random.RandomState(4).permutation(paths)]
        a = round(0.15 * len(order))
        sets["test"] += order[:a]
        sets["val"] += order[a : 2 * a]
        sets["train"] += order[2 * a :]
    world.rebuild(folder, split=sets)


@fault("F56", "split_sizes", follows=("split_seed",), says="validation and test are swapped")
def validation_and_test_swapped(folder, world):
    world.rebuild(
        folder,
        split={"train": rows(folder, "train"), "val": rows(folder, "test"), "test": rows(folder, "val")},
    )


@fault("F4", "split_seed", says="split called twice with one seed")
def no_seed(folder, world):
    source = CODE.format(
        seeding="rng = random.Random()", listing="sorted(labels)", shuffle="rng.shuffle(paths)"
    )
    adapters(folder, source, split="split")


@fault("F4", "split_seed", says="split called twice with one seed")
def seed_set_after_the_split(folder, world):
    source = CODE.format(seeding="", listing="sorted(labels)", shuffle="random.shuffle(paths)")
    adapters(
        folder, source.replace("    return sets", "    random.seed(seed)\n    return sets"), split="split"
    )


@fault("F4", "split_seed", says="the seed has no effect")
def the_seed_is_never_used(folder, world):
    source = CODE.format(
        seeding="rng = random.Random(42)", listing="sorted(labels)", shuffle="rng.shuffle(paths)"
    )
    adapters(folder, source, split="split")


@fault("F5", "split_seed", says="order in which files are listed")
def unsorted_listing_before_a_seeded_split(folder, world):
    source = CODE.format(seeding="rng = random.Random(seed)", listing="labels", shuffle="rng.shuffle(paths)")
    adapters(folder, source, split="split")


@fault(
    "F6",
    "split_disjoint_by_name",
    follows=("split_seed", "split_covers_data", "split_stratified", *SCORED),
    says="drawn from images that still held",
)
def validation_drawn_from_the_whole_set_again(folder, world):
    order = np.random.RandomState(7).permutation(sorted(world.data.labels))
    val = [str(p) for p in order[: len(rows(folder, "val"))]]
    world.rebuild(folder, split={"train": rows(folder, "train"), "val": val, "test": rows(folder, "test")})


OVERLAP = "def overlap(train, val, test):\n    {body}\n"


@fault("F7", "split_disjoint_by_name", says="the check cannot fail")
def a_disjointness_check_that_cannot_fail(folder, world):
    adapters(folder, OVERLAP.format(body="return [] if len(train) else []"), overlap="overlap")


@fault("F7", "split_disjoint_by_name", says="the check cannot fail, or looks within one class only")
def a_disjointness_check_within_one_class(folder, world):
    body = "a = {p for p in train if p.startswith('sea/')}\n    return sorted(a & {p for p in test if p.startswith('sea/')})"
    adapters(folder, OVERLAP.format(body=body), overlap="overlap")


@fault("F7", "split_disjoint_by_name", says="validation and test")
def a_disjointness_check_that_forgets_a_pair(folder, world):
    adapters(
        folder,
        OVERLAP.format(body="return sorted(set(train) & set(test) | set(train) & set(val))"),
        overlap="overlap",
    )


@fault("F8", "split_disjoint_by_content", says="groups of identical images over several sets: 1")
def the_same_photograph_under_two_names_in_two_sets(folder, world):
    photographs = folder.parent / "photographs"
    shutil.copytree(world.data.root, photographs, copy_function=os.link)
    tested = rows(folder, "test")[0]
    shown = next(p for p in rows(folder, "train") if p.split("/")[0] == tested.split("/")[0])
    replace(photographs / tested, (photographs / shown).read_bytes())
    data = DataSet(photographs, world.classes, world.data.comparison)
    World(world.reference, world.edition, data, world.plan).rebuild(folder)
    return photographs


@fault("F9", "split_paths_relative", says="tied to one machine")
def absolute_windows_paths(folder, world):
    for name in SETS:
        write_rows(
            folder,
            name,
            ["C:\\Users\\kari\\in4310\\data\\" + p.replace("/", "\\") for p in rows(folder, name)],
        )


@fault("F9", "split_paths_relative", says="tied to one machine")
def absolute_paths_of_a_home(folder, world):
    write_rows(folder, "test", [f"/home/kari/mandatory1_data/{p}" for p in rows(folder, "test")])


@fault("F55", "split_covers_data", "split_sizes", "split_stratified", "split_seed", "split_disjoint_by_name",
       "split_disjoint_by_content", "split_paths_relative",
       follows=(*SCORED, "scores_are_probabilities", "eigenvalues_recomputed", "comparison_recomputed", "non_positive_recomputed"),
       says="row numbers")  # fmt: skip
def split_stored_as_row_numbers(folder, world):
    listing = [str(path) for path in np.random.default_rng(0).permutation(sorted(world.data.labels))]
    numbers = {name: [listing.index(p) for p in rows(folder, name)] for name in SETS}
    for name in SETS:
        (folder / "split" / f"{name}.csv").unlink()
    (folder / "split").rmdir()
    replace(folder / "split.json", numbers)


@fault("F57", "loaders_follow_split", says="training images come in the same order")
def training_loader_not_shuffled(folder, world):
    source = "from torch.utils.data import DataLoader\ndef loader(dataset, batch_size):\n    return DataLoader(dataset, batch_size)\n"
    adapters(folder, source, train_loader="loader")


TRANSFORM = """
from torchvision import transforms as T
transform = T.Compose([{steps}, T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
"""


@fault("F11", "loaders_follow_split", says="augmentation belongs to training only")
def random_crop_in_the_evaluation(folder, world):
    adapters(folder, TRANSFORM.format(steps="T.RandomResizedCrop(64)"), transform="transform")


@fault("F11", "loaders_follow_split", says="augmentation belongs to training only")
def colour_jitter_in_the_evaluation(folder, world):
    adapters(folder, TRANSFORM.format(steps="T.Resize((64, 64)), T.ColorJitter(0.3)"), transform="transform")


MODEL = ("network_depth", "network_outputs", "memory_limit", "scores_reproduce", "best_on_validation", "accuracy_threshold",
         "modules_named", "non_positive_in_range", "non_positive_recomputed", "eigenvalues_valid", "eigenvalues_recomputed",
         "comparison_recomputed", "loss_curves")  # fmt: skip


@fault("F15", "network_depth", "network_outputs", follows=MODEL, says="state_dict")
def whole_model_pickled(folder, world):
    (folder / "model.pth").unlink()
    torch.save(world.model, folder / "model.pth")


@fault("F53", "network_depth", "network_outputs", follows=MODEL, says="model.pth")
def corrupt_weights(folder, world):
    content = (folder / "model.pth").read_bytes()
    replace(folder / "model.pth", content[: len(content) // 2])


@fault("F53", "network_depth", "network_outputs", follows=(*MODEL,), says="model is missing")
def no_weights(folder, world):
    (folder / "model.pth").unlink()


@fault(
    "F53",
    "scores_shape",
    "scores_are_probabilities",
    "scores_reproduce",
    follows=SCORED,
    says="scores_test.npy",
)
def corrupt_scores(folder, world):
    replace(folder / "scores_test.npy", b"not numpy at all")


@fault("F14", "network_outputs", follows=MODEL, says="the last layer of the ImageNet network was kept")
def last_layer_of_1000_outputs(folder, world):
    state = dict(world.model.state_dict())
    state |= {"fc.weight": torch.randn(1000, 512) * 0.01, "fc.bias": torch.zeros(1000)}
    (folder / "model.pth").unlink()
    torch.save(state, folder / "model.pth")


@fault("F14", "network_outputs", follows=MODEL, says="outputs of the last layer")
def seven_outputs(folder, world):
    state = dict(world.model.state_dict())
    state |= {"fc.weight": torch.randn(7, 512) * 0.01, "fc.bias": torch.zeros(7)}
    (folder / "model.pth").unlink()
    torch.save(state, folder / "model.pth")


@fault(
    "F14",
    "network_depth",
    follows=(*MODEL, "three_settings"),
    says="ResNet-34",
    edition={"network": {"depths": [18], "start": "any"}},
)
def another_depth(folder, world):
    variants_network.a_deeper_network_where_the_edition_allows_it(folder, world)


@fault("F53", "network_outputs", follows=MODEL, says="NaN")
def weights_with_nan(folder, world):
    state = {k: v.clone() for k, v in world.model.state_dict().items()}
    state["layer3.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    (folder / "model.pth").unlink()
    torch.save(state, folder / "model.pth")
