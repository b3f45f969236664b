"""The same run in every form that loggers write is the same history."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from in4310.submission.histories import as_history
from in4310.submission.tables import parse_table

figure = st.one_of(st.floats(0.001, 9).map(lambda v: round(v, 4)), st.just(math.nan))
share = st.floats(0.001, 0.999).map(lambda v: round(v, 4))
run = st.lists(
    st.fixed_dictionaries(
        {"train_loss": figure, "val_loss": figure, "train_accuracy": share, "val_accuracy": share}
    ),
    min_size=2,
    max_size=6,
)
TRAIN, VAL = ("train_loss", "train_accuracy"), ("val_loss", "val_accuracy")


def table(*rows):
    titles = list(dict.fromkeys(t for row in rows for t in row))
    lines = [",".join(str(row.get(t, "")) for t in titles) for row in rows]
    return parse_table("\n".join([",".join(titles), *lines]))


def parts(epoch, /, *names, **beside):
    return beside | {name: epoch[name] for name in names}


def document(value):
    return json.loads(json.dumps(value))


def lightning(epochs):
    rows = []
    for i, e in enumerate(epochs):
        at = {"epoch": i, "step": i * 7 + 6}
        rows += [
            {"epoch": i, "step": i * 7 + 3, "train_loss_step": 99.0},
            {f"{k}": v for k, v in parts(e, *VAL, **at).items()},
            {f"{k}_epoch" if k in TRAIN else k: v for k, v in parts(e, *TRAIN, **at).items()},
        ]
    tested = {"epoch": len(epochs), "step": 7 * len(epochs), "test_accuracy": 0.5}
    return table(*rows, tested)


def hugging_face(epochs):
    log = []
    for i, e in enumerate(epochs, 1):
        at = {"epoch": i - 0.01, "step": i * 7, "learning_rate": 1e-3 / i}
        log.append(at | {"loss": e["train_loss"], "accuracy": e["train_accuracy"]})
        log.append(at | {"eval_loss": e["val_loss"], "eval_accuracy": e["val_accuracy"], "eval_runtime": 1.5})
    log.append({"epoch": float(len(epochs)), "train_loss": 0.123, "train_runtime": 12.0})
    return document({"global_step": 7 * len(epochs), "log_history": log})


def keras(epochs):
    names = {"train_loss": "loss", "train_accuracy": "accuracy"}
    return document({names.get(k, k): [e[k] for e in epochs] for k in (*TRAIN, *VAL)})


def resumed(epochs):
    """Stopped in the last epoch but one, and taken up there: what was written of it first is given up."""
    rows = [{"epoch": i, "lr": 0.1} | e for i, e in enumerate(epochs, 1)]
    given_up = {k: v if k in ("epoch", "lr") else 0.5 for k, v in rows[-2].items()}
    return (
        table(*rows[:-2], given_up, given_up | {"epoch": len(rows)}, *rows[-2:])
        if len(rows) > 2
        else table(*rows)
    )


def renamed(epochs, title):
    """Titles of another spelling, beside what W&B writes and figures that are none of the epoch."""
    rows = []
    for i, e in enumerate(epochs, 1):
        named = {}
        for k, v in e.items():
            of, _, figure = k.partition("_")
            named |= {title.format(set=of, figure=figure): v}
        if " - " in title:
            rows.append({"Step": i} | named)
            continue
        beside = {
            "val/mean_accuracy": 0.5,
            "val/accuracy_max": 0.99,
            "best_val/accuracy": 0.98,
            "val/acc_sea": 0.1,
        }
        rows.append(
            {"_step": i - 1, "_runtime": 6.2 * i, "_timestamp": 1.79e9 + i, "epoch": i} | named | beside
        )
    return table(*rows)


FORMS = {
    "records": lambda epochs: document({"epochs": [{"epoch": i} | e for i, e in enumerate(epochs, 1)]}),
    "records from 0": lambda epochs: document([{"epoch": i} | e for i, e in enumerate(epochs)]),
    "a table": lambda epochs: table(*({"epoch": i} | e for i, e in enumerate(epochs, 1))),
    "a table in percent": lambda epochs: table(
        *({"epoch": i} | {k: v * 100 if "accuracy" in k else v for k, v in e.items()} for i, e in enumerate(epochs, 1))
    ),
    "steps alone": lambda epochs: document(
        [row for i, e in enumerate(epochs) for row in (parts(e, *TRAIN, _step=2 * i), parts(e, *VAL, _step=2 * i + 1))]
    ),
    **{f"columns as {title}": (lambda epochs, title=title: renamed(epochs, title)) for title in (
        "{set}/{figure}", "{figure}/{set}", "{set}.{figure}", "{set}-{figure}", "{set} {figure}", "metrics/{set}_{figure}",
        "run-1 - {set}/{figure}",
    )},
    "a row a set": lambda epochs: table(
        *(
            {"epoch": i, "phase": s, "loss": e[f"{s}_loss"], "acc": e[f"{s}_accuracy"]}
            for i, e in enumerate(epochs, 1)
            for s in ("train", "val")
        )
    ),
    "all of training first": lambda epochs: table(
        *(parts(e, *which, epoch=i) for which in (TRAIN, VAL) for i, e in enumerate(epochs, 1))
    ),
    "evaluated before training": lambda epochs: table(
        *({"epoch": i} | e for i, e in enumerate([parts(epochs[0], *VAL), *epochs]))
    ),
    "lightning": lightning,
    "hugging face": hugging_face,
    "keras": keras,
    "resumed": resumed,
}  # fmt: skip


def plain(epochs):
    """The figures of epochs, rounded as percent makes them differ in the last digit, NaN as a word."""
    names = ("epoch", *TRAIN, *VAL)
    return [{k: "nan" if math.isnan(e[k]) else round(e[k], 9) for k in names if k in e} for e in epochs]


@pytest.mark.parametrize("form", FORMS)
@given(epochs=run)
@example([{"train_loss": math.nan, "val_loss": math.nan, "train_accuracy": 0.17, "val_accuracy": 0.16}] * 3)
def test_a_run_is_the_same_in_every_form(form, epochs):
    if form == "a table in percent" and any(
        max(e[k] for e in epochs) <= 0.01 for k in ("train_accuracy", "val_accuracy")
    ):
        return  # nothing tells half a percent from a half
    (found,) = as_history(FORMS[form](epochs), "metrics").values()
    assert plain(found["epochs"]) == plain([{"epoch": i} | e for i, e in enumerate(epochs, 1)])


@given(first=run, second=run)
def test_epochs_that_start_anew_are_another_run(first, second):
    rows = [{"epoch": i} | e for epochs in (first, second) for i, e in enumerate(epochs, 1)]
    found = [run["epochs"] for run in as_history(table(*rows), "log").values()]
    assert list(map(plain, found)) == [
        plain([{"epoch": i} | e for i, e in enumerate(epochs, 1)]) for epochs in (first, second)
    ]


def test_steps_of_one_epoch_are_averaged_where_nothing_else_is_written():
    rows = [{"epoch": 0, "step": s, "train_loss": v} for s, v in ((49, 0.5), (99, 0.3))]
    (found,) = as_history(table(*rows, {"epoch": 0, "step": 99, "val_loss": 0.7}), "metrics").values()
    assert found["epochs"] == [{"epoch": 1, "train_loss": 0.4, "val_loss": 0.7}]


def test_a_stated_length_tells_an_epoch_0_from_counting_from_0():
    row = {"train_loss": 0.5, "val_loss": 0.4}
    runs = {
        n: {"settings": {"epochs": n}, "epochs": [{"epoch": i} | row for i in range(3)], "best_epoch": 1}
        for n in (2, 3)
    }
    found = as_history(document(runs), "history")
    assert [[e["epoch"] for e in run["epochs"]] for run in found.values()] == [[1, 2], [1, 2, 3]]
    assert [run["best_epoch"] for run in found.values()] == [1, 2]
