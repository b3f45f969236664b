"""Faults of the network, its training and its record, each built from the reference."""

import json

import numpy as np
import pytest
import torch
from judging.changes import failed, missing, read, replace
from sampled import sampled
from torch import nn

from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Submission

pytestmark = pytest.mark.filterwarnings("ignore")


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
    sampled(
        [
            nn.Sequential(nn.BatchNorm1d(512), nn.Dropout(0.3), nn.Linear(512, 6)),
            nn.Sequential(nn.Linear(512, 64), nn.GELU(), nn.Dropout(0.5), nn.Linear(64, 6)),
            nn.Sequential(nn.Linear(512, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 6)),
        ],
        every=3,
    ),
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


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        (("sgd_lr0.01", "sgd_lr1e-3", "AdamW 0.001"), Outcome.PASSED),
        (("bs32", "bs64", "bs128 drop=.5"), Outcome.PASSED),
        (("sgd_lr0.01", "sgd_lr1e-2 seed 2", "sgd-.01 v3"), Outcome.FAILED),
        (("run 1", "run 2", "sgd_lr0.01"), Outcome.OPEN),
        (("lr test", "exp_3", "size of things"), Outcome.OPEN),
    ],
)
def test_names_of_runs_state_settings_where_they_say_what_of(folder, outcomes, names, outcome):
    files = sorted((folder / "history").glob("*.json"))
    for file in files[3:]:
        file.unlink()
    for file, name in zip(files, names, strict=False):
        run = read(file)
        file.unlink()
        epochs = [{k: v for k, v in e.items() if k != "learning_rate"} for e in run["epochs"]]
        replace(file.with_name(f"{name}.json"), {"epochs": epochs})
    assert outcomes(folder, "three_settings")["three_settings"].outcome is outcome


@pytest.mark.parametrize(("rate", "outcome"), [(0.5, Outcome.FAILED), (None, Outcome.PASSED)])
def test_a_shorter_run_with_the_same_curve_is_one_training_where_it_has_the_same_setting(
    folder, outcomes, rate, outcome
):
    file = next(f for f in (folder / "history").glob("*.json") if read(f).get("kept"))
    run = read(file)
    settings = run["settings"] | {"epochs": 5} | ({"learning_rate": rate} if rate else {})
    replace(folder / "history" / "short.json", {"settings": settings, "epochs": run["epochs"][:5]})
    assert outcomes(folder, "three_settings")["three_settings"].outcome is outcome


def test_a_run_that_stands_still_is_left_to_the_teacher(folder, outcomes):
    file = next(f for f in (folder / "history").glob("*.json") if not read(f).get("kept"))
    run = read(file)
    replace(file, run | {"epochs": [run["epochs"][0] | {"epoch": i} for i in range(1, 5)]})
    judge = outcomes(folder, "three_settings")["three_settings"]
    assert judge.outcome is Outcome.OPEN
    assert "the same in every epoch" in judge.reason


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


@pytest.mark.parametrize(
    ("command", "fails"),
    [
        ("python3 -u run.py", False),
        ("python -m run", False),
        ("python -m code.train", False),
        ("python -m code", True),  # it has no __main__
        ("uv run python ./run.py", False),
        ("jupyter nbconvert --to notebook --execute main.ipynb", False),
        ("papermill main.ipynb out.ipynb", False),
        ("jupyter nbconvert --execute", True),
        ("python -m run --data x", True),
        ("bash run.sh", True),
        ("", True),
    ],
)
def test_commands_that_give_a_script_no_arguments(folder, outcomes, command, fails):
    replace(folder / "main.ipynb", {"cells": []})
    replace(folder / "code" / "train.py", "print('training')\n")
    toml = folder / "submission.toml"
    replace(toml, toml.read_text().replace("python run.py", command))
    found = outcomes(folder, "runs_without_arguments")
    assert failed(found) == ({"runs_without_arguments"} if fails else set())


def test_a_command_with_arguments(folder, outcomes):
    toml = folder / "submission.toml"
    replace(toml, toml.read_text().replace("python run.py", "python run.py --data /home/me"))
    assert failed(outcomes(folder, "runs_without_arguments")) == {"runs_without_arguments"}
