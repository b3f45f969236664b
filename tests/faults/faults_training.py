"""Faults of the training: the mistaken loop is really run, over a real training's epochs or on a small network."""

import numpy as np
from faults.catalogue import fault
from faults.world import adapters, edit, read, replace
from PIL import Image

KEPT = "best_on_validation"


def trained(folder, world, choose):
    """Hand in the weights that a loop `choose` keeps of a real training, all figures made with them, and its history.

    `choose` is given a live model, and the epochs as (load weights into the model, figures) one after the other, as a
    training would go; it returns the state dict that it would save.
    """
    model = world.loaded("untuned.pth")

    def steps():
        for state, figures in world.epochs:
            model.load_state_dict(state)
            yield figures

    kept = {name: tensor.clone() for name, tensor in choose(model, steps()).items()}
    model.load_state_dict(kept)
    world.rebuild(folder, model=model, history=False)
    entries = [figures for _, figures in world.epochs]
    for i, file in enumerate(sorted((folder / "history").glob("*.json"))):
        run = read(file)
        shift = 0 if run.get("kept") else 0.2 + 0.01 * i
        run["epochs"] = [
            e
            | {
                "val_map": max(0.0, e["val_map"] - shift),
                "val_accuracy": max(0.0, e["val_accuracy"] - shift),
                "val_loss": e["val_loss"] + shift,
            }
            for e in entries
        ]
        replace(file, run)


def best_epoch(world, key):
    return max(range(len(world.epochs)), key=lambda i: world.epochs[i][1][key])


def copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@fault("F16", KEPT, follows=("accuracy_threshold",), says="the last epoch (6)")
def the_last_epoch_saved(folder, world):
    def loop(model, epochs):
        for _ in epochs:
            pass
        return model.state_dict()

    trained(folder, world, loop)


@fault("F17", KEPT, follows=("accuracy_threshold",), says="the last epoch (6)")
def best_is_an_alias_of_the_live_weights(folder, world):
    def loop(model, epochs):
        best, kept = -1.0, None
        for figures in epochs:
            if figures["val_map"] > best:
                best, kept = figures["val_map"], model.state_dict()  # no copy: changes with the model
        return kept

    trained(folder, world, loop)


@fault("F18", KEPT, follows=("accuracy_threshold",), says="the test set chose the weights")
def best_chosen_on_test(folder, world):
    # A real training whose best epoch on test is another one than on validation, and not the last.
    states = list(world.epochs)
    on_val = best_epoch(world, "val_map")
    other = next(i for i in range(len(states) - 1) if i != on_val)
    states[other][1].setdefault("test_map_measured", states[other][1]["test_map"])
    restore = [(e, e["test_map"]) for _, e in states]
    states[other][1]["test_map"] = max(v for _, v in restore) + 0.001
    try:

        def loop(model, epochs):
            best, kept = -1.0, None
            for figures in epochs:
                if figures["test_map"] > best:
                    best, kept = figures["test_map"], copied(model)
            return kept

        trained(folder, world, loop)
    finally:
        for entry, value in restore:
            entry["test_map"] = value
            entry.pop("test_map_measured", None)


@fault("F19", KEPT, follows=("accuracy_threshold",), says="the last epoch (6)")
def best_value_reset_in_the_loop(folder, world):
    def loop(model, epochs):
        kept = None
        for figures in epochs:
            best = 0.0
            if figures["val_map"] > best:
                best, kept = figures["val_map"], copied(model)
        return kept

    trained(folder, world, loop)


@fault("F16", KEPT, follows=("accuracy_threshold",), says="epoch 1")
def the_first_epoch_saved(folder, world):
    def loop(model, epochs):
        kept = None
        for _ in epochs:
            kept = kept or copied(model)
        return kept

    trained(folder, world, loop)


@fault("F20", "three_settings", follows=(KEPT, "history_complete"), says="different settings in the history")
def two_settings(folder, world):
    kept = {file for file in (folder / "history").glob("*.json") if read(file).get("kept")}
    others = sorted(set((folder / "history").glob("*.json")) - kept)
    for file in others[1:]:
        file.unlink()


@fault("F20", "three_settings", "history_complete", KEPT, "loss_curves", says="history is missing")
def no_history(folder, world):
    for file in (folder / "history").glob("*.json"):
        file.unlink()
    (folder / "history").rmdir()


@fault("F20", "history_complete", says="figures missing")
def no_map_in_the_history(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(
            file,
            lambda run: (
                run | {"epochs": [{k: v for k, v in e.items() if k != "train_map"} for e in run["epochs"]]}
            ),
        )


@fault("F58", "three_settings", says="a setting never reached the optimiser")
def equal_curves_of_two_settings(folder, world):
    files = sorted(f for f in (folder / "history").glob("*.json") if not read(f).get("kept"))
    first = read(files[0])
    edit(files[1], lambda run: run | {"epochs": first["epochs"]})


@fault("F58", "three_settings", says="trained on through all settings")
def one_model_trained_on_through_all_settings(folder, world):
    files = sorted((folder / "history").glob("*.json"), key=lambda f: bool(read(f).get("kept")))
    last = None
    for file in files:
        run = read(file)
        if not run.get("kept"):
            losses = [2.0, 0.9] if last is None else [last - 0.02, last - 0.05]
            for epoch, loss in zip(run["epochs"], losses, strict=True):
                epoch |= {
                    "val_loss": loss,
                    "train_loss": loss,
                    "val_accuracy": 1 - loss / 2,
                    "val_map": 1 - loss / 2.2,
                }
            last = losses[-1]
        replace(file, run)


@fault("F38", "loss_curves", says="recorded for the epoch that was kept")
def invented_loss_curve(folder, world):
    generator = np.random.default_rng(0)

    def invented(run):
        curve = np.sort(generator.uniform(0.9, 2.0, len(run["epochs"])))[::-1]
        for epoch, loss in zip(run["epochs"], curve, strict=True):
            epoch |= {"train_loss": float(loss), "val_loss": float(loss + generator.normal(0, 0.05))}

    for file in (folder / "history").glob("*.json"):
        edit(file, invented)


@fault("F38", KEPT, says="validation mAP and accuracy of the weights")
def invented_validation_figures(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(
            file,
            lambda run: (
                run
                | {
                    "epochs": [
                        e
                        | {
                            "val_map": min(1.0, e["val_map"] + 0.025),
                            "val_accuracy": min(1.0, e["val_accuracy"] + 0.025),
                        }
                        for e in run["epochs"]
                    ]
                }
            ),
        )


@fault("F38", "loss_curves", says="shows something")
def blank_loss_curve(folder, world):
    (folder / "plots" / "loss_curves.png").unlink()
    Image.new("RGB", (200, 100), "white").save(folder / "plots" / "loss_curves.png")


STEP = """
def train_epoch(model, loader, criterion, optimizer, device):
    {before}
    for images, labels in loader:
        {zero}
        loss = criterion(model(images), labels)
        loss.backward()
        {step}
"""


@fault("F22", "three_settings", says="gradients are not zeroed")
def gradients_not_zeroed(folder, world):
    adapters(
        folder,
        STEP.format(before="model.train()", zero="pass", step="optimizer.step()"),
        train_epoch="train_epoch",
    )


@fault("F22", "three_settings", says="optimizer.step() is never called")
def step_not_called(folder, world):
    adapters(
        folder,
        STEP.format(before="model.train()", zero="optimizer.zero_grad()", step="pass"),
        train_epoch="train_epoch",
    )


@fault("F22", "three_settings", says="model.train() is missing")
def eval_mode_left_on_in_training(folder, world):
    adapters(
        folder,
        STEP.format(before="pass", zero="optimizer.zero_grad()", step="optimizer.step()"),
        train_epoch="train_epoch",
    )


@fault("F20", "memory_limit", says="peak memory")
def more_memory_than_allowed(folder, world):
    edit(folder / "resources.json", lambda r: r | {"peak_memory_bytes": 9 * 2**30})


@fault("F20", "runs_without_arguments", says="without arguments")
def a_command_with_arguments(folder, world):
    text = (folder / "submission.toml").read_text()
    replace(folder / "submission.toml", text.replace("python run.py", "python run.py --data /home/kari/data"))


@fault("F20", "runs_without_arguments", says="required arguments")
def a_script_that_needs_arguments(folder, world):
    replace(
        folder / "run.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('data')\nmain(p.parse_args())\n",
    )


@fault("F20", "network_start", says="scratch", edition={"network": {"depths": [18], "start": "imagenet"}})
def trained_from_scratch_where_imagenet_is_asked(folder, world):
    pass
