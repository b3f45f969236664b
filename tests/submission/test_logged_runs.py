"""Runs in the files that loggers leave in a folder: TensorBoard, W&B, Lightning, Hugging Face."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission import logs
from in4310.submission.event_files import read_scalars
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints
from in4310.submission.run_headings import of_name

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
RUNS = {
    name: [
        {"epoch": i, "train_loss": a / 8, "val_loss": a / 4, "val_accuracy": 1 - a / 8, "val_map": 1 - a / 16}
        for i, a in enumerate(losses, 1)
    ]
    for name, losses in {"first": (5, 3, 2), "second": (6, 4, 3, 2.5)}.items()
}  # all of them numbers that float32 holds


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def event(step, tag, value, form="simple"):
    number = varint(2 << 3 | 5) + struct.pack("<f", value)
    if form == "tensor":  # TensorFlow 2: dtype, shape, and the bytes of it
        number = field(8, field(1, 1) + field(2, b"") + field(4, struct.pack("<f", value)))
    if form == "packed":  # PyTorch's newer writers: float_val
        number = field(8, field(1, 1) + field(5, struct.pack("<f", value)))
    summary = field(1, field(1, tag.encode()) + field(9, field(1, b"scalars")) + number)
    return varint(1 << 3 | 1) + struct.pack("<d", 1.7e9) + field(2, step) + field(5, summary)


def events(*written, form="simple"):
    """An event file. Checksums are left at 0: no reader of ours computes them."""
    whole = [varint(1 << 3 | 1) + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2")]
    whole += [event(*one, form) for one in written]
    return b"".join(struct.pack("<QI", len(e), 0) + e + bytes(4) for e in whole)


def scalars(epochs, tags, step=lambda i: i, **how):
    return events(*((step(e["epoch"]), t, e[k]) for e in epochs for k, t in tags.items() if k in e), **how)


TAGS = {"train_loss": "Loss/train", "val_loss": "Loss/val", "val_accuracy": "Acc/val", "val_map": "mAP/val"}
EVENTS = "events.out.tfevents.1700000000.gpu-1.123.0"


def put(place, content):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content if isinstance(content, bytes) else content.encode())


def tensorboard(folder, form="simple"):
    for name, epochs in RUNS.items():
        put(folder / "runs" / name / EVENTS, scalars(epochs, TAGS, form=form))


def tensorboard_of_steps(folder):
    for name, epochs in RUNS.items():
        steps = [(s * 10, "train/loss_step", 9.0) for s in range(1, 9)]
        put(folder / "runs" / name / EVENTS, events(*steps) + scalars(epochs, TAGS, lambda i: i * 20))


def keras_of_tensorboard(folder):
    for name, epochs in RUNS.items():
        put(
            folder / name / "train" / EVENTS,
            scalars(epochs, {"train_loss": "epoch_loss"}, lambda i: i - 1, form="tensor"),
        )
        tags = {"val_loss": "epoch_loss", "val_accuracy": "epoch_accuracy", "val_map": "epoch_map"}
        put(folder / name / "validation" / EVENTS, scalars(epochs, tags, lambda i: i - 1, form="tensor"))


def add_scalars(folder, between="_"):
    for name, epochs in RUNS.items():
        for figure in RUNS["first"][0]:
            which, _, tag = figure.partition("_")
            if tag:
                put(folder / name / f"{tag}{between}{which}" / EVENTS, scalars(epochs, {figure: tag}))


def add_scalars_of_tensorboardx(folder):
    add_scalars(folder, "/")


def resumed(folder):
    for name, epochs in RUNS.items():
        given_up = {k: v if k == "epoch" else 0.5 for k, v in epochs[1].items()}
        put(folder / name / EVENTS, scalars([epochs[0], given_up], TAGS)[:-3])  # cut off as it was stopped
        put(folder / name / EVENTS.replace("17", "18", 1), scalars(epochs[1:], TAGS))


def wandb_charts(folder):
    for figure in ("train_loss", "val_loss", "val_accuracy", "val_map"):
        lines = ",".join(f'"{n} - {figure}{end}"' for n in RUNS for end in ("", "__MIN", "__MAX"))
        lines = f'"Step",{lines}\n'
        for i in range(4):
            cells = (RUNS[n][i][figure] if i < len(RUNS[n]) else "" for n in RUNS for _ in range(3))
            lines += f"{i * 7}," + ",".join(f'"{c}"' for c in cells) + "\n"
        put(folder / f"wandb_export_{figure[::-1]}.csv", lines)


def wandb_history(folder):
    for name, epochs in RUNS.items():
        lines = [
            json.dumps(
                {k.replace("_", "/", 1): v for k, v in e.items()} | {"_step": e["epoch"], "_runtime": 3.2}
            )
            for e in epochs
        ]
        put(folder / f"run-{name}-history" / "0000.jsonl", "\n".join(lines))


def lightning(folder):
    for i, epochs in enumerate(RUNS.values()):
        lines = "epoch,step,train_loss_epoch,train_loss_step,val_acc,val_loss,val_map,lr-Adam\n"
        for e in epochs:
            at = f"{e['epoch'] - 1},{e['epoch'] * 14 - 1}"
            lines += f",{e['epoch'] * 14 - 9},,,,,,0.001\n{e['epoch'] - 1},{e['epoch'] * 14 - 9},,5.5,,,,\n"
            lines += (
                f"{at},,,{e['val_accuracy']},{e['val_loss']},{e['val_map']},\n{at},{e['train_loss']},,,,,\n"
            )
        put(folder / "lightning_logs" / f"version_{i}" / "metrics.csv", lines)
        put(
            folder / "lightning_logs" / f"version_{i}" / "hparams.yaml",
            f"lr: {i + 1}e-3 # tried\noptimizer: 'sgd'\n",
        )


def hugging_face(folder):
    for rate, (name, epochs) in zip((1e-3, 2e-3), RUNS.items(), strict=True):
        for stop in range(1, len(epochs) + 1):
            log = [
                {"epoch": float(e["epoch"]), "step": e["epoch"] * 7} | part
                for e in epochs[:stop]
                for part in (
                    {"loss": e["train_loss"], "learning_rate": rate / e["epoch"]},
                    {f"eval_{k[4:]}": v for k, v in e.items() if k.startswith("val")},
                )
            ]
            state = json.dumps({"global_step": stop * 7, "log_history": log})
            put(folder / name / f"checkpoint-{stop * 7}" / "trainer_state.json", state)


FORMS = [
    tensorboard, tensorboard_of_steps, keras_of_tensorboard, add_scalars, add_scalars_of_tensorboardx, resumed, wandb_charts, wandb_history,
    lightning, hugging_face,
]  # fmt: skip


def read(folder):
    return Submission(folder, Hints(CLASSES)).history


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_runs_as_a_logger_leaves_them(write, tmp_path):
    write(tmp_path)
    found = read(tmp_path)
    figures = [[{k: e[k] for k in RUNS["first"][0]} for e in run["epochs"]] for run in found.values()]
    assert sorted(figures, key=len) == list(RUNS.values())
    assert len({json.dumps(run["settings"]) for run in found.values()}) == 2


@pytest.mark.parametrize("form", ["tensor", "packed"])
def test_a_scalar_may_be_a_tensor(form, tmp_path):
    tensorboard(tmp_path, form)
    assert [run["epochs"] for run in read(tmp_path).values()] == list(RUNS.values())


def test_hyperparameters_stand_beside_the_log(tmp_path):
    lightning(tmp_path)
    assert [run["settings"] for run in read(tmp_path).values()] == [
        {"lr": f"0.00{i}", "optimizer": "sgd"} for i in (1, 2)
    ]


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_any_bytes_of_an_event_file_are_read_or_refused(tmp_path_factory, content, cut, append):
    whole = scalars(RUNS["first"], TAGS)
    file = tmp_path_factory.mktemp("events") / EVENTS
    file.write_bytes(whole[:cut] + content + (whole if append else b""))
    try:
        found = read_scalars(file)
    except ValueError:
        return
    assert all(isinstance(tag, str) and isinstance(value, float) for _, tag, value in found)


@pytest.mark.parametrize(
    "line",
    [
        "[{i}/3] train loss {a} acc 81.20% | val loss {b} acc 70.10%",
        "({i}/3) train loss: {a}, val loss: {b}",
        "E{i}/3: train loss {a}; val loss {b}",
        "epoch{i} train_loss {a} val_loss {b}",
        "Epoch {i}/3 train loss = {a} | acc = 81.2 % | val loss = {b}",
        "Epoch {i}/3\n53/53 [====] - 12s 220ms/step - loss: {a} - val_loss: {b}",
    ],
)
def test_epochs_are_read_in_each_form_in_which_their_number_is_printed(line):
    losses = [(0.9, 1.1), (0.6, 0.8), (0.4, 0.7)]
    text = "\n".join(line.format(i=i, a=a, b=b) for i, (a, b) in enumerate(losses, 1))
    (run,) = logs.as_history(text, "out").values()
    assert [(e["epoch"], e["train_loss"], e["val_loss"]) for e in run["epochs"]] == [
        (i, *both) for i, both in enumerate(losses, 1)
    ]


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("sgd_lr0.05", {"optimizer": "sgd", "lr": "0.05"}),
        ("adamw-0.003-onecycle", {"optimizer": "adamw", "lr": "0.003"}),
        ("resnet18_lr_1e-3_bs64", {"lr": "1e-3", "batch_size": "64"}),
        ("sgd_lr0p01", {"optimizer": "sgd", "lr": "0.01"}),
        ("model_2", {}),
        ("epoch_10_vloss_0.3498", {}),
    ],
)
def test_the_name_of_a_run_states_its_settings(name, stated):
    assert of_name(name) == stated
