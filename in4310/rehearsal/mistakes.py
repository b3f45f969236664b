"""Known mistakes as they are seen while a program runs, each with the file and line where it is made.

One is a function from what was seen to the places where it was made. It must be sure: what may be right is not named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from in4310.rehearsal.facts import WORDS, Event, Facts, Loader, of

Seen = Callable[[Facts, list[Event]], Iterable[str]]
TURNS = ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "RandomCrop", "RandomResizedCrop",
         "ColorJitter", "RandomAffine", "RandomErasing", "AutoAugment", "RandAugment", "TrivialAugment",
         "GaussianNoise",
         # of albumentations, which are random, too
         "HorizontalFlip", "VerticalFlip", "RandomBrightnessContrast", "RandomRotate90", "Rotate", "ShiftScaleRotate",
         "HueSaturationValue", "GaussNoise", "CoarseDropout", "RandomGamma", "ElasticTransform")  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """What was done, where, and how to mend it. `name` is that of the judge's own registry, where it is there."""

    name: str
    at: str
    sentence: str
    mend: str


@dataclass(frozen=True)
class Known:
    """One mistake and how it is seen."""

    name: str
    sentence: str
    mend: str
    seen: Seen


def mistakes(facts: Facts, events: list[Event]) -> list[Mistake]:
    """All that were seen, each once a place."""
    return [
        Mistake(known.name, at, known.sentence, known.mend)
        for known in KNOWN
        for at in dict.fromkeys(known.seen(facts, events))
    ]


def _held_out(facts: Facts, *sets: str) -> Iterator[Loader]:
    return (x for x in facts.loaders if facts.sets.get((x.program, x.number)) in sets and not x.trained)


def _shuffled(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (x.at for x in _held_out(facts, "test") if x.shuffle and x.passes)


def _augmented(facts: Facts, events: list[Event]) -> Iterator[str]:
    # By a step that is known to be random; or, whatever makes it, the same rows were other images in the next pass.
    other = {(p, of(int, e, "loader", -1)) for p, e in _by_program(events) if e["kind"] == "changed"}
    for x in _held_out(facts, "val", "test"):
        if x.passes and (any(s.startswith(TURNS) for s in x.transforms) or (x.program, x.number) in other):
            yield x.at


def _by_program(events: list[Event]) -> Iterator[tuple[int, Event]]:
    program = -1
    for e in events:
        if e["kind"] == "start":
            program = of(int, e, "program", -1)
        yield program, e


def _train_mode(facts: Facts, events: list[Event]) -> Iterator[str]:
    for x in _held_out(facts, "val", "test"):
        for e in x.forwards:
            if e.get("training") is True and e.get("depends") is True:
                yield e["at"]


def _trained_on_test(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (x.at for x in facts.loaders if x.stated == "test" and x.trained)


def _eval_mode(facts: Facts, events: list[Event]) -> Iterator[str]:
    for x in facts.loaders:
        inside = [e for e in x.forwards if e.get("gradients") is True and e.get("depends") is True]
        if x.trained and inside and all(e.get("training") is False for e in inside):
            yield inside[0]["at"]


def _not_zeroed(facts: Facts, events: list[Event]) -> Iterator[str]:
    kept: dict[str, list[bool]] = {}
    for e in events:
        if e["kind"] == "backward" and e.get("stepped") is True:
            kept.setdefault(e["at"], []).append(bool(of(list, e, "kept", [])))
    return (at for at, each in kept.items() if len(each) >= 2 and all(each))


def _same_batch(facts: Facts, events: list[Event]) -> Iterator[str]:
    for x in facts.loaders:
        inside = [e for e in x.forwards if e.get("gradients") is True]
        if x.trained and len(inside) >= 4 and all(e.get("same") is True for e in inside[1:]):
            yield inside[0]["at"]


def _softmax_first(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for e in events if e["kind"] == "loss" and e.get("probabilities") is True)


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


def _alias(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (
        e["at"] for e in events if e["kind"] == "restored" and e.get("alias") is True and not e.get("file")
    )


def _each_batch(facts: Facts, events: list[Event]) -> Iterator[str]:
    # A plan for epochs that moves on after every step of the optimiser; one batch an epoch would look like it.
    seen: dict[str, list[int]] = {}
    for e in events:
        if e["kind"] == "scheduler" and e.get("per_batch") is False:
            seen.setdefault(e["at"], []).append(of(int, e, "steps", 0))
    for at, steps in seen.items():
        if len(steps) >= 3 and steps[:3] == [1, 2, 3]:
            yield at


def _not_normalised(facts: Facts, events: list[Event]) -> Iterator[str]:
    # One set is normalised and another is not: the network sees other pixels than it was trained on.
    trained = [x for x in facts.loaders if x.trained]
    if not any(any(s.startswith("Normalize") for s in x.transforms) for x in trained):
        return
    for x in _held_out(facts, "val", "test"):
        low = min((of(float, e, "low", -1.0) for e in x.forwards), default=-1.0)
        if x.transforms and low >= 0 and not any(s.startswith("Normalize") for s in x.transforms):
            yield x.at


def _scheduler_first(facts: Facts, events: list[Event]) -> Iterator[str]:
    seen: dict[str, list[int]] = {}
    for e in events:
        if e["kind"] == "scheduler" and e["at"]:
            seen.setdefault(e["at"], []).append(of(int, e, "steps", 0))
    return (at for at, steps in seen.items() if steps[0] == 0 and any(steps))


def _each_epoch(facts: Facts, events: list[Event]) -> Iterator[str]:
    # A plan for as many batches as there were, and it has hardly moved.
    for e in events:
        if e["kind"] == "scheduler" and e.get("per_batch") is True:
            steps, total, calls = (of(int, e, k, 0) for k in ("steps", "total", "calls"))
            if steps >= 0.8 * total > 0 and 0 < calls <= 0.5 * total:
                yield e["at"]


def _no_step(facts: Facts, events: list[Event]) -> Iterator[str]:
    for program in {p for p, _ in _by_program(events)}:
        own = [e for p, e in _by_program(events) if p == program]
        made = [e for e in own if e["kind"] == "backward"]
        ended = any(e["kind"] == "done" and e.get("steps") == 0 for e in own)
        if len(made) >= 3 and ended and any(e["kind"] == "optimizer" for e in own):
            yield made[0]["at"]


def _trained_through(facts: Facts, events: list[Event]) -> Iterator[str]:
    # The line that makes the optimizer has made one for these weights before, and they are as that one left them.
    made: dict[str, int] = {}
    for e in events:
        if e["kind"] == "optimizer":
            made[e["at"]] = made.get(e["at"], 0) + 1
            if made[e["at"]] > 1 and e.get("through") is True:
                yield e["at"]


def _kept(facts: Facts, events: list[Event]) -> Iterator[tuple[int, Event, list[Loader]]]:
    """(program, what was kept, the loaders whose batches were evaluated since the last step)."""
    known = {(x.program, x.number): x for x in facts.loaders}
    for program, e in _by_program(events):
        if e["kind"] == "kept":
            found = [known.get((program, n)) for n in of(list, e, "since", []) if type(n) is int]
            yield program, e, [x for x in found if x is not None]


def _best_reset(facts: Facts, events: list[Event]) -> Iterator[str]:
    return (e["at"] for _, e, _ in _kept(facts, events) if e.get("reset") is True)


def _best_on_test(facts: Facts, events: list[Event]) -> Iterator[str]:
    for _, e, since in _kept(facts, events):
        under = of(str, e, "under", "")
        if not under or not since:
            continue
        named = re.search("test", under, re.I) and not re.search("val", under, re.I)
        if all(x.stated == "test" for x in since) or (named and since[-1].stated == "test"):
            yield e["at"]


def _last_saved(facts: Facts, events: list[Event]) -> Iterator[str]:
    # Epochs were compared on a set that was held out, and nothing of any but the last was ever kept.
    for program in {p for p, e in _by_program(events) if e["kind"] == "kept"}:
        kept = [e for p, e, _ in _kept(facts, events) if p == program]
        done = next((e for p, e in _by_program(events) if p == program and e["kind"] == "done"), None)
        alias = any(
            e["kind"] == "restored" and e.get("alias") is True for p, e in _by_program(events) if p == program
        )
        if alias or done is None or done.get("late") is not False or not of(int, done, "steps", 0):
            continue
        trained = [x.number for x in facts.loaders if x.program == program and x.trained]
        held = [x.number for x in _held_out(facts, "val", "test") if x.program == program]
        passes = [
            of(int, e, "loader", -1) for p, e in _by_program(events) if p == program and e["kind"] == "pass"
        ]
        order = "".join("t" if n in trained else "v" if n in held else "" for n in passes)
        if "tvt" in order and all(e.get("steps") == done["steps"] for e in kept):
            yield from (e["at"] for e in kept if e.get("how") == "saved")


def _other_set(facts: Facts, events: list[Event]) -> Iterator[str]:
    for program, e in _by_program(events):
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
    Known("shuffled-test", "the test loader is shuffled: rows of the scores are not rows of the test set",
          "give the test loader shuffle=False", _shuffled),
    Known("augmented-evaluation", "images are changed at random where the network is evaluated",
          "give validation and test a transform without random steps", _augmented),
    Known("train-mode", "the network was in training mode where it is evaluated: model.eval() is missing",
          "call model.eval() before evaluation, and model.train() before the next epoch", _train_mode),
    Known("trained-on-test", "the network is trained on batches of the test loader",
          "train on the training set only", _trained_on_test),
    Known("eval-mode", "the network was left in eval mode: model.train() is missing",
          "call model.train() at the start of each epoch of training", _eval_mode),
    Known("not-zeroed", "gradients are not zeroed between batches: optimizer.zero_grad() is missing",
          "call optimizer.zero_grad() for each batch", _not_zeroed),
    Known("same-batch", "every step is made on one and the same batch",
          "let the loop run over the loader; next(iter(loader)) gives a first batch only", _same_batch),
    Known("softmax-first", "softmax was taken before the loss, which takes it itself",
          "give nn.CrossEntropyLoss the logits", _softmax_first),
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
    Known("best-alias", "the best weights are an alias of the network's own: later epochs overwrite them",
          "keep copy.deepcopy(model.state_dict())", _alias),
    Known("scheduler-each-batch", "the learning rate's plan moves on after every batch; its steps are epochs",
          "call scheduler.step() once an epoch", _each_batch),
    Known("not-normalised", "images are normalised for training, not where the network is evaluated",
          "give all sets the same normalisation", _not_normalised),
    Known("scheduler-first", "the learning rate's plan moves on before the optimiser's first step",
          "call scheduler.step() at the end of an epoch", _scheduler_first),
    Known("scheduler-each-epoch", "the learning rate's plan has a step for each batch, and moves on once an epoch",
          "call scheduler.step() after each batch, or give it the number of epochs", _each_epoch),
    Known("no-step", "optimizer.step() is never called: nothing is trained",
          "call optimizer.step() after backward() of each batch", _no_step),
    Known("trained-through", "one model was trained on through all settings: each begins where the one before ended",
          "make the network anew for each setting", _trained_through),
    Known("best-reset", "the best figure is set back in each epoch: every epoch is kept as the best",
          "set it once, before the loop over the epochs", _best_reset),
    Known("best-on-test", "which weights are kept is chosen on the test set",
          "choose on the validation set, and look at the test set once, at the end", _best_on_test),
    Known("last-saved", "the weights of the last epoch are saved, not those that were best in validation",
          "keep copy.deepcopy(model.state_dict()) where the validation figure is the best so far", _last_saved),
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
    Known("never-compared", "saved scores are loaded and only printed: nothing is compared",
          "compare them with scores computed anew, at a tolerance of 1e-4", _never_compared),
    Known("listing-order", "the split depends on the order in which files are listed",
          "sort the paths before shuffling them", _unsteady("listing", "listing")),
    Known("not-seeded", "the split is another one in each run",
          "give a seed to each generator that it is drawn with", _unsteady("other", "shuffle", "split", "loader")),
)  # fmt: skip
