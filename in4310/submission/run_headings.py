"""What a program prints above the epochs of a run: what it is called, and its hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from in4310.submission.claims import measure, words

LENGTH = 80  # characters of a name
_ABOUT = {
    "lr", "learning", "rate", "optimizer", "optimiser", "optim", "batch", "model", "network", "run", "config", "fold",
    "configuration", "setting", "settings", "experiment", "trial", "training", "train", "starting", "using", "transfer",
    "hyperparameters", "hyperparams", "pretrained", "scratch", "sgd", "adam", "adamw", "rmsprop", "resnet", "resnet18",
    "resnet34", "resnet50", "wd", "decay", "momentum", "augmentation", "dropout",
}  # fmt: skip
_STRAY = {  # of what is done, and not of what begins
    "finished", "done", "complete", "completed", "ended", "saved", "saving", "took", "warning", "error", "success",
    "download", "downloading", "loaded", "loading", "elapsed", "stopping", "cancelled", "resuming", "resumed",
    "samples", "images", "device", "seconds", "minutes",
}  # fmt: skip
_NUMBER = r"([0-9]{0,6}\.?[0-9]{1,12}(?:e[+-]?[0-9]{1,3})?)(?![\w.])"


def _value(names: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{names})(?:\b|(?=\d))['\"]?\s{{0,3}}[:=-]?\s{{0,3}}{_NUMBER}", re.I)


# A name, perhaps in quotes, and its value: 'lr=1e-3', "'batch_size': 64", 'momentum 0.9', 'lr0.01'.
_FINDS = {
    "lr": _value(r"lr|learning[\s_-]?rate|læringsrate"),
    "batch_size": _value(r"batch(?:[\s_-]?size)?|bs"),
    "weight_decay": _value(r"weight[\s_-]?decay|wd"),
    "momentum": _value("momentum"),
    "dropout": _value("dropout"),
}
_OPTIMIZER = re.compile(r"\b(SGD|AdamW?|NAdam|RAdam|RMSprop|Adagrad|Adadelta|Adamax|LBFGS)\b", re.I)
_RATE = re.compile(r"(?<![\w.])(0?\.\d{1,8}|\d{1,2}e-\d{1,2})(?![\w.])", re.I)


def heading_of(lines: Iterable[str]) -> tuple[str, dict[str, str]]:
    """A run's name, '' where no line is one, and the hyperparameters stated, from what was printed before its epochs.

    A line that states hyperparameters names the run; else the last that speaks of a run, a model or a setting.
    """
    name = ""
    settings: dict[str, str] = {}
    for line in lines:
        said = set(words(line))
        given = stated(line)
        if said & _STRAY or not (said & _ABOUT or given) or measure(line):
            continue
        if given or not settings:
            name = f"{name} {line.strip()}".strip() if given and settings else line.strip()
        settings |= given
    return name.strip(" -=*#+:|")[:LENGTH], settings


def stated(line: str) -> dict[str, str]:
    """Hyperparameters that a line states: {'lr': '0.001', 'optimizer': 'adamw'}."""
    found = {name: match[1] for name, pattern in _FINDS.items() if (match := pattern.search(line[:400]))}
    found |= {"optimizer": match[1]} if (match := _OPTIMIZER.search(line[:400])) else {}
    return {name: value.lower() for name, value in found.items()}


def of_name(name: str) -> dict[str, str]:
    """Hyperparameters that the name of a run or its file states: 'sgd_lr0.01_bs64', 'adamw-0.003-onecycle'."""
    name = re.sub(r"(?<=\d)p(?=\d)", ".", re.sub(r"_|(?<!e)-(?!\d{1,2}\b)|-(?=0?\.)", " ", name[:400]))
    found = stated(name)
    if "optimizer" in found and "lr" not in found and (rate := _RATE.search(name)):
        found["lr"] = rate[1].lower()  # a small number beside an optimiser
    return found


def told_apart(runs: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """run -> its settings, of heading and hyperparameters of each; its name alone where these do not tell runs apart.

    Runs below other headings that state the same differ in something that is not known; those below one heading are the
    same setting again, if there are other headings.
    """
    headings = {heading for heading, _ in runs.values()}
    found = {}
    for run, (heading, settings) in runs.items():
        alike = [h for other, (h, s) in runs.items() if other != run and s == settings]
        told = settings and (not alike or ({*alike} == {heading} and len(headings) > 1))
        found[run] = dict(settings) if told else {"run": run}
    return found
