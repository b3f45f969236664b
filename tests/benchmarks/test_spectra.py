"""Eigenvalues of features beside scikit-learn and torch, and what they cost beside the forward pass.

Both sides of a ratio are timed in turn in the same test, as a machine's speed drifts; `extra_info` holds what a
report reads: claim, goal, ratio, unit, met. Accuracy is asserted, time is not.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.side_by_side import OwnProcess, amount, seconds, turns
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.decomposition import PCA, IncrementalPCA
from torch import Tensor, nn
from torchvision.models import resnet18

from in4310.solution.engine.hardware import keep_large_buffers
from in4310.solution.engine.krylov import largest_eigenvalues
from in4310.solution.feature_maps import observe
from in4310.solution.spectrum import FeatureCovariance, gram_eigenvalues

MODULES = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
K = 10
LAYER1, LAYER4 = 64 * 56 * 56, 512 * 7 * 7
WIDE, PART = amount(LAYER1, LAYER1 // 16), amount(4, 16)


def in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each, turn by turn, so that other load falls on all.

    Each runs twice, and the second time counts: numpy's threads spin for a tenth of a second after their last product,
    beside whatever comes next.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in turns(rounds):
        for name, run in runs.items():
            run()
            times[name].append(seconds(run))
    return {name: statistics.median(found) for name, found in times.items()}


def claim(benchmark: Any, text: str, goal: str, ratio: float, unit: str, met: bool, **more: object) -> None:
    benchmark.extra_info.update(claim=text, goal=goal, ratio=ratio, unit=unit, met=met, **more)


def decaying(rows: int, dimensions: int, batch: int = 64, seed: int = 0) -> Iterator[np.ndarray]:
    """Batches of float32 features whose deviations fall as 1 / i over 100 directions, on noise, mean 1."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((100, dimensions), dtype=np.float32)
    directions /= np.arange(1, 101, dtype=np.float32)[:, None]
    for start in range(0, rows, batch):
        size = min(batch, rows - start)
        part = rng.standard_normal((size, 100), dtype=np.float32) @ directions
        noise = rng.standard_normal((size, dimensions), dtype=np.float32)
        noise *= 1e-3
        noise += 1
        yield part + noise


def off(found: np.ndarray, right: np.ndarray) -> float:
    """Largest difference, as a share of the largest eigenvalue."""
    return float(np.abs(found - right).max() / right[0])


def peak_mib(code: str, *arguments: str) -> float:
    """Anonymous memory that `run(data)` of `code` takes over what was there before, MiB; in a process of its own.

    Pages of a mapped file are not counted: the system takes them back at will.
    """
    script = (
        textwrap.dedent(
            """
            import sys, threading, time
            import numpy as np, torch
            def anonymous():
                with open("/proc/self/status") as status:
                    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
            """
        )
        + textwrap.dedent(code)
        + textwrap.dedent(
            """
            before = peak = anonymous()
            over = threading.Event()
            def watch():
                global peak
                while not over.is_set():
                    peak = max(peak, anonymous())
                    time.sleep(0.002)
            watcher = threading.Thread(target=watch)
            watcher.start()
            run(data)
            over.set()
            watcher.join()
            print((peak - before) / 1024)
            """
        )
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


# -- flattened layer1, 200 images: the Gram matrix -------------------------------------------------


def pca(features: np.ndarray, solver: str) -> Callable[[], np.ndarray]:
    def run() -> np.ndarray:
        found = PCA(K, svd_solver=solver, random_state=0).fit(features)
        return found.explained_variance_ * (len(features) - 1) / len(features)

    return run


@pytest.mark.benchmark(group=f"ten largest eigenvalues, flattened layer1, N=200, D={WIDE}")
def test_gram_matrix_of_flattened_layer1(benchmark: Any) -> None:
    features = np.concatenate(list(decaying(200, WIDE)))
    tensor = torch.from_numpy(features)

    def lowrank() -> np.ndarray:
        singular = torch.svd_lowrank(tensor - tensor.mean(dim=0), K, niter=2)[1]
        return singular.numpy().astype(np.float64) ** 2 / len(features)

    def ours() -> np.ndarray:
        return gram_eigenvalues(tensor, K).values

    peers = {
        "arpack": pca(features, "arpack"),
        "randomized": pca(features, "randomized"),
        "svd_lowrank": lowrank,
    }
    gram = np.zeros((200, 200))
    for start in range(0, WIDE, 4096):
        rows = features[:, start : start + 4096].astype(np.float64)
        rows -= rows.mean(axis=0)
        gram += rows @ rows.T
    right = np.linalg.eigvalsh(gram / 200)[::-1]
    assert off(gram_eigenvalues(tensor).values, right[:199]) < 1e-12
    errors = {name: off(run(), right[:K]) for name, run in {"ours": ours, **peers}.items()}
    assert errors["ours"] < 1e-12

    times = in_turn({"ours": ours, **peers}, 3)
    full, mine = zip(*[(seconds(pca(features, "full")), seconds(ours)) for _ in turns(2)], strict=True)
    over_full = statistics.median(full) / statistics.median(mine)
    over_fastest = min(times[name] for name in peers) / times["ours"]
    claim(
        benchmark,
        f"eigenvalues of flattened layer1 (D = {WIDE}), 200 images, beside scikit-learn's PCA and torch.svd_lowrank",
        "at least 20 times scikit-learn PCA full, and twice the fastest of arpack, randomized and svd_lowrank",
        over_full,
        "times",
        over_full >= 20 and over_fastest >= 2,
        times_the_fastest_peer=over_fastest,
        seconds={**times, "full": statistics.median(full)},
        errors=errors,
    )
    benchmark.pedantic(ours, rounds=3)


GRAM_MEMORY = """
from in4310.solution.spectrum import gram_eigenvalues
data = torch.rand(200, 200704)
gram_eigenvalues(data[:, :5000], 10)
def run(data):
    gram_eigenvalues(data, 10)
"""


@needs_proc
@pytest.mark.benchmark(group="memory")
def test_memory_of_the_gram_matrix(benchmark: Any) -> None:
    extra = peak_mib(GRAM_MEMORY)
    own = 200 * LAYER1 * 4 / 2**20
    claim(
        benchmark,
        "extra memory for the eigenvalues of flattened layer1, 200 images",
        "under the size of the data",
        extra / own,
        "of the data's size",
        extra < own,
        extra_mib=extra,
        data_mib=own,
    )
    assert extra < own
    benchmark.pedantic(lambda: None, rounds=1)


# -- channel means, streamed -----------------------------------------------------------------------


@pytest.mark.benchmark(group="spectrum of channel means beside the forward pass, 224 x 224")
@pytest.mark.parametrize("modules", [("layer4",), MODULES], ids=["layer4", "six modules"])
def test_channel_means_beside_the_forward_pass(benchmark: Any, modules: tuple[str, ...]) -> None:
    """The observers are timed by themselves, on the maps of the very pass: 1 % would drown in a pass's noise."""
    keep_large_buffers()
    torch.manual_seed(0)
    network: nn.Module = resnet18(num_classes=6).eval().to(memory_format=torch.channels_last)
    images = torch.randn(amount(64, 16), 3, 224, 224).contiguous(memory_format=torch.channels_last)
    maps: dict[str, list[Tensor]] = {name: [] for name in modules}
    observe(network, [images], {name: [lambda x, n=name: maps[n].append(x.clone())] for name in modules})
    features = {name: FeatureCovariance() for name in modules}

    def forward() -> None:
        with torch.inference_mode():
            network(images)

    def statistics_() -> None:
        with torch.inference_mode():
            for name, feature in features.items():
                feature(maps[name][0])

    for _ in range(10):  # so that the moments are there
        statistics_()
    # Ten batches at a time: how often features are folded into the covariance is part of the cost.
    pairs = [(seconds(forward), seconds(lambda: [statistics_() for _ in range(10)]) / 10) for _ in turns(5)]
    over = 100 * statistics.median(b for _, b in pairs) / statistics.median(a for a, _ in pairs)
    claim(
        benchmark,
        f"spectrum of channel means of {' and '.join(modules)}, streamed, over the forward pass alone",
        "at most 1 % over",
        over,
        "% over",
        over <= 1,
    )
    benchmark.pedantic(statistics_, rounds=10)


# -- flattened layer4, all images: block Krylov ----------------------------------------------------


def on_disk(path: Path, rows: int, dimensions: int) -> np.ndarray:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimensions)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in decaying(rows, dimensions):
            file.write(part.tobytes())
    return np.load(path, mmap_mode="c")


def exact(features: np.ndarray) -> np.ndarray:
    """The K largest eigenvalues by ARPACK, to 1e-13, from products in float64."""
    rows, dimensions = features.shape
    mean = sum(features[s : s + 256].sum(axis=0, dtype=np.float64) for s in range(0, rows, 256)) / rows

    def times(vector: np.ndarray) -> np.ndarray:
        product = np.zeros(dimensions)
        for s in range(0, rows, 64):
            part = features[s : s + 64].astype(np.float64) - mean
            product += (part @ vector) @ part
        return product / rows

    covariance = LinearOperator((dimensions, dimensions), times, dtype=np.float64)
    values = eigsh(covariance, K, ncv=4 * K, tol=1e-13, v0=np.ones(dimensions), return_eigenvectors=False)
    return np.sort(values)[::-1]


KRYLOV_MEMORY = """
from in4310.solution.engine.krylov import largest_eigenvalues
data = np.load(sys.argv[1], mmap_mode="c")
largest_eigenvalues(np.random.default_rng(0).standard_normal((300, 200)), 2)
def run(data):
    largest_eigenvalues(data, 10)
"""
PCA_MEMORY = """
from sklearn.decomposition import PCA
data = np.load(sys.argv[1], mmap_mode="c")
def run(data):
    PCA(10, svd_solver="randomized", random_state=0).fit(data)
"""


def randomized_on_disk(path: str) -> Callable[[], np.ndarray]:
    return pca(np.load(path, mmap_mode="c"), "randomized")


def beside_scikit_learn(benchmark: Any, path: Path, rows: int, dimensions: int, rounds: int) -> None:
    features = on_disk(path, rows, dimensions)
    right = exact(features)

    def ours() -> np.ndarray:
        return largest_eigenvalues(features, K).values

    def incremental() -> np.ndarray:
        found = IncrementalPCA(K, batch_size=1000).fit(features)
        return found.explained_variance_ * (rows - 1) / rows

    found = largest_eigenvalues(features, K)
    errors = {"ours": off(found.values, right), "randomized": off(pca(features, "randomized")(), right)}
    # Benchmarks before this one may have told glibc to keep large buffers: the peer's copy of the data costs less then.
    with OwnProcess(__file__, "randomized_on_disk", str(path)) as randomized:
        times = in_turn({"ours": ours, "randomized": randomized.seconds}, rounds)
    times["incremental"] = seconds(lambda: errors.update(incremental=off(incremental(), right)))
    ratio = times["randomized"] / times["ours"]
    claim(
        benchmark,
        f"ten largest eigenvalues of {rows} x {dimensions} features on disk, beside scikit-learn's PCA",
        "at least 3 times scikit-learn PCA randomized and IncrementalPCA, to 1e-6 of the largest",
        ratio,
        "times",
        min(ratio, times["incremental"] / times["ours"]) >= 3 and errors["ours"] <= 1e-6,
        times_incremental=times["incremental"] / times["ours"],
        seconds=times,
        errors=errors,
        passes=found.passes,
        bound=float(found.errors.max() / found.values[0]),
    )
    if Path("/proc/self/status").exists():
        benchmark.extra_info["data_mib"] = features.nbytes / 2**20
        benchmark.extra_info["extra_mib"] = peak_mib(KRYLOV_MEMORY, str(path))
        benchmark.extra_info["extra_mib_randomized"] = peak_mib(PCA_MEMORY, str(path))
    assert errors["ours"] <= 1e-6
    assert np.all(np.abs(found.values - right) <= found.errors)
    benchmark.pedantic(ours, rounds=1)


@pytest.mark.benchmark(group="ten largest eigenvalues, features on disk")
def test_block_krylov_beside_scikit_learn(benchmark: Any, tmp_path: Path) -> None:
    """A sixteenth of the full size in numbers: a quarter of the images, a quarter of the features."""
    beside_scikit_learn(benchmark, tmp_path / "features.npy", 17034 // PART, LAYER4 // PART, rounds=3)


@pytest.mark.slow
@pytest.mark.benchmark(group="ten largest eigenvalues, features on disk")
def test_block_krylov_beside_scikit_learn_in_full(benchmark: Any, tmp_path: Path) -> None:
    """17034 x 25088, 1.6 GiB; some minutes, most of them for IncrementalPCA."""
    beside_scikit_learn(benchmark, tmp_path / "features.npy", 17034, LAYER4, rounds=2)
