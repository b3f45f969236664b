"""An honest program of several files, from start to end: its split, loaders, settings, files; no mistake is named."""

import pytest
from sklearn.model_selection import train_test_split

from in4310.rehearsal.story import story, summary


@pytest.fixture(scope="module")
def seen(rehearsed):
    return rehearsed("honest")


def test_every_program_runs_to_its_end_in_order(seen):
    assert [(p.file, p.end, p.status) for p in seen.programs] == [
        ("main.py", "ended", 0),
        ("reproduce.py", "ended", 0),
        ("task2_features.py", "ended", 0),
    ]
    assert seen.failure == ""


def test_the_split_is_recovered_in_row_order(seen, world):
    files = sorted(world.labels)
    labels = [world.labels[f] for f in files]
    rest, test = train_test_split(files, test_size=0.2, random_state=12, stratify=labels)
    train, val = train_test_split(
        rest, test_size=0.15, random_state=12, stratify=[world.labels[f] for f in rest]
    )
    assert seen.facts.as_document(seen.files)["split"] == {"train": train, "val": val, "test": test}


def test_a_second_rehearsal_that_lists_in_another_order_gives_the_same_split(seen):
    assert seen.facts.again == "same"
    assert any("listed in another order" in sentence for _, sentence in summary(seen))


def test_loaders_are_what_they_were_asked_to_be(seen):
    loaders = {x.name: x for x in seen.facts.loaders[:3]}
    assert {n: (x.rows, x.batch, x.shuffle, x.trained) for n, x in loaders.items()} == {
        "train_loader": (816, 64, True, True),
        "val_loader": (144, 64, False, False),
        "test_loader": (240, 64, False, False),
    }
    assert any(t.startswith("RandomHorizontalFlip") for t in loaders["train_loader"].transforms)
    assert not any(t.startswith("Random") for t in loaders["test_loader"].transforms)


def test_settings_reach_the_optimizer(seen):
    assert [(x["type"], x["settings"]["lr"]) for x in seen.facts.optimizers] == [
        ("SGD", 0.01),
        ("Adam", 0.001),
        ("Adam", 0.0001),
    ]
    assert seen.facts.seeds[:2] == [12, 12]


def test_it_is_told_with_its_own_lines(seen):
    told = list(story(seen))
    lines = {at for at, _ in told}
    assert {"dataset.py:38", "main.py:57", "main.py:60", "reproduce.py:12", "task2_features.py:24"} <= lines
    assert ("main.py:57", "writes best.pth (weights)") in told
    assert sum(sentence == "ran to its end" for _, sentence in told) == 3


def test_no_mistake_is_named(seen):
    assert seen.mistakes == []


@pytest.mark.slow
def test_a_second_rehearsal_gives_the_same_facts(seen, rehearsed):
    again = rehearsed("honest", 401)
    assert again.facts.as_document(again.files) == seen.facts.as_document(seen.files)
    assert [(e["kind"], e["at"]) for e in again.events] == [(e["kind"], e["at"]) for e in seen.events]
