"""One reader for every form that the catalogue's correct variants make: the same under any name, named or at its usual place."""

import json
import os
from pathlib import Path, PurePosixPath

import pytest
import torch
from faults import variants
from faults.catalogue import VARIANTS
from safetensors.torch import save_file
from sampled import sampled

from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.rebuilding import renumber
from in4310.solution.network import build
from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS, Missing

assert variants  # they register
COMPUTED = {
    "a deeper network where the edition allows it",
    "an undertrained network",
    "shares over 208 images",
}
FORMS = [v for v in VARIANTS if v.name not in COMPUTED]  # those are other numbers, in the usual form
READ = (
    "split",
    "model",
    "scores",
    "scores_val",
    "metrics",
    "history",
    "ranking",
    "non_positive",
    "eigenvalues",
)


@pytest.fixture
def submission(world):
    return lambda folder: Submission(folder, hints(world.edition, world.data))


def read(submission, piece):
    """What a piece was read as, as text; names of runs, which are those of files, left out."""
    if piece == "model":
        network, state = submission.network(piece)
        return f"{network} {[(name, float(tensor.double().sum())) for name, tensor in state.items()]}"
    value = getattr(submission, piece)
    if piece == "history":
        value = [run | {"settings": len(run["settings"])} for run in value.values()]
    return json.dumps(value, default=lambda array: array.tolist())


def placed(files, folder, place):
    """Link the files of a piece into a folder: one as `place`, several by their own names inside it."""
    common = files[0] if len(files) == 1 else Path(os.path.commonpath(files))
    for file in files:
        own = folder / place / file.relative_to(common)
        own.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, own)


def places_of(piece, files):
    """Places that fit these files: one that says nothing, and the usual ones."""
    suffix = files[0].suffix if len(files) == 1 else ""
    return [
        f"q/xzw{suffix}",
        *(place for place in KINDS[piece].places if PurePosixPath(place).suffix == suffix),
    ]


@pytest.mark.parametrize("variant", sampled(FORMS, every=6), ids=lambda v: v.name)
def test_a_form_of_the_catalogue_is_the_same_wherever_it_lies(variant, world, submission, folder, tmp_path):
    judged = variant.build(folder, world) or folder
    own = {file.stat().st_ino for file in world.reference.rglob("*")}
    whole = submission(judged)
    for piece in READ:
        names = whole.candidates(piece)[0].files if whole.candidates(piece) else ()
        files = [judged / name for name in names]
        if all(file.stat().st_ino in own for file in files):
            continue
        found = read(whole, piece)
        for number, place in enumerate(places_of(piece, files)):
            target = tmp_path / f"{piece}-{number}"
            placed(files, target, place)
            assert read(submission(target), piece) == found, place
            (target / "submission.toml").write_text(f"[files]\n{piece} = {json.dumps(place)}\n")
            assert read(submission(target), piece) == found, f"{place}, stated"


def network(outputs):
    return build("resnet18", outputs, "none", 0).state_dict()


@pytest.mark.parametrize("outputs", [6, 7, 1000])
def test_the_one_network_handed_in_is_the_model_wherever_it_lies(outputs, submission, tmp_path):
    file = tmp_path / "weights"
    torch.save(network(outputs), file)
    for number, place in enumerate(
        ("q/xzw.pth", "resnet18.pt", "model.pth", "best_model.pth", "q/trained.pth")
    ):
        folder = tmp_path / str(number)
        placed([file], folder, place)
        for stated in ("", f"[files]\nmodel = '{place}'\n"):
            (folder / "submission.toml").write_text(stated)
            found = submission(folder)
            assert found.network("model")[0].outputs == outputs
            assert found.located["model"][0] == place
            assert "untuned" not in found.located


@pytest.mark.parametrize(
    "start", ["resnet18-f37072fd.pth", "imagenet/weights.pth", "q/start.pth", "untuned.pth"]
)
def test_imagenets_weights_beside_the_model_are_what_it_started_from(start, submission, tmp_path):
    for name, outputs in (("xzw.pth", 6), (start, 1000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(network(outputs), tmp_path / name)
    found = submission(tmp_path)
    assert (found.located["model"][0], found.located["untuned"][0]) == ("xzw.pth", start)
    assert "networks were found" not in " ".join(found.notes)
    (tmp_path / "xzw.pth").unlink()
    found = submission(tmp_path)
    if start == "q/start.pth":  # its name does not say that it is none
        assert found.network("model")[0].outputs == 1000
    else:
        with pytest.raises(Missing):
            found.network("model")


def test_a_model_with_imagenets_outputs_beside_the_network_it_started_from(submission, tmp_path):
    for name, outputs in (("xzw.pth", 1000), ("start.pth", 6)):
        torch.save(network(outputs), tmp_path / name)
    (tmp_path / "submission.toml").write_text("[files]\nuntuned = 'start.pth'\n")
    assert submission(tmp_path).located["model"][0] == "xzw.pth"


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_network_saved_in_parts_is_read_whole(parts, suffix, submission, tmp_path):
    state = build("resnet18", classes=6, weights="none", seed=0).state_dict()
    for i in range(parts):
        part = {name: state[name].clone() for name in list(state)[i::parts]}
        save = save_file if suffix == "safetensors" else torch.save
        save(part, tmp_path / f"model-{i + 1:05d}-of-{parts:05d}.{suffix}")
    found, read = submission(tmp_path).network("model")
    assert (found.depth, found.outputs) == (18, 6)
    assert all(torch.equal(tensor, state[name]) for name, tensor in read.items())
    assert submission(tmp_path).notes == []
    (tmp_path / f"model-00002-of-{parts:05d}.{suffix}").unlink()
    with pytest.raises(Missing):
        submission(tmp_path).network("model")


def test_a_head_of_several_layers_is_rebuilt(world, submission, tmp_path):
    whole = build("resnet18", classes=6, weights="none", seed=0).eval()
    whole.fc = torch.nn.Sequential(torch.nn.Linear(512, 32), torch.nn.ReLU(), torch.nn.Linear(32, 6))
    torch.save(whole.state_dict(), tmp_path / "net.pth")
    rebuilt = Evidence(submission(tmp_path), None, world.edition).model
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        expected = whole(images)
        assert torch.allclose(rebuilt(images), expected, atol=1e-5)
        order = [5, 3, 1, 0, 2, 4]
        renumber(rebuilt, order)
        assert torch.allclose(rebuilt(images), expected[:, order], atol=1e-5)
