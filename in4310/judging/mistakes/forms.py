"""Mistakes of form: seen in what was handed in, or in what a function answered, without computing anything again.

Each says whether it is seen: True or False, or what there is to say of it, which fills the places of its sentence. Of one
kind, the first that is seen is told; all are asked with the same arguments, which `seen` is called with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from in4310.judging.mistakes import inputs, rankings, spectra, training  # noqa: F401 - theirs are seen here, too
from in4310.judging.mistakes.orders import LOADER
from in4310.judging.mistakes.outputs import SAVING, SOFTMAX
from in4310.judging.mistakes.places import loaders, named, random_transforms
from in4310.judging.mistakes.search import BATCHES, again, hypotheses

SHUFFLE = "https://docs.python.org/3/library/random.html#random.shuffle"
SEED = "https://pytorch.org/docs/stable/notes/randomness.html"
TRANSFORMS = "https://pytorch.org/vision/stable/transforms.html"
TRANSFER = "https://pytorch.org/tutorials/beginner/transfer_learning_tutorial.html"
DATA = "https://pytorch.org/docs/stable/data.html"
KEPT = "keep a copy of the best weights: copy.deepcopy(model.state_dict()) when the validation mAP improves"
SAVED = "save torch.softmax(logits, dim=1)"
THROUGH = "; the network was trained so: all else is judged in this order"
CLOSE = "np.allclose(saved, scores, atol=1e-4)"
Said = tuple[object, ...] | bool | None


def always(*_: object) -> bool:
    """The check has seen it."""
    return True


def as_many_of_each(taken: Mapping[str, int], whole: Mapping[str, int]) -> Said:
    """The same number of all classes, which are not of one size."""
    equal = len(set(taken.values())) == 1 and len(set(whole.values())) > 1
    return equal and (next(iter(taken.values())),)


def _of_another_set(found: tuple[int, ...], wanted: tuple[int, int], sizes: Mapping[str, int]) -> Said:
    other = [n for n in ("val", "train") if found and found[0] == sizes[n] != sizes["test"]]
    return (f"these are as many rows as the {other[0]} set has",) if other else None


def _whole_batches(found: tuple[int, ...], wanted: tuple[int, int], sizes: Mapping[str, int]) -> Said:
    rows, images = found[0] if found else 0, wanted[0]
    whole = [b for b in BATCHES if len(found) == 2 and 0 < rows < images and rows == images // b * b]
    return (f"{rows} is the largest multiple of {whole[0]} below {images}",) if whole else None


def _log_softmax(values: np.ndarray, tolerance: float) -> Said:
    log = values.max() <= 1e-6 and np.abs(np.exp(values).sum(axis=1) - 1).max() <= 1e-3
    return ("exp of the scores sums to 1",) if log and values.min() < -tolerance else None


def _columns_sum_to_one(values: np.ndarray, tolerance: float) -> Said:
    """Each batch adds 1 to the sum of a column."""
    columns = values.sum(axis=0)
    whole = np.abs(columns - np.round(columns)).max() < 1e-2 and columns.min() > 0.5
    return ("the columns sum to whole numbers",) if whole and _in_range(values, tolerance) else None


def _half(values: np.ndarray, tolerance: float) -> Said:
    return _in_range(values, tolerance) and np.array_equal(values, values.astype(np.float16))


def _rounded(values: np.ndarray, tolerance: float) -> Said:
    return _in_range(values, tolerance) and bool(np.abs(values * 100 - np.round(values * 100)).max() < 1e-4)


def _in_range(values: np.ndarray, tolerance: float) -> bool:
    return bool(values.min() >= -tolerance and values.max() <= 1 + tolerance)


def _ascending(values: np.ndarray, rounding: float) -> Said:
    return len(values) > 1 and bool((np.diff(values) >= -rounding).all())


# fmt: off
# How it is seen, the kind, the name, the sentence, how to mend it, where to read of it, where in the source; or the key of
# a mistake that is registered with the figures that it gives.
SEEN: tuple[tuple[Any, ...], ...] = (
    (as_many_of_each, "form: split left out", "as-many-of-each", "{} images of each class were taken, whatever its size",
     "use all images: the training set is everything that is neither test nor validation"),
    (lambda swapped: swapped, "form: split sizes", "val-for-test", "validation and test are swapped"),
    (lambda first, second, shared: len(shared) > 10 and (second, first),  # more than a slip
     "form: split overlap", "drawn-again", "{} was drawn from images that still held {}",
     "take the files of one set away before the next is drawn"),
    (lambda same_listing, same_seed: not same_listing, "form: split live", "listing-order",
     "the split depends on the order in which files are listed", "sort the paths before shuffling them", SHUFFLE),
    (lambda same_listing, same_seed: same_seed, "form: split live", "seed-ignored", "the seed has no effect",
     "use the seed that the function is given", SEED),
    (lambda overlapping: overlapping, "form: overlap live", "cannot-fail",
     "the check cannot fail, or looks within one class only", "compare the paths of all classes, of each two sets"),
    (lambda moved, all_through: ("; ".join(moved)[:180] + THROUGH * all_through,), "form: class order", "scores: output/classes-permuted"),
    # Scores favour their row's own class no more than by chance.
    (always, "form: loaders", "rows-and-labels", "rows and labels are unrelated: the loader was shuffled, or labels come from elsewhere",
     "use shuffle=False for validation and test, and take labels from the folder names", LOADER, loaders("shuffle", True)),
    (always, "form: loaders live", "not-shuffled", "the training images come in the same order in each epoch: the loader is not shuffled",
     "DataLoader(train_set, batch_size=64, shuffle=True)", LOADER),
    (always, "form: transform live", "random-transform", "the transform of evaluation is random: augmentation belongs to training only",
     "use Resize and CenterCrop for validation and test, no Random... transform", TRANSFORMS, random_transforms),
    (_of_another_set, "form: shape of scores", "scores: source/other-set"),
    (lambda found, wanted, sizes: len(found) == 1 and found[0] == wanted[0], "form: shape of scores", "one-number",
     "only one number an image was saved: the largest score, or the predicted class",
     "save all softmax scores of all test images", SAVING, named("argmax", "max")),
    (_whole_batches, "form: shape of scores", "scores: source/last-batch-missing"),
    (lambda values, tolerance: bool(((values == 0) | (values == 1)).all()), "form: scores", "labels",
     "these are labels or hard predictions, not scores", SAVED, SOFTMAX, named("argmax", "one_hot")),
    (_log_softmax, "form: scores", "scores: output/log-softmax"),
    (_columns_sum_to_one, "form: scores", "scores: source/batch-softmax"),
    (_half, "form: scores", "half-precision", "saved in half precision: every number is one of float16, which knows three digits",
     "save torch.softmax(logits, dim=1) in full float32 precision", SAVING, named("half")),
    (_rounded, "form: scores", "scores: output/rounded"),
    (lambda agrees: agrees, "form: compare live", "exact-equality", "exact equality refuses rounding noise", CLOSE),
    (lambda agrees: not agrees, "form: compare live", "compares-nothing",
     "the tolerance is too wide, or the file is compared with itself", CLOSE),
    (lambda sets: bool(sets) and (" and ".join(sorted(sets)),), "form: ranked images", "ranking/other-set"),
    (lambda outputs: outputs == 1000, "form: outputs", "imagenet-head", "the last layer of the ImageNet network was kept",
     "", TRANSFER, named("resnet18", "resnet50")),
    (always, "form: settings alike", "setting-unused", "a setting never reached the optimiser",
     "give the optimiser the settings of the run"),
    (always, "form: settings through", "trained-through", "one model was trained on through all settings: each begins where the one before ended",
     "build the model and the optimiser anew for each setting"),
    (always, "form: statistics of batch-norm", "training/eval-mode"),
    (lambda epoch, run, last, on_test: last and (epoch, run), "form: kept epoch", "last-epoch",
     "the last epoch ({}) of {} was saved, not the best", KEPT, SAVING),
    (lambda epoch, run, last, on_test: on_test and (epoch, run), "form: kept epoch", "best-on-test",
     "epoch {} of {} is the best on test: the test set chose the weights", KEPT, SAVING),
    (lambda epoch, run, last, on_test: (epoch, run), "form: kept epoch", "other-epoch",
     "the weights are those of epoch {} of {}", KEPT, SAVING),
    (lambda paths, asked: len(set(paths)) < asked <= len(paths), "form: images of statistics", "images-again",
     "the same images came again", "go through the loader once", DATA, named("next")),
    (lambda files, asked: files == 1 < asked, "form: pictures", "one-picture", "one picture for all images",
     "save one PNG per image: 000.png, 001.png, ..."),
    (_ascending, "form: order of eigenvalues", "eigenvalues/ascending"),
    (always, "form: networks compared", "same-network", "the same network was used for both",
     "load the weights that the figure is for"),
)
# fmt: on
for _figure, _about, *_mistake in SEEN:
    (hypotheses if _mistake[1:] else again)(_about, (_figure, *_mistake))
