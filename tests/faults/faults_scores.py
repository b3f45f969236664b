"""Faults of the scores and of what is ranked by them."""

import copy
from dataclasses import replace as with_

import numpy as np
import torch
from faults.catalogue import fault
from faults.world import World, adapters, edit, read, replace, softmax
from PIL import Image

from in4310.judging.data import DataSet

# What is computed from the scores agrees with the scores handed in, as a student's own figures would: only the scores are
# judged here, so the metrics and the ranking are left as they were, and may or may not follow.
FOLLOW = ("loaders_follow_split", "class_order", "metrics_accuracy", "metrics_accuracy_per_class", "metrics_average_precision",
          "metrics_map", "ranking_order", "scores_are_probabilities", "scores_shape", "accuracy_threshold")  # fmt: skip
REPRODUCE = "scores_reproduce"


def saved(folder, scores):
    replace(folder / "scores_test.npy", np.ascontiguousarray(scores))


@fault("F10", REPRODUCE, "class_order", follows=FOLLOW, says="another order of classes")
def classes_in_the_order_of_listdir(folder, world):
    saved(folder, world.scores[:, [3, 0, 5, 1, 4, 2]])


@fault("F54", REPRODUCE, "class_order", follows=FOLLOW, says="column 2 is")
def two_classes_exchanged(folder, world):
    saved(folder, world.scores[:, [0, 1, 3, 2, 4, 5]])


@fault("F54", "class_order", says="all else is judged in this order")
def classes_numbered_as_the_file_system_lists_them_all_through(folder, world):
    listed = ["sea", "forest", "street", "buildings", "mountain", "glacier"]
    outputs = [world.classes.index(c) for c in listed]
    model = copy.deepcopy(world.model)
    with torch.no_grad():
        model.fc.weight.copy_(world.model.fc.weight[outputs])
        model.fc.bias.copy_(world.model.fc.bias[outputs])
    data = DataSet(world.data.root, listed, world.data.comparison)
    plan = with_(world.plan, classes=listed)
    World(world.reference, world.edition, data, plan).rebuild(folder, model=model)


@fault("F12", REPRODUCE, "loaders_follow_split", follows=FOLLOW, says="the loader was shuffled")
def shuffled_test_loader(folder, world):
    saved(folder, world.scores[np.random.RandomState(0).permutation(len(world.scores))])
    (folder / "evaluate.py").write_text("test_loader = DataLoader(test_set, batch_size=64, shuffle=True)\n")


@fault("F13", REPRODUCE, follows=FOLLOW, says="normalised in another way")
def not_normalised(folder, world):
    plain = with_(world.plan.preprocessing, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    saved(folder, world.predicted(preprocessing=plain))


@fault("F13", REPRODUCE, follows=FOLLOW, says="normalised in another way")
def normalised_by_a_half(folder, world):
    half = with_(world.plan.preprocessing, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    saved(folder, world.predicted(preprocessing=half))


@fault("F13", REPRODUCE, follows=FOLLOW, says="pixels of 0 to 255")
def pixels_never_divided(folder, world):
    raw = with_(world.plan.preprocessing, mean=(0.0,) * 3, std=(1 / 255,) * 3)
    saved(folder, world.predicted(preprocessing=raw))


@fault("F21", REPRODUCE, follows=FOLLOW, says="training mode")
def no_eval_at_test(folder, world):
    saved(folder, world.predicted(training=True))


@fault("F21", REPRODUCE, follows=FOLLOW, says="batches of 32")
def no_eval_at_test_with_other_batches(folder, world):
    saved(folder, world.predicted(training=True, batch_size=32))


@fault("F23", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="softmax was taken over the batch")
def softmax_over_the_batch(folder, world):
    logits = world.logits(world.split["test"])
    saved(folder, np.concatenate([softmax(logits[i : i + 64], axis=0) for i in range(0, len(logits), 64)]))


@fault("F24", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="logits were saved")
def logits_saved(folder, world):
    saved(folder, world.logits(world.split["test"]))


@fault("F24", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="log-softmax was saved")
def log_softmax_saved(folder, world):
    saved(folder, torch.log_softmax(torch.tensor(world.logits(world.split["test"])), dim=1).numpy())


@fault("F24", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="softmax was applied twice")
def softmax_twice(folder, world):
    saved(folder, softmax(world.scores))


@fault("F24", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="sigmoid")
def sigmoid_for_softmax(folder, world):
    saved(folder, 1 / (1 + np.exp(-world.logits(world.split["test"]))))


@fault("F24", REPRODUCE, follows=FOLLOW, says="T = 2")
def softmax_with_a_temperature(folder, world):
    saved(folder, softmax(world.logits(world.split["test"]) / 2))


@fault("F24", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="multiplied by 100")
def scores_in_percent(folder, world):
    saved(folder, world.scores * 100)


@fault("F25", "scores_shape", follows=(REPRODUCE, *FOLLOW), says="the val set")
def scores_of_the_validation_set(folder, world):
    saved(folder, np.load(folder / "scores_val.npy"))


@fault("F26", "scores_shape", follows=(REPRODUCE, *FOLLOW), says="the last batch is missing")
def last_batch_dropped(folder, world):
    saved(folder, world.scores[: len(world.scores) // 64 * 64])


@fault("F61", "scores_shape", follows=(REPRODUCE, *FOLLOW), says="only the last batch was kept")
def only_the_last_batch(folder, world):
    saved(folder, world.scores[-(len(world.scores) % 64) :])


@fault("F60", "scores_shape", follows=(REPRODUCE, *FOLLOW), says="only one number an image")
def only_the_largest_probability(folder, world):
    saved(folder, world.scores.max(axis=1))


@fault("F60", "scores_shape", follows=(REPRODUCE, *FOLLOW), says="only one number an image")
def only_the_predicted_class(folder, world):
    saved(folder, world.scores.argmax(axis=1))


@fault("F27", REPRODUCE, "scores_are_probabilities", follows=FOLLOW, says="rounded")
def rounded_to_two_decimals(folder, world):
    saved(folder, np.round(world.scores, 2))


@fault("F27", "scores_are_probabilities", follows=(REPRODUCE, *FOLLOW), says="half precision")
def saved_as_float16(folder, world):
    # A row of six float16 numbers misses 1 by more than the tolerance where the network is unsure.
    unsure = softmax(np.log(world.scores + 1e-9))
    saved(folder, unsure.astype(np.float16))


@fault("F51", REPRODUCE, follows=FOLLOW, says="BGR")
def bgr_for_rgb(folder, world):
    saved(folder, world.predicted(pixels=lambda p: p[:, :, ::-1]))


@fault("F51", REPRODUCE, follows=FOLLOW, says="read as channels, height and width")
def hwc_read_as_chw(folder, world):
    saved(folder, world.predicted(pixels=lambda p: p.reshape(3, 64, 64).transpose(1, 2, 0)))


@fault("F51", REPRODUCE, follows=FOLLOW, says="numpy's resize")
def numpy_resize_for_a_resize(folder, world):
    found = []
    for path in world.split["test"]:
        with Image.open(world.data.root / path) as picture:
            found.append(np.resize(np.asarray(picture.convert("RGB")), (64, 64, 3)))
    remaining = iter(found)
    saved(folder, world.predicted(pixels=lambda _: next(remaining)))


@fault("F51", REPRODUCE, follows=FOLLOW, says="resized or cropped in another way")
def nearest_neighbour_resize(folder, world):
    other = with_(world.plan.preprocessing, interpolation="nearest")
    saved(folder, world.predicted(preprocessing=other))


@fault("F51", REPRODUCE, follows=FOLLOW, says="crop 96")
def another_resolution(folder, world):
    saved(folder, world.predicted(preprocessing=with_(world.plan.preprocessing, size=96, resize=96)))


@fault("F51", REPRODUCE, follows=FOLLOW, says="colours were thrown away")
def grey_images(folder, world):
    def grey(p):
        return np.repeat(np.asarray(Image.fromarray(p).convert("L"))[:, :, None], 3, axis=2)

    saved(folder, world.predicted(pixels=grey))


@fault("F11", REPRODUCE, follows=FOLLOW, says="flipped at random")
def test_images_flipped_at_random(folder, world):
    generator = np.random.default_rng(5)
    saved(folder, world.predicted(pixels=lambda p: p[:, ::-1] if generator.random() < 0.5 else p))


@fault("F12", REPRODUCE, follows=FOLLOW, says="training mode")
def two_mistakes_training_mode_and_logits(folder, world):
    saved(folder, world.logits(world.split["test"], training=True))


@fault("F12", REPRODUCE, follows=FOLLOW, says="another order of classes")
def two_mistakes_not_normalised_and_classes_permuted(folder, world):
    plain = with_(world.plan.preprocessing, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    saved(folder, world.predicted(preprocessing=plain)[:, [3, 0, 5, 1, 4, 2]])


@fault("F59", REPRODUCE, follows=FOLLOW, says="from another network that was handed in")
def scores_of_another_checkpoint(folder, world):
    model = world.loaded("model.pth")
    model.load_state_dict(world.epochs[-1][0])
    torch.save(world.epochs[-1][0], folder / "last_epoch.pth")
    saved(folder, world.predicted(model=model))


@fault("F59", REPRODUCE, follows=FOLLOW, says="untuned.pth")
def scores_of_the_network_before_training(folder, world):
    saved(folder, world.predicted(model=world.untuned))


@fault("F24", "scores_are_probabilities", REPRODUCE, follows=FOLLOW, says="labels or hard predictions")
def labels_in_place_of_scores(folder, world):
    saved(folder, np.eye(6)[world.labels])


@fault("F27", "scores_are_probabilities", REPRODUCE, follows=FOLLOW, says="NaN")
def scores_with_nan(folder, world):
    scores = world.scores.copy()
    scores[3, 2] = np.nan
    saved(folder, scores)


@fault("F59", REPRODUCE, follows=FOLLOW, says="rows of 211 that differ")
def three_rows_altered_by_hand(folder, world):
    scores = world.scores.copy()
    scores[[5, 80, 200]] = np.roll(scores[[5, 80, 200]], 1, axis=1)
    saved(folder, scores)


@fault("F59", REPRODUCE, follows=(*FOLLOW, "ranking_from_test_set"), says="rows of 211 that differ")
def invented_scores(folder, world):
    scores = np.random.default_rng(1).dirichlet(np.full(6, 0.3), len(world.scores))
    best = scores.argmax(axis=1)
    rows = np.arange(len(scores))
    scores[rows, best], scores[rows, world.labels] = (
        scores[rows, world.labels].copy(),
        scores[rows, best].copy(),
    )
    saved(folder, scores)


COMPARE = "import numpy as np\ndef compare(saved, scores):\n    return bool({})\n"


@fault("F28", "comparison_recorded", says="compared with itself")
def comparison_of_a_file_with_itself(folder, world):
    adapters(folder, COMPARE.format("np.allclose(saved, saved)"), compare="compare")


@fault("F62", "comparison_recorded", says="too wide")
def comparison_with_a_tolerance_of_a_tenth(folder, world):
    adapters(folder, COMPARE.format("np.allclose(saved, scores, atol=0.1)"), compare="compare")


@fault("F62", "comparison_recorded", says="rounding noise")
def comparison_for_exact_equality(folder, world):
    adapters(folder, COMPARE.format("(saved == scores).all()"), compare="compare")


@fault("F62", "comparison_recorded", says="too wide")
def comparison_of_predicted_classes_only(folder, world):
    adapters(folder, COMPARE.format("(saved.argmax(1) == scores.argmax(1)).mean() > 0.9"), compare="compare")


# -- ranking ---------------------------------------------------------------------------------------------


def ranked(folder, world, order_of, k=10):
    """Scores without ties, their right ranking for all classes but the fault's own order."""
    scores, paths = world.scores, world.split["test"]

    def change(document):
        for c in document:
            order = order_of(scores, world.classes.index(c))
            document[c] = {"top": [[paths[i], float(scores[i, world.classes.index(c)])] for i in order[:k]],
                           "bottom": [[paths[i], float(scores[i, world.classes.index(c)])] for i in order[::-1][:k]]}  # fmt: skip

    edit(folder / "ranking.json", change)


@fault("F34", "ranking_order", says="largest score of any class")
def ranked_by_the_largest_score_of_any_class(folder, world):
    ranked(folder, world, lambda s, c: np.argsort(-s.max(axis=1), kind="stable"))


@fault("F35", "ranking_order", says="top and bottom are exchanged")
def top_and_bottom_exchanged(folder, world):
    ranked(folder, world, lambda s, c: np.argsort(s[:, c], kind="stable"))


@fault("F35", "ranking_order", says="the bottom of the top")
def bottom_of_the_top(folder, world):
    ranked(folder, world, lambda s, c: np.argsort(-s[:, c], kind="stable")[:20])


@fault("F34", "ranking_order", says="the score of another class")
def ranked_by_another_column(folder, world):
    ranked(folder, world, lambda s, c: np.argsort(-s[:, (c + 2) % 6], kind="stable"))


@fault("F35", "ranking_order", says="nothing was sorted")
def not_sorted_at_all(folder, world):
    ranked(folder, world, lambda s, c: np.arange(len(s)))


@fault("F35", "ranking_order", says="classified as the class")
def only_images_classified_as_the_class(folder, world):
    ranked(
        folder,
        world,
        lambda s, c: (r := np.flatnonzero(s.argmax(axis=1) == c))[np.argsort(-s[r, c], kind="stable")],
    )


@fault("F36", "ranking_from_test_set", "ranking_order", says="images of val were ranked")
def ranking_over_the_validation_set(folder, world):
    scores, paths = np.load(folder / "scores_val.npy"), world.split["val"]

    def change(document):
        for c in document:
            own = scores[:, world.classes.index(c)]
            order = np.argsort(-own, kind="stable")
            document[c] = {"top": [[paths[i], float(own[i])] for i in order[:10]],
                           "bottom": [[paths[i], float(own[i])] for i in order[::-1][:10]]}  # fmt: skip

    edit(folder / "ranking.json", change)


# Of two classes the order of one is there: what is asked for is counted before it is judged.
@fault("F37", "ranking_complete", follows=("ranking_order",), says="classes ranked")
def one_class_ranked(folder, world):
    document = read(folder / "ranking.json")
    replace(folder / "ranking.json", dict(list(document.items())[:1]))


@fault("F37", "ranking_complete", follows=("ranking_order",), says="different images at the top")
def nine_images(folder, world):
    def change(document):
        for c in document:
            document[c]["top"] = document[c]["top"][:9]

    edit(folder / "ranking.json", change)


@fault("F37", "ranking_complete", "ranking_order", says="different images at the top")
def one_image_ten_times(folder, world):
    def change(document):
        for c in document:
            document[c]["top"] = document[c]["top"][:1] * 10

    edit(folder / "ranking.json", change)
