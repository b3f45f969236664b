"""A submission with a test set of 3000 images, made once and kept in the cache: what is measured is judging it.

Weights are those of the reference for the demo, trained on smaller images, so its accuracy is poor; scores, metrics,
statistics and pictures are what these weights really give. The history is a stand-in of the right form.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from in4310.judging import edition as editions
from in4310.judging.data import DataSet, resolve_data
from in4310.judging.edition import load_edition
from in4310.places import cache_folder
from in4310.progress import QUIET
from in4310.reference import reference_key, reference_submission
from in4310.solution import metrics, network, scores
from in4310.solution.handin import Writer
from in4310.solution.images import Images, Preprocessing, Problems, load_images
from in4310.solution.plan import Plan
from in4310.solution.splits import stratified_split
from in4310.solution.training import History, Settings

IMAGES, TEST, VAL = 6400, 3000, 300
SETTINGS = tuple(
    Settings(optimizer=o, learning_rate=rate, epochs=1)
    for o, rate in (("sgd", 0.05), ("adamw", 0.002), ("sgd", 0.01))
)


def edition_file(folder: Path, audit_rows: int | None = None) -> Path:
    """The demo's edition with a test set of 3000, as a teacher would copy it; `audit_rows`: of each set, by default as is."""
    stock = Path(editions.__file__).parent / "editions" / "demo.toml"
    text = stock.read_text(encoding="utf-8")
    for old, new in (("images = 1200", IMAGES), ("test = 211", TEST), ("val = 141", VAL)):
        assert old in text, f"{stock}: expected {old!r}"
        text = text.replace(old, f"{old.split()[0]} = {new}", 1)
    if audit_rows is not None:
        text += f"\n[audit]\nrows = {audit_rows}\n"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "large.toml"
    file.write_text(text, encoding="utf-8")
    return file


def large_submission(edition_path: Path, size: int) -> tuple[Path, DataSet]:
    """Folder of the submission for images of `size` pixels, and its data."""
    asked = load_edition(str(edition_path))
    data = resolve_data(asked, None)
    preprocessing = Preprocessing(size=size, resize=size)
    plan = Plan(
        root=data.root, classes=tuple(data.classes), test=TEST, val=VAL, edition=asked.name, trials=SETTINGS,
        final_epochs=1, preprocessing=preprocessing, comparison=data.comparison,
    )  # fmt: skip
    folder = cache_folder() / "reference" / f"large-{size}-{reference_key(data, plan)[:24]}"
    if (folder / "submission.toml").is_file():
        return folder, data
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    split = stratified_split(data.labels, test=plan.test, val=plan.val, seed=plan.seed)
    cache = cache_folder() / "decoded"
    images, _ = load_images(data.root, sorted(data.labels), data.labels, plan.classes, preprocessing, cache)
    sets = {name: images.subset(split.sets()[name]) for name in ("val", "test")}
    demo = load_edition("demo")
    trained = reference_submission(demo, resolve_data(demo, None))
    shutil.copy(trained / "untuned.pth", folder)
    model = network.load_into(network.build("resnet18", len(plan.classes)), trained / "model.pth").eval()
    write = Writer(plan, folder, torch.device("cpu"), QUIET)
    write.split(split, data.labels)
    histories = stand_in_histories(model, sets["val"], plan)
    write.model(model, histories, next(iter(histories)))
    again = scores.Reproduction(0.0, 0, 0, split.test[0], TEST, scores.TOLERANCE, True)
    with mock.patch.object(scores, "reproduce", return_value=again):  # 3000 images once, not twice
        write.scores(model, sets)
    write.statistics(model, images, split)
    write.resources(2**30, 1.0, Problems(), next(iter(histories.values())))
    write.manifest("large", (), next(iter(histories)))
    return folder, data


def stand_in_histories(model: torch.nn.Module, val: Images, plan: Plan) -> dict[str, History]:
    """One epoch a setting; the first, which is kept, has the figures of the weights, the others are worse."""
    predicted = scores.predict(model, val, plan.preprocessing)
    found = metrics.evaluate(val.labels, predicted, plan.classes)
    loss = float(-np.log(predicted[np.arange(len(val)), val.labels].clip(1e-30)).mean())
    histories = {}
    for i, settings in enumerate(plan.trials):
        figures = {"loss": loss + i, "accuracy": found.accuracy - 0.1 * i, "map": found.map - 0.1 * i}
        epoch = {f"{name}_{key}": value for name in ("train", "val") for key, value in figures.items()}
        histories[settings.name] = History(
            asdict(settings), "cpu", "fp32", plan.classes, "", [{"epoch": 1, **epoch}]
        )
    return histories
