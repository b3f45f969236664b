"""Correct work handed in otherwise: in folders, among stray files, with code of its own; each must get full marks."""

import json
import shutil

import numpy as np
import torch
from faults.catalogue import variant
from faults.world import adapters, edit


@variant()
def everything_in_a_folder_in_a_folder(folder, world):
    inner = folder.parent / "levering" / "IN4310 oblig 1 – Åse Ødegård"
    inner.parent.mkdir()
    shutil.move(folder, inner)
    (inner.parent / "__MACOSX").mkdir()
    (inner.parent / "__MACOSX" / "._model.pth").write_bytes(b"\0\5\26\7")
    return inner


@variant()
def stray_files_all_around(folder, world):
    (folder / "notes æøå.txt").write_text("val acc 0.3 in the first try\nTODO: write the report\n")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "old").mkdir()
    np.save(folder / "old" / "features.npy", np.zeros((40, 12)))
    (folder / "old" / "requirements.txt").write_text("torch==2.11\nnumpy\n")
    (folder / "old" / "config.json").write_text(
        json.dumps({"lr": [0.1, 0.01], "batch_size": 64, "classes": 6})
    )
    torch.save({"lr": torch.tensor(0.1)}, folder / "old" / "optimizer.pth")


@variant()
def right_functions_under_adapters(folder, world):
    source = """
import numpy as np
def compare(saved, scores):
    return bool(np.abs(np.asarray(saved) - np.asarray(scores)).max() < 5e-4)
def overlap(train, val, test):
    return len(set(train) & set(val)) + len(set(train) & set(test)) + len(set(val) & set(test))
def rank(scores, paths, column, k):
    order = sorted(range(len(paths)), key=lambda i: scores[i][column], reverse=True)
    return {"top": [paths[i] for i in order[:k]], "bottom": [paths[i] for i in order[-k:]]}
def loader(dataset, batch_size):
    from torch.utils.data import DataLoader
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)
"""
    adapters(folder, source, compare="compare", overlap="overlap", rank="rank", train_loader="loader")


@variant()
def recorded_loss_with_label_smoothing(folder, world):
    for file in (folder / "history").glob("*.json"):
        edit(
            file,
            lambda run: (
                run
                | {
                    "settings": run["settings"] | {"label_smoothing": 0.1},
                    "epochs": [e | {"val_loss": e["val_loss"] + 0.4} for e in run["epochs"]],
                }
            ),
        )
