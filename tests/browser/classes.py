"""Whole classes, drawn: students of all strengths and fates, judged by the 2023 edition in no time."""

import random

from in4310.grading.likeness import Pair
from in4310.grading.marks import Mark, Override, Status
from in4310.judging.edition import load_edition
from in4310.judging.verdict import Check, Diagnosis, Outcome, Requirement, Results

AT = "2026-11-23T12:00:00+00:00"
NAMES = (
    "Kari Nordmann",
    "Ola Øvrebø",
    "Åse Li-Sørensen",
    "Nils",
    "Siv Anne Kristoffersdatter Haugen",
    "Per",
    "Ørjan",
)
MISTAKES = {
    "metrics_accuracy_per_class": ("overall-for-mean", "this is the overall accuracy, not the mean over classes"),
    "metrics_map": ("macro-by-samples", "AP was averaged over images and not over classes"),
    "scores_reproduce": ("train-mode", "the model was left in train mode: model.eval() is missing"),
    "split_stratified": ("unstratified", "the split was drawn over all images at once"),
    "eigenvalues_valid": ("not-centred", "the mean was not subtracted before the covariance"),
}  # fmt: skip
FATES = (
    (Status.FAILED, "an empty zip"),
    (Status.FAILED, "hand-in.zip: expected a zip or tar archive, found one that cannot be read"),
    (Status.WAITING, ""),
    (Status.FAILED, "judging took longer than 600 seconds and was ended"),
)


def class_of(size):
    """The marks of a class of so many; the same each time."""
    draw = random.Random(size)
    edition = load_edition("2023")
    return [_mark(draw, edition, i) for i in range(size)]


def _mark(draw, edition, i):
    name = NAMES[i % len(NAMES)] if i < 20 else f"{draw.choice(NAMES)} {i}"
    who = f"student{i:03}"
    given = {"shown": name, "attempt": draw.choice((1, 1, 1, 2, 3)), "late": draw.random() < 0.1}
    if i % 20 == 5:
        status, error = FATES[(i // 20) % len(FATES)]
        return Mark(who, status=status, error=error, **given)
    said = (
        (Override("1e", 9.5, "the rounding is explained in the report", "anne", AT),) if i % 50 == 3 else ()
    )
    return Mark(who, status=Status.DONE, results=_results(draw, edition, who), overrides=said, **given)


def _results(draw, edition, who):
    strength = draw.betavariate(5, 1.2)
    requirements = [
        Requirement(id=r.id, title=r.title, text=r.text,
                    checks=[_check(draw, name, points, strength) for name, points in r.checks.items()])
        for r in edition.requirements
    ]  # fmt: skip
    accuracy = min(0.99, max(0.2, draw.gauss(0.6 + 0.33 * strength, 0.04)))
    wide = 1.96 * (accuracy * (1 - accuracy) / 211) ** 0.5
    interval = f"{accuracy:.4f} (95 %: {accuracy - wide:.3f} to {min(1, accuracy + wide):.3f})"
    return Results(
        name=who, submission=f"hand-ins/{who}.zip", submission_digest="d" * 64, edition=edition.name,
        edition_title=edition.title, isolation="nothing was run", requirements=requirements, made_at=AT,
        seconds=draw.lognormvariate(2.5, 0.6), facts={"Test accuracy, recomputed": interval},
    )  # fmt: skip


def _check(draw, name, points, strength):
    given = {"name": name, "title": f"The {name.replace('_', ' ')} is right.", "max_points": points}
    luck = draw.random()
    if luck < strength:
        warned = draw.random() < 0.03
        return Check(
            outcome=Outcome.WARNED if warned else Outcome.PASSED, points=points, reason="as asked", **given
        )
    if draw.random() < 0.25:
        return Check(
            outcome=Outcome.NOT_RUN, points=0, reason="its input is missing", missing="scores", **given
        )
    known = MISTAKES.get(name)
    named = (
        [
            Diagnosis(
                names=[known[0]],
                mistake=known[1],
                sentence=known[1],
                quality="equal to 6 digits",
                mend="mend it",
            )
        ]
        if known
        else []
    )
    return Check(outcome=Outcome.FAILED, points=round(draw.random() * points / 2, 1), reason="0.9289 and not 0.9310",
                 diagnoses=named, **given)  # fmt: skip


CODE = "def accuracy(scores, labels):\n" + "".join(
    f"    total_{i} = sum(int(row.argmax() == label) for row, label in zip(scores, labels))  # of part {i}\n"
    for i in range(9)
)
PAIRS = [
    Pair("kari", "ola", 1.0, 1.0, 0.93, True, (CODE, CODE.replace("total", "antall"))),
    Pair("nils", "siv", None, 0.82, None, False),
    Pair("per", "ørjan", None, None, 0.64, True, (CODE, CODE)),
]
