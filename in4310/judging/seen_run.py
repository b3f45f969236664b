"""Checks whose pieces no file has, judged by what the programs were seen to do when they were run.

It is the author's own process, and what it shows can be staged: it earns points for what is asked of code only, is left
to the teacher for what is asked of figures, and is not looked at where a file decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.shown import shown

LOADING = ("shuffled-test", "augmented-evaluation", "not-normalised", "hwc", "trained-on-test")
TRAINING = ("no-step", "not-zeroed", "eval-mode", "same-batch", "softmax-first", "trained-through",
            "scheduler-first", "scheduler-each-batch", "scheduler-each-epoch")  # fmt: skip
KEEPING = ("best-on-test", "best-reset", "best-alias", "last-saved")
METRICS = ("last-batch", "train-mode", "other-set")
PRECISION = (*METRICS, "hard-ap", "swapped-ap", "softmax-twice", "batch-softmax")
SPECTRA = ("not-centred", "transposed", "pixels")
# Whether what was seen is what is asked for, and that in words; None: it cannot be told, or is not code's to show.
Look = Callable[[Evidence, Any], tuple[bool | None, str]]


@dataclass(frozen=True)
class Way:
    """How a check is judged: what was seen, what is looked at, mistakes that count; below `least` nothing is said."""

    subject: str
    asked: str
    look: Look
    wrong: tuple[str, ...] = ()
    least: Callable[[Evidence], int] = lambda evidence: 0


def _depth(evidence: Evidence, value: Any) -> tuple[bool, str]:
    depths = evidence.edition.network.depths
    return value[0] in depths, " or ".join(f"ResNet-{d}" for d in depths)


def _start(evidence: Evidence, value: Any) -> tuple[bool, str]:
    wanted = evidence.edition.network.start
    return wanted in ("any", value), wanted


def _tolerance(evidence: Evidence, value: Any) -> tuple[bool, str]:
    return value is None or 1e-7 <= value <= 0.01, "a tolerance of 1e-7 to 0.01"


def _order(evidence: Evidence, value: Any) -> tuple[bool | None, str]:
    stated = list(evidence.stated_classes)
    return (True if value == stated else None), ", ".join(stated)


def _figures(evidence: Evidence, value: Any) -> tuple[None, str]:
    return None, "the figures, handed in"


SETTINGS = Way(
    "settings", "different settings that reached an optimiser",
    lambda evidence, value: (True, f"at least {evidence.edition.training.settings}"), TRAINING,
    lambda evidence: evidence.edition.training.settings)  # fmt: skip
HOOKS = Way(
    "hooks", "modules that were hooked",
    lambda evidence, value: (True, f"at least {evidence.edition.statistics.modules}"), ("changing-hook",),
    lambda evidence: evidence.edition.statistics.modules)  # fmt: skip
WAYS = {
    "loaders_follow_split": Way("loaders", "loaders of the three sets",
                                lambda evidence, value: (value is True, "batches of training shuffled"), LOADING),
    "class_order": Way("classes", "classes in the order of their labels", _order),
    "network_depth": Way("network", "network that was trained", _depth),
    "network_outputs": Way("network", "network that was trained", lambda evidence, value: (
        value[1] == len(evidence.stated_classes), f"{len(evidence.stated_classes)} outputs")),
    "network_start": Way("start", "weights that training started from", _start),
    "metrics_accuracy": Way("metrics", "metrics that were computed", _figures, METRICS),
    "metrics_accuracy_per_class": Way("metrics", "metrics that were computed", _figures, METRICS),
    "metrics_average_precision": Way("metrics", "metrics that were computed", _figures, PRECISION),
    "metrics_map": Way("metrics", "metrics that were computed", _figures, PRECISION),
    "three_settings": SETTINGS,
    "best_on_validation": Way("kept", "when weights were kept, after which sets were evaluated",
                              lambda evidence, value: ("val" in value, "the validation set"), KEEPING),
    "comparison_recorded": Way("comparison", "comparison of saved scores with recomputed ones", _tolerance,
                               ("compared-with-itself", "loose-comparison", "never-compared")),
    "modules_named": HOOKS,
    "eigenvalues_valid": Way("spectra", "covariances whose eigenvalues were taken", _figures, SPECTRA),
    "eigenvalues_recomputed": Way("spectra", "covariances whose eigenvalues were taken", _figures, SPECTRA),
}  # fmt: skip


def judged(evidence: Evidence, name: str, judge: Judge, otherwise: Outcome = Outcome.FAILED) -> bool:
    """Record what was seen of a check; returns whether that was anything. A mistake that was seen is `otherwise`."""
    way = WAYS.get(name)
    if way is None:
        return False
    ran = evidence.submission.rehearsed
    for known, at, sentence, mend in ran.wrong:
        if known in way.wrong:
            judge.expect(False, "mistakes that were seen when it was run", shown(at), "none",
                         mistake=sentence, mend=mend, otherwise=otherwise)  # fmt: skip
    if way.subject in ran.seen:
        value, said, at = ran.seen[way.subject]
        if not isinstance(value, int) or value >= way.least(evidence):
            good, wanted = way.look(evidence, value)
            found = f"{value if type(value) is int else ''} {shown(said, 200)} ({shown(at)})".strip()
            if good is None:
                judge.leave(f"{way.asked}, seen run", found, wanted)
            else:
                judge.expect(good, f"{way.asked}, seen run", found, wanted)
    judge.rest("seen run")
    return bool(judge.findings)
