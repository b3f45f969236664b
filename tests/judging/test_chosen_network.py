"""Of several networks the one that gives the scores is judged, and it is the one that is named."""

import os
import shutil

import pytest
import torch

from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.submission.folder import Submission

NAMES = ["checkpoints/epoch_17.pt", "checkpoints/epoch_18.pt", "checkpoints/epoch_20.pt", "before.pt"]


@pytest.mark.parametrize("right", range(4))
def test_the_network_that_gives_the_scores_is_the_one_named(reference, edition, data, tmp_path, right):
    folder = shutil.copytree(reference, tmp_path / "a", copy_function=os.link)
    state = torch.load(folder / "model.pth", weights_only=True)
    for place in ("model.pth", "untuned.pth"):
        (folder / place).unlink()
    (folder / "checkpoints").mkdir()
    for i, name in enumerate(NAMES):
        own = state | {"fc.bias": state["fc.bias"] + torch.arange(6) * (i != right)}
        if i == 3 != right:
            own |= {n: torch.tensor(0) for n in own if n.endswith("num_batches_tracked")}
        torch.save({"epoch": i, "state_dict": own}, folder / name)
    submission = Submission(folder, hints(edition, data))
    first = submission.located["model"][0]
    evidence = Evidence(submission, data, edition)
    _, read = evidence.network("model")
    assert torch.equal(read["fc.bias"], state["fc.bias"])
    assert submission.located["model"][0] == NAMES[right]
    assert evidence.chosen_because.startswith(f"{NAMES[right]}: its network gives the scores handed in")
    assert NAMES[right] not in submission.unused
    assert submission.others("model") == [
        n for n in sorted(NAMES, key=lambda n: (n != first, NAMES.index(n))) if n != NAMES[right]
    ]
    assert "networks were found" not in " ".join(submission.notes)
    assert submission.located.get("untuned", ("",))[0] == ("before.pt" if right != 3 else "")
