"""Correct scores in other forms: computed, stored and named otherwise; each must get full marks."""

import shutil

import numpy as np
import torch
from faults.catalogue import variant
from faults.world import forget, replace, softmax, table, without_scores


@variant()
def scores_as_a_table_of_decimal_commas(folder, world):
    without_scores(folder)
    text = "\n".join(";".join(f"{v:.8f}".replace(".", ",") for v in row) for row in world.scores)
    replace(folder / "softmax test.csv", text)


@variant()
def scores_with_paths_and_a_header(folder, world):
    without_scores(folder)
    lines = [
        (p, *(f"{v:.7g}" for v in row)) for p, row in zip(world.split["test"], world.scores, strict=True)
    ]
    replace(folder / "test_predictions.csv", table(("filename", *world.classes), *lines))


@variant()
def scores_in_an_npz(folder, world):
    without_scores(folder)
    np.savez_compressed(folder / "results.npz", test_scores=world.scores.astype(np.float32))


@variant()
def scores_as_a_torch_tensor(folder, world):
    without_scores(folder)
    torch.save(torch.tensor(world.scores, dtype=torch.float32), folder / "test_softmax.pt")


@variant()
def scores_in_double_precision_and_fortran_order(folder, world):
    replace(folder / "scores_test.npy", np.asfortranarray(world.scores))


@variant()
def scores_as_json(folder, world):
    without_scores(folder)
    replace(folder / "test_scores.json", world.scores.tolist())


@variant()
def two_score_files(folder, world):
    shutil.copy(folder / "scores_val.npy", folder / "val_softmax_scores.npy")
    (folder / "scores_val.npy").unlink()
    (folder / "scores_test.npy").rename(folder / "test_softmax_scores.npy")
    forget(folder, "scores", "scores_val")


@variant()
def scores_computed_one_image_at_a_time(folder, world):
    world_scores = softmax(world.logits(world.split["test"], batch_size=1))
    replace(folder / "scores_test.npy", world_scores.astype(np.float32))


@variant()
def scores_computed_in_another_memory_layout(folder, world):
    scores = world.predicted(
        transform=lambda x: x.contiguous(memory_format=torch.channels_last), batch_size=37
    )
    replace(folder / "scores_test.npy", scores.astype(np.float32))


@variant()
def scores_printed_with_six_digits(folder, world):
    without_scores(folder)
    replace(folder / "scores.txt", "\n".join(" ".join(f"{v:.6f}" for v in row) for row in world.scores))


@variant()
def no_scores_of_validation(folder, world):
    (folder / "scores_val.npy").unlink()
    forget(folder, "scores_val")
