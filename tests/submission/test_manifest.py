"""submission.toml: what is broken in it, and what it names that is not there, costs itself and is said."""

import numpy as np
import pytest
from submission.written_forms import HINTS, SCORES, SPLIT

from in4310.submission.folder import Submission


@pytest.fixture
def folder(tmp_path):
    """A split in text files."""
    for name, paths in SPLIT.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(paths))
    return tmp_path


@pytest.mark.parametrize(
    "broken",
    ["[run]\ncommand = python main.py\n", "[split\nseed = 3\n", "seed == 3\n", "[network]\nstart = 'x\n"],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_broken_line_of_submission_toml_costs_its_table_and_is_said(folder, broken, first):
    whole = "[preprocessing]\nsize = 96\n[files]\nscores = 'mine.npy'\n"
    np.save(folder / "mine.npy", SCORES)
    (folder / "submission.toml").write_text(broken + whole if first else whole + broken)
    found = Submission(folder, HINTS)
    assert found.table("preprocessing") == {"size": 96}
    assert found.located["scores"][0] == "mine.npy"
    (said,) = [note for note in found.notes if note.startswith("submission.toml: ")]
    assert "is not valid TOML" in said
    assert "\n" not in said


def test_a_file_that_submission_toml_names_and_that_is_not_there_is_said(folder):
    np.save(folder / "softmax_test.npy", SCORES)
    (folder / "submission.toml").write_text(
        "[files]\nscores = 'scores/final.npy'\nranking = '../ranking.json'\n"
    )
    found = Submission(folder, HINTS)
    assert found.located["scores"][0] == "softmax_test.npy"
    said = [note for note in found.notes if note.startswith("submission.toml: ")]
    assert [note.partition(" is not there")[0] for note in said] == [
        "submission.toml: scores = 'scores/final.npy'", "submission.toml: ranking = '../ranking.json'"]  # fmt: skip


@pytest.mark.parametrize("again", ["-1", " (2)"])
def test_a_further_upload_of_submission_toml_is_read_with_what_it_names(folder, again):
    np.save(folder / f"mine{again}.npy", SCORES)
    (folder / f"submission{again}.toml").write_text("[files]\nscores = 'mine.npy'\n[split]\nseed = 3\n")
    found = Submission(folder, HINTS)
    assert found.table("split") == {"seed": 3}
    assert found.located["scores"] == (f"mine{again}.npy", "named in submission.toml")
    assert not any("is not there" in note for note in found.notes)


def test_of_several_further_uploads_of_submission_toml_none_is_read(folder):
    for again in ("-1", "-2"):
        (folder / f"submission{again}.toml").write_text("[split]\nseed = 3\n")
    assert Submission(folder, HINTS).table("split") == {}
