"""Mistakes of form: seen in what was handed in, or in what a function answered, without computing anything again.

Each says whether it is seen: True or False, or what there is to say of it, which fills the places of its sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from in4310.judging.mistakes import places, rankings, scores, spectra, training
from in4310.judging.mistakes.scores import LOADER, SAVING, SOFTMAX
from in4310.judging.mistakes.search import BATCHES, again, hypothesis

FOLDER = "https://pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html"
SHUFFLE = "https://docs.python.org/3/library/random.html#random.shuffle"
SEED = "https://pytorch.org/docs/stable/notes/randomness.html"
Said = tuple[object, ...] | bool | None

# -- the split -----------------------------------------------------------------------------------------


@hypothesis("form: split left out", "as-many-of-each", "{} images of each class were taken, whatever its size",
            "use all images: the training set is everything that is neither test nor validation")  # fmt: skip
def as_many_of_each(taken: Mapping[str, int], whole: Mapping[str, int]) -> Said:
    """The same number of all classes, which are not of one size."""
    equal = len(set(taken.values())) == 1 and len(set(whole.values())) > 1
    return (next(iter(taken.values())),) if equal else None


@hypothesis("form: split sizes", "val-for-test", "validation and test are swapped")
def val_for_test(swapped: bool) -> Said:
    """Each has the size of the other."""
    return swapped


@hypothesis("form: split overlap", "drawn-again", "{} was drawn from images that still held {}",
            "take the files of one set away before the next is drawn")  # fmt: skip
def drawn_again(first: str, second: str, shared: Collection[str]) -> Said:
    """More than a slip."""
    return (second, first) if len(shared) > 10 else None


@hypothesis("form: split live", "listing-order", "the split depends on the order in which files are listed",
            "sort the paths before shuffling them", SHUFFLE)  # fmt: skip
def listing_order(same_listing: bool, same_seed: bool) -> Said:
    """The same files in another order are split in another way."""
    return not same_listing


@hypothesis(
    "form: split live",
    "seed-ignored",
    "the seed has no effect",
    "use the seed that the function is given",
    SEED,
)
def seed_ignored(same_listing: bool, same_seed: bool) -> Said:
    """Two seeds give one split."""
    return same_seed


@hypothesis("form: overlap live", "cannot-fail", "the check cannot fail, or looks within one class only",
            "compare the paths of all classes, of each two sets")  # fmt: skip
def cannot_fail(overlapping: bool) -> Said:
    """It finds nothing where something is."""
    return overlapping


@hypothesis("form: loaders", "rows-and-labels", "rows and labels are unrelated: the loader was shuffled, or labels come from elsewhere",
            "use shuffle=False for validation and test, and take labels from the folder names", LOADER,
            places.loaders("shuffle", True, ("test", "eval", "val")))  # fmt: skip
def rows_and_labels() -> Said:
    """Scores favour their row's own class no more than by chance."""
    return True


@hypothesis("form: loaders live", "not-shuffled", "the training images come in the same order in each epoch: the loader is not shuffled",
            "DataLoader(train_set, batch_size=64, shuffle=True)", LOADER)  # fmt: skip
def not_shuffled() -> Said:
    """Twice the same order."""
    return True


@hypothesis("form: transform live", "random-transform", "the transform of evaluation is random: augmentation belongs to training only",
            "use Resize and CenterCrop for validation and test, no Random... transform",
            "https://pytorch.org/vision/stable/transforms.html", places.random_transforms)  # fmt: skip
def random_transform() -> Said:
    """One image, two tensors."""
    return True


@again(scores.classes_permuted, "form: class order")
def class_order(moved: Sequence[str], all_through: bool) -> Said:
    """The columns fit the classes better in another order."""
    trained_so = "; the network was trained so: all else is judged in this order" if all_through else ""
    return ("; ".join(moved)[:180] + trained_so,)


# -- scores ----------------------------------------------------------------------------------------------


@again(scores.other_set, "form: shape of scores")
def rows_of_another_set(found: tuple[int, ...], wanted: tuple[int, int], sizes: Mapping[str, int]) -> Said:
    """As many rows as validation or training images."""
    other = [n for n in ("val", "train") if found and found[0] == sizes[n] != sizes["test"]]
    return (f"these are as many rows as the {other[0]} set has",) if other else None


@hypothesis("form: shape of scores", "one-number", "only one number an image was saved: the largest score, or the predicted class",
            "save all softmax scores of all test images", SAVING, places.named("argmax", "max"))  # fmt: skip
def one_number(found: tuple[int, ...], wanted: tuple[int, int], sizes: Mapping[str, int]) -> Said:
    """As many numbers as images."""
    return len(found) == 1 and found[0] == wanted[0]


@again(scores.last_batch_missing, "form: shape of scores")
def whole_batches(found: tuple[int, ...], wanted: tuple[int, int], sizes: Mapping[str, int]) -> Said:
    """All but less than a batch."""
    rows, images = found[0] if found else 0, wanted[0]
    whole = [b for b in BATCHES if len(found) == 2 and 0 < rows < images and rows == images // b * b]
    return (f"{rows} is the largest multiple of {whole[0]} below {images}",) if whole else None


@hypothesis("form: scores", "labels", "these are labels or hard predictions, not scores", "save torch.softmax(logits, dim=1)",
            SOFTMAX, places.named("argmax", "one_hot"))  # fmt: skip
def labels(values: np.ndarray, tolerance: float) -> Said:
    """Rows that are all 0 but for a single 1."""
    return bool(((values == 0) | (values == 1)).all())


@again(scores.log_softmax_saved, "form: scores")
def log_softmax(values: np.ndarray, tolerance: float) -> Said:
    """None above 0, and exp of each row sums to 1."""
    log = values.max() <= 1e-6 and np.abs(np.exp(values).sum(axis=1) - 1).max() <= 1e-3
    return ("exp of the scores sums to 1",) if log and values.min() < -tolerance else None


@again(scores.batch_softmax, "form: scores")
def columns_sum_to_one(values: np.ndarray, tolerance: float) -> Said:
    """Each batch adds 1 to the sum of a column."""
    columns = values.sum(axis=0)
    whole = np.abs(columns - np.round(columns)).max() < 1e-2 and columns.min() > 0.5
    return ("the columns sum to whole numbers",) if whole and _in_range(values, tolerance) else None


@hypothesis("form: scores", "half-precision", "saved in half precision: every number is one of float16, which knows three digits",
            "save torch.softmax(logits, dim=1) in full float32 precision", SAVING, places.named("half"))  # fmt: skip
def half_precision(values: np.ndarray, tolerance: float) -> Said:
    """Numbers of float16."""
    return _in_range(values, tolerance) and np.array_equal(values, values.astype(np.float16))


@again(scores.rounded, "form: scores")
def rounded(values: np.ndarray, tolerance: float) -> Said:
    """Multiples of 0.01."""
    return _in_range(values, tolerance) and bool(np.abs(values * 100 - np.round(values * 100)).max() < 1e-4)


def _in_range(values: np.ndarray, tolerance: float) -> bool:
    return bool(values.min() >= -tolerance and values.max() <= 1 + tolerance)


@hypothesis(
    "form: compare live",
    "exact-equality",
    "exact equality refuses rounding noise",
    "np.allclose(saved, scores, atol=1e-4)",
)
def exact_equality(agrees: bool) -> Said:
    """It says that rounding noise differs."""
    return agrees


@hypothesis("form: compare live", "compares-nothing", "the tolerance is too wide, or the file is compared with itself",
            "np.allclose(saved, scores, atol=1e-4)")  # fmt: skip
def compares_nothing(agrees: bool) -> Said:
    """It says that altered scores agree."""
    return not agrees


@again(rankings.other_set, "form: ranked images")
def ranked_elsewhere(sets: Collection[str]) -> Said:
    """Images of the training or validation set."""
    return (" and ".join(sorted(sets)),) if sets else None


# -- network and training -----------------------------------------------------------------------------------


@hypothesis("form: outputs", "imagenet-head", "the last layer of the ImageNet network was kept", "",
            "https://pytorch.org/tutorials/beginner/transfer_learning_tutorial.html", places.named("resnet18", "resnet50"))  # fmt: skip
def imagenet_head(outputs: int | None) -> Said:
    """A thousand classes."""
    return outputs == 1000


@hypothesis(
    "form: settings alike",
    "setting-unused",
    "a setting never reached the optimiser",
    "give the optimiser the settings of the run",
)
def setting_unused() -> Said:
    """Two settings with the same losses to the last digit."""
    return True


@hypothesis("form: settings through", "trained-through", "one model was trained on through all settings: each begins where the one before ended",
            "build the model and the optimiser anew for each setting")  # fmt: skip
def trained_through() -> Said:
    """Each curve begins where another ended."""
    return True


@again(training.eval_mode, "form: statistics of batch-norm")
def statistics_kept() -> Said:
    """They stay as they are."""
    return True


KEPT = "keep a copy of the best weights: copy.deepcopy(model.state_dict()) when the validation mAP improves"


@hypothesis(
    "form: kept epoch", "last-epoch", "the last epoch ({}) of {} was saved, not the best", KEPT, SAVING
)
def last_epoch(epoch: object, run: str, last: bool, on_test: bool) -> Said:
    """Its figures are those of the weights handed in."""
    return (epoch, run) if last else None


@hypothesis(
    "form: kept epoch",
    "best-on-test",
    "epoch {} of {} is the best on test: the test set chose the weights",
    KEPT,
    SAVING,
)
def best_on_test(epoch: object, run: str, last: bool, on_test: bool) -> Said:
    """The best of the recorded test mAPs."""
    return (epoch, run) if on_test else None


@hypothesis("form: kept epoch", "other-epoch", "the weights are those of epoch {} of {}", KEPT, SAVING)
def other_epoch(epoch: object, run: str, last: bool, on_test: bool) -> Said:
    """Neither the best nor the last."""
    return epoch, run


# -- feature maps and spectra --------------------------------------------------------------------------------


@hypothesis("form: images of statistics", "images-again", "the same images came again", "go through the loader once",
            "https://pytorch.org/docs/stable/data.html", places.named("next"))  # fmt: skip
def images_again(paths: Sequence[str], asked: int) -> Said:
    """Enough of them are listed, but not enough different ones."""
    return len(set(paths)) < asked <= len(paths)


@hypothesis(
    "form: pictures",
    "one-picture",
    "one picture for all images",
    "save one PNG an image: 000.png, 001.png, ...",
)
def one_picture(files: int, asked: int) -> Said:
    """A single file."""
    return files == 1 < asked


@again(spectra.ascending, "form: order of eigenvalues")
def ascending(values: np.ndarray, rounding: float) -> Said:
    """From the smallest."""
    return len(values) > 1 and bool((np.diff(values) >= -rounding).all())


@hypothesis(
    "form: networks compared",
    "same-network",
    "the same network was used for both",
    "load the weights that the figure is for",
)
def same_network() -> Said:
    """Equal to the last digit."""
    return True
