"""Each fault, built by changing the reference submission in exactly that way, fails its own check and no other.

The full catalogue is a suite of its own; here and in the files beside it stands one fault or more for every check.
"""

import shutil

import numpy as np
import pytest
from judging.changes import failed, missing, read, replace, rows, write_rows

from in4310.judging.verdict import Outcome

pytestmark = pytest.mark.filterwarnings("ignore")
SPLIT_CHECKS = (
    "split_covers_data",
    "split_sizes",
    "split_stratified",
    "split_seed",
    "split_disjoint_by_name",
    "split_disjoint_by_content",
    "split_paths_relative",
)
SCORE_CHECKS = (
    "scores_shape",
    "scores_are_probabilities",
    "loaders_follow_split",
    "class_order",
    "scores_reproduce",
)
METRIC_CHECKS = ("metrics_accuracy", "metrics_accuracy_per_class", "metrics_average_precision", "metrics_map")


def test_the_reference_passes_every_check(reference, outcomes, edition):
    found = outcomes(reference, *edition.points_of)
    assert failed(found) == set()
    assert missing(found) == {}
    for name, judge in found.items():
        assert judge.findings, name
        assert judge.reason


# -- split -----------------------------------------------------------------------------------------


def unstratified(folder):
    everything = sorted(line for name in ("train", "val", "test") for line in rows(folder, name))
    order = np.random.RandomState(1).permutation(len(everything))
    sizes = {name: len(rows(folder, name)) for name in ("test", "val", "train")}
    start = 0
    for name, size in sizes.items():
        write_rows(folder, name, [everything[i] for i in order[start : start + size]])
        start += size


def not_all_images(folder):
    write_rows(folder, "train", rows(folder, "train")[::2])


def small_test_set(folder):
    test = rows(folder, "test")
    write_rows(folder, "test", test[::2])
    write_rows(folder, "train", rows(folder, "train") + test[1::2])


def swapped_sets(folder):
    val, test = rows(folder, "val"), rows(folder, "test")
    write_rows(folder, "val", test)
    write_rows(folder, "test", val)


def overlapping(folder):
    write_rows(folder, "val", rows(folder, "val")[:-5] + rows(folder, "train")[:5])


def absolute_paths(folder):
    write_rows(
        folder, "val", ["C:\\Users\\kari\\IN4310\\data\\" + r.replace("/", "\\") for r in rows(folder, "val")]
    )


@pytest.mark.parametrize(
    ("change", "fails", "says"),
    [
        (unstratified, {"split_stratified"}, ""),
        (not_all_images, {"split_covers_data"}, "images left out"),
        (small_test_set, {"split_sizes"}, "images in the test set"),
        (swapped_sets, {"split_sizes"}, "swapped"),
        (overlapping, {"split_disjoint_by_name", "split_covers_data", "split_stratified"}, "train and val"),
        (absolute_paths, {"split_paths_relative"}, "tied to one machine"),
    ],
)
def test_faults_of_the_split(folder, outcomes, change, fails, says):
    change(folder)
    found = outcomes(folder, *SPLIT_CHECKS)
    assert failed(found) <= fails
    assert failed(found) & fails
    assert missing(found) == {}
    assert says in " ".join(j.reason + j.mistake for j in found.values())


def test_absolute_paths_are_still_matched(folder, outcomes):
    absolute_paths(folder)
    found = outcomes(folder, "split_covers_data", "split_disjoint_by_name", "loaders_follow_split")
    assert failed(found) == set()
    assert missing(found) == {}


def test_no_seed_is_not_run_and_one_that_gives_another_split_is_for_the_teacher(folder, outcomes):
    toml = folder / "submission.toml"
    text = toml.read_text()
    for file in (folder / "plan.json", *(folder / "history").glob("*.json")):
        replace(file, file.read_text().replace('"seed"', '"need"'))
    replace(toml, text.replace("seed = 42\ngrouped", "grouped"))
    assert "seed" in missing(outcomes(folder, "split_seed"))["split_seed"]
    replace(toml, text.replace("seed = 42\ngrouped", "seed = 7\ngrouped"))
    assert outcomes(folder, "split_seed")["split_seed"].outcome is Outcome.OPEN


@pytest.mark.parametrize(
    ("name", "text", "outcome"),
    [
        ("conf/config.yaml", "data:\n  root: x\n  split_seed: 42 # fixed\n", Outcome.PASSED),
        (
            "settings.json",
            '{"runs": [{"training_seed": 7}, {"random_state": 42}], "seed": 1}',
            Outcome.PASSED,
        ),
        ("config.yml", "seed: 7\n", Outcome.OPEN),
        ("config.yml", "seed: true\nseeds: 42\nseed_path: 42\n", None),
        ("config.json", "[" * 100_000, None),
    ],
)
def test_a_seed_in_a_file_of_settings_is_tried(folder, outcomes, name, text, outcome):
    for file in (folder / "plan.json", *(folder / "history").glob("*.json")):
        file.unlink()
    replace(folder / name, text)
    toml = folder / "submission.toml"
    replace(toml, toml.read_text().replace("seed = 42\ngrouped", "grouped"))
    found = outcomes(folder, "split_seed")
    if outcome is None:
        assert "split_seed" in missing(found)
    else:
        assert found["split_seed"].outcome is outcome
        assert name in str(found["split_seed"].findings)


# -- scores ----------------------------------------------------------------------------------------


def shuffled_rows(scores):
    return scores[np.random.RandomState(0).permutation(len(scores))]


def permuted_columns(scores):
    return np.ascontiguousarray(scores[:, [1, 0, 3, 2, 5, 4]])


def softmax(logits, axis=1):
    e = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def one_row_altered(scores):
    scores = scores.copy()
    scores[17] = np.roll(scores[17], 1)
    return scores


@pytest.mark.parametrize(
    ("change", "fails", "says"),
    [
        (shuffled_rows, {"loaders_follow_split", "scores_reproduce"}, "shuffled"),
        (permuted_columns, {"class_order", "scores_reproduce"}, "column 0 is forest"),
        (lambda s: np.log(s + 1e-12), {"scores_are_probabilities", "scores_reproduce"}, "log-softmax"),
        (
            lambda s: np.log(s + 1e-12) + np.arange(len(s))[:, None] % 7,
            {"scores_are_probabilities", "scores_reproduce"},
            "logits",
        ),
        (lambda s: softmax(s), {"scores_are_probabilities", "scores_reproduce"}, "twice"),
        (
            lambda s: softmax(np.log(s + 1e-12), axis=0),
            {"scores_are_probabilities", "scores_reproduce"},
            "batch",
        ),
        (lambda s: np.round(s, 1), {"scores_are_probabilities", "scores_reproduce"}, "rounded"),
        (one_row_altered, {"scores_reproduce"}, "row 17"),
    ],
)
def test_faults_of_the_scores(folder, outcomes, change, fails, says):
    file = folder / "scores_test.npy"
    replace(file, change(np.load(file).astype(np.float64)))
    found = outcomes(folder, *SCORE_CHECKS)
    assert failed(found) == fails, {n: getattr(j, "reason", str(j)) for n, j in found.items()}
    assert says in " ".join(j.reason + j.mistake for j in found.values())


@pytest.mark.parametrize(
    ("change", "says", "not_run"),
    [
        (lambda s: s[:192], "last batch", set()),
        pytest.param(lambda s: s[:141], "the val set", set(), marks=pytest.mark.slow),
        (lambda s: s.max(axis=1), "only one number", {"scores_reproduce"}),
        (lambda s: s[:, :5], "211 x 5", {"scores_reproduce"}),
    ],
)
def test_scores_of_the_wrong_shape_are_named_and_the_rest_rests_on_the_weights(
    folder, outcomes, change, says, not_run
):
    file = folder / "scores_test.npy"
    replace(file, np.ascontiguousarray(change(np.load(file))))
    found = outcomes(folder, "scores_shape", "scores_reproduce", "metrics_map")
    assert failed(found) == {"scores_shape"}
    assert says in found["scores_shape"].reason + found["scores_shape"].mistake
    assert set(missing(found)) == not_run


def test_nan_in_the_scores_never_passes(folder, outcomes):
    file = folder / "scores_test.npy"
    scores = np.load(file)
    scores[3, 2] = np.nan
    replace(file, scores)
    found = outcomes(folder, *SCORE_CHECKS)
    assert failed(found) == {"scores_are_probabilities", "scores_reproduce"}
    assert not missing(found)


def test_pickled_scores_are_refused(folder, outcomes):
    file = folder / "scores_test.npy"
    file.unlink()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "pickled" in missing(outcomes(folder, "scores_shape"))["scores_shape"]


# -- metrics ---------------------------------------------------------------------------------------


def change_metrics(folder, edit):
    metrics = read(folder / "metrics.json")
    edit(metrics)
    replace(folder / "metrics.json", metrics)


def overall_as_mean(metrics):
    metrics["test"]["mean_accuracy"] = metrics["test"]["accuracy"]


def precision_as_accuracy(metrics):
    report = metrics["test"]["report"]
    metrics["test"]["accuracy_per_class"] = {
        c: report[c]["precision"] for c in metrics["test"]["ap_per_class"]
    }


def map_of_another_set(metrics):
    metrics["test"]["map"], metrics["val"]["map"] = metrics["val"]["map"], metrics["test"]["map"]


def no_ap_for_val(metrics):
    del metrics["val"]["ap_per_class"]


@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (overall_as_mean, {"metrics_accuracy_per_class"}, "overall accuracy"),
        (precision_as_accuracy, {"metrics_accuracy_per_class"}, "precision"),
        (map_of_another_set, {"metrics_map"}, "mAP"),
        (no_ap_for_val, {"metrics_average_precision"}, "missing"),
    ],
)
def test_faults_of_the_metrics(folder, outcomes, edit, fails, says):
    change_metrics(folder, edit)
    found = outcomes(folder, *METRIC_CHECKS)
    assert failed(found) == fails
    assert says in " ".join(j.reason + j.mistake for j in found.values())


def test_metrics_in_percent_are_right_too(folder, outcomes):
    def percent(metrics):
        for table in metrics.values():
            for key in ("accuracy", "mean_accuracy", "map"):
                table[key] *= 100

    change_metrics(folder, percent)
    assert failed(outcomes(folder, *METRIC_CHECKS)) == set()


# -- ranking ---------------------------------------------------------------------------------------


def change_ranking(folder, edit):
    """Scores without ties (a trained network gives many equal ones), their right ranking, then the fault.

    The network, which would refute them, is not handed in.
    """
    (folder / "model.pth").unlink()
    scores = np.random.RandomState(0).dirichlet(np.ones(6), len(rows(folder, "test"))).astype(np.float32)
    replace(folder / "scores_test.npy", scores)
    paths = [line.split(",")[0] for line in rows(folder, "test")]
    ranking = {}
    for c, column in (("sea", 4), ("buildings", 0)):
        order = np.argsort(-scores[:, column])
        ranking[c] = {
            side: [[paths[i], float(scores[i, column])] for i in chosen]
            for side, chosen in (("top", order[:10]), ("bottom", order[::-1][:10]))
        }
    edit(ranking)
    replace(folder / "ranking.json", ranking)


def exchanged(ranking):
    ranking["sea"] = {"top": ranking["sea"]["bottom"], "bottom": ranking["sea"]["top"]}


def nine_only(ranking):
    ranking["sea"]["top"] = ranking["sea"]["top"][:9]


def one_class(ranking):
    del ranking["sea"]


def reversed_bottom(ranking):
    ranking["sea"]["bottom"] = ranking["sea"]["bottom"][::-1]


@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (exchanged, {"ranking_order"}, "exchanged"),
        (nine_only, {"ranking_complete"}, "top of sea"),
        (one_class, {"ranking_complete", "ranking_order"}, "classes ranked"),
        (reversed_bottom, set(), "opposite order"),
        (lambda ranking: None, set(), "in order"),
    ],
)
def test_faults_of_the_ranking(folder, outcomes, edit, fails, says):
    change_ranking(folder, edit)
    found = outcomes(folder, "ranking_complete", "ranking_from_test_set", "ranking_order")
    assert failed(found) == fails
    words = [word for j in found.values() for word in (j.reason, j.mistake, *(f.found for f in j.findings))]
    assert says in " ".join(words)


def test_a_top_sorted_upwards_has_the_right_images_and_loses_its_order(folder, outcomes):
    ranking = read(folder / "ranking.json")
    ranking["sea"]["top"].reverse()
    replace(folder / "ranking.json", ranking)
    judge = outcomes(folder, "ranking_order")["ranking_order"]
    assert [f.asked for f in judge.findings if f.outcome is Outcome.FAILED] == ["order of the top of sea"]
    assert 0.5 < judge.share(Outcome.PASSED) < 1


def test_a_ranking_within_the_class_is_a_reading_that_the_teacher_decides_on(folder, outcomes):
    scores, lines = np.load(folder / "scores_test.npy")[:, 4], rows(folder, "test")
    paths = [line.split(",")[0] for line in lines]
    own = sorted((p for p in paths if p.startswith("sea/")), key=lambda p: -scores[paths.index(p)])
    ranking = read(folder / "ranking.json")
    ranking["sea"] = {"top": [[p, float(scores[paths.index(p)])] for p in own[:10]], "bottom": own[::-1][:10]}
    replace(folder / "ranking.json", ranking)
    judge = outcomes(folder, "ranking_order")["ranking_order"]
    assert judge.outcome is Outcome.OPEN
    assert "among the images of this class only" in judge.reason


def test_ranking_over_the_training_images(folder, outcomes):
    train = [line.split(",")[0] for line in rows(folder, "train")]
    change_ranking(folder, lambda r: r["sea"].update(top=[[p, 1.0] for p in train[:10]]))
    found = outcomes(folder, "ranking_from_test_set", "ranking_order")
    assert failed(found) == {"ranking_from_test_set", "ranking_order"}
    assert "images of train" in found["ranking_from_test_set"].mistake


# -- missing pieces --------------------------------------------------------------------------------

PIECES = {
    "split": ("split", {"split_sizes", "scores_shape", "ranking_from_test_set"}),
    "model.pth": (
        "model",
        {"network_depth", "scores_reproduce", "best_on_validation", "eigenvalues_recomputed"},
    ),
    "scores_test.npy": (
        "scores",
        {"scores_shape", "scores_are_probabilities", "scores_reproduce"},
    ),
    "metrics.json": ("metrics", {"metrics_accuracy", "metrics_map"}),
    "history": ("history", {"three_settings", "history_complete", "best_on_validation", "loss_curves"}),
    "ranking.json": ("ranking", {"ranking_complete", "ranking_order"}),
    "non_positive.json": ("non_positive", {"modules_named", "non_positive_recomputed"}),
    "eigenvalues.json": ("eigenvalues", {"eigenvalues_valid", "comparison_complete"}),
    "untuned.pth": ("untuned", {"comparison_recomputed"}),
    "feature_maps": ("feature_maps", {"feature_map_pictures"}),
    "plots": ("plots", {"loss_curves", "spectrum_plot"}),
    "reproduction.json": ("reproduction", {"comparison_recorded"}),
}


@pytest.mark.parametrize("file", PIECES)
def test_a_missing_piece_is_named_and_its_checks_are_not_run(folder, outcomes, file):
    piece, depends = PIECES[file]
    target = folder / file
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    found = outcomes(folder, *depends)
    assert set(missing(found)) == depends
    assert {why.piece for why in found.values()} == {piece}
