"""A piece under a key of a file is what it is alone: pieces times forms of files, alone, nested, and all in one."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from submission.test_pieces_together import EPOCHS, FOUND, LISTS, SHARES, VALUES, plain
from submission.written_forms import CLASSES, HINTS, RANKED, SPLIT, write

from in4310.submission.discovery import Discovery
from in4310.submission.folder import Submission
from in4310.submission.reader import load_tensors

WHICH = [("tuned", "course"), ("untuned", "course"), ("untuned", "shapes"), ("untuned", "tiny")]
SPECTRA = {
    which: {m: [v + i for v in values] for m, values in VALUES.items()} for i, which in enumerate(WHICH)
}
RECORD = {"divisor": "N", "series": [
    {"model": m, "data": d, "paths": ["sea/1.jpg"], "modules": {k: {"values": v, "total_variance": sum(v)} for k, v in values.items()}}
    for (m, d), values in SPECTRA.items()
]}  # fmt: skip
RUN = {"settings": {"learning_rate": 0.1}, "epochs": EPOCHS, "best_epoch": 6}
FIGURES = {"accuracy": 0.9, "map": 0.95, "ap_per_class": dict.fromkeys(CLASSES, 0.9)}
PIECES = {
    "split": [SPLIT],
    "metrics": [{"test": FIGURES, "val": FIGURES}],
    "ranking": [RANKED],
    "non_positive": [{"percent": SHARES}, SHARES],
    "eigenvalues": [RECORD, {f"{m}_{d}": v for (m, d), v in SPECTRA.items()}, {m: {d: SPECTRA[m, d] for mm, d in WHICH if mm == m} for m, _ in WHICH}],
    "resources": [{"peak_memory_bytes": 5e8, "batch_size": 64}],
    "reproduction": [FOUND],
    "history": [{"a": RUN, "b": RUN | {"epochs": EPOCHS[:3], "settings": {"learning_rate": 0.2}}}, {"a": EPOCHS}, {"adam": LISTS}, LISTS],
}  # fmt: skip
FORMS = [(piece, i) for piece, forms in PIECES.items() for i in range(len(forms))]


def as_tensors(value):
    """Lists of fractions as tensors, and fractions as what numpy's functions give."""
    if isinstance(value, dict):
        return {k: as_tensors(v) for k, v in value.items()}
    if isinstance(value, list) and value and all(type(v) is float for v in value):
        return torch.tensor(value, dtype=torch.float64)
    return [as_tensors(v) for v in value] if isinstance(value, list) else value


def as_numpy(value):
    """As a loop of training keeps them: arrays, and lists of numpy's numbers."""
    if isinstance(value, dict):
        return {
            k: np.array(v) if k == "layer1" and isinstance(v, list) else as_numpy(v) for k, v in value.items()
        }
    if isinstance(value, list):
        return [as_numpy(v) for v in value]
    return np.float64(value) if type(value) is float else value


def arrays(value, outer=()):
    """Flat names for numpy.savez; None where it has no form without pickled objects."""
    if isinstance(value, dict):
        parts = [arrays(v, (*outer, k)) for k, v in value.items()]
        return None if None in parts else {k: v for part in parts for k, v in part.items()}
    lists = value if isinstance(value, list) else [value]
    if any(isinstance(v, list | dict) for v in lists):
        return None
    return {"/".join(outer): np.array(value)}


def save_npz(path, document):
    np.savez(path, **arrays(document))


FILES = {
    "json": ("r.json", lambda path, document: path.write_text(json.dumps(document))),
    "torch, lists": ("r.pt", lambda path, document: torch.save(document, path)),
    "torch, tensors": ("r.pth", lambda path, document: torch.save(as_tensors(document), path)),
    "torch, numpy": ("r.pt", lambda path, document: torch.save(as_numpy(document), path)),
    "npz": ("r.npz", save_npz),
}
NESTED = {
    "alone": lambda piece, form: form,
    "under its name": lambda piece, form: {piece: form},
    "two deep": lambda piece, form: {"oblig1": {piece: form}},
    "three deep": lambda piece, form: {"oblig1": {"results": {piece: form}}},
}


def found(folder, file, document):
    name, save = FILES[file]
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / name, document)
    discovery = Discovery(folder, HINTS, load_tensors)
    (folder / name).unlink()
    return {piece: of_piece[0].value for piece, of_piece in discovery.candidates.items() if of_piece}


def wanted(folder, piece, form):
    """What a piece is read as from a JSON file of its own: without, there would be nothing to compare."""
    value = found(folder, "json", form)[piece]
    if piece == "eigenvalues":
        assert [(s["model"], s["data"]) for s in value["series"]] == WHICH
    return value


def same(piece, value, expected):
    if piece == "history":  # named after the file where there is one run
        value, expected = (list((v or {}).values()) for v in (value, expected))
        value, expected = (
            [{k: v for k, v in run.items() if k != "settings"} for run in runs] for runs in (value, expected)
        )
    if piece == "split":
        return {k: list(v) for k, v in (value or {}).items()} == {k: list(v) for k, v in expected.items()}
    if piece in ("resources", "non_positive") and value:
        value = {k: v for k, v in value.items() if k in expected}
        expected = {k: v for k, v in expected.items() if k in value}
        return value == expected
    return plain(value) == plain(expected)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("piece", "number"), FORMS)
def test_a_piece_under_keys_is_what_it_is_alone(piece, number, file, tmp_path):
    form = PIECES[piece][number]
    if file == "npz" and arrays(form) is None:
        return
    expected = wanted(tmp_path, piece, form)
    for name, nest in NESTED.items():
        if (piece, name) == ("split", "three deep"):
            continue
        read = found(tmp_path, file, nest(piece, form))
        assert same(piece, read.get(piece), expected), (name, read.get(piece))


@given(
    st.lists(st.sampled_from(FORMS), min_size=2, unique_by=lambda one: one[0]),
    st.sampled_from([f for f in FILES if f != "npz"]),
)
def test_pieces_under_the_keys_of_one_file_are_what_they_are_alone(tmp_path_factory, forms, file):
    folder = tmp_path_factory.mktemp("one")
    document = {piece: PIECES[piece][number] for piece, number in forms}
    read = found(folder, file, document)
    for piece, number in forms:
        assert same(piece, read.get(piece), wanted(folder, piece, PIECES[piece][number])), (
            piece,
            read.get(piece),
        )


PLACES = [
    "{model}_{data}",
    "eigenvalues_{model}_{data}",
    "eigenvalues/{model}/{data}",
    "e/{data}/{model}",
    "{model}/eig/{data}",
]
WORDS = {"untuned": ["untuned", "random", "random_init", "un-tuned", "not_tuned", "pretrained", "initial"],
         "tuned": ["tuned", "finetuned", "fine_tuned", "trained", "tuned_random_200"]}  # fmt: skip


@pytest.mark.parametrize("file", ["a file a series", "a file a module"])
@pytest.mark.parametrize(("place", "word"), list(product(PLACES, range(7))))
def test_series_in_files_of_their_own_are_told_apart(place, word, file, tmp_path):
    words = {model: said[word % len(said)] for model, said in WORDS.items()}
    for (model, data), modules in SPECTRA.items():
        own = place.format(model=words[model], data=data)
        if file == "a file a series":
            (tmp_path / own).parent.mkdir(parents=True, exist_ok=True)
            np.savez(tmp_path / f"{own}.npz", **modules)
        else:
            for module, values in modules.items():
                write(tmp_path, f"{own}/{module}.txt", "\n".join(map(str, values)))
    read = Submission(tmp_path, HINTS).eigenvalues["series"]
    assert {(s["model"], s["data"]): s["modules"] for s in read} == SPECTRA


@pytest.mark.parametrize("order", [("a", "z"), ("z", "a")])
def test_a_series_that_does_not_say_its_network_takes_no_others_place(order, tmp_path):
    for name, said in zip(order, ("tuned", "other"), strict=True):
        write(
            tmp_path,
            f"{name}/{said}_course.json",
            json.dumps(SPECTRA["tuned" if said == "tuned" else "untuned", "course"]),
        )
    read = Submission(tmp_path, HINTS)
    assert [s["modules"] for s in read.eigenvalues["series"]] == [SPECTRA["tuned", "course"]]
    assert "left out; name the network" in " ".join(read.notes)


def test_a_folder_that_all_spectra_lie_in_does_not_name_their_network(tmp_path):
    write(tmp_path, "log/a.json", json.dumps(LISTS))
    write(tmp_path, "pretrained_resnet/results/e.json", json.dumps({"eigenvalues": VALUES}))
    assert [s["model"] for s in Submission(tmp_path, HINTS).eigenvalues["series"]] == ["tuned"]


def test_of_several_records_in_one_file_none_is_taken(tmp_path):
    write(tmp_path, "r.json", json.dumps({"first": RECORD, "second": RECORD}))
    read = Submission(tmp_path, HINTS)
    assert "eigenvalues" not in read.located
    assert "2 records of eigenvalues" in " ".join(read.notes)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"net": state, "history": LISTS}])
def test_what_layers_hold_is_no_eigenvalue(wrap, tmp_path):
    state = {
        f"layer{i}.bn1.{name}": torch.rand(8) for i in (1, 2) for name in ("weight", "bias", "running_mean")
    }
    torch.save(wrap(state), tmp_path / "other.pt")
    assert "eigenvalues" not in Submission(tmp_path, HINTS).located


@pytest.mark.parametrize("kind", ["shared", "deep", "itself", "wide"])
def test_what_is_saved_is_bounded(kind, tmp_path):
    value = [1.5] * 60
    for _ in range({"shared": 7, "deep": 40}.get(kind, 0)):
        value = [value] * (20 if kind == "shared" else 1)
    if kind == "itself":
        value.append(value)
    torch.save({"layer1": [3.0] * 2_000_000 if kind == "wide" else value}, tmp_path / "e.pt")
    read = Submission(tmp_path, HINTS)
    assert "eigenvalues" not in read.located
    assert "e.pt: holds" in " ".join(read.notes)
