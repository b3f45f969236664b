"""What no file of a hand-in says, but its programs make when they run: the split, image by image and in row order."""

from __future__ import annotations

from in4310.errors import NotJudged
from in4310.judging.data import DataSet
from in4310.rehearsal.facts import SETS
from in4310.rehearsal.rehearse import Rehearsal, rehearse
from in4310.submission.discovery import Candidate
from in4310.submission.folder import Submission
from in4310.submission.sandbox.worker import Sandbox

WEAKEST = 0.0  # strength of what a program makes: files outweigh it


def recover(submission: Submission, data: DataSet, sandbox: Sandbox, seconds: float) -> list[str]:
    """Rehearse the programs, give the submission the split that they make, and say what was seen.

    Nothing of it costs points: a program that does not run here may well run where it was written. A split that comes
    of it is judged as one that a file says, and proved, or not, by the scores and the weights.
    """
    try:
        seen = rehearse(submission.folder, data.root, data.labels, data.classes, sandbox, seconds)
    except NotJudged as reason:
        return [f"rehearsal: {reason}"]
    if not seen.programs:
        return []
    split = seen.facts.split
    said = []
    if set(split) == set(SETS):
        at = _place(seen)
        value = {name: tuple(seen.files[row] for row in split[name]) for name in SETS}
        submission.again = seen.again
        submission.recovered["split"] = Candidate(
            "split", (at,), f"made by {at} when it was run", WEAKEST, value
        )
        sizes = ", ".join(f"{name} {len(split[name])}" for name in SETS)
        said.append(f"rehearsal: no file says the split; {at} was run, which makes it: {sizes}")
    else:
        stopped = next((f"{p.file}: {p.end}" for p in seen.programs if p.end != "ended" or p.status), "")
        said.append(
            f"rehearsal: the programs were run, and no split was seen; {stopped or 'they ran to their end'}"
        )
    return said + [f"rehearsal: {m.at}: {m.sentence}; {m.mend}" for m in seen.mistakes]


def _place(seen: Rehearsal) -> str:
    """The program whose loaders the split is of; the first that was run, where several share it."""
    used = {program for (program, _), name in seen.facts.sets.items() if name in SETS}
    number = min(used, default=0)
    return seen.programs[number].file if number < len(seen.programs) else seen.programs[0].file
