"""Several runs in one folder, as they are really handed in: what belongs together, and which of them is meant."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from in4310.solution.network import build
from in4310.submission import logs
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
SCORES = np.random.RandomState(0).dirichlet(np.ones(6), 25)
EPOCHS = {
    "a": (0.5, 0.7),
    "b": (0.6, 0.9, 0.8),
    "c": (0.4, 0.6),
}  # validation mAP after each epoch of three runs
BEST = "b"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "øving").mkdir()
    return tmp_path / "øving"


@pytest.fixture(scope="module")
def weights():
    return build("resnet18", 6, "none", 0).state_dict()


def found(folder):
    return Submission(folder, Hints(CLASSES, frozenset(), {"test": 25, "val": 17}))


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def save(folder, name, weights):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, folder / name)


def notebook(*printed):
    cells = [
        {"cell_type": "code", "source": "train()", "metadata": {}, "execution_count": 1,
         "outputs": [{"output_type": "stream", "name": "stdout", "text": text}]}
        for text in printed
    ]  # fmt: skip
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def maps(submission):
    return sorted(tuple(e.get("val_map") for e in run["epochs"]) for run in submission.history.values())


def a_folder_a_run(folder, weights):
    """models/<run>/log.csv and test_log.csv, best and current weights, scores of each."""
    per_class = ",".join([f"AP_class{i}" for i in range(6)] + [f"ACC_class{i}" for i in range(6)])
    for name, values in EPOCHS.items():
        place = f"models/18-ResNet_{name}"
        for file, head in (("log", "train_loss,val_loss,val_acc"), ("test_log", "test_loss,test_acc")):
            bonus = 0.01 * (file == "test_log")
            lines = [f"epoch,{head},mAP,{per_class}"]
            for i, value in enumerate(values, 1):
                figures = [0.3] * (len(head.split(",")) - 1) + [100 * value, value + bonus]
                figures += [value + bonus + j / 1000 for j in range(12)]
                lines.append(",".join(map(str, [i, *figures])))
            write(folder, f"{place}/{file}.csv", "\n".join(lines))
        save(folder, f"{place}/best_model.pth", weights)
        save(folder, f"{place}/current_model.pth", weights)
        np.save(folder / place / "test_softmax_scores.npy", SCORES)


def test_logs_weights_and_scores_of_a_run_lie_in_its_folder(folder, weights):
    a_folder_a_run(folder, weights)
    submission = found(folder)
    assert maps(submission) == sorted(EPOCHS.values())
    assert len({str(run["settings"]) for run in submission.history.values()}) == 3
    run = next(r for r in submission.history.values() if len(r["epochs"]) == 3)
    assert run["epochs"][1]["val_map"] == 0.9
    assert run["epochs"][1]["test_map"] == pytest.approx(0.91)
    assert run["epochs"][1]["test_accuracy"] == pytest.approx(0.9)
    assert submission.located["model"][0] == "models/18-ResNet_b/best_model.pth"
    assert submission.located["scores"][0] == "models/18-ResNet_b/test_softmax_scores.npy"
    notes = " ".join(submission.notes)
    assert "6 networks were found; taken: models/18-ResNet_b/best_model.pth" in notes
    assert "best validation figures" in notes
    assert "model = '...' under [files]" in notes
    # The figures of the best epoch stand in for metrics that were never written down.
    assert submission.metrics["test"]["map"] == pytest.approx(0.91)
    assert submission.metrics["val"]["map"] == 0.9
    assert submission.metrics["test"]["ap_per_class"] == pytest.approx(
        {c: 0.91 + j / 1000 for j, c in enumerate(CLASSES)}
    )
    assert submission.metrics["test"]["accuracy_per_class"]["street"] == pytest.approx(0.91 + 11 / 1000)
    assert "figures of epoch 2" in notes


def metrics_by_model(worse="0.90"):
    head = "model,split,loss,mAP,mean_acc," + ",".join(f"AP_{c},Acc_{c}" for c in CLASSES)
    rows = [head]
    for name, value in (("model1", "0.93"), ("model2_transfer", "0.96"), ("model10", worse)):
        for which in ("val", "test"):
            own = value if which == "val" else str(float(value) - 0.01)
            rows.append(",".join([name, which, "0.3", own, own] + [own] * 12))
    return "\n".join(rows)


def test_figures_of_several_models_in_one_table(folder, weights):
    write(folder, "report/metrics.csv", metrics_by_model())
    for name in ("model1", "model2_transfer", "model10"):
        save(folder, f"models/{name}.pth", weights)
        np.save(folder / "models" / f"{name}_scores.npy", SCORES)
    submission = found(folder)
    assert submission.located["model"][0] == "models/model2_transfer.pth"
    assert submission.located["scores"][0] == "models/model2_transfer_scores.npy"
    assert submission.metrics["val"]["map"] == 0.96
    assert submission.metrics["test"]["map"] == pytest.approx(0.95)
    assert submission.metrics["test"]["mean_accuracy"] == pytest.approx(0.95)
    assert submission.metrics["test"]["ap_per_class"]["sea"] == pytest.approx(0.95)
    assert "accuracy" not in submission.metrics["test"]
    assert "history" not in submission.located  # two rows a model, val and test, are no epochs
    assert "figures of 3 models; taken those of model2_transfer" in " ".join(submission.notes)


def test_where_nothing_tells_networks_apart_the_first_is_taken_and_it_is_said(folder, weights):
    for name in ("net_b.pth", "net_a.pth"):
        save(folder, name, weights)
    submission = found(folder)
    assert submission.located["model"][0] == "net_a.pth"
    assert "2 networks were found; taken: net_a.pth, the first by name" in " ".join(submission.notes)


def test_one_network_needs_no_note(folder, weights):
    save(folder, "net.pth", weights)
    assert found(folder).notes == []


def test_a_network_called_pretrained_with_the_courses_outputs_is_the_one_handed_in(folder, weights):
    save(folder, "best_pretrained_resnet.pth", weights)
    assert found(folder).located["model"][0] == "best_pretrained_resnet.pth"
    save(folder, "resnet18.pth", weights)
    assert found(folder).located["model"][0] == "resnet18.pth"


def test_a_network_called_untuned_is_never_the_one_handed_in(folder, weights):
    save(folder, "untuned.pth", weights)
    assert "model" not in found(folder).located


LOGS = {
    "brackets": "Starting {name}.yaml\n" + "[{i}/{n}] train_loss=0.5 val_loss=0.4 test_loss=0.3 mAP={v} acc=0.8\nBest mAP={v}\n",
    "epoch, commas": "Training {name}\n" + "Epoch {i}/{n}, Train Loss: 0.5, Val Loss: 0.4, Train Acc: 0.7, Val Acc: 0.8, mAP: {v} - Model Saved\n",
    "tutorial": "Run {name}\n" + "Epoch {i}/{n}\n----------\ntrain Loss: 0.5 Acc: 0.7\nval Loss: 0.4 Acc: 0.8 mAP: {v}\n\n",
    "segments": "Run {name}\n" + "Epoch: {i} | Train Loss: 0.5 Acc: 0.7 | Val Loss: 0.4 Acc: 0.8 mAP: {v}\n",
    "keras": "Run {name}\n" + "Epoch {i} - loss: 0.5 - acc: 0.7 - val_loss: 0.4 - val_acc: 0.8 - val_map: {v}\n",
    "decimal comma": "Run {name}\n" + "Epoke {i}: train loss = 0,5; val loss = 0,4; val acc = 80 %; val mAP = {v}\n",
    "a dict": "Run {name}\n" + "{{'epoch': {i}, 'train_loss': 0.5, 'val_loss': 0.4, 'val_acc': 0.8, 'val_map': {v}}}\n",
    "a dict, its epoch last": "Run {name}\n" + "INFO 12:30:01,123 {{'train_loss': 0.5, 'val_loss': 0.4, 'val_acc': 0.8, 'val_map': {v}, 'epoch': {i}.0}}\n",
    "JSON": "Run {name}\n" + '{{"epoch": {i}, "train_loss": 0.5, "val_loss": 0.4, "val_acc": 0.8, "val_map": {v}}}\n',
    "numpy": "Run {name}\n" + "epoch {i}: {{'train_loss': np.float64(0.5), 'val_loss': np.float32(0.4), 'val_acc': np.float64(0.8), 'val_map': np.float64({v})}}\n",
    "tensors": "Run {name}\n" + "Epoch {i} train loss: tensor(0.5, device='cuda:0', grad_fn=<MeanBackward0>), val loss: tensor(0.4, device='cuda:0'), "
               "val acc: tensor(0.8000, dtype=torch.float64), val mAP: tensor({v})\n",
    "colours": "\x1b[1mRun {name}\x1b[0m\n" + "\x1b[32mEpoch {i}/{n}\x1b[0m train_loss: \x1b[33m0.5\x1b[0m val_loss: \x1b[1;31m0.4\x1b[0m val_acc: 0.8 val_map: {v}\n",
    "a progress bar": "Run {name}\n" + "Epoch {i}:  50%|#####     | 7/14 [00:02<00:02,  2.81it/s, train_loss=0.9]\n"
                      "Epoch {i}: 100%|##########| 14/14 [00:05<00:00,  2.77it/s, train_loss=0.6]\n"
                      "Epoch {i}: 100%|##########| 14/14 [00:06<00:00,  2.33it/s, v_num=3, train_loss=0.5, val_loss=0.4, val_acc=0.8, val_map={v}]\n",
    "a slow bar, redrawn": "Run {name}\n" + "Epoch {i}/{n}:   7%|7  | 1/14 [00:02<?, ?s/it, train_loss=0.9]\rEpoch {i}/{n}: 100%|###| 14/14 [00:51<00:00,  3.68s/it, "
                           "train_loss=0.5, val_loss=0.4, val_acc=0.8, val_map={v}]\n",
    "twice": "Run {name}\n" + 2 * "Epoch {i}, train loss: 0.5, val loss: 0.4, val acc: 0.8, val mAP: {v}\n",
    "twice, by two loggers": "Run {name}\n" + "Epoch {i}, train loss: 0.5, val loss: 0.4, val acc: 0.8, val mAP: {v}\n"
                             "INFO:root:Epoch {i}, train loss: 0.5, val loss: 0.4, val acc: 0.8, val mAP: {v}\n",
    "with batches": "Run {name}\n" + "Epoch {i} batch 10/99 loss: 0.9\nEpoch {i} batch 20/99 loss: 0.8\nEpoch {i} train_loss: 0.5 val_loss: 0.4 val_acc: 0.8 val_map: {v}\n",
}  # fmt: skip


COLUMNS = {
    "fastai": ("epoch     train_loss  valid_loss  accuracy  mAP       time    \n", "{i}         0.500000    0.400000    0.800000  {v}  00:12     \n"),
    "lines between": ("| epoch | train loss | val loss | val acc | val mAP |\n|-------|-----|-----|----|-----|\n", "| {i} | 0.5 | 0.4 | 0.8 | {v} |\n"),
    "rich": ("┃ Epoch ┃ Train loss ┃ Val loss ┃ Val accuracy ┃ Val mAP ┃\n", "│ {i}     │ 0.5        │ 0.4      │ 0.8          │ {v}     │\n"),
}  # fmt: skip
LOGS |= {form: f"Run {{name}}\n{row}" for form, (_, row) in COLUMNS.items()}


def printed(form):
    head, _, body = LOGS[form].partition("\n")
    text = ""
    for name, values in EPOCHS.items():
        text += head.format(name=name) + "\n" + COLUMNS.get(form, [""])[0]
        for i, v in enumerate(values, 1):
            shown = str(v).replace(".", ",") if form == "decimal comma" else str(v)
            text += body.format(i=i, n=len(values), v=shown)
    return text


@pytest.mark.parametrize("form", LOGS)
@pytest.mark.parametrize("where", ["log.txt", "out.log", "oblig.ipynb"])
def test_epochs_that_were_printed(folder, form, where):
    text = printed(form)
    write(folder, where, notebook(text, "Done\n") if where.endswith("ipynb") else text)
    submission = found(folder)
    assert maps(submission) == sorted(EPOCHS.values())
    assert all(BEST in name for name, run in submission.history.items() if len(run["epochs"]) == 3)
    for run in submission.history.values():
        for i, epoch in enumerate(run["epochs"], 1):
            assert epoch["epoch"] == i
            assert (epoch["train_loss"], epoch["val_loss"]) == (0.5, 0.4)
            assert epoch["val_accuracy"] == 0.8


def test_a_log_of_batches_alone_is_no_history():
    lines = [f"Epoch={e} | {p}.13% | loss = 1.{p}" for e in range(3) for p in range(10, 90, 20)]
    assert logs.as_history("\n".join(lines), "out") is None
    assert logs.as_history("Epoch 1 loss: 0.4\nEpoch 1 loss: 0.3\nEpoch 1 loss: 0.2\n", "out") is None


def test_a_log_that_was_resumed_is_one_run_and_nan_is_a_figure():
    lines = [
        f"Epoch {e}: train loss: {v}, val loss: {v}"
        for e, v in ((1, 0.4), (2, 0.3), (3, 0.9), (2, 0.2), (3, "nan"))
    ]
    (run,) = logs.as_history("\n".join(lines), "out").values()
    assert [str(e["val_loss"]) for e in run["epochs"]] == ["0.4", "0.2", "nan"]


def test_beside_a_table_what_was_printed_counts_and_what_both_tell_counts_once(folder):
    write(folder, "oblig.ipynb", notebook(printed("brackets")))
    write(folder, "history.csv", "epoch,train_loss,val_loss,val_map\n1,0.5,0.4,0.77\n2,0.5,0.4,0.78")
    assert maps(found(folder)) == sorted([*EPOCHS.values(), (0.77, 0.78)])
    write(folder, "history.csv", "epoch,train_loss,val_loss,val_map\n1,0.5,0.4,0.4\n2,0.5,0.4,0.6")
    assert maps(found(folder)) == sorted(EPOCHS.values())


@given(st.text(alphabet="Epoch 123/[]=:,.|-\n\ttrainvlosmap%", max_size=300))
def test_any_text_gives_an_answer(text):
    for run in (logs.as_history(text, "log") or {}).values():
        assert run["epochs"]


UNNAMED = {
    "beside val": ("epoch,train_loss,val_loss,mAP", "val_map"),
    "of a test log": ("epoch,test_loss,mAP", "test_map"),
    "keras": ("epoch,loss,mAP,val_loss", "train_map"),
    "val has its own": ("epoch,train_loss,val_loss,val_map,mAP", "train_map"),
}


@pytest.mark.parametrize("form", UNNAMED)
def test_whose_a_figure_without_a_set_is(folder, form):
    header, wanted = UNNAMED[form]
    row = ",".join(["0.4"] * header.count(","))
    row = row[: row.rindex(",")] + ",0.9" if header.endswith("mAP") else "0.4,0.9,0.4"
    write(folder, "log.csv", f"{header}\n1,{row}\n2,{row}")
    (run,) = found(folder).history.values()
    assert [e[wanted] for e in run["epochs"]] == [0.9, 0.9]


def test_a_row_for_each_epoch_and_set(folder):
    lines = [
        f"{e},{s},{0.4 + (s == 'val') / 10},{v}" for e, v in ((0, 0.5), (1, 0.6)) for s in ("train", "val")
    ]
    write(folder, "log.csv", "epoch,phase,loss,map\n" + "\n".join(lines))
    (run,) = found(folder).history.values()
    assert run["epochs"] == [
        {"epoch": i, "train_loss": 0.4, "train_map": v, "val_loss": 0.5, "val_map": v}
        for i, v in ((1, 0.5), (2, 0.6))
    ]


def test_pictures_in_a_folder_an_image(folder):
    for i in range(10):
        for module in ("conv1", "layer1"):
            write(folder, f"feature_maps/image_{i}/{module}_filter_0.png", "png")
    assert len(found(folder).pictures("feature_maps")) == 20
    (folder / "feature_maps").rename(folder / "kart")
    submission = found(folder)
    assert len(submission.pictures("feature_maps")) == 20
    assert "plots" not in submission.located
