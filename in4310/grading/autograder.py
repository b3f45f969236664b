"""in4310 as a Gradescope autograder: the folder to upload, and what runs there for each submission.

Assumed, from Gradescope's 'Autograder Specifications' (https://gradescope-autograders.readthedocs.io/en/latest/specs/):
the uploaded zip lies in /autograder/source, setup.sh is run once as root, run_autograder for each submission; the
student's files lie in /autograder/submission, and /autograder/results/results.json is read. Or the same as an image.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

from in4310.errors import InputError
from in4310.grading.engines import LocalEngine
from in4310.grading.exports import gradescope_results
from in4310.grading.marks import Mark, Status
from in4310.grading.work import Job, digest_of
from in4310.grading.write import write
from in4310.judging.edition import edition_files, load_edition
from in4310.judging.order import Order
from in4310.judging.verdict import Results
from in4310.places import data_root, placeless
from in4310.reporting.write import HANDED_OUT
from in4310.submission.containers import SUFFIXES

ROOT = Path("/autograder")
SETTINGS = "in4310.json"
SECONDS = (
    900.0  # for one submission; Gradescope ends an autograder after 20 minutes where nothing else is set
)
SCRIPTS = (
    "setup.sh",
    "run_autograder",
    "Dockerfile",
)  # as they stand in the folder gradescope/ beside this file


def write_autograder(
    folder: Path, edition: str, data: Path | None = None, limit: float = SECONDS
) -> list[Path]:
    """Write the files of an autograder into a new or empty folder; returns them.

    edition: a name, or a .toml file, which is copied; data: a folder of class folders, which is copied; without, the
    embedded data. Raises InputError for a folder with files in it, an edition that is wrong, data that is not there or
    cannot be copied; nothing is left of what was begun.
    """
    asked = load_edition(edition)
    if data is not None:
        data_root(data, asked.data.classes)
        if folder.resolve().is_relative_to(data.resolve()):
            raise InputError(f"{folder}: lies inside the data; choose a folder outside {data}")
    elif not asked.data.embedded:
        raise InputError(f"edition {asked.name} needs the course's photographs: give --data PATH")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder, found files; choose another")
    try:
        return _write_files(folder, edition, data, limit)
    except (OSError, InputError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, InputError):
            raise
        reason = error.strerror or "not all files of the data can be read"
        raise InputError(f"{folder}: cannot be made ({reason}); choose another folder") from error


def _write_files(folder: Path, edition: str, data: Path | None, limit: float) -> list[Path]:
    files = edition_files(edition)
    settings = {"edition": edition, "data": "", "seconds": limit, "secret": secrets.token_hex(32)}
    for file in files:  # beside each other, as they name each other
        write(folder / file.name, file.read_text(encoding="utf-8"))
    if files:
        settings["edition"] = files[0].name
    if data is not None:
        shutil.copytree(data, folder / "data")
        settings["data"] = "data"
    ours = Path(__file__).parent / "gradescope"
    texts = {name: (ours / name).read_text(encoding="utf-8") for name in SCRIPTS}
    texts[SETTINGS] = json.dumps(settings, indent=1) + "\n"
    written = [write(folder / name, text) for name, text in texts.items()]
    for file in written[:2]:
        file.chmod(0o755)
    return written


def run_autograder(root: Path = ROOT) -> Mark:
    """Judge root/submission and write root/results/results.json, whatever happens; without a verdict, without a score.

    The judge works in a process of its own, so that one that dies or takes too long is told, too.
    Raises InputError where `root` is no autograder's folder, or its results cannot be written.
    """
    if not (root / "source").is_dir():
        raise InputError(f"{root}: expected the folder of an autograder, with source/ and submission/ in it")
    mark = _mark(root)
    write(root / "results" / "results.json", gradescope_results(mark), HANDED_OUT)
    return mark


def _mark(root: Path) -> Mark:
    inside = [str(root.resolve() / name / "file") for name in ("source", "submission", "results")]
    try:
        settings = json.loads((root / "source" / SETTINGS).read_text(encoding="utf-8"))
        job = _job(root, settings)
        (done,) = LocalEngine(1, float(settings["seconds"])).carry_out([job], lambda jobs: None)
    except (InputError, OSError, ValueError, LookupError, TypeError) as error:
        return Mark(
            "",
            status=Status.FAILED,
            error=f"{placeless(str(error), *inside)}; this is for the teacher to fix",
        )
    if not done.results:
        return Mark("", status=Status.FAILED, error=done.error)
    return Mark("", status=Status.DONE, results=Results.model_validate_json(done.results))


def _job(root: Path, settings: dict[str, str]) -> Job:
    place, source = root / "submission", root / "source"
    files = [f for f in place.iterdir() if not f.name.startswith(".")] if place.is_dir() else []
    if len(files) == 1 and files[0].is_file() and files[0].name.lower().endswith(SUFFIXES):
        place = files[0]  # an archive, or one that is broken, and is told so
    edition = settings["edition"]
    order = Order(
        submission=str(place),
        edition=str(source / edition) if edition.endswith(".toml") else edition,
        report=str(root / "results" / "in4310-report"),
        data=str(source / settings["data"]) if settings["data"] else "",
        handed_out=True,
    )
    return Job("submission", 1, digest_of(place), order, settings["secret"])
