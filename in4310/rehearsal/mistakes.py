"""Known mistakes as they are seen while a program runs, each with the file and line where it is made.

One is a function from what was seen to the places where it was made. It must be sure: what may be right is not named.
"""

from __future__ import annotations

from collections.abc import Iterator

from in4310.rehearsal.facts import WORDS, Event, Facts, of
from in4310.rehearsal.known import Known, Mistake, Seen, by_program, held_out
from in4310.rehearsal.mistakes_of_training import TRAINING

TURNS = ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "RandomCrop", "RandomResizedCrop",
         "ColorJitter", "RandomAffine", "RandomErasing", "AutoAugment", "RandAugment", "TrivialAugment",
         "GaussianNoise",
         # of albumentations, which are random, too
         "HorizontalFlip", "VerticalFlip", "RandomBrightnessContrast", "RandomRotate90", "Rotate", "ShiftScaleRotate",
         "HueSaturationValue", "GaussNoise", "CoarseDropout", "RandomGamma", "ElasticTransform")  # fmt: skip


def mistakes(facts: Facts, events: list[Event]) -> list[Mistake]:
    """All that were seen, each once a place."""
    return [
        Mistake(known.name, at, known.sentence, known.mend)
        for known in KNOWN
        for at in dict.fromkeys(known.seen(facts, events))
    ]


def _shuffled(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (x.at for x in held_out(facts, "test") if x.shuffle and x.passes)


def _augmented(facts: Facts, events: list[Event]) -> Iterator[str]:
    # By a step that is known to be random; or, whatever makes it, the same rows were other images in the next pass.
    other = {(p, of(int, e, "loader", -1)) for p, e in by_program(events) if e["kind"] == "changed"}
    for x in held_out(facts, "val", "test"):
        if x.passes and (any(s.startswith(TURNS) for s in x.transforms) or (x.program, x.number) in other):
            yield x.at


def _train_mode(facts: Facts, events: list[Event]) -> Iterator[str]:
    for x in held_out(facts, "val", "test"):
        for e in x.forwards:
            if e.get("training") is True and e.get("depends") is True:
                yield e["at"]


def _softmax_twice(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for e in events if e["kind"] == "softmax" and e.get("twice") is True)


def _softmax_axis(facts: Facts, events: list[Event]) -> Iterator[str]:
    for e in events:
        shape = of(list, e, "shape", [])
        if e["kind"] == "softmax" and e.get("axis") == 0 and len(shape) == 2 and shape[0] > 1:
            yield e["at"]


def _metric(events: list[Event], *names: str) -> Iterator[tuple[Event, Event, Event]]:
    for e in events:
        if e["kind"] == "metric" and e.get("metric") in names:
            true, given = of(dict, e, "true", {}), of(dict, e, "given", {})
            yield e, true, given


def _hard_ap(facts: Facts, events: list[Event]) -> Iterator[str]:
    # Whole numbers in floats may also be the softmax of a network that is quite sure: then that was whole, too.
    soft = any(e["kind"] == "softmax" and e.get("whole") is False for e in events)
    calls: dict[str, list[bool]] = {}
    for e, _, given in _metric(events, "average_precision_score"):
        exact = of(str, given, "type", "").startswith(("int", "uint", "bool"))
        calls.setdefault(e["at"], []).append(exact or (soft and given.get("whole") is True))
    return (at for at, each in calls.items() if all(each))


def _swapped_ap(facts: Facts, events: list[Event]) -> Iterator[str]:
    for e in events:
        if (
            e["kind"] == "refused"
            and e.get("metric") == "average_precision_score"
            and e.get("swapped") is True
        ):
            yield e["at"]


def _last_batch(facts: Facts, events: list[Event]) -> Iterator[str]:
    # A loader gave several batches and ended; as many rows as its last one, fewer than all, come to the metric.
    passes: dict[
        int, tuple[int, int, bool]
    ] = {}  # loader -> rows of this pass, of its last batch, whether it ended
    suspects: dict[str, list[bool]] = {}
    fed = -1
    for e in events:
        number = of(int, e, "loader", -1)
        if e["kind"] == "start":
            passes, fed = {}, -1
        elif e["kind"] == "pass":
            passes[number] = (0, 0, False)
        elif e["kind"] == "forward":
            fed, rows = number, of(int, e, "rows", 0)
            passes[fed] = (passes.get(fed, (0, 0, False))[0] + rows, rows, False)
        elif e["kind"] == "passed" and number in passes:
            passes[number] = (*passes[number][:2], True)
        elif e["kind"] == "metric" and passes.get(fed, (0, 0, False))[0]:
            total, last, ended = passes[fed]
            shape = of(list, of(dict, e, "given", {}), "shape", [])
            suspects.setdefault(e["at"], []).append(bool(shape) and shape[0] == last < total and ended)
    return (at for at, each in suspects.items() if all(each))


def _itself(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for e in events if e["kind"] == "compared" and e.get("itself") is True)


def _loose(facts: Facts, events: list[Event]) -> Iterator[str]:
    for e in events:
        if e["kind"] == "compared" and of(float, e, "tolerance", 0.0) > 0.05:
            yield e["at"]


def _not_normalised(facts: Facts, events: list[Event]) -> Iterator[str]:
    # One set is normalised and another is not: the network sees other pixels than it was trained on.
    trained = [x for x in facts.loaders if x.trained]
    if not any(any(s.startswith("Normalize") for s in x.transforms) for x in trained):
        return
    for x in held_out(facts, "val", "test"):
        low = min((of(float, e, "low", -1.0) for e in x.forwards), default=-1.0)
        if x.transforms and low >= 0 and not any(s.startswith("Normalize") for s in x.transforms):
            yield x.at


def _other_set(facts: Facts, events: list[Event]) -> Iterator[str]:
    for program, e in by_program(events):
        if e["kind"] == "written" and type(e.get("loader")) is int:
            found = facts.sets.get((program, e["loader"]), "")
            stated = [s for s, words in WORDS if words.search(of(str, e, "file", ""))]
            if len(stated) == 1 and found and found != stated[0]:
                yield e["at"]


def _garbled(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for e in events if e["kind"] == "pixels" and e.get("like") == "hwc")


def _spectrum(name: str) -> Seen:
    return lambda facts, events: (
        e["at"] for e in events if e["kind"] == "spectrum" and e.get("wrong") == name
    )


def _changing(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for e in events if e["kind"] == "changing")


def _never_compared(facts: Facts, events: list[Event]) -> Iterator[str]:
    if any(e["kind"] == "compared" for e in events):
        return
    for e in events:
        if e["kind"] == "read" and e.get("scores") is True and e.get("told") is True:
            yield e["at"]


def _unsteady(again: str, *kinds: str) -> Seen:
    """Where a split is made that a second rehearsal did not give again."""

    def found(facts: Facts, events: list[Event]) -> Iterator[str]:
        if facts.again == again:
            yield next((e["at"] for kind in kinds for e in events if e["kind"] == kind and e["at"]), "")

    return found


KNOWN = (
    *TRAINING,
    Known("shuffled-test", "the test loader is shuffled: rows of the scores are not rows of the test set",
          "give the test loader shuffle=False", _shuffled),
    Known("augmented-evaluation", "images are changed at random where the network is evaluated",
          "give validation and test a transform without random steps", _augmented),
    Known("train-mode", "the network was in training mode where it is evaluated: model.eval() is missing",
          "call model.eval() before evaluation, and model.train() before the next epoch", _train_mode),
    Known("softmax-twice", "softmax was applied twice",
          "the network returns logits: take softmax once", _softmax_twice),
    Known("batch-softmax", "softmax was taken over the batch (dim=0), not over the classes",
          "give it dim=1", _softmax_axis),
    Known("hard-ap", "average precision is given predicted classes, not scores",
          "give average_precision_score the softmax scores of the class", _hard_ap),
    Known("swapped-ap", "average precision is given scores as labels, and labels as scores",
          "average_precision_score takes the labels first, then the scores", _swapped_ap),
    Known("last-batch", "the metric is of the last batch only",
          "collect predictions of all batches, then compute it", _last_batch),
    Known("compared-with-itself", "what was saved is compared with itself: this cannot fail",
          "compare the saved scores with scores computed anew", _itself),
    Known("loose-comparison", "the comparison lets pass what differs by more than 0.05",
          "compare scores with a tolerance of 1e-4", _loose),
    Known("not-normalised", "images are normalised for training, not where the network is evaluated",
          "give all sets the same normalisation", _not_normalised),
    Known("other-set", "these are the scores of another set of the split than the file's name says",
          "predict on the loader of that set", _other_set),
    Known("hwc", "height, width and channels were read as channels, height and width: the images are garbled",
          "move the axis with permute(2, 0, 1) or transpose(2, 0, 1); reshape and view move nothing", _garbled),
    Known("not-centred", "the features were not centred", "subtract the mean over the images first",
          _spectrum("not-centred")),
    Known("transposed", "the covariance of the transpose was taken: images by images, centred over the channels",
          "numpy.cov(features, rowvar=False)", _spectrum("transposed")),
    Known("pixels", "the covariance is of the images' pixels, not of feature maps",
          "take the outputs of the network's modules, averaged over positions", _spectrum("pixels")),
    Known("changing-hook", "a hook changes what its module puts out: what follows is computed of other values",
          "let the hook only look: it returns nothing, and changes no tensor in place", _changing),
    Known("never-compared", "saved scores are loaded and only printed: nothing is compared",
          "compare them with scores computed anew, at a tolerance of 1e-4", _never_compared),
    Known("listing-order", "the split depends on the order in which files are listed",
          "sort the paths before shuffling them", _unsteady("listing", "listing")),
    Known("not-seeded", "the split is another one in each run",
          "give a seed to each generator that it is drawn with", _unsteady("other", "shuffle", "split", "loader")),
)  # fmt: skip
