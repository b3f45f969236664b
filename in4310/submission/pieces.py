"""The pieces of a submission: their names and usual places, how they are known, what is said when one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hints:
    """What the judge knows of the assignment: classes in index order, 'class/file' of every image, sizes asked for."""

    classes: tuple[str, ...]
    images: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PieceKind:
    """A piece that a submission is made of; `places` are tried in order when submission.toml names none.

    `asked`: the requirements that ask for it; all others only rest on it.
    """

    name: str
    contents: str
    places: tuple[str, ...]
    asked: frozenset[str]

    @property
    def forms(self) -> str:
        """Which files it is looked for in, by what they hold."""
        return FORMS.get(self.name, FORMS[""])


FORMS = {
    "": "tables, texts, JSON, YAML, arrays, pickles, weights files, notebooks and event files of any name",
    "model": "weights files of any name",
    "untuned": "weights files of any name",
    "feature_maps": "pictures of any name, and those in notebooks",
    "plots": "pictures of any name, and those in notebooks",
    "report": "PDF, HTML and DOCX files of any name",
}
_ALL: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("split", "train, val and test as lists of paths", ("split", "split.json"), "1a 1b"),
    ("model", "state dict of the network kept", ("model.pth", "model.safetensors", "best_model.pth"), "1d"),
    ("untuned", "state dict of the network before training", ("untuned.pth", "untuned.safetensors"), "3b"),
    ("scores", "softmax scores of the test set, N x classes", ("scores_test.npy", "scores.npy"), "1c 1h"),
    ("scores_val", "softmax scores of the validation set", ("scores_val.npy",), ""),
    ("metrics", "accuracy, AP and means for val and test", ("metrics.json",), "1e"),
    ("history", "one table of epochs for each setting", ("history",), "1f 1j"),
    ("ranking", "top and bottom images of each class", ("ranking.json",), "1i"),
    ("non_positive", "module -> percentage of non-positive values", ("non_positive.json",), "2a 2b"),
    ("eigenvalues", "data set, model and module -> eigenvalues", ("eigenvalues.json",), "3a 3b"),
    ("feature_maps", "pictures of the feature maps", ("feature_maps",), "2c"),
    ("plots", "curves, ranked images, spectra as pictures", ("plots",), ""),
    ("report", "the report, a PDF or a page", ("report.pdf", "report.html"), ""),
    ("resources", "peak memory and batch size of the training", ("resources.json",), "1g"),
    ("reproduction", "what the comparison routine found", ("reproduction.json",), ""),
)
KINDS = {
    name: PieceKind(name, contents, places, frozenset(asked.split()))
    for name, contents, places, asked in _ALL
}


def lacking(piece: str) -> str:
    """That a piece is not there, in words: 'scores are missing', 'split is missing'."""
    return f"{piece} are missing" if piece.endswith("s") else f"{piece} is missing"


class Missing(Exception):
    """A piece that a check needs is not in the submission; the check is not run."""

    def __init__(self, piece: str, message: str = ""):
        self.piece = piece
        if kind := KINDS.get(piece):
            places = " or ".join(kind.places)
            message = (
                message
                or f"{lacking(piece)} ({kind.contents}; expected as {places}; looked for in {kind.forms})"
            )
        super().__init__(message or piece)


UNCALLED = "the function that the submission names was not called: nothing can be confined on this machine"


class NotHere(Missing):
    """What a check needs is missing on the judge's own machine: its points are not lost, but left to the teacher."""


class Unreadable(Missing):
    """A piece is there but cannot be read; the message says why and how to fix it."""
