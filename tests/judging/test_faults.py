"""Each fault, built by changing the reference submission in exactly that way, fails its own check and no other.

The full catalogue is a suite of its own; here stands one fault or more for every check.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from in4310.judging import statistics
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import GOOD, Outcome
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def edition():
    return load_edition("demo")


@pytest.fixture(scope="module")
def data(edition):
    return resolve_data(edition, None)


@pytest.fixture
def outcomes(run_check, edition, data):
    """Judge a changed folder by the named checks: check -> Judge, or the Missing that it raised."""

    def judge(folder, *checks):
        evidence = Evidence(Submission(folder), data, edition)
        found = {}
        for check in checks:
            try:
                found[check] = run_check(check, evidence)
            except Missing as missing:
                found[check] = missing
        return found

    return judge


def replace(path, content):
    path.unlink()
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rows(folder, name):
    return (folder / "split" / f"{name}.csv").read_text().splitlines()[1:]


def write_rows(folder, name, lines):
    replace(folder / "split" / f"{name}.csv", "path,label\n" + "\n".join(lines) + "\n")


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


def failed(found):
    return {
        name
        for name, judge in found.items()
        if not isinstance(judge, Missing) and judge.outcome is Outcome.FAILED
    }


def missing(found):
    return {name: str(why) for name, why in found.items() if isinstance(why, Missing)}


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
    replace(toml, text.replace("seed = 42\ngrouped", "grouped"))
    assert "seed" in missing(outcomes(folder, "split_seed"))["split_seed"]
    replace(toml, text.replace("seed = 42\ngrouped", "seed = 7\ngrouped"))
    assert outcomes(folder, "split_seed")["split_seed"].outcome is Outcome.OPEN


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
        pytest.param(lambda s: s[:141], "the val set", {"scores_reproduce"}, marks=pytest.mark.slow),
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


# -- network and training --------------------------------------------------------------------------


def change_weights(folder, edit):
    state = torch.load(folder / "model.pth", weights_only=True)
    edit(state)
    (folder / "model.pth").unlink()
    torch.save(state, folder / "model.pth")


def thousand_outputs(state):
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, 512), torch.zeros(1000)


def nan_weights(state):
    state["layer3.0.conv1.weight"][0, 0, 0, 0] = float("nan")


def test_a_network_with_1000_outputs_is_named_and_nothing_is_predicted_with_it(folder, outcomes):
    change_weights(folder, thousand_outputs)
    found = outcomes(folder, "network_depth", "network_outputs", "scores_reproduce")
    assert failed(found) == {"network_outputs"}
    assert "ImageNet" in found["network_outputs"].mistake
    assert "1000 outputs" in missing(found)["scores_reproduce"]


def test_nan_weights_are_named(folder, outcomes):
    change_weights(folder, nan_weights)
    found = outcomes(folder, "network_outputs")
    assert failed(found) == {"network_outputs"}
    assert "layer3.0.conv1.weight" in found["network_outputs"].findings[1].details


def test_a_pickled_module_is_refused(folder, outcomes):
    (folder / "model.pth").unlink()
    torch.save(torch.nn.Linear(2, 2), folder / "model.pth")
    why = missing(outcomes(folder, "network_depth"))["network_depth"]
    assert "state_dict" in why


def test_a_corrupt_model_leaves_the_rest_judged(folder, outcomes):
    (folder / "model.pth").unlink()
    (folder / "model.pth").write_bytes(b"PK\x03\x04 not a checkpoint")
    found = outcomes(folder, "network_depth", "scores_shape", "metrics_map", "ranking_order")
    assert set(missing(found)) == {"network_depth"}
    assert failed(found) == set()


@pytest.mark.parametrize(
    "head",
    [
        nn.Sequential(nn.BatchNorm1d(512), nn.Dropout(0.3), nn.Linear(512, 6)),
        nn.Sequential(nn.Linear(512, 64), nn.GELU(), nn.Dropout(0.5), nn.Linear(64, 6)),
        nn.Sequential(nn.Linear(512, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 6)),
    ],
    ids=("batch norm", "GELU", "layer norm"),
)
def test_a_head_of_another_form_gives_its_scores(folder, outcomes, edition, data, head):
    """Weights that are drawn, and the scores that they give: no tensor says what lies between the layers."""
    model = Evidence(Submission(folder), data, edition).model
    model.fc = head.eval()
    for name, content in (("model.pth", model.state_dict()), ("scores_test.npy", None)):
        (folder / name).unlink()
        if content:
            torch.save(content, folder / name)
    evidence = Evidence(Submission(folder), data, edition)
    loaded = evidence.images(evidence.known("test"))
    with torch.inference_mode():
        given = torch.cat([model(x).softmax(dim=1) for x in evidence.batches(loaded)()])
    np.save(folder / "scores_test.npy", given.numpy())
    found = outcomes(folder, "network_depth", "network_outputs", "scores_reproduce")
    assert failed(found) == set()
    assert missing(found) == {}


def test_the_last_epoch_in_place_of_the_best_is_named(folder, outcomes):
    """History rewritten so that the weights handed in are the last epoch's and another one was better."""
    kept = next(f for f in (folder / "history").glob("*.json") if read(f)["kept"])
    run = read(kept)
    best = run["epochs"][run["best_epoch"] - 1]
    better = {
        **best,
        "epoch": 1,
        "val_map": min(1.0, best["val_map"] + 0.02),
        "val_accuracy": best["val_accuracy"] + 0.02,
    }
    run["epochs"] = [better, {**best, "epoch": 2}]
    replace(kept, run)
    judge = outcomes(folder, "best_on_validation")["best_on_validation"]
    assert judge.outcome is Outcome.FAILED
    assert "last epoch (2)" in judge.mistake


def test_two_settings_are_too_few_and_equal_curves_are_named(folder, outcomes):
    files = sorted((folder / "history").glob("*.json"))
    for file in files[2:]:
        file.unlink()
    assert failed(outcomes(folder, "three_settings")) == {"three_settings"}
    run = read(files[0])
    run["settings"]["learning_rate"] = 123.0
    (folder / "history" / "copy.json").write_text(json.dumps(run))
    judge = outcomes(folder, "three_settings")["three_settings"]
    assert "never reached the optimiser" in judge.mistake


@pytest.mark.parametrize("value", [None, "nan", float("inf"), -1.0, True])
def test_gaps_in_the_history_are_found(folder, outcomes, value):
    file = min((folder / "history").glob("*.json"))
    run = read(file)
    run["epochs"][1]["val_loss"] = value
    file.unlink()
    file.write_text(json.dumps(run))
    assert failed(outcomes(folder, "history_complete")) == {"history_complete"}


def test_memory_beyond_the_limit_and_below_what_is_possible(folder, outcomes):
    resources = read(folder / "resources.json")
    for peak in (5 * 2**30, 1000):
        replace(folder / "resources.json", resources | {"peak_memory_bytes": peak})
        assert failed(outcomes(folder, "memory_limit")) == {"memory_limit"}


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        ({"peak_memory_gb": 1.6, "batch_size": 64}, Outcome.PASSED),
        ({"training": {"Peak GPU memory": "1566 MiB", "batch size": 64}}, Outcome.PASSED),
        # The batch of the settings; 4.1 GB of 1000^3 bytes are less than 4 GiB, and so may 4.3 be.
        ({"max_memory_allocated": "4,1 GB"}, Outcome.PASSED),
        ({"max_memory_allocated": "4.3 GB"}, Outcome.PASSED),
        ({"max_memory_allocated": "4.3 GiB"}, Outcome.FAILED),
        ({"max_memory_allocated": 4.4 * 2**30}, Outcome.FAILED),
        # About 0.2 GiB are needed: 0.2 may be 0.25.
        ({"peak_memory_gib": 0.2}, Outcome.PASSED),
        ({"peak_memory_gib": 0.06}, Outcome.OPEN),
        ({"peak_memory_mib": 3}, Outcome.FAILED),
        ({"peak_memory_gb": "much"}, Outcome.OPEN),
    ],
)
def test_peak_memory_is_read_with_its_unit_and_its_digits(folder, outcomes, record, outcome):
    replace(folder / "resources.json", record)
    assert outcomes(folder, "memory_limit")["memory_limit"].outcome is outcome


def test_memory_that_nobody_reports_is_counted(folder, outcomes):
    (folder / "resources.json").unlink()
    found = outcomes(folder, "memory_limit")["memory_limit"]
    assert found.outcome is Outcome.OPEN
    assert "0.2" in found.reason, (
        "64 images of 64 x 64: 0.13 GiB of weights and their like, the rest is kept activations"
    )


def test_a_command_with_arguments(folder, outcomes):
    toml = folder / "submission.toml"
    replace(toml, toml.read_text().replace("python run.py", "python run.py --data /home/me"))
    assert failed(outcomes(folder, "runs_without_arguments")) == {"runs_without_arguments"}


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


def test_ranking_over_the_training_images(folder, outcomes):
    train = [line.split(",")[0] for line in rows(folder, "train")]
    change_ranking(folder, lambda r: r["sea"].update(top=[[p, 1.0] for p in train[:10]]))
    found = outcomes(folder, "ranking_from_test_set", "ranking_order")
    assert failed(found) == {"ranking_from_test_set", "ranking_order"}
    assert "images of train" in found["ranking_from_test_set"].mistake


# -- feature maps and spectra ----------------------------------------------------------------------


def change_percent(folder, edit):
    table = read(folder / "non_positive.json")
    edit(table)
    replace(folder / "non_positive.json", table)


def positive_share(table):
    table["percent"] = {name: 100 - value for name, value in table["percent"].items()}


def share_of_one(table):
    table["percent"] = {name: value / 100 for name, value in table["percent"].items()}


def repeated_images(table):
    table["images"] = table["images"][:64] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (positive_share, {"non_positive_recomputed"}, "positive values"),
        (share_of_one, {"non_positive_recomputed"}, "share of 1"),
        (repeated_images, {"non_positive_in_range"}, "same images"),
        (lambda t: t["percent"].update(layer9=5.0), {"modules_named"}, "layer9"),
        (
            lambda t: t["percent"].update(layer1=-3.0),
            {"non_positive_in_range", "non_positive_recomputed"},
            "layer1",
        ),
    ],
)
def test_faults_of_the_non_positive_share(folder, outcomes, edit, fails, says):
    change_percent(folder, edit)
    found = outcomes(folder, "modules_named", "non_positive_in_range", "non_positive_recomputed")
    assert failed(found) >= fails
    if edit is not repeated_images:
        assert failed(found) == fails
    text = " ".join(
        j.reason + j.mistake + " ".join(f.asked + f.found + " ".join(f.details) for f in j.findings)
        for j in found.values()
    )
    assert says in text


def change_values(folder, edit, only=None):
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        if only is None or (series["model"], series["data"]) == only:
            for module in series["modules"].values():
                module["values"] = edit(module["values"], len(series["paths"]))
                del module["total_variance"]
    replace(folder / "eigenvalues.json", table)


SPECTRUM_CHECKS = (
    "eigenvalues_valid",
    "eigenvalues_recomputed",
    "comparison_complete",
    "comparison_recomputed",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "fails", "says"),
    [
        (
            lambda v, n: v[::-1],
            {"eigenvalues_valid", "eigenvalues_recomputed", "comparison_recomputed"},
            "ascending",
        ),
        (
            lambda v, n: [x**0.5 for x in v],
            {"eigenvalues_recomputed", "comparison_recomputed"},
            "square roots",
        ),
        (lambda v, n: [x * n for x in v], {"eigenvalues_recomputed", "comparison_recomputed"}, "not divided"),
        (
            lambda v, n: [-x for x in v],
            {"eigenvalues_valid", "eigenvalues_recomputed", "comparison_recomputed"},
            "",
        ),
        (lambda v, n: [x * n / (n - 1) for x in v], set(), ""),
        (lambda v, n: v[:5], set(), ""),
    ],
)
def test_faults_and_variants_of_the_spectra(folder, outcomes, edit, fails, says):
    change_values(folder, edit)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == fails, {n: j.reason for n, j in found.items()}
    assert says in " ".join(j.reason + j.mistake for j in found.values())


@pytest.mark.slow
def test_the_same_network_in_all_panels(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    by_key = {(s["model"], s["data"]): s for s in table["series"]}
    by_key["untuned", "course"]["modules"] = by_key["tuned", "course"]["modules"]
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == {"comparison_complete", "comparison_recomputed"}
    assert "same network" in found["comparison_complete"].mistake


@pytest.mark.slow
def test_one_data_set_where_three_are_compared(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    table["series"] = [s for s in table["series"] if s["data"] == "course"]
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == {"comparison_complete", "comparison_recomputed"}  # a share of what was asked for


def test_many_paths_of_one_image_are_one_image(folder, outcomes):
    """U2: `v0/sea/1.jpg` and `v1/sea/1.jpg` are one file, and so are other ways to write one path."""
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        folder_of, name = series["paths"][0].split("/")
        ways = "v{0}/{1}/{2}" if series["data"] == "course" else "{1}/{3}{2}"
        series["paths"] = [ways.format(i, folder_of, name, "./" * i) for i in range(200)]
        for module in series["modules"].values():
            module["values"], module["total_variance"] = [0.0] * 200, 0.0
    replace(folder / "eigenvalues.json", table)
    found = outcomes(folder, *SPECTRUM_CHECKS)
    assert failed(found) == set(SPECTRUM_CHECKS)
    assert all(judge.share(*GOOD) < 0.21 for judge in found.values())  # one value of five in each module
    counted = {
        f.asked: f.found
        for name in ("eigenvalues_recomputed", "comparison_complete")
        for f in found[name].findings
    }
    assert counted["different images"] == "1"
    assert [counted[f"untuned network on {data}"] for data in ("course", "shapes", "tiny")] == [
        "1 images"
    ] * 3


def test_a_path_that_leads_out_of_the_comparison_data_is_refused(folder, outcomes):
    table = read(folder / "eigenvalues.json")
    series = next(s for s in table["series"] if s["data"] == "shapes")
    series["paths"][0] = "../../../etc/passwd"
    replace(folder / "eigenvalues.json", table)
    assert (
        "not an image of shapes"
        in missing(outcomes(folder, "comparison_recomputed"))["comparison_recomputed"]
    )


# -- pictures --------------------------------------------------------------------------------------


def test_blank_absent_and_repeated_pictures(folder, outcomes):
    from PIL import Image

    maps = folder / "feature_maps"
    (maps / "003.png").unlink()
    Image.new("RGB", (300, 300), "white").save(maps / "003.png")
    judge = outcomes(folder, "feature_map_pictures")["feature_map_pictures"]
    assert judge.outcome is Outcome.FAILED
    assert "one colour" in " ".join(judge.findings[1].details)
    for file in list(maps.glob("*.png"))[1:]:
        file.unlink()
    assert "one picture for all" in outcomes(folder, "feature_map_pictures")["feature_map_pictures"].mistake


def test_a_blank_loss_curve(folder, outcomes):
    from PIL import Image

    plot = folder / "plots" / "loss_curves.png"
    plot.unlink()
    Image.new("L", (640, 480), 255).save(plot)
    assert failed(outcomes(folder, "loss_curves", "spectrum_plot")) == {"loss_curves"}


VECTORS = {
    "loss.svg": (b" " * 501, Outcome.FAILED),
    "loss curves.svg": (b"<svg>" + b"\n\t" * 5000 + b"</svg>", Outcome.FAILED),
    "loss.pdf": (b"%PDF-" + b" \0" * 500, Outcome.FAILED),
    "loss of text.pdf": (b"the losses fall. " * 60, Outcome.FAILED),
    "loss_curves.svg": (b'<svg><path d="' + b"M0 0h9" * 100 + b'"/></svg>', Outcome.OPEN),
    "loss_curves.pdf": (b"%PDF-1.7" + b" 1 0 obj" * 100, Outcome.OPEN),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_plot_that_is_not_drawn_here_is_the_teachers_and_a_blank_one_nobodys(folder, outcomes, name):
    """U5: nothing is earned by the size of a file."""
    content, outcome = VECTORS[name]
    (folder / "plots" / "loss_curves.png").unlink()
    (folder / "plots" / name).write_bytes(content)
    judge = outcomes(folder, "loss_curves")["loss_curves"]
    assert judge.outcome is outcome, judge.reason


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


# -- images that are not named ------------------------------------------------------------------------


def taken(evidence, which):
    """The first 200 of a list of images, as a loader gives them that is not shuffled."""
    lists = {"train, sorted": sorted(evidence.known("train")), "test": evidence.known("test")}
    return tuple(lists[which][:200])


@pytest.mark.slow
@pytest.mark.parametrize("which", ["train, sorted", "test"])
def test_figures_over_the_first_images_that_are_not_named(folder, outcomes, which):
    """They are right by those images; what none of the usual ones gives is the teacher's to judge, and earns nothing."""
    edition = load_edition("demo")
    evidence = Evidence(Submission(folder), resolve_data(edition, None), edition)
    table, record = read(folder / "non_positive.json"), read(folder / "eigenvalues.json")
    (own,) = [s for s in record["series"] if (s["model"], s["data"]) == ("tuned", "course")]
    paths, modules = taken(evidence, which), list(table["percent"])
    shares = statistics.non_positive(evidence, paths, modules)
    spectra = statistics.spectra(evidence, "tuned", "course", paths, list(own["modules"]), False)
    modules = {name: {"values": found.values[:20].tolist()} for name, found in spectra.items()}
    names = ("non_positive_recomputed", "eigenvalues_recomputed")
    for off, outcome in ((0, Outcome.PASSED), (1.0, Outcome.OPEN)):
        series = {"model": "tuned", "data": "course", "modules": {
            name: {"values": [(1 + off) * v for v in one["values"]]} for name, one in modules.items()}}  # fmt: skip
        replace(
            folder / "non_positive.json",
            {"images": 200, "percent": {n: v * (1 + off / 3) for n, v in shares.items()}},
        )
        replace(folder / "eigenvalues.json", {"series": [series]})
        found = outcomes(folder, *names)
        assert failed(found) == set()
        assert all(j.outcome is outcome or (not off and j.outcome is Outcome.WARNED) for j in found.values())


# -- right in another form -------------------------------------------------------------------------


def rows_of_the_test_set(folder, k=10):
    rows = {path: i for i, path in enumerate((folder / "split" / "test.csv").read_text().split()[1:])}
    listed = [line.partition(",")[0] for line in rows]
    scores, classes = np.load(folder / "scores_test.npy"), load_edition("demo").data.classes
    ranking = {}
    for c in read(folder / "ranking.json"):
        order = np.argsort(-scores[:, classes.index(c)], kind="stable").tolist()
        ranking[c] = {"top": order[:k], "bottom": order[::-1][:k]}
    assert len(listed) == len(scores)
    replace(folder / "ranking.json", ranking)


@pytest.mark.parametrize(("k", "fails"), [(10, set()), (12, set()), (9, {"ranking_complete"})])
def test_a_ranking_by_rows_of_the_test_set_and_of_more_than_was_asked(folder, outcomes, k, fails):
    rows_of_the_test_set(folder, k)
    assert failed(outcomes(folder, "ranking_complete", "ranking_from_test_set", "ranking_order")) == fails


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_setting_that_diverged_and_says_so_was_tried(folder, outcomes, kept, value):
    """Losses that are no numbers are what was measured, but for the run whose weights were kept."""
    files = sorted((folder / "history").glob("*.json"), key=lambda f: bool(read(f).get("kept")) is not kept)
    run = read(files[0])
    for epoch in run["epochs"][1:]:
        epoch["train_loss"] = epoch["val_loss"] = value
    replace(files[0], run)
    found = outcomes(folder, "history_complete", "loss_curves")
    assert failed(found) == ({"history_complete", "loss_curves"} if kept else set())


@pytest.mark.parametrize("decimals", [4, 5])
def test_eigenvalues_of_few_digits_sum_to_the_variance_of_many(folder, outcomes, decimals):
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        for one in series["modules"].values():
            one["values"] = [round(v, decimals) for v in one["values"]]
    replace(folder / "eigenvalues.json", table)
    assert failed(outcomes(folder, "eigenvalues_valid")) == set()
    table["series"][0]["modules"]["layer4"]["total_variance"] *= 1.1
    replace(folder / "eigenvalues.json", table)
    assert failed(outcomes(folder, "eigenvalues_valid")) == {"eigenvalues_valid"}


@pytest.mark.slow
def test_scores_made_under_autocast_are_the_networks_and_one_that_is_altered_is_not(folder, outcomes):
    edition = load_edition("demo")
    evidence = Evidence(Submission(folder), resolve_data(edition, None), edition)
    batches = evidence.batches(evidence.images(evidence.known("test")))()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = torch.cat([evidence.model(x).float().softmax(dim=1) for x in batches]).numpy()
    right = np.load(folder / "scores_test.npy")
    most = float(np.abs(half - right).max())
    assert most > edition.tolerances.score
    altered = right.copy()
    altered[3] += [most, -most, 0, 0, 0, 0]  # no farther off, but alone
    for scores, outcome in (
        (half, Outcome.WARNED),
        (altered, Outcome.FAILED),
        (2.5 * half - 1.5 * right, Outcome.FAILED),
    ):
        (folder / "scores_test.npy").unlink()
        np.save(folder / "scores_test.npy", scores)
        assert outcomes(folder, "scores_reproduce")["scores_reproduce"].outcome is outcome


@pytest.mark.parametrize(("decimals", "twice", "outcome"), [(2, True, Outcome.OPEN), (2, False, Outcome.PASSED), (4, True, Outcome.PASSED)])  # fmt: skip
def test_a_history_of_few_digits_cannot_tell_which_of_two_epochs_was_kept(
    folder, outcomes, decimals, twice, outcome
):
    """Two decimals make an epoch that is a little worse the equal of the best; of four the best is told."""
    for file in sorted((folder / "history").glob("*.json")):
        run = read(file)
        best = max(run["epochs"], key=lambda e: e["val_map"])
        for e in run["epochs"]:
            e["val_map"], e["val_accuracy"] = (
                round(e[k] if run.get("kept") and e is best else 0.5 * e[k], decimals)
                for k in ("val_map", "val_accuracy")
            )
        if run.get("kept") and twice:
            other = next(e for e in run["epochs"] if e is not best)
            other["val_map"] = round(best["val_map"] - 0.4 * 10.0**-decimals, decimals)
            other["val_accuracy"] = best["val_accuracy"]
        replace(file, run)
    assert outcomes(folder, "best_on_validation")["best_on_validation"].outcome is outcome
