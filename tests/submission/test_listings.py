"""Which lists of images are sets: those said to be, or of the size asked for; never those of another piece."""

import json
import pickle

import numpy as np
import pytest
from submission.written_forms import CLASSES, PATHS, PERCENT, SPLIT, SPLITS, found, label, write

from in4310.submission import listings

HALF = sorted(PATHS)[::2]  # of all sets


def shares(folder, name="non_positive.json"):
    write(folder, name, json.dumps({"images": HALF, "percent": PERCENT}))


OTHERS = {
    "shares": shares,
    "shares under another name": lambda f: shares(f, "a.json"),
    "images of spectra": lambda f: write(f, "eigenvalues_paths.txt", "\n".join(HALF)),
    "a text without a word": lambda f: write(f, "bilder.txt", "\n".join(HALF)),
    "an array of them": lambda f: np.savez(f / "statistics.npz", paths=np.array(HALF)),
    "said to be of train": lambda f: write(f, "non_positive_train.txt", "\n".join(SPLIT["train"][:20])),
    "said to be of train, in an object": lambda f: write(
        f, "out.json", json.dumps({"non_positive": {"train": SPLIT["train"][:20]}})
    ),
    "an array said to be of train": lambda f: np.savez(
        f / "a.npz", stats_train_paths=np.array(SPLIT["train"][:20])
    ),
    "a ranking": lambda f: write(f, "top10_test.csv", "\n".join(SPLIT["test"][:10])),
    "images of feature maps": lambda f: write(f, "feature_maps_val.json", json.dumps(SPLIT["val"][:10])),
    "what was told wrongly": lambda f: write(f, "misclassified_test.txt", "\n".join(SPLIT["test"][3:9])),
    "scores of two sets": lambda f: write(
        f, "a.csv", "\n".join(f"{p},0.1" for n in ("val", "test") for p in SPLIT[n])
    ),
}
TWO = {
    "arrays": lambda f, sets: np.savez(f / "predictions.npz", **{f"{n}_paths": SPLIT[n] for n in sets}),
    "texts": lambda f, sets: [write(f, f"{n}.txt", "\n".join(SPLIT[n])) for n in sets],
    "an object": lambda f, sets: write(f, "s.json", json.dumps({n: SPLIT[n] for n in sets})),
}


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("two", TWO)
@pytest.mark.parametrize("sets", [("test", "val"), ("test", "train"), ("train", "val")], ids=str)
def test_images_of_another_piece_are_no_set(tmp_path, form, two, sets):
    TWO[two](tmp_path, sets)
    OTHERS[form](tmp_path)
    assert {n: list(paths) for n, paths in found(tmp_path).split.items() if paths} == {
        n: SPLIT[n] for n in sets
    }


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("whole", ["txt", "json", "npz", "by size alone"])
def test_images_of_another_piece_beside_a_whole_split(tmp_path, form, whole):
    place = tmp_path if whole != "by size alone" else tmp_path / "split"
    place.mkdir(exist_ok=True)
    SPLITS[whole](place)
    OTHERS[form](tmp_path)
    assert {n: list(paths) for n, paths in found(tmp_path).split.items()} == SPLIT


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize("two", TWO)
def test_a_list_without_a_word_is_the_set_that_is_not_said_where_its_size_fits(tmp_path, name, two):
    TWO[two](tmp_path, [n for n in SPLIT if n != name])
    write(tmp_path, "bilder.txt", "\n".join(SPLIT[name]))
    assert list(found(tmp_path).split[name]) == SPLIT[name]


def test_lists_without_a_word_are_a_split_of_another_size_where_they_are_all_images(tmp_path):
    parts = {"a": PATHS[::2], "b": PATHS[1::4], "c": PATHS[3::4]}
    for name, paths in parts.items():
        write(tmp_path, f"{name}.txt", "\n".join(paths))
    assert sorted(map(len, found(tmp_path).split.values())) == [30, 30, 60]
    write(tmp_path, "a.txt", "\n".join(PATHS[::3]))
    assert "split" not in found(tmp_path).located


@pytest.mark.parametrize(
    ("name", "said"),
    [("train", "train"), ("test_paths", "test"), ("my validation set", "val"), ("train_features", "train"),
     ("best_split_test", "test"), ("non_positive_train", ""), ("ikke-positive test", ""), ("topp10 val", ""),
     ("egenverdier_test", ""), ("bilder", "")],
)  # fmt: skip
def test_the_set_that_a_name_says_of_its_list(name, said):
    assert listings.set_listed(name) == said


def test_a_file_of_all_pieces_is_read_as_a_split(tmp_path):
    ranking = {c: {"top": [[p, 0.5] for p in SPLIT["test"] if label(p) == c]} for c in CLASSES}
    shares = {"images": HALF, "percent": PERCENT}
    write(
        tmp_path, "eigenvalues.json", json.dumps({"split": SPLIT, "non_positive": shares, "ranking": ranking})
    )
    assert {n: list(paths) for n, paths in found(tmp_path).split.items()} == SPLIT


@pytest.mark.parametrize("two", TWO)
@pytest.mark.parametrize("file", ["a_split.json", "splits.json", "z.pkl"])
def test_a_file_that_states_all_sets_stands_before_lists_of_some(tmp_path, two, file):
    """Whichever name comes first: images beside the scores of two sets are no split of two."""
    TWO[two](tmp_path, ("test", "val"))
    content = pickle.dumps(SPLIT) if file.endswith(".pkl") else json.dumps(SPLIT).encode()
    (tmp_path / file).write_bytes(content)
    assert {name: list(paths) for name, paths in found(tmp_path).split.items()} == SPLIT
