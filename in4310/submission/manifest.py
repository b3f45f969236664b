"""submission.toml: written from what was found, with a comment on every choice, for its author to correct."""

from __future__ import annotations

import json
from pathlib import Path

from in4310.errors import InputError
from in4310.solution.saving import write_aside
from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS

NAME = "submission.toml"


def write_manifest(submission: Submission, edition: str, force: bool = False) -> Path:
    """Write submission.toml into the submission's folder. Raises InputError when one is there and not `force`."""
    path = submission.folder / NAME
    if path.exists() and not force:
        raise InputError(f"{path}: is there already; edit it, or replace it with --force")
    text = manifest_text(submission, edition)
    try:
        write_aside(path, lambda file: file.write(text.encode("utf-8", "replace")))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def manifest_text(submission: Submission, edition: str) -> str:
    """The text of submission.toml: pieces found with the reason, those not found commented out, fields to fill in."""
    lines = [
        "# What this submission is made of. Lines that start with # are comments; correct what was taken wrongly.",
        "",
        "[submission]",
        f"name = {_text(submission.name)}",
        f"edition = {_text(edition)}",
        "",
        "[files] # piece = path inside the submission; several files of one piece are found by themselves",
    ]
    for kind in KINDS.values():
        place = submission.located.get(kind.name)
        if place is None:
            lines.append(f"# {kind.name} = {_text(kind.places[0])} # not found: {kind.contents}")
            continue
        file, why = place
        several = kind.name not in submission.placed and len(submission.candidates(kind.name)[0].files) > 1
        mark = "# " if several else ""
        lines.append(f"{mark}{kind.name} = {_text(file)} # {_comment(why)}")
        lines += [f"#   or {_text(other)}" for other in submission.others(kind.name)[:5]]
    lines += [
        "",
        "[split]",
        "# seed = 42 # the seed of your split, so that it can be made again",
        "",
        "[network]",
        "# start = 'imagenet' # or 'scratch': the weights that training started from",
        "",
        "[run]",
        "# command = 'python main.py' # how to run your code, without arguments",
        "",
        "# Your own functions, called behind walls: 'folder.file:function' or 'notebook.ipynb:function'.",
        "[adapters]",
        "# split = 'main:make_split' # (labels: {path: class}, test, val, seed) -> {'train': [...], 'val', 'test'}",
        "# overlap = 'main:overlap' # (train, val, test) -> what overlaps",
        "# metrics = 'main:evaluate' # (labels, scores) -> {'accuracy', 'mean_accuracy', 'map'}",
        "# rank = 'main:rank' # (scores, paths, column, k) -> {'top': [...], 'bottom': [...]}",
        "# compare = 'main:compare' # (saved, scores) -> True where they agree",
        "# train_loader = 'main:train_loader' # (dataset, batch_size) -> batches, shuffled anew in each epoch",
        "# transform = 'main:eval_transform' # (PIL image) -> tensor (3, S, S), the one for validation and test",
        "# train_epoch = 'main:train_epoch' # (model, loader, criterion, optimizer, device): one epoch",
        "# non_positive = 'main:non_positive' # (model, loader, modules) -> {module: percentage}",
        "# spectrum = 'main:spectrum' # (model, loader, modules) -> {module: [eigenvalues]}",
        "",
        "# What is done to an image before the network; left out, it is found by trying the usual ones.",
        "# [preprocessing]",
        "# size = 224",
        "# resize = 224 # as Resize(224); [224, 224] squashes, as Resize((224, 224)); then CenterCrop(size)",
        "# interpolation = 'bilinear'",
        "# mean = [0.485, 0.456, 0.406]",
        "# std = [0.229, 0.224, 0.225]",
        "# antialias = true # false: on tensors without it, as torchvision did before 0.17",
        "# fit = 'shorter' # or squash, cropped (to a square), longer (padded), padded (a square first), none (a crop)",
        "# pad = 'black' # or grey, white, edge, reflect",
        "# library = 'PIL' # or tensor, float (ToTensor before Resize), OpenCV (albumentations; has 'area')",
        "# exif = false # true: turned as EXIF says, as OpenCV does",
        "# alpha = 'drop' # or white, black: what lies behind transparent pixels",
        "",
    ]
    return "\n".join(lines)


def _text(value: str) -> str:
    # JSON's strings are TOML's basic strings, but for the delete character, which shown names never hold.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _comment(value: str) -> str:
    return " ".join(value.split())
