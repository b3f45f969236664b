"""Mistakes that give wrong scores: what the network was given, Case -> Rows.

Each computes rows of scores as another network, mode, loading or preprocessing would give them, which costs forward
passes: they are tried on a few rows first. What was done with the network's output stands in `outputs`, `rows`, `orders`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
from PIL import Image

from in4310.errors import InputError
from in4310.judging.inside import estimated_anew
from in4310.judging.mistakes import pixels
from in4310.judging.mistakes.cases import MORE, Case
from in4310.judging.mistakes.inside import MODULE, WHOLE
from in4310.judging.mistakes.orders import LOADER
from in4310.judging.mistakes.outputs import NUMPY, SAVING, SOFTMAX, Rows, softmax
from in4310.judging.mistakes.pixels import TRANSFORMS
from in4310.judging.mistakes.places import loaders, named, random_transforms
from in4310.judging.mistakes.places import softmax as softmaxes
from in4310.judging.mistakes.search import BATCHES, hypotheses
from in4310.judging.pipelines import Pipeline, said
from in4310.judging.preprocessing import candidates, fits_of, variants
from in4310.solution.loaders import batches
from in4310.submission.formats import IMAGE_FORMATS
from in4310.submission.pieces import Missing

LARGER = (256 / 224, 1.14, 1.15, 1.1, 1.2, 1.25, 1.5, 2)  # what is resized to, of what is cut out
ROUNDED = 0.05  # how far sums of rounded scores may be apart, as a share of them
USUAL, SCREENED, NEAR = 6, 2, 0.1  # of two steps: normalisations; rows that must be so near


def _train_mode(case: Case) -> Iterator[Rows]:
    """Batch-norm with the statistics of the batch itself, so whole batches from the start, of the usual sizes."""
    for size in (s for s in BATCHES if 8 <= s <= min(128, max(len(case.claimed), 8))):
        rows = np.arange(min(size, len(case.claimed), len(case.paths)))
        if len(rows) >= 4:
            yield Rows(rows, case.scores(rows, training=True, batch_size=size), f"batches of {size}")


def _normalisation(case: Case) -> Iterator[Rows]:
    """Other means and deviations than those stated."""
    stated = case.evidence.preprocessing
    for how, (mean, std) in pixels.norms(stated.mean, stated.std):
        yield case.guess(how, preprocessing=replace(stated, mean=mean, std=std))


def _other_resize(case: Case) -> Iterator[Rows]:
    """Another fit, other interpolations of the stated size, then other sizes."""
    stated = case.evidence.preprocessing
    tried = [*fits_of(stated), *variants(replace(stated, antialias=True)), *variants(stated)]
    if not isinstance(stated, Pipeline):
        tried += [replace(stated, interpolation=how, antialias=True) for how in ("box", "hamming", "lanczos")]
        tried += [replace(stated, resize=round(by * stated.size)) for by in LARGER]
    tried += [replace(c, mean=stated.mean, std=stated.std) for c in candidates()]
    for other in dict.fromkeys(tried):
        if other != stated:
            try:
                yield case.guess(said(other), preprocessing=other)
            except InputError:
                continue


def _np_resize(case: Case) -> Iterator[Rows]:
    """np.resize of the decoded file to the network's size."""
    evidence, size = case.evidence, case.evidence.preprocessing.size
    pixels = []
    for row in case.few:
        with Image.open(evidence.data.root / case.paths[row], formats=IMAGE_FORMATS) as picture:
            pixels.append(np.resize(np.asarray(picture.convert("RGB")), (size, size, 3)))
    remaining = iter(pixels)
    yield case.guess(pixels=lambda _: next(remaining))


def _flipped(case: Case) -> Iterator[Rows]:
    """Each row is that of the image or of its mirror image, and both occur."""
    mirrored = case.scores(case.few, pixels=lambda p: p[:, ::-1])
    plain = case.right(case.few)
    taken = case.claimed[case.few]
    if taken.shape[1:] != plain.shape[1:]:
        return
    turned = np.abs(taken - mirrored).max(axis=1) < np.abs(taken - plain).max(axis=1)
    if turned.any() and not turned.all():
        chosen = np.where(turned[:, None], mirrored, plain)
        yield Rows(case.few, chosen, "some rows are of the mirror image")


def _other_set(case: Case) -> Iterator[Rows]:
    """The first rows of the other sets."""
    for name in (name for name in ("val", "test", "train") if name != case.name):
        try:
            paths = case.evidence.known(name)
        except Missing:
            continue
        if len(case.claimed) in (len(paths), len(case.paths)) and len(paths):
            rows = np.unique(np.linspace(0, min(len(paths), len(case.claimed)) - 1, MORE).astype(int))
            yield Rows(rows, case.scores(rows, paths=paths), f"the {name} set")


def _last_batch_missing(case: Case) -> Iterator[Rows]:
    """Fewer rows than the test set has, a multiple of a usual batch size, and they are its first."""
    rows, all_rows = len(case.claimed), len(case.paths)
    sizes = [b for b in BATCHES if rows == all_rows // b * b]
    if 0 < rows < all_rows and sizes:
        yield Rows(case.at, case.ours, f"{rows} of {all_rows} rows, whole batches of {sizes[0]}")


def _last_batch_again(case: Case) -> Iterator[Rows]:
    """More rows than the test set has, and the last ones come once more."""
    rows, all_rows = len(case.claimed), len(case.paths)
    more = rows - all_rows
    if 0 < more < all_rows and np.array_equal(
        case.claimed[all_rows:], case.claimed[all_rows - more : all_rows]
    ):
        yield Rows(case.at, case.ours, f"the last {more}")


def _last_batch_only(case: Case) -> Iterator[Rows]:
    """Few rows, and they are the last of the test set."""
    rows, all_rows = len(case.claimed), len(case.paths)
    if 0 < rows < all_rows // 2 and rows <= 512:
        at = np.arange(rows)[:: max(1, rows // MORE)]
        yield Rows(at, case.scores(all_rows - rows + at), f"the last {rows} of {all_rows} images")


def _first_batch_only(case: Case) -> Iterator[Rows]:
    """Few rows, and they are the first of the test set."""
    rows, all_rows = len(case.claimed), len(case.paths)
    if rows in BATCHES and rows < all_rows and rows != all_rows // rows * rows:
        yield Rows(np.arange(rows), case.scores(np.arange(rows)), f"{rows} of {all_rows} rows")


def _batch_softmax(case: Case) -> Iterator[Rows]:
    """Softmax over the columns of the first batch, of the usual sizes; over the whole set where it is small.

    Each column of such a batch sums to the same: the network is only asked where it does.
    """
    total = min(len(case.claimed), len(case.paths))
    most = total if total <= 512 else 256
    sums = {
        size: case.claimed[:size].sum(axis=0) for size in dict.fromkeys([*BATCHES, total]) if size <= most
    }
    sizes = [size for size, each in sums.items() if np.ptp(each) <= ROUNDED * abs(each.mean())]
    logits = case.logits(np.arange(max(sizes))) if sizes else np.empty(0)
    for size in sizes:
        how = f"batches of {size}" if size < total else "all at once"
        scores = softmax(logits[:size])
        for taken, of in ((logits[:size], ""), (np.log(scores), "of log-softmax"), (scores, "of softmax")):
            yield Rows(np.arange(size), softmax(taken, axis=0), f"{how}, {of}".removesuffix(", "))


def _changed(case: Case, variants: pixels.Variants) -> Iterator[Rows]:
    """Of what was done to the bytes of each image, each variant."""
    for change, how in variants:
        yield case.guess(how, pixels=change)


def _views() -> Iterator[tuple[pixels.Pixels, str]]:
    """Other views of an image that are averaged with it."""
    names = {
        "mirrored": "its mirror image",
        "upside-down": "the image upside down",
        "turned": "the image turned",
    }
    for changes, name, *_ in pixels.CHANGES:
        for change, how in changes if name in names else ():
            yield change, f"{names[name]} {how}".strip()
    for by, axis in product((4, -4, 8, -8), (0, 1)):
        yield partial(np.roll, shift=by, axis=axis), f"the image shifted by {by}"


def _mean_of(case: Case, own: np.ndarray, other: np.ndarray, how: str) -> Iterator[Rows]:
    """Of outputs of the network and other ones, before softmax and after it."""
    yield Rows(case.few, (softmax(own) + softmax(other)) / 2, f"probabilities, {how}")
    yield Rows(case.few, softmax((own + other) / 2), f"logits, {how}")


def _averaged(case: Case) -> Iterator[Rows]:
    """Of an image and another view of it."""
    own = case.logits(case.few)
    for change, how in _views():
        yield from _mean_of(case, own, case.logits(case.few, pixels=change), f"of the image and {how}")


def _of_two_networks(case: Case) -> Iterator[Rows]:
    own = case.logits(case.few)
    for file, model in case.evidence.other_networks():
        yield from _mean_of(case, own, case.logits(case.few, model=model), f"with the network of {file}")


def _in_parts(case: Case) -> Iterator[Rows]:
    """The network handed in, but for one part, which another has: frozen by mistake, or not loaded; and only its head."""
    own = dict(case.evidence.model.named_children())
    for file, other in case.evidence.other_networks():
        theirs = dict(other.named_children())
        if own.keys() != theirs.keys():
            continue
        *body, head = own
        for names, what in (*(([name], name) for name in own), (body, f"all but {head}")):
            mixed = copy.deepcopy(case.evidence.model)
            try:
                for name in names:
                    mixed.get_submodule(name).load_state_dict(theirs[name].state_dict())
            except RuntimeError:  # of another shape
                continue
            yield case.guess(f"{what}, of {file}", model=mixed.eval())


def _two_steps(case: Case) -> Iterator[Rows]:
    """Another normalisation of images that were changed: the usual ones, and only what may fit the first rows."""
    stated, first = case.evidence.preprocessing, case.few[:SCREENED]
    for (how, (mean, std)), (changes, _, sentence, *_) in product(
        pixels.norms(stated.mean, stated.std)[:USUAL], pixels.CHANGES
    ):
        for change, variant in changes:
            given = {"preprocessing": replace(stated, mean=mean, std=std), "pixels": change}
            if np.abs(case.scores(first, **given) - case.claimed[first]).max() < NEAR:
                yield case.guess(", ".join(filter(None, (how, sentence, variant))), **given)


def _estimated_anew(case: Case) -> Iterator[Rows]:
    """Running statistics that are the mean over the batches of the set, where it is small enough to be passed through."""
    evidence = case.evidence
    if len(case.paths) > WHOLE:
        return
    loaded = evidence.images(tuple(case.paths))
    for size in (64, 32):
        fed = (x for x, _ in batches(loaded, evidence.preprocessing, size, evidence.device))
        yield case.guess(f"batches of {size}", model=estimated_anew(evidence.model, fed))


hypotheses(
    "scores: source",
    (_batch_softmax, "batch-softmax", "softmax was taken over the batch (dim=0), not over the classes",
     "torch.softmax(logits, dim=1)", SOFTMAX, softmaxes(0)),
    expensive=True,
)  # fmt: skip
for _variants, *_mistake in (*pixels.CHANGES, *pixels.MANY):
    hypotheses("scores: source", (partial(_changed, variants=_variants), *_mistake), expensive=True)
# fmt: off
hypotheses(
    "scores: source",
    (_train_mode, "train-mode", "the network was in training mode: model.eval() is missing",
     "call model.eval() before predicting", MODULE + "#torch.nn.Module.eval", named("train")),
    (_normalisation, "normalisation", "the images were normalised in another way than stated, or than in training",
     "use the same Normalize(mean, std) in training and in evaluation", TRANSFORMS, named("Normalize")),
    (_other_resize, "other-resize", "the images were resized or cropped in another way than stated",
     "state the transform that the scores were made with", TRANSFORMS, named("Resize", "CenterCrop")),
    (_np_resize, "np-resize", "the images were resized with numpy's resize, which repeats bytes and garbles the image",
     "resize with PIL or torchvision", NUMPY + "resize.html",
     named("resize")),
    (_flipped, "flipped", "test images were flipped at random: augmentation belongs to training only",
     "use the evaluation transform for validation and test, without RandomHorizontalFlip", TRANSFORMS, random_transforms),
    (lambda case: (case.guess(file, model=model) for file, model in case.evidence.other_networks()),
     "other-checkpoint", "the scores come from another network that was handed in, not from the one kept",
     "predict with the weights that you hand in, after loading them", SAVING, named("load_state_dict")),
    (_averaged, "averaged", "two predictions of each image were averaged", "predict each image once, as it is", TRANSFORMS),
    (_of_two_networks, "two-networks", "the predictions of two networks were averaged", "predict with the weights that you hand in", SAVING),
    (_in_parts, "in-parts", "parts of the network that predicted are those of another network that was handed in",
     "load all weights that you hand in: load_state_dict(..., strict=True)", SAVING, named("load_state_dict")),
    (_two_steps, "two-steps", "two things were done to the images", "use the evaluation transform as it is stated", TRANSFORMS),
    (_estimated_anew, "statistics-anew", "the statistics of batch-norm were estimated anew, on the test set",
     "keep the running statistics of training: model.eval()", MODULE + "#torch.nn.Module.eval", named("reset_running_stats")),
    (_other_set, "other-set", "these are the scores of another set of the split", "predict on the test set", LOADER,
     named("DataLoader")),
    (_last_batch_only, "last-batch-only", "only the last batch was kept: each batch replaced the one before",
     "collect the scores of all batches, then torch.cat", LOADER),
    expensive=True,
)
hypotheses(
    "scores: source",
    (_last_batch_missing, "last-batch-missing", "the last batch is missing",
     "make the loader of the test set with drop_last=False", LOADER, loaders("drop_last", True)),
    (_last_batch_again, "last-batch-again", "the last batch was saved twice", "save after the loop, once", LOADER),
    (_first_batch_only, "first-batch-only", "only the first batch was predicted", "loop over all batches", LOADER),
)
# fmt: on
