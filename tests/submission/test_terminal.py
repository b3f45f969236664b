"""What was written over itself on a terminal is read as it stood there at last."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.submission import logs
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints
from in4310.submission.terminal import shown_of

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
LOSSES = [(0.9, 1.1), (0.6, 0.8), (0.4, 0.7)]
KERAS = "Epoch {i}/3\n"
BATCHES = [(n, f"{5 - n / 7:.3f}") for n in range(1, 7)]
DONE = " - 5s 340ms/step - loss: {a} - val_loss: {b}\n"


def bars(start, of_batch, end, done=DONE):
    return start + "".join(of_batch.replace("<n>", str(n)).replace("<v>", v) for n, v in BATCHES) + end + done


FORMS = {
    "Keras": bars(KERAS, "\r <n>/7 [==>....] - ETA: 3s - loss: <v>", "\r7/7 [======]"),
    "Keras with backspaces": bars(
        KERAS, " <n>/7 [==>....] - ETA: 3s - loss: <v>" + "\b" * 40 + "\r", "7/7 [======]"
    ),
    "Keras 3 in colours": bars(
        KERAS, "\r\x1b[1m<n>/7\x1b[0m \x1b[32m━━━\x1b[0m\x1b[37m━━━\x1b[0m \x1b[1m3s\x1b[0m 9ms/step - loss: <v>",
        "\r\x1b[1m7/7\x1b[0m \x1b[32m━━━━━━\x1b[0m",
    ),
    "Keras, a line a batch": bars(KERAS, " <n>/7 [==>....] - ETA: 3s - loss: <v>\n", "7/7 [======]"),
    "batches below a heading": bars(KERAS, "\rbatch <n>: loss <v>", "\r", "train loss {a} val loss {b}\n"),
    "batches of a named epoch": bars("", "\rEpoch {i}: loss <v>", "\r", "Epoch {i}: train loss {a} val loss {b}\n"),
    "figures in its place": bars("", "\rEpoch {i}: loss <v>", "\r", "train loss {a} val loss {b}\n"),
    "tqdm": bars(
        "", "\rEpoch {i}:  42%|####      | <n>/7 [00:02<?, ?s/it, loss=<v>]\x1b[A",
        "\rEpoch {i}: 100%|###| 7/7 [00:51<00:00, 3.68s/it, loss=4.1]\n", "train loss {a} val loss {b}\n",
    ),
    "tqdm, left open": bars(
        "", "\rEpoch {i}:  42%|####      | <n>/7 [00:02<?, ?s/it, loss=<v>]", "\r",
        "Epoch {i}: 100%|###| 7/7 [00:51<00:00, 3.68s/it, train_loss={a}, val_loss={b}]",
    ),
    "epochs over each other": "\rEpoch {i}: train loss {a} val loss {b}   ",
}  # fmt: skip


@pytest.mark.parametrize("end", ["", "\n--- Testing the best model (epoch 2) ---\nsea acc: 0.9\n"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("form", FORMS)
def test_epochs_are_those_that_stood_at_last(form, ends, end, tmp_path):
    text = "".join(FORMS[form].format(i=i, a=a, b=b) for i, (a, b) in enumerate(LOSSES, 1))
    text = f"Using cuda\n{text}{end}{end.replace('9', '7')}".replace("\n", ends)
    cell = {"cell_type": "code", "source": "fit()", "outputs": [{"output_type": "stream", "text": text}]}
    for name, content in (("out.log", text), ("a.ipynb", json.dumps({"cells": [cell], "nbformat": 4}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(content.encode())
        (run,) = Submission(tmp_path / name, Hints(CLASSES)).history.values()
        assert [(e["epoch"], e["train_loss"], e["val_loss"]) for e in run["epochs"]] == [
            (i, *both) for i, both in enumerate(LOSSES, 1)
        ], name


def test_a_bar_that_was_stopped_is_no_epoch():
    text = "Epoch 1/2\n7/7 [====] - 1s - loss: 0.9 - val_loss: 0.8\nEpoch 2/2\n\r 3/7 [=>..] - ETA: 1s - loss: 0.5"
    (run,) = logs.as_history(shown_of(text), "out").values()
    assert [e["train_loss"] for e in run["epochs"]] == [0.9]


@pytest.mark.parametrize("text", ["", "a\nb\n", "a\rb\r", "train loss: 1\rval loss: 2"])
def test_what_is_not_written_over_stays(text):
    assert shown_of(text) == text


@given(st.text(alphabet="Epoch 1/2\r\n\b\x1b[A", max_size=80))
def test_what_is_shown_stays_as_it_is(text):
    shown = shown_of(text)
    assert shown_of(shown) == shown or "\r" in shown or "\b" in shown
