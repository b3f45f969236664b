"""The pieces of a submission: their names, their usual places, and what is said when one is missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PieceKind:
    """A piece that a submission is made of; `places` are tried in order when submission.toml names none."""

    name: str
    contents: str
    places: tuple[str, ...]


_ALL = (
    PieceKind("split", "train, val and test as lists of paths", ("split", "split.json")),
    PieceKind(
        "model", "state dict of the network kept", ("model.pth", "model.safetensors", "best_model.pth")
    ),
    PieceKind("untuned", "state dict of the network before training", ("untuned.pth", "untuned.safetensors")),
    PieceKind("scores", "softmax scores of the test set, N x classes", ("scores_test.npy", "scores.npy")),
    PieceKind("scores_val", "softmax scores of the validation set", ("scores_val.npy",)),
    PieceKind("metrics", "accuracy, AP and means for val and test", ("metrics.json",)),
    PieceKind("history", "one table of epochs for each setting", ("history",)),
    PieceKind("ranking", "top and bottom images of each class", ("ranking.json",)),
    PieceKind("non_positive", "module -> percentage of non-positive values", ("non_positive.json",)),
    PieceKind("eigenvalues", "data set, model and module -> eigenvalues", ("eigenvalues.json",)),
    PieceKind("feature_maps", "pictures of the feature maps", ("feature_maps",)),
    PieceKind("plots", "curves, ranked images, spectra as pictures", ("plots",)),
    PieceKind("report", "the report, a PDF or a page", ("report.pdf", "report.html")),
    PieceKind("resources", "peak memory and batch size of the training", ("resources.json",)),
    PieceKind("reproduction", "what the comparison routine found", ("reproduction.json",)),
)
KINDS = {kind.name: kind for kind in _ALL}


def lacking(piece: str) -> str:
    """That a piece is not there, in words: 'scores are missing', 'split is missing'."""
    return f"{piece} are missing" if piece.endswith("s") else f"{piece} is missing"


class Missing(Exception):
    """A piece that a check needs is not in the submission; the check is not run."""

    def __init__(self, piece: str, message: str = ""):
        self.piece = piece
        if kind := KINDS.get(piece):
            places = " or ".join(kind.places)
            message = message or f"{lacking(piece)} ({kind.contents}; expected as {places})"
        super().__init__(message or piece)


class Unreadable(Missing):
    """A piece is there but cannot be read; the message says why and how to fix it."""
