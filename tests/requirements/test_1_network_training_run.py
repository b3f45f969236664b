"""Requirement 1g: memory of the training, and the command that runs it."""

from contextlib import suppress
from pathlib import PurePosixPath

import pytest

from in4310.judging.evidence import number
from in4310.judging.rebuilding import training_memory
from in4310.shown import shown
from in4310.submission.pieces import Missing
from in4310.submission.source import needed_arguments, scripts


@pytest.mark.in4310_requirement("1g")
def test_memory_limit(evidence, edition, judge):
    """Memory used by training"""
    gib, limit, asked = 2**30, edition.training.memory_gib, edition.training.batch_size
    what = "peak memory of the training, as recorded"
    found = evidence.submission.resources if "resources" in evidence.submission.located else {}
    if (peak := number(found, "peak_memory_bytes")) is None:
        least = training_memory(evidence.rebuilt("model"), evidence.preprocessing.size, asked)
        judge.leave(
            f"memory of training with a batch of {asked} in float32",
            f"{least / gib:.2f} GiB at least, by our own count of what its network keeps for the backward pass",
            f"at most {limit:g} GiB; the submission reports no figure",
        )
        return
    judge.rest("stated only")
    # What the digits handed in, and a GB of 1000 or of 1024, may stand for.
    low, high = (number(found, f"peak_memory_{end}") or peak for end in ("least", "most"))
    batch = number(found, "batch_size")
    if batch is None and "peak_memory_least" in found:  # not in our form, which has it beside
        batch = _batch(evidence.submission)
    if batch is None or batch < asked:
        judge.leave(
            what,
            f"{peak / gib:.2f} GiB with a batch of {'unknown size' if batch is None else f'{batch:g}'}",
            f"at most {limit:g} GiB with a batch of {asked}",
            mend=f"record it with a batch of {asked}",
        )
        return
    once = sum(t.numel() * 4 for t in evidence.state.values())
    # Weights, their gradients, and what the backward pass needs of a batch in 16 bits. In parts, computed twice, or of
    # a network of which little is trained, it may be less; but the weights are there, if only in 16 bits.
    whole = training_memory(evidence.rebuilt("model"), evidence.preprocessing.size, int(batch))
    least = 2 * once + (whole - 3 * once) // 2
    if once / 2 <= high < least:
        judge.leave(
            what,
            f"{peak / gib:.2f} GiB with a batch of {batch:g}",
            f"{least / gib:.2f} GiB at least, by our own count; or was the batch taken in parts?",
        )
        return
    on_cpu = str(found.get("device", "")).lower() == "cpu"
    if edition.training.memory_of == "gpu" and on_cpu and once / 2 <= high:
        judge.leave(
            what,
            f"{peak / gib:.2f} GiB resident, trained on a CPU",
            f"at most {limit:g} GiB of GPU memory, which this figure does not tell",
        )
        return
    judge.expect(
        once / 2 <= high and low <= limit * gib,
        what,
        f"{peak / gib:.2f} GiB",
        f"{once / 2 / gib:.2f} GiB (the weights, in 16 bits) to {limit:g} GiB",
        mend="use a smaller batch, or smaller images",
    )


def _batch(submission):
    """The batch size that all settings of the history agree on, or None."""
    with suppress(Missing):
        stated = [run.get("settings") for run in submission.history.values()]
        sizes = {number(s, "batch_size") for s in stated if isinstance(s, dict)}
        return sizes.pop() if len(sizes) == 1 else None
    return None


def _script(command):
    """The script or notebook that a command runs; '' where it gives it arguments, or runs something else."""
    program, *words = [w.strip("'\"").replace("\\", "/") for w in command.split()] or [""]
    program = PurePosixPath(program).name
    if program in ("jupyter", "jupyter-nbconvert", "papermill", "jupytext"):
        # Options are of the program that runs the notebook: the notebook has no arguments.
        books = [w for w in words if w.endswith(".ipynb")]
        return books[0] if len(books) == 1 or (program == "papermill" and len(books) == 2) else ""
    if words[:1] == ["run"] and program in ("uv", "poetry", "pipenv", "conda"):
        words = words[1 + (words[1:2] in (["python"], ["python3"])) :]
    words = [w for w in words if w not in ("-u", "-O", "-B")]
    if len(words) == 2 and words[0] == "-m":
        return f"{words[1].replace('.', '/')}.py"
    return words[0] if len(words) == 1 and words[0].endswith((".py", ".ipynb")) else ""


@pytest.mark.in4310_requirement("1g")
def test_runs_without_arguments(evidence, judge):
    """Command-line arguments of the code"""
    command = evidence.submission.table("run").get("command")
    if not isinstance(command, str) and (ran := evidence.submission.rehearsed.ran):
        judge.rest("seen run")
        judge.expect(True, "scripts that ran to their end, on a few images", ", ".join(map(shown, ran[:5])))
        return
    judge.rest("read in the source")
    needed = needed_arguments(evidence.source)
    if not isinstance(command, str):
        found = scripts(evidence.source)
        if not found:
            raise Missing(
                "run command",
                "no script was handed in, and submission.toml does not say how to run the code:"
                " [run] command = 'python main.py'",
            )
        free = [f for f in found if f not in {call.file for call in needed}]
        judge.expect(
            bool(free),
            "scripts without required arguments, read in the source",
            ", ".join(map(shown, free[:5])) or "none",
            "at least one",
            details=[f"{call.place}: {call.text}" for call in needed],
            mend="give every argument a default",
        )
        judge.leave("running it", "not done: its source was read, nothing of it executed")
        return
    script = _script(command)
    judge.expect(
        bool(script),
        "command stated",
        command,
        "python SCRIPT, without arguments",
        mend="give every argument a default",
    )
    whole = script.removesuffix(".py") + "/__main__.py"  # of 'python -m package'
    inside = evidence.submission.inside(script) or evidence.submission.inside(whole)
    judge.expect(
        inside is not None and (evidence.submission.folder / inside).is_file(),
        "script in the submission",
        script or "none",
        "a file that was handed in",
    )
    if inside is not None and inside.endswith(".py"):
        calls = sum(call.file == inside for call in evidence.source)
        judge.expect(
            calls > 0,
            "calls that the script makes, read in its source",
            calls,
            "those of the training",
            mend="state the script that trains",
        )
    own = [call for call in needed if call.file == inside]
    judge.expect(
        not own,
        "required arguments in its source",
        len(own),
        0,
        details=[f"{call.place}: {call.text}" for call in own],
        mend="give every argument a default",
    )
    judge.leave("running it", "not done: this run of the judge executes nothing of a submission")
