"""Pieces are found by what they are: the same split, scores and figures in every form that students use."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from submission.written_forms import (
    CLASSES,
    EIGEN,
    EPOCHS,
    FIGURES,
    HISTORIES,
    LISTED,
    METRICS,
    PERCENT,
    RANKED,
    RANKINGS,
    ROW_FORMS,
    SCORE_FORMS,
    SCORES,
    SHARES,
    SPECTRA,
    SPLIT,
    SPLITS,
    as_lists,
    found,
    label,
    numbers,
    write,
)

from in4310.submission import tables
from in4310.submission.formats import last_two_parts
from in4310.submission.pieces import KINDS, Missing


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "innlevering ø").mkdir()
    return tmp_path / "innlevering ø"


@pytest.mark.parametrize("form", ROW_FORMS)
@pytest.mark.parametrize("right", [True, False])
def test_row_numbers_are_those_of_the_sorted_listing_where_the_scores_say_so(folder, form, right):
    ROW_FORMS[form](folder)
    chosen = [(CLASSES.index(label(p)) + (not right)) % 6 for p in SPLIT["test"]]
    np.save(folder / "scores.npy", np.eye(6)[chosen])
    submission = found(folder)
    if right:
        assert {n: list(paths) for n, paths in submission.split.items()} == SPLIT
    else:
        with pytest.raises(Missing):
            _ = submission.split
        assert any("row numbers" in note for note in submission.notes)


def test_row_numbers_without_scores_are_taken_where_the_classes_are_in_proportion(folder):
    own = {c: [i for i, path in enumerate(LISTED) if label(path) == c] for c in CLASSES}
    parts = {"train": slice(0, 14), "val": slice(14, 17), "test": slice(17, 20)}
    rows = {name: [i for c in CLASSES for i in own[c][part]] for name, part in parts.items()}
    write(folder, "split.json", json.dumps({"train": rows["train"], "test": rows["val"] + rows["test"]}))
    split = found(folder).split
    assert list(split["train"]) == [LISTED[i] for i in rows["train"]]


@pytest.mark.parametrize("form", SPLITS)
def test_splits(folder, form):
    SPLITS[form](folder)
    write(folder, "requirements.txt", "torch\nnumpy\n")
    split = found(folder).split
    exact = form not in ("json by class", "folders of images")
    for name, paths in SPLIT.items():
        resolved = [last_two_parts(p) for p in split[name]]
        assert (resolved if exact else sorted(resolved)) == (paths if exact else sorted(paths))


def test_a_split_of_row_numbers_is_named_and_not_guessed(folder):
    write(folder, "split.txt", "")
    write(folder, "indices.json", json.dumps({"train": list(range(80)), "test": list(range(80, 120))}))
    submission = found(folder)
    with pytest.raises(Missing):
        _ = submission.split
    assert any("row numbers" in note for note in submission.notes)


@pytest.mark.parametrize("form", SCORE_FORMS)
def test_scores(folder, form):
    SPLITS["txt"](folder)
    SCORE_FORMS[form](folder)
    np.save(folder / "unrelated.npy", np.zeros((7, 3)))
    np.testing.assert_allclose(found(folder).scores, SCORES, atol=1e-7)


def scores_by_path(folder, order, form):
    paths, rows = [SPLIT["test"][i] for i in order], SCORES[order]
    if form == "csv":
        lines = [f"{p},{numbers(r)}" for p, r in zip(paths, rows, strict=True)]
        write(folder, "scores.csv", f"path,{','.join(CLASSES)}\n" + "\n".join(lines))
    elif form == "object":
        write(folder, "scores.json", json.dumps({p: r.tolist() for p, r in zip(paths, rows, strict=True)}))
    else:
        records = [{"image": p, "scores": r.tolist()} for p, r in zip(paths, rows, strict=True)]
        write(folder, "scores.json", json.dumps(records))


@pytest.mark.parametrize("form", ["csv", "object", "records"])
@pytest.mark.parametrize("pinned", [False, True])
def test_scores_beside_their_paths_are_read_in_the_order_of_the_split(folder, form, pinned):
    SPLITS["txt"](folder)
    scores_by_path(folder, np.random.RandomState(1).permutation(25), form)
    if pinned:
        file = "scores.csv" if form == "csv" else "scores.json"
        (folder / "submission.toml").write_text(f"[files]\nscores = '{file}'\n")
    np.testing.assert_allclose(found(folder).scores, SCORES, atol=1e-7)


def test_validation_scores_are_told_from_test_scores_by_their_rows(folder):
    SPLITS["txt"](folder)
    val = np.random.RandomState(1).dirichlet(np.ones(6), 17)
    np.save(folder / "a.npy", val)
    np.save(folder / "b.npy", SCORES)
    np.testing.assert_array_equal(found(folder).scores, SCORES)
    np.testing.assert_array_equal(found(folder).scores_val, val)


def test_of_two_score_files_the_one_that_fits_is_taken_and_the_other_listed(folder):
    SPLITS["txt"](folder)
    np.save(folder / "scores_old.npy", SCORES[:20])
    np.save(folder / "final.npy", SCORES)
    submission = found(folder)
    assert submission.located["scores"][0] == "final.npy"
    assert submission.others("scores") == ["scores_old.npy"]


@pytest.mark.parametrize("form", HISTORIES)
def test_histories(folder, form):
    HISTORIES[form](folder)
    (run,) = found(folder).history.values()
    assert [e["epoch"] for e in run["epochs"]] == [1, 2, 3, 4, 5]
    for got, wanted in zip(run["epochs"], EPOCHS, strict=True):
        assert {k: pytest.approx(v) for k, v in wanted.items()} == {k: got[k] for k in wanted}


def test_runs_of_one_file_and_of_many(folder):
    write(folder, "sgd_0.1.json", json.dumps(as_lists({})))
    write(folder, "adam_0.001.json", json.dumps(as_lists({})))
    write(folder, "all.json", json.dumps({f"lr={lr}": as_lists({}) for lr in (1, 2, 3)}))
    assert len(found(folder).history) == 5


@pytest.mark.parametrize("form", METRICS)
def test_metrics(folder, form):
    METRICS[form](folder)
    got = found(folder).metrics
    for s, table in FIGURES.items():
        for k, v in table.items():
            assert got[s][k] == pytest.approx(v), (s, k)


@pytest.mark.parametrize("form", RANKINGS)
def test_rankings(folder, form):
    SPLITS["txt"](folder)
    RANKINGS[form](folder)
    got = found(folder).ranking
    for c, table in RANKED.items():
        for side, paths in table.items():
            assert [e[0] if isinstance(e, list) else e for e in got[c][side]] == paths


@pytest.mark.parametrize("form", SHARES)
def test_non_positive_shares(folder, form):
    SHARES[form](folder)
    assert found(folder).non_positive["percent"] == PERCENT


@pytest.mark.parametrize("form", SPECTRA)
def test_eigenvalues(folder, form):
    SPECTRA[form](folder)
    got = {(s["data"], m): v for s in found(folder).eigenvalues["series"] for m, v in s["modules"].items()}
    assert got == {k: pytest.approx(v) for k, v in EIGEN.items()}


@pytest.mark.parametrize(
    "said", ["tuned", "finetuned", "Fine-tuned", "trained", "untuned", "pretrained", "initial"]
)
def test_networks_of_a_record_of_spectra_by_other_names(folder, said):
    record = {"series": [{"model": said, "data": "course", "modules": {"layer1": [2.0, 1.0]}}]}
    write(folder, "e.json", json.dumps(record))
    tuned = said in ("tuned", "finetuned", "Fine-tuned", "trained")
    assert [s["model"] for s in found(folder).eigenvalues["series"]] == ["tuned" if tuned else "untuned"]


def test_submission_toml_overrides_what_would_be_found(folder):
    SPLITS["txt"](folder)
    np.save(folder / "right shape.npy", SCORES)
    np.save(folder / "meant.npy", SCORES[::-1])
    write(folder, "submission.toml", '[files]\nscores = "meant.npy"\n')
    np.testing.assert_array_equal(found(folder).scores, SCORES[::-1])


@pytest.mark.parametrize("place", ["../outside.npy", "/etc/passwd", "link.npy", "", "\0", "a" * 5000])
def test_submission_toml_cannot_name_files_outside(folder, place):
    np.save(folder.parent / "outside.npy", SCORES)
    (folder / "link.npy").symlink_to(folder.parent / "outside.npy")
    write(folder, "submission.toml", f"[files]\nscores = {json.dumps(place)}\n".replace("\\u0000", "\\u0001"))
    assert "scores" not in found(folder).located or found(folder).located["scores"][0] == ""


def test_an_empty_folder_has_nothing(folder):
    assert found(folder).located == {}


@given(
    st.text(alphabet="abc,;\t\n .0123456789/jpgtrainvalsea:{}[]\"'=-æ\r\0", max_size=200),
    st.sampled_from(["csv", "txt", "json", "npy", "pth"]),
)
def test_any_file_gives_an_answer(tmp_path_factory, text, suffix):
    folder = tmp_path_factory.mktemp("any")
    write(folder, f"test_scores.{suffix}", text)
    submission = found(folder)
    assert set(submission.located) <= set(KINDS)
    for piece in ("split", "scores", "metrics", "history", "ranking", "non_positive", "eigenvalues"):
        try:
            getattr(submission, piece)
        except Missing:
            continue


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.93", 0.93), ("0,93", 0.93), ("93 %", 93), ("1e-3", 0.001), ("-2", -2), ("nan", None), ("inf", None), ("", None),
     ("1.2.3", None), ("0x10", None), ("1_000", None), ("9" * 400, None), (True, None), (None, None)],
)  # fmt: skip
def test_numbers(text, value):
    assert tables.number(text) == value


@pytest.mark.parametrize(
    ("name", "text", "least", "most"),
    [
        ("stats.json", '{"gpu": {"peak_memory_gib": 3.2, "batch size": 64}}', 3.15 * 2**30, 3.25 * 2**30),
        ("stats.json", '{"max_memory_allocated": 3000000000}', 3e9 - 0.5, 3e9 + 0.5),
        ("m.txt", "Peak memory (MB): 1494.3\nbatch size: 64\n", 1494.25e6, 1494.35 * 2**20),
        (
            "train.log",
            "Epoch 1/2\nPeak GPU memory: 2.31 GB, done\nmax memory: 9,5 GB\n",
            9.45e9,
            9.55 * 2**30,
        ),
    ],
)
def test_peak_memory_under_other_names_and_as_it_was_printed(folder, name, text, least, most):
    write(folder, name, text)
    read = found(folder).resources
    assert (read["peak_memory_least"], read["peak_memory_most"]) == pytest.approx((least, most), rel=1e-12)
    assert read.get("batch_size", 64) == 64


def test_memory_of_something_else_is_no_peak(folder):
    write(folder, "stats.json", '{"memory_gb": 16, "peak_memory": "much", "max_accuracy": 0.9}')
    with pytest.raises(Missing):
        _ = found(folder).resources


def complex_text(values):
    return "".join(f"({v:.18e}{0:+.18e}j)\n" for v in values)


@pytest.mark.parametrize(
    ("suffix", "save"),
    [
        ("npy", lambda path, values: np.save(path, values.astype(np.complex64))),
        ("txt", lambda path, values: path.write_text(complex_text(values))),
    ],
)
def test_eigenvalues_with_an_imaginary_part_of_nothing_are_real(folder, suffix, save):
    """As torch.linalg.eigvals gives them."""
    values = np.array([3.5, 1.25, 0.5])
    for module in ("layer1", "layer2"):
        save(folder / f"tuned_course_{module}.{suffix}", values)
    series = found(folder).eigenvalues["series"]
    read = [list(m.values() if isinstance(m, dict) else m) for one in series for m in one["modules"].values()]
    assert len(read) == 2
    assert str(read).count("3.5") == 2


def test_eigenvalues_with_imaginary_parts_are_refused(folder):
    np.save(folder / "layer1.npy", np.array([1 + 1j, 2]))
    submission = found(folder)
    assert "eigenvalues" not in submission.located
    assert "imaginary parts" in " ".join(submission.notes)
