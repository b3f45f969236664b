"""Known mistakes as they are seen while a program runs, each with the file and line where it is made.

One is a function from what was seen to the places where it was made. It must be sure: what may be right is not named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from in4310.rehearsal.facts import Event, Facts, Loader, of

Seen = Callable[[Facts, list[Event]], Iterable[str]]
TURNS = ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "RandomCrop", "RandomResizedCrop",
         "ColorJitter", "RandomAffine", "RandomErasing", "AutoAugment", "RandAugment", "TrivialAugment",
         "GaussianNoise")  # fmt: skip


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
    return (
        x.at
        for x in _held_out(facts, "val", "test")
        if any(s.startswith(TURNS) for s in x.transforms) and x.passes
    )


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
        if e["kind"] == "backward":
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
)  # fmt: skip
