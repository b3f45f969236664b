"""Mistakes of training, and of what is kept of it, each with the file and line where it is made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from in4310.rehearsal.facts import Event, Facts, Loader, of
from in4310.rehearsal.known import Known, by_program, held_out


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
    for program in {p for p, _ in by_program(events)}:
        own = [e for p, e in by_program(events) if p == program]
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
    for program, e in by_program(events):
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
        told = f"{under} {of(str, e, 'of', '')}"
        named = re.search("test", told, re.I) and not re.search("val", told, re.I)
        if all(x.stated == "test" for x in since) or (named and since[-1].stated == "test"):
            yield e["at"]


def _last_saved(facts: Facts, events: list[Event]) -> Iterator[str]:
    # Epochs were compared on a set that was held out, and nothing of any but the last was ever kept.
    for program in {p for p, e in by_program(events) if e["kind"] == "kept"}:
        kept = [e for p, e, _ in _kept(facts, events) if p == program]
        done = next((e for p, e in by_program(events) if p == program and e["kind"] == "done"), None)
        alias = any(
            e["kind"] == "restored" and e.get("alias") is True for p, e in by_program(events) if p == program
        )
        if alias or done is None or done.get("late") is not False or not of(int, done, "steps", 0):
            continue
        trained = [x.number for x in facts.loaders if x.program == program and x.trained]
        held = [x.number for x in held_out(facts, "val", "test") if x.program == program]
        passes = [
            of(int, e, "loader", -1) for p, e in by_program(events) if p == program and e["kind"] == "pass"
        ]
        order = "".join("t" if n in trained else "v" if n in held else "" for n in passes)
        if "tvt" in order and all(e.get("steps") == done["steps"] for e in kept):
            yield from (e["at"] for e in kept if e.get("how") == "saved")


TRAINING = (
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
    Known("best-alias", "the best weights are an alias of the network's own: later epochs overwrite them",
          "keep copy.deepcopy(model.state_dict())", _alias),
    Known("scheduler-each-batch", "the learning rate's plan moves on after every batch; its steps are epochs",
          "call scheduler.step() once an epoch", _each_batch),
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
)  # fmt: skip
