"""A field that is not there proves nothing: what rested on it passes no longer, and no mistake is named.

The fields are read off the files of the reference. What rests on a file or a field is what comes out in another way without
it, and that earns less by more than trust, or is warned of; a field of a file costs no more than the file.
"""

import fnmatch
import os
import shutil

import pytest
from faults import fields

from in4310.judging.verdict import Outcome
from in4310.submission.files import MANIFEST
from in4310.submission.pieces import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PIECES = [*KINDS, MANIFEST, "others"]
# Fields that cost nothing where they are not there, and why.
FREE = {
    "plots/[!ls]*": {
        "": "no requirement asks for pictures of a ranking or a confusion: they are judged by their data"
    },
    "plan.json": {"": "the solution's own: no piece"},
    "untuned.pth": {"fc.bias": "a head may have none, and no feature map depends on it"},
    "scores_val.npy": {"": "the assignment asks for the scores of the test set"},
    "split/*.csv": {"label": "the folder of an image is its class"},
    "metrics.json": {
        "*.accuracy": "the report beside it has it, too",
        "*.confusion*": "not asked for",
        "*.report*": "not asked for",
    },
    "non_positive.json": {"percent.*": "six modules, and five are asked for"},
    "eigenvalues.json": {
        "series.*.modules.maxpool": "six modules, and five are asked for",
        "series.*.modules.*.total_variance": "a second proof of what is computed again",
        "series.*.flatten": "means of channels, where nothing else is said",
        "divisor": "either is recognised",
    },
    "history/*.json": {
        "settings*": "a setting is what is left of it: here the learning rate of each epoch",
        "epochs.*.epoch": "their order numbers them",
        "epochs.*.learning_rate": "not asked for",
        "epochs.*seconds": "not asked for",
        "epochs.*.val_accuracy_per_class*": "not asked for",
        "kept": "found by its figures",
        "best_epoch": "found by its figures",
        "device": "not asked for",
        "precision": "not asked for",
        "classes*": "the edition's",
        "key": "the solution's own",
        "compiled": "not asked for",
    },
    "reproduction.json": dict.fromkeys(("row", "column", "path", "agrees"), "not asked for"),
    "resources.json": dict.fromkeys(
        ("device", "precision*", "compiled", "processes", "threads", "seconds", "torch", "*_images"),
        "not asked for, where nothing is said of a GPU",
    ),
    "*.pth": {"*num_batches_tracked": "a counter, that no figure depends on"},
    MANIFEST: {
        "submission*": "the folder has a name, and the teacher an edition",
        "run*": "the one script that was handed in is found",
        "network.name": "read off the weights",
        "network.kept_run": "found by its figures",
        "split*": "plan.json and each setting state the seed, which makes the split again; both ways are tried",
        "preprocessing*": "found by trying",
        "files*": "found by their usual names",
    },
}


def free(field):
    return any(
        fnmatch.fnmatchcase(field.name, name)
        for files, names in FREE.items()
        if fnmatch.fnmatchcase(field.files, files)
        for name in names
    )


@pytest.fixture(scope="module")
def everything(reference, edition, marked):
    """The verdicts on the reference: check -> its record."""
    return marked(reference, edition.points_of)


@pytest.fixture
def lacking(reference, tmp_path, marked):
    """A function that judges the reference without a field by some checks."""

    def judged(field, checks):
        folder = shutil.copytree(reference, tmp_path / "submission", copy_function=os.link)
        try:
            field.take(folder)
            return marked(folder, checks)
        finally:
            shutil.rmtree(folder)

    return judged


def of_piece(piece, kind):
    places = KINDS[piece].places if piece in KINDS else (piece,)
    return any(kind.startswith(place) and (kind == place or kind[len(place)] == "/") for place in places)


def earns(check):
    """Points that are paid for more than trust; then whether what is on trust is."""
    return check.points - check.on_trust, check.points


def lost(checks):
    return round(sum(c.lost for c in checks.values()), 2)


@pytest.mark.parametrize("piece", PIECES)
def test_absent(piece, reference, edition, everything, lacking, record_property):
    wrong = []

    def look(field, checks, budget):
        found = lacking(field, checks)
        changed = {
            n
            for n, c in found.items()
            if (c.outcome, c.points) != (everything[n].outcome, everything[n].points)
        }
        less = {n for n in changed if earns(found[n]) < earns(everything[n])}
        record_property(
            "absent", {"name": str(field), "points": lost(found), "budget": 0.0 if free(field) else budget}
        )
        named = {n: c.mistake for n, c in found.items() if c.mistake or c.diagnoses}
        gained = {n: c.points for n, c in found.items() if c.points > everything[n].points}
        for what, said in (
            ("names a mistake", named),
            ("gains", gained),
            ("costs too much", lost(found) if lost(found) > budget + 1e-6 else ""),
            ("costs nothing", "" if less or free(field) else "and is not said to be free"),
            ("is said to be free", less if free(field) else ""),
            (
                "still passes what rests on it",
                "" if free(field) else {n for n in changed - less if found[n].outcome is Outcome.PASSED},
            ),
        ):
            if said:
                wrong.append(f"{field} {what}: {said}")
        return [n for n in checks if n in changed], lost(found)

    for kind, files in fields.kinds(reference).items():
        own = next((p for p in PIECES if of_piece(p, kind)), "others")
        if own != piece:
            continue
        whole, *some = fields.whole(kind, files)
        rest, budget = look(whole, edition.points_of, sum(edition.points_of.values()))
        for field in (*some, *fields.fields(reference, kind, files)) if rest else ():
            look(field, rest, budget)
    assert wrong == []
