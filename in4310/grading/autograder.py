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
from in4310.places import data_root
from in4310.submission.containers import SUFFIXES

ROOT = Path("/autograder")
SETTINGS = "in4310.json"
SECONDS = (
    900.0  # for one submission; Gradescope ends an autograder after 20 minutes where nothing else is set
)
SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, as root, when the autograder is built. Python of its own: the base image's may be too old.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
shopt -s nullglob
wheels=("$root"/source/in4310-*.whl)
if [ ${#wheels[@]} != 1 ]; then # never from an index: whoever has our name there is not us
    echo "expected one wheel, in4310-...-py3-none-any.whl, beside setup.sh, found ${#wheels[@]}" >&2
    exit 2
fi
pip3 install --quiet uv
uv venv --quiet --python 3.12 "$root/venv"
# In one call, so that no second torch comes with it; of torch the builds for a CPU, all else from PyPI.
uv pip install --quiet --python "$root/venv/bin/python" --torch-backend cpu "${wheels[0]}"
"""
RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission. IN4310_PYTHON and the root are for trying it at home.
root="${AUTOGRADER_ROOT:-/autograder}"
export IN4310_CACHE="${IN4310_CACHE:-$root/cache}"
exec "${IN4310_PYTHON:-$root/venv/bin/python}" -P -m in4310 autograder run "$root"
"""
DOCKERFILE = """# The same as an image of your own: docker build -t you/in4310 . && docker push you/in4310
FROM gradescope/autograder-base:latest
COPY . /autograder/source/
RUN bash /autograder/source/setup.sh && cp /autograder/source/run_autograder /autograder/run_autograder \\
    && chmod +x /autograder/run_autograder
"""


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
    texts = {
        "setup.sh": SETUP,
        "run_autograder": RUN,
        "Dockerfile": DOCKERFILE,
        SETTINGS: json.dumps(settings, indent=1) + "\n",
    }
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
    write(root / "results" / "results.json", gradescope_results(mark))
    return mark


def _mark(root: Path) -> Mark:
    try:
        settings = json.loads((root / "source" / SETTINGS).read_text(encoding="utf-8"))
        job = _job(root, settings)
        (done,) = LocalEngine(1, float(settings["seconds"])).carry_out([job], lambda jobs: None)
    except (InputError, OSError, ValueError, LookupError, TypeError) as error:
        return Mark("", 1, "", "", None, Status.FAILED, error=f"{error}; this is for the teacher to fix")
    if not done.results:
        return Mark("", 1, "", "", None, Status.FAILED, error=done.error)
    return Mark("", 1, "", "", None, Status.DONE, Results.model_validate_json(done.results))


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
    )
    return Job("submission", 1, digest_of(place), order, settings["secret"])
