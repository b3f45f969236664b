"""What the stages cost against the number of images, and an epoch in one process and in two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.side_by_side import seconds

from in4310.judging.data import embedded_data
from in4310.progress import QUIET
from in4310.solution import splits, training
from in4310.solution.engine.hardware import choose_precision, keep_large_buffers
from in4310.solution.images import Images, Preprocessing, find_images, load_images
from in4310.solution.loaders import batches
from in4310.solution.network import build
from in4310.solution.scores import predict
from in4310.solution.spectrum import eigenvalues

SIZE = Preprocessing(size=32, resize=32)
NUMBERS = (600, 2000, 6000, 17034)
"""Images of 32 x 32, so that 17034 take minutes: the fixed and the growing parts of each stage are those of the loop."""


@pytest.mark.slow
@pytest.mark.benchmark(group="scale")
def test_cost_against_the_number_of_images(benchmark, claim, tmp_path: Path):
    keep_large_buffers()
    drawn = embedded_data(1200)
    files = [drawn / path for path in find_images(drawn)]
    points: dict[str, list[tuple[int, float]]] = {}
    for n in NUMBERS:
        root = tmp_path / str(n)
        for i in range(n):  # the same files under many names: what they hold does not matter to their cost
            file = files[i * 7 % len(files)]
            (root / file.parent.name).mkdir(parents=True, exist_ok=True)
            os.link(file, root / file.parent.name / f"{i:05d}{file.suffix}")
        labels = find_images(root)
        classes = tuple(sorted(set(labels.values())))
        model = build(seed=1)
        held: dict[str, Images] = {}

        def decode(root=root, labels=labels, classes=classes, held=held) -> None:
            held["all"] = load_images(root, list(labels), labels, classes, SIZE)[0]

        def split(labels=labels, n=n) -> None:
            splits.stratified_split(labels, test=n * 3 // 17, val=n * 2 // 17, seed=42)

        def epoch(held=held, model=model) -> None:
            settings = training.Settings(epochs=1)
            device = torch.device("cpu")
            optimizer = training._optimizer(model, settings)
            way = training._Way(settings, SIZE, choose_precision("auto"), device, model)
            with QUIET.task("epoch", 1) as bar:
                training._train_epoch(model, optimizer, held["all"], way, 1, bar, "")

        def score(held=held, model=model) -> None:
            predict(model, held["all"], SIZE)

        def spectrum(held=held, model=model) -> None:
            eigenvalues(model, (x for x, _ in batches(held["all"], SIZE)), ["layer2", "layer4"])

        for name, stage in (
            ("decoding 150 x 150 JPEG files", decode),
            ("the split", split),
            ("a training epoch, 32 x 32", epoch),
            ("scores, 32 x 32", score),
            ("spectra of channel means, 32 x 32", spectrum),
        ):
            points.setdefault(name, []).append((n, seconds(stage)))
    scale = [{"what": name, "x": "images", "points": found} for name, found in points.items()]
    claim("stages from 600 to 17034 images", NUMBERS[-1] / NUMBERS[0], "times the images", scale=scale)
    benchmark.pedantic(lambda: None, rounds=1)


EPOCHS = """
import json, sys, tempfile, pathlib
import numpy as np, torch
torch.set_num_threads(int(sys.argv[1]))
from in4310.solution import distributed, training
from in4310.solution.images import Images, Preprocessing
from in4310.solution.network import build
pixels = np.random.default_rng(0).integers(0, 256, (768, 96, 96, 3), dtype=np.uint8)
images = Images(tuple(map(str, range(768))), pixels, np.arange(768) % 6, tuple("abcdef"))
few = images.subset(images.paths[:64])
history = training.train(build(seed=1), images, few, Preprocessing(96, 96), training.Settings(epochs=3),
                         pathlib.Path(sys.argv[2]))
if distributed.is_main():
    print(json.dumps(min(e["seconds"] for e in history.epochs[1:])))
"""


@pytest.mark.slow
@pytest.mark.benchmark(group="scale")
def test_one_process_and_two(benchmark, claim, tmp_path: Path):
    """An epoch of 768 images of 96 x 96, batch 64 in all: gradients are exchanged after each of 12 steps."""
    program = tmp_path / "epochs.py"
    program.write_text(EPOCHS)

    def measured(processes: int, threads: int) -> float:
        folder = tmp_path / f"{processes}-{threads}"
        launch = [sys.executable]
        if processes > 1:
            launch += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        done = subprocess.run(
            [*launch, str(program), str(threads), str(folder)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        return float(json.loads(done.stdout.strip().splitlines()[-1]))

    one, two, threads = (
        float(np.median([measured(*way) for _ in range(2)])) for way in ((1, 1), (2, 1), (1, 2))
    )
    claim(
        "an epoch in two processes (DDP, gloo) against one, a thread each",
        one / two,
        "times",
        seconds_in_one_process_of_two_threads=round(threads, 2),
        processes={"what": "an epoch of 768 images of 96 x 96, batch 64", "one": one, "two": two},
    )
    benchmark.pedantic(lambda: None, rounds=1)
