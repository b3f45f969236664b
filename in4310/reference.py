"""The reference solution's own submission for an edition, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from in4310.errors import InputError
from in4310.places import CACHE_VARIABLE, cache_folder

if TYPE_CHECKING:
    from in4310.judging.data import DataSet
    from in4310.judging.edition import Edition
    from in4310.solution.plan import Plan


def demo_plan(edition: Edition, data: DataSet) -> Plan:
    """The plan of `in4310 demo`: small images and few epochs, for two CPU cores and a few minutes."""
    from in4310.solution.images import Preprocessing
    from in4310.solution.plan import Plan
    from in4310.solution.training import Settings

    sizes = edition.sizes(len(data.labels))
    short = Settings(epochs=2, schedule="onecycle", half_size=0.6)
    trials = tuple(
        replace(short, optimizer=optimizer, learning_rate=rate, weight_decay=decay)
        for optimizer, rate, decay in (("sgd", 0.05, 5e-4), ("adamw", 0.003, 5e-2), ("sgd", 0.005, 5e-4))
    )
    return Plan(
        root=data.root,
        classes=tuple(data.classes),
        test=sizes["test"],
        val=sizes["val"],
        trials=trials,
        final_epochs=24,
        edition=edition.name,
        preprocessing=Preprocessing(size=64, resize=64),
        comparison=data.comparison,
        watch_test=edition.training.test_curve,
        statistics_images=edition.statistics.images,
        pictures=edition.statistics.pictures,
    )


def reference_key(data: DataSet, plan: Plan) -> str:
    """SHA-256 over what the submission depends on: the solution's code, the data, the plan, torch.

    The plan holds what is taken from the edition: other points, or another tolerance, train nothing anew.
    """
    import torch
    import torchvision

    key = hashlib.sha256(f"{torch.__version__} {torchvision.__version__}\n".encode())
    solution = Path(__file__).parent / "solution"
    for file in [*sorted(solution.rglob("*.py")), Path(__file__)]:
        key.update(file.name.encode() + b"\0" + file.read_bytes())
    key.update(data.digest.encode())
    key.update(str(plan.as_dict()).encode())
    return key.hexdigest()


def reference_submission(edition: Edition, data: DataSet, precision: str = "auto") -> Path:
    """Folder of the reference submission, made when the cache has none for this code, edition and data.

    It is trained in a process of its own: the memory that it reports (1g) would else be that of whoever asks.
    `precision`: of training, as in the plan. What is handed in was computed in fp32.
    Raises InputError when the edition asks for more than the embedded data has, and where there is no room for it.
    """
    from in4310.solution.engine.hardware import choose_precision
    from in4310.solution.pipeline import run

    if not edition.data.embedded:
        raise InputError(
            f"edition {edition.name}: give --submission DIR to judge; only editions of the embedded data make their own"
        )
    plan = replace(
        demo_plan(edition, data), precision=choose_precision(precision)
    )  # 'auto' is no third network
    home = cache_folder() / "reference"
    folder = home / reference_key(data, plan)[:24]
    if (folder / "submission.toml").is_file():
        return folder
    aside = home / f".{folder.name}.partial"
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home.with_suffix(".lock")).acquire()  # who comes second waits, and finds it made
    except OSError as error:
        raise InputError(
            f"{home}: expected a folder that can be written, found {error.strerror}; set {CACHE_VARIABLE} to another"
        ) from None
    with lock:
        if folder.is_dir():
            return folder
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with ProcessPoolExecutor(1, get_context("spawn"), _threads) as apart:
                apart.submit(
                    run, plan, aside, cache=cache_folder() / "decoded", command=("demo",), name="reference"
                ).result()
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def _threads() -> None:
    """Two, in whatever process: another number rounds another way, and trains another network than the catalogue's."""
    import torch

    torch.set_num_threads(2)
