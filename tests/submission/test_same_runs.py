"""Repeating, splitting or resuming one run gives one run; runs that differ stay apart, and headings name them."""

import json
from itertools import combinations, permutations

import numpy as np
import pytest
from submission.test_logged_runs import EVENTS, TAGS, scalars
from submission.test_pieces_together import notebook
from submission.written_forms import CLASSES, HINTS, SCORES, write

from in4310.submission import logs
from in4310.submission.discovery import Discovery
from in4310.submission.reader import load_tensors

COLUMNS = ("train_loss", "val_loss", "val_accuracy", "val_map")


def epochs(offset=0.0, last=10):
    return [
        {"epoch": e, "train_loss": 1 / (e + offset), "val_loss": 1.1 / (e + offset), "val_accuracy": 1 - 0.4 / (e + offset), "val_map": 1 - 0.5 / (e + offset)}
        for e in range(1, last + 1)
    ]  # fmt: skip


def csv(run, mark=","):
    rows = [[e["epoch"], *(f"{e[c]:.6f}" for c in COLUMNS)] for e in run]
    return "\n".join(mark.join(map(str, row)) for row in (("epoch", *COLUMNS), *rows)) + "\n"


def log(run):
    return "".join(
        f"Epoch {e['epoch']}/10 train loss: {e['train_loss']:.4f} val loss: {e['val_loss']:.4f} val acc: {100 * e['val_accuracy']:.2f} % val mAP: {e['val_map']:.3f}\n"
        for e in run
    )


def keras(run):
    return json.dumps({c: [e[c] for e in run] for c in COLUMNS})


FORMS = {  # of one run: a file's name, and what writes it
    "csv": ("log.csv", csv),
    "a copy": ("old/log (1).csv", csv),
    "another mark": ("table.tsv", lambda run: csv(run, "\t")),
    "records": ("history.json", lambda run: json.dumps({"epochs": run})),
    "lists": ("keras.json", keras),
    "printed": ("slurm-12.out", log),
    "printed twice": ("all.log", lambda run: log(run) + "\n" + log(run)),
    "notebook": ("oblig.ipynb", lambda run: notebook(log(run))),
    "events": (f"runs/one/{EVENTS}", lambda run: scalars(run, TAGS)),
    "checkpoint": ("checkpoint-70/history.json", lambda run: json.dumps({"epochs": run[:4]})),
    "stopped": ("slurm-11.out", lambda run: log(run[:3]) + "slurmstepd: error: *** JOB 11 CANCELLED ***\n"),
}


def history(folder, files):
    for name, content in files.items():
        write(folder, name, content)
    (found,) = Discovery(folder, HINTS, load_tensors).candidates["history"]
    return found


def losses(found):
    return sorted(tuple(round(e["val_loss"], 3) for e in run["epochs"]) for run in found.value.values())


def curve(run):
    return tuple(round(e["val_loss"], 3) for e in run)


@pytest.mark.parametrize("pair", list(combinations(FORMS, 2)), ids="+".join)
def test_one_run_in_two_forms_is_one_run_and_another_is_another(tmp_path, pair):
    (first, write_first), (second, write_second) = (FORMS[form] for form in pair)
    found = history(tmp_path / "same", {first: write_first(epochs()), second: write_second(epochs())})
    last = 4 if set(pair) == {"checkpoint", "stopped"} else 10
    assert losses(found) == [curve(epochs(last=last))]
    assert set(found.files) == {first, second}  # each was read
    other = history(tmp_path / "other", {first: write_first(epochs()), second: write_second(epochs(0.3))})
    assert len(other.value) == 2


@pytest.mark.parametrize("form", ["csv", "records", "printed", "notebook"])
@pytest.mark.parametrize(("stop", "again"), [(5, 5), (6, 4), (9, 8)])
def test_a_run_that_was_resumed_in_another_file_is_one(tmp_path, form, stop, again):
    name, written = FORMS[form]
    stem, suffix = name.split(".")
    given_up = [e | {"val_loss": 9.0} if e["epoch"] > again else e for e in epochs()]
    found = history(
        tmp_path,
        {f"{stem}1.{suffix}": written(given_up[:stop]), f"{stem}2.{suffix}": written(epochs()[again:])},
    )
    assert losses(found) == [curve(epochs())]


def test_of_two_runs_that_may_go_on_the_rest_is_not_put_to_either(tmp_path):
    found = history(
        tmp_path, {"a.csv": csv(epochs()[:5]), "b.csv": csv(epochs(0.3)[:5]), "c.csv": csv(epochs(0.2)[5:])}
    )
    assert len(found.value) == 3


@pytest.mark.parametrize("names", [("sgd_0.1.csv", "adam_0.1.csv"), ("lr_0.1/log.csv", "lr_0.01/log.csv")])
def test_runs_that_are_said_to_differ_are_never_one(tmp_path, names):
    found = history(tmp_path, dict.fromkeys(names, csv(epochs())))
    assert len(found.value) == 2
    settings = [json.dumps({"settings": {"lr": lr}, "epochs": epochs()}) for lr in (0.1, 0.01)]
    assert len(history(tmp_path / "stated", {"a.json": settings[0], "b.json": settings[1]}).value) == 2


def test_several_logs_and_notebooks_are_all_read(tmp_path):
    files = {
        "one.out": log(epochs()),
        "logs/two.log": log(epochs(0.2)),
        "three.ipynb": notebook("Success! sets are disjoint\n" + log(epochs(0.4, 3))),
        "history.csv": csv(epochs(0.6)),
    }
    for order in list(permutations(files))[::8]:
        found = history(tmp_path / order[0] / order[1], {name: files[name] for name in order})
        assert sorted(found.value) == ["history", "one", "three", "two"]
        assert set(found.files) == set(files)


HEADINGS = {
    "a title and a line of settings": "+-----+\n  Testing for:\n  lr={lr}, batch=16, epochs=10, transform: False, optimizer: {opt}\n+-----+\n\n",
    "a sentence": "Starting training of model {i}/3: lr {lr} with {opt}\n\n",
    "a dict": "{{'lr': {lr}, 'batch_size': 16, 'optimizer': '{opt}'}}\n",
    "stray lines below": "Run {i}: learning rate = {lr}, optimizer = {opt}\nUsing device: cuda\nDownloading weights to /home/me/.cache\n",
    "rows": "optimizer: {opt}\nlearning_rate: {lr}\n---------\n",
}
TRIED = ((1e-4, "AdamW"), (1e-3, "SGD"), (1e-2, "SGD"))


@pytest.mark.parametrize("form", HEADINGS)
def test_headings_say_with_what_each_run_was_trained(form):
    text = "Success! sets are disjoint\n"
    for i, (lr, opt) in enumerate(TRIED, 1):
        text += (
            HEADINGS[form].format(i=i, lr=lr, opt=opt)
            + log(epochs(i))
            + "Early stopping!\nTest mAP: 0.9000\nFinished in 300 s\n"
        )
    found = logs.as_history(text, "grid")
    said = [(float(run["settings"]["lr"]), run["settings"]["optimizer"]) for run in found.values()]
    assert said == [(lr, opt.lower()) for lr, opt in TRIED]
    assert [len(run["epochs"]) for run in found.values()] == [10, 10, 10]
    assert not any(
        word in name for name in found for word in ("Success", "Early", "Finished", "device", "---")
    )


def test_a_stray_line_names_no_run():
    text = "Success! sets are disjoint\n| layer2 | 51.0 |\nforest/9.jpg\n" + log(epochs())
    assert list(logs.as_history(text, "out")) == ["out"]
    assert list(logs.as_history(text + "Done\n" + log(epochs(0.3)), "out")) == ["out-1", "out-2"]


def test_the_same_heading_again_is_the_same_setting_and_another_with_the_same_figures_is_named():
    first, second = (f"Training with lr={lr}\n" for lr in (0.1, 0.01))
    again = logs.as_history(
        first + log(epochs(0, 2)) + first + log(epochs(0.1)) + second + log(epochs(0.2)), "a"
    )
    assert [run["settings"] for run in again.values()] == [{"lr": "0.1"}, {"lr": "0.1"}, {"lr": "0.01"}]
    frozen = "Training with lr=0.1, frozen\n"
    found = logs.as_history(first + log(epochs()) + frozen + log(epochs(0.2)), "a")
    assert all(set(run["settings"]) == {"run"} for run in found.values())


# -- which run is judged ---------------------------------------------------------------------------


def of_a_run(folder, name, best, scores):
    """A folder of one run: its log, and perhaps its scores and metrics."""
    write(
        folder,
        f"models/{name}/log.csv",
        csv([e | {"val_map": e["val_map"] - 0.5 + best / 2} for e in epochs()]),
    )
    if scores:
        write(folder, f"models/{name}/metrics.json", json.dumps({"test": {"accuracy": best, "map": best}}))
        np.save(folder / "models" / name / "test_softmax_scores.npy", SCORES)


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_the_best_run_that_can_be_judged_is_judged_with_its_own_figures(tmp_path, order):
    for name, best, scores in zip(order, (0.8, 0.9, 0.97), (True, True, False), strict=True):
        of_a_run(tmp_path, f"{name}_net", best, scores)
    candidates = Discovery(tmp_path, HINTS, load_tensors).candidates
    judged = f"models/{order[1]}_net"
    assert candidates["scores"][0].files == (f"{judged}/test_softmax_scores.npy",)
    assert candidates["metrics"][0].files == (f"{judged}/metrics.json",)
    assert candidates["metrics"][0].value["test"] == {"accuracy": 0.9, "map": 0.9}


def test_a_log_without_the_figure_of_the_others_hides_no_run(tmp_path):
    for name, best in (("a_net", 0.8), ("b_net", 0.9)):
        of_a_run(tmp_path, name, best, True)
    write(tmp_path, "tried.out", "".join(f"Epoch {e} train loss: {1 / (e + 2):.4f}\n" for e in range(1, 5)))
    candidates = Discovery(tmp_path, HINTS, load_tensors).candidates
    assert candidates["scores"][0].files == ("models/b_net/test_softmax_scores.npy",)
    assert len(candidates["history"][0].value) == 3


def test_figures_of_two_networks_are_not_mixed_where_no_log_tells_them_apart(tmp_path):
    for name, value in (("first", 0.8), ("transfer", 0.9)):
        ap = {"ap_per_class": dict.fromkeys(CLASSES, value)} if name == "transfer" else {}
        write(tmp_path, f"{name}/metrics.json", json.dumps({"test": {"accuracy": value, **ap}}))
        np.save(tmp_path / name / "scores.npy", SCORES)
    candidates = Discovery(tmp_path, HINTS, load_tensors).candidates
    folder = candidates["scores"][0].files[0].split("/")[0]
    assert candidates["metrics"][0].files == (f"{folder}/metrics.json",)
