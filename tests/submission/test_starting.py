"""The network before training is told by the name of its file, and by the batches that it has seen."""

import pytest
import torch
from submission.written_forms import found

from in4310.solution.network import build
from in4310.submission.starting import SURE, starts
from in4310.submission.state_dicts import find_networks


@pytest.fixture(scope="module")
def state():
    return build("resnet18", 6, "none", 0).state_dict()


@pytest.fixture(scope="module")
def started(state):
    """The files of some weights that may be the start: name -> batches seen, None where a file does not count them."""
    (network,) = find_networks({name: tuple(t.shape) for name, t in state.items()})

    def told(seen, outputs=6):
        steps = {f"w/{name}.pth": count for name, count in seen.items() if count is not None}
        return {f[2:-4] for f in starts([(f"w/{name}.pth", network) for name in seen], steps, outputs)}

    return told


SAID = ["før trening", "modell_før", "before_training", "start", "startvekter start", "random", "random_weights",
        "epoch_0", "epoch0", "epoke 00", "checkpoint_epoch_0"]  # fmt: skip


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("kept", ["beste modell", "resnet18", "zzz", "etter trening"])
def test_a_network_that_is_said_to_be_untrained_is_what_training_started_from(started, name, kept):
    assert started({name: 0, kept: 280}) == started({name: None, kept: None}) == {name}
    assert started({name: 0, kept: 280, "last": 300}) == {name}
    assert started({name: 0}) == started({name: 0, kept: 280}, outputs=1000) == set()


@pytest.mark.parametrize("name", ["a", "modell1", "resnet18"])
def test_of_two_networks_the_other_is_the_start_where_it_has_seen_no_batch(started, name):
    assert started({name: 0, "m": 280}) == {name}
    assert started({name: 0, "b": 280, "c": 280}) == set()


@pytest.mark.parametrize(
    ("name", "seen"),
    [(name, 0) for name in ("last", "siste", "checkpoint", "final", "swa", "ema", "epoch_10", "epoch_05", "frozen")]
    + [("a", None), ("a", 140), ("a", 280), ("start", 280), ("start", 300), ("random_crop", 280), ("random_crop", 140),
       ("epoch_0", 35), ("best_random", 0), ("etter start", 0)],
)  # fmt: skip
def test_a_network_that_was_trained_is_no_start(started, name, seen):
    assert started({name: seen, "m": 280}) == set()


@pytest.mark.parametrize(
    ("name", "kept"),
    [("før trening", "beste modell"), ("utrent modell", "m"), ("a", "b"), ("siste", "m")],
)
def test_files_of_two_networks(state, tmp_path, name, kept):
    trained = {n: t + 280 if n.endswith("num_batches_tracked") else t for n, t in state.items()}
    torch.save(state, tmp_path / f"{name}.pth")
    torch.save(trained, tmp_path / f"{kept}.pth")
    submission = found(tmp_path)
    start = submission.located.get("untuned", ("",))[0]
    assert start == ("" if name == "siste" else f"{name}.pth")
    assert submission.located["model"][0] == f"{kept}.pth"
    assert ("2 networks were found" in " ".join(submission.notes)) is (name == "siste")


def test_words_that_are_sure_say_nothing_more(started):
    for word in SURE:
        assert started({word: 0, "m": 280}) == set()  # told by its name alone
